//! Rectification: both cameras turned so that their axes are parallel and their rows run along the baseline.
//!
//! Each camera is turned by half of the rotation between them, so that neither picture is bent more than the other, then
//! both by the same rotation that lays the baseline along x. The common focal length is the shortest with which every
//! rectified pixel shows something in both pictures.
//!
//! Reference: Bouguet's method as described in OpenCV's `stereoRectify`; Fusiello, Trucco and Verri, *A compact algorithm
//! for rectification of stereo pairs*, 2000.

pub use crate::isometry::isometry;

use crate::CameraPair;
use nalgebra::{Isometry3, Matrix3, Point2, Point3, UnitQuaternion, Vector3};
use parallax_core::camera::{Camera, Intrinsics};

/// How far apart the rows of the same points are, pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epipolar {
    /// Mean of the absolute values in the median view: one view with wrong corners or a late picture does not move it.
    pub typical_px: f64,
    /// Root mean square over all points.
    pub rms_px: f64,
    /// Mean of the absolute values over all points.
    pub mean_px: f64,
    /// The largest absolute value.
    pub worst_px: f64,
}

impl Epipolar {
    /// Of points that both cameras never saw together: not a number, which is never small enough.
    pub(crate) const UNKNOWN: Self =
        Self { typical_px: f64::NAN, rms_px: f64::NAN, mean_px: f64::NAN, worst_px: f64::NAN };
}

pub(crate) struct Rectification {
    pub(crate) rotations: [Matrix3<f64>; 2],
    pub(crate) intrinsics: Intrinsics,
}

impl Rectification {
    /// The rows of a pair of pixels after rectification; none where a lens has no inverse.
    pub(crate) fn rows(&self, cameras: &[Camera; 2], pixels: &[Point2<f64>; 2]) -> Option<[f64; 2]> {
        let row = |index: usize| {
            let ray = self.rotations[index] * cameras[index].unproject(pixels[index])?;
            (ray.z > 0.0).then(|| self.intrinsics.fy * ray.y / ray.z + self.intrinsics.cy)
        };
        Some([row(0)?, row(1)?])
    }
}

/// The pair with the R and P of its rectification; `right_from_left` in metres.
///
/// # Errors
/// What is wrong: the right camera is not to the right of the left one, or their pictures differ in size.
pub fn of_pair(left: Camera, right: Camera, right_from_left: &Isometry3<f64>) -> Result<CameraPair, String> {
    let (size, other) = ((left.width, left.height), (right.width, right.height));
    if size != other {
        return Err(format!("the cameras of a pair must have one size, got {size:?} and {other:?}"));
    }
    let place = -(right_from_left.rotation.inverse() * right_from_left.translation.vector);
    let baseline_m = place.norm();
    if !(baseline_m.is_finite() && place.x > 0.0 && place.x >= place.y.abs().max(place.z.abs())) {
        return Err(format!(
            "the right camera must be to the right of the left one, it is at ({:.4}, {:.4}, {:.4}) m",
            place.x, place.y, place.z
        ));
    }
    let cameras = [left, right];
    let found = rectification(&cameras, right_from_left);
    let [left, right] = cameras;
    let projection = Camera::pinhole("", size.0, size.1, found.intrinsics).projection;
    let turned = |camera: Camera, rectification| Camera { rectification, projection, ..camera };
    Ok(CameraPair {
        left: turned(left, found.rotations[0]),
        right: Some(turned(right, found.rotations[1]).with_baseline(baseline_m)),
    })
}

pub(crate) fn rectification(cameras: &[Camera; 2], right_from_left: &Isometry3<f64>) -> Rectification {
    let half = UnitQuaternion::from_scaled_axis(right_from_left.rotation.scaled_axis() / 2.0);
    let baseline = half.inverse() * right_from_left.translation.vector;
    // The left camera's origin lies on the right one's negative x axis.
    let level = UnitQuaternion::rotation_between(&baseline, &-Vector3::x()).unwrap_or_default();
    let rotations = [level * half, level * half.inverse()].map(|turn| turn.to_rotation_matrix().into_inner());
    let intrinsics = intrinsics(cameras, &rotations);
    Rectification { rotations, intrinsics }
}

/// Bisections of the focal length; its interval shrinks to a ten-thousandth of a pixel.
const BISECTIONS: usize = 24;

