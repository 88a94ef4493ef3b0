//! Lens models as a solver sees them: a list of numbers, a projection and its derivatives.
//!
//! The numbers of a camera are `fx, fy, cx, cy` and then the coefficients in ROS's order. The formulas are those of
//! [`parallax_core::camera::Distortion`]; here they are derived by the point and by every number.

use nalgebra::{Matrix2, Matrix2x3, Point2, Vector2, Vector3};
use parallax_core::camera::{Camera, Distortion, Intrinsics};
use serde::{Deserialize, Serialize};

/// Which lens model to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lens {
    /// k1, k2, p1, p2, k3: ordinary lenses.
    #[default]
    PlumbBob,
    /// k1, k2, p1, p2, k3, k4, k5, k6: wide lenses up to about 120 degrees.
    RationalPolynomial,
    /// k1 to k4 of the angle: fisheye lenses.
    Equidistant,
}

/// Most numbers that a camera has here.
pub(crate) const MOST_NUMBERS: usize = 12;

impl Lens {
    /// ROS's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PlumbBob => "plumb_bob",
            Self::RationalPolynomial => "rational_polynomial",
            Self::Equidistant => "equidistant",
        }
    }

    /// The names of all numbers of a camera with this lens, in their order.
    pub const fn parameter_names(self) -> &'static [&'static str] {
        match self {
            Self::PlumbBob => &["fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3"],
            Self::RationalPolynomial => &["fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"],
            Self::Equidistant => &["fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"],
        }
    }

    /// How many numbers describe a camera with this lens.
    pub const fn parameter_count(self) -> usize {
        self.parameter_names().len()
    }

    /// The camera that these numbers describe.
    ///
    /// # Panics
    /// `numbers` are not [`Self::parameter_count`] many.
    pub fn camera(self, name: &str, size: (u32, u32), numbers: &[f64]) -> Camera {
        assert_eq!(numbers.len(), self.parameter_count(), "numbers of a {} camera", self.name());
        let intrinsics = Intrinsics { fx: numbers[0], fy: numbers[1], cx: numbers[2], cy: numbers[3] };
        let d = &numbers[4..];
        let distortion = match self {
            Self::PlumbBob => Distortion::PlumbBob(std::array::from_fn(|index| d[index])),
            Self::RationalPolynomial => Distortion::RationalPolynomial(std::array::from_fn(|index| d[index])),
            Self::Equidistant => Distortion::Equidistant(std::array::from_fn(|index| d[index])),
        };
        Camera { distortion, ..Camera::pinhole(name, size.0, size.1, intrinsics) }
    }

    /// The numbers of a camera, when its lens is of this model or has no distortion.
    pub fn numbers_of(self, camera: &Camera) -> Option<Vec<f64>> {
        let Intrinsics { fx, fy, cx, cy } = camera.intrinsics;
        let coefficients = match (self, &camera.distortion) {
            (Self::PlumbBob | Self::RationalPolynomial, Distortion::None) => vec![0.0; self.parameter_count() - 4],
            (Self::PlumbBob, Distortion::PlumbBob(k)) => k.to_vec(),
            (Self::RationalPolynomial, Distortion::RationalPolynomial(k)) => k.to_vec(),
            (Self::RationalPolynomial, Distortion::PlumbBob(k)) => [k.as_slice(), &[0.0; 3]].concat(),
            (Self::Equidistant, Distortion::Equidistant(k)) => k.to_vec(),
            _ => return None,
        };
        Some([[fx, fy, cx, cy].as_slice(), &coefficients].concat())
    }

    /// The lens model of a camera.
    pub const fn of(camera: &Camera) -> Self {
        match camera.distortion {
            Distortion::None | Distortion::PlumbBob(_) => Self::PlumbBob,
            Distortion::RationalPolynomial(_) => Self::RationalPolynomial,
            Distortion::Equidistant(_) => Self::Equidistant,
        }
    }

    /// The pixel of a point of the camera frame and its derivatives; none for a point that is not in front.
    pub(crate) fn project(self, numbers: &[f64], point: &Vector3<f64>) -> Option<Projection> {
        if point.z <= 1e-9 {
            return None;
        }
        let ray = Vector2::new(point.x / point.z, point.y / point.z);
        let bent = match self {
            Self::PlumbBob => polynomial(ray, [numbers[4], numbers[5], numbers[8]], [0.0; 3], [numbers[6], numbers[7]]),
            Self::RationalPolynomial => polynomial(
                ray,
                [numbers[4], numbers[5], numbers[8]],
                [numbers[9], numbers[10], numbers[11]],
                [numbers[6], numbers[7]],
            ),
            Self::Equidistant => equidistant(ray, [numbers[4], numbers[5], numbers[6], numbers[7]]),
        };
        let focal = Vector2::new(numbers[0], numbers[1]);
        let pixel = Point2::new(focal.x * bent.value.x + numbers[2], focal.y * bent.value.y + numbers[3]);
        let ray_by_point = Matrix2x3::new(1.0, 0.0, -ray.x, 0.0, 1.0, -ray.y) / point.z;
        let by_point = Matrix2::from_diagonal(&focal) * bent.by_ray * ray_by_point;
        let mut by_numbers = [Vector2::zeros(); MOST_NUMBERS];
        by_numbers[0] = Vector2::new(bent.value.x, 0.0);
        by_numbers[1] = Vector2::new(0.0, bent.value.y);
        by_numbers[2] = Vector2::x();
        by_numbers[3] = Vector2::y();
        for (slot, by) in by_numbers[4..].iter_mut().zip(bent.by_coefficients) {
            *slot = by.component_mul(&focal);
        }
        pixel.coords.iter().all(|value| value.is_finite()).then_some(Projection { pixel, by_point, by_numbers })
    }
}

