//! How two cameras stand to each other.

use crate::rectification::Epipolar;
use crate::uncertainty::{Reason, Verdict};
use nalgebra::{DMatrix, Isometry3, Matrix3};
use parallax_core::camera::{Camera, Intrinsics};

/// How the right camera stands to the left one.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Takes a point of the left camera's frame to the right one's.
    pub right_from_left: Isometry3<f64>,
    /// Covariance of a small rotation vector and translation on its left; none when the views do not determine them.
    pub covariance: Option<DMatrix<f64>>,
    /// `R` of both cameras: rotation from the camera's frame to the rectified one.
    pub rectifications: [Matrix3<f64>; 2],
    /// The pinhole that both rectified cameras follow.
    pub rectified: Intrinsics,
    /// How far apart the rows of the same corner are in the pictures as taken.
    pub before: Epipolar,
    /// The same after rectification.
    pub after: Epipolar,
    /// How far this can be trusted.
    pub verdict: Verdict,
    /// What stands between it and a better verdict, the gravest first.
    pub reasons: Vec<Reason>,
}

impl Pair {
    /// Distance of the two cameras in metres.
    pub fn baseline_m(&self) -> f64 {
        self.right_from_left.translation.vector.norm()
    }

    /// Standard deviation of the baseline in metres; infinite when it is not determined.
    pub fn baseline_sigma_m(&self) -> f64 {
        let along = self.right_from_left.translation.vector.normalize();
        self.covariance.as_ref().map_or(f64::INFINITY, |covariance| {
            // A rotation on the left turns the translation; along itself it does not change it.
            (along.transpose() * covariance.fixed_view::<3, 3>(3, 3) * along)[0].sqrt()
        })
    }

    /// Angle between the two cameras in radians.
    pub fn rotation_rad(&self) -> f64 {
        self.right_from_left.rotation.angle()
    }

    /// A camera of the pair (0: left) with its `R` and `P`.
    pub(crate) fn rectified(&self, camera: &Camera, index: usize) -> Camera {
        let mut camera = Camera { rectification: self.rectifications[index], ..camera.clone() };
        camera.projection.fixed_view_mut::<3, 3>(0, 0).copy_from(&self.rectified.matrix());
        if index == 1 { camera.with_baseline(self.baseline_m()) } else { camera }
    }
}
