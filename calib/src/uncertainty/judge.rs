//! Judging a calibration: each camera, and the pair.

use super::held_out::HeldOut;
use super::trust::Trust;
use super::{coverage, next_view, projection, reasons};
use crate::solve::{Observation, Settled, Solution, SolveConfig, Target};

/// Fills in each camera's [`Trust`], the pair's verdict, and how well each view is predicted by the others.
pub(crate) fn judge(
    mut solution: Solution,
    target: &Target,
    settled: &Settled,
    observations: &[Vec<Observation>],
    config: &SolveConfig,
) -> Solution {
    let held_out = HeldOut::new(target, settled, observations, config);
    for (index, view) in solution.views.iter_mut().enumerate() {
        view.held_out_px = held_out.as_ref().and_then(|held_out| held_out.of_view(index));
    }
    for index in 0..solution.cameras.len() {
        let solved = &solution.cameras[index];
        let projection = solved.covariance.as_ref().map(|covariance| projection::Map::new(solved, covariance));
        let next_view = projection
            .as_ref()
            .and_then(|map| next_view::Knowledge::new(&solution.board, target, solved, map, solution.sigma_px))
            .and_then(|known| known.best());
        let mut trust = Trust {
            coverage: coverage::of(&solution, index),
            projection: projection.map(|map| map.sigmas),
            held_out_px: held_out.as_ref().and_then(|held_out| held_out.median_px(index)),
            next_view,
            ..Trust::default()
        };
        (trust.verdict, trust.reasons) = reasons::of(&solution, index, &trust);
        solution.cameras[index].trust = trust;
    }
    if let Some(pair) = &mut solution.pair {
        (pair.verdict, pair.reasons) = reasons::of_pair(pair);
    }
    solution
}
