//! Trees, bushes and hedges: trunks and crowns of ellipsoids whose surface has holes between the leaves.

use crate::class::Class;
use crate::parts::Parts;
use crate::random::Dice;
use crate::solid::{Holes, Solid};
use parry3d::glamx::Vec2;

/// What a plant is made of, as indices of materials.
#[derive(Clone, Copy)]
pub(crate) struct PlantLook {
    pub(crate) bark: usize,
    pub(crate) leaves: usize,
}

/// A share of a third of the surface is open; the tile's deviation is 1/3.
fn holes(metres: f32, threshold: f32) -> Holes {
    Holes { metres, threshold }
}

/// A tree with a round crown, `height` metres high.
pub(crate) fn broad_tree(solids: &mut Vec<Solid>, dice: &mut Dice, at: Vec2, height: f32, look: PlantLook) {
    let mut tree = Parts::of(solids, Class::Vegetation, at, dice.angle());
    let (trunk_height, radius) = (height * dice.between(0.3, 0.42), height * dice.between(0.018, 0.028));
    let lean = [dice.between(-0.2, 0.2), dice.between(-0.2, 0.2)];
    let fork = [lean[0], lean[1], trunk_height];
    tree.bar(([0.0, 0.0, 0.0], radius * 1.5), ([lean[0] * 0.3, lean[1] * 0.3, 0.35], radius * 1.05), look.bark);
    tree.bar(([lean[0] * 0.3, lean[1] * 0.3, 0.3], radius * 1.07), (fork, radius * 0.8), look.bark);
    let crown = height * dice.between(0.24, 0.32);
    let middle = trunk_height + (height - trunk_height) * 0.5;
    let boughs = 5 + dice.below(4);
    for bough in 0..boughs {
        let angle = (bough as f32 + dice.between(-0.3, 0.3)) / boughs as f32 * std::f32::consts::TAU;
        let out = crown * dice.between(0.45, 0.8);
        let up = middle + (height - middle) * dice.between(-0.65, 0.5);
        let end = [fork[0] + out * angle.cos(), fork[1] + out * angle.sin(), up];
        if bough % 2 == 0 {
            tree.bar((fork, radius * 0.6), (end, radius * 0.2), look.bark);
        }
        let size = crown * dice.between(0.5, 0.72);
        tree.ellipsoid(end, [size, size * 1.05, size * dice.between(0.65, 0.9)], look.leaves).holes =
            Some(holes(1.9, -0.06));
    }
    let top = [fork[0], fork[1], middle + (height - middle) * 0.4];
    tree.ellipsoid(top, [crown * 0.75, crown * 0.8, (height - middle) * 0.62], look.leaves).holes =
        Some(holes(2.1, -0.12));
}

/// A spruce.
pub(crate) fn conifer(solids: &mut Vec<Solid>, dice: &mut Dice, at: Vec2, height: f32, look: PlantLook) {
    let mut tree = Parts::of(solids, Class::Vegetation, at, dice.angle());
    tree.bar(([0.0, 0.0, 0.0], height * 0.022), ([0.0, 0.0, height * 0.5], height * 0.015), look.bark);
    let tiers = 4 + dice.below(3);
    let wide = height * dice.between(0.17, 0.24);
    for tier in 0..tiers {
        let part = tier as f32 / tiers as f32;
        let (low, high) = (height * (0.12 + 0.80 * part), height * (0.12 + 0.80 * part + 1.25 / tiers as f32).min(1.0));
        let radius = wide * (1.0 - part).max(0.12) * dice.between(0.9, 1.1);
        tree.bar(([0.0, 0.0, low], radius), ([0.0, 0.0, high], radius * 0.12), look.leaves).holes =
            Some(holes(1.5, -0.10));
    }
}

/// A bush, `size` metres wide.
pub(crate) fn bush(solids: &mut Vec<Solid>, dice: &mut Dice, at: Vec2, size: f32, look: PlantLook) {
    let mut bush = Parts::of(solids, Class::Vegetation, at, dice.angle());
    for _ in 0..3 + dice.below(3) {
        let radius = size * dice.between(0.28, 0.45);
        let middle = [dice.between(-0.3, 0.3) * size, dice.between(-0.3, 0.3) * size, radius * dice.between(0.5, 0.9)];
        bush.ellipsoid(middle, [radius, radius * 1.1, radius * dice.between(0.75, 1.0)], look.leaves).holes =
            Some(holes(1.3, -0.16));
    }
}

/// One piece of a hedge, 0.7 m long.
pub(crate) fn hedge_piece(solids: &mut Vec<Solid>, dice: &mut Dice, at: Vec2, yaw: f32, height: f32, look: PlantLook) {
    let mut piece = Parts::of(solids, Class::Vegetation, at, yaw);
    let thick = dice.between(0.32, 0.4);
    piece.block([0.0, 0.0, height * 0.45], [0.45, thick, height * 0.45], [0.98, 0.8], look.leaves).holes =
        Some(holes(1.3, -0.28));
    let middle = [dice.between(-0.15, 0.15), 0.0, height * 0.8];
    piece.ellipsoid(middle, [0.5, thick * 1.1, height * dice.between(0.22, 0.3)], look.leaves).holes =
        Some(holes(1.3, -0.16));
}
