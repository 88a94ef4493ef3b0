//! One number for a window: its maximum, or its mean.

mod maximum;
mod mean;

pub use maximum::MaxPool;
pub use mean::{AveragePool, AveragePoolConfig, Counted};

use crate::shape::{PictureShape, Window};

/// The input's row or column for a window and one of its taps, if there is one.
fn inside(input: PictureShape, window: &Window, axis: usize, position: usize, tap: usize) -> Option<usize> {
    let size = [input.height, input.width][axis];
    let at = position * window.stride[axis] + tap * window.dilation[axis];
    at.checked_sub(window.before[axis]).filter(|at| *at < size)
}
