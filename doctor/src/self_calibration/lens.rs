//! From pixels to rays and back, with a focal length that is scaled and one coefficient of distortion.

use nalgebra::{Matrix2, Matrix2x3, Vector2, Vector3};
use parallax_core::camera::Intrinsics;

/// The direction of a pixel, `x / z` and `y / z`.
pub(super) fn undistorted([x, y]: [f32; 2], k: &Intrinsics, lens: Vector2<f64>) -> Vector2<f64> {
    let scale = lens[0].exp();
    let bent = Vector2::new((f64::from(x) - k.cx) / (k.fx * scale), (f64::from(y) - k.cy) / (k.fy * scale));
    let mut ray = bent;
    // Fixed point of r = bent / (1 + k r²); lenses here bend by less than a third, where it contracts.
    for _ in 0..8 {
        ray = bent / (1.0 + lens[1] * ray.norm_squared().min(2.0)).max(0.5);
    }
    ray
}

/// The pixel of a place in front of the camera.
pub(super) fn projected(place: &Vector3<f64>, k: &Intrinsics, lens: Vector2<f64>) -> Vector2<f64> {
    let ray = place.xy() / place.z;
    let bent = ray * (1.0 + lens[1] * ray.norm_squared().min(2.0)) * lens[0].exp();
    Vector2::new(k.fx * bent.x + k.cx, k.fy * bent.y + k.cy)
}

/// The derivative of [`projected`] by the place.
pub(super) fn derivative(place: &Vector3<f64>, k: &Intrinsics, lens: Vector2<f64>) -> Matrix2x3<f64> {
    let ray = place.xy() / place.z;
    let by_ray = Matrix2::identity() * (1.0 + lens[1] * ray.norm_squared()) + ray * ray.transpose() * (2.0 * lens[1]);
    let by_place = Matrix2x3::new(1.0, 0.0, -ray.x, 0.0, 1.0, -ray.y) / place.z;
    Matrix2::new(k.fx, 0.0, 0.0, k.fy) * by_ray * by_place * lens[0].exp()
}
