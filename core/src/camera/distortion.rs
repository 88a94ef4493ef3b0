//! How a lens bends rays, in normalised coordinates `(x/z, y/z)`.
//!
//! With r² = x² + y²:
//! - `plumb_bob` (k1, k2, p1, p2, k3): radial `1 + k1 r² + k2 r⁴ + k3 r⁶`, tangential `2 p1 x y + p2 (r² + 2x²)` and
//!   `p1 (r² + 2y²) + 2 p2 x y` (Brown 1966).
//! - `rational_polynomial` (k1, k2, p1, p2, k3, k4, k5, k6): radial `(1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶)`.
//! - `equidistant` (k1..k4): θ = atan r becomes `θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸)` (Kannala and Brandt 2006).

use nalgebra::{Matrix2, Point2, Vector2};

/// The lens model and its coefficients, in ROS's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distortion {
    /// No distortion.
    None,
    /// k1, k2, p1, p2, k3.
    PlumbBob([f64; 5]),
    /// k1, k2, p1, p2, k3, k4, k5, k6.
    RationalPolynomial([f64; 8]),
    /// k1, k2, k3, k4 of a fisheye lens.
    Equidistant([f64; 4]),
}

/// Newton steps at most; real lenses need four or five.
const MAX_STEPS: usize = 30;
/// Converged when a step moves less than this; a thousandth of a pixel is about 1e-6.
const CONVERGED: f64 = 1e-12;
/// A fixed point that misses its target by more than this is none: the lens folds over there.
const ACCEPTED: f64 = 1e-8;

impl Distortion {
    /// ROS's name of the model. An ideal pinhole is a `plumb_bob` with zero coefficients there.
    pub const fn ros_name(&self) -> &'static str {
        match self {
            Self::None | Self::PlumbBob(_) => "plumb_bob",
            Self::RationalPolynomial(_) => "rational_polynomial",
            Self::Equidistant(_) => "equidistant",
        }
    }

    /// The model's name in Foxglove's `CameraCalibration`.
    pub const fn foxglove_name(&self) -> &'static str {
        match self {
            Self::Equidistant(_) => "kannala_brandt",
            lens => lens.ros_name(),
        }
    }

    /// The coefficients in ROS's order.
    pub fn coefficients(&self) -> &[f64] {
        match self {
            Self::None => &[0.0; 5],
            Self::PlumbBob(k) => k,
            Self::RationalPolynomial(k) => k,
            Self::Equidistant(k) => k,
        }
    }

    /// Where the lens sends a ray, both in normalised coordinates; none beyond the lens model's turning point, where
    /// a larger angle would come out at a smaller radius.
    pub fn distort(&self, ray: Point2<f64>) -> Option<Point2<f64>> {
        let (bent, jacobian) = self.distort_with_jacobian(ray);
        (jacobian.determinant() > 0.0 && bent.coords.iter().all(|value| value.is_finite())).then_some(bent)
    }

    /// The ray that the lens sends to `bent`, by Newton's method; none where there is none.
    pub fn undistort(&self, bent: Point2<f64>) -> Option<Point2<f64>> {
        if *self == Self::None {
            return Some(bent);
        }
        let mut ray = self.first_guess(bent);
        for _ in 0..MAX_STEPS {
            let (value, jacobian) = self.distort_with_jacobian(ray);
            let step: Vector2<f64> = jacobian.try_inverse()? * (bent - value);
            ray += step;
            if step.norm() < CONVERGED * (1.0 + ray.coords.norm()) {
                break;
            }
        }
        let (value, jacobian) = self.distort_with_jacobian(ray);
        ((bent - value).norm() < ACCEPTED && jacobian.determinant() > 0.0).then_some(ray)
    }

    /// For a fisheye, the ray of the lens without coefficients (r = tan θ), which is closer than `bent` itself.
    fn first_guess(&self, bent: Point2<f64>) -> Point2<f64> {
        let theta = bent.coords.norm();
        match self {
            Self::Equidistant(_) if theta > 1e-9 => Point2::from(bent.coords * (theta.min(1.5).tan() / theta)),
            _ => bent,
        }
    }

    fn distort_with_jacobian(&self, ray: Point2<f64>) -> (Point2<f64>, Matrix2<f64>) {
        match *self {
            Self::None => (ray, Matrix2::identity()),
            Self::PlumbBob([k1, k2, p1, p2, k3]) => polynomial(ray, [k1, k2, k3], [0.0; 3], [p1, p2]),
            Self::RationalPolynomial([k1, k2, p1, p2, k3, k4, k5, k6]) => {
                polynomial(ray, [k1, k2, k3], [k4, k5, k6], [p1, p2])
            }
            Self::Equidistant(k) => equidistant(ray, k),
        }
    }
}

