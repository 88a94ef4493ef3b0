//! One camera, or the two of a rectified stereo pair.

use crate::isometry::isometry;
use nalgebra::{Isometry3, Vector3};
use parallax_core::camera::{Camera, Intrinsics, baseline_of_pair};
use parallax_core::{Error, Result};

/// A camera and, for stereo, the one to its right.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraPair {
    /// The left or only camera.
    pub left: Camera,
    /// The right camera, whose `P` holds the baseline.
    pub right: Option<Camera>,
}

impl CameraPair {
    /// Cameras without lens distortion; two alike ones when there is a baseline (metres, right camera to the right).
    ///
    /// # Errors
    /// The numbers cannot be those of a camera.
    pub fn pinhole(intrinsics: Intrinsics, size: (u32, u32), baseline_m: Option<f64>) -> Result<Self> {
        let camera = |name| Camera::pinhole(name, size.0, size.1, intrinsics);
        let pair = Self {
            left: camera(if baseline_m.is_some() { "left" } else { "camera" }),
            right: baseline_m.map(|baseline_m| camera("right").with_baseline(baseline_m)),
        };
        pair.left.validate()?;
        match baseline_m {
            Some(baseline_m) if !(baseline_m.is_finite() && baseline_m > 0.0) => Err(Error::Camera {
                what: format!("the baseline must be positive, in metres, got {baseline_m}"),
                path: None,
            }),
            _ => pair.validated(),
        }
    }

    /// The pair, if both cameras can be ones and the right one is to the right of the left one.
    ///
    /// # Errors
    /// What cannot be.
    pub(crate) fn validated(self) -> Result<Self> {
        self.left.validate()?;
        if let Some(right) = &self.right {
            right.validate()?;
            if right.baseline_m().is_some() {
                baseline_of_pair(&self.left, right).map_err(|what| Error::Camera { what, path: None })?;
            }
        }
        Ok(self)
    }

    /// The cameras of the same pictures resized.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        Self {
            left: self.left.resized(width, height),
            right: self.right.as_ref().map(|right| right.resized(width, height)),
        }
    }

    /// Where the right camera sees what the left camera sees: `x_right = right_from_left · x_left`, metres; none without a
    /// right camera. With `x_rectified = R x` in each and the right one's P: `R_rightᵀ (R_left x - (b, 0, 0))`.
    pub fn right_from_left(&self) -> Option<Isometry3<f64>> {
        let right = self.right.as_ref()?;
        let right_from_rectified = right.rectification.transpose();
        let shift = right_from_rectified * Vector3::new(-right.baseline_m()?, 0.0, 0.0);
        Some(isometry(&(right_from_rectified * self.left.rectification), shift))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: Intrinsics = Intrinsics { fx: 500.0, fy: 500.0, cx: 320.0, cy: 240.0 };

    #[test]
    fn a_baseline_that_is_none_is_refused() {
        for baseline in [0.0, -0.5, f64::NAN] {
            let error = CameraPair::pinhole(K, (640, 480), Some(baseline)).unwrap_err();
            assert!(error.to_string().contains("baseline must be positive"), "{error}");
        }
    }
}