/// A pixel and what it changes with.
pub(crate) struct Projection {
    pub(crate) pixel: Point2<f64>,
    /// By the point in the camera frame.
    pub(crate) by_point: Matrix2x3<f64>,
    /// By each number of the camera; the slots behind the last number are zero.
    pub(crate) by_numbers: [Vector2<f64>; MOST_NUMBERS],
}

struct Bent {
    value: Vector2<f64>,
    by_ray: Matrix2<f64>,
    by_coefficients: [Vector2<f64>; 8],
}

/// `x (1 + k1 s + k2 s² + k3 s³) / (1 + k4 s + k5 s² + k6 s³)` and the tangential part, with s = x² + y².
fn polynomial(ray: Vector2<f64>, over: [f64; 3], under: [f64; 3], [p1, p2]: [f64; 2]) -> Bent {
    let (x, y) = (ray.x, ray.y);
    let s = ray.norm_squared();
    let cubic = |[a, b, c]: [f64; 3]| (1.0 + s * (a + s * (b + s * c)), a + s * (2.0 * b + s * 3.0 * c));
    let ((numerator, numerator_by_s), (denominator, denominator_by_s)) = (cubic(over), cubic(under));
    let radial = numerator / denominator;
    let radial_by_s = (numerator_by_s - radial * denominator_by_s) / denominator;
    let value = ray * radial
        + Vector2::new(2.0 * p1 * x * y + p2 * (s + 2.0 * x * x), p1 * (s + 2.0 * y * y) + 2.0 * p2 * x * y);
    let cross = 2.0 * x * y * radial_by_s + 2.0 * p1 * x + 2.0 * p2 * y;
    let by_ray = Matrix2::new(
        radial + 2.0 * x * x * radial_by_s + 2.0 * p1 * y + 6.0 * p2 * x,
        cross,
        cross,
        radial + 2.0 * y * y * radial_by_s + 6.0 * p1 * y + 2.0 * p2 * x,
    );
    let (up, down) = (ray / denominator, -ray * (radial / denominator));
    let by_p1 = Vector2::new(2.0 * x * y, s + 2.0 * y * y);
    let by_p2 = Vector2::new(s + 2.0 * x * x, 2.0 * x * y);
    let by_coefficients = [up * s, up * s * s, by_p1, by_p2, up * s * s * s, down * s, down * s * s, down * s * s * s];
    Bent { value, by_ray, by_coefficients }
}

