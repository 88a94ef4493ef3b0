//! How well the footage determines a learned focal length.
//!
//! Photometric loss alone cannot say: on a straight way a wrong focal length is made up for by depth and motion and costs
//! nothing. So what they can make up for is taken away first. Around what the networks say, the place where a pixel is seen
//! depends on the camera (ln f, cx, cy), on the pair's motion (three turns, three shifts) and on depth:
//!
//! ```text
//! δ(u, v) = J_camera δcamera + J_motion δmotion + J_depth q β
//! ```
//!
//! Each pair's motion is free. Depth may be wrong by a factor 1 + β that depends on the place in the picture, but is the same in
//! all frames: a network that sees one picture does not know how the camera moved, so its errors cannot follow the motion.
//! (Free depth at each pixel of each pair would be too much: a turn while driving ahead bends the flow towards the point driven
//! to, which depth could make up for.) Motions and β are eliminated from the normal equations (Schur complement); what is left
//! is the information on the camera. Matches are taken to be good to half a pixel, one per 8×8 pixels.
//!
//! Rotation is what determines a focal length: translation alone, in whatever direction, leaves nothing.
//!
//! That is what the footage can give; whether the run has got there is another question. A focal length that still moved in the
//! second half of the steps is not settled, and not called determined either.
//!
//! Reference: Gordon et al., *Depth from Videos in the Wild*, ICCV 2019, section 3.2 (what rotation determines);
//! Triggs et al., *Bundle Adjustment: A Modern Synthesis*, 2000, section 6 (reduced normal equations).

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use nalgebra::{DMatrix, Matrix3, Matrix6, Vector2, Vector3};
use parallax_core::camera::{Camera, Intrinsics};
use serde::{Deserialize, Serialize};

use super::cameras::CENTRE_RANGE;
use super::task::{host_values, outputs};
use super::{DepthModel, DepthTask};
use crate::Error;
use crate::data::{Motion, Partner};
use crate::geometry::{Pinholes, RigidMotion};
use crate::loss::depth::{INVERSE_DEPTH_OFFSET, INVERSE_DEPTH_SLOPE};
use crate::training::Task as _;

/// Pixels from one independent match to the next.
const MATCH_SPACING: usize = 8;

/// Standard deviation of a match, pixels: photometric matches between small video frames.
const MATCH_NOISE_PX: f64 = 0.5;

/// Pairs that are looked at. Few, because errors that all pairs share (a pose network that has not settled) do not average out.
const PAIRS: usize = 32;

/// A focal length with a larger relative standard deviation, or that moved farther at the end, is called not determined.
const DETERMINED_BELOW: f64 = 0.05;

/// Steps below which nothing can be said about how a focal length moves: Adam takes about as many to find its stride.
const FEWEST_STEPS: usize = 100;

/// Cells in which depth may be wrong by a factor of their own, across and down.
const CELLS: [usize; 2] = [16, 8];

/// Standard deviation of those factors before anything is seen: depth may be wrong by half.
const DEPTH_SIGMA: f64 = 0.5;

/// Numbers of a camera: ln f, cx, cy.
const CAMERA: usize = 3;

/// A learned camera and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedCamera {
    /// Width of its pictures as taken, pixels.
    pub width: u32,
    /// Height of its pictures as taken, pixels.
    pub height: u32,
    /// Focal length in pictures as taken, pixels.
    pub focal_px: f64,
    /// Column of the principal point in pictures as taken.
    pub cx: f64,
    /// Row of the principal point in pictures as taken.
    pub cy: f64,
    /// Standard deviation of the focal length as a part of it, from the footage's geometry.
    pub focal_sigma: f64,
    /// How far it moved over the second half of the steps, as a part of it.
    pub focal_drift: f64,
    /// Whether it can be used: `focal_sigma` and `focal_drift` are below 0.05.
    pub determined: bool,
}

impl LearnedCamera {
    /// As a camera file holds it.
    #[must_use]
    pub fn camera(&self) -> Camera {
        let intrinsics = Intrinsics { fx: self.focal_px, fy: self.focal_px, cx: self.cx, cy: self.cy };
        Camera::pinhole("learned", self.width, self.height, intrinsics)
    }
}

/// Where learned focal lengths went over the steps.
#[derive(Debug, Default)]
pub struct FocalCourse(Mutex<Vec<Vec<f64>>>);

impl FocalCourse {
    /// Notes the focal lengths that a step begins with.
    pub fn note(&self, model: &DepthModel) {
        if let Some(cameras) = &model.cameras {
            let focal = cameras.intrinsics().iter().map(|camera| camera.fx).collect();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(focal);
        }
    }