fn intrinsics(cameras: &[Camera; 2], rotations: &[Matrix3<f64>; 2]) -> Intrinsics {
    let focal = |camera: &Camera| (camera.intrinsics.fx + camera.intrinsics.fy) / 2.0;
    let mean = (focal(&cameras[0]) + focal(&cameras[1])) / 2.0;
    let middle = [0, 1].map(|index| middle_of_view(&cameras[index], &rotations[index]));
    let (x, y) = ((middle[0].x + middle[1].x) / 2.0, (middle[0].y + middle[1].y) / 2.0);
    let with = |f: f64| {
        let (width, height) = (f64::from(cameras[0].width), f64::from(cameras[0].height));
        Intrinsics { fx: f, fy: f, cx: (width - 1.0) / 2.0 - f * x, cy: (height - 1.0) / 2.0 - f * y }
    };
    let is_full = |f: f64| [0, 1].iter().all(|&index| shows_everywhere(&cameras[index], &rotations[index], with(f)));
    let (mut least, mut most) = (0.4 * mean, 2.0 * mean);
    // Very wide lenses would have to be magnified out of all proportion.
    if !is_full(most) {
        return with(mean);
    }
    for _ in 0..BISECTIONS {
        let f = (least + most) / 2.0;
        if is_full(f) {
            most = f;
        } else {
            least = f;
        }
    }
    with(most)
}

/// Where the rectified camera sees the middle of the picture, at z = 1.
fn middle_of_view(camera: &Camera, rotation: &Matrix3<f64>) -> Point2<f64> {
    let middle = Point2::new((f64::from(camera.width) - 1.0) / 2.0, (f64::from(camera.height) - 1.0) / 2.0);
    let ray = rotation * camera.unproject(middle).unwrap_or_else(Vector3::z);
    Point2::new(ray.x / ray.z, ray.y / ray.z)
}

/// Whether the pixels along the border of the rectified picture all come from within the picture as taken.
fn shows_everywhere(camera: &Camera, rotation: &Matrix3<f64>, k: Intrinsics) -> bool {
    let (right, bottom) = (f64::from(camera.width) - 1.0, f64::from(camera.height) - 1.0);
    let along = |part: u32| f64::from(part) / 16.0;
    (0..=16)
        .flat_map(|part| {
            let (x, y) = (along(part) * right, along(part) * bottom);
            [(x, 0.0), (x, bottom), (0.0, y), (right, y)]
        })
        .all(|(u, v)| {
            let ray = rotation.transpose() * Vector3::new((u - k.cx) / k.fx, (v - k.cy) / k.fy, 1.0);
            let source = camera.project(&Point3::from(ray));
            source.is_some_and(|pixel| (0.0..=right).contains(&pixel.x) && (0.0..=bottom).contains(&pixel.y))
        })
}

/// Rows of the points of each view in the left and the right picture, none where a lens has no inverse; none when no view
/// has any.
pub(crate) fn rows_apart(views: impl Iterator<Item = Vec<Option<[f64; 2]>>>) -> Option<Epipolar> {
    let of_view = |rows: Vec<Option<[f64; 2]>>| -> Vec<f64> {
        rows.into_iter().flatten().map(|[left, right]| (left - right).abs()).collect()
    };
    let views: Vec<Vec<f64>> = views.map(of_view).filter(|view| !view.is_empty()).collect();
    let mean = |view: &[f64]| view.iter().sum::<f64>() / view.len() as f64;
    let mut means: Vec<f64> = views.iter().map(|view| mean(view)).collect();
    means.sort_by(f64::total_cmp);
    let typical_px = *means.get(means.len() / 2)?;
    let apart = views.concat();
    let squares: Vec<f64> = apart.iter().map(|d| d * d).collect();
    let worst_px = apart.iter().copied().fold(0.0, f64::max);
    Some(Epipolar { typical_px, rms_px: mean(&squares).sqrt(), mean_px: mean(&apart), worst_px })
}

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_core::camera::Distortion;
    use proptest::prelude::*;

    #[test]
    fn a_point_comes_into_the_same_row_and_its_disparity_says_its_depth() {
        let k = Intrinsics { fx: 500.0, fy: 505.0, cx: 322.0, cy: 236.0 };
        let lens = Distortion::PlumbBob([-0.2, 0.05, 1e-3, -5e-4, 0.0]);
        let camera = Camera { distortion: lens, ..Camera::pinhole("left", 640, 480, k) };
        let cameras = [camera.clone(), camera];
        let rotation = UnitQuaternion::from_euler_angles(0.02, -0.05, 0.01);
        let right_from_left = Isometry3::from_parts(Vector3::new(-0.1, 0.004, 0.006).into(), rotation);
        let found = rectification(&cameras, &right_from_left);
        let point = Point3::new(0.2, -0.1, 1.5);
        let pixels = [cameras[0].project(&point).unwrap(), cameras[1].project(&(right_from_left * point)).unwrap()];
        let [left, right] = found.rows(&cameras, &pixels).unwrap();
        assert!((left - right).abs() < 1e-6, "{left} {right}");
        let column = |index: usize| {
            let ray = found.rotations[index] * cameras[index].unproject(pixels[index]).unwrap();
            found.intrinsics.fx * ray.x / ray.z
        };
        let depth = (found.rotations[0] * point.coords).z;
        let expected = found.intrinsics.fx * right_from_left.translation.vector.norm() / depth;
        assert!((column(0) - column(1) - expected).abs() < 1e-6);
        for (camera, rotation) in cameras.iter().zip(&found.rotations) {
            assert!(shows_everywhere(camera, rotation, found.intrinsics));
        }
    }

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
