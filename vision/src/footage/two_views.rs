//! The motion of the camera between two frames, from tracks, and which tracks do not follow it.
//!
//! A point at rest, seen in directions f₁ and f₂ (z = 1), satisfies f₂ · (t × R f₁) = 0, and lies in front of both
//! cameras. R and the direction of t minimise the Sampson distance under a redescending weight (Geman-McClure), by
//! Gauss-Newton steps from several directions of t; the best of them stands. Deterministic, no sampling.
//!
//! References: Hartley, Zisserman, *Multiple View Geometry*, 2004, §9.6 and §11.4.3; Black, Rangarajan, *On the
//! Unification of Line Processes, Outlier Rejection, and Robust Statistics*, IJCV 1996 (the weight and its annealing).

use crate::optical_flow::Track;
use nalgebra::{Matrix5, Rotation3, SVector, Unit, Vector3};
use parallax_core::camera::Intrinsics;

/// Fewer tracks than this say nothing: five parameters, and outliers.
pub const FEWEST_TRACKS: usize = 20;
/// Scale of the weight in its three rounds, pixels: wide enough to start with a wrong direction, then as tight as
/// tracks are.
const SCALES_PX: [f64; 3] = [4.0, 2.0, 1.0];
const STEPS_PER_SCALE: usize = 8;

/// The motion between two frames.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoViews {
    /// Rotation from the first camera's frame to the second's.
    pub rotation: Rotation3<f64>,
    /// Direction of the first camera's centre seen from the second: X₂ = R X₁ + t.
    pub translation: Unit<Vector3<f64>>,
    /// Distance of each track to the epipolar geometry, pixels.
    pub distances_px: Vec<f64>,
    /// Inverse depth of each track in lengths of the translation; negative behind the cameras.
    pub inverse_depths: Vec<f64>,
}

impl TwoViews {
    /// The motion, started from a rotation near it; none for too few tracks.
    pub fn new(tracks: &[Track], start: &Rotation3<f64>, intrinsics: &Intrinsics) -> Option<Self> {
        if tracks.len() < FEWEST_TRACKS {
            return None;
        }
        let focal = 0.5 * (intrinsics.fx + intrinsics.fy);
        let rays: Vec<_> =
            tracks.iter().map(|track| [ray(track.from, intrinsics), ray(track.to, intrinsics)]).collect();
        let directions = [[0., 0., 1.], [1., 0., 0.], [0., 1., 0.], [1., 0., 1.], [-1., 0., 1.]];
        let fits = directions.map(|direction| fit(&rays, *start, Vector3::from(direction), focal));
        let (_, rotation, translation) = fits.into_iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
        let distance =
            |[first, second]: &[Vector3<f64>; 2]| focal * sampson(first, second, &rotation, &translation).0.abs();
        let depths: Vec<f64> =
            rays.iter().map(|[first, second]| inverse_depth(first, second, &rotation, &translation)).collect();
        let ahead = depths.iter().filter(|depth| **depth > 0.0).count();
        let sign = if 2 * ahead >= depths.len() { 1.0 } else { -1.0 };
        Some(Self {
            rotation,
            translation: Unit::new_normalize(translation.into_inner() * sign),
            distances_px: rays.iter().map(distance).collect(),
            inverse_depths: depths.iter().map(|depth| sign * depth).collect(),
        })
    }
}

/// The direction of a pixel, scaled to z = 1.
pub fn ray([x, y]: [f32; 2], k: &Intrinsics) -> Vector3<f64> {
    Vector3::new((f64::from(x) - k.cx) / k.fx, (f64::from(y) - k.cy) / k.fy, 1.0)
}

type Candidate = (f64, Rotation3<f64>, Unit<Vector3<f64>>);

fn fit(rays: &[[Vector3<f64>; 2]], mut rotation: Rotation3<f64>, direction: Vector3<f64>, focal: f64) -> Candidate {
    let mut translation = Unit::new_normalize(direction);
    for scale in SCALES_PX.map(|scale| scale / focal) {
        for _ in 0..STEPS_PER_SCALE {
            let (sideways, upwards) = tangents(&translation);
            let (mut normal, mut slope) = (Matrix5::zeros(), SVector::<f64, 5>::zeros());
            for [first, second] in rays {
                let (distance, size) = sampson(first, second, &rotation, &translation);
                let turned = rotation * first;
                let by_turn = turned.cross(&second.cross(&translation));
                let by_shift = turned.cross(second);
                let jacobian =
                    SVector::from([by_turn.x, by_turn.y, by_turn.z, sideways.dot(&by_shift), upwards.dot(&by_shift)])
                        / size;
                let weight = (1.0 + (distance / scale).powi(2)).powi(-2);
                normal += jacobian * jacobian.transpose() * weight;
                slope += jacobian * (distance * weight);
            }
            // Where the motion leaves a direction open (no translation), the step in it stays small.
            normal += Matrix5::identity() * (1e-9 * normal.trace() + 1e-12);
            let Some(factors) = normal.cholesky() else { break };
            let step = factors.solve(&-slope);
            rotation = Rotation3::new(Vector3::new(step[0], step[1], step[2])) * rotation;
            translation = Unit::new_normalize(translation.into_inner() + sideways * step[3] + upwards * step[4]);
        }
    }
    let scale = SCALES_PX[SCALES_PX.len() - 1] / focal;
    let cost = |[first, second]: &[Vector3<f64>; 2]| {
        let squared = (sampson(first, second, &rotation, &translation).0 / scale).powi(2);
        squared / (1.0 + squared)
    };
    (rays.iter().map(cost).sum(), rotation, translation)
}

