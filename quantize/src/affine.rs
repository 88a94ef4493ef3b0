//! The arithmetic of activations: real numbers to u8 and back.
//!
//! ```text
//! q = clamp(round(x / scale) + zero_point, 0, 255)      x̂ = (q − zero_point) · scale
//! ```
//!
//! Rounding is to nearest, ties to even, as ONNX QuantizeLinear demands.

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

/// Signal-to-noise ratio in decibels: `10 · log10(Σ x² / Σ (x − y)²)`; infinite when equal.
pub fn snr_db(signal_squares: f64, noise_squares: f64) -> f64 {
    if noise_squares <= 0.0 {
        return f64::INFINITY;
    }
    10.0 * (signal_squares.max(f64::MIN_POSITIVE) / noise_squares).log10()
}
