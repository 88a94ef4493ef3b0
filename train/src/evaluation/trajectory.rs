//! How far the learned motion is from the true one, where a recording has poses.
//!
//! The pose network's motions of `n − 1` neighbouring pairs are chained to a trajectory of `n` frames. With predicted positions
//! `p_k` and true ones `g_k`, both in the axes of the snippet's first camera and both starting at 0,
//!
//! ```text
//! ATE = √ ( 1/n Σ_k |s p_k − g_k|² )      s = max(0, Σ g·p / Σ p·p)
//! ```
//!
//! Learned motion has no scale, so each snippet gets its own `s`; a negative one would turn the motion round. Two trajectories
//! that need no network stand beside it: standing still, and the mean true motion of all snippets, with its own `s`.
//!
//! Reference: Zhou, Brown, Snavely, Lowe, *Unsupervised Learning of Depth and Ego-Motion from Video*, CVPR 2017, section 4.3.

use burn::module::Module as _;
use burn::tensor::{Tensor, TensorData};
use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use parallax_core::recording::Recording;
use serde::Serialize;

use super::depth::Predictor;
use crate::Error;
use crate::geometry::Poses;
use crate::pretraining::DepthModel;

/// Mean and standard deviation over snippets, metres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub std: f64,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrajectoryReport {
    /// Frames of a snippet.
    pub snippet_frames: usize,
    /// Recorded frames from one frame of a snippet to the next.
    pub frame_gap: usize,
    /// Snippets scored.
    pub snippets: usize,
    /// Mean length of the true snippets, metres.
    pub length_m: f64,
    /// The pose network's absolute trajectory error.
    pub ate_m: Spread,
    /// That of standing still.
    pub standing_still_m: Spread,
    /// That of the mean true motion.
    pub mean_motion_m: Spread,
}

/// Positions of a snippet's frames in the axes of its first camera, metres or depth units.
type Positions = Vec<Vector3<f64>>;

/// Scores the pose network on all snippets of `frames` frames, `gap` apart, whose poses are known; none where the model has no
/// pose network or the footage no such snippet.
///
/// # Errors
/// When a frame cannot be read.
pub fn evaluate_trajectory(
    predictor: &Predictor<'_>,
    frames: usize,
    gap: usize,
) -> Result<Option<TrajectoryReport>, Error> {
    let model = predictor.model.valid();
    let predictor = Predictor { model: &model, ..*predictor };
    if model.pose.is_none() {
        return Ok(None);
    }
    let (mut predicted, mut truth) = (Vec::new(), Vec::new());
    for drive in 0..predictor.footage.drives() {
        let recording = predictor.footage.recording(drive);
        let true_ones = snippets(recording.len(), frames, gap, |from, to| true_motion(recording, from, to));
        if true_ones.iter().all(Option::is_none) {
            continue;
        }
        let motions = learned_motions(&predictor, &model, drive, gap)?;
        let learned = snippets(recording.len(), frames, gap, |from, _| motions[from]);
        for (learned, true_one) in learned.into_iter().zip(true_ones) {
            if let (Some(learned), Some(true_one)) = (learned, true_one) {
                predicted.push(learned);
                truth.push(true_one);
            }
        }
    }
    Ok(report(&predicted, &truth, frames, gap))
}

/// The positions of every snippet of a recording of `length` frames; none where a motion in it is unknown.
fn snippets(
    length: usize,
    frames: usize,
    gap: usize,
    first_from_second: impl Fn(usize, usize) -> Option<Isometry3<f64>>,
) -> Vec<Option<Positions>> {
    let starts = 0..length.saturating_sub((frames - 1) * gap);
    let positions = |start: usize| {
        let mut start_from_here = Isometry3::identity();
        let mut positions = vec![Vector3::zeros()];
        for step in 0..frames - 1 {
            let (from, to) = (start + step * gap, start + (step + 1) * gap);
            start_from_here *= first_from_second(from, to)?;
            positions.push(start_from_here.translation.vector);
        }
        Some(positions)
    };
    starts.map(positions).collect()
}

fn true_motion(recording: &Recording, from: usize, to: usize) -> Option<Isometry3<f64>> {
    Some(recording.world_from_camera(from)?.inverse() * recording.world_from_camera(to)?)
}

/// For each frame the motion `camera_from_later_camera` to the frame `gap` later, as the network sees it.
fn learned_motions(
    predictor: &Predictor<'_>,
    model: &DepthModel,
    drive: usize,
    gap: usize,
) -> Result<Vec<Option<Isometry3<f64>>>, Error> {
    let Some(network) = &model.pose else { return Ok(Vec::new()) };
    let dims = [1, 3, predictor.footage.height(), predictor.footage.width()];
    let length = predictor.footage.recording(drive).len();
    let mut frames: Vec<Option<Tensor<4>>> = vec![None; length];
    let mut motions = Vec::with_capacity(length);
    for index in 0..length {
        let later = index + gap;
        if later >= length {
            motions.push(None);
            continue;
        }
        for wanted in [index, later] {
            if frames[wanted].is_none() {
                let values = predictor.normalized(drive, wanted)?;
                frames[wanted] = Some(Tensor::from_data(TensorData::new(values, dims), predictor.device));
            }
        }
        let (Some(first), Some(second)) = (frames[index].take(), frames[later].clone()) else { continue };
        let motion = network.forward(first, second);
        let later_from_earlier = Poses::from_axis_angle(motion.clone().narrow(1, 0, 3), motion.narrow(1, 3, 3));
        motions.push(later_from_earlier.inverse().motions().first().map(isometry));
    }
    Ok(motions)
}

