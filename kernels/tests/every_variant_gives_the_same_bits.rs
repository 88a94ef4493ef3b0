//! Every variant of every kernel equals the plain one bit for bit, and the plain one equals the formula computed in 64-bit
//! integers, on random shapes, numbers and thread counts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{at, input, numbers, pictures, unless_refused, windows};
use parallax_kernels::addition::{Addition, Grid, Term};
use parallax_kernels::convolution::{Convolution, ConvolutionConfig};
use parallax_kernels::depthwise::{Depthwise, DepthwiseConfig};
use parallax_kernels::pooling::MaxPool;
use parallax_kernels::requantization::Requantization;
use parallax_kernels::shape::{Padding, PictureShape, Window};
use parallax_kernels::team::Team;
use parallax_kernels::{Isa, KernelError};
use proptest::prelude::*;

/// Without −128 for every other seed: NEON's pairs leave those to plain Rust.
fn weights(seed: u64, count: usize) -> Vec<i8> {
    let lowest = if seed.is_multiple_of(2) { -127 } else { i8::MIN };
    numbers(seed, count).map(|number| (number as i8).max(lowest)).collect()
}

fn biases(seed: u64, count: usize) -> Vec<i32> {
    input(seed, 2 * count).as_chunks::<2>().0.iter().map(|bytes| i32::from(i16::from_le_bytes(*bytes)) * 9).collect()
}

fn paddings() -> impl Strategy<Value = Padding> {
    prop_oneof![Just(Padding::ZeroPoint), Just(Padding::Reflect), Just(Padding::Edge)]
}

fn requantization(seed: u64, channels: usize, (low, high): (u8, u8), taps: usize) -> Requantization {
    let multipliers =
        numbers(seed, channels).map(|number| (f32::from(number) + 1.0) / (40_000.0 * (taps as f32).sqrt()));
    let zero_point = numbers(seed + 1, 1).last().unwrap_or_default();
    Requantization { multipliers: multipliers.collect(), zero_point, low: low.min(high), high: low.max(high) }
}

/// The requantized sum, from the formula.
fn expected(sum: i64, to: &Requantization, channel: usize) -> u8 {
    let scaled = (sum as i32 as f32 * to.multipliers[channel]).round_ties_even() as i64 + i64::from(to.zero_point);
    scaled.clamp(i64::from(to.low), i64::from(to.high)) as u8
}

fn naive_convolution(config: &ConvolutionConfig, weights: &[i8], bias: &[i32], picture: &[u8]) -> Vec<u8> {
    let ConvolutionConfig { input, outputs, window, padding, input_zero_point, requantization } = config;
    let [height, width] = window.output_size(*input).unwrap();
    let mut result = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for o in 0..*outputs {
            let mut sum = i64::from(bias[o]);
            let mut weights = weights[o * weights.len() / outputs..].iter();
            for c in 0..input.channels {
                for i in 0..window.kernel[0] {
                    for j in 0..window.kernel[1] {
                        let number = at((*input, *window, *padding, *input_zero_point), picture, [y, x], [i, j], c);
                        sum += number * i64::from(*weights.next().unwrap());
                    }
                }
            }
            result.push(expected(sum, requantization, o));
        }
    }
    result
}

fn naive_depthwise(config: &DepthwiseConfig, weights: &[i8], bias: &[i32], picture: &[u8]) -> Vec<u8> {
    let DepthwiseConfig { input, window, padding, input_zero_point, requantization } = config;
    let [height, width] = window.output_size(*input).unwrap();
    let [rows, columns] = window.kernel;
    let mut result = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for c in 0..input.channels {
            let mut sum = i64::from(bias[c]);
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                let number = at((*input, *window, *padding, *input_zero_point), picture, [y, x], [i, j], c);
                sum += number * i64::from(weights[(c * rows + i) * columns + j]);
            }
            result.push(expected(sum, requantization, c));
        }
    }
    result
}

