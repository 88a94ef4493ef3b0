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
//! Without stereo the data fix it, so that the same range serves: where a range sensor teaches, [`FIRST_DEPTH`] units are the
//! median of what it measured; else, where poses are given or wheel speed is, the median way between a frame and its
//! neighbour is 0.1 units, as a baseline is. A run keeps its metres per unit in `run.toml`, and one that begins with its network
//! takes them over.
//!
//! Reference: Godard et al., *Digging Into Self-Supervised Monocular Depth Estimation*, ICCV 2019, section 3.

use burn::tensor::Tensor;

/// Nearest depth the network can say, depth units.
pub const NEAREST: f32 = 0.1;

/// Farthest depth the network can say, depth units.
pub const FARTHEST: f32 = 100.0;

/// The baseline of a stereo pair, depth units.
pub const STEREO_BASELINE: f32 = 0.1;

/// The median way between a target and its neighbour in the video, depth units, where it is known in metres and nothing else
/// fixes the unit: what a baseline is to stereo.
pub const VIDEO_STEP: f32 = STEREO_BASELINE;

/// Depth that a fresh network says everywhere, in depth units: 40 baselines of a stereo pair, a few pixels of parallax. A
/// fresh sigmoid says disparity ½, 0.2 units: a wall at arm's length, from where the true match lies dozens of pixels off
/// and the photometric gradient, which sees a pixel or two, does not point to it.
pub const FIRST_DEPTH: f32 = 4.0;

/// Inverse depth at disparity 0, and its slope.
pub(crate) const INVERSE_DEPTH_OFFSET: f32 = 1.0 / FARTHEST;
pub(crate) const INVERSE_DEPTH_SLOPE: f32 = 1.0 / NEAREST - 1.0 / FARTHEST;

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