    /// Whether no step was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How far a camera's focal length was, half of the steps ago, from what it is now, as a part of it; a factor of e where
    /// there were too few steps to tell.
    fn drift(&self, camera: usize, now: f64) -> f64 {
        let course = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match course.get(course.len() / 2) {
            Some(halfway) if course.len() >= FEWEST_STEPS => (now / halfway[camera]).ln().abs(),
            _ => 1.0,
        }
    }
}

/// Reports on the learned cameras of a model (in its validation form).
///
/// # Errors
/// When a frame cannot be read.
pub fn report(task: &DepthTask, model: &DepthModel, device: &Device) -> Result<Vec<LearnedCamera>, Error> {
    let Some(cameras) = &model.cameras else { return Ok(Vec::new()) };
    let known = cameras.intrinsics();
    let mut information: Vec<Information> = known.iter().map(|_| Information::new()).collect();
    let batches = PAIRS.div_ceil(2 * task.batches.config.batch).max(1);
    for step in 0..batches as u64 {
        add_batch(task, model, step, device, &mut information)?;
    }
    let footage = &task.batches.footage;
    let cameras = footage.drives_of_cameras().into_iter().zip(known).zip(information).enumerate();
    Ok(cameras
        .map(|(number, ((drive, intrinsics), information))| {
            let size = footage.frame_size(drive);
            let doubts = [information.focal_sigma(size), task.focal_course.drift(number, intrinsics.fx)];
            as_taken(intrinsics, size, footage.recording(drive).size(), doubts)
        })
        .collect())
}

fn add_batch(
    task: &DepthTask,
    model: &DepthModel,
    step: u64,
    device: &Device,
    information: &mut [Information],
) -> Result<(), Error> {
    let batch = task.batch(step)?;
    let said = outputs(model, &batch, device);
    let Some(cameras) = said.cameras.as_ref().map(Pinholes::intrinsics) else { return Ok(()) };
    let finest = &said.disparities[0];
    let factor = batch.width / finest.dims()[3];
    let disparities = host_values(finest.clone());
    let size = disparities.len() / batch.views.len();
    let sources = batch.terms.iter().zip(&said.poses).flat_map(|(term, poses)| term.sources.iter().zip(poses));
    for (source, poses) in sources.filter(|(source, _)| source.partner != Partner::OtherEye) {
        for (image, motion) in poses.motions().iter().enumerate() {
            let pair = Pair {
                camera: cameras[image],
                motion,
                free_motion: matches!(source.motion, Motion::Learned { .. }),
                disparity: &disparities[image * size..(image + 1) * size],
                factor,
                width: batch.width,
            };
            information[batch.views[image].camera].add(&pair);
        }
    }
    Ok(())
}

/// What is known of a camera and of β: the normal equations with all motions eliminated.
struct Information(DMatrix<f64>);

/// Two frames and what is believed about them.
struct Pair<'a> {
    camera: Intrinsics,
    motion: &'a RigidMotion,
    /// Whether the motion was learned, so that it may be wrong.
    free_motion: bool,
    /// Of the target, `factor` times smaller than its picture.
    disparity: &'a [f32],
    factor: usize,
    /// Of the picture, pixels.
    width: usize,
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
    fn new() -> Self {
        let unknowns = CAMERA + CELLS[0] * CELLS[1];
        let prior = |at: usize| if at < CAMERA { 0.0 } else { DEPTH_SIGMA.powi(-2) };
        Self(DMatrix::from_fn(unknowns, unknowns, |row, column| if row == column { prior(row) } else { 0.0 }))
    }

    fn add(&mut self, pair: &Pair<'_>) {
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
    fn focal_sigma(mut self, (width, height): (usize, usize)) -> f64 {
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

fn as_taken(
    frame: Intrinsics,
    size: (usize, usize),
    taken: (u32, u32),
    [focal_sigma, focal_drift]: [f64; 2],
) -> LearnedCamera {
    let (sx, sy) = (f64::from(taken.0) / size.0 as f64, f64::from(taken.1) / size.1 as f64);
    LearnedCamera {
        width: taken.0,
        height: taken.1,
        focal_px: frame.fx * sx,
        cx: (frame.cx + 0.5) * sx - 0.5,
        cy: (frame.cy + 0.5) * sy - 0.5,
        focal_sigma,
        focal_drift,
        determined: focal_sigma.max(focal_drift) < DETERMINED_BELOW,
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
        assert!(fast < DETERMINED_BELOW, "{slow} {fast}");
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
