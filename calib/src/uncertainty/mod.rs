//! How far a calibration can be trusted.
//!
//! | file | says |
//! |---|---|
//! | `projection` | how far a pixel may be off, over the picture |
//! | `coverage` | where in the picture corners were seen |
//! | `held_out` | how well views are predicted that took no part |
//! | `next_view` | which view would help most |
//! | `verdict` | good, usable or not determined, and why |

mod coverage;
mod held_out;
mod next_view;
mod projection;
mod verdict;

pub use coverage::Coverage;
pub use next_view::{NextView, Side};
pub use projection::ProjectionMap;
pub use verdict::{Reason, Verdict};

pub(crate) use next_view::{Knowledge, TILT_DEGREES, place_in_words, pose as pose_of_next_view};

use crate::solve::{Observation, Settled, Solution, SolveConfig, Target};
use held_out::HeldOut;

/// How far one camera can be trusted.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Where corners were seen.
    pub coverage: Coverage,
    /// How far pixels may be off; none when the numbers are not determined.
    pub projection: Option<ProjectionMap>,
    /// Median over views of the root mean square error with which a fit without them predicts them, pixels: infinite when
    /// most cannot be predicted; none with fewer than four views.
    pub held_out_px: Option<f64>,
    /// The view that would help most.
    pub next_view: Option<NextView>,
    /// All of this in a word.
    pub verdict: Verdict,
    /// What stands between this calibration and a better verdict, the gravest first.
    pub reasons: Vec<Reason>,
}

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
        (trust.verdict, trust.reasons) = verdict::of(&solution, index, &trust);
        solution.cameras[index].trust = trust;
    }
    if let Some(pair) = &mut solution.pair {
        (pair.verdict, pair.reasons) = verdict::of_pair(pair);
    }
    solution
}

#[cfg(test)]
mod tests;
