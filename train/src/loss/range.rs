//! What a range sensor teaches: the absolute difference between predicted and measured depth.
//!
//! ```text
//! loss = λ · mean over scales of  Σ measured |depth − measurement| / number of measured pixels in the batch
//! ```
//!
//! Every scale is brought to full size first, as for the photometric term, so that a sparse measurement is compared where it
//! was made and coarse maps learn from all of them. Dense or sparse makes no difference but for the number of pixels.
//!
//! Reference: Lao et al., *On the Viability of Monocular Depth Pre-training for Semantic Segmentation*, eq. 1
//! (range term).

use burn::tensor::Tensor;

use super::depth::depth_from_disparity;
use crate::geometry::upsample;

/// The range term on tensors.
///
/// # Shapes
/// - `disparities`: `[batch, 1, height / f, width / f]` for whole factors f
/// - `measured`: `[batch, 1, height, width]`, depth units, 0 where nothing was measured
/// - result: `[1]`; 0 where nothing at all was measured
#[must_use]
pub fn range_loss(disparities: &[Tensor<4>], measured: Tensor<4>, weight: f32) -> Tensor<1> {
    let width = measured.dims()[3];
    let mask = measured.clone().greater_elem(0.0).float();
    let share = mask.clone().sum().clamp_min(1.0).recip().mul_scalar(weight / disparities.len() as f32);
    let error = |disparity: &Tensor<4>| {
        let depth = depth_from_disparity(upsample(disparity.clone(), width / disparity.dims()[3]));
        ((depth - measured.clone()).abs() * mask.clone()).sum()
    };
    let zero = Tensor::zeros([1], &measured.device());
    disparities.iter().fold(zero, |sum, disparity| sum + error(disparity)) * share
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::loss::depth::disparity_of_depth;

    fn loss(depth: f32, measured: [f32; 4]) -> f32 {
        let device = Device::flex();
        let map = |size: usize| Tensor::<4>::full([1, 1, size, size], disparity_of_depth(depth), &device);
        let mut values = [0.0; 16];
        values[..4].copy_from_slice(&measured);
        let measured = Tensor::<1>::from_floats(values, &device).reshape([1, 1, 4, 4]);
        range_loss(&[map(4), map(2)], measured, 0.5).into_scalar()
    }

    #[test]
    fn it_is_the_mean_over_what_was_measured() {
        // |3 − 4| and |3 − 1|, half weight: ½ · 1.5.
        assert!((loss(3.0, [4.0, 0.0, 1.0, 0.0]) - 0.75).abs() < 1e-4);
    }

    #[test]
    fn nothing_measured_teaches_nothing() {
        assert_eq!(loss(3.0, [0.0; 4]), 0.0);
    }
}
