//! The colours and surfaces of one place.
//!
//! A place has few tones and many users of each: a path, a house, a fence and a car may all be the same grey. What tells them
//! apart is texture: setts, bricks, boards, smooth paint.

use crate::material::{Courses, Finish, Layer, Material, Windows};
use crate::random::Dice;
use crate::tiles::Kind;
use parry3d::glamx::{Vec2, Vec3};

/// The tones of a place.
pub(crate) struct Palette {
    /// Greys, browns and muted colours of everything made by people.
    made: Vec<Vec3>,
    /// Colours of everything that grows.
    grown: Vec<Vec3>,
}

/// Linear reflectance from hue (degrees), saturation and value.
pub(crate) fn color(hue: f32, saturation: f32, value: f32) -> Vec3 {
    let channel = |offset: f32| {
        let k = (offset + hue / 60.0).rem_euclid(6.0);
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    };
    Vec3::new(channel(5.0), channel(3.0), channel(1.0)).powf(2.2)
}

impl Palette {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let season = dice.between(0.0, 1.0);
        let made = vec![
            color(dice.between(20.0, 50.0), 0.06, 0.62),
            color(dice.between(190.0, 230.0), 0.07, 0.48),
            color(dice.between(22.0, 36.0), 0.38, 0.55),
            color(dice.between(8.0, 20.0), 0.45, 0.52),
            color(dice.between(85.0, 130.0), 0.36, 0.46),
            color(dice.between(36.0, 48.0), 0.24, 0.72),
            color(dice.between(60.0, 80.0), 0.30, 0.48),
            color(dice.pick(&[5.0, 25.0, 45.0, 205.0, 225.0]), dice.between(0.25, 0.45), 0.52),
        ];
        let grown = vec![
            color(75.0 + 30.0 * season, 0.46, 0.50),
            color(55.0 + 40.0 * season, 0.44, 0.56),
            color(100.0, 0.42, 0.40),
            color(38.0 + 45.0 * season, 0.48, 0.50),
        ];
        Self { made, grown }
    }

    fn of(tones: &[Vec3], dice: &mut Dice) -> Vec3 {
        let tone = dice.pick(tones) * dice.between(0.75, 1.3);
        (tone * Vec3::new(dice.between(0.93, 1.07), 1.0, dice.between(0.93, 1.07))).min(Vec3::splat(0.75))
    }

    fn made(&self, dice: &mut Dice) -> Vec3 {
        Self::of(&self.made, dice)
    }

    /// Muted: stone and earth are never as bright a red as a door may be.
    fn stone(&self, dice: &mut Dice) -> Vec3 {
        let tone = self.made(dice);
        tone.lerp(Vec3::splat(tone.element_sum() / 3.0), 0.45)
    }

    fn grown(&self, dice: &mut Dice) -> Vec3 {
        Self::of(&self.grown, dice)
    }

    /// The path, and whether its edge is ragged (no kerb).
    pub(crate) fn path(&self, dice: &mut Dice) -> (Material, bool) {
        let tone = self.stone(dice);
        let stains = layer(Kind::Cloud, 5.7, 0.9);
        match dice.below(4) {
            0 => {
                let mut slabs =
                    Material::around(tone, 0.5, [layer(Kind::Grain, 1.9, 0.8), layer(Kind::Cloud, 0.9, 0.6), stains]);
                slabs.courses =
                    Some(courses([dice.between(0.4, 0.7), dice.between(0.3, 0.5)], 0.018, 0.5, tone * 0.35, 0.22));
                (slabs, false)
            }
            1 => {
                let mut setts =
                    Material::around(tone, 0.55, [layer(Kind::Grain, 1.3, 1.0), layer(Kind::Cloud, 1.7, 0.6), stains]);
                setts.courses = Some(courses([0.2, 0.12], 0.016, 0.5, tone * 0.3, 0.35));
                (setts, false)
            }
            2 => {
                let gravel = [layer(Kind::Pebbles, 1.6, 1.1), layer(Kind::Pebbles, 5.3, 0.5), stains];
                (Material::around(tone, 0.65, gravel), true)
            }
            _ => {
                let earth =
                    [layer(Kind::Grain, 2.7, 1.1), layer(Kind::Pebbles, 2.9, 0.5), layer(Kind::Cloud, 4.1, 1.1)];
                (Material::around(tone, 0.6, earth), true)
            }
        }
    }

    /// The road: asphalt with patches.
    pub(crate) fn road(dice: &mut Dice) -> Material {
        let tone = color(dice.between(20.0, 240.0), 0.05, dice.between(0.36, 0.52));
        Material::around(
            tone,
            0.55,
            [layer(Kind::Grain, 2.1, 1.0), layer(Kind::Grain, 9.0, 0.6), layer(Kind::Cloud, 11.0, 0.8)],
        )
    }

    /// Grass.
    pub(crate) fn grass(&self, dice: &mut Dice) -> Material {
        let tone = self.grown(dice);
        let layers = [layer(Kind::Blades, 2.3, 1.2), layer(Kind::Blades, 7.7, 0.8), layer(Kind::Cloud, 13.0, 0.9)];
        let mut grass = Material::around(tone, 0.75, layers);
        grass.tint = self.grown(dice);
        grass.tint_amount = 1.2;
        grass.finish = Finish::Soft;
        grass
    }

    /// Bare earth between the grass.
    pub(crate) fn soil(&self, dice: &mut Dice) -> Material {
        let tone = self.stone(dice).lerp(color(28.0, 0.4, 0.45), 0.5);
        Material::around(
            tone,
            0.6,
            [layer(Kind::Pebbles, 2.2, 0.9), layer(Kind::Grain, 3.3, 0.7), layer(Kind::Cloud, 6.0, 0.5)],
        )
    }

    /// Leaves of one kind of plant.
    pub(crate) fn leaves(&self, dice: &mut Dice) -> Material {
        let tone = self.grown(dice);
        let size = dice.between(1.2, 2.2);
        let mut leaves = Material::around(
            tone,
            0.8,
            [layer(Kind::Leaves, size, 1.2), layer(Kind::Leaves, size * 3.1, 0.6), layer(Kind::Cloud, 3.7, 0.6)],
        );
        leaves.tint = self.grown(dice);
        leaves.tint_amount = 0.8;
        leaves.finish = Finish::Soft;
        leaves
    }

    /// Bark, from brown to birch.
    pub(crate) fn bark(dice: &mut Dice) -> Material {
        let tone = color(dice.between(20.0, 40.0), dice.between(0.08, 0.35), dice.between(0.32, 0.62));
        Material::around(tone, 0.7, [fibre(1.1, 1.2), layer(Kind::Grain, 1.7, 0.5), layer(Kind::Cloud, 2.3, 0.6)])
    }

    /// The walls of a house.
    pub(crate) fn facade(&self, dice: &mut Dice) -> Material {
        let tone = self.made(dice);
        let stains = layer(Kind::Cloud, 6.1, 0.9);
        let mut wall = match dice.below(4) {
            0 => {
                let mut brick =
                    Material::around(tone, 0.4, [layer(Kind::Grain, 1.4, 0.7), layer(Kind::Cloud, 2.1, 0.4), stains]);
                let joint = if dice.chance(0.5) { tone * 0.5 } else { Vec3::splat(0.35) };
                brick.courses = Some(courses([0.5, 0.17], 0.022, 0.5, joint, 0.35));
                brick
            }
            1 => {
                let mut boards = Material::around(tone, 0.4, [fibre(1.9, 0.9), layer(Kind::Cloud, 2.1, 0.5), stains]);
                boards.courses =
                    Some(Courses { joint: Vec2::new(0.025, 0.0), ..courses([0.21, 4.0], 0.0, 0.0, tone * 0.3, 0.2) });
                boards
            }
            2 => {
                let mut blocks =
                    Material::around(tone, 0.45, [layer(Kind::Grain, 2.3, 0.9), layer(Kind::Cloud, 1.3, 0.5), stains]);
                blocks.courses = Some(courses([1.1, 0.55], 0.03, 0.5, tone * 0.45, 0.2));
                blocks
            }
            _ => Material::around(tone, 0.45, [layer(Kind::Grain, 2.9, 0.9), layer(Kind::Cloud, 1.9, 0.7), stains]),
        };
        let pitch = Vec2::new(dice.between(2.0, 3.2), dice.between(2.6, 3.1));
        let size = Vec2::new(dice.between(0.8, 1.3), dice.between(1.1, 1.5));
        let frame = if dice.chance(0.6) { Vec3::splat(0.6) } else { self.made(dice) * 0.7 };
        wall.windows = Some(Windows { pitch, size, glass: Vec3::new(0.05, 0.06, 0.07), frame });
        wall
    }

    /// Tiles or sheets on a roof.
    pub(crate) fn roof(&self, dice: &mut Dice) -> Material {
        let tone = self.made(dice) * 0.8;
        let mut roof = Material::around(
            tone,
            0.45,
            [layer(Kind::Grain, 1.9, 0.7), layer(Kind::Cloud, 2.4, 0.6), layer(Kind::Cloud, 7.0, 0.7)],
        );
        roof.courses = Some(courses([0.3, dice.between(0.25, 0.4)], 0.04, 0.5, tone * 0.35, 0.25));
        roof
    }

    /// Sawn wood: boards of fences, doors, masts.
    pub(crate) fn wood(&self, dice: &mut Dice) -> Material {
        let tone = self.made(dice);
        Material::around(tone, 0.55, [fibre(1.3, 1.1), layer(Kind::Grain, 1.1, 0.4), layer(Kind::Cloud, 1.7, 0.6)])
    }

    /// Bare or painted metal of poles.
    pub(crate) fn metal(&self, dice: &mut Dice) -> Material {
        let tone = if dice.chance(0.5) { color(210.0, 0.05, dice.between(0.4, 0.65)) } else { self.made(dice) };
        let mut metal = Material::around(
            tone,
            0.4,
            [layer(Kind::Cloud, 0.7, 0.8), layer(Kind::Grain, 0.9, 0.5), layer(Kind::Cloud, 1.9, 0.5)],
        );
        metal.finish = Finish::Glossy(0.25);
        metal
    }

    /// A car's paint: often grey, sometimes the green of the grass.
    pub(crate) fn car_paint(&self, dice: &mut Dice) -> Material {
        let tone = match dice.below(4) {
            0 => color(210.0, 0.05, dice.between(0.25, 0.85)),
            1 => self.grown(dice),
            _ => self.made(dice),
        };
        let mut paint = Material::around(
            tone,
            0.3,
            [layer(Kind::Cloud, 2.1, 0.6), layer(Kind::Grain, 1.7, 0.35), layer(Kind::Cloud, 3.1, 0.5)],
        );
        paint.finish = Finish::Glossy(0.6);
        paint
    }

    /// Panes of cars: dark with soft reflections.
    pub(crate) fn glass() -> Material {
        let mut glass = Material::around(
            Vec3::new(0.07, 0.08, 0.09),
            0.8,
            [layer(Kind::Cloud, 1.6, 1.2), layer(Kind::Grain, 2.0, 0.3), layer(Kind::Cloud, 3.0, 0.4)],
        );
        glass.finish = Finish::Glossy(0.8);
        glass
    }

    /// Tyres, bumpers, soles.
    pub(crate) fn rubber() -> Material {
        Material::around(
            Vec3::splat(0.04),
            0.6,
            [layer(Kind::Grain, 0.6, 1.0), layer(Kind::Cloud, 0.5, 0.6), layer(Kind::Cloud, 1.0, 0.4)],
        )
    }

    /// Headlamps and hub caps.
    pub(crate) fn chrome(dice: &mut Dice) -> Material {
        let tone = color(dice.between(20.0, 220.0), 0.05, dice.between(0.55, 0.8));
        let mut chrome = Material::around(
            tone,
            0.5,
            [layer(Kind::Cloud, 0.5, 0.9), layer(Kind::Grain, 0.5, 0.4), layer(Kind::Cloud, 0.9, 0.4)],
        );
        chrome.finish = Finish::Glossy(0.6);
        chrome
    }

    /// Street lamps, signs' faces.
    pub(crate) fn bright(dice: &mut Dice) -> Material {
        let tone = color(dice.between(0.0, 360.0), dice.between(0.0, 0.5), 0.85);
        Material::around(
            tone,
            0.4,
            [layer(Kind::Cloud, 0.5, 0.9), layer(Kind::Grain, 0.5, 0.4), layer(Kind::Cloud, 0.9, 0.4)],
        )
    }

    /// Clothes.
    pub(crate) fn cloth(&self, dice: &mut Dice) -> Material {
        let tone = match dice.below(3) {
            0 => color(dice.angle().to_degrees(), 0.5, dice.between(0.25, 0.75)),
            1 => self.grown(dice),
            _ => self.made(dice),
        };
        Material::around(
            tone,
            0.5,
            [layer(Kind::Cloud, 0.45, 1.0), layer(Kind::Grain, 0.7, 0.6), layer(Kind::Cloud, 0.8, 0.7)],
        )
    }

    /// Skin and hair.
    pub(crate) fn skin(dice: &mut Dice) -> Material {
        let tone = color(dice.between(18.0, 30.0), dice.between(0.3, 0.55), dice.between(0.35, 0.85));
        Material::around(
            tone,
            0.3,
            [layer(Kind::Cloud, 0.4, 0.8), layer(Kind::Grain, 0.4, 0.3), layer(Kind::Cloud, 0.6, 0.3)],
        )
    }

    /// Kerb stones.
    pub(crate) fn kerb(dice: &mut Dice) -> Vec3 {
        color(dice.between(30.0, 220.0), 0.05, dice.between(0.55, 0.72))
    }
}

fn layer(kind: Kind, metres: f32, amount: f32) -> Layer {
    Layer { kind, metres: Vec2::splat(metres), amount }
}

/// Fibres run along v.
fn fibre(metres: f32, amount: f32) -> Layer {
    Layer { kind: Kind::Fibre, metres: Vec2::new(metres, metres * 1.6), amount }
}

fn courses(piece: [f32; 2], joint: f32, stagger: f32, joint_color: Vec3, variation: f32) -> Courses {
    Courses { piece: Vec2::from(piece), joint: Vec2::splat(joint), stagger, joint_color, variation }
}
