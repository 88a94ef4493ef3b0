//! The fit that stands: least squares, then outliers out, until nothing changes.
//!
//! The first rounds weigh large errors down (Huber), so that wrong corners cannot drag the camera away before they are
//! known; the last ones take what is left with equal weights, so that its covariance means what it says.

use super::first_guess;
use super::least_squares::{Fit, Problem, minimise};
use super::outliers::{corner_limit_px, error, robust_sigma, view_fault};
use super::rig::{Layout, Observation, Rig, Target};
use nalgebra::{DMatrix, Isometry3, Vector2};

/// Everything that is fitted, with what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    /// Poses are those of `views`, in their order.
    pub(crate) rig: Rig,
    /// The covariance of the shared unknowns, pixels of noise counted in; none when they are not determined.
    pub(crate) covariance: Option<DMatrix<f64>>,
    /// Standard deviation of a coordinate, from what the fit leaves over.
    pub(crate) sigma_px: f64,
    /// For each view given, what became of it.
    pub(crate) views: Vec<ViewFate>,
}

/// What became of a view.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ViewFate {
    /// Where the board was; none when the corners allow no pose.
    pub(crate) rig_from_board: Option<Isometry3<f64>>,
    /// For each observation, its error and whether it takes part.
    pub(crate) corners: Vec<(Option<Vector2<f64>>, bool)>,
    /// Why the view takes no part.
    pub(crate) fault: Option<String>,
}

impl ViewFate {
    pub(crate) fn is_used(&self) -> bool {
        self.fault.is_none()
    }
}

/// Rounds of fitting and judging; real sets are done after four.
const MOST_ROUNDS: usize = 8;
/// Rounds with errors weighed down.
const CAREFUL_ROUNDS: usize = 2;
/// Fewer corners that belong say nothing about a view.
const LEAST_CORNERS: usize = 6;

/// Fits `rig` to the views. `poses` are first guesses, none for views that have none.
pub(crate) fn settle(
    mut rig: Rig,
    target: &Target,
    observations: &[Vec<Observation>],
    poses: Vec<Option<Isometry3<f64>>>,
    is_free: &[bool],
) -> Option<Settled> {
    let mut fates: Vec<ViewFate> =
        poses.into_iter().zip(observations).map(|(pose, seen)| first_fate(pose, seen)).collect();
    let mut linear_beyond_px = 1.0;
    let mut round = 0;
    loop {
        let (fit, sigma_px) = fit_used(&mut rig, target, observations, &mut fates, is_free, linear_beyond_px)?;
        let judged = judge(&rig, target, observations, &fates);
        round += 1;
        let has_changed = judged.iter().zip(&fates).any(|(new, old)| flags(new) != flags(old));
        let is_careful = linear_beyond_px.is_finite();
        fates = judged;
        if !is_careful && (!has_changed || round >= MOST_ROUNDS) {
            // When the rounds ran out, the last judgement may know other views than the last fit.
            let used = fates.iter().filter(|fate| fate.is_used());
            rig.rig_from_board = used.filter_map(|fate| fate.rig_from_board).collect();
            let covariance = fit.shared_covariance.map(|unit| unit * sigma_px * sigma_px);
            return Some(Settled { rig, covariance, sigma_px, views: fates });
        }
        linear_beyond_px = if round < CAREFUL_ROUNDS { 3.0 * sigma_px.max(0.02) } else { f64::INFINITY };
    }
}

fn flags(fate: &ViewFate) -> (bool, Vec<bool>) {
    (fate.is_used(), fate.corners.iter().map(|corner| corner.1).collect())
}

fn first_fate(pose: Option<Isometry3<f64>>, seen: &[Observation]) -> ViewFate {
    let fault = pose.is_none().then(|| "its corners allow no position of the board".to_owned());
    ViewFate { rig_from_board: pose, corners: vec![(None, true); seen.len()], fault }
}

/// Fits the views in use; returns the fit and the standard deviation of a coordinate.
fn fit_used(
    rig: &mut Rig,
    target: &Target,
    observations: &[Vec<Observation>],
    fates: &mut [ViewFate],
    is_free: &[bool],
    linear_beyond_px: f64,
) -> Option<(Fit, f64)> {
    let used: Vec<usize> = (0..fates.len()).filter(|&view| fates[view].is_used()).collect();
    let seen: Vec<Vec<Observation>> = used.iter().map(|&view| kept(&observations[view], &fates[view])).collect();
    rig.rig_from_board = used.iter().filter_map(|&view| fates[view].rig_from_board).collect();
    if used.is_empty() {
        return None;
    }
    let fit = minimise(rig, &Problem { target, views: &seen, is_free, linear_beyond_px })?;
    for (&view, pose) in used.iter().zip(&rig.rig_from_board) {
        fates[view].rig_from_board = Some(*pose);
    }
    let errors: Vec<Vector2<f64>> = seen
        .iter()
        .enumerate()
        .flat_map(|(view, seen)| seen.iter().map(move |o| (view, o)))
        .filter_map(|(view, o)| error(rig, target, view, o))
        .collect();
    let unknowns = is_free.iter().filter(|&&free| free).count() + 6 * used.len();
    let freedom = (2 * errors.len()).saturating_sub(unknowns).max(1);
    let squares: f64 = errors.iter().map(Vector2::norm_squared).sum();
    let sigma_px = if linear_beyond_px.is_finite() {
        robust_sigma(errors.into_iter())?
    } else {
        (squares / freedom as f64).sqrt()
    };
    Some((fit, sigma_px))
}

