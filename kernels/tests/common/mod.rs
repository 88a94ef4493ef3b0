//! Random numbers, shapes and windows for the property tests, and what a window sees.

use parallax_kernels::KernelError;
use parallax_kernels::shape::{Padding, PictureShape, Window};
use proptest::prelude::*;

/// Random numbers that depend on the seed alone; extremes come often, because that is where arithmetic overflows.
pub(crate) fn numbers(seed: u64, count: usize) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        match state >> 61 {
            0 => 0,
            1 => 255,
            2 => 128,
            3 => 127,
            _ => (state >> 32) as u8,
        }
    })
    .take(count)
}

pub(crate) fn input(seed: u64, count: usize) -> Vec<u8> {
    numbers(seed, count).collect()
}

pub(crate) fn windows() -> impl Strategy<Value = Window> {
    let axis =
        || (prop_oneof![Just(1), Just(2), Just(3), Just(5), Just(7)], 1..4_usize, 1..3_usize, 0..4_usize, 0..4_usize);
    (axis(), axis()).prop_map(|(y, x)| Window {
        kernel: [y.0, x.0],
        stride: [y.1, x.1],
        dilation: [y.2, x.2],
        before: [y.3, x.3],
        after: [y.4, x.4],
    })
}

/// Small ones for Miri, which computes a thousand times more slowly.
pub(crate) fn pictures() -> impl Strategy<Value = PictureShape> {
    let [rows, columns, some, many] = if cfg!(miri) { [4, 5, 19, 33] } else { [14, 22, 40, 64] };
    let channels = prop_oneof![1..9_usize, Just(16), 17..some, Just(many)];
    (1..rows, 1..columns, channels).prop_map(|(height, width, channels)| PictureShape { height, width, channels })
}

/// The number at a tap of a window, less the zero point.
pub(crate) fn at(
    config: (PictureShape, Window, Padding, u8),
    picture: &[u8],
    place: [usize; 2],
    tap: [usize; 2],
    c: usize,
) -> i64 {
    let (shape, window, padding, zero_point) = config;
    let mut from = [0; 2];
    for axis in 0..2 {
        let size = [shape.height, shape.width][axis] as i64;
        let mut at = (place[axis] * window.stride[axis] + tap[axis] * window.dilation[axis]) as i64;
        at -= window.before[axis] as i64;
        if at < 0 || at >= size {
            match padding {
                Padding::ZeroPoint => return 0,
                Padding::Reflect => at = if at < 0 { -at } else { 2 * (size - 1) - at },
                Padding::Edge => at = at.clamp(0, size - 1),
            }
        }
        from[axis] = at as usize;
    }
    i64::from(picture[(from[0] * shape.width + from[1]) * shape.channels + c]) - i64::from(zero_point)
}

/// Shapes that do not fit together are made often by chance, and refused: nothing is to be computed then.
pub(crate) fn unless_refused<T>(made: Result<T, KernelError>) -> Result<T, TestCaseError> {
    made.map_err(|error| TestCaseError::reject(error.to_string()))
}
