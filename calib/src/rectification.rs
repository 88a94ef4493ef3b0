//! Rectifying a stereo pair: turning both cameras so that a point appears on the same row in both.
//!
//! With `x_right = R x_left + t`, each camera is turned by half of R, then both by the smallest rotation that lays the
//! baseline `-Rᵀ t` on the x axis. Both get one plain pinhole: the smaller of the focal lengths, square pixels, and the
//! principal point that puts the rectified corners' mean, over both cameras, into the middle of the picture. So disparity is
//! zero at infinity, as ROS wants it, and the baseline is in the right camera's P.
//!
//! Reference: the method of J.-Y. Bouguet's *Camera Calibration Toolbox*, described in Bradski and Kaehler, *Learning
//! OpenCV* (2008), chapter 12.

use crate::CameraPair;
use nalgebra::{Isometry3, Matrix3, Point2, Rotation3, Translation3, UnitQuaternion, Vector2, Vector3};
use parallax_core::camera::{Camera, Intrinsics};

/// The pair with the R and P of its rectification; `right_from_left` in metres.
///
/// # Errors
/// What is wrong: the right camera is not to the right of the left one, the cameras look apart, or their pictures differ in
/// size.
pub fn of_pair(left: Camera, right: Camera, right_from_left: &Isometry3<f64>) -> Result<CameraPair, String> {
    let (size, other) = ((left.width, left.height), (right.width, right.height));
    if size != other {
        return Err(format!("the cameras of a pair must have one size, got {size:?} and {other:?}"));
    }
    let half = right_from_left.rotation.scaled_axis() / 2.0;
    let (half_from_left, half_from_right) = (Rotation3::new(half), Rotation3::new(-half));
    // Where the right camera is, in the frame half way between the two.
    let centre = -(half_from_right * right_from_left.translation.vector);
    let baseline_m = centre.norm();
    if !(baseline_m.is_finite() && baseline_m > 0.0 && centre.x > 0.0 && centre.x >= centre.y.abs().max(centre.z.abs()))
    {
        return Err(format!(
            "the right camera must be to the right of the left one, it is at ({:.4}, {:.4}, {:.4}) m",
            centre.x, centre.y, centre.z
        ));
    }
    let level = Rotation3::rotation_between(&centre, &Vector3::x()).unwrap_or_else(Rotation3::identity);
    let (of_left, of_right) = (level * half_from_left, level * half_from_right);
    let focal_px = [left.intrinsics, right.intrinsics].iter().map(|k| k.fx.min(k.fy)).fold(f64::INFINITY, f64::min);
    let (of_corners, of_right_corners) = (mean_of_corners(&left, &of_left), mean_of_corners(&right, &of_right));
    let (Some(a), Some(b)) = (of_corners, of_right_corners) else {
        return Err("the cameras look apart: a picture's corner lies behind the rectified pair".into());
    };
    let mean = (a + b) / 2.0;
    let (middle_x, middle_y) = ((f64::from(size.0) - 1.0) / 2.0, (f64::from(size.1) - 1.0) / 2.0);
    let (cx, cy) = (middle_x - focal_px * mean.x, middle_y - focal_px * mean.y);
    let projection = Camera::pinhole("", size.0, size.1, Intrinsics { fx: focal_px, fy: focal_px, cx, cy }).projection;
    let rectified =
        |camera: Camera, turn: Rotation3<f64>| Camera { rectification: turn.into_inner(), projection, ..camera };
    Ok(CameraPair { left: rectified(left, of_left), right: Some(rectified(right, of_right).with_baseline(baseline_m)) })
}

/// Mean of a picture's corners as rays of the turned camera at z = 1; the optical axis stands in for corners that the lens
/// model cannot reach. None when one of them lies behind.
fn mean_of_corners(camera: &Camera, turn: &Rotation3<f64>) -> Option<Vector2<f64>> {
    let (width, height) = (f64::from(camera.width), f64::from(camera.height));
    let corners = [(-0.5, -0.5), (width - 0.5, -0.5), (-0.5, height - 0.5), (width - 0.5, height - 0.5)];
    let rays = corners.map(|(u, v)| turn * camera.unproject(Point2::new(u, v)).unwrap_or_else(Vector3::z));
    let at_unit_depth = rays.iter().map(|ray| (ray.z > 0.0).then(|| ray.xy() / ray.z)).collect::<Option<Vec<_>>>()?;
    Some(at_unit_depth.iter().sum::<Vector2<f64>>() / corners.len() as f64)
}

