//! The kinds of texture that every surface is mixed from. They are the same in every place; a place chooses scales and colours.
//!
//! Smooth kinds are fractal Perlin noise (crate `noise`) sampled on a torus in four dimensions, which makes them seamless;
//! strewn kinds (grass, gravel, leaves) are painted, one blade, pebble or leaf over the other.

use crate::random::Dice;
use crate::tile::Tile;
use noise::{NoiseFn, Perlin};
use rayon::prelude::*;
use std::f32::consts::TAU;
use std::sync::LazyLock;

/// Texels along a tile's side: a 4 m repeat then has 8 mm texels, a pixel's width on the ground right before the robot.
const SIDE: usize = 512;

/// A kind of texture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Soft blotches: clouds, stains, uneven growth.
    Cloud,
    /// Grains of all sizes: plaster, asphalt, soil.
    Grain,
    /// Long fibres along v: wood, bark.
    Fibre,
    /// Blades of grass seen from above.
    Blades,
    /// Pebbles.
    Pebbles,
    /// Leaves over each other.
    Leaves,
}

static TILES: LazyLock<[Tile; 6]> = LazyLock::new(|| {
    [
        fractal(1, [4.0, 4.0], 6, 0.6),
        fractal(2, [16.0, 16.0], 5, 0.85),
        fractal(3, [40.0, 4.0], 4, 0.7),
        strewn(9000, blade),
        strewn(9000, pebble),
        strewn(5000, leaf),
    ]
});

/// The tile of a kind, painted at its first use.
pub(crate) fn tile(kind: Kind) -> &'static Tile {
    &TILES[kind as usize]
}

/// Sum of octaves of Perlin noise; `waves` of the first along u and v.
fn fractal(seed: u32, waves: [f64; 2], octaves: i32, persistence: f64) -> Tile {
    let perlin = Perlin::new(seed);
    // Each octave's circles for u and v, once per column and row.
    let circles = |waves: f64| -> Vec<(f64, f64)> {
        let radius = waves / std::f64::consts::TAU;
        let angle = |texel: usize| std::f64::consts::TAU * texel as f64 / SIDE as f64;
        (0..SIDE).map(|texel| (radius * angle(texel).cos(), radius * angle(texel).sin())).collect()
    };
    let octave = |octave: i32| {
        let scale = 2f64.powi(octave);
        (persistence.powi(octave), 7.3 * f64::from(octave), circles(waves[0] * scale), circles(waves[1] * scale))
    };
    let octaves: Vec<_> = (0..octaves).map(octave).collect();
    let value = |texel: usize| {
        let sum: f64 = octaves
            .iter()
            .map(|(weight, shift, columns, rows)| {
                let ((a, b), (c, d)) = (columns[texel % SIDE], rows[texel / SIDE]);
                weight * perlin.get([a + shift, b, c, d])
            })
            .sum();
        sum as f32
    };
    Tile::new((0..SIDE * SIDE).into_par_iter().map(value).collect(), SIDE)
}

/// One painted thing: its half length and half width in texels, and its brightness at (-1..1, -1..1), none outside it.
struct Brush {
    half_length: f32,
    half_width: f32,
    brightness: Box<dyn Fn(f32, f32) -> Option<f32>>,
}

fn strewn(count: usize, brush: fn(&mut Dice) -> Brush) -> Tile {
    let mut dice = Dice::new(count as u64, "tile");
    let mut texels = vec![0.0; SIDE * SIDE];
    for _ in 0..count {
        let (x, y, angle) = (dice.between(0.0, SIDE as f32), dice.between(0.0, SIDE as f32), dice.angle());
        paint(&mut texels, (x, y), angle, &brush(&mut dice));
    }
    Tile::new(texels, SIDE)
}

fn paint(texels: &mut [f32], (x, y): (f32, f32), angle: f32, brush: &Brush) {
    let reach = brush.half_length.max(brush.half_width).ceil() as i32;
    let (sin, cos) = angle.sin_cos();
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let (px, py) = (dx as f32 - x.fract(), dy as f32 - y.fract());
            let (along, across) = ((px * cos + py * sin) / brush.half_length, (py * cos - px * sin) / brush.half_width);
            if let Some(brightness) = (brush.brightness)(along, across) {
                let wrap = |at: f32, d: i32| (at as i32 + d).rem_euclid(SIDE as i32) as usize;
                texels[wrap(y, dy) * SIDE + wrap(x, dx)] = brightness;
            }
        }
    }
}

fn blade(dice: &mut Dice) -> Brush {
    let tone = dice.between(0.2, 1.0);
    let brightness = move |along: f32, across: f32| {
        let inside = along.abs() <= 1.0 && across.abs() <= 1.0 - 0.7 * (0.5 + 0.5 * along);
        inside.then_some(tone * (0.45 + 0.4 * (0.5 + 0.5 * along)) + 0.1 * across)
    };
    Brush { half_length: dice.between(8.0, 20.0), half_width: dice.between(1.2, 2.6), brightness: Box::new(brightness) }
}

fn pebble(dice: &mut Dice) -> Brush {
    let (tone, light) = (dice.between(0.3, 1.0), dice.between(0.0, TAU));
    let brightness = move |along: f32, across: f32| {
        let radius = along * along + across * across;
        (radius <= 1.0)
            .then(|| tone * (1.0 - 0.55 * radius * radius) + 0.15 * (along * light.cos() + across * light.sin()))
    };
    let half_length = dice.between(3.0, 9.0);
    Brush { half_length, half_width: half_length * dice.between(0.6, 1.0), brightness: Box::new(brightness) }
}

fn leaf(dice: &mut Dice) -> Brush {
    let tone = dice.between(0.15, 1.0);
    let brightness = move |along: f32, across: f32| {
        let inside = along.abs() <= 1.0 && across.abs() <= 1.0 - along * along;
        inside.then_some(tone * if across > 0.0 { 1.0 } else { 0.72 } + 0.05 * along)
    };
    Brush { half_length: dice.between(8.0, 16.0), half_width: dice.between(4.0, 8.0), brightness: Box::new(brightness) }
}
