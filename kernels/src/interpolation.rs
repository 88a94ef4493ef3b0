//! Linear interpolation between pixels: the picture at another size.
//!
//! ```text
//! value  = scale · f32(q − zero point)
//! weight = weight_y · weight_x             of each of the four pixels around a place
//! sum    = ((w₀₀ · v₀₀ + w₀₁ · v₀₁) + w₁₀ · v₁₀) + w₁₁ · v₁₁
//! q'     = clamp(round(sum / scale') + zero point', 0, 255)
//! ```
//!
//! All in single precision, each operation rounded on its own and in this order, places included: halves are frequent (for
//! twice the size the weights are 9, 3, 3, 1 of 16), and these are the operations by which onnxruntime decides where they go.
//! On an axis a place lies between pixel i = ⌊place⌋ and i + 1, which weigh i + 1 − place and place − i; where there is no
//! pixel i + 1 both are the last one and weigh a half. A place outside of the picture is moved to its border.

use crate::addition::Grid;
use crate::isa::compiled_for;
use crate::requantization::check_scale;
use crate::shape::PictureShape;
use crate::team::Team;
use crate::{Isa, KernelError, Result};

/// Where the pixels of the result lie in the input, for sizes `i` and `o` of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    /// `(at + ½) · i / o − ½`: pixels are squares, and both pictures cover the same ground.
    HalfPixel,
    /// The same, and 0 where `o` is 1.
    PytorchHalfPixel,
    /// `at · (i − 1) / (o − 1)`: first and last pixels coincide; 0 where `o` is 1.
    AlignCorners,
    /// `at · i / o`.
    Asymmetric,
}

/// An interpolation.
#[derive(Debug, Clone, PartialEq)]
pub struct Interpolation {
    isa: Isa,
    input: PictureShape,
    output: PictureShape,
    /// Of the rows, and of the columns.
    places: [Vec<Place>; 2],
    grids: [Grid; 2],
}

/// Between two pixels of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    pixels: [usize; 2],
    weights: [f32; 2],
}

/// Pixels of an axis: places are held in memory.
const MOST_PIXELS: usize = 1 << 16;

impl Interpolation {
    /// The picture `input` at `[height, width]`.
    ///
    /// # Errors
    /// Empty pictures, axes of more than 2¹⁶ pixels, or scales that are not positive and finite or whose ratio is not.
    pub fn new(
        input: PictureShape,
        [height, width]: [usize; 2],
        coordinates: Coordinates,
        grids: [Grid; 2],
        isa: Isa,
    ) -> Result<Self> {
        input.check("the input")?;
        let output = PictureShape { height, width, channels: input.channels };
        output.check("the output")?;
        grids.into_iter().try_for_each(Grid::check)?;
        check_scale("ratio of scales", grids[0].scale / grids[1].scale)?;
        check_scale("largest number of the input", grids[0].scale * 255.0)?;
        let places = [coordinates.places(input.height, height)?, coordinates.places(input.width, width)?];
        Ok(Self { isa, input, output, places, grids })
    }

    /// The picture that goes out.
    pub fn output(&self) -> PictureShape {
        self.output
    }

    /// Computes the picture.
    ///
    /// # Panics
    /// Slices of other lengths than the shapes say.
    pub fn run(&self, input: &[u8], output: &mut [u8], team: &Team) {
        assert_eq!(input.len(), self.input.len(), "numbers in the input");
        assert_eq!(output.len(), self.output.len(), "numbers in the output");
        let interpolation = self;
        let row_len = self.output.width * self.output.channels;
        team.for_each_part(output, row_len, &mut [], 0, |y, row, _scratch| {
            compiled_for!(self.isa, row_between(interpolation: &Interpolation, input: &[u8], y: usize, row: &mut [u8]));
        });
    }

    /// The four pixels around a place.
    #[inline(always)]
    fn around<'a>(&self, input: &'a [u8], y: usize, x: usize) -> [&'a [u8]; 4] {
        let (rows, columns) = (self.places[0][y].pixels, self.places[1][x].pixels);
        let pixel = |row: usize, column: usize| {
            &input[(row * self.input.width + column) * self.input.channels..][..self.input.channels]
        };
        [pixel(rows[0], columns[0]), pixel(rows[0], columns[1]), pixel(rows[1], columns[0]), pixel(rows[1], columns[1])]
    }

    /// Their weights.
    #[inline(always)]
    fn weights(&self, y: usize, x: usize) -> [f32; 4] {
        let (rows, columns) = (self.places[0][y].weights, self.places[1][x].weights);
        [rows[0] * columns[0], rows[0] * columns[1], rows[1] * columns[0], rows[1] * columns[1]]
    }
}