/// A rotation matrix as files print it, and a translation; the nearest rotation is taken.
pub fn isometry(rotation: &Matrix3<f64>, translation: Vector3<f64>) -> Isometry3<f64> {
    Isometry3::from_parts(Translation3::from(translation), UnitQuaternion::from_matrix(rotation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point3;
    use parallax_core::camera::Distortion;
    use proptest::prelude::*;

    fn camera(fx: f64) -> Camera {
        let lens = Distortion::PlumbBob([-0.27, 0.05, 1e-3, -2e-4, 0.0]);
        let k = Intrinsics { fx, fy: fx * 1.01, cx: 330.0, cy: 236.0 };
        Camera { distortion: lens, ..Camera::pinhole("", 640, 480, k) }
    }

    proptest! {
        #[test]
        fn a_point_is_on_one_row_in_both_and_its_disparity_tells_its_depth(
            turn in prop::array::uniform3(-0.08f64..0.08),
            aside in prop::array::uniform2(-0.03f64..0.03),
            point in prop::array::uniform3(-1.0f64..1.0),
        ) {
            let place = Vector3::new(-0.12, aside[0] * 0.1, aside[1] * 0.1);
            let right_from_left = Isometry3::new(place, Vector3::from(turn));
            let pair = of_pair(camera(530.0), camera(541.0), &right_from_left).unwrap();
            let right = pair.right.clone().unwrap();
            let in_left = Point3::new(point[0], point[1] * 0.7, 4.0 + point[2]);
            let project = |camera: &Camera, point: Point3<f64>| {
                let pixel = camera.projection * Point3::from(camera.rectification * point.coords).to_homogeneous();
                (pixel.x / pixel.z, pixel.y / pixel.z)
            };
            // P of the right camera takes points of the left rectified frame.
            let (in_rectified, in_right) = (pair.left.rectification * in_left.coords, right_from_left * in_left);
            let (u, v) = project(&pair.left, in_left);
            let seen = right.projection.fixed_view::<3, 3>(0, 0) * (right.rectification * in_right.coords);
            let (u_right, v_right) = (seen.x / seen.z, seen.y / seen.z);
            prop_assert!((v - v_right).abs() < 1e-9, "{v} {v_right}");
            let depth = right.projection[(0, 0)] * right.baseline_m().unwrap() / (u - u_right);
            prop_assert!((depth - in_rectified.z).abs() < 1e-9 * depth);
        }

        #[test]
        fn the_pair_tells_where_its_right_camera_is(
            turn in prop::array::uniform3(-0.08f64..0.08), aside in prop::array::uniform2(-0.01f64..0.01),
        ) {
            let known = Isometry3::new(Vector3::new(-0.12, aside[0], aside[1]), Vector3::from(turn));
            let found = of_pair(camera(530.0), camera(541.0), &known).unwrap().right_from_left().unwrap();
            prop_assert!((found.to_homogeneous() - known.to_homogeneous()).amax() < 1e-12);
        }
    }

    #[test]
    fn swapped_cameras_and_cameras_of_other_sizes_are_refused() {
        let swapped = Isometry3::translation(0.12, 0.0, 0.0);
        assert!(of_pair(camera(530.0), camera(530.0), &swapped).unwrap_err().contains("to the right"));
        let above = Isometry3::translation(-0.01, 0.2, 0.0);
        assert!(of_pair(camera(530.0), camera(530.0), &above).is_err());
        let small = camera(530.0).resized(320, 240);
        assert!(of_pair(camera(530.0), small, &swapped.inverse()).unwrap_err().contains("one size"));
    }
}
