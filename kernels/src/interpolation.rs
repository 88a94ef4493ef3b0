//! Linear interpolation between pixels: the picture at another size.
//!
//! ```text
//! place of output o on an axis = numerator(o) / d        between input i = ⌊place⌋ and i + 1, w = numerator mod d
//! sum = Σ weight_y · weight_x · input − d_y · d_x · zero point     weights d − w and w on each axis
//! q   = clamp(round(f32(sum) · m) + zero point', 0, 255)           m = (scale / scale') / f32(d_y · d_x)
//! ```
//!
//! Places are fractions of whole numbers, so the sum is exact, whatever the order: for twice the size d = 4 on each axis, and
//! the weights are 9, 3, 3, 1 of 16. Where a place lies outside of the picture its border is taken.

use crate::addition::Grid;
use crate::isa::compiled_for;
use crate::requantization::{check_scale, requantize};
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
    axes: [Axis; 2],
    input_zero_point: i32,
    multiplier: f32,
    limits: (f32, f32),
    zero_point: i32,
}

/// The places of an axis, with their common denominator.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Axis {
    denominator: u32,
    places: Vec<Place>,
}

/// Between two pixels of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    pixels: [usize; 2],
    weights: [u32; 2],
}

/// Results of 16-bit sums: 255 · 257 is the largest u16.
const MOST_IN_16_BITS: u32 = 257;

impl Interpolation {
    /// The picture `input` at `[height, width]`.
    ///
    /// # Errors
    /// Empty pictures, scales that are not positive and finite, or sizes whose common denominators leave 32 bits.
    pub fn new(
        input: PictureShape,
        [height, width]: [usize; 2],
        coordinates: Coordinates,
        [from, to]: [Grid; 2],
        isa: Isa,
    ) -> Result<Self> {
        input.check("the input")?;
        let output = PictureShape { height, width, channels: input.channels };
        output.check("the output")?;
        from.check()?;
        to.check()?;
        let axes = [Axis::new(input.height, height, coordinates)?, Axis::new(input.width, width, coordinates)?];
        let whole = axes[0].denominator.checked_mul(axes[1].denominator);
        let Some(whole) = whole.filter(|whole| *whole <= i32::MAX as u32 / 255) else {
            return Err(KernelError::Size { what: DENOMINATOR, found: axes[1].denominator as usize });
        };
        let ratio = from.scale / to.scale;
        check_scale("ratio of scales", ratio)?;
        let multiplier = ratio / whole as f32;
        check_scale("multiplier", multiplier)?;
        let zero_point = f32::from(to.zero_point);
        Ok(Self {
            isa,
            input,
            output,
            axes,
            input_zero_point: i32::from(from.zero_point) * whole as i32,
            multiplier,
            limits: (-zero_point, 255.0 - zero_point),
            zero_point: i32::from(to.zero_point),
        })
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
        let narrow = self.axes[0].denominator * self.axes[1].denominator <= MOST_IN_16_BITS;
        team.for_each_part(output, row_len, &mut [], 0, |y, row, _scratch| {
            if narrow {
                compiled_for!(
                    self.isa,
                    narrow_row(interpolation: &Interpolation, input: &[u8], y: usize, row: &mut [u8])
                );
            } else {
                compiled_for!(
                    self.isa,
                    wide_row(interpolation: &Interpolation, input: &[u8], y: usize, row: &mut [u8])
                );
            }
        });
    }

