//! The numbers of a camera as ROS, Foxglove, OpenCV and Kalibr carry them, checked on their way to a [`Camera`].

use super::lens_name::lens_of;
use super::{Camera, Intrinsics};
use crate::Error;
use nalgebra::{Matrix3, Matrix3x4};

/// The numbers of a camera, matrices row by row, unchecked.
#[derive(Clone, Debug, Default)]
pub struct CameraNumbers {
    /// Name, such as `left`.
    pub name: String,
    /// Width of the pictures in pixels.
    pub width: u32,
    /// Height of the pictures in pixels.
    pub height: u32,
    /// K, 9 numbers.
    pub k: Vec<f64>,
    /// Name of the lens model, as ROS, Foxglove, Kalibr or OpenCV say it.
    pub model: String,
    /// Coefficients of the lens model; none: a lens without distortion.
    pub d: Vec<f64>,
    /// R, 9 numbers; empty: the identity.
    pub r: Vec<f64>,
    /// P, 12 numbers; empty or all zero: `[K | 0]`.
    pub p: Vec<f64>,
}

/// Part of the focal length up to which a number of a matrix is one of arithmetic's rests.
const REST: f64 = 1e-9;
/// Part of the picture's width by which a dropped skew may move pixels.
const MOST_BY_SKEW: f64 = 0.01;

impl CameraNumbers {
    /// The numbers of a camera, with ROS's name of the lens model.
    pub fn of(camera: &Camera) -> Self {
        // Matrices are stored column by column.
        Self {
            name: camera.name.clone(),
            width: camera.width,
            height: camera.height,
            k: camera.intrinsics.matrix().transpose().iter().copied().collect(),
            model: camera.distortion.ros_name().to_owned(),
            d: camera.distortion.coefficients().to_vec(),
            r: camera.rectification.transpose().iter().copied().collect(),
            p: camera.projection.transpose().iter().copied().collect(),
        }
    }

    /// The camera, every number and count checked. A skew too small to matter is dropped, with a warning.
    ///
    /// # Errors
    /// What was expected and found, when a number or a count is wrong.
    pub fn into_camera(self) -> Result<Camera, String> {
        let k = Matrix3::from_row_slice(&counted::<9>("camera_matrix", &self.k)?);
        let intrinsics = Intrinsics::from_matrix(&k);
        let mut camera = Camera::pinhole(&self.name, self.width, self.height, intrinsics);
        if k.iter().all(|value| value.is_finite()) {
            let upright = Matrix3::new(k.m11, k.m12, k.m13, 0.0, k.m22, k.m23, 0.0, 0.0, 1.0);
            if (k - upright).amax() > REST {
                return Err(format!("camera_matrix must be [fx, 0, cx, 0, fy, cy, 0, 0, 1], got {:?}", self.k));
            }
            check_skew(&camera, k.m12)?;
        }
        camera.distortion = lens_of(&self.model, &self.d)?;
        if !self.r.is_empty() {
            camera.rectification = Matrix3::from_row_slice(&counted::<9>("rectification_matrix", &self.r)?);
        }
        // Drivers write an all-zero P for "not calibrated as a pair".
        if self.p.iter().any(|&value| value != 0.0) {
            let p = Matrix3x4::from_row_slice(&counted::<12>("projection_matrix", &self.p)?);
            camera.projection = projection(&p, &self.p)?;
        }
        match camera.validate() {
            Ok(()) => Ok(camera),
            Err(Error::Camera { what, .. }) => Err(what),
            Err(other) => Err(other.to_string()),
        }
    }
}

