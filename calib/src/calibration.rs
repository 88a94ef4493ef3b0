//! A whole calibration: each camera by itself, a pair together, and how far to trust the result.

use crate::detect::LEAST_CORNERS;
use crate::solve::{
    BetterLens, Lens, Observation, Rig, RigCamera, Settled, Solution, SolveConfig, Target, View, first_guess,
    free_unknowns, observations, other_lenses, pose, settle, solution, two_cameras,
};
use crate::{Error, Result, stereo, uncertainty};
use nalgebra::Isometry3;
use parallax_core::board::Board;

/// Fewer views do not separate focal length from distance, or leave nothing to check the result with.
const LEAST_VIEWS: usize = 3;

/// Finds the cameras that saw the board so: one, or two of a pair.
///
/// `sizes` are the pictures' widths and heights, one for each camera; every view has one detection for each camera.
///
/// # Errors
/// [`Error::NotDetermined`] when there are too few views, [`Error::Pair`] when two cameras do not fit together.
///
/// # Panics
/// A view has another number of detections than there are sizes.
pub fn solve(board: &Board, sizes: &[(u32, u32)], views: &[View], config: &SolveConfig) -> Result<Solution> {
    assert!(views.iter().all(|view| view.detections.len() == sizes.len()), "one detection for each camera");
    let target = Target::new(board);
    let (mut alone, mut better) = (Vec::new(), Vec::new());
    for (camera, size) in sizes.iter().enumerate() {
        let (settled, other) = solve_alone(&target, *size, views, camera, config)?;
        alone.push(settled);
        better.push(other);
    }
    let observations: Vec<Vec<Observation>> = views.iter().map(|view| observations(view, 0..sizes.len())).collect();
    let (settled, pair) = match <[Settled; 2]>::try_from(alone) {
        Ok(pair) => {
            let (settled, pair) = stereo::join(board, &target, sizes, views, &observations, pair, config)?;
            (settled, Some(pair))
        }
        Err(mut alone) => (alone.remove(0), None),
    };
    let mut solution = solution::assemble(board, sizes, views, &observations, config, &settled, pair);
    for (solved, better) in solution.cameras.iter_mut().zip(better) {
        solved.better_lens = better;
    }
    Ok(uncertainty::judge(solution, &target, &settled, &observations, config))
}

/// With this error left in the typical view it is asked whether another lens model leaves less, pixels. Corners that are found
/// with 0.15 px along each axis, as in soft pictures, leave 0.21; asking costs two more fits.
const WORTH_ASKING_PX: f64 = 0.3;

/// One camera by itself, and the lens model that would explain it better. In the result its observations count as those
/// of camera 0.
fn solve_alone(
    target: &Target,
    size: (u32, u32),
    views: &[View],
    camera: usize,
    config: &SolveConfig,
) -> Result<(Settled, Option<BetterLens>)> {
    let seen: Vec<Vec<Observation>> = views
        .iter()
        .map(|view| {
            observations(view, camera..camera + 1).into_iter().map(|o| Observation { camera: 0, ..o }).collect()
        })
        .collect();
    let useful: Vec<Vec<Observation>> = seen.iter().filter(|seen| seen.len() >= LEAST_CORNERS).cloned().collect();
    if useful.len() < LEAST_VIEWS {
        return Err(Error::NotDetermined {
            what: format!(
                "a camera needs {LEAST_VIEWS} views of the board at least, the board was found in {}",
                useful.len()
            ),
            hint: "take 10 to 20 pictures with the board tilted to every side and near every edge of the picture"
                .to_owned(),
        });
    }
    let fit = |lens: Lens| fit_alone(target, size, &seen, &useful, &SolveConfig { lens, ..config.clone() });
    let second = |settled: &Settled| two_cameras::second(target, settled, &seen, &free_unknowns(&settled.rig, config));
    let Some(settled) = fit(config.lens) else {
        let better = other_lenses::better(config.lens, f64::INFINITY, &seen, fit);
        return Err(lost(config.lens, better.map(|(better, _)| better)));
    };
    let typical_px = other_lenses::typical_px(&settled, &seen);
    let other = second(&settled);
    if other.is_none() && typical_px <= WORTH_ASKING_PX {
        return Ok((settled, None));
    }
    // What a model that does not describe the lens leaves, a second camera explains in part: the model that fits best is
    // asked.
    let better = other_lenses::better(config.lens, typical_px, &seen, fit);
    let other = match &better {
        Some((_, settled)) => other.and_then(|_| second(settled)),
        None => other,
    };
    match other {
        None => Ok((settled, better.map(|(better, _)| better))),
        Some(other) => Err(two_cameras(&settled, views, &other)),
    }
}

/// One camera with a lens model, fitted to the corners of `seen`; `useful` are the views with enough of them.
fn fit_alone(
    target: &Target,
    size: (u32, u32),
    seen: &[Vec<Observation>],
    useful: &[Vec<Observation>],
    config: &SolveConfig,
) -> Option<Settled> {
    let numbers = first_guess::camera(config.lens, size, target, useful)?;
    let poses = seen.iter().map(|seen| pose(config.lens, &numbers, target, seen)).collect();
    let camera = RigCamera { lens: config.lens, numbers, camera_from_rig: Isometry3::identity() };
    let rig = Rig { cameras: vec![camera], rig_from_board: Vec::new(), warp_m: [0.0; 2] };
    let is_free = free_unknowns(&rig, config);
    settle(rig, target, seen, poses, &is_free)
}

fn lost(lens: Lens, better: Option<BetterLens>) -> Error {
    Error::NotDetermined {
        what: format!("no {} camera explains the corners", lens.name()),
        hint: match better {
            Some(better) => {
                format!("{} does, to {:.2} px: give --model {0}", better.lens.name(), better.typical_px)
            }
            None => "no other lens model does: check --board, and that the pictures are of one camera".to_owned(),
        },
    }
}

fn two_cameras(settled: &Settled, views: &[View], second: &[usize]) -> Error {
    let first = (0..views.len()).find(|view| settled.views[*view].rig_from_board.is_some() && !second.contains(view));
    let name = |view: Option<usize>| view.map_or("", |view| views[view].name.as_str());
    let (one, other) = (name(first), name(second.first().copied()));
    Error::Pictures {
        what: format!(
            "the pictures are of two cameras: {} are of another one, such as {other}, than {one}",
            second.len()
        ),
        hint: "calibrate each camera by itself; a pair is given as IMAGES and --right IMAGES. If it was one camera, \
               its focus or zoom moved"
            .to_owned(),
    }
}
