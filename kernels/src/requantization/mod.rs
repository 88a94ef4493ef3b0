//! 32-bit sums back to u8.
//!
//! ```text
//! q = clamp(round(sum · multiplier[channel]) + zero_point, low, high)
//! multiplier = input scale · weight scale / output scale
//! ```
//!
//! The product is one IEEE single-precision multiplication of the sum, converted to nearest even, with the multiplier;
//! rounding is to nearest, ties to even, as ONNX QuantizeLinear demands. A float multiplication and not a fixed-point
//! one, because it is defined to the bit on every processor we know, takes one instruction, and is what onnxruntime
//! does. No sum of products and no fused multiply-add is in it, so there is no order to choose.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

use crate::{KernelError, Result};

/// How the sums of a convolution become u8.
#[derive(Debug, Clone, PartialEq)]
pub struct Requantization {
    /// One factor per output channel.
    pub multipliers: Vec<f32>,
    /// What stands for 0.0 in the output.
    pub zero_point: u8,
    /// Smallest result.
    pub low: u8,
    /// Largest result.
    pub high: u8,
}

impl Requantization {
    /// # Errors
    /// Another number of channels, a multiplier that is not positive and finite, or an empty range.
    pub(crate) fn check(&self, channels: usize) -> Result<()> {
        if self.multipliers.len() != channels {
            let found = self.multipliers.len();
            return Err(KernelError::Mismatch { what: "multipliers", expected: channels, found });
        }
        if self.low > self.high {
            return Err(KernelError::Size { what: "range of results", found: 0 });
        }
        self.multipliers.iter().try_for_each(|multiplier| check_scale("multiplier", *multiplier))
    }

    /// Limits of `round(sum · multiplier)`, before the zero point is added.
    pub(crate) fn limits(&self) -> (f32, f32) {
        let zero_point = f32::from(self.zero_point);
        (f32::from(self.low) - zero_point, f32::from(self.high) - zero_point)
    }
}

/// # Errors
/// A number that is not positive and finite.
pub(crate) fn check_scale(what: &'static str, found: f32) -> Result<()> {
    // Subnormal numbers may be flushed to zero where a caller has set the processor to do so.
    if found.is_normal() && found > 0.0 { Ok(()) } else { Err(KernelError::Scale { what, found }) }
}

/// Rounds to nearest, ties to even, for magnitudes below 2²².
///
/// Adding 1.5 · 2²³ leaves no bit for a fraction, so the addition itself rounds. It compiles to two additions on every
/// processor, where `round_ties_even` becomes a call without SSE4.1.
#[inline(always)]
pub(crate) fn round(value: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    (value + MAGIC) - MAGIC
}

/// One number, as the formula says.
#[inline(always)]
pub(crate) fn requantize(sum: i32, multiplier: f32, (low, high): (f32, f32), zero_point: i32) -> u8 {
    let scaled = clamp(sum as f32 * multiplier, low, high);
    // SAFETY: between −255 and 255 after the line above, and no NaN: the multiplier is finite, the sum an integer.
    let rounded: i32 = unsafe { round(scaled).to_int_unchecked() };
    (rounded + zero_point) as u8
}

/// `f32::clamp` for numbers that are not NaN: one instruction for each limit.
#[inline(always)]
pub(crate) fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let value = if value > low { value } else { low };
    if value < high { value } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_even_number() {
        for value in [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 254.5, 0.49999997, -0.50000006, 3.0] {
            assert_eq!(round(value), value.round_ties_even(), "{value}");
        }
    }

    #[test]
    fn a_sum_is_scaled_rounded_and_clamped() {
        let to = Requantization { multipliers: vec![0.5], zero_point: 10, low: 10, high: 200 };
        let of = |sum| requantize(sum, to.multipliers[0], to.limits(), i32::from(to.zero_point));
        assert_eq!([of(0), of(5), of(7), of(-9), of(i32::MIN), of(i32::MAX)], [10, 12, 14, 10, 10, 200]);
    }
}
