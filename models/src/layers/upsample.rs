//! Nearest-neighbour upsampling by two.

use burn::tensor::{
    Tensor,
    module::interpolate,
    ops::{InterpolateMode, InterpolateOptions},
};

/// Repeats every pixel twice in both directions, `factor` times over.
///
/// Nearest and not bilinear, because it has a backward pass on every device and an integer engine does it by copying.
///
/// # Shapes
/// - `input`: `[batch, channels, height, width]`
/// - result: `[batch, channels, factor * height, factor * width]`
pub fn upsample_nearest(input: Tensor<4>, factor: usize) -> Tensor<4> {
    let [_, _, height, width] = input.dims();
    let size = [height * factor, width * factor];
    interpolate(
        input,
        InterpolateOptions::new(InterpolateMode::Nearest).with_align_corners(false).with_output_size(size),
    )
}
