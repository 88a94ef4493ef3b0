//! One camera, or the two of a rectified stereo pair.

use parallax_core::camera::{Camera, Intrinsics, ros_yaml};
use parallax_core::{Error, Result};
use std::path::{Path, PathBuf};

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
            _ => Ok(pair),
        }
    }

    /// The cameras of the same pictures resized.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        Self {
            left: self.left.resized(width, height),
            right: self.right.as_ref().map(|right| right.resized(width, height)),
        }
    }

    /// Writes `path` and, for a pair, the right camera as `NAME_right.yaml` beside it; returns what was written.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, path: &Path) -> Result<Vec<PathBuf>> {
        ros_yaml::write(path, &self.left)?;
        let mut written = vec![path.to_path_buf()];
        if let Some(right) = &self.right {
            let right_path = right_path(path);
            ros_yaml::write(&right_path, right)?;
            written.push(right_path);
        }
        Ok(written)
    }
}

fn right_path(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push("_right");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: Intrinsics = Intrinsics { fx: 500.0, fy: 500.0, cx: 320.0, cy: 240.0 };

    #[test]
    fn a_pair_is_written_as_two_files_that_hold_the_baseline() {
        let folder = tempfile::tempdir().unwrap();
        let pair = CameraPair::pinhole(K, (640, 480), Some(0.5)).unwrap().resized(320, 240);
        let written = pair.write(&folder.path().join("camera.yaml")).unwrap();
        assert_eq!(written[1], folder.path().join("camera_right.yaml"));
        assert_eq!(ros_yaml::read(&written[0]).unwrap(), pair.left);
        assert_eq!(ros_yaml::read(&written[1]).unwrap().baseline_m(), Some(0.5));
    }

    #[test]
    fn a_baseline_that_is_none_is_refused() {
        for baseline in [0.0, -0.5, f64::NAN] {
            let error = CameraPair::pinhole(K, (640, 480), Some(baseline)).unwrap_err();
            assert!(error.to_string().contains("baseline must be positive"), "{error}");
        }
    }
}
