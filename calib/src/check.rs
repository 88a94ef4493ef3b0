//! Whether a camera still is what its file says.
//!
//! New pictures of a board are explained twice: with the numbers of the file, where only the board's poses are free, and
//! with numbers of their own. Where both cameras send the same direction to other pixels, the camera has changed:
//!
//! ```text
//! d(u) = π_new(ω, π_file⁻¹(u)) - u,    ω the rotation that makes Σ |d|² least (it is absorbed by the pose)
//! ```
//!
//! d is looked at where corners were seen, and compared with how uncertain the new numbers are there. Of a pair, the rows
//! of the same corners after the file's rectification say whether the cameras have moved against each other.
//!
//! Reference: Kogan's mrcal documentation, *Comparing cameras: cross-validation*.

use crate::CameraPair;
use crate::rectification::{Epipolar, rows_apart};
use crate::solve::{
    BoardShape, Layout, Lens, Observation, Rig, RigCamera, Settled, SolveConfig, SolvedCamera, Target, View, ViewFate,
    observations, pose_of_view, settle, solve,
};
use crate::uncertainty::Verdict;
use crate::{Error, Result};
use nalgebra::{Isometry3, Matrix3, Point2, Rotation3, Vector2, Vector3};
use parallax_core::board::Board;
use parallax_core::camera::Camera;

/// What was found out about one camera.
#[derive(Clone, Debug)]
pub struct CameraCheck {
    /// Root mean square error of the corners of the median view with the file's numbers, pixels; infinite when they explain
    /// less than half of the views.
    pub file_rms_px: f64,
    /// The view that the file explains worst, and its error.
    pub worst_view: Option<(String, f64)>,
    /// How the pictures' own numbers differ, or why that cannot be said.
    pub difference: std::result::Result<Difference, String>,
    /// What follows from it.
    pub finding: Finding,
}

/// The camera of the new pictures against that of the file.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Root mean square error with numbers of the pictures' own, pixels.
    pub own_rms_px: f64,
    /// How far pixels are off typically (median over where corners were seen) and at worst, pixels.
    pub typical_px: f64,
    /// The same at the worst place.
    pub worst_px: f64,
    /// How far they may be off by chance: three σ of the new numbers' pixels, typically, and what a file is trusted with.
    pub limit_px: f64,
    /// Each number: its name, the file's, the pictures' own, and the latter's σ.
    pub numbers: Vec<(&'static str, f64, f64, f64)>,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The file still holds.
    Unchanged,
    /// It does not.
    Changed,
    /// The pictures cannot tell.
    Unclear,
}

/// Of one camera or a pair.
#[derive(Clone, Debug)]
pub struct Check {
    /// The left (or only) and the right camera.
    pub cameras: Vec<CameraCheck>,
    /// Of a pair, how far rows of the same corner are apart after the file's rectification; none for one camera, and when
    /// no view shows the same corner to both.
    pub rows: Option<Epipolar>,
    /// Views in which a board was seen.
    pub views_used: usize,
    /// All of this in a word.
    pub finding: Finding,
}

/// What a file is trusted with: good calibrations of one camera differ by this much, and a file does not say how good it is.
const TRUSTED_PX: f64 = 0.3;
/// With this error the file's numbers are wrong, whatever the others are: sub-pixel corners are ten times better.
const WRONG_PX: f64 = 2.0;
/// Rows that are further apart (mean of the median view) spoil stereo matching, which looks within a row.
const ROWS_APART_PX: f64 = 0.5;
/// Rotations are found by so many Newton steps; they are small, so the second changes nothing that is seen.
const STEPS: usize = 3;