/// `θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸)` along the ray's direction.
fn equidistant(ray: Vector2<f64>, [k1, k2, k3, k4]: [f64; 4]) -> Bent {
    let radius = ray.norm();
    if radius < 1e-9 {
        return Bent { value: ray, by_ray: Matrix2::identity(), by_coefficients: [Vector2::zeros(); 8] };
    }
    let theta = radius.atan();
    let s = theta * theta;
    let bent_theta = theta * (1.0 + s * (k1 + s * (k2 + s * (k3 + s * k4))));
    let by_theta = 1.0 + s * (3.0 * k1 + s * (5.0 * k2 + s * (7.0 * k3 + s * 9.0 * k4)));
    let (scale, by_radius) = (bent_theta / radius, by_theta / (1.0 + radius * radius));
    let outward = ray / radius;
    let by_ray = Matrix2::identity() * scale + outward * outward.transpose() * (by_radius - scale);
    let mut by_coefficients = [Vector2::zeros(); 8];
    for (power, slot) in by_coefficients[..4].iter_mut().enumerate() {
        *slot = outward * theta * s.powi(power as i32 + 1);
    }
    Bent { value: ray * scale, by_ray, by_coefficients }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point3;

    fn examples() -> [(Lens, Vec<f64>); 3] {
        let k = [400.0, 410.0, 321.5, 238.0];
        [
            (Lens::PlumbBob, [k.as_slice(), &[-0.28, 0.07, 1e-3, -5e-4, -0.008]].concat()),
            (Lens::RationalPolynomial, [k.as_slice(), &[0.5, 0.1, 1e-3, 2e-4, 0.01, 0.8, 0.2, 0.02]].concat()),
            (Lens::Equidistant, [k.as_slice(), &[-0.01, 0.02, -0.008, 0.001]].concat()),
        ]
    }

    #[test]
    fn the_projection_is_the_camera_files() {
        for (lens, numbers) in examples() {
            let camera = lens.camera("test", (640, 480), &numbers);
            for point in [Vector3::new(0.2, -0.1, 0.5), Vector3::new(0.0, 0.0, 2.0), Vector3::new(-0.6, 0.4, 0.9)] {
                let ours = lens.project(&numbers, &point).unwrap().pixel;
                assert!((ours - camera.project(&Point3::from(point)).unwrap()).norm() < 1e-9, "{lens:?}");
            }
            assert_eq!(lens.numbers_of(&camera).unwrap(), numbers);
        }
    }

    #[test]
    fn derivatives_agree_with_finite_differences() {
        for (lens, numbers) in examples() {
            let point = Vector3::new(0.23, -0.31, 0.7);
            let projection = lens.project(&numbers, &point).unwrap();
            for axis in 0..3 {
                let mut step = Vector3::zeros();
                step[axis] = 1e-6;
                let pixel = |point: Vector3<f64>| lens.project(&numbers, &point).unwrap().pixel;
                let slope = (pixel(point + step) - pixel(point - step)) / 2e-6;
                assert!((slope - projection.by_point.column(axis)).norm() < 1e-4, "{lens:?} point {axis}");
            }
            for index in 0..numbers.len() {
                let pixel = |change: f64| {
                    let mut changed = numbers.clone();
                    changed[index] += change;
                    lens.project(&changed, &point).unwrap().pixel
                };
                let slope = (pixel(1e-6) - pixel(-1e-6)) / 2e-6;
                assert!((slope - projection.by_numbers[index]).norm() < 1e-4, "{lens:?} number {index}");
            }
        }
    }
}