impl Coordinates {
    /// Where the `output` pixels of an axis lie among the `input` ones.
    fn places(self, input: usize, output: usize) -> Result<Vec<Place>> {
        let found = input.max(output);
        if found > MOST_PIXELS {
            return Err(KernelError::Size { what: "an axis of an interpolation", found });
        }
        let (last, factor) = (input - 1, output as f32 / input as f32);
        let place = |at: usize| {
            let at = at as f32;
            let place = match self {
                Self::PytorchHalfPixel | Self::AlignCorners if output == 1 => 0.0,
                Self::HalfPixel | Self::PytorchHalfPixel => (at + 0.5) / factor - 0.5,
                Self::AlignCorners => at * last as f32 / (output - 1) as f32,
                Self::Asymmetric => at / factor,
            };
            let place = place.clamp(0.0, last as f32);
            let pixel = place as usize;
            let weight = place - pixel as f32;
            if pixel == last {
                return Place { pixels: [last; 2], weights: [0.5; 2] };
            }
            Place { pixels: [pixel, pixel + 1], weights: [(pixel + 1) as f32 - place, weight] }
        };
        Ok((0..output).map(place).collect())
    }
}

#[inline(always)]
fn row_between(interpolation: &Interpolation, input: &[u8], y: usize, row: &mut [u8]) {
    let [from, to] = interpolation.grids;
    for (x, pixel) in row.chunks_exact_mut(interpolation.output.channels).enumerate() {
        let [a, b, c, d] = interpolation.around(input, y, x);
        let weights = interpolation.weights(y, x);
        for ((((output, a), b), c), d) in pixel.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let sum = weights[0] * from.dequantize(*a)
                + weights[1] * from.dequantize(*b)
                + weights[2] * from.dequantize(*c)
                + weights[3] * from.dequantize(*d);
            *output = to.quantize(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { scale: 0.1, zero_point: 3 };

    fn row(input: &[u8], width: usize, coordinates: Coordinates) -> Vec<u8> {
        let shape = PictureShape { height: 1, width: input.len(), channels: 1 };
        let made = Interpolation::new(shape, [1, width], coordinates, [GRID; 2], Isa::PORTABLE).unwrap();
        let mut output = vec![0; width];
        made.run(input, &mut output, &Team::new(1).unwrap());
        output
    }

    #[test]
    fn twice_the_size_takes_three_quarters_and_one() {
        assert_eq!(row(&[10, 50, 90], 6, Coordinates::HalfPixel), [10, 20, 40, 60, 80, 90]);
    }

    #[test]
    fn corners_coincide_when_they_are_aligned() {
        assert_eq!(row(&[0, 40, 200], 5, Coordinates::AlignCorners), [0, 20, 40, 120, 200]);
        assert_eq!(row(&[7, 40], 1, Coordinates::AlignCorners), [7]);
    }

    #[test]
    fn without_alignment_the_last_pixels_repeat_the_border() {
        assert_eq!(row(&[0, 100], 4, Coordinates::Asymmetric), [0, 50, 100, 100]);
        assert_eq!(row(&[0, 100], 1, Coordinates::HalfPixel), [50]);
        assert_eq!(row(&[0, 100], 1, Coordinates::PytorchHalfPixel), [0]);
    }

    #[test]
    fn ties_go_to_the_even_distance_from_the_zero_point() {
        // Half way from 3 to 4 is half a step above the zero point 3: zero steps; from 4 to 5, one and a half: two.
        assert_eq!(row(&[3, 4, 5], 5, Coordinates::AlignCorners), [3, 3, 4, 5, 5]);
    }

    #[test]
    fn axes_beyond_every_picture_are_refused() {
        let shape = PictureShape { height: 40, width: 30, channels: 1 };
        let of = |size| Interpolation::new(shape, size, Coordinates::HalfPixel, [GRID; 2], Isa::PORTABLE);
        assert!(of([1, (1 << 16) + 1]).is_err());
        assert!(of([0, 1]).is_err());
        assert!(of([1, 1 << 16]).is_ok());
    }
}