fn tangents(direction: &Unit<Vector3<f64>>) -> (Vector3<f64>, Vector3<f64>) {
    let helper = if direction.x.abs() < 0.7 { Vector3::x() } else { Vector3::y() };
    let sideways = direction.cross(&helper).normalize();
    (sideways, direction.cross(&sideways))
}

/// f₂ · (t × R f₁) over the length of its gradient by the two pixels, and that length.
fn sampson(
    first: &Vector3<f64>,
    second: &Vector3<f64>,
    rotation: &Rotation3<f64>,
    translation: &Vector3<f64>,
) -> (f64, f64) {
    let line_in_second = translation.cross(&(rotation * first));
    let line_in_first = rotation.inverse_transform_vector(&second.cross(translation));
    let size = (line_in_second.xy().norm_squared() + line_in_first.xy().norm_squared()).sqrt().max(1e-9);
    (second.dot(&line_in_second) / size, size)
}

/// ρ that brings R f₁ + ρ t closest to the direction f₂: least squares of f₂ × (R f₁ + ρ t) = 0.
fn inverse_depth(
    first: &Vector3<f64>,
    second: &Vector3<f64>,
    rotation: &Rotation3<f64>,
    translation: &Vector3<f64>,
) -> f64 {
    let along = second.cross(translation);
    -second.cross(&(rotation * first)).dot(&along) / along.norm_squared().max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optical_flow::RotationFit;

    const K: Intrinsics = Intrinsics { fx: 300.0, fy: 300.0, cx: 159.5, cy: 79.5 };

    fn tracks(rotation: &Rotation3<f64>, shift: Vector3<f64>, strays: usize) -> Vec<Track> {
        let places = (0..16).flat_map(|x| (0..8).map(move |y| [10.0 + 20.0 * x as f32, 8.0 + 20.0 * y as f32]));
        places
            .enumerate()
            .map(|(index, from)| {
                let depth = 4.0 + (index * 7 % 23) as f64;
                let point = rotation * (ray(from, &K) * depth) + shift;
                let mut to = [(K.fx * point.x / point.z + K.cx) as f32, (K.fy * point.y / point.z + K.cy) as f32];
                if strays > 0 && index % strays == 0 {
                    to[1] += if index % 2 == 0 { 9.0 } else { -9.0 };
                    to[0] += 5.0;
                }
                Track { index, from, to }
            })
            .collect()
    }

    #[test]
    fn motion_is_found_among_a_fifth_of_strays_and_they_are_told_apart() {
        let rotation = Rotation3::from_euler_angles(0.01, -0.05, 0.02);
        for shift in [[0.0, 0.0, -0.8], [0.5, 0.0, 0.0], [0.2, 0.1, -0.6]].map(Vector3::from) {
            let tracks = tracks(&rotation, shift, 5);
            let start = RotationFit::new(&tracks, &K).unwrap().second_from_first;
            let found = TwoViews::new(&tracks, &start, &K).unwrap();
            let off = found.rotation.angle_to(&rotation);
            assert!(off < 1e-3, "{off} rad off for {shift:?}");
            assert!(found.translation.dot(&shift.normalize()) > 0.999, "{:?} for {shift:?}", found.translation);
            let is_stray = |at: usize| at.is_multiple_of(5);
            let kept = (0..128).filter(|at| !is_stray(*at) && found.distances_px[*at] < 0.3).count();
            let strays = (0..128).filter(|at| is_stray(*at) && found.distances_px[*at] > 1.0).count();
            assert!(kept == 102 && strays >= 20, "{kept} of 102, {strays} of 26 for {shift:?}");
            assert!((0..128).all(|at| is_stray(at) || found.inverse_depths[at] > 0.0));
        }
    }

    #[test]
    fn few_tracks_say_nothing() {
        assert!(
            TwoViews::new(&tracks(&Rotation3::identity(), Vector3::x(), 0)[..10], &Rotation3::identity(), &K).is_none()
        );
    }
}
