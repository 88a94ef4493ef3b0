//! The rotation of the camera that explains most of a pair's motion, and what it leaves: parallax.
//!
//! A rotation R moves the pixel p to π(K R K⁻¹ p) whatever its depth. R minimises Σ ‖q − π(K R K⁻¹ p)‖ over the tracks
//! p → q: the sum of lengths, not of squares, so that the near things of a moving camera do not pull it.
//!
//! Found by iteratively reweighted least squares: Gauss-Newton steps with weights 1 / max(length, 0.1 px).

use super::Track;
use nalgebra::{Matrix2x3, Matrix3, Rotation3, Vector2, Vector3};
use parallax_core::camera::Intrinsics;

/// Lengths below this count alike: the accuracy of a track.
const TRACK_ACCURACY_PX: f64 = 0.1;
/// Steps; from no rotation to one of 20° it takes six.
const STEPS: usize = 12;

/// The best rotation of a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct RotationFit {
    /// Takes directions of the first camera's frame to the second's.
    pub second_from_first: Rotation3<f64>,
    /// What it leaves of each track's motion, pixels to the right and down, in the order of the tracks.
    pub parallax: Vec<[f32; 2]>,
}

impl RotationFit {
    /// Fits tracks between two pictures of one camera; none for fewer than three tracks.
    pub fn new(tracks: &[Track], intrinsics: &Intrinsics) -> Option<Self> {
        if tracks.len() < 3 {
            return None;
        }
        let rays: Vec<Vector3<f64>> = tracks.iter().map(|track| ray(track.from, intrinsics)).collect();
        let mut rotation = Rotation3::identity();
        for _ in 0..STEPS {
            let (mut normal, mut slope) = (Matrix3::zeros(), Vector3::zeros());
            for (track, first) in tracks.iter().zip(&rays) {
                let Some((error, jacobian)) = residual(&(rotation * first), track.to, intrinsics) else { continue };
                let weight = 1.0 / error.norm().max(TRACK_ACCURACY_PX);
                normal += jacobian.transpose() * jacobian * weight;
                slope += jacobian.transpose() * error * weight;
            }
            let Some(factors) = normal.cholesky() else { break };
            let step = factors.solve(&-slope);
            rotation = Rotation3::new(step) * rotation;
            if step.norm() < 1e-7 {
                break;
            }
        }
        let left = |(track, first): (&Track, &Vector3<f64>)| match residual(&(rotation * first), track.to, intrinsics) {
            Some((error, _)) => [-error.x as f32, -error.y as f32],
            None => track.flow(),
        };
        let parallax = tracks.iter().zip(&rays).map(left).collect();
        Some(Self { second_from_first: rotation, parallax })
    }

    /// The angle of the rotation.
    pub fn angle_rad(&self) -> f64 {
        self.second_from_first.angle()
    }

    /// The parallax of each track in pixels, whatever its direction.
    pub fn parallax_px(&self) -> impl Iterator<Item = f32> {
        self.parallax.iter().map(|[x, y]| x.hypot(*y))
    }
}

fn ray([x, y]: [f32; 2], k: &Intrinsics) -> Vector3<f64> {
    Vector3::new((f64::from(x) - k.cx) / k.fx, (f64::from(y) - k.cy) / k.fy, 1.0)
}

/// Predicted minus seen pixel, and its derivative by a small turn of `turned`; none behind the camera.
fn residual(turned: &Vector3<f64>, seen: [f32; 2], k: &Intrinsics) -> Option<(Vector2<f64>, Matrix2x3<f64>)> {
    let (x, y, z) = (turned.x, turned.y, turned.z);
    if z < 1e-3 {
        return None;
    }
    let error = Vector2::new(k.fx * x / z + k.cx - f64::from(seen[0]), k.fy * y / z + k.cy - f64::from(seen[1]));
    let projection = Matrix2x3::new(k.fx / z, 0.0, -k.fx * x / (z * z), 0.0, k.fy / z, -k.fy * y / (z * z));
    Some((error, projection * -turned.cross_matrix()))
}
