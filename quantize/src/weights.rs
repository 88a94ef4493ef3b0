//! Weights as s8 with one scale per output channel, and biases as s32.
//!
//! ```text
//! q = clamp(round(w / scale), −127, 127)      ŵ = q · scale
//! ```
//!
//! −128 is not used, so that the grid is symmetric and a product of two of them never exceeds 127².
//!
//! *Saturation.* Some engines multiply with an instruction that adds two neighbouring products u8 · s8 in 16 bits
//! (`vpmaddubsw` on x86 without VNNI: onnxruntime, and what is built on its kernels). Both products are at most 255 · 127
//! there, their sum may not fit, and then the result is wrong. `parallax-edge` widens its operands first and is right with
//! all weights on every processor (docs/int8.md). For the others, [`WeightBits`] offers weights that cannot overflow.

use serde::{Deserialize, Serialize};

/// Largest magnitude of a weight in 8 bits.
pub const WEIGHT_MAX: f32 = 127.0;

/// Largest magnitude of a weight in 7 bits: 2 · 255 · 63 fits into 16 bits.
const WEIGHT_MAX_7_BITS: f32 = 63.0;

/// Largest sum of two neighbouring weights of one sign that cannot overflow 16 bits: 255 · 128 = 32 640.
const PAIR_MAX: u16 = 128;

/// How fine the grid of weights is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightBits {
    /// 8 bits everywhere: exact in `parallax-edge` and wherever sums have 32 bits.
    #[default]
    #[serde(rename = "8")]
    Eight,
    /// 7 bits everywhere, what onnxruntime calls `reduce_range`.
    #[serde(rename = "7")]
    Seven,
    /// 8 bits, and a coarser scale for the output channels in which two neighbours could overflow 16 bits.
    #[serde(rename = "auto")]
    Auto,
}

impl std::fmt::Display for WeightBits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Eight => "8",
            Self::Seven => "7",
            Self::Auto => "auto",
        })
    }
}

/// Float weights of a convolution, `[outputs, channels of a group, taps …]`, row-major.
#[derive(Debug, Clone, Copy)]
pub struct FloatWeights<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// Output channels.
    pub outputs: usize,
    /// Input channels that each output reads.
    pub group_channels: usize,
}

/// The weights of a convolution as s8, with one scale per output channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelWeights {
    /// Integers in the order of the float weights.
    pub integers: Vec<i8>,
    /// One scale per output channel.
    pub scales: Vec<f32>,
    /// Output channels in which two neighbouring products could overflow 16 bits.
    pub channels_at_risk: usize,
}

/// Quantizes weights symmetrically per output channel for a bias of int32 with scale `s_x · s_w`.
///
/// A channel's scale is raised where its bias would not fit into int32 otherwise: a dead channel (all weights about
/// zero after folding batch norm) still has a bias.
pub fn quantize_weights(
    weights: FloatWeights<'_>,
    bias: Option<&[f32]>,
    input_scale: f32,
    bits: WeightBits,
) -> ChannelWeights {
    let FloatWeights { values, outputs, group_channels } = weights;
    let largest_integer = if bits == WeightBits::Seven { WEIGHT_MAX_7_BITS } else { WEIGHT_MAX };
    let rows = values.chunks_exact((values.len() / outputs.max(1)).max(1));
    let mut quantized = ChannelWeights { integers: Vec::new(), scales: Vec::new(), channels_at_risk: 0 };
    for (channel, row) in rows.enumerate() {
        let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        let bias = bias.map_or(0.0, |bias| bias[channel].abs());
        let mut scale = channel_scale(largest / largest_integer, bias, input_scale);
        let mut integers = rounded(row, scale);
        while bits == WeightBits::Auto && largest_pair(&integers, group_channels) > PAIR_MAX {
            // A little more than the ratio, because rounding up may keep the sum where it is.
            scale *= 1.001 * f32::from(largest_pair(&integers, group_channels)) / f32::from(PAIR_MAX);
            integers = rounded(row, scale);
        }
        quantized.channels_at_risk += usize::from(largest_pair(&integers, group_channels) > PAIR_MAX);
        quantized.scales.push(scale);
        quantized.integers.extend(integers);
    }
    quantized
}

fn rounded(row: &[f32], scale: f32) -> Vec<i8> {
    row.iter().map(|weight| (weight / scale).round_ties_even().clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8).collect()
}

fn channel_scale(scale: f32, bias: f32, input_scale: f32) -> f32 {
    // 2^30: half of int32, so that the accumulator has room beside the bias.
    let smallest_for_bias = bias / (input_scale * 1_073_741_824.0);
    let scale = scale.max(smallest_for_bias);
    if scale > f32::MIN_POSITIVE { scale } else { 1.0 }
}

