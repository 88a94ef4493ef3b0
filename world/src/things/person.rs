//! People, standing or walking: the legs and arms swing with the step.

use crate::class::Class;
use crate::parts::Parts;
use crate::random::Dice;
use crate::solid::Solid;
use parry3d::glamx::Vec2;

/// Choices for one person; materials by index.
#[derive(Clone, Copy)]
pub(crate) struct PersonLook {
    pub(crate) top: usize,
    pub(crate) trousers: usize,
    pub(crate) skin: usize,
    pub(crate) hair: usize,
    pub(crate) shoes: usize,
    pub(crate) height: f32,
    pub(crate) girth: f32,
    pub(crate) bag: bool,
}

impl PersonLook {
    pub(crate) fn new(dice: &mut Dice, materials: [usize; 5]) -> Self {
        let [top, trousers, skin, hair, shoes] = materials;
        let height = if dice.chance(0.15) { dice.between(1.15, 1.4) } else { dice.between(1.58, 1.9) };
        Self { top, trousers, skin, hair, shoes, height, girth: dice.between(0.9, 1.25), bag: dice.chance(0.4) }
    }
}

/// A person at `at` facing `yaw`; `step` is the phase of walking in radians, `swing` its size (0 stands still).
pub(crate) fn person(solids: &mut Vec<Solid>, at: Vec2, yaw: f32, (step, swing): (f32, f32), look: &PersonLook) {
    let h = look.height / 1.75;
    let mut body = Parts::of(solids, Class::Person, at, yaw);
    let hip = 0.88 * h + 0.015 * swing * (2.0 * step).cos();
    for (side, phase) in [(-1.0, step), (1.0, step + std::f32::consts::PI)] {
        let reach = 0.30 * swing * phase.sin() * h;
        let lift = 0.10 * swing * phase.cos().max(0.0);
        let (knee, foot) =
            ([reach * 0.5 + 0.06 * swing, side * 0.09, 0.46 * h + lift * 0.5], [reach, side * 0.09, 0.06 + lift]);
        body.bar(([0.0, side * 0.1, hip], 0.085 * look.girth), (knee, 0.065 * look.girth), look.trousers);
        body.bar((knee, 0.065 * look.girth), (foot, 0.05), look.trousers);
        body.block([foot[0] + 0.05, foot[1], foot[2]], [0.13, 0.05, 0.055], [0.8, 0.9], look.shoes);
        let shoulder = [0.0, side * 0.21 * look.girth, 1.42 * h];
        let elbow = [-reach * 0.35 - 0.03, side * 0.25 * look.girth, 1.13 * h];
        let hand = [-reach * 0.75 + 0.06, side * 0.23 * look.girth, 0.88 * h];
        body.bar((shoulder, 0.055 * look.girth), (elbow, 0.048), look.top);
        body.bar((elbow, 0.047), (hand, 0.04), look.top);
        body.ellipsoid(hand, [0.045, 0.035, 0.06], look.skin);
    }
    body.block([0.0, 0.0, hip + 0.28 * h], [0.12 * look.girth, 0.17 * look.girth, 0.32 * h], [1.05, 1.2], look.top);
    body.ellipsoid([0.0, 0.0, 1.45 * h], [0.12 * look.girth, 0.21 * look.girth, 0.08 * h], look.top);
    body.bar(([0.0, 0.0, 1.45 * h], 0.06), ([0.01, 0.0, 1.56 * h], 0.05), look.skin);
    body.ellipsoid([0.02, 0.0, 1.64 * h], [0.095, 0.078, 0.12], look.skin);
    body.ellipsoid([-0.015, 0.0, 1.675 * h], [0.1, 0.087, 0.105], look.hair);
    if look.bag {
        body.block([-0.19 * look.girth, 0.0, 1.2 * h], [0.09, 0.15, 0.22], [0.8, 0.8], look.shoes);
    }
}
