//! How well views are predicted that took no part: each fifth of the views is left out in turn, the cameras are fitted
//! to the others, and only the pose of each left-out view is fitted to its corners.

use crate::solve::{Observation, Rig, Settled, SolveConfig, Target, free_unknowns, pose_of_view, refit, rms};
use nalgebra::Vector2;
use rayon::prelude::*;

/// Parts into which the views are divided.
const PARTS: usize = 5;
/// With fewer views a part of them determines no camera.
const LEAST_VIEWS: usize = 4;

/// For each camera the root mean square error over the left-out views; none with too few views.
pub(super) fn rms_px(
    target: &Target,
    settled: &Settled,
    observations: &[Vec<Observation>],
    config: &SolveConfig,
) -> Option<Vec<f64>> {
    let used: Vec<usize> = (0..settled.views.len()).filter(|&view| settled.views[view].is_used()).collect();
    if used.len() < LEAST_VIEWS {
        return None;
    }
    let kept = |view: usize| -> Vec<Observation> {
        let corners = observations[view].iter().zip(&settled.views[view].corners);
        corners.filter(|(_, corner)| corner.1).map(|(o, _)| *o).collect()
    };
    let views: Vec<Vec<Observation>> = used.iter().map(|&view| kept(view)).collect();
    let is_free = free_unknowns(&settled.rig, config);
    let of_part = |part: usize| -> Option<Vec<(usize, Vector2<f64>)>> {
        let (inside, outside): (Vec<usize>, Vec<usize>) = (0..views.len()).partition(|index| index % PARTS != part);
        let mut rig = Rig {
            rig_from_board: inside.iter().map(|&index| settled.rig.rig_from_board[index]).collect(),
            ..settled.rig.clone()
        };
        let seen: Vec<Vec<Observation>> = inside.iter().map(|&index| views[index].clone()).collect();
        refit(&mut rig, target, &seen, &is_free)?;
        let mut errors = Vec::new();
        for index in outside {
            let alone = Rig { rig_from_board: vec![pose_of_view(&rig, target, &views[index])?], ..rig.clone() };
            for o in &views[index] {
                errors.push((o.camera, o.pixel - alone.pixel(target, 0, o.camera, o.number)?));
            }
        }
        Some(errors)
    };
    let parts: Option<Vec<_>> = (0..PARTS.min(views.len())).into_par_iter().map(of_part).collect();
    let errors: Vec<(usize, Vector2<f64>)> = parts?.into_iter().flatten().collect();
    let of_camera = |camera: usize| rms(errors.iter().filter(|(own, _)| *own == camera).map(|(_, error)| *error));
    Some((0..settled.rig.cameras.len()).map(of_camera).collect())
}
