//! Every variant of the operators that interpolate, average, multiply and pad equals the formula computed number by number,
//! bit for bit, on random shapes, numbers and thread counts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{at, input, pictures, unless_refused, windows};
use parallax_kernels::Isa;
use parallax_kernels::addition::Grid;
use parallax_kernels::border::{Border, BorderConfig, Fill};
use parallax_kernels::interpolation::{Coordinates, Interpolation};
use parallax_kernels::multiplication::Multiplication;
use parallax_kernels::pooling::{AveragePool, AveragePoolConfig, Counted};
use parallax_kernels::shape::{Padding, PictureShape, Window};
use parallax_kernels::team::Team;
use proptest::prelude::*;

fn grids() -> impl Strategy<Value = Grid> {
    (1e-3_f32..4.0, any::<u8>()).prop_map(|(scale, zero_point)| Grid { scale, zero_point })
}

fn coordinates() -> impl Strategy<Value = Coordinates> {
    use Coordinates::{AlignCorners, Asymmetric, HalfPixel, PytorchHalfPixel};
    prop_oneof![Just(HalfPixel), Just(PytorchHalfPixel), Just(AlignCorners), Just(Asymmetric)]
}

/// Where output `at` lies on an axis of `input` pixels.
fn place(coordinates: Coordinates, at: usize, input: usize, output: usize) -> f64 {
    let (at, input, output) = (at as f64, input as f64, output as f64);
    let place = match coordinates {
        Coordinates::PytorchHalfPixel | Coordinates::AlignCorners if output == 1.0 => 0.0,
        Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (at + 0.5) * input / output - 0.5,
        Coordinates::AlignCorners => at * (input - 1.0) / (output - 1.0),
        Coordinates::Asymmetric => at * input / output,
    };
    place.clamp(0.0, input - 1.0)
}