/// Compares `cameras` with the views; one detection for each camera of `cameras` in every view.
///
/// # Errors
/// [`Error::Pictures`] when the pictures have another size than the file says, [`Error::NotDetermined`] when the board was
/// seen in none of them.
pub fn check(board: &Board, cameras: &CameraPair, sizes: &[(u32, u32)], views: &[View]) -> Result<Check> {
    let known: Vec<&Camera> = std::iter::once(&cameras.left).chain(&cameras.right).take(sizes.len()).collect();
    for (camera, size) in known.iter().zip(sizes) {
        if (camera.width, camera.height) != *size {
            return Err(Error::Pictures {
                what: format!(
                    "the file is of {}x{} pictures, these have {}x{}",
                    camera.width, camera.height, size.0, size.1
                ),
                hint: "take pictures of that size; for pictures that were resized: `parallax-calib convert --resize`"
                    .to_owned(),
            });
        }
    }
    let target = Target::new(board);
    let found: Vec<CameraCheck> = known
        .iter()
        .enumerate()
        .map(|(index, camera)| one(board, &target, camera, index, views))
        .collect::<Result<_>>()?;
    let is_pair = known.len() == 2;
    let rows = cameras.right.as_ref().filter(|_| is_pair).and_then(|right| rows(&cameras.left, right, views));
    let moved = rows.is_some_and(|rows| rows.typical_px > ROWS_APART_PX);
    let any = |finding| found.iter().any(|check| check.finding == finding);
    let finding = match () {
        () if any(Finding::Changed) || moved => Finding::Changed,
        // Cameras of which no view shows the same corner to both may stand anywhere.
        () if any(Finding::Unclear) || is_pair && rows.is_none() => Finding::Unclear,
        () => Finding::Unchanged,
    };
    let views_used = views.iter().filter(|view| view.detections.iter().any(std::result::Result::is_ok)).count();
    Ok(Check { cameras: found, rows, views_used, finding })
}

fn one(board: &Board, target: &Target, camera: &Camera, index: usize, views: &[View]) -> Result<CameraCheck> {
    let lens = Lens::of(camera);
    let own: Vec<View> = views
        .iter()
        .map(|view| View { name: view.name.clone(), detections: vec![view.detections[index].clone()] })
        .collect();
    let held = with_held_camera(target, lens, camera, &own)?;
    let (file_rms_px, worst_view) = file_errors(&own, &held);
    let config = SolveConfig { lens, board: BoardShape::Flat };
    let solved = solve(board, &[(camera.width, camera.height)], &own, &config).map_err(|error| error.to_string());
    let difference = solved.and_then(|solution| {
        let solved = &solution.cameras[0];
        match solved.trust.reasons.first() {
            Some(reason) if reason.allows == Verdict::NotDetermined => Err(reason.what.clone()),
            _ => difference(camera, solved).ok_or_else(|| "no place of the picture can be compared".to_owned()),
        }
    });
    let finding = match &difference {
        Ok(difference) if difference.typical_px > difference.limit_px => Finding::Changed,
        Ok(_) => Finding::Unchanged,
        Err(_) if file_rms_px > WRONG_PX => Finding::Changed,
        Err(_) => Finding::Unclear,
    };
    Ok(CameraCheck { file_rms_px, worst_view, difference, finding })
}

/// The error of the median view with the file's numbers, and the worst view. A view that they do not explain at all counts
/// as infinitely far off; one without a board does not count.
fn file_errors(views: &[View], held: &Settled) -> (f64, Option<(String, f64)>) {
    let of_view = |(view, fate): (&View, &ViewFate)| {
        let errors: Option<Vec<Vector2<f64>>> = fate.corners.iter().map(|corner| corner.0).collect();
        let rms = errors.map_or(f64::INFINITY, |errors| crate::solve::rms(errors.into_iter()));
        (!fate.corners.is_empty()).then(|| (view.name.clone(), rms))
    };
    let mut errors: Vec<(String, f64)> = views.iter().zip(&held.views).filter_map(of_view).collect();
    errors.sort_by(|a, b| a.1.total_cmp(&b.1));
    let median = errors.get(errors.len() / 2).map_or(f64::INFINITY, |view| view.1);
    (median, errors.pop())
}

/// The views with the file's numbers: only poses are fitted.
fn with_held_camera(target: &Target, lens: Lens, camera: &Camera, views: &[View]) -> Result<Settled> {
    let lost = || Error::NotDetermined {
        what: "the board was found in none of the pictures, or nowhere that the camera file explains".to_owned(),
        hint: "check --board, and whether the pictures are this camera's".to_owned(),
    };
    let numbers = lens.numbers_of(camera).ok_or_else(lost)?;
    let held = RigCamera { lens, numbers, camera_from_rig: Isometry3::identity() };
    let rig = Rig { cameras: vec![held], rig_from_board: Vec::new(), warp_m: [0.0; 2] };
    let seen: Vec<Vec<Observation>> = views.iter().map(|view| observations(view, 0..1)).collect();
    let poses = seen.iter().map(|seen| pose_of_view(&rig, target, seen)).collect();
    let is_free = vec![false; Layout::of(&rig).count];
    settle(rig, target, &seen, poses, &is_free).ok_or_else(lost)
}

