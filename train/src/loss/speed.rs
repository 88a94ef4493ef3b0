//! What wheels teach: how far the camera moved between two frames, and so the scale of learned motion and depth.
//!
//! ```text
//! loss = λ · mean over pairs of | ‖t‖ − way | / 0.1        ‖t‖, way in depth units
//! ```
//!
//! The published form is | ‖t‖ − speed · Δt | in metres; here it is divided by the typical way, [`VIDEO_STEP`] units, so that
//! λ means the same to a crawling robot and to a car.
//!
//! Reference: Guizilini et al., *3D Packing for Self-Supervised Monocular Depth Estimation*, CVPR 2020, section 3.2
//! (velocity supervision).

use burn::tensor::{Tensor, TensorData};

use super::depth::VIDEO_STEP;
use crate::geometry::Poses;

/// The speed term of one source frame per image.
///
/// # Shapes
/// - `poses`: learned motions of a batch
/// - `ways`: one per image, depth units
/// - result: `[1]`
#[must_use]
pub fn speed_loss(poses: &Poses, ways: &[f32], weight: f32) -> Tensor<1> {
    let length = poses.length();
    let ways = TensorData::new(ways.to_vec(), [ways.len(), 1, 1, 1]);
    let ways = Tensor::<4>::from_data(ways, &length.device().inner());
    (length - ways).abs().mean().mul_scalar(weight / VIDEO_STEP)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_gradient_lengthens_a_motion_that_is_too_short() {
        let device = Device::flex().autodiff();
        let translation = Tensor::<2>::from_floats([[0.03, 0.0, 0.04], [0.0, 0.2, 0.0]], &device).require_grad();
        let poses = Poses::from_axis_angle(Tensor::zeros([2, 3], &device), translation.clone());
        let loss = speed_loss(&poses, &[0.1, 0.1], 0.05);
        // ½ (|0.05 − 0.1| + |0.2 − 0.1|) · 0.05 / 0.1
        assert!((loss.clone().into_scalar::<f32>() - 0.0375).abs() < 1e-5);
        let gradients = loss.backward();
        let gradient: Vec<f32> = translation.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
        for (found, expected) in gradient.iter().zip([-0.15, 0.0, -0.2, 0.0, 0.25, 0.0]) {
            assert!((found - expected).abs() < 1e-4, "{gradient:?}");
        }
    }
}
