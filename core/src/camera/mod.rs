//! How rays become pixels: a pinhole with a lens, as ROS describes it.
//!
//! A point `(x, y, z)` in the camera frame (x right, y down, z forward, metres) is divided by z, bent by the lens
//! ([`Distortion`]) and scaled: `u = fx x' + cx`, `v = fy y' + cy`. Pixel centres are at integers, so the picture
//! covers `[-0.5, width - 0.5)`.
//!
//! References: OpenCV's camera model documentation (`plumb_bob`, `rational_polynomial`, `equidistant`); ROS
//! `sensor_msgs/CameraInfo` (rectification `R`, projection `P`, stereo baseline in the right camera's `P`).

mod calibration_form;
mod calibration_keys;
mod calibration_node;
mod calibration_text;
mod distortion;
mod identity;
mod lens_name;
mod numbers;
mod rectified_depth;
pub mod rectify;
pub mod ros_yaml;
mod stereo;

pub use calibration_form::CalibrationForm;
pub use calibration_keys::{is_harmless, part_of_the_sensor, words_of};
pub use calibration_node::CalibrationNode;
pub use calibration_text::read_calibration_text;
pub use distortion::Distortion;
pub use identity::CameraIdentity;
pub use lens_name::{LensFamily, lens_family, lens_of};
pub use numbers::CameraNumbers;
pub use rectified_depth::rectified_depth;
pub use stereo::{LONGEST_BASELINE_M, SHORTEST_BASELINE_M, baseline_of_pair};

use crate::{Error, Result};
use nalgebra::{Matrix3, Matrix3x4, Point2, Point3, Vector3};

/// Focal lengths and principal point, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intrinsics {
    /// Horizontal focal length.
    pub fx: f64,
    /// Vertical focal length.
    pub fy: f64,
    /// Column of the principal point.
    pub cx: f64,
    /// Row of the principal point.
    pub cy: f64,
}

impl Intrinsics {
    /// The 3×3 matrix K.
    pub fn matrix(&self) -> Matrix3<f64> {
        Matrix3::new(self.fx, 0.0, self.cx, 0.0, self.fy, self.cy, 0.0, 0.0, 1.0)
    }

    /// From K or the left part of P.
    pub fn from_matrix(k: &Matrix3<f64>) -> Self {
        Self { fx: k[(0, 0)], fy: k[(1, 1)], cx: k[(0, 2)], cy: k[(1, 2)] }
    }
}

/// One calibrated camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Name, such as `left`.
    pub name: String,
    /// Width of its pictures in pixels.
    pub width: u32,
    /// Height of its pictures in pixels.
    pub height: u32,
    /// Focal lengths and principal point of the picture as taken.
    pub intrinsics: Intrinsics,
    /// How the lens bends rays.
    pub distortion: Distortion,
    /// `R`: rotation from the camera's frame to the rectified frame.
    pub rectification: Matrix3<f64>,
    /// `P`: projection of the rectified camera; column 4 holds `-fx' · baseline` for the right camera of a pair.
    pub projection: Matrix3x4<f64>,
}

impl Camera {
    /// A camera without lens distortion whose pictures are already rectified.
    pub fn pinhole(name: &str, width: u32, height: u32, intrinsics: Intrinsics) -> Self {
        let mut projection = Matrix3x4::zeros();
        projection.fixed_view_mut::<3, 3>(0, 0).copy_from(&intrinsics.matrix());
        Self {
            name: name.to_owned(),
            width,
            height,
            intrinsics,
            distortion: Distortion::None,
            rectification: Matrix3::identity(),
            projection,
        }
    }

    /// This camera as the right one of a pair, `baseline_m` metres to the right of the left one.
    #[must_use]
    pub fn with_baseline(mut self, baseline_m: f64) -> Self {
        self.projection[(0, 3)] = -self.projection[(0, 0)] * baseline_m;
        self
    }

    /// Distance to the left camera in metres, for the right camera of a pair.
    pub fn baseline_m(&self) -> Option<f64> {
        let offset_px_m = self.projection[(0, 3)];
        (offset_px_m != 0.0).then(|| -offset_px_m / self.projection[(0, 0)])
    }

    /// Whether pictures must be undistorted or rotated before they fit a plain pinhole.
    pub fn needs_rectification(&self) -> bool {
        let k = self.projection.fixed_view::<3, 3>(0, 0);
        self.distortion != Distortion::None
            || (self.rectification - Matrix3::identity()).amax() > 1e-9
            || (k - self.intrinsics.matrix()).amax() > 1e-6 * self.intrinsics.fx
    }

    /// The plain pinhole that rectified pictures of this camera follow; the stereo baseline stays in its `P`.
    #[must_use]
    pub fn rectified(&self) -> Self {
        let k = self.projection.fixed_view::<3, 3>(0, 0).into_owned();
        Self {
            intrinsics: Intrinsics::from_matrix(&k),
            distortion: Distortion::None,
            rectification: Matrix3::identity(),
            ..self.clone()
        }
    }

