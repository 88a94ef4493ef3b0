//! Where the right camera is, from where each camera says the board was; and whether the pictures belong together.
//!
//! Every view in which both cameras saw the board proposes `right_from_board · left_from_board⁻¹`. The proposal that
//! explains the other views best is taken. When none explains them, the pictures were not taken at the same moment or
//! are paired wrongly; both are tried and said.

use crate::solve::{Rig, Settled, Target, View};
use crate::{Error, Result};
use nalgebra::Isometry3;
use parallax_core::board::Board;

/// Views that both cameras must share: with two, a wrong one cannot be told from a right one.
const LEAST_COMMON: usize = 3;
/// Poses of a single view are uncertain by some pixels at most; beyond this two pictures do not belong together.
const FITS_PX: f64 = 8.0;
/// No two lenses are nearer to each other.
const LEAST_BASELINE_M: f64 = 0.001;
/// Shifts of the numbering that are tried.
const SHIFTS: [i32; 4] = [-1, 1, -2, 2];

pub(super) fn relation(board: &Board, target: &Target, alone: &[Settled; 2], views: &[View]) -> Result<Isometry3<f64>> {
    let proposals = proposals(alone, 0);
    if proposals.len() < LEAST_COMMON {
        return Err(Error::Pair {
            what: format!("both cameras saw the board together in {} of {} views", proposals.len(), views.len()),
            hint: format!("take at least {LEAST_COMMON} pairs in which the whole board is in both pictures"),
        });
    }
    let (error_px, relation) = best(board, target, alone, &proposals, 0);
    if error_px > FITS_PX {
        return Err(not_together(board, target, alone, error_px));
    }
    let t = relation.translation.vector;
    if t.norm() < LEAST_BASELINE_M {
        return Err(Error::Pair {
            what: format!(
                "the left and the right pictures are of one camera: {:.2} mm lie between them",
                t.norm() * 1e3
            ),
            hint: "give the left camera's pictures first and the right one's after --right".to_owned(),
        });
    }
    if t.x.abs() < t.y.abs().max(t.z.abs()) {
        let centimetres = (-(relation.rotation.inverse() * t)) * 100.0;
        let (x, y, z) = (centimetres.x, centimetres.y, centimetres.z);
        return Err(Error::Pair {
            what: format!(
                "the second camera is not beside the first one: it is {x:.1} cm to the right, {y:.1} cm below and {z:.1} cm \
                 before it"
            ),
            hint: "rectification needs cameras side by side; calibrate each by itself".to_owned(),
        });
    }
    if t.x > 0.0 {
        return Err(Error::Pair {
            what: format!("left and right are swapped: the right camera stands {:.1} cm to the left", t.x * 100.0),
            hint: "exchange IMAGES and --right".to_owned(),
        });
    }
    Ok(relation)
}

fn not_together(board: &Board, target: &Target, alone: &[Settled; 2], error_px: f64) -> Error {
    let what =
        format!("the two cameras did not see the same scene: half of the pairs are more than {error_px:.0} px off");
    let shifted = SHIFTS.into_iter().find(|&shift| {
        let proposals = proposals(alone, shift);
        proposals.len() >= LEAST_COMMON && best(board, target, alone, &proposals, shift).0 < FITS_PX / 2.0
    });
    let hint = match shifted {
        Some(shift) => {
            let direction = if shift > 0 { "later" } else { "earlier" };
            format!("they fit with the right pictures taken {} {direction}: a picture is missing on one side", shift.abs())
        }
        None => "trigger both cameras together, hold the board still for every pair, and name the files so that pairs sort alike"
            .to_owned(),
    };
    Error::Pair { what, hint }
}

/// For each view in which both poses are known, its index and what it proposes. `shift` pairs view i of the left camera
/// with view i + shift of the right one.
fn proposals(alone: &[Settled; 2], shift: i32) -> Vec<(usize, Isometry3<f64>)> {
    let of_view = |index: usize| {
        let (left, right) = poses(alone, index, shift)?;
        Some((index, right * left.inverse()))
    };
    (0..alone[0].views.len()).filter_map(of_view).collect()
}

fn poses(alone: &[Settled; 2], index: usize, shift: i32) -> Option<(Isometry3<f64>, Isometry3<f64>)> {
    let partner = usize::try_from(index as i32 + shift).ok()?;
    let (left, right) = (alone[0].views.get(index)?, alone[1].views.get(partner)?);
    (left.is_used() && right.is_used()).then_some((left.rig_from_board?, right.rig_from_board?))
}

/// The proposal with the least median error over all views, and that error in pixels.
fn best(
    board: &Board,
    target: &Target,
    alone: &[Settled; 2],
    proposals: &[(usize, Isometry3<f64>)],
    shift: i32,
) -> (f64, Isometry3<f64>) {
    let judged = proposals.iter().map(|(_, relation)| {
        let mut errors: Vec<f64> = proposals
            .iter()
            .filter_map(|(index, _)| poses(alone, *index, shift))
            .map(|(left, right)| apart_px(board, target, alone, relation * left, right))
            .collect();
        errors.sort_by(f64::total_cmp);
        (errors[errors.len() / 2], *relation)
    });
    let nothing = (f64::INFINITY, Isometry3::identity());
    judged.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or(nothing)
}

/// The mean distance of the board's outer corners in the right picture between two poses.
fn apart_px(board: &Board, target: &Target, alone: &[Settled; 2], a: Isometry3<f64>, b: Isometry3<f64>) -> f64 {
    let (columns, count) = (board.corner_columns() as usize, board.corner_count());
    let rig = Rig { rig_from_board: vec![a, b], ..alone[1].rig.clone() };
    let corner = |number: usize| Some((rig.pixel(target, 0, 0, number)? - rig.pixel(target, 1, 0, number)?).norm());
    let sum: Option<f64> = [0, columns - 1, count - columns, count - 1].into_iter().map(corner).sum();
    sum.map_or(f64::INFINITY, |sum| sum / 4.0)
}
