//! Cars and vans.

use crate::class::Class;
use crate::parts::Parts;
use crate::random::Dice;
use crate::solid::Solid;
use parry3d::glamx::Vec2;

/// Choices for one vehicle; materials by index.
#[derive(Clone, Copy)]
pub(crate) struct VehicleLook {
    pub(crate) paint: usize,
    pub(crate) glass: usize,
    pub(crate) rubber: usize,
    pub(crate) bright: usize,
    /// Half the length, half the width, height of the shoulder, height of the roof; metres.
    pub(crate) size: [f32; 4],
    pub(crate) van: bool,
}

impl VehicleLook {
    pub(crate) fn size_of(dice: &mut Dice, van: bool) -> [f32; 4] {
        if van {
            [dice.between(2.3, 2.7), dice.between(0.95, 1.05), 1.15, dice.between(2.0, 2.4)]
        } else {
            [dice.between(1.9, 2.3), dice.between(0.84, 0.92), dice.between(0.82, 0.95), dice.between(1.4, 1.6)]
        }
    }
}

/// A vehicle at `at` facing `yaw`.
pub(crate) fn vehicle(solids: &mut Vec<Solid>, at: Vec2, yaw: f32, look: &VehicleLook) {
    let [long, wide, shoulder, roof] = look.size;
    let mut car = Parts::of(solids, Class::Vehicle, at, yaw);
    let (floor, waist) = (0.22, 0.55);
    // Lower body, upper body drawn in, bonnet lower than the shoulder.
    car.block([0.0, 0.0, (floor + waist) * 0.5], [long, wide, (waist - floor) * 0.5], [0.99, 1.0], look.paint);
    car.block(
        [0.0, 0.0, (waist + shoulder) * 0.5],
        [long * 0.985, wide, (shoulder - waist) * 0.5],
        [0.95, 0.93],
        look.paint,
    );
    car.block([0.0, 0.0, floor - 0.02], [long * 0.97, wide * 0.96, 0.06], [1.0, 1.0], look.rubber);
    let half = (roof - shoulder) * 0.5;
    if look.van {
        car.block([-0.25 * long, 0.0, shoulder + half], [long * 0.74, wide * 0.94, half], [0.99, 0.93], look.paint);
        car.block(
            [long * 0.62, 0.0, shoulder + half * 0.9],
            [long * 0.34, wide * 0.92, half * 0.9],
            [0.35, 0.9],
            look.glass,
        );
    } else {
        car.block([-0.1 * long, 0.0, shoulder + half], [long * 0.62, wide * 0.92, half], [0.66, 0.8], look.glass);
        car.block([-0.1 * long, 0.0, roof - 0.015], [long * 0.45, wide * 0.78, 0.035], [0.95, 0.95], look.paint);
        for side in [-1.0, 1.0] {
            let pillar = [-0.12 * long, side * wide * 0.83, shoulder + half];
            car.block(pillar, [0.05, 0.06, half], [0.9, 0.9], look.paint);
        }
    }
    for end in [-1.0, 1.0] {
        car.block([end * (long - 0.02), 0.0, 0.42], [0.07, wide * 0.97, 0.11], [1.0, 1.0], look.rubber);
        for side in [-1.0, 1.0] {
            car.block([end * long * 0.955, side * wide * 0.7, 0.68], [0.09, wide * 0.2, 0.07], [1.0, 1.0], look.bright);
            let (wheel, axle) = (0.32, end * long * 0.62);
            car.bar(
                ([axle, side * (wide - 0.2), wheel], wheel),
                ([axle, side * (wide + 0.01), wheel], wheel),
                look.rubber,
            );
            car.bar(
                ([axle, side * (wide - 0.1), wheel], 0.19),
                ([axle, side * (wide + 0.02), wheel], 0.18),
                look.bright,
            );
        }
    }
}
