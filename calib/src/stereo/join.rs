//! Fitting two cameras together.

use super::pair::Pair;
use super::pairing;
use crate::rectification::Epipolar;
use crate::solve::{
    Layout, Observation, Rig, RigCamera, Settled, SolveConfig, Target, View, ViewFate, free_unknowns, pose_of_view,
    settle,
};
use crate::uncertainty::Verdict;
use crate::{Error, Result, rectification};
use nalgebra::{Isometry3, Point2};
use parallax_core::board::Board;

/// The two rows of a corner that both cameras saw, where they can be told.
type RowsOf<'a> = &'a dyn Fn(&[Point2<f64>; 2]) -> Option<[f64; 2]>;

/// Fits both cameras and their relation together, starting from each by itself.
pub(crate) fn join(
    board: &Board,
    target: &Target,
    sizes: &[(u32, u32)],
    views: &[View],
    observations: &[Vec<Observation>],
    alone: [Settled; 2],
    config: &SolveConfig,
) -> Result<(Settled, Pair)> {
    if sizes[0] != sizes[1] {
        let [(w, h), (w2, h2)] = [sizes[0], sizes[1]];
        return Err(Error::Pair {
            what: format!("the left pictures have {w}x{h} pixels and the right ones {w2}x{h2}"),
            hint: "set both cameras to the same size, or calibrate each by itself".to_owned(),
        });
    }
    let right_from_left = pairing::relation(board, target, &alone, views)?;
    let rig = rig_of(&alone, right_from_left);
    let poses = observations.iter().zip(&alone[0].views).map(|(seen, fate)| start(&rig, target, seen, fate)).collect();
    let is_free = free_unknowns(&rig, config);
    let settled = settle(rig, target, observations, poses, &is_free).ok_or_else(|| Error::Pair {
        what: "no two cameras explain both sets of pictures".to_owned(),
        hint: "calibrate each camera by itself first and look at its report".to_owned(),
    })?;
    let layout = Layout::of(&settled.rig);
    let right_from_left = settled.rig.cameras[1].camera_from_rig;
    let first = layout.poses[1].unwrap_or_default();
    let covariance = settled.covariance.as_ref().map(|all| all.view((first, first), (6, 6)).into_owned());
    let cameras = [0, 1].map(|index| {
        let camera = &settled.rig.cameras[index];
        camera.lens.camera("", sizes[index], &camera.numbers)
    });
    let level = rectification::rectification(&cameras, &right_from_left);
    let matches = matches(observations, &settled.views);
    let apart = |rows: RowsOf<'_>| {
        let views = matches.iter().map(|view| view.iter().map(rows).collect());
        rectification::rows_apart(views).unwrap_or(Epipolar::UNKNOWN)
    };
    let pair = Pair {
        right_from_left,
        covariance,
        before: apart(&|pair| Some([pair[0].y, pair[1].y])),
        after: apart(&|pair| level.rows(&cameras, pair)),
        verdict: Verdict::default(),
        reasons: Vec::new(),
        rectifications: level.rotations,
        rectified: level.intrinsics,
    };
    Ok((settled, pair))
}

fn rig_of(alone: &[Settled; 2], right_from_left: Isometry3<f64>) -> Rig {
    let camera = |index: usize, camera_from_rig| RigCamera { camera_from_rig, ..alone[index].rig.cameras[0].clone() };
    Rig {
        cameras: vec![camera(0, Isometry3::identity()), camera(1, right_from_left)],
        rig_from_board: Vec::new(),
        warp_m: alone[0].rig.warp_m,
    }
}

/// Where the board is: as the left camera says by itself, or as the right one does where the left one saw nothing.
fn start(rig: &Rig, target: &Target, seen: &[Observation], left: &ViewFate) -> Option<Isometry3<f64>> {
    if left.is_used() { left.rig_from_board } else { pose_of_view(rig, target, seen) }
}

/// For each view, the corners in use that both cameras saw: left and right pixel.
fn matches(observations: &[Vec<Observation>], fates: &[ViewFate]) -> Vec<Vec<[Point2<f64>; 2]>> {
    let of_view = |(seen, fate): (&Vec<Observation>, &ViewFate)| {
        let used: Vec<Observation> =
            seen.iter().zip(&fate.corners).filter(|(_, corner)| corner.1 && fate.is_used()).map(|(o, _)| *o).collect();
        let right = |number: usize| used.iter().find(|o| o.camera == 1 && o.number == number).map(|o| o.pixel);
        let left = used.iter().filter(|o| o.camera == 0);
        left.filter_map(|o| Some([o.pixel, right(o.number)?])).collect::<Vec<_>>()
    };
    observations.iter().zip(fates).map(of_view).collect()
}
