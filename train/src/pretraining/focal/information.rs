//! What footage says about a camera: normal equations in which motions and depth are eliminated.
//!
//! Around what the networks say, the place where a pixel is seen depends on the camera (ln f, cx, cy), on the pair's motion
//! (three turns, three shifts) and on depth:
//!
//! ```text
//! δ(u, v) = J_camera δcamera + J_motion δmotion + J_depth q β
//! ```
//!
//! Each pair's motion is free. Depth may be wrong by a factor 1 + β that depends on the place in the picture, but is the same in
//! all frames: a network that sees one picture does not know how the camera moved, so its errors cannot follow the motion.
//! (Free depth at each pixel of each pair would be too much: a turn while driving ahead bends the flow towards the point driven
//! to, which depth could make up for.) Motions and β are eliminated by Schur complements; what is left is the information on the
//! camera. Matches are taken to be good to half a pixel, one per 8×8 pixels.
//!
//! Reference: Triggs et al., *Bundle Adjustment: A Modern Synthesis*, 2000, section 6 (reduced normal equations).

use nalgebra::{DMatrix, Matrix3, Matrix6, Vector2, Vector3};
use parallax_core::camera::Intrinsics;

use crate::geometry::RigidMotion;
use crate::loss::depth::{INVERSE_DEPTH_OFFSET, INVERSE_DEPTH_SLOPE};
use crate::pretraining::cameras::CENTRE_RANGE;

/// Pixels from one independent match to the next.
const MATCH_SPACING: usize = 8;

/// Standard deviation of a match, pixels: photometric matches between small video frames.
const MATCH_NOISE_PX: f64 = 0.5;

/// Cells in which depth may be wrong by a factor of their own, across and down.
const CELLS: [usize; 2] = [16, 8];

/// Standard deviation of those factors before anything is seen: depth may be wrong by half.
const DEPTH_SIGMA: f64 = 0.5;

/// Numbers of a camera: ln f, cx, cy.
const CAMERA: usize = 3;

/// What is known of a camera and of β: the normal equations with all motions eliminated.
pub(super) struct Information(DMatrix<f64>);

/// Two frames and what is believed about them.
pub(super) struct Pair<'a> {
    pub(super) camera: Intrinsics,
    pub(super) motion: &'a RigidMotion,
    /// Whether the motion was learned, so that it may be wrong.
    pub(super) free_motion: bool,
    /// Of the target, `factor` times smaller than its picture.
    pub(super) disparity: &'a [f32],
    pub(super) factor: usize,
    /// Of the picture, pixels.
    pub(super) width: usize,
}

/// Derivatives of the place at which a pixel is seen.
struct Slopes {
    camera: [Vector2<f64>; CAMERA],
    /// By turns about and shifts along x, y, z.
    motion: [Vector2<f64>; 6],
    /// By β.
    depth: Vector2<f64>,
}

impl Information {
    pub(super) fn new() -> Self {
        let unknowns = CAMERA + CELLS[0] * CELLS[1];
        let prior = |at: usize| if at < CAMERA { 0.0 } else { DEPTH_SIGMA.powi(-2) };
        Self(DMatrix::from_fn(unknowns, unknowns, |row, column| if row == column { prior(row) } else { 0.0 }))
    }

    pub(super) fn add(&mut self, pair: &Pair<'_>) {
        let height = pair.height();
        let mut of_motion = Matrix6::zeros();
        let mut with_motion = DMatrix::<f64>::zeros(self.0.nrows(), 6);
        let weight = MATCH_NOISE_PX.powi(-2);
        for row in (MATCH_SPACING / 2..height).step_by(MATCH_SPACING) {
            for column in (MATCH_SPACING / 2..pair.width).step_by(MATCH_SPACING) {
                let Some(slopes) = pair.slopes(column, row) else { continue };
                let cell = row * CELLS[1] / height * CELLS[0] + column * CELLS[0] / pair.width;
                // The few unknowns that this pixel depends on.
                let mut unknowns: Vec<(usize, Vector2<f64>)> = slopes.camera.into_iter().enumerate().collect();
                unknowns.push((CAMERA + cell, slopes.depth));
                for (i, a) in &unknowns {
                    unknowns.iter().for_each(|(j, b)| self.0[(*i, *j)] += weight * a.dot(b));
                    slopes.motion.iter().enumerate().for_each(|(j, b)| with_motion[(*i, j)] += weight * a.dot(b));
                }
                of_motion += Matrix6::from_fn(|i, j| weight * slopes.motion[i].dot(&slopes.motion[j]));
            }
        }
        if pair.free_motion {
            // A standing camera's shifts move nothing: a little stiffness keeps the matrix regular.
            of_motion += Matrix6::identity() * (1e-9 * of_motion.trace().max(1e-9));
            if let Some(inverse) = of_motion.try_inverse() {
                self.0 -= &with_motion * inverse * with_motion.transpose();
            }
        }
    }

