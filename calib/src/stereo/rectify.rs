//! Rectification: both cameras turned so that their axes are parallel and their rows run along the baseline.
//!
//! Each camera is turned by half of the rotation between them, so that neither picture is bent more than the other, then
//! both by the same rotation that lays the baseline along x. The common focal length is the shortest with which every
//! rectified pixel shows something in both pictures.
//!
//! Reference: Bouguet's method as described in OpenCV's `stereoRectify`; Fusiello, Trucco and Verri, *A compact algorithm
//! for rectification of stereo pairs*, 2000.

use nalgebra::{Isometry3, Matrix3, Point2, Point3, UnitQuaternion, Vector3};
use parallax_core::camera::{Camera, Intrinsics};

/// How far apart the rows of the same points are, pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Epipolar {
    /// Root mean square.
    pub rms_px: f64,
    /// Mean of the absolute values.
    pub mean_px: f64,
    /// The largest absolute value.
    pub worst_px: f64,
}

pub(super) struct Rectification {
    pub(super) rotations: [Matrix3<f64>; 2],
    pub(super) intrinsics: Intrinsics,
}

impl Rectification {
    /// The rows of a pair of pixels after rectification; none where a lens has no inverse.
    pub(super) fn rows(&self, cameras: &[Camera; 2], pixels: &[Point2<f64>; 2]) -> Option<[f64; 2]> {
        let row = |index: usize| {
            let ray = self.rotations[index] * cameras[index].unproject(pixels[index])?;
            (ray.z > 0.0).then(|| self.intrinsics.fy * ray.y / ray.z + self.intrinsics.cy)
        };
        Some([row(0)?, row(1)?])
    }
}

pub(super) fn rectification(cameras: &[Camera; 2], right_from_left: &Isometry3<f64>) -> Rectification {
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

pub(super) fn rows_apart(rows: impl Iterator<Item = Option<[f64; 2]>>) -> Epipolar {
    let apart: Vec<f64> = rows.flatten().map(|[left, right]| left - right).collect();
    let count = apart.len().max(1) as f64;
    Epipolar {
        rms_px: (apart.iter().map(|d| d * d).sum::<f64>() / count).sqrt(),
        mean_px: apart.iter().map(|d| d.abs()).sum::<f64>() / count,
        worst_px: apart.iter().fold(0.0, |worst, d| d.abs().max(worst)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_core::camera::Distortion;

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
        for index in 0..2 {
            assert!(shows_everywhere(&cameras[index], &found.rotations[index], found.intrinsics));
        }
    }
}
