//! Rendered pictures of every kind of board by every kind of lens: corners to a fraction of a pixel, cameras within
//! their uncertainty.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it measured")]

use nalgebra::Point2;
use parallax_calib::pictures::{self, Picture};
use parallax_calib::solve::{BoardShape, Lens, Solution, SolveConfig, View, solve};
use parallax_calib::survey::{Survey, Watch, survey};
use parallax_core::board::Board;
use parallax_core::recording::Eye;
use parallax_world::boards::{self, BoardScene, BoardsConfig};
use parallax_world::dataset::{Existing, Watch as RenderWatch};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Sets of pictures for each lens; fifty take a quarter of an hour, and corners that are made up instead are judged fifty
/// times in `known_cameras_are_found_again`.
const SETS: u64 = 4;

fn render(config: &BoardsConfig, folder: &Path) -> BoardScene {
    let watch = RenderWatch { on_picture: &mut || (), stop: &AtomicBool::new(false) };
    boards::write(config, folder, Existing::Keep, watch).unwrap();
    boards::scene(config).unwrap()
}

fn look(folder: &Path, eye: Eye, board: &Board) -> Survey {
    let pictures: Vec<Picture> = pictures::find(&[folder.join(eye.name())], eye).unwrap();
    survey(&pictures, board, Watch { on_picture: &|| (), stop: &AtomicBool::new(false) }).unwrap()
}

/// Corners found, corners in the pictures, and the root mean square distance of the found ones from the truth.
fn compared(scene: &BoardScene, found: &Survey) -> (usize, usize, f64) {
    let (mut count, mut whole, mut squares) = (0, 0, 0.0);
    for (view, picture) in scene.views.iter().zip(&found.pictures) {
        let truth = view.corners(scene, 0);
        whole += truth.len();
        for corner in picture.found.iter().flat_map(|detection| &detection.corners) {
            let true_pixel: Point2<f64> =
                scene.cameras[0].project(&(view.left_from_board * scene.board.corner(corner.number))).unwrap();
            squares += (corner.pixel - true_pixel).norm_squared();
            count += 1;
        }
    }
    (count, whole, (squares / count.max(1) as f64).sqrt())
}

fn solved(surveys: &[&Survey], board: &Board, lens: Lens) -> Solution {
    let view = |index: usize| View {
        name: surveys[0].pictures[index].name.clone(),
        detections: surveys
            .iter()
            .map(|survey| survey.pictures[index].found.clone().map_err(|miss| miss.describe(board)))
            .collect(),
    };
    let views: Vec<View> = (0..surveys[0].pictures.len()).map(view).collect();
    let sizes: Vec<(u32, u32)> = surveys.iter().map(|survey| survey.size).collect();
    solve(board, &sizes, &views, &SolveConfig { lens, board: BoardShape::Flat }).unwrap()
}

fn check_numbers(solution: &Solution, scene: &BoardScene, lens: Lens) {
    let (camera, truth) = (&solution.cameras[0], lens.numbers_of(&scene.cameras[0]).unwrap());
    for ((found, truth), (sigma, name)) in
        camera.numbers.iter().zip(&truth).zip(camera.sigma.iter().zip(lens.parameter_names()))
    {
        assert!((found - truth).abs() < 3.5 * sigma, "{} {name}: {found} ± {sigma} for {truth}", lens.name());
    }
    let focal = (camera.numbers[0] - truth[0]).abs() / truth[0];
    assert!(focal < 1e-3, "{}: focal length off by {focal}", lens.name());
}

#[test]
fn chessboards_before_an_ordinary_lens() {
    let folder = tempfile::tempdir().unwrap();
    let board: Board = "chessboard:9x6:25mm".parse().unwrap();
    let config = BoardsConfig { tilt_degrees: 60.0, ..BoardsConfig::new(1, &board, 20, (640, 480)) };
    let scene = render(&config, &folder.path().join("boards"));
    let found = look(&folder.path().join("boards"), Eye::Left, &board);
    let (count, whole, rms) = compared(&scene, &found);
    assert!(count * 100 >= whole * 90, "{count} of {whole} corners");
    assert!(rms < 0.1, "corners are {rms} px off");
    check_numbers(&solved(&[&found], &board, Lens::PlumbBob), &scene, Lens::PlumbBob);
}