fn outputs() -> BoxedStrategy<usize> {
    if cfg!(miri) { (1..20_usize).boxed() } else { prop_oneof![1..20_usize, Just(32), Just(48), 49..100_usize].boxed() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 600 }, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn convolution(
        input_shape in pictures(),
        outputs in outputs(),
        window in windows(),
        padding in paddings(),
        input_zero_point: u8,
        range: (u8, u8),
        threads in 1..4_usize,
        seed: u64,
    ) {
        let taps = input_shape.channels * window.kernel[0] * window.kernel[1];
        let requantization = requantization(seed ^ 1, outputs, range, taps);
        let config = ConvolutionConfig { input: input_shape, outputs, window, padding, input_zero_point, requantization };
        let (weights, bias) = (weights(seed ^ 2, outputs * taps), biases(seed ^ 3, outputs));
        let picture = input(seed ^ 4, input_shape.len());
        let team = Team::new(threads).unwrap();
        unless_refused(Convolution::new(config.clone(), &weights, &bias, Isa::PORTABLE, threads))?;
        let expected = naive_convolution(&config, &weights, &bias, &picture);
        for isa in Isa::available() {
            let convolution = Convolution::new(config.clone(), &weights, &bias, isa, threads).unwrap();
            // Scratch memory is dirty and not aligned, as a caller's may be.
            let mut scratch = vec![0xA5; convolution.scratch_len(threads) + 1];
            let mut output = vec![0x5A; convolution.output().len()];
            convolution.run(&picture, &mut output, &mut scratch[1..], &team, &|_, _| ());
            prop_assert_eq!(&output, &expected, "{}", isa.name());
        }
    }

    #[test]
    fn depthwise_convolution(
        input_shape in pictures(),
        window in windows(),
        padding in paddings(),
        input_zero_point: u8,
        range: (u8, u8),
        threads in 1..3_usize,
        seed: u64,
    ) {
        let (channels, taps) = (input_shape.channels, window.kernel[0] * window.kernel[1]);
        let requantization = requantization(seed ^ 1, channels, range, taps);
        let config = DepthwiseConfig { input: input_shape, window, padding, input_zero_point, requantization };
        let (weights, bias) = (weights(seed ^ 2, channels * taps), biases(seed ^ 3, channels));
        let picture = input(seed ^ 4, input_shape.len());
        let team = Team::new(threads).unwrap();
        unless_refused(Depthwise::new(config.clone(), &weights, &bias, Isa::PORTABLE, threads))?;
        let expected = naive_depthwise(&config, &weights, &bias, &picture);
        for isa in Isa::available() {
            let depthwise = Depthwise::new(config.clone(), &weights, &bias, isa, threads).unwrap();
            let mut scratch = vec![0xA5; depthwise.scratch_len(threads)];
            let mut output = vec![0x5A; depthwise.output().len()];
            depthwise.run(&picture, &mut output, &mut scratch, &team, &|_, _| ());
            prop_assert_eq!(&output, &expected, "{}", isa.name());
        }
    }

    #[test]
    fn addition(
        first in (1e-3_f32..10.0, any::<u8>()),
        second in (1e-3_f32..10.0, any::<u8>()),
        sum in (1e-3_f32..10.0, any::<u8>()),
        range: (u8, u8),
        length in 0..200_usize,
        seed: u64,
    ) {
        let grid = |(scale, zero_point)| Grid { scale, zero_point };
        let (a, b) = (input(seed, length), input(seed ^ 1, length));
        let range = (range.0.min(range.1), range.0.max(range.1));
        let (one, two) = (first.0 / sum.0, second.0 / sum.0);
        let rest = f32::from(sum.1) - (one * f32::from(first.1) + two * f32::from(second.1));
        let expected: Vec<u8> = a.iter().zip(&b).map(|(a, b)| {
            // In double precision the products are exact: rounding the sum once is the fused multiply-add.
            let inner = (f64::from(*b) * f64::from(two) + f64::from(rest)) as f32;
            let outer = (f64::from(*a) * f64::from(one) + f64::from(inner)) as f32;
            let exact = (i32::from(*a) - i32::from(first.1)) as f64 * f64::from(first.0)
                + (i32::from(*b) - i32::from(second.1)) as f64 * f64::from(second.0);
            let exact = (exact / f64::from(sum.0) + f64::from(sum.1)).clamp(f64::from(range.0), f64::from(range.1));
            let rounded = (outer.round_ties_even() as i64).clamp(i64::from(range.0), i64::from(range.1));
            assert!((exact - rounded as f64).abs() <= 0.501 + 1e-6 * f64::from(one + two), "{exact} became {rounded}");
            rounded as u8
        }).collect();
        for isa in Isa::available() {
            for (replaced, mut numbers, other) in [(Term::First, a.clone(), &b), (Term::Second, b.clone(), &a)] {
                let addition = Addition::new([grid(first), grid(second)], grid(sum), range, replaced, isa).unwrap();
                addition.run(&mut numbers, other);
                prop_assert_eq!(&numbers, &expected, "{} {:?}", isa.name(), replaced);
            }
        }
    }

    #[test]
    fn the_maximum_of_windows(input_shape in pictures(), window in windows(), threads in 1..3_usize, seed: u64) {
        let picture = input(seed, input_shape.len());
        let team = Team::new(threads).unwrap();
        let output = unless_refused(MaxPool::new(input_shape, window, Isa::PORTABLE))?.output();
        let mut expected = Vec::new();
        for (y, x) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
            for c in 0..output.channels {
                let mut largest = 0;
                for (i, j) in (0..window.kernel[0]).flat_map(|i| (0..window.kernel[1]).map(move |j| (i, j))) {
                    // Outside of the picture this gives 0, which no maximum of u8 notices.
                    let number = at((input_shape, window, Padding::ZeroPoint, 0), &picture, [y, x], [i, j], c);
                    largest = largest.max(number as u8);
                }
                expected.push(largest);
            }
        }
        for isa in Isa::available() {
            let mut result = vec![0x5A; output.len()];
            MaxPool::new(input_shape, window, isa).unwrap().run(&picture, &mut result, &team);
            prop_assert_eq!(&result, &expected, "{}", isa.name());
        }
    }
}

