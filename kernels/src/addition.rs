//! The sum of two tensors with scales of their own: the end of a residual block.
//!
//! ```text
//! q = clamp(round(fma(a, factor a, fma(b, factor b, rest))), low, high)
//! factor a = scale a / scale        factor b = scale b / scale
//! rest = zero point − (factor a · zero point a + factor b · zero point b)
//! ```
//!
//! All in single precision, every operation rounded on its own but for the two fused multiply-adds, which round once. The
//! order counts: `a` is the first term in the file, added last. It is the order and the fusing of onnxruntime (seen from
//! its numbers), so that the integers are the same.

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
        let integer = round(clamp(value / self.scale, -zero_point, 255.0 - zero_point)) + zero_point;
        // SAFETY: between 0 and 255, and no NaN: `clamp` makes the lower limit of it.
        unsafe { integer.to_int_unchecked::<i32>() as u8 }
    }
}

/// A sum of two tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Addition {
    isa: Isa,
    replaced: Term,
    factors: [f32; 2],
    rest: f32,
    limits: (f32, f32),
}

/// One of the two terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// The first.
    First,
    /// The second.
    Second,
}

impl Addition {
    /// The sum of tensors on the grids `inputs`, on the grid `output`, clamped to `low..=high`. It takes the place of the
    /// term `replaced`.
    ///
    /// # Errors
    /// Scales that are not positive and finite, or whose ratio is not below 2²⁰, or an empty range.
    pub fn new(inputs: [Grid; 2], output: Grid, (low, high): (u8, u8), replaced: Term, isa: Isa) -> Result<Self> {
        inputs.into_iter().chain([output]).try_for_each(Grid::check)?;
        if low > high {
            return Err(KernelError::Size { what: "range of results", found: 0 });
        }
        let factors = inputs.map(|input| input.scale / output.scale);
        for factor in factors {
            check_scale("ratio of scales", factor)?;
            if factor >= MOST_RATIO {
                return Err(KernelError::Scale { what: "ratio of scales", found: factor });
            }
        }
        let [first, second] = [0, 1].map(|term| factors[term] * f32::from(inputs[term].zero_point));
        let rest = f32::from(output.zero_point) - (first + second);
        Ok(Self { isa, replaced, factors, rest, limits: (f32::from(low), f32::from(high)) })
    }

    /// Adds `other` to `numbers`, the term that the sum replaces.
    ///
    /// # Panics
    /// Slices of different lengths.
    pub fn run(&self, numbers: &mut [u8], other: &[u8]) {
        assert_eq!(numbers.len(), other.len(), "numbers to add");
        let addition = self;
        match self.replaced {
            Term::First => {
                compiled_for!(self.isa, to_first(numbers: &mut [u8], other: &[u8], addition: &Addition));
            }
            Term::Second => {
                compiled_for!(self.isa, to_second(numbers: &mut [u8], other: &[u8], addition: &Addition));
            }
        }
    }

    #[inline(always)]
    fn sum(&self, first: u8, second: u8) -> u8 {
        let second = f32::from(second).mul_add(self.factors[1], self.rest);
        let sum = f32::from(first).mul_add(self.factors[0], second);
        let rounded = round(clamp(sum, self.limits.0, self.limits.1));
        // SAFETY: between 0 and 255, and no NaN: factors are finite, and so small that no sum of them is infinite.
        unsafe { rounded.to_int_unchecked::<i32>() as u8 }
    }
}

/// Ratios of scales beyond this have no use: one step of the input would leave the output's range many times over.
const MOST_RATIO: f32 = 1_048_576.0;

#[inline(always)]
fn to_first(numbers: &mut [u8], other: &[u8], addition: &Addition) {
    for (number, other) in numbers.iter_mut().zip(other) {
        *number = addition.sum(*number, *other);
    }
}

#[inline(always)]
fn to_second(numbers: &mut [u8], other: &[u8], addition: &Addition) {
    for (number, other) in numbers.iter_mut().zip(other) {
        *number = addition.sum(*other, *number);
    }
}
