//! The mean of a window, on a grid of its own.
//!
//! ```text
//! mean = (Σ scale · f32(q − zero point)) / f32(count)        over the taps within the picture, row after row
//! q'   = clamp(round(mean / scale' + zero point'), 0, 255)
//! ```
//!
//! in single precision, each operation rounded on its own and in this order: a mean is often half way between two integers,
//! and these are the operations by which onnxruntime decides where it goes. `count` is the number of taps: of all, or of those
//! within the picture. Taps outside stand for 0.0 and add nothing.
//!
//! The mean of a whole picture is a sum of integers, as it is there:
//!
//! ```text
//! q' = clamp(round(f32(Σ (q − zero point)) · m) + zero point', 0, 255)        m = scale / (scale' · f32(count))
//! ```

use super::inside;
use crate::addition::Grid;
use crate::isa::compiled_for;
use crate::requantization::{check_scale, clamp, requantize, round};
use crate::shape::{PictureShape, Window};
use crate::team::Team;
use crate::{Isa, KernelError, Result};

/// Channels summed together: their sums stay in registers.
const LANES: usize = 32;

/// Which taps are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// All.
    All,
    /// Those within the picture.
    Inside,
}

/// What a mean is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AveragePoolConfig {
    /// The picture that comes in.
    pub input: PictureShape,
    /// The window.
    pub window: Window,
    /// Which taps are counted.
    pub counted: Counted,
    /// The grid of the input, and that of the result.
    pub grids: [Grid; 2],
}

/// A mean over windows.
#[derive(Debug, Clone, PartialEq)]
pub struct AveragePool {
    isa: Isa,
    config: AveragePoolConfig,
    output: PictureShape,
    sums: Sums,
}

/// In what numbers the taps are added.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sums {
    /// Values, in single precision.
    Values,
    /// Integers, of a whole picture, and what their sum is multiplied with.
    Integers { multiplier: f32 },
}

impl AveragePool {
    /// Checks the sizes.
    ///
    /// # Errors
    /// Sizes that do not fit together, padding so wide that a window sees nothing of the picture, a window of more than 2²³
    /// taps, or scales that are not positive and finite.
    pub fn new(config: AveragePoolConfig, isa: Isa) -> Result<Self> {
        let AveragePoolConfig { input, window, grids: [from, to], .. } = &config;
        input.check("the input")?;
        from.check()?;
        to.check()?;
        let [height, width] = window.output_size(*input)?;
        let output = PictureShape { height, width, channels: input.channels };
        output.check("the output")?;
        for axis in 0..2 {
            let found = window.before[axis].max(window.after[axis]);
            // With dilation a window might straddle the picture.
            if found >= window.kernel[axis] || (found > 0 && window.dilation[axis] > 1) {
                return Err(KernelError::Size { what: "padding of a mean", found });
            }
        }
        let taps = window.kernel[0].saturating_mul(window.kernel[1]);
        // 255 · 2²³ fits into 31 bits, and every count is exact in single precision.
        if taps > 1 << 23 {
            return Err(KernelError::Size { what: "window of a mean", found: taps });
        }
        let multiplier = from.scale / (to.scale * taps as f32);
        check_scale("ratio of scales", from.scale / to.scale)?;
        check_scale("multiplier", multiplier)?;
        check_scale("largest sum", from.scale * 255.0 * taps as f32)?;
        let padded = [window.before, window.after] != [[0; 2]; 2];
        let whole = window.kernel == [input.height, input.width] && !padded;
        let sums = if whole { Sums::Integers { multiplier } } else { Sums::Values };
        Ok(Self { isa, config, output, sums })
    }

    /// The mean of every channel of a whole picture.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn global(input: PictureShape, grids: [Grid; 2], isa: Isa) -> Result<Self> {
        let window = Window {
            kernel: [input.height, input.width],
            stride: [1; 2],
            dilation: [1; 2],
            before: [0; 2],
            after: [0; 2],
        };
        Self::new(AveragePoolConfig { input, window, counted: Counted::All, grids }, isa)
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
        assert_eq!(input.len(), self.config.input.len(), "numbers in the input");
        assert_eq!(output.len(), self.output.len(), "numbers in the output");
        let pool = self;
        let row_len = self.output.width * self.output.channels;
        team.for_each_part(output, row_len, &mut [], 0, |y, row, _scratch| {
            compiled_for!(self.isa, row_of_means(pool: &AveragePool, input: &[u8], y: usize, row: &mut [u8]));
        });
    }

    /// The taps of an axis that lie within the picture at a position: the first input row or column, and how many.
    fn taps(&self, axis: usize, position: usize) -> (usize, usize) {
        let AveragePoolConfig { input, window, .. } = &self.config;
        let mut within = (0..window.kernel[axis]).filter_map(|tap| inside(*input, window, axis, position, tap));
        let first = within.next().unwrap_or_default();
        (first, 1 + within.count())
    }
}