#[test]
fn extreme_numbers_do_not_saturate_on_the_way() {
    // 255 · 127 · 2 leaves 16 bits: what `vpmaddubsw` would get wrong.
    let (channels, outputs) = if cfg!(miri) { (16, 3) } else { (64, 17) };
    let shape = PictureShape { height: 4, width: 9, channels };
    for (value, weight) in [(255, 127), (255, -128), (0, -128)] {
        let requantization =
            Requantization { multipliers: vec![1.0 / 65536.0; outputs], zero_point: 128, low: 0, high: 255 };
        let config = ConvolutionConfig {
            input: shape,
            outputs,
            window: Window::same(3),
            padding: Padding::ZeroPoint,
            input_zero_point: 3,
            requantization,
        };
        let (weights, bias, picture) =
            (vec![weight; outputs * channels * 9], vec![-7; outputs], vec![value; shape.len()]);
        let expected = naive_convolution(&config, &weights, &bias, &picture);
        assert!(expected.iter().any(|number| *number != 128));
        for isa in Isa::available() {
            let convolution = Convolution::new(config.clone(), &weights, &bias, isa, 1).unwrap();
            let mut scratch = vec![0; convolution.scratch_len(1)];
            let mut output = vec![0; convolution.output().len()];
            convolution.run(&picture, &mut output, &mut scratch, &Team::new(1).unwrap(), &|_, _| ());
            assert_eq!(output, expected, "{} for {value} · {weight}", isa.name());
        }
    }
}

#[test]
fn every_variant_is_what_it_says_unless_it_would_overflow() {
    let config = ConvolutionConfig {
        input: PictureShape { height: 4, width: 4, channels: 8 },
        outputs: 1,
        window: Window::same(1),
        padding: Padding::ZeroPoint,
        input_zero_point: 0,
        requantization: Requantization { multipliers: vec![1.0], zero_point: 0, low: 0, high: 255 },
    };
    for isa in Isa::available() {
        let made = |weight| Convolution::new(config.clone(), &[weight; 8], &[0], isa, 1).unwrap().isa();
        assert_eq!(made(-127), isa);
        assert_eq!(made(-128), if isa.name() == "neon" { Isa::PORTABLE } else { isa });
    }
}

#[test]
fn finish_sees_every_output_once() {
    let shape = PictureShape { height: 30, width: 40, channels: 48 };
    let config = ConvolutionConfig {
        input: shape,
        outputs: 33,
        window: Window::same(3),
        padding: Padding::ZeroPoint,
        input_zero_point: 9,
        requantization: Requantization { multipliers: vec![1e-3; 33], zero_point: 1, low: 0, high: 99 },
    };
    let (weights, bias, picture) = (weights(5, 33 * 48 * 9), biases(6, 33), input(7, shape.len()));
    let team = Team::new(3).unwrap();
    let convolution = Convolution::new(config, &weights, &bias, Isa::best(), 3).unwrap();
    let mut scratch = vec![0; convolution.scratch_len(3)];
    let (mut plain, mut finished) = (vec![0; convolution.output().len()], vec![0; convolution.output().len()]);
    convolution.run(&picture, &mut plain, &mut scratch, &team, &|_, _| ());
    let other = plain.clone();
    convolution.run(&picture, &mut finished, &mut scratch, &team, &|range, part| {
        assert_eq!(part, &other[range]);
        for number in part {
            *number += 100;
        }
    });
    assert!(plain.iter().zip(&finished).all(|(plain, finished)| *finished == plain + 100));
}

#[test]
fn what_cannot_be_computed_exactly_is_refused() {
    let config = |multiplier: f32| ConvolutionConfig {
        input: PictureShape { height: 3, width: 3, channels: 2 },
        outputs: 1,
        window: Window::same(3),
        padding: Padding::ZeroPoint,
        input_zero_point: 0,
        requantization: Requantization { multipliers: vec![multiplier], zero_point: 0, low: 0, high: 255 },
    };
    let make = |multiplier, weights: usize, bias: &[i32]| {
        Convolution::new(config(multiplier), &vec![127; weights], bias, Isa::PORTABLE, 1).err()
    };
    assert_eq!(make(1.0, 18, &[i32::MAX]), Some(KernelError::Overflow { channel: 0 }));
    assert_eq!(make(1.0, 18, &[0]), None);
    assert!(matches!(make(1.0, 17, &[0]), Some(KernelError::Mismatch { what: "weights", .. })));
    assert!(matches!(make(1.0, 18, &[0, 0]), Some(KernelError::Mismatch { what: "biases", .. })));
    for multiplier in [f32::NAN, 0.0, -1.0, f32::INFINITY, 1e-40] {
        assert!(matches!(make(multiplier, 18, &[0]), Some(KernelError::Scale { .. })), "{multiplier}");
    }
}