/// How the pictures' own camera differs, where corners were seen.
fn difference(camera: &Camera, solved: &SolvedCamera) -> Option<Difference> {
    let size = (camera.width, camera.height);
    let (map, coverage) = (solved.trust.projection.as_ref()?, &solved.trust.coverage);
    let covered = |pixel: &Point2<f64>| {
        let one = crate::uncertainty::Coverage::count(size, std::iter::once(*pixel));
        one.corners.iter().zip(&coverage.corners).any(|(here, seen)| *here > 0 && *seen > 0)
    };
    let places = (0..map.sigma_px.len()).map(|index| (map.pixel(index, size), map.sigma_px[index]));
    let places: Vec<(Point2<f64>, Vector3<f64>, f64)> = places
        .filter(|(pixel, sigma)| covered(pixel) && sigma.is_finite())
        .filter_map(|(pixel, sigma)| Some((pixel, camera.unproject(pixel)?.normalize(), sigma)))
        .collect();
    let mut off: Vec<f64> = without_rotation(solved, &places)?.iter().map(nalgebra::Matrix::norm).collect();
    let mut sigmas: Vec<f64> = places.iter().map(|place| place.2).collect();
    off.sort_by(f64::total_cmp);
    sigmas.sort_by(f64::total_cmp);
    let (typical_px, worst_px) = (*off.get(off.len() / 2)?, *off.last()?);
    let file = solved.lens.numbers_of(camera)?;
    let numbers = solved.lens.parameter_names().iter().zip(file).zip(solved.numbers.iter().zip(&solved.sigma));
    Some(Difference {
        own_rms_px: solved.rms_px,
        typical_px,
        worst_px,
        limit_px: 3.0 * sigmas.get(sigmas.len() / 2)? + TRUSTED_PX,
        numbers: numbers.map(|((name, file), (own, sigma))| (*name, file, *own, *sigma)).collect(),
    })
}

/// What is left of the differences when the rotation that fits best is taken off.
fn without_rotation(solved: &SolvedCamera, places: &[(Point2<f64>, Vector3<f64>, f64)]) -> Option<Vec<Vector2<f64>>> {
    let mut turn = Rotation3::identity();
    let off = |turn: &Rotation3<f64>| -> Vec<Option<(Vector2<f64>, nalgebra::Matrix2x3<f64>)>> {
        let at = |(pixel, ray, _): &(Point2<f64>, Vector3<f64>, f64)| {
            let turned = turn * ray;
            let projection = solved.lens.project(&solved.numbers, &turned)?;
            Some((projection.pixel - pixel, projection.by_point * -turned.cross_matrix()))
        };
        places.iter().map(at).collect()
    };
    for _ in 0..STEPS {
        let (mut square, mut right) = (Matrix3::zeros(), Vector3::zeros());
        for (d, by_rotation) in off(&turn).iter().flatten() {
            square += by_rotation.transpose() * by_rotation;
            right -= by_rotation.transpose() * d;
        }
        turn = Rotation3::new(square.try_inverse()? * right) * turn;
    }
    let left: Vec<_> = off(&turn).into_iter().flatten().map(|(d, _)| d).collect();
    (!left.is_empty()).then_some(left)
}

