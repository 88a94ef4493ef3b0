//! The arithmetic of quantization: real numbers to integers and back.
//!
//! ```text
//! q = clamp(round(x / scale) + zero_point, 0, 255)      x̂ = (q − zero_point) · scale          activations, u8
//! q = clamp(round(w / scale), −127, 127)                ŵ = q · scale                         weights, s8
//! ```
//!
//! Rounding is to nearest, ties to even, as ONNX QuantizeLinear demands. −128 is not used for weights, so that the
//! grid is symmetric and a product of two of them never exceeds 127².

/// Largest magnitude of a quantized weight.
pub const WEIGHT_MAX: f32 = 127.0;

/// The u8 grid of one tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Distance between two neighbouring values.
    pub scale: f32,
    /// The integer that means 0.0.
    pub zero_point: u8,
}

impl Affine {
    /// The grid of `levels` steps (255 for u8) that covers `[low, high]` and holds 0.0 exactly.
    ///
    /// The range is widened to contain zero: padding, ReLU and skipped pixels are zeros and must stay exact.
    pub fn covering(low: f32, high: f32, levels: u8) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let span = high - low;
        if span <= f32::MIN_POSITIVE * 1e3 {
            return Self { scale: 1.0, zero_point: 0 };
        }
        let scale = span / f32::from(levels);
        let zero_point = (-low / scale).round_ties_even().clamp(0.0, f32::from(levels)) as u8;
        Self { scale, zero_point }
    }

    /// The integer nearest to `value`.
    pub fn quantize(&self, value: f32) -> u8 {
        ((value / self.scale).round_ties_even() + f32::from(self.zero_point)).clamp(0.0, 255.0) as u8
    }

    /// The value that `integer` stands for.
    pub fn dequantize(&self, integer: u8) -> f32 {
        (f32::from(integer) - f32::from(self.zero_point)) * self.scale
    }

    /// Smallest and largest value on the grid.
    pub fn range(&self) -> (f32, f32) {
        (self.dequantize(0), self.dequantize(255))
    }
}

/// The weights of a convolution as s8, with one scale per output channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelWeights {
    /// Integers in the order of the float weights, channel-major.
    pub integers: Vec<i8>,
    /// One scale per output channel.
    pub scales: Vec<f32>,
}

/// Quantizes weights `[channels, per_channel]` symmetrically per channel, and the bias to int32 with scale `s_x · s_w`.
///
/// A channel's scale is raised where its bias would not fit into int32 otherwise: a dead channel (all weights about
/// zero after folding batch norm) still has a bias.
pub fn quantize_weights(weights: &[f32], channels: usize, bias: Option<&[f32]>, input_scale: f32) -> ChannelWeights {
    let per_channel = weights.len() / channels.max(1);
    let mut quantized = ChannelWeights { integers: Vec::with_capacity(weights.len()), scales: Vec::new() };
    for channel in 0..channels {
        let row = &weights[channel * per_channel..(channel + 1) * per_channel];
        let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        let bias = bias.map_or(0.0, |bias| bias[channel].abs());
        let scale = channel_scale(largest, bias, input_scale);
        quantized.scales.push(scale);
        quantized
            .integers
            .extend(row.iter().map(|weight| (weight / scale).round_ties_even().clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8));
    }
    quantized
}

fn channel_scale(largest_weight: f32, bias: f32, input_scale: f32) -> f32 {
    // 2^30: half of int32, so that the accumulator has room beside the bias.
    let smallest_for_bias = bias / (input_scale * 1_073_741_824.0);
    let scale = (largest_weight / WEIGHT_MAX).max(smallest_for_bias);
    if scale > f32::MIN_POSITIVE { scale } else { 1.0 }
}

/// The bias as int32 with scale `input_scale · weight_scale` per channel; the scales come second.
pub fn quantize_bias(bias: &[f32], weight_scales: &[f32], input_scale: f32) -> (Vec<i32>, Vec<f32>) {
    let scales: Vec<f32> = weight_scales.iter().map(|weight_scale| weight_scale * input_scale).collect();
    let integers =
        bias.iter().zip(&scales).map(|(bias, scale)| (f64::from(*bias) / f64::from(*scale)).round_ties_even() as i32);
    (integers.collect(), scales)
}

/// Signal-to-noise ratio in decibels: `10 · log10(Σ x² / Σ (x − y)²)`; infinite when equal.
pub fn snr_db(signal_squares: f64, noise_squares: f64) -> f64 {
    if noise_squares <= 0.0 {
        return f64::INFINITY;
    }
    10.0 * (signal_squares.max(f64::MIN_POSITIVE) / noise_squares).log10()
}