/// The largest sum of two neighbours of one sign, in the order in which a channels-last engine multiplies: tap by tap, the
/// channels of a tap side by side. Depthwise convolutions (one channel a group) have no such sums in any engine we know.
fn largest_pair(row: &[i8], group_channels: usize) -> u16 {
    if group_channels < 2 {
        return 0;
    }
    let taps = row.len() / group_channels;
    let at = |place: usize| row[place % group_channels * taps + place / group_channels];
    let pairs = (0..row.len()).step_by(2).map(|place| {
        let pair = [at(place), if place + 1 < row.len() { at(place + 1) } else { 0 }];
        let sum_of = |sign: i8| -> u16 {
            let of_that_sign = pair.iter().filter(|weight| weight.signum() == sign);
            of_that_sign.map(|weight| u16::from(weight.unsigned_abs())).sum()
        };
        sum_of(1).max(sum_of(-1))
    });
    pairs.max().unwrap_or(0)
}

/// The bias as int32 with scale `input_scale · weight_scale` per channel; the scales come second.
pub fn quantize_bias(bias: &[f32], weight_scales: &[f32], input_scale: f32) -> (Vec<i32>, Vec<f32>) {
    let scales: Vec<f32> = weight_scales.iter().map(|weight_scale| weight_scale * input_scale).collect();
    let integers =
        bias.iter().zip(&scales).map(|(bias, scale)| (f64::from(*bias) / f64::from(*scale)).round_ties_even() as i32);
    (integers.collect(), scales)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weights(values: &[f32], outputs: usize, group_channels: usize) -> FloatWeights<'_> {
        FloatWeights { values, outputs, group_channels }
    }

    #[test]
    fn a_dead_channel_keeps_its_bias() {
        let values = [0.0, 0.0, 0.5, -1.0];
        let quantized = quantize_weights(weights(&values, 2, 2), Some(&[3.0, -0.25]), 0.01, WeightBits::Eight);
        let (bias, scales) = quantize_bias(&[3.0, -0.25], &quantized.scales, 0.01);
        assert_eq!(quantized.integers, [0, 0, 64, -127]);
        for (bias, (scale, expected)) in bias.iter().zip(scales.iter().zip([3.0, -0.25])) {
            assert!((*bias as f32 * scale - expected).abs() < 1e-4);
        }
    }

    #[test]
    fn neighbours_are_the_channels_of_one_tap() {
        // Two channels, two taps: row-major the taps of a channel lie side by side, in the engine the channels of a tap.
        let of_one_tap = [100, 0, 100, 0];
        let of_two_taps = [100, 100, 0, 0];
        assert_eq!((largest_pair(&of_one_tap, 2), largest_pair(&of_two_taps, 2)), (200, 100));
        assert_eq!(largest_pair(&[100, 0, -100, 0], 2), 100, "products of two signs take from each other");
        assert_eq!(largest_pair(&[127, 127, 127, 127], 1), 0, "depthwise");
    }

    #[test]
    fn only_channels_that_could_overflow_lose_precision() {
        let values = [1.0, 0.9, 1.0, -0.9, 1.0, 0.001];
        let eight = quantize_weights(weights(&values, 3, 2), None, 0.01, WeightBits::Eight);
        let auto = quantize_weights(weights(&values, 3, 2), None, 0.01, WeightBits::Auto);
        let seven = quantize_weights(weights(&values, 3, 2), None, 0.01, WeightBits::Seven);
        assert_eq!((eight.channels_at_risk, auto.channels_at_risk, seven.channels_at_risk), (1, 0, 0));
        assert!(auto.scales[0] > eight.scales[0]);
        assert_eq!(auto.scales[1..], eight.scales[1..]);
        assert!(seven.integers.iter().all(|weight| weight.unsigned_abs() <= 63), "{:?}", seven.integers);
    }

    proptest! {
        #[test]
        fn narrow_weights_never_overflow_16_bits(
            values in proptest::collection::vec(-2.0_f32..2.0, 24), bits in prop_oneof![Just(WeightBits::Seven), Just(WeightBits::Auto)],
        ) {
            let quantized = quantize_weights(weights(&values, 2, 4), None, 0.01, bits);
            prop_assert_eq!(quantized.channels_at_risk, 0);
            for (channel, row) in quantized.integers.chunks_exact(12).enumerate() {
                let at = |place: usize| i32::from(row[place % 4 * 3 + place / 4]);
                for place in (0..12).step_by(2) {
                    for (a, b) in [(0, 255), (255, 0), (255, 255)] {
                        let sum = a * at(place) + b * at(place + 1);
                        prop_assert!(i16::try_from(sum).is_ok(), "{} in channel {}", sum, channel);
                    }
                }
            }
        }
    }
}
