//! How well views are predicted that took no part: each fifth of the views is left out in turn, the cameras are fitted
//! to the others, and only the pose of each left-out view is fitted to its corners.
//!
//! Every view has its own error, and the median of them counts. A view that stands alone at an edge of the picture is
//! predicted badly, because nothing else shows the lens there: that says something of this view, and how far pixels may
//! be off there is said by their σ.

use crate::solve::{
    Observation, Rig, Settled, SolveConfig, Target, free_unknowns, pose_near, pose_of_view, refit, rms,
};
use nalgebra::{Isometry3, Vector2};
use rayon::prelude::*;

/// Parts into which the views are divided.
const PARTS: usize = 5;
/// With fewer views a part of them determines no camera.
pub(super) const LEAST_VIEWS: usize = 4;

/// Distances of the corners of one view, seen minus predicted, each with its camera; none when a camera fitted to the
/// other views does not show the board where it was.
type Predicted = Option<Vec<(usize, Vector2<f64>)>>;

/// For each view that took part, how it is predicted by the others.
#[derive(Clone, Debug)]
pub(super) struct HeldOut {
    /// Index of the view among all, and its errors.
    views: Vec<(usize, Predicted)>,
}

impl HeldOut {
    /// None with too few views to leave some out.
    pub(super) fn new(
        target: &Target,
        settled: &Settled,
        observations: &[Vec<Observation>],
        config: &SolveConfig,
    ) -> Option<Self> {
        let used: Vec<usize> = (0..settled.views.len()).filter(|&view| settled.views[view].is_used()).collect();
        if used.len() < LEAST_VIEWS {
            return None;
        }
        let views: Vec<Vec<Observation>> = used.iter().map(|&view| kept(settled, observations, view)).collect();
        let is_free = free_unknowns(&settled.rig, config);
        let of_part = |part: usize| -> Vec<(usize, Predicted)> {
            let (inside, outside): (Vec<usize>, Vec<usize>) = (0..views.len()).partition(|index| index % PARTS != part);
            let mut rig = Rig {
                rig_from_board: inside.iter().map(|&index| settled.rig.rig_from_board[index]).collect(),
                ..settled.rig.clone()
            };
            let seen: Vec<Vec<Observation>> = inside.iter().map(|&index| views[index].clone()).collect();
            let is_fitted = refit(&mut rig, target, &seen, &is_free).is_some();
            let predict = |index: usize| {
                let errors = || errors_of_view(&rig, target, &views[index], &settled.rig.rig_from_board[index]);
                (used[index], is_fitted.then(errors).flatten())
            };
            outside.into_iter().map(predict).collect()
        };
        let parts: Vec<Vec<_>> = (0..PARTS.min(views.len())).into_par_iter().map(of_part).collect();
        let mut views: Vec<_> = parts.into_iter().flatten().collect();
        views.sort_by_key(|(view, _)| *view);
        Some(Self { views })
    }

    /// Root mean square error of a view, pixels: infinite where it could not be predicted at all; none for a view that took
    /// no part.
    pub(super) fn of_view(&self, view: usize) -> Option<f64> {
        let (_, predicted) = self.views.iter().find(|(own, _)| *own == view)?;
        Some(predicted.as_ref().map_or(f64::INFINITY, |errors| rms(errors.iter().map(|(_, error)| *error))))
    }

    /// The median over views of the root mean square error of one camera's corners; infinite when most views could not be
    /// predicted. None when it saw the board in too few of them.
    pub(super) fn median_px(&self, camera: usize) -> Option<f64> {
        let of_view = |(_, predicted): &(usize, Predicted)| match predicted {
            None => Some(f64::INFINITY),
            Some(errors) => {
                let own: Vec<Vector2<f64>> =
                    errors.iter().filter(|(own, _)| *own == camera).map(|(_, error)| *error).collect();
                (!own.is_empty()).then(|| rms(own.into_iter()))
            }
        };
        let mut errors: Vec<f64> = self.views.iter().filter_map(of_view).collect();
        errors.sort_by(f64::total_cmp);
        (errors.len() >= LEAST_VIEWS).then(|| errors[errors.len() / 2])
    }
}

fn kept(settled: &Settled, observations: &[Vec<Observation>], view: usize) -> Vec<Observation> {
    let corners = observations[view].iter().zip(&settled.views[view].corners);
    corners.filter(|(_, corner)| corner.1).map(|(o, _)| *o).collect()
}

/// Seen minus predicted with the pose that fits best: found anew, or near the one that the whole fit gave.
fn errors_of_view(rig: &Rig, target: &Target, seen: &[Observation], known: &Isometry3<f64>) -> Predicted {
    let errors = |pose: Isometry3<f64>| -> Predicted {
        let alone = Rig { rig_from_board: vec![pose], ..rig.clone() };
        seen.iter().map(|o| Some((o.camera, o.pixel - alone.pixel(target, 0, o.camera, o.number)?))).collect()
    };
    let size = |errors: &Vec<(usize, Vector2<f64>)>| rms(errors.iter().map(|(_, error)| *error));
    let found = [pose_of_view(rig, target, seen), pose_near(rig, target, seen, *known)];
    let found = found.into_iter().flatten().filter_map(errors);
    found.min_by(|a, b| size(a).total_cmp(&size(b)))
}