    /// The four pixels around a place.
    #[inline(always)]
    fn around<'a>(&self, input: &'a [u8], y: usize, x: usize) -> [&'a [u8]; 4] {
        let (rows, columns) = (self.axes[0].places[y].pixels, self.axes[1].places[x].pixels);
        let pixel = |row: usize, column: usize| {
            &input[(row * self.input.width + column) * self.input.channels..][..self.input.channels]
        };
        [pixel(rows[0], columns[0]), pixel(rows[0], columns[1]), pixel(rows[1], columns[0]), pixel(rows[1], columns[1])]
    }

    /// Their weights.
    #[inline(always)]
    fn weights(&self, y: usize, x: usize) -> [u32; 4] {
        let (rows, columns) = (self.axes[0].places[y].weights, self.axes[1].places[x].weights);
        [rows[0] * columns[0], rows[0] * columns[1], rows[1] * columns[0], rows[1] * columns[1]]
    }

    #[inline(always)]
    fn finish(&self, sum: i32) -> u8 {
        requantize(sum - self.input_zero_point, self.multiplier, self.limits, self.zero_point)
    }
}

/// Pixels of an axis: places are held in memory.
const MOST_PIXELS: usize = 1 << 16;

const DENOMINATOR: &str = "the denominator of an interpolation's places";

impl Axis {
    fn new(input: usize, output: usize, coordinates: Coordinates) -> Result<Self> {
        let found = input.max(output);
        if found > MOST_PIXELS {
            return Err(KernelError::Size { what: "an axis of an interpolation", found });
        }
        let [input, output] = [input as i64, output as i64];
        let (denominator, first, step) = match coordinates {
            Coordinates::AlignCorners if output > 1 => (output - 1, 0, input - 1),
            Coordinates::AlignCorners => (1, 0, 0),
            Coordinates::PytorchHalfPixel if output == 1 => (1, 0, 0),
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (2 * output, input - output, 2 * input),
            Coordinates::Asymmetric => (output, 0, input),
        };
        let common = gcd(gcd(denominator, first), step);
        let (denominator, first, step) = (denominator / common, first / common, step / common);
        let place = |at: i64| {
            let numerator = (first + at * step).clamp(0, (input - 1) * denominator);
            let (pixel, weight) = (numerator / denominator, (numerator % denominator) as u32);
            let pixels = [pixel, (pixel + 1).min(input - 1)].map(|pixel| pixel as usize);
            Place { pixels, weights: [denominator as u32 - weight, weight] }
        };
        Ok(Self { denominator: denominator as u32, places: (0..output).map(place).collect() })
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// A row whose sums fit into 16 bits.
#[inline(always)]
fn narrow_row(interpolation: &Interpolation, input: &[u8], y: usize, row: &mut [u8]) {
    for (x, pixel) in row.chunks_exact_mut(interpolation.output.channels).enumerate() {
        let [a, b, c, d] = interpolation.around(input, y, x);
        let weights = interpolation.weights(y, x).map(|weight| weight as u16);
        for ((((output, a), b), c), d) in pixel.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let sum = u16::from(*a) * weights[0]
                + u16::from(*b) * weights[1]
                + u16::from(*c) * weights[2]
                + u16::from(*d) * weights[3];
            *output = interpolation.finish(i32::from(sum));
        }
    }
}

/// A row whose sums fit into 32 bits.
#[inline(always)]
fn wide_row(interpolation: &Interpolation, input: &[u8], y: usize, row: &mut [u8]) {
    for (x, pixel) in row.chunks_exact_mut(interpolation.output.channels).enumerate() {
        let [a, b, c, d] = interpolation.around(input, y, x);
        let weights = interpolation.weights(y, x);
        for ((((output, a), b), c), d) in pixel.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let sum = u32::from(*a) * weights[0]
                + u32::from(*b) * weights[1]
                + u32::from(*c) * weights[2]
                + u32::from(*d) * weights[3];
            *output = interpolation.finish(sum as i32);
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
    fn sizes_whose_sums_leave_32_bits_are_refused() {
        let shape = PictureShape { height: 4001, width: 4003, channels: 1 };
        let of = |size| Interpolation::new(shape, size, Coordinates::HalfPixel, [GRID; 2], Isa::PORTABLE);
        assert!(of([4007, 4013]).is_err());
        assert!(of([0, 1]).is_err());
        assert!(of([8002, 8006]).is_ok());
    }
}
