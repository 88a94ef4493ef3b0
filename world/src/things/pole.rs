//! Lamp posts, signs, bollards and masts.

use crate::class::Class;
use crate::parts::Parts;
use crate::random::Dice;
use crate::solid::Solid;
use parry3d::glamx::Vec2;

/// What a pole is made of, as indices of materials.
#[derive(Clone, Copy)]
pub(crate) struct PoleLook {
    pub(crate) metal: usize,
    pub(crate) bright: usize,
}

/// A lamp with an arm over `yaw`.
pub(crate) fn lamp(solids: &mut Vec<Solid>, at: Vec2, yaw: f32, height: f32, look: PoleLook) {
    let mut lamp = Parts::of(solids, Class::Pole, at, yaw);
    lamp.bar(([0.0, 0.0, 0.0], 0.12), ([0.0, 0.0, 0.9], 0.1), look.metal);
    lamp.bar(([0.0, 0.0, 0.9], 0.075), ([0.0, 0.0, height], 0.055), look.metal);
    lamp.bar(([0.0, 0.0, height - 0.05], 0.045), ([0.9, 0.0, height + 0.15], 0.04), look.metal);
    lamp.block([1.0, 0.0, height + 0.15], [0.3, 0.12, 0.07], [0.8, 0.8], look.bright);
}

/// A sign facing `yaw`.
pub(crate) fn sign(solids: &mut Vec<Solid>, dice: &mut Dice, at: Vec2, yaw: f32, look: PoleLook) {
    let mut sign = Parts::of(solids, Class::Pole, at, yaw);
    let height = dice.between(1.9, 2.5);
    sign.bar(([0.0, 0.0, 0.0], 0.045), ([0.0, 0.0, height], 0.045), look.metal);
    if dice.chance(0.5) {
        sign.bar(([0.06, 0.0, height - 0.35], 0.33), ([0.09, 0.0, height - 0.35], 0.33), look.bright).axes = [
            // A disc: a very short bar along the sign's x.
            parry3d::glamx::Vec3::Z,
            parry3d::glamx::Vec3::new(-yaw.sin(), yaw.cos(), 0.0),
            parry3d::glamx::Vec3::new(yaw.cos(), yaw.sin(), 0.0),
        ];
    } else {
        sign.block([0.06, 0.0, height - 0.3], [0.02, 0.4, 0.28], [1.0, 1.0], look.bright);
    }
}

/// A bollard.
pub(crate) fn bollard(solids: &mut Vec<Solid>, at: Vec2, look: PoleLook) {
    let mut bollard = Parts::of(solids, Class::Pole, at, 0.0);
    bollard.bar(([0.0, 0.0, 0.0], 0.09), ([0.0, 0.0, 0.85], 0.085), look.metal);
    bollard.bar(([0.0, 0.0, 0.68], 0.094), ([0.0, 0.0, 0.78], 0.094), look.bright);
}

/// A tall wooden mast with a crossbar.
pub(crate) fn mast(solids: &mut Vec<Solid>, at: Vec2, yaw: f32, wood: usize) {
    let mut mast = Parts::of(solids, Class::Pole, at, yaw);
    mast.bar(([0.0, 0.0, 0.0], 0.15), ([0.0, 0.0, 8.0], 0.11), wood);
    mast.block([0.0, 0.0, 7.4], [0.07, 0.9, 0.07], [1.0, 1.0], wood);
}