    /// The pixel at which a point of the camera frame appears, also outside the picture's borders; none for a
    /// point that is not in front of the camera or that the lens model cannot reach.
    pub fn project(&self, point_in_camera: &Point3<f64>) -> Option<Point2<f64>> {
        if point_in_camera.z <= 0.0 {
            return None;
        }
        let ray = Point2::new(point_in_camera.x / point_in_camera.z, point_in_camera.y / point_in_camera.z);
        let bent = self.distortion.distort(ray)?;
        let Intrinsics { fx, fy, cx, cy } = self.intrinsics;
        Some(Point2::new(fx * bent.x + cx, fy * bent.y + cy))
    }

    /// The ray through a pixel, scaled to z = 1; none where the lens model has no inverse.
    pub fn unproject(&self, pixel: Point2<f64>) -> Option<Vector3<f64>> {
        let Intrinsics { fx, fy, cx, cy } = self.intrinsics;
        let ray = self.distortion.undistort(Point2::new((pixel.x - cx) / fx, (pixel.y - cy) / fy))?;
        Some(Vector3::new(ray.x, ray.y, 1.0))
    }

    /// The camera of the same pictures resized to another size: `u' = (u + ½) s - ½`.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let (sx, sy) = (f64::from(width) / f64::from(self.width), f64::from(height) / f64::from(self.height));
        let scale = Matrix3::new(sx, 0.0, 0.5 * sx - 0.5, 0.0, sy, 0.5 * sy - 0.5, 0.0, 0.0, 1.0);
        self.transformed(width, height, &scale)
    }

    /// The camera of the same pictures cropped to `width × height` pixels from column `x` and row `y` on.
    #[must_use]
    pub fn cropped(&self, x: u32, y: u32, width: u32, height: u32) -> Self {
        let shift = Matrix3::new(1.0, 0.0, -f64::from(x), 0.0, 1.0, -f64::from(y), 0.0, 0.0, 1.0);
        self.transformed(width, height, &shift)
    }

    fn transformed(&self, width: u32, height: u32, pixels_from_old: &Matrix3<f64>) -> Self {
        Self {
            width,
            height,
            intrinsics: Intrinsics::from_matrix(&(pixels_from_old * self.intrinsics.matrix())),
            projection: pixels_from_old * self.projection,
            ..self.clone()
        }
    }

    /// Checks that the numbers can be those of a camera.
    ///
    /// # Errors
    /// [`Error::Camera`] that names the first number that cannot be right.
    pub fn validate(&self) -> Result<()> {
        match self.fault() {
            None => Ok(()),
            Some(what) => Err(Error::Camera { what, path: None }),
        }
    }

    fn fault(&self) -> Option<String> {
        let Intrinsics { fx, fy, cx, cy } = self.intrinsics;
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        if self.width == 0 || self.height == 0 {
            return Some(format!("a camera's pictures have a size, got {width}x{height}"));
        }
        if ![fx, fy, cx, cy].iter().all(|value| value.is_finite()) {
            return Some(format!("intrinsics must be finite, got fx = {fx}, fy = {fy}, cx = {cx}, cy = {cy}"));
        }
        if fx <= 0.0 || fy <= 0.0 {
            return Some(format!("focal lengths must be positive, got fx = {fx}, fy = {fy}"));
        }
        // 0.1 widths is a field of view of 157 degrees, 20 widths one of 3: beyond that a unit or size is wrong.
        if !(0.1 * width..20.0 * width).contains(&fx) || !(0.1 * height..40.0 * height).contains(&fy) {
            return Some(format!("focal lengths fx = {fx}, fy = {fy} do not fit a {width}x{height} picture"));
        }
        // Where a picture was cropped out of another one, the centre is far from its middle, but still in it: the networks
        // and losses that are fed from here know no other pictures. A pixel of grace, for tools that count from corners.
        if !(-1.0..=width).contains(&cx) || !(-1.0..=height).contains(&cy) {
            return Some(format!("the principal point ({cx}, {cy}) is outside of the {width}x{height} picture"));
        }
        if !self.projection.iter().chain(self.rectification.iter()).all(|value| value.is_finite()) {
            return Some("rectification and projection must be finite".to_owned());
        }
        if let Some(fault) = self.fault_of_rectification() {
            return Some(fault);
        }
        (!self.distortion.coefficients().iter().all(|value| value.is_finite()))
            .then(|| "distortion coefficients must be finite".to_owned())
    }

    fn fault_of_rectification(&self) -> Option<String> {
        let r = self.rectification;
        let error = (r * r.transpose() - Matrix3::identity()).amax();
        // 1e-3: files print R with as few as four digits.
        if error > 1e-3 || r.determinant() < 0.0 {
            return Some(format!("rectification_matrix must be a rotation, it is {error:.1e} off"));
        }
        let p = Intrinsics::from_matrix(&self.projection.fixed_view::<3, 3>(0, 0).into_owned());
        if p.fx <= 0.0 || p.fy <= 0.0 {
            return Some(format!(
                "projection_matrix must have positive focal lengths, got fx = {}, fy = {}",
                p.fx, p.fy
            ));
        }
        // Toed-in cameras look past the middle of their rectified pictures, but not far.
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        let is_near = (-width..2.0 * width).contains(&p.cx) && (-height..2.0 * height).contains(&p.cy);
        (!is_near).then(|| {
            format!(
                "projection_matrix has its principal point ({}, {}) far outside of the {width}x{height} picture",
                p.cx, p.cy
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wide_camera(distortion: Distortion) -> Camera {
        let intrinsics = Intrinsics { fx: 400.0, fy: 410.0, cx: 321.5, cy: 238.0 };
        Camera { distortion, ..Camera::pinhole("test", 640, 480, intrinsics) }
    }

    #[test]
    fn a_point_behind_the_camera_has_no_pixel() {
        assert_eq!(wide_camera(Distortion::None).project(&Point3::new(0.1, 0.1, -1.0)), None);
    }

    #[test]
    fn the_baseline_lives_in_the_projection_and_survives_resizing() {
        let right = wide_camera(Distortion::None).with_baseline(0.12);
        assert!((right.baseline_m().unwrap() - 0.12).abs() < 1e-12);
        assert!((right.resized(320, 240).baseline_m().unwrap() - 0.12).abs() < 1e-12);
        assert_eq!(wide_camera(Distortion::None).baseline_m(), None);
    }

    #[test]
    fn resizing_keeps_the_outer_corners_of_the_picture_in_place() {
        let camera = wide_camera(Distortion::None);
        let half = camera.resized(320, 240);
        for corner in [Point2::new(-0.5, -0.5), Point2::new(639.5, 479.5)] {
            let half_corner = Point2::new((corner.x + 0.5) / 2.0 - 0.5, (corner.y + 0.5) / 2.0 - 0.5);
            let difference = camera.unproject(corner).unwrap() - half.unproject(half_corner).unwrap();
            assert!(difference.norm() < 1e-12);
        }
    }

    #[test]
    fn absurd_cameras_are_refused_with_the_number_at_fault() {
        let mut camera = wide_camera(Distortion::None);
        camera.intrinsics.fx = 0.0;
        assert!(camera.validate().unwrap_err().to_string().contains("fx = 0"));
        camera.intrinsics.fx = f64::NAN;
        assert!(camera.validate().unwrap_err().to_string().contains("finite"));
        camera.intrinsics.fx = 400_000.0;
        assert!(camera.validate().unwrap_err().to_string().contains("do not fit"));
        for (cx, cy) in [(-1.5, 240.0), (640.5, 240.0), (320.0, -1.1), (320.0, 481.0), (1213.0, 170.0)] {
            let mut camera = wide_camera(Distortion::None);
            (camera.intrinsics.cx, camera.intrinsics.cy) = (cx, cy);
            assert!(camera.validate().unwrap_err().to_string().contains("outside of the 640x480 picture"), "{cx} {cy}");
        }
        assert!(wide_camera(Distortion::None).validate().is_ok());
    }

    proptest! {
        #[test]
        fn unprojecting_undoes_projecting(x in -1.0f64..1.0, y in -0.7f64..0.7, z in 0.2f64..50.0, lens in 0usize..4) {
            let distortion = [
                Distortion::None,
                Distortion::PlumbBob([-0.28, 0.07, 1e-3, -5e-4, -0.008]),
                Distortion::RationalPolynomial([0.5, 0.1, 1e-4, 2e-4, 0.01, 0.8, 0.2, 0.02]),
                Distortion::Equidistant([-0.01, 0.02, -0.008, 0.001]),
            ][lens];
            let camera = wide_camera(distortion);
            let point = Point3::new(x * 0.8 * z, y * 0.8 * z, z);
            let ray = camera.unproject(camera.project(&point).unwrap()).unwrap();
            prop_assert!((ray * z - point.coords).norm() < 1e-6 * z, "{ray} for {point}");
        }

        #[test]
        fn cropping_shifts_pixels(x in 0u32..100, y in 0u32..100) {
            let camera = wide_camera(Distortion::PlumbBob([-0.2, 0.05, 0.0, 0.0, 0.0]));
            let point = Point3::new(0.2, -0.1, 2.0);
            let (whole, crop) = (camera.project(&point).unwrap(), camera.cropped(x, y, 300, 300).project(&point).unwrap());
            prop_assert!((whole.x - f64::from(x) - crop.x).abs() < 1e-9 && (whole.y - f64::from(y) - crop.y).abs() < 1e-9);
        }
    }
}
