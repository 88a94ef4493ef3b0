//! The maximum of a window.
//!
//! The order of u8 numbers is the order of the values they stand for, so the grid does not matter. What lies outside of the
//! picture does not count.

use super::inside;
use crate::isa::compiled_for;
use crate::shape::{PictureShape, Window};
use crate::team::Team;
use crate::{Isa, KernelError, Result};

/// A maximum over windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxPool {
    isa: Isa,
    input: PictureShape,
    window: Window,
    output: PictureShape,
}

impl MaxPool {
    /// Checks the sizes.
    ///
    /// # Errors
    /// Sizes that do not fit together, or padding so wide that a window sees nothing of the picture.
    pub fn new(input: PictureShape, window: Window, isa: Isa) -> Result<Self> {
        input.check("the input")?;
        let [height, width] = window.output_size(input)?;
        let output = PictureShape { height, width, channels: input.channels };
        output.check("the output")?;
        for axis in 0..2 {
            let found = window.before[axis].max(window.after[axis]);
            // With dilation a window might straddle the picture; none of today's networks has that.
            if found >= window.kernel[axis] || (found > 0 && window.dilation[axis] > 1) {
                return Err(KernelError::Size { what: "padding of a maximum", found });
            }
        }
        Ok(Self { isa, input, window, output })
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
        let pool = self;
        let row_len = self.output.width * self.output.channels;
        team.for_each_part(output, row_len, &mut [], 0, |y, row, _scratch| {
            compiled_for!(self.isa, row_of_maxima(pool: &MaxPool, input: &[u8], y: usize, row: &mut [u8]));
        });
    }
}

#[inline(always)]
fn row_of_maxima(pool: &MaxPool, input: &[u8], y: usize, row: &mut [u8]) {
    let channels = pool.input.channels;
    row.fill(0);
    for tap_y in 0..pool.window.kernel[0] {
        let Some(source) = inside(pool.input, &pool.window, 0, y, tap_y) else { continue };
        let source = &input[source * pool.input.width * channels..][..pool.input.width * channels];
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            for tap_x in 0..pool.window.kernel[1] {
                let Some(from) = inside(pool.input, &pool.window, 1, x, tap_x) else { continue };
                for (largest, number) in pixel.iter_mut().zip(&source[from * channels..(from + 1) * channels]) {
                    *largest = (*largest).max(*number);
                }
            }
        }
    }
}
