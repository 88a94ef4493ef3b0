//! Disparity, the network's output in (0, 1), and depth.
//!
//! ```text
//! 1 / depth = 1 / 100 + (1 / 0.1 − 1 / 100) · disparity
//! ```
//!
//! Depth is in *depth units*. In video alone a unit has no length: the motion between frames is learned in the same unit.
//! With stereo the baseline fixes it: as in the paper the baseline is 0.1 units, so a unit is ten baselines and the range
//! 0.1..100 runs from one baseline to a thousand. For a pair 0.54 m apart a unit is 5.4 m; for one 0.1 m apart, 1 m.
//!
//! Reference: Godard et al., *Digging into Self-Supervised Monocular Depth Estimation*, ICCV 2019, section 3.

use burn::tensor::Tensor;

/// Nearest depth the network can say, depth units.
pub const NEAREST: f32 = 0.1;

/// Farthest depth the network can say, depth units.
pub const FARTHEST: f32 = 100.0;

/// The baseline of a stereo pair, depth units.
pub const STEREO_BASELINE: f32 = 0.1;

/// Inverse depth at disparity 0, and its slope.
pub(super) const INVERSE_DEPTH_OFFSET: f32 = 1.0 / FARTHEST;
pub(super) const INVERSE_DEPTH_SLOPE: f32 = 1.0 / NEAREST - 1.0 / FARTHEST;

/// Depth of a disparity map.
///
/// # Shapes
/// - any shape, values in `(0, 1)`; the result has the same shape, depth units
#[must_use]
pub fn depth_from_disparity(disparity: Tensor<4>) -> Tensor<4> {
    disparity.mul_scalar(INVERSE_DEPTH_SLOPE).add_scalar(INVERSE_DEPTH_OFFSET).recip()
}

/// The disparity whose depth is `depth`: the inverse of [`depth_from_disparity`] for one number.
#[must_use]
pub fn disparity_of_depth(depth: f32) -> f32 {
    (depth.recip() - INVERSE_DEPTH_OFFSET) / INVERSE_DEPTH_SLOPE
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn disparity_runs_from_the_farthest_to_the_nearest_depth() {
        let disparity = Tensor::<4>::from_floats([[[[0.0, 1.0, disparity_of_depth(7.0)]]]], &Device::flex());
        let depth: Vec<f32> = depth_from_disparity(disparity).into_data().try_into_vec().unwrap();
        assert!(
            (depth[0] - FARTHEST).abs() < 1e-3 && (depth[1] - NEAREST).abs() < 1e-6 && (depth[2] - 7.0).abs() < 1e-4
        );
    }
}
