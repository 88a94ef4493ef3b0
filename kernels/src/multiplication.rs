//! The product of two tensors with scales of their own: gates, and `x · sigmoid(x)`.
//!
//! ```text
//! q = clamp(round(f32((a − zero point a) · (b − zero point b)) · m) + zero point, 0, 255)
//! m = (scale a · scale b) / scale
//! ```
//!
//! The integer product has 17 bits and is exact in single precision.

use crate::addition::Grid;
use crate::isa::compiled_for;
use crate::requantization::{check_scale, requantize};
use crate::{Isa, Result};

/// A product of two tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multiplication {
    isa: Isa,
    inputs: [i32; 2],
    multiplier: f32,
    limits: (f32, f32),
    zero_point: i32,
}

impl Multiplication {
    /// The product of tensors on the grids `inputs`, on the grid `output`.
    ///
    /// # Errors
    /// Scales, or a ratio of them, that are not positive and finite.
    pub fn new(inputs: [Grid; 2], output: Grid, isa: Isa) -> Result<Self> {
        inputs.into_iter().chain([output]).try_for_each(Grid::check)?;
        let product = inputs[0].scale * inputs[1].scale;
        check_scale("product of scales", product)?;
        let multiplier = product / output.scale;
        check_scale("multiplier", multiplier)?;
        let zero_point = f32::from(output.zero_point);
        Ok(Self {
            isa,
            inputs: inputs.map(|input| i32::from(input.zero_point)),
            multiplier,
            limits: (-zero_point, 255.0 - zero_point),
            zero_point: i32::from(output.zero_point),
        })
    }

    /// Multiplies numbers with `other`, in their place.
    ///
    /// # Panics
    /// Slices of different lengths.
    pub fn run(&self, numbers: &mut [u8], other: &[u8]) {
        assert_eq!(numbers.len(), other.len(), "numbers to multiply");
        let multiplication = self;
        compiled_for!(self.isa, products(numbers: &mut [u8], other: &[u8], multiplication: &Multiplication));
    }
}

#[inline(always)]
fn products(numbers: &mut [u8], other: &[u8], multiplication: &Multiplication) {
    let Multiplication { inputs, multiplier, limits, zero_point, .. } = multiplication;
    for (number, other) in numbers.iter_mut().zip(other) {
        let product = (i32::from(*number) - inputs[0]) * (i32::from(*other) - inputs[1]);
        *number = requantize(product, *multiplier, *limits, *zero_point);
    }
}