/// `1 + k1 s + k2 s² + k3 s³` and its derivative by s.
fn cubic([k1, k2, k3]: [f64; 3], s: f64) -> (f64, f64) {
    (1.0 + s * (k1 + s * (k2 + s * k3)), k1 + s * (2.0 * k2 + s * 3.0 * k3))
}

fn polynomial(ray: Point2<f64>, over: [f64; 3], under: [f64; 3], [p1, p2]: [f64; 2]) -> (Point2<f64>, Matrix2<f64>) {
    let (x, y) = (ray.x, ray.y);
    let s = x * x + y * y;
    let ((numerator, numerator_by_s), (denominator, denominator_by_s)) = (cubic(over, s), cubic(under, s));
    let radial = numerator / denominator;
    let radial_by_s = (numerator_by_s - radial * denominator_by_s) / denominator;
    let bent = Point2::new(
        x * radial + 2.0 * p1 * x * y + p2 * (s + 2.0 * x * x),
        y * radial + p1 * (s + 2.0 * y * y) + 2.0 * p2 * x * y,
    );
    let cross = 2.0 * x * y * radial_by_s + 2.0 * p1 * x + 2.0 * p2 * y;
    let jacobian = Matrix2::new(
        radial + 2.0 * x * x * radial_by_s + 2.0 * p1 * y + 6.0 * p2 * x,
        cross,
        cross,
        radial + 2.0 * y * y * radial_by_s + 6.0 * p1 * y + 2.0 * p2 * x,
    );
    (bent, jacobian)
}

fn equidistant(ray: Point2<f64>, [k1, k2, k3, k4]: [f64; 4]) -> (Point2<f64>, Matrix2<f64>) {
    let radius = ray.coords.norm();
    if radius < 1e-9 {
        return (ray, Matrix2::identity());
    }
    let theta = radius.atan();
    let s = theta * theta;
    let bent_theta = theta * (1.0 + s * (k1 + s * (k2 + s * (k3 + s * k4))));
    let by_theta = 1.0 + s * (3.0 * k1 + s * (5.0 * k2 + s * (7.0 * k3 + s * 9.0 * k4)));
    let by_radius = by_theta / (1.0 + radius * radius);
    let scale = bent_theta / radius;
    let outward = ray.coords / radius;
    let jacobian = Matrix2::identity() * scale + outward * outward.transpose() * (by_radius - scale);
    (Point2::from(ray.coords * scale), jacobian)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jacobians_agree_with_finite_differences() {
        let lenses = [
            Distortion::PlumbBob([-0.28, 0.07, 1e-3, -5e-4, -0.008]),
            Distortion::RationalPolynomial([0.5, 0.1, 1e-3, 2e-4, 0.01, 0.8, 0.2, 0.02]),
            Distortion::Equidistant([-0.01, 0.02, -0.008, 0.001]),
        ];
        let (ray, h) = (Point2::new(0.4, -0.3), 1e-6);
        for lens in lenses {
            let (_, jacobian) = lens.distort_with_jacobian(ray);
            for axis in 0..2 {
                let mut step = Vector2::zeros();
                step[axis] = h;
                let (plus, minus) = (lens.distort(ray + step).unwrap(), lens.distort(ray - step).unwrap());
                assert!(((plus - minus) / (2.0 * h) - jacobian.column(axis)).norm() < 1e-7, "{lens:?}");
            }
        }
    }

    #[test]
    fn plumb_bob_follows_the_published_formula() {
        let bent = Distortion::PlumbBob([0.1, 0.01, 0.001, 0.002, 0.0001]).distort(Point2::new(0.5, 0.25)).unwrap();
        let (s, radial) = (0.3125f64, 1.0 + 0.1 * 0.3125 + 0.01 * 0.3125f64.powi(2) + 0.0001 * 0.3125f64.powi(3));
        let x = 0.5 * radial + 2.0 * 0.001 * 0.125 + 0.002 * (s + 0.5);
        let y = 0.25 * radial + 0.001 * (s + 0.125) + 2.0 * 0.002 * 0.125;
        assert!((bent.x - x).abs() < 1e-15 && (bent.y - y).abs() < 1e-15);
    }

    #[test]
    fn beyond_the_turning_point_of_the_lens_there_is_no_pixel() {
        let barrel = Distortion::PlumbBob([-0.3, 0.0, 0.0, 0.0, 0.0]); // r (1 - 0.3 r²) turns at r = 1.054
        assert!(barrel.distort(Point2::new(1.0, 0.0)).is_some());
        assert!(barrel.distort(Point2::new(1.2, 0.0)).is_none());
        assert!(barrel.undistort(Point2::new(0.9, 0.0)).is_none());
    }

    #[test]
    fn an_ideal_fisheye_maps_angle_to_radius() {
        let bent = Distortion::Equidistant([0.0; 4]).distort(Point2::new(1.0, 0.0)).unwrap();
        assert!((bent.x - std::f64::consts::FRAC_PI_4).abs() < 1e-15);
    }
}
