//! From float pictures to u8 ones, and back.
//!
//! ```text
//! q = clamp(round(x / scale) + zero_point, 0, 255)        NCHW f32 → NHWC u8, NaN becomes 0
//! x = (q − zero_point) · scale                            NHWC u8 → NCHW f32
//! ```
//!
//! ONNX keeps channels apart, `[channels, height, width]`; the kernels keep them together. The change of order happens
//! here, once, while the numbers are converted anyway.

use crate::addition::Grid;
use crate::isa::compiled_for;
use crate::shape::PictureShape;
use crate::team::Team;
use crate::{Isa, Result};

/// Pixels converted together: their numbers stay in the first-level cache between the two orders.
const PIXELS: usize = 64;

/// Between float and u8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boundary {
    isa: Isa,
    shape: PictureShape,
    grid: Grid,
}

impl Boundary {
    /// Checks shape and grid.
    ///
    /// # Errors
    /// An empty picture, or a scale that is not positive and finite.
    pub fn new(shape: PictureShape, grid: Grid, isa: Isa) -> Result<Self> {
        shape.check("the picture")?;
        grid.check()?;
        Ok(Self { isa, shape, grid })
    }

    /// The picture.
    pub fn shape(&self) -> PictureShape {
        self.shape
    }

    /// To u8.
    ///
    /// # Shapes
    /// - `input`: `[channels, height, width]`
    /// - `output`: `[height, width, channels]`
    ///
    /// # Panics
    /// Slices of other lengths.
    pub fn quantize(&self, input: &[f32], output: &mut [u8], team: &Team) {
        assert_eq!(input.len(), self.shape.len(), "numbers in the input");
        assert_eq!(output.len(), self.shape.len(), "numbers in the output");
        let boundary = self;
        team.for_each_part(output, PIXELS * self.shape.channels, &mut [], 0, |index, part, _scratch| {
            let first = index * PIXELS;
            compiled_for!(self.isa, quantize(boundary: &Boundary, input: &[f32], first: usize, part: &mut [u8]));
        });
    }

    /// To float.
    ///
    /// # Shapes
    /// - `input`: `[height, width, channels]`
    /// - `output`: `[channels, height, width]`
    ///
    /// # Panics
    /// Slices of other lengths.
    pub fn dequantize(&self, input: &[u8], output: &mut [f32], team: &Team) {
        assert_eq!(input.len(), self.shape.len(), "numbers in the input");
        assert_eq!(output.len(), self.shape.len(), "numbers in the output");
        let channels = self.shape.channels;
        team.for_each_part(output, self.shape.pixels(), &mut [], 0, |channel, plane, _scratch| {
            for (value, pixel) in plane.iter_mut().zip(input.chunks_exact(channels)) {
                *value = self.grid.dequantize(pixel[channel]);
            }
        });
    }
}

#[inline(always)]
fn quantize(boundary: &Boundary, input: &[f32], first: usize, part: &mut [u8]) {
    let channels = boundary.shape.channels;
    let count = part.len() / channels;
    let plane = |channel: usize| &input[channel * boundary.shape.pixels() + first..][..count];
    let mut integers = [[0; PIXELS]; 3];
    for group in (0..channels).step_by(3) {
        let together = (channels - group).min(3);
        for (integers, channel) in integers.iter_mut().zip(group..group + together) {
            for (integer, value) in integers.iter_mut().zip(plane(channel)) {
                *integer = boundary.grid.quantize(*value);
            }
        }
        if channels == 3 {
            // A colour picture: whole pixels at once.
            for (at, pixel) in part.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                *pixel = [integers[0][at], integers[1][at], integers[2][at]];
            }
            return;
        }
        for (at, pixel) in part.chunks_exact_mut(channels).enumerate() {
            for (number, integers) in pixel[group..group + together].iter_mut().zip(&integers) {
                *number = integers[at];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_keeps_the_order_and_rounds() {
        for channels in [1, 2, 3, 4, 7] {
            there_and_back(PictureShape { height: 3, width: 50, channels });
        }
    }

    fn there_and_back(shape: PictureShape) {
        let values: Vec<f32> = (0..shape.len()).map(|at| (at as f32 * 0.37).sin() * 1.3).collect();
        let team = Team::new(2).unwrap();
        for isa in Isa::available() {
            let boundary = Boundary::new(shape, Grid { scale: 0.01, zero_point: 128 }, isa).unwrap();
            let (mut integers, mut back) = (vec![0; shape.len()], vec![0.0; shape.len()]);
            boundary.quantize(&values, &mut integers, &team);
            boundary.dequantize(&integers, &mut back, &team);
            for (value, back) in values.iter().zip(&back) {
                assert!((value.clamp(-1.28, 1.27) - back).abs() <= 0.005001, "{value} came back as {back}");
            }
            let (last, channels) = (shape.channels - 1, shape.channels);
            assert_eq!(integers[channels * 7 + last], boundary.grid.quantize(values[last * 150 + 7]));
        }
    }

    #[test]
    fn odd_numbers_have_a_defined_result() {
        let grid = Grid { scale: 0.1, zero_point: 7 };
        let of = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -0.0, 0.25, 0.35].map(|value| grid.quantize(value));
        assert_eq!(of, [0, 255, 0, 255, 7, 9, 11]);
    }
}