/// Rows of the same corner after the file's rectification; none when no corner was seen by both.
fn rows(left: &Camera, right: &Camera, views: &[View]) -> Option<Epipolar> {
    let row = |camera: &Camera, pixel: Point2<f64>| {
        let ray = camera.rectification * camera.unproject(pixel)?;
        (ray.z > 0.0).then(|| camera.projection[(1, 1)] * ray.y / ray.z + camera.projection[(1, 2)])
    };
    let of_view = |view: &View| {
        let of =
            |index: usize| view.detections[index].as_ref().map(|found| found.corners.as_slice()).unwrap_or_default();
        let pair = |corner: &crate::detect::Corner| {
            let other = of(1).iter().find(|other| other.number == corner.number)?;
            Some([row(left, corner.pixel)?, row(right, other.pixel)?])
        };
        of(0).iter().map(pair).collect()
    };
    rows_apart(views.iter().map(of_view))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Corner, Detection};
    use parallax_core::camera::{Distortion, Intrinsics};
    use parallax_world::boards::{self, BoardScene, BoardsConfig};

    fn scene(stereo: bool) -> BoardScene {
        let board: Board = "chessboard:9x6:25mm".parse().unwrap();
        let config = BoardsConfig::new(5, &board, 15, (640, 480));
        boards::scene(&if stereo { BoardsConfig { baseline_m: Some(0.1), ..config } } else { config }).unwrap()
    }

    /// Corners with errors of a tenth of a pixel that follow no rule the lens knows.
    fn views(scene: &BoardScene, most: usize) -> Vec<View> {
        let detection = |index: usize, eye: usize| {
            let corners = scene.views[index].corners(scene, eye).into_iter().map(|(number, mut pixel)| {
                pixel.x += 0.2 * (((number * 37 + index * 11 + eye * 5) % 17) as f64 / 16.0 - 0.5);
                pixel.y += 0.2 * (((number * 53 + index * 29 + eye * 7) % 19) as f64 / 18.0 - 0.5);
                Corner { number, pixel }
            });
            Ok(Detection { corners: corners.collect(), spacing_px: 30.0 })
        };
        let view = |index: usize| View {
            name: format!("{index}"),
            detections: (0..scene.cameras.len()).map(|eye| detection(index, eye)).collect(),
        };
        (0..most.min(scene.views.len())).map(view).collect()
    }

    fn mono(camera: Camera) -> CameraPair {
        CameraPair { left: camera, right: None }
    }

    #[test]
    fn the_true_camera_is_unchanged_and_one_with_another_focal_length_or_lens_is_not() {
        let scene = scene(false);
        let (truth, views) = (scene.cameras[0].clone(), views(&scene, 15));
        let run = |camera| check(&scene.board, &mono(camera), &[(640, 480)], &views).unwrap();
        let same = run(truth.clone());
        assert_eq!(same.finding, Finding::Unchanged, "{same:?}");
        let k = truth.intrinsics;
        let zoomed = Camera { intrinsics: Intrinsics { fx: k.fx * 1.01, fy: k.fy * 1.01, ..k }, ..truth.clone() };
        let Difference { numbers, .. } = run(zoomed.clone()).cameras[0].difference.clone().unwrap();
        let (name, file, own, sigma) = numbers[0];
        assert!(name == "fx" && (file - k.fx * 1.01).abs() < 1e-9 && (own - k.fx).abs() < 4.0 * sigma);
        assert_eq!(run(zoomed).finding, Finding::Changed);
        let Distortion::PlumbBob(mut lens) = truth.distortion else { panic!("{truth:?}") };
        lens[0] += 0.03;
        assert_eq!(run(Camera { distortion: Distortion::PlumbBob(lens), ..truth }).finding, Finding::Changed);
    }

    #[test]
    fn two_views_cannot_tell_a_small_change_and_do_tell_a_large_one() {
        let scene = scene(false);
        let (truth, views) = (scene.cameras[0].clone(), views(&scene, 2));
        let run = |camera| check(&scene.board, &mono(camera), &[(640, 480)], &views).unwrap();
        assert_eq!(run(truth.clone()).finding, Finding::Unclear);
        let Distortion::PlumbBob(mut lens) = truth.distortion else { panic!("{truth:?}") };
        lens[0] += 1.5;
        assert_eq!(run(Camera { distortion: Distortion::PlumbBob(lens), ..truth }).finding, Finding::Changed);
    }

    #[test]
    fn a_camera_of_another_size_is_refused_with_the_remedy() {
        let scene = scene(false);
        let small = mono(scene.cameras[0].resized(320, 240));
        let error = check(&scene.board, &small, &[(640, 480)], &views(&scene, 3)).unwrap_err();
        assert!(error.hint().unwrap().contains("--resize"), "{error}");
    }

    #[test]
    fn cameras_that_were_knocked_against_each_other_are_told_by_their_rows() {
        let scene = scene(true);
        let sizes = [(640, 480); 2];
        let seen = views(&scene, 15);
        let config = SolveConfig { lens: Lens::PlumbBob, board: BoardShape::Flat };
        let solution = solve(&scene.board, &sizes, &seen, &config).unwrap();
        let [left, right] = [0, 1].map(|index: usize| solution.cameras[index].camera.clone());
        let pair = CameraPair { left, right: Some(right.clone()) };
        let same = check(&scene.board, &pair, &sizes, &seen).unwrap();
        assert_eq!(same.finding, Finding::Unchanged, "{same:?}");
        let knocked = Rotation3::from_euler_angles(0.005, 0.0, 0.0).into_inner() * right.rectification;
        let pair = CameraPair { right: Some(Camera { rectification: knocked, ..right }), ..pair };
        let moved = check(&scene.board, &pair, &sizes, &seen).unwrap();
        assert_eq!(moved.finding, Finding::Changed);
        assert!(moved.rows.unwrap().mean_px > 1.0, "{moved:?}");
        assert!(moved.cameras.iter().all(|camera| camera.finding == Finding::Unchanged));
    }
}