    /// Standard deviation of ln f, the principal point known beforehand to half of its range.
    pub(super) fn focal_sigma(mut self, (width, height): (usize, usize)) -> f64 {
        for (at, side) in [(1, width), (2, height)] {
            self.0[(at, at)] += (0.5 * CENTRE_RANGE * side as f64).powi(-2);
        }
        // All but ln f is taken away.
        let count = self.0.nrows() - 1;
        let others = self.0.view((1, 1), (count, count)).into_owned();
        let with_others = self.0.view((1, 0), (count, 1)).into_owned();
        let made_up_for = others.cholesky().map(|others| with_others.dot(&others.solve(&with_others)));
        let left = made_up_for.map_or(0.0, |made_up_for| (self.0[(0, 0)] - made_up_for).max(0.0));
        // Nothing known at all is a factor of e either way.
        (left + 1.0).sqrt().recip()
    }
}

impl Pair<'_> {
    fn height(&self) -> usize {
        self.disparity.len() * self.factor * self.factor / self.width
    }

    /// None where the pixel is not seen in the source.
    fn slopes(&self, column: usize, row: usize) -> Option<Slopes> {
        let disparity = self.disparity[row / self.factor * (self.width / self.factor) + column / self.factor];
        let q = f64::from(disparity * INVERSE_DEPTH_SLOPE + INVERSE_DEPTH_OFFSET);
        let Intrinsics { fx, fy, cx, cy } = self.camera;
        let m = self.motion.map(f64::from);
        let turn = Matrix3::new(m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10]);
        let shift = Vector3::new(m[3], m[7], m[11]);
        let ray = Vector3::new((column as f64 - cx) / fx, (row as f64 - cy) / fy, 1.0);
        let turned = turn * ray;
        let point = turned + shift * q;
        let of_centre = Vector2::new(fx * point.x / point.z, fy * point.y / point.z);
        let (u, v) = (of_centre.x + cx, of_centre.y + cy);
        let inside = |place: f64, size: usize| (0.0..size as f64 - 1.0).contains(&place);
        if point.z < 1e-3 || !inside(u, self.width) || !inside(v, self.height()) {
            return None;
        }
        let of_point = |d: Vector3<f64>| {
            Vector2::new(fx * (d.x - point.x / point.z * d.z), fy * (d.y - point.y / point.z * d.z)) / point.z
        };
        let axes = [Vector3::x(), Vector3::y(), Vector3::z()];
        let [turn_x, turn_y, turn_z] = axes.map(|axis| of_point(axis.cross(&turned)));
        let [shift_x, shift_y, shift_z] = axes.map(|axis| of_point(axis * q));
        Some(Slopes {
            camera: [
                // ln f: the ray narrows, the projection widens.
                of_point(turn * Vector3::new(-ray.x, -ray.y, 0.0)) + of_centre,
                // cx, cy: the ray turns, the projection shifts.
                of_point(turn.column(0) * (-1.0 / fx)) + Vector2::x(),
                of_point(turn.column(1) * (-1.0 / fy)) + Vector2::y(),
            ],
            motion: [turn_x, turn_y, turn_z, shift_x, shift_y, shift_z],
            depth: of_point(shift * q),
        })
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::Isometry3;

    use super::*;
    use crate::data::motion::in_units;

    const SIZE: (usize, usize) = (128, 64);
    const CAMERA: Intrinsics = Intrinsics { fx: 80.0, fy: 80.0, cx: 60.0, cy: 33.0 };

    /// Depth 1 to 5 units, uneven.
    fn disparity() -> Vec<f32> {
        (0..64 * 32).map(|i| 0.06 + 0.04 * (i as f32 * 0.7).sin()).collect()
    }

    /// Of 32 pairs whose turns go both ways, as in mirrored frames.
    fn sigma(turn: Vector3<f64>, shift: Vector3<f64>) -> f64 {
        let (disparity, mut information) = (disparity(), Information::new());
        for pair in 0..32 {
            let turn = if pair % 2 == 0 { turn } else { -turn };
            let motion = in_units(&Isometry3::new(shift, turn), 1.0);
            information.add(&Pair {
                camera: CAMERA,
                motion: &motion,
                free_motion: true,
                disparity: &disparity,
                factor: 2,
                width: SIZE.0,
            });
        }
        information.focal_sigma(SIZE)
    }

    #[test]
    fn turning_determines_the_focal_length_and_driving_straight_does_not() {
        let ahead = Vector3::new(0.0, 0.0, -0.1);
        let [none, slow, fast] = [0.0, 0.02, 0.04].map(|turn| sigma(Vector3::new(0.0, turn, 0.0), ahead));
        let sideways = sigma(Vector3::zeros(), Vector3::new(0.1, 0.02, -0.1));
        assert!(none > 0.9 && sideways > 0.9, "{none} {sideways}");
        assert!(fast < super::super::DETERMINED_BELOW, "{slow} {fast}");
        // Half the turn says half as much.
        assert!((1.6..2.4).contains(&(slow / fast)), "{slow} {fast}");
    }

    #[test]
    fn the_derivatives_are_those_of_finite_differences() {
        let disparity = vec![0.049_f32; 64 * 32];
        let q = f64::from(0.049 * INVERSE_DEPTH_SLOPE + INVERSE_DEPTH_OFFSET);
        let motion = Isometry3::new(Vector3::new(0.03, -0.02, 0.1), Vector3::new(0.02, 0.05, -0.01));
        let numbers = in_units(&motion, 1.0);
        let pair = Pair {
            camera: CAMERA,
            motion: &numbers,
            free_motion: true,
            disparity: &disparity,
            factor: 2,
            width: SIZE.0,
        };
        let slopes = pair.slopes(40, 20).unwrap();
        let seen = |k: Intrinsics, motion: Isometry3<f64>, q: f64| {
            let ray = Vector3::new((40.0 - k.cx) / k.fx, (20.0 - k.cy) / k.fy, 1.0);
            let p = motion.rotation * ray + motion.translation.vector * q;
            Vector2::new(k.fx * p.x / p.z + k.cx, k.fy * p.y / p.z + k.cy)
        };
        let step = 1e-5_f64;
        let grown = Intrinsics { fx: 80.0 * step.exp(), fy: 80.0 * step.exp(), ..CAMERA };
        let moved = Intrinsics { cx: CAMERA.cx + step, ..CAMERA };
        let turned = Isometry3::from_parts(
            motion.translation,
            nalgebra::UnitQuaternion::new(Vector3::y() * step) * motion.rotation,
        );
        let shifted = nalgebra::Translation3::new(0.0, 0.0, step) * motion;
        let now = seen(CAMERA, motion, q);
        for (what, slope, then) in [
            ("focal length", slopes.camera[0], seen(grown, motion, q)),
            ("centre", slopes.camera[1], seen(moved, motion, q)),
            ("turn", slopes.motion[1], seen(CAMERA, turned, q)),
            ("shift", slopes.motion[5], seen(CAMERA, shifted, q)),
            ("depth", slopes.depth, seen(CAMERA, motion, q * (1.0 + step))),
        ] {
            let numeric = (then - now) / step;
            assert!((slope - numeric).norm() < 1e-3 * numeric.norm() + 1e-4, "{what}: {slope} {numeric}");
        }
    }
}