fn kept(seen: &[Observation], fate: &ViewFate) -> Vec<Observation> {
    seen.iter().zip(&fate.corners).filter(|(_, corner)| corner.1).map(|(o, _)| *o).collect()
}

/// For each corner of a view, seen minus expected pixel; none where no pixel is expected.
type CornerErrors = Vec<Option<Vector2<f64>>>;

/// Every view and corner measured against the fit, also those that were left out before.
fn judge(rig: &Rig, target: &Target, observations: &[Vec<Observation>], fates: &[ViewFate]) -> Vec<ViewFate> {
    let errors: Vec<(Option<Isometry3<f64>>, CornerErrors)> = observations
        .iter()
        .zip(fates)
        .map(|(seen, fate)| {
            let pose = if fate.is_used() { fate.rig_from_board } else { pose_of_view(rig, target, seen) };
            let errors = pose.map_or_else(|| vec![None; seen.len()], |pose| errors_at(rig, target, pose, seen));
            (pose, errors)
        })
        .collect();
    let used = || errors.iter().zip(fates).filter(|(_, fate)| fate.is_used()).map(|((_, errors), _)| errors);
    let sigma_px = robust_sigma(used().flatten().filter_map(|error| *error)).unwrap_or(f64::INFINITY);
    let limit_px = corner_limit_px(sigma_px);
    let mut rms: Vec<f64> = used().map(|errors| median_size(errors)).collect();
    rms.sort_by(f64::total_cmp);
    let typical_px = rms.get(rms.len() / 2).copied().unwrap_or_default();
    let judged = errors.iter().map(|(pose, errors)| {
        let is_kept = |error: &Option<Vector2<f64>>| error.is_some_and(|error| error.norm() <= limit_px);
        let corners: Vec<_> = errors.iter().map(|error| (*error, is_kept(error))).collect();
        let left = corners.iter().filter(|corner| corner.1).count();
        let fault = match pose {
            None => Some("its corners allow no position of the board".to_owned()),
            Some(_) => view_fault(errors, limit_px, typical_px)
                .or_else(|| (left < LEAST_CORNERS).then(|| format!("only {left} of its corners belong"))),
        };
        ViewFate { rig_from_board: *pose, corners, fault }
    });
    judged.collect()
}

/// The rms a view has if its errors are normal, from the median size, which single bad corners do not move.
fn median_size(errors: &[Option<Vector2<f64>>]) -> f64 {
    let mut sizes: Vec<f64> = errors.iter().flatten().map(nalgebra::Matrix::norm).collect();
    sizes.sort_by(f64::total_cmp);
    // The median of a Rayleigh distribution is 1.1774 σ and its rms √2 σ.
    sizes.get(sizes.len() / 2).map_or(0.0, |median| median * std::f64::consts::SQRT_2 / 1.1774)
}

fn errors_at(rig: &Rig, target: &Target, pose: Isometry3<f64>, seen: &[Observation]) -> CornerErrors {
    let alone = Rig { rig_from_board: vec![pose], ..rig.clone() };
    seen.iter().map(|o| error(&alone, target, 0, o)).collect()
}

/// Fits a rig to views that are known to belong.
pub(crate) fn refit(rig: &mut Rig, target: &Target, views: &[Vec<Observation>], is_free: &[bool]) -> Option<Fit> {
    minimise(rig, &Problem { target, views, is_free, linear_beyond_px: f64::INFINITY })
}

/// The best pose of a view with the rig held.
pub(crate) fn pose_of_view(rig: &Rig, target: &Target, seen: &[Observation]) -> Option<Isometry3<f64>> {
    let by_camera = |camera: usize| {
        let own: Vec<Observation> = seen.iter().filter(|o| o.camera == camera).copied().collect();
        let camera = &rig.cameras[camera];
        let in_camera = first_guess::pose(camera.lens, &camera.numbers, target, &own)?;
        Some((own.len(), camera.camera_from_rig.inverse() * in_camera))
    };
    let (_, start) = (0..rig.cameras.len()).filter_map(by_camera).max_by_key(|(count, _)| *count)?;
    pose_near(rig, target, seen, start)
}

/// The pose of a view nearest to `start` with the rig held.
pub(crate) fn pose_near(
    rig: &Rig,
    target: &Target,
    seen: &[Observation],
    start: Isometry3<f64>,
) -> Option<Isometry3<f64>> {
    let mut alone = Rig { rig_from_board: vec![start], ..rig.clone() };
    let is_free = vec![false; Layout::of(&alone).count];
    let views = [seen.to_vec()];
    minimise(&mut alone, &Problem { target, views: &views, is_free: &is_free, linear_beyond_px: 2.0 })?;
    Some(alone.rig_from_board[0])
}
