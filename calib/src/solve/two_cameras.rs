//! Whether pictures of two cameras were mixed.
//!
//! One camera can be fitted to the pictures of two alike ones, half a pixel worse than each by itself, and all of its
//! numbers are wrong. The views are therefore also divided into two sets with a camera each: from a first division, every
//! view goes to the camera that explains it better, until none changes. Two cameras were at work when that explains the
//! corners much better than one.

use super::settle::{Settled, pose_of_view, refit};
use super::{Layout, Observation, Rig, Target};
use crate::detect::LEAST_CORNERS;
use rayon::prelude::*;

/// Views that a camera of its own must have.
const LEAST_VIEWS: usize = 3;
/// What two cameras must leave of the squared error of one. OpenCV's sample pair, two cameras as alike as factories make
/// them, leaves 0.64. How little one camera's views leave is not measured: 0.8 lies between that and 1, where a second
/// camera explains nothing.
const MOST_LEFT: f64 = 0.8;
/// And the least that one camera leaves in a coordinate, pixels: below, it is all noise of the detector.
const LEAST_RMS_PX: f64 = 0.05;
const MOST_ROUNDS: usize = 8;

/// The views of the second camera, by their place among all views; none when one camera explains them all.
pub(crate) fn second(
    target: &Target,
    settled: &Settled,
    observations: &[Vec<Observation>],
    is_free: &[bool],
) -> Option<Vec<usize>> {
    // Views that were left out as well: they may be the other camera's.
    let posed =
        |view: &usize| settled.views[*view].rig_from_board.is_some() && observations[*view].len() >= LEAST_CORNERS;
    let used: Vec<usize> = (0..settled.views.len()).filter(posed).collect();
    if used.len() < 2 * LEAST_VIEWS {
        return None;
    }
    let seen: Vec<Vec<Observation>> = used.iter().map(|&view| kept(settled, observations, view)).collect();
    let half = used.len() / 2;
    let rig_from_board = used.iter().filter_map(|&view| settled.views[view].rig_from_board).collect();
    let start = Rig { rig_from_board, ..settled.rig.clone() };
    let one = cost_of_one(target, &start, &seen);
    let corners: usize = seen.iter().map(Vec::len).sum();
    // Of all views: corners that are found well leave out the other camera's views, and the rest fits.
    if (one / corners as f64).sqrt() < LEAST_RMS_PX {
        return None;
    }
    // What was left out, one folder after the other, turn by turn, and by the side to which a view's errors point.
    let divisions: [Vec<bool>; 4] = [
        used.iter().map(|&view| !settled.views[view].is_used()).collect(),
        (0..used.len()).map(|index| index >= half).collect(),
        (0..used.len()).map(|index| index % 2 == 1).collect(),
        by_mean_error(settled, &used),
    ];
    let divided = divisions.into_iter().filter_map(|division| divide(target, &start, &seen, is_free, division));
    let (two, division) = divided.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let rest = used.iter().zip(division).filter(|(_, is_second)| *is_second).map(|(view, _)| *view);
    (two < MOST_LEFT * one).then(|| rest.collect())
}

/// The squared error that one camera leaves, halved, with the board flat or bent, whichever is less. What a bent board
/// leaves of a flat one's fit would also shrink with a second camera.
fn cost_of_one(target: &Target, start: &Rig, views: &[Vec<Observation>]) -> f64 {
    let cost = |rig: &Rig| -> f64 { costs(target, rig, views).into_iter().sum() };
    let mut bent = start.clone();
    let is_fitted = refit(&mut bent, target, views, &vec![true; Layout::of(start).count]).is_some();
    if is_fitted { cost(start).min(cost(&bent)) } else { cost(start) }
}

fn kept(settled: &Settled, observations: &[Vec<Observation>], view: usize) -> Vec<Observation> {
    let fate = &settled.views[view];
    let corners = observations[view].iter().zip(&fate.corners);
    corners.filter(|(_, corner)| corner.1 || !fate.is_used()).map(|(o, _)| *o).collect()
}

/// Whether a view's mean error points to the upper left.
fn by_mean_error(settled: &Settled, used: &[usize]) -> Vec<bool> {
    let sum = |view: &usize| -> f64 {
        settled.views[*view].corners.iter().filter_map(|corner| corner.0).map(|error| error.x + error.y).sum()
    };
    used.iter().map(|view| sum(view) < 0.0).collect()
}

/// Half the squared error of every view with its best pose.
fn costs(target: &Target, rig: &Rig, views: &[Vec<Observation>]) -> Vec<f64> {
    let cost = |seen: &Vec<Observation>| {
        let Some(pose) = pose_of_view(rig, target, seen) else { return f64::INFINITY };
        let alone = Rig { rig_from_board: vec![pose], ..rig.clone() };
        let squares = seen.iter().map(|o| {
            let pixel = alone.pixel(target, 0, o.camera, o.number);
            pixel.map_or(f64::INFINITY, |pixel| (o.pixel - pixel).norm_squared())
        });
        0.5 * squares.sum::<f64>()
    };
    views.par_iter().map(cost).collect()
}

/// Moves views between two cameras until none changes; the sum of the costs and the division, none when one of them is
/// left with too few views.
fn divide(
    target: &Target,
    start: &Rig,
    views: &[Vec<Observation>],
    is_free: &[bool],
    mut division: Vec<bool>,
) -> Option<(f64, Vec<bool>)> {
    let fitted = |wanted: bool, division: &[bool]| -> Option<Rig> {
        let chosen: Vec<usize> = (0..views.len()).filter(|&index| division[index] == wanted).collect();
        if chosen.len() < LEAST_VIEWS {
            return None;
        }
        let seen: Vec<Vec<Observation>> = chosen.iter().map(|&index| views[index].clone()).collect();
        let rig_from_board = chosen.iter().map(|&index| start.rig_from_board[index]).collect();
        let mut rig = Rig { rig_from_board, ..start.clone() };
        refit(&mut rig, target, &seen, is_free)?;
        Some(rig)
    };
    let mut sum = f64::INFINITY;
    for _ in 0..MOST_ROUNDS {
        let (first, second) = (fitted(false, &division)?, fitted(true, &division)?);
        let (first, second) = (costs(target, &first, views), costs(target, &second, views));
        let next: Vec<bool> = first.iter().zip(&second).map(|(first, second)| second < first).collect();
        sum = first.iter().zip(&second).map(|(first, second)| first.min(*second)).sum();
        if next == division {
            break;
        }
        division = next;
    }
    Some((sum, division))
}