fn isometry(motion: &[f32; 12]) -> Isometry3<f64> {
    let m = |row: usize, column: usize| f64::from(motion[4 * row + column]);
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_fn(m));
    let translation = Translation3::new(m(0, 3), m(1, 3), m(2, 3));
    Isometry3::from_parts(translation, UnitQuaternion::from_rotation_matrix(&rotation))
}

fn report(predicted: &[Positions], truth: &[Positions], frames: usize, gap: usize) -> Option<TrajectoryReport> {
    if truth.is_empty() {
        return None;
    }
    let still = vec![Vector3::zeros(); frames];
    let mean: Positions = (0..frames)
        .map(|place| truth.iter().map(|positions| positions[place]).sum::<Vector3<f64>>() / truth.len() as f64)
        .collect();
    let errors = |of: &dyn Fn(usize) -> f64| spread(&(0..truth.len()).map(of).collect::<Vec<_>>());
    let length = |positions: &Positions| positions.windows(2).map(|pair| (pair[1] - pair[0]).norm()).sum::<f64>();
    Some(TrajectoryReport {
        snippet_frames: frames,
        frame_gap: gap,
        snippets: truth.len(),
        length_m: truth.iter().map(length).sum::<f64>() / truth.len() as f64,
        ate_m: errors(&|snippet| trajectory_error(&predicted[snippet], &truth[snippet])),
        standing_still_m: errors(&|snippet| trajectory_error(&still, &truth[snippet])),
        mean_motion_m: errors(&|snippet| trajectory_error(&mean, &truth[snippet])),
    })
}

fn trajectory_error(predicted: &Positions, truth: &Positions) -> f64 {
    let pairs = || predicted.iter().zip(truth);
    let along: f64 = pairs().map(|(predicted, truth)| predicted.dot(truth)).sum();
    let length: f64 = predicted.iter().map(Vector3::norm_squared).sum();
    let scale = if length > 0.0 { (along / length).max(0.0) } else { 0.0 };
    let squares: f64 = pairs().map(|(predicted, truth)| (scale * predicted - truth).norm_squared()).sum();
    (squares / truth.len() as f64).sqrt()
}

fn spread(values: &[f64]) -> Spread {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    Spread { mean, std: variance.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn straight(step: f64) -> Positions {
        (0..5).map(|place| Vector3::new(0.0, 0.0, step * f64::from(place))).collect()
    }

    #[test]
    fn a_trajectory_of_another_scale_has_no_error_and_a_reversed_one_is_no_better_than_standing_still() {
        assert!(trajectory_error(&straight(0.02), &straight(1.3)) < 1e-12);
        let still = trajectory_error(&straight(0.0), &straight(1.0));
        // √(0² + 1² + 2² + 3² + 4²) / 5)
        assert!((still - 6.0_f64.sqrt()).abs() < 1e-12);
        assert!((trajectory_error(&straight(-1.0), &straight(1.0)) - still).abs() < 1e-12);
    }

    #[test]
    fn motions_are_chained_in_the_axes_of_the_first_camera() {
        // A metre ahead and a quarter turn to the right (about y, down), four times: a square.
        let turn = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), std::f64::consts::FRAC_PI_2);
        let step = Isometry3::from_parts(Translation3::new(0.0, 0.0, 1.0), turn);
        let found = snippets(9, 5, 2, |_, _| Some(step));
        assert_eq!(found.len(), 1);
        let corners = [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]];
        for (position, [x, z]) in found[0].as_ref().unwrap().iter().zip(corners) {
            assert!((position - Vector3::new(x, 0.0, z)).norm() < 1e-9, "{position}");
        }
    }

    #[test]
    fn a_snippet_with_an_unknown_motion_is_left_out() {
        let known = |from: usize, _| (from != 3).then(Isometry3::identity);
        let found: Vec<bool> = snippets(6, 3, 1, known).iter().map(Option::is_some).collect();
        assert_eq!(found, [true, true, false, false]);
    }

    #[test]
    fn the_mean_motion_is_a_perfect_guess_of_a_steady_drive() {
        let report = report(&[straight(0.1), straight(0.3)], &[straight(1.0), straight(1.0)], 5, 1).unwrap();
        assert!(report.ate_m.mean < 1e-9 && report.mean_motion_m.mean < 1e-9 && report.standing_still_m.mean > 1.0);
        assert!((report.length_m - 4.0).abs() < 1e-9);
    }
}
