//! Houses, sheds and flats: walls with windows, a roof, a door, a chimney.

use crate::class::Class;
use crate::parts::Parts;
use crate::random::Dice;
use crate::solid::Solid;
use parry3d::glamx::{Vec2, Vec3};

/// What a house is made of, as indices of materials.
#[derive(Clone, Copy)]
pub(crate) struct BuildingLook {
    pub(crate) wall: usize,
    pub(crate) roof: usize,
    pub(crate) wood: usize,
}

/// A house with half extents `half` (x along the street, z half the height of its walls).
pub(crate) fn building(solids: &mut Vec<Solid>, dice: &mut Dice, at: Vec2, yaw: f32, half: Vec3, look: BuildingLook) {
    let mut house = Parts::of(solids, Class::Building, at, yaw);
    let eaves = 2.0 * half.z;
    house.block([0.0, 0.0, half.z], half.into(), [1.0, 1.0], look.wall);
    // A plinth hides where wall and ground meet, and a door breaks the front.
    house.block([0.0, 0.0, 0.2], [half.x + 0.05, half.y + 0.05, 0.2], [1.0, 1.0], look.roof);
    let door = dice.between(-0.7, 0.7) * (half.x - 0.7);
    for side in [-1.0, 1.0] {
        house.block([door, side * half.y, 1.05], [0.5, 0.06, 1.05], [1.0, 1.0], look.wood);
        house.block([door, side * (half.y + 0.35), 0.1], [0.7, 0.35, 0.1], [1.0, 1.0], look.roof);
    }
    if eaves > 7.5 || dice.chance(0.25) {
        house.block([0.0, 0.0, eaves + 0.15], [half.x + 0.2, half.y + 0.2, 0.15], [1.0, 1.0], look.roof);
        house.block([half.x * 0.4, 0.0, eaves + 0.8], [1.1, 1.0, 0.6], [1.0, 1.0], look.wall);
        return;
    }
    let rise = half.y * dice.between(0.55, 0.95);
    house.block([0.0, 0.0, eaves + rise * 0.5], [half.x + 0.35, half.y + 0.45, rise * 0.5], [1.0, 0.02], look.roof);
    house.block([half.x * 0.5, half.y * 0.3, eaves + rise * 0.7], [0.35, 0.35, 0.9], [1.0, 1.0], look.wall);
    if dice.chance(0.5) {
        // An extension breaks the box.
        let (width, depth) = (half.x * 0.4, dice.between(0.6, 1.1));
        let middle = [-door.signum() * half.x * 0.5, half.y + depth, 1.25];
        house.block(middle, [width, depth, 1.25], [1.0, 1.0], look.wall);
        house.block([middle[0], middle[1], 2.7], [width + 0.2, depth + 0.2, 0.2], [0.9, 0.5], look.roof);
    }
}
