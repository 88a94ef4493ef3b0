//! Pictures, and windows that slide over them. Pairs are `[vertical, horizontal]`.

use crate::{KernelError, Result};

/// A picture of u8 numbers, row-major `[height, width, channels]` (NHWC with N = 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Numbers per pixel.
    pub channels: usize,
}

impl PictureShape {
    /// Pixels.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Numbers.
    pub fn len(&self) -> usize {
        self.pixels() * self.channels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether kernels can work on it; `what` names it in the error.
    ///
    /// # Errors
    /// A size of zero, or more numbers than 31 bits address.
    pub fn check(&self, what: &'static str) -> Result<()> {
        let numbers = self.height.checked_mul(self.width).and_then(|pixels| pixels.checked_mul(self.channels));
        match numbers {
            Some(found) if found > 0 && found <= MOST_NUMBERS => Ok(()),
            found => Err(KernelError::Size { what, found: found.unwrap_or(usize::MAX) }),
        }
    }
}

/// Offsets into a picture are held in 32 bits.
pub(crate) const MOST_NUMBERS: usize = 1 << 31;

/// A window, and how it slides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Taps.
    pub kernel: [usize; 2],
    /// Distance between two positions.
    pub stride: [usize; 2],
    /// Distance between two taps.
    pub dilation: [usize; 2],
    /// Padding above and to the left.
    pub before: [usize; 2],
    /// Padding below and to the right.
    pub after: [usize; 2],
}

impl Window {
    /// A square window with stride and dilation 1 that keeps the picture's size.
    pub fn same(size: usize) -> Self {
        let half = [size / 2; 2];
        Self { kernel: [size; 2], stride: [1; 2], dilation: [1; 2], before: half, after: half }
    }

    /// Extent along an axis, with the gaps of its dilation.
    pub fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Height and width of what it gives.
    ///
    /// # Errors
    /// A size of zero or beyond 2^31, or a window larger than the padded picture.
    pub fn output_size(&self, input: PictureShape) -> Result<[usize; 2]> {
        let mut size = [input.height, input.width];
        for axis in 0..2 {
            let parts = [
                ("kernel", self.kernel[axis]),
                ("stride", self.stride[axis]),
                ("dilation", self.dilation[axis]),
                ("padded picture", size[axis].saturating_add(self.before[axis]).saturating_add(self.after[axis])),
            ];
            for (what, found) in parts {
                if found == 0 || found > MOST_NUMBERS {
                    return Err(KernelError::Size { what, found });
                }
            }
            let (picture, window) = (size[axis] + self.before[axis] + self.after[axis], self.extent(axis));
            if window > picture {
                return Err(KernelError::WindowTooLarge { window, picture });
            }
            size[axis] = (picture - window) / self.stride[axis] + 1;
        }
        Ok(size)
    }
}

/// What lies outside of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The zero point, which stands for 0.0.
    ZeroPoint,
    /// The picture mirrored at its first and last row and column, which are not repeated.
    Reflect,
    /// The picture's first and last row and column.
    Edge,
}

impl Padding {
    /// # Errors
    /// A reflection as wide as the picture.
    pub(crate) fn check(self, window: &Window, input: PictureShape) -> Result<()> {
        if self != Self::Reflect {
            return Ok(());
        }
        for (axis, picture) in [input.height, input.width].into_iter().enumerate() {
            let padding = window.before[axis].max(window.after[axis]);
            if padding >= picture {
                return Err(KernelError::ReflectionTooWide { padding, picture });
            }
        }
        Ok(())
    }

    /// The row or column of the picture that stands at `position − before`, or none for the zero point.
    pub(crate) fn source(self, position: usize, before: usize, size: usize) -> Option<usize> {
        let inside = position.checked_sub(before);
        match (self, inside) {
            (_, Some(inside)) if inside < size => Some(inside),
            (Self::ZeroPoint, _) => None,
            (Self::Reflect, None) => Some(before - position),
            (Self::Reflect, Some(beyond)) => Some(2 * (size - 1) - beyond),
            (Self::Edge, None) => Some(0),
            (Self::Edge, Some(_)) => Some(size - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_three_with_stride_two_halves_an_even_picture() {
        let window = Window { stride: [2; 2], ..Window::same(3) };
        let size = window.output_size(PictureShape { height: 8, width: 6, channels: 1 }).unwrap();
        assert_eq!(size, [4, 3]);
    }

    #[test]
    fn a_reflection_does_not_repeat_the_border() {
        let sources: Vec<_> = (0..7).map(|at| Padding::Reflect.source(at, 2, 3)).collect();
        assert_eq!(sources, [2, 1, 0, 1, 2, 1, 0].map(Some));
        let sources: Vec<_> = (0..7).map(|at| Padding::Edge.source(at, 2, 3)).collect();
        assert_eq!(sources, [0, 0, 0, 1, 2, 2, 2].map(Some));
        assert_eq!(Padding::ZeroPoint.source(1, 2, 3), None);
        assert_eq!(Padding::ZeroPoint.source(5, 2, 3), None);
    }

    #[test]
    fn sizes_that_make_no_sense_are_errors() {
        let input = PictureShape { height: 4, width: 4, channels: 1 };
        assert!(Window { before: [0; 2], after: [0; 2], ..Window::same(5) }.output_size(input).is_err());
        assert!(Window { stride: [0, 1], ..Window::same(3) }.output_size(input).is_err());
        assert!(Window { before: [usize::MAX, 1], ..Window::same(3) }.output_size(input).is_err());
        assert!(PictureShape { height: usize::MAX, width: 2, channels: 1 }.check("input").is_err());
        assert!(Padding::Reflect.check(&Window::same(9), input).is_err());
    }
}
