//! The sum of two tensors with scales of their own: the end of a residual block.
//!
//! ```text
//! q = clamp(round((a − zero point a) · factor a + (b − zero point b) · factor b) + zero point, low, high)
//! factor a = scale a / scale, factor b = scale b / scale
//! ```
//!
//! Two products and one sum in single precision, each rounded on its own: a fused multiply-add would round once less and
//! give other bits.

use crate::isa::compiled_for;
use crate::requantization::{check_scale, clamp, round};
use crate::{Isa, KernelError, Result};

/// What one step is worth, and what stands for 0.0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Distance between two neighbouring values.
    pub scale: f32,
    /// What stands for 0.0.
    pub zero_point: u8,
}

impl Grid {
    /// Whether kernels can work on it.
    ///
    /// # Errors
    /// A scale that is not positive and finite.
    pub fn check(self) -> Result<()> {
        check_scale("scale", self.scale)
    }

    /// The value that `integer` stands for, as ONNX DequantizeLinear computes it.
    pub fn dequantize(&self, integer: u8) -> f32 {
        f32::from(i16::from(integer) - i16::from(self.zero_point)) * self.scale
    }

    /// The integer nearest to `value`, ties to even, as ONNX QuantizeLinear computes it; 0 for NaN.
    #[inline]
    pub fn quantize(&self, value: f32) -> u8 {
        let zero_point = f32::from(self.zero_point);
        (round(clamp(value / self.scale, -zero_point, 255.0 - zero_point)) + zero_point) as u8
    }
}

/// A sum of two tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Addition {
    isa: Isa,
    factors: [f32; 2],
    zero_points: [i32; 2],
    zero_point: i32,
    limits: (f32, f32),
}

impl Addition {
    /// The sum of tensors on the grids `inputs`, on the grid `output`, clamped to `low..=high`.
    ///
    /// # Errors
    /// Scales that are not positive and finite, or whose ratio is not, or an empty range.
    pub fn new(inputs: [Grid; 2], output: Grid, (low, high): (u8, u8), isa: Isa) -> Result<Self> {
        inputs.into_iter().chain([output]).try_for_each(Grid::check)?;
        if low > high {
            return Err(KernelError::Size { what: "range of results", found: 0 });
        }
        let factors = inputs.map(|input| input.scale / output.scale);
        factors.iter().try_for_each(|factor| check_scale("ratio of scales", *factor))?;
        let zero_point = f32::from(output.zero_point);
        Ok(Self {
            isa,
            factors,
            zero_points: inputs.map(|input| i32::from(input.zero_point)),
            zero_point: i32::from(output.zero_point),
            limits: (f32::from(low) - zero_point, f32::from(high) - zero_point),
        })
    }

    /// Adds `other` to `numbers`, which were the first of the two.
    ///
    /// # Panics
    /// Slices of different lengths.
    pub fn run(&self, numbers: &mut [u8], other: &[u8]) {
        assert_eq!(numbers.len(), other.len(), "numbers to add");
        let addition = self;
        compiled_for!(self.isa, add(numbers: &mut [u8], other: &[u8], addition: &Addition));
    }
}

#[inline(always)]
fn add(numbers: &mut [u8], other: &[u8], addition: &Addition) {
    let Addition { factors, zero_points, zero_point, limits: (low, high), .. } = *addition;
    for (number, other) in numbers.iter_mut().zip(other) {
        let first = (i32::from(*number) - zero_points[0]) as f32 * factors[0];
        let second = (i32::from(*other) - zero_points[1]) as f32 * factors[1];
        let rounded = round(clamp(first + second, low, high));
        // SAFETY: between −255 and 255, and no NaN: both terms are finite and below 2³² · the largest ratio of scales; an
        // infinite sum of them has been clamped.
        let rounded: i32 = unsafe { rounded.to_int_unchecked() };
        *number = (rounded + zero_point) as u8;
    }
}