#[test]
fn charuco_boards_in_part_before_a_wide_lens() {
    let folder = tempfile::tempdir().unwrap();
    let board: Board = "charuco:9x7:30mm:22mm:5x5_100".parse().unwrap();
    let config = BoardsConfig {
        lens: boards::Lens::RationalPolynomial,
        partial: true,
        ..BoardsConfig::new(2, &board, 20, (800, 600))
    };
    let scene = render(&config, &folder.path().join("boards"));
    let found = look(&folder.path().join("boards"), Eye::Left, &board);
    let (count, whole, rms) = compared(&scene, &found);
    assert!(count * 100 >= whole * 80, "{count} of {whole} corners");
    assert!(rms < 0.12, "corners are {rms} px off");
    check_numbers(&solved(&[&found], &board, Lens::RationalPolynomial), &scene, Lens::RationalPolynomial);
}

#[test]
fn aprilgrids_in_part_before_a_fisheye() {
    let folder = tempfile::tempdir().unwrap();
    let board: Board = "aprilgrid:5x4:50mm:0.3".parse().unwrap();
    let config =
        BoardsConfig { lens: boards::Lens::Equidistant, partial: true, ..BoardsConfig::new(3, &board, 20, (960, 720)) };
    let scene = render(&config, &folder.path().join("boards"));
    let found = look(&folder.path().join("boards"), Eye::Left, &board);
    let (count, whole, rms) = compared(&scene, &found);
    assert!(count * 100 >= whole * 70, "{count} of {whole} corners");
    assert!(rms < 0.15, "corners are {rms} px off");
    check_numbers(&solved(&[&found], &board, Lens::Equidistant), &scene, Lens::Equidistant);
}

#[test]
fn a_pair_of_cameras_is_rectified() {
    let folder = tempfile::tempdir().unwrap();
    let board: Board = "chessboard:8x5:30mm".parse().unwrap();
    let config = BoardsConfig { baseline_m: Some(0.1), ..BoardsConfig::new(4, &board, 15, (640, 480)) };
    let scene = render(&config, &folder.path().join("boards"));
    let root = folder.path().join("boards");
    let (left, right) = (look(&root, Eye::Left, &board), look(&root, Eye::Right, &board));
    let solution = solved(&[&left, &right], &board, Lens::PlumbBob);
    let pair = solution.pair.as_ref().unwrap();
    let truth = scene.right_from_left.unwrap().translation.vector.norm();
    assert!((pair.baseline_m() - truth).abs() < 3.5 * pair.baseline_sigma_m(), "{} for {truth}", pair.baseline_m());
    assert!(pair.after.mean_px < 0.15, "{:?}", pair.after);
    let off = pair.right_from_left.rotation.angle_to(&scene.right_from_left.unwrap().rotation);
    assert!(off < 1e-3, "the rotation is {off} rad off");
}

/// Of every number that the views determine one by one, the error in units of the claimed σ, over sets of pictures.
#[test]
fn the_uncertainty_that_pictures_give_is_the_true_one() {
    let board: Board = "chessboard:9x6:25mm".parse().unwrap();
    for (world_lens, lens) in [
        (boards::Lens::Equidistant, Lens::Equidistant),
        (boards::Lens::RationalPolynomial, Lens::RationalPolynomial),
        (boards::Lens::PlumbBob, Lens::PlumbBob),
    ] {
        let mut scores = Vec::new();
        for seed in 200..200 + SETS {
            let folder = tempfile::tempdir().unwrap();
            let config = BoardsConfig {
                lens: world_lens,
                tilt_degrees: 60.0,
                picture: boards::PictureConfig { blur_px: 0.9, noise: 4.0, ..Default::default() },
                ..BoardsConfig::new(seed, &board, 20, (400, 300))
            };
            let scene = render(&config, &folder.path().join("boards"));
            let solution = solved(&[&look(&folder.path().join("boards"), Eye::Left, &board)], &board, lens);
            let (camera, truth) = (&solution.cameras[0], lens.numbers_of(&scene.cameras[0]).unwrap());
            for (index, name) in lens.parameter_names().iter().enumerate() {
                // The six radial coefficients of the rational model compensate each other.
                if lens != Lens::RationalPolynomial || !name.starts_with('k') {
                    scores.push((camera.numbers[index] - truth[index]) / camera.sigma[index]);
                }
            }
            let focal = (camera.numbers[0] - truth[0]).abs() / truth[0];
            assert!(focal < 1e-3, "{} seed {seed}: focal length off by {focal}", lens.name());
        }
        let inside = scores.iter().filter(|score| score.abs() <= 3.0).count();
        let spread = (scores.iter().map(|score| score * score).sum::<f64>() / scores.len() as f64).sqrt();
        let said = format!("{}: {inside} of {} inside 3 σ, errors are {spread:.2} σ", lens.name(), scores.len());
        eprintln!("{said}");
        assert!(inside * 100 >= scores.len() * 95 && spread > 0.5, "{said}");
    }
}
