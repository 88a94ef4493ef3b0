//! The numbers of a camera as ROS, Foxglove, OpenCV and Kalibr carry them, checked on their way to a [`Camera`].

use super::{Camera, Distortion, Intrinsics};
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
    /// Name of the lens model, as ROS or Foxglove say it.
    pub model: String,
    /// Coefficients of the lens model; none: a lens without distortion.
    pub d: Vec<f64>,
    /// R, 9 numbers; empty: the identity.
    pub r: Vec<f64>,
    /// P, 12 numbers; empty or all zero: `[K | 0]`.
    pub p: Vec<f64>,
}

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

    /// The camera, every number and count checked.
    ///
    /// # Errors
    /// What was expected and found, when a number or a count is wrong.
    pub fn into_camera(self) -> Result<Camera, String> {
        let k = Matrix3::from_row_slice(&counted::<9>("camera_matrix", &self.k)?);
        let intrinsics = Intrinsics::from_matrix(&k);
        if k.iter().all(|value| value.is_finite()) && k != intrinsics.matrix() {
            return Err(format!("camera_matrix must be [fx, 0, cx, 0, fy, cy, 0, 0, 1], got {:?}", self.k));
        }
        let mut camera = Camera::pinhole(&self.name, self.width, self.height, intrinsics);
        camera.distortion = distortion(&self.model, &self.d)?;
        if !self.r.is_empty() {
            camera.rectification = Matrix3::from_row_slice(&counted::<9>("rectification_matrix", &self.r)?);
        }
        // Drivers write an all-zero P for "not calibrated as a pair".
        if self.p.iter().any(|&value| value != 0.0) {
            camera.projection = Matrix3x4::from_row_slice(&counted::<12>("projection_matrix", &self.p)?);
        }
        match camera.validate() {
            Ok(()) => check_rectified(&camera).map_or(Ok(camera), Err),
            Err(Error::Camera { what, .. }) => Err(what),
            Err(other) => Err(other.to_string()),
        }
    }
}

/// What is wrong with R and P, if anything is.
fn check_rectified(camera: &Camera) -> Option<String> {
    let r = camera.rectification;
    let error = (r * r.transpose() - Matrix3::identity()).amax();
    // 1e-3: files print R with as few as four digits.
    if error > 1e-3 || r.determinant() < 0.0 {
        return Some(format!("rectification_matrix must be a rotation, it is {error:.1e} off"));
    }
    let (fx, fy) = (camera.projection[(0, 0)], camera.projection[(1, 1)]);
    (fx <= 0.0 || fy <= 0.0)
        .then(|| format!("projection_matrix must have positive focal lengths, got fx = {fx}, fy = {fy}"))
}

fn distortion(model: &str, d: &[f64]) -> Result<Distortion, String> {
    if d.is_empty() {
        return Ok(Distortion::None);
    }
    match model {
        // Some writers leave out k3.
        "plumb_bob" if d.len() == 4 => distortion(model, &[d[0], d[1], d[2], d[3], 0.0]),
        "plumb_bob" | "rational_polynomial" if d.iter().all(|&value| value == 0.0) => Ok(Distortion::None),
        "plumb_bob" => counted("distortion_coefficients of plumb_bob", d).map(Distortion::PlumbBob),
        "rational_polynomial" => {
            counted("distortion_coefficients of rational_polynomial", d).map(Distortion::RationalPolynomial)
        }
        // Foxglove's name for the same lens.
        "equidistant" | "kannala_brandt" | "fisheye" => {
            counted("distortion_coefficients of equidistant", d).map(Distortion::Equidistant)
        }
        "" | "none" if d.iter().all(|&value| value == 0.0) => Ok(Distortion::None),
        other => Err(format!("distortion_model must be plumb_bob, rational_polynomial or equidistant, got {other:?}")),
    }
}

fn counted<const N: usize>(what: &str, values: &[f64]) -> Result<[f64; N], String> {
    values.try_into().map_err(|_| format!("{what} must have {N} numbers, got {}", values.len()))
}