/// What a value becomes, clamped.
fn steps(value: f64, to: Grid) -> f64 {
    (value / f64::from(to.scale) + f64::from(to.zero_point)).clamp(0.0, 255.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 300 }, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn interpolation(
        shape in pictures(),
        size in (prop_oneof![1..40_usize, Just(1)], 1..50_usize),
        doubled: bool,
        coordinates in coordinates(),
        grids in (grids(), grids()),
        threads in 1..3_usize,
        seed: u64,
    ) {
        let [height, width] = if doubled { [2 * shape.height, 2 * shape.width] } else { [size.0, size.1] };
        let (picture, team) = (input(seed, shape.len()), Team::new(threads).unwrap());
        let mut answers = Vec::new();
        for isa in Isa::available() {
            let grids = [grids.0, grids.1];
            let made = Interpolation::new(shape, [height, width], coordinates, grids, isa).unwrap();
            let mut output = vec![0x5A; made.output().len()];
            made.run(&picture, &mut output, &team);
            answers.push(output);
        }
        for (isa, answer) in Isa::available().into_iter().zip(&answers) {
            prop_assert_eq!(answer, &answers[0], "{}", isa.name());
        }
        let number = |y: usize, x: usize, c: usize| {
            let (y, x) = (y.min(shape.height - 1), x.min(shape.width - 1));
            f64::from(picture[(y * shape.width + x) * shape.channels + c]) - f64::from(grids.0.zero_point)
        };
        // What single precision loses: of places of up to fifty pixels, and where the sum is a difference of larger numbers.
        let rounding = 255.0 * f64::from(grids.0.scale / grids.1.scale) * 2.0_f64.powi(-16);
        for (index, found) in answers[0].iter().enumerate() {
            let (c, at) = (index % shape.channels, index / shape.channels);
            let y = place(coordinates, at / width, shape.height, height);
            let x = place(coordinates, at % width, shape.width, width);
            let (row, column, v, u) = (y as usize, x as usize, y.fract(), x.fract());
            let above = number(row, column, c) * (1.0 - u) + number(row, column + 1, c) * u;
            let below = number(row + 1, column, c) * (1.0 - u) + number(row + 1, column + 1, c) * u;
            let exact = steps((above * (1.0 - v) + below * v) * f64::from(grids.0.scale), grids.1);
            prop_assert!((exact - f64::from(*found)).abs() <= 0.501 + rounding, "{} became {}", exact, found);
        }
    }

    #[test]
    fn the_mean_of_windows(
        shape in pictures(),
        window in windows(),
        all: bool,
        global: bool,
        grids in (grids(), grids()),
        threads in 1..3_usize,
        seed: u64,
    ) {
        let picture = input(seed, shape.len());
        let team = Team::new(threads).unwrap();
        let counted = if all { Counted::All } else { Counted::Inside };
        let grids = [grids.0, grids.1];
        let make = |isa| {
            if global {
                AveragePool::global(shape, grids, isa)
            } else {
                AveragePool::new(AveragePoolConfig { input: shape, window, counted, grids }, isa)
            }
        };
        let output = unless_refused(make(Isa::PORTABLE))?.output();
        let window = if global {
            let (one, none) = ([1; 2], [0; 2]);
            let kernel = [shape.height, shape.width];
            Window { kernel, stride: one, dilation: one, before: none, after: none }
        } else {
            window
        };
        let padded = window.before != [0; 2] || window.after != [0; 2];
        let whole = window.kernel == [shape.height, shape.width] && !padded;
        let mut expected = Vec::new();
        for (y, x) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
            for c in 0..output.channels {
                let (mut sum, mut integers, mut inside) = (0.0_f32, 0, 0);
                for (i, j) in (0..window.kernel[0]).flat_map(|i| (0..window.kernel[1]).map(move |j| (i, j))) {
                    let tap = |picture: &[u8], zero_point| {
                        at((shape, window, Padding::ZeroPoint, zero_point), picture, [y, x], [i, j], c)
                    };
                    let number = tap(&picture, grids[0].zero_point);
                    sum += grids[0].scale * number as f32;
                    integers += number;
                    // A picture of ones says which taps lie inside.
                    inside += tap(&vec![1; picture.len()], 0);
                }
                let count = if all || global { (window.kernel[0] * window.kernel[1]) as i64 } else { inside };
                let count = count as f32;
                let [from, to] = grids;
                let multiplier = from.scale / (to.scale * count);
                let rounded = if whole {
                    (integers as f32 * multiplier).round_ties_even() as i64 + i64::from(to.zero_point)
                } else {
                    (sum / count / to.scale + f32::from(to.zero_point)).round_ties_even() as i64
                };
                expected.push(rounded.clamp(0, 255) as u8);
            }
        }
        for isa in Isa::available() {
            let mut result = vec![0x5A; output.len()];
            make(isa).unwrap().run(&picture, &mut result, &team);
            prop_assert_eq!(&result, &expected, "{}", isa.name());
        }
    }

    #[test]
    fn multiplication(
        first in grids(),
        second in grids(),
        product in grids(),
        length in 0..200_usize,
        seed: u64,
    ) {
        let (a, b) = (input(seed, length), input(seed ^ 1, length));
        let multiplier = (first.scale * second.scale) / product.scale;
        let expected: Vec<u8> = a.iter().zip(&b).map(|(a, b)| {
            let of = |number: u8, grid: Grid| i64::from(number) - i64::from(grid.zero_point);
            let integer = of(*a, first) * of(*b, second);
            let rounded = (integer as f32 * multiplier).round_ties_even() as i64 + i64::from(product.zero_point);
            rounded.clamp(0, 255) as u8
        }).collect();
        for isa in Isa::available() {
            let mut numbers = a.clone();
            Multiplication::new([first, second], product, isa).unwrap().run(&mut numbers, &b);
            prop_assert_eq!(&numbers, &expected, "{}", isa.name());
        }
    }

    #[test]
    fn a_border_is_what_a_padded_window_sees(
        input_shape in pictures(),
        before in (0..4_usize, 0..4_usize),
        after in (0..4_usize, 0..4_usize),
        fill in prop_oneof![any::<u8>().prop_map(Fill::Number), Just(Fill::Reflect), Just(Fill::Edge)],
        seed: u64,
    ) {
        let picture = input(seed, input_shape.len());
        let (before, after) = ([before.0, before.1], [after.0, after.1]);
        let config = BorderConfig { input: input_shape, before, after, fill, table: None };
        let border = unless_refused(Border::new(config))?;
        let PictureShape { width, channels, .. } = border.output();
        let window = Window { before, after, ..Window::same(1) };
        let (padding, number) = match fill {
            Fill::Number(number) => (Padding::ZeroPoint, number),
            Fill::Reflect => (Padding::Reflect, 0),
            Fill::Edge => (Padding::Edge, 0),
        };
        let mut output = vec![0; border.output().len()];
        border.run(&picture, &mut output, &Team::new(2).unwrap());
        for (index, found) in output.iter().enumerate() {
            let place = [index / channels / width, index / channels % width];
            // What a tap sees less the number that surrounds the picture.
            let seen = at((input_shape, window, padding, number), &picture, place, [0, 0], index % channels);
            prop_assert_eq!(i64::from(*found), seen + i64::from(number));
        }
    }
}
