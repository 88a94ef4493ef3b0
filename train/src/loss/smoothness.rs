//! Edge-aware smoothness: disparity may jump where the image does.
//!
//! ```text
//! d* = d / mean(d)        loss = mean |∂x d*| e^−|∂x I| + mean |∂y d*| e^−|∂y I|        |∂I|: mean over channels
//! ```
//!
//! Dividing by the mean keeps the network from shrinking all disparities to please this loss.
//!
//! Reference: Godard et al., *Digging Into Self-Supervised Monocular Depth Estimation*, ICCV 2019, section 3.1
//! (smoothness).

use burn::tensor::Tensor;

/// Weight at the finest scale; scale `s` has `1e-3 / 2^s`.
pub(super) const WEIGHT: f32 = 1e-3;

/// Smoothness of one scale.
///
/// # Shapes
/// - `disparity`: `[batch, 1, height, width]`
/// - `image`: `[batch, channels, height, width]`
/// - result: `[1]`
#[must_use]
pub fn smoothness(disparity: Tensor<4>, image: Tensor<4>) -> Tensor<1> {
    let mean = disparity.clone().mean_dim(2).mean_dim(3);
    let disparity = disparity / (mean + 1e-7);
    along(&disparity, &image, 3) + along(&disparity, &image, 2)
}

fn along(disparity: &Tensor<4>, image: &Tensor<4>, dim: usize) -> Tensor<1> {
    let edges = steps(image, dim).abs().mean_dim(1);
    (steps(disparity, dim).abs() * edges.neg().exp()).mean()
}

fn steps(map: &Tensor<4>, dim: usize) -> Tensor<4> {
    let last = map.dims()[dim] - 1;
    map.clone().narrow(dim, 0, last) - map.clone().narrow(dim, 1, last)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn map(width: usize, values: impl Fn(usize, usize) -> f32) -> Tensor<4> {
        let values: Vec<f32> = (0..4 * width).map(|i| values(i % width, i / width)).collect();
        Tensor::from_data(TensorData::new(values, [1, 1, 4, width]), &Device::flex())
    }

    #[test]
    fn a_slope_over_a_flat_image_costs_its_relative_steepness() {
        // Mean 2.5, step 1 along x: 1 / 2.5.
        let cost: f32 = smoothness(map(4, |x, _| x as f32 + 1.0), map(4, |_, _| 0.5)).into_scalar();
        assert!((cost - 0.4).abs() < 1e-6);
    }

    #[test]
    fn a_jump_is_cheaper_on_an_edge_of_the_image() {
        let jump = |x: usize, _: usize| if x < 4 { 1.0 } else { 2.0 };
        let on_edge: f32 = smoothness(map(8, jump), map(8, jump)).into_scalar();
        let on_plain: f32 = smoothness(map(8, jump), map(8, |_, _| 0.0)).into_scalar();
        assert!((on_edge / on_plain - (-1.0_f32).exp()).abs() < 1e-5);
    }
}