#[inline(always)]
fn row_of_means(pool: &AveragePool, input: &[u8], y: usize, row: &mut [u8]) {
    let channels = pool.output.channels;
    let rows = pool.taps(0, y);
    for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
        let taps = [rows, pool.taps(1, x)];
        let (whole, rest) = pixel.as_chunks_mut::<LANES>();
        for (index, output) in whole.iter_mut().enumerate() {
            mean_of(pool, input, taps, index * LANES, output);
        }
        let mut first = whole.len() * LANES;
        let (some, rest) = rest.as_chunks_mut::<8>();
        for output in some {
            mean_of(pool, input, taps, first, output);
            first += output.len();
        }
        for output in rest {
            mean_of(pool, input, taps, first, std::array::from_mut(output));
            first += 1;
        }
    }
}

/// The means of the channels from `first` over some rows and columns: the first of each, and how many.
#[inline(always)]
fn mean_of<const LANES: usize>(
    pool: &AveragePool,
    input: &[u8],
    taps: [(usize, usize); 2],
    first: usize,
    output: &mut [u8; LANES],
) {
    let AveragePoolConfig { window, counted, grids: [from, to], .. } = &pool.config;
    let zero_point = i32::from(from.zero_point);
    let within = taps[0].1 * taps[1].1;
    match pool.sums {
        Sums::Values => {
            let mut sums = [0.0_f32; LANES];
            pool.for_each_tap::<LANES>(input, taps, first, |numbers| {
                for (sum, number) in sums.iter_mut().zip(numbers) {
                    *sum += from.scale * (i32::from(*number) - zero_point) as f32;
                }
            });
            let count = match counted {
                Counted::All => window.kernel[0] * window.kernel[1],
                Counted::Inside => within,
            };
            for (output, sum) in output.iter_mut().zip(sums) {
                let steps = sum / count as f32 / to.scale + f32::from(to.zero_point);
                // SAFETY: between 0 and 255 after the clamp, and no NaN: sums are finite, counts and scales positive.
                *output = unsafe { round(clamp(steps, 0.0, 255.0)).to_int_unchecked::<i32>() as u8 };
            }
        }
        Sums::Integers { multiplier } => {
            let mut sums = [0_i32; LANES];
            pool.for_each_tap::<LANES>(input, taps, first, |numbers| {
                for (sum, number) in sums.iter_mut().zip(numbers) {
                    *sum += i32::from(*number);
                }
            });
            let limits = (-f32::from(to.zero_point), 255.0 - f32::from(to.zero_point));
            for (output, sum) in output.iter_mut().zip(sums) {
                let sum = sum - within as i32 * zero_point;
                *output = requantize(sum, multiplier, limits, i32::from(to.zero_point));
            }
        }
    }
}

impl AveragePool {
    /// The numbers of some channels at every tap, row after row.
    #[inline(always)]
    fn for_each_tap<const LANES: usize>(
        &self,
        input: &[u8],
        [rows, columns]: [(usize, usize); 2],
        first: usize,
        mut visit: impl FnMut(&[u8]),
    ) {
        let AveragePoolConfig { input: PictureShape { width, channels, .. }, window, .. } = &self.config;
        for row in 0..rows.1 {
            let row = rows.0 + row * window.dilation[0];
            for column in 0..columns.1 {
                let column = columns.0 + column * window.dilation[1];
                let begin = (row * width + column) * channels + first;
                visit(&input[begin..begin + LANES]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { scale: 0.5, zero_point: 10 };

    #[test]
    fn a_border_counts_as_zero_or_not_at_all() {
        let input = PictureShape { height: 1, width: 3, channels: 1 };
        let window = Window { kernel: [1, 3], stride: [1; 2], dilation: [1; 2], before: [0, 1], after: [0, 1] };
        let of = |counted| {
            let config = AveragePoolConfig { input, window, counted, grids: [GRID; 2] };
            let mut output = [0; 3];
            let pool = AveragePool::new(config, Isa::PORTABLE).unwrap();
            pool.run(&[16, 22, 28], &mut output, &Team::new(1).unwrap());
            output
        };
        assert_eq!(of(Counted::Inside), [19, 22, 25]);
        assert_eq!(of(Counted::All), [16, 22, 20]);
    }

    #[test]
    fn a_whole_picture_has_one_mean_a_channel_on_a_scale_of_its_own() {
        let input = PictureShape { height: 2, width: 2, channels: 2 };
        let to = Grid { scale: 0.25, zero_point: 100 };
        let pool = AveragePool::global(input, [GRID, to], Isa::best()).unwrap();
        let mut output = [0; 2];
        pool.run(&[10, 0, 20, 0, 30, 10, 40, 10], &mut output, &Team::new(1).unwrap());
        assert_eq!(output, [130, 90]);
        assert_eq!(pool.output(), PictureShape { height: 1, width: 1, channels: 2 });
    }

    #[test]
    fn windows_that_see_nothing_of_the_picture_are_refused() {
        let input = PictureShape { height: 4, width: 4, channels: 1 };
        let window = Window { before: [2, 0], ..Window::same(2) };
        let config = AveragePoolConfig { input, window, counted: Counted::All, grids: [GRID; 2] };
        assert!(AveragePool::new(config, Isa::PORTABLE).is_err());
        let grids = [GRID, Grid { scale: f32::NAN, zero_point: 0 }];
        assert!(AveragePool::global(input, grids, Isa::PORTABLE).is_err());
    }
}