/// The models here have no skew. ROS's calibration of fisheye lenses gives one of a pixel or two by default.
fn check_skew(camera: &Camera, skew: f64) -> Result<(), String> {
    let Intrinsics { fx, fy, cy, .. } = camera.intrinsics;
    if skew.abs() <= REST * fx.abs() {
        return Ok(());
    }
    let by_px = skew.abs() * cy.abs().max((f64::from(camera.height) - cy).abs()) / fy.abs();
    if by_px.is_nan() || by_px > MOST_BY_SKEW * f64::from(camera.width) {
        return Err(format!(
            "camera_matrix must be [fx, 0, cx, 0, fy, cy, 0, 0, 1], got a skew of {skew} (pixels up to {by_px:.1} aside): \
             calibrate without skew"
        ));
    }
    let name = if camera.name.is_empty() { "camera" } else { &camera.name };
    tracing::warn!("{name}: a skew of {skew} pixels is dropped, which moves pixels by {by_px:.1} at most");
    Ok(())
}

/// P without a skew: which picture is made by rectification is free to choose, so nothing is lost.
fn projection(p: &Matrix3x4<f64>, given: &[f64]) -> Result<Matrix3x4<f64>, String> {
    if !p.iter().all(|value| value.is_finite()) {
        return Ok(*p);
    }
    let mut upright = *p;
    for (row, column) in [(1, 0), (2, 0), (2, 1)] {
        upright[(row, column)] = 0.0;
    }
    upright[(2, 2)] = 1.0;
    if (p - upright).amax() > REST || p[(2, 3)].abs() > 0.1 {
        return Err(format!("projection_matrix must be [fx, 0, cx, tx, 0, fy, cy, ty, 0, 0, 1, 0], got {given:?}"));
    }
    upright[(0, 1)] = 0.0;
    Ok(upright)
}

fn counted<const N: usize>(what: &str, values: &[f64]) -> Result<[f64; N], String> {
    let commas = if values.len() == 2 * N { " (decimal commas? numbers have points)" } else { "" };
    values.try_into().map_err(|_| format!("{what} must have {N} numbers, got {}{commas}", values.len()))
}

#[cfg(test)]
mod tests {
    use super::super::Distortion;
    use super::*;

    fn fisheye_of_ros(skew: f64) -> CameraNumbers {
        CameraNumbers {
            name: "cam".into(),
            width: 640,
            height: 480,
            k: vec![193.36, skew, 320.3, 0.0, 194.64, 237.7, 0.0, 0.0, 1.0],
            model: "equidistant".into(),
            d: vec![0.108, -0.865, 1.285, -0.4126],
            r: Vec::new(),
            p: vec![193.36, skew, 320.3, 0.0, 0.0, 194.64, 237.7, 0.0, 0.0, 0.0, 1.0, 0.0],
        }
    }

    #[test]
    fn the_small_skew_of_a_fisheye_calibrated_by_ros_is_dropped() {
        let camera = fisheye_of_ros(-1.713).into_camera().unwrap();
        assert_eq!(camera.intrinsics, Intrinsics { fx: 193.36, fy: 194.64, cx: 320.3, cy: 237.7 });
        assert_eq!(camera.distortion, Distortion::Equidistant([0.108, -0.865, 1.285, -0.4126]));
        assert_eq!(camera.projection[(0, 1)], 0.0);
        let error = fisheye_of_ros(-17.0).into_camera().unwrap_err();
        assert!(error.contains("skew of -17"), "{error}");
    }

    #[test]
    fn a_projection_of_another_form_is_refused() {
        for (place, value) in [(4, 3.0), (8, 0.1), (10, 2.0), (10, 0.0), (11, 5.0)] {
            let mut numbers = fisheye_of_ros(0.0);
            numbers.p[place] = value;
            assert!(numbers.into_camera().unwrap_err().contains("projection_matrix must be"), "{place}");
        }
    }

    #[test]
    fn twice_the_numbers_are_told_as_decimal_commas() {
        let mut numbers = fisheye_of_ros(0.0);
        numbers.k = [numbers.k.clone(), numbers.k].concat();
        assert!(numbers.into_camera().unwrap_err().contains("decimal commas"));
    }
}
