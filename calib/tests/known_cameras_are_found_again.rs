//! Cameras that are known exactly: their numbers come back within the uncertainty that is claimed for them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use nalgebra::{Matrix3, Point2, Point3, Rotation3, Vector2, Vector3};
use parallax_calib::detect::{Corner, Detection};
use parallax_calib::solve::{BoardShape, Lens, Solution, SolveConfig, SolvedCamera, View, solve};
use parallax_core::board::Board;
use parallax_core::camera::Camera;
use parallax_world::boards::{self, BoardScene, BoardsConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A little more than OpenCV's sample pictures leave over.
const NOISE_PX: f64 = 0.15;
/// A little less than OpenCV's sample pictures leave over.
const GOOD_NOISE_PX: f64 = 0.1;
const SEEDS: u64 = 50;

const LENSES: [(boards::Lens, Lens); 3] = [
    (boards::Lens::PlumbBob, Lens::PlumbBob),
    (boards::Lens::RationalPolynomial, Lens::RationalPolynomial),
    (boards::Lens::Equidistant, Lens::Equidistant),
];

fn scene(config: &BoardsConfig) -> BoardScene {
    boards::scene(config).unwrap()
}

/// Standard normal numbers, Box and Muller.
fn normal(dice: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (dice.random(), dice.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// What a detector with normal errors would report.
fn seen(scene: &BoardScene, noise_px: f64, seed: u64) -> Vec<View> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut detection = |view: &boards::BoardView, eye: usize| {
        let corners = view.corners(scene, eye).into_iter().map(|(number, pixel)| {
            let offset = Vector2::new(normal(&mut dice), normal(&mut dice)) * noise_px;
            Corner { number, pixel: Point2::from(pixel.coords + offset) }
        });
        Ok(Detection { corners: corners.collect(), spacing_px: 30.0 })
    };
    let view = |(index, view): (usize, &boards::BoardView)| View {
        name: format!("{index:04}"),
        detections: (0..scene.cameras.len()).map(|eye| detection(view, eye)).collect(),
    };
    scene.views.iter().enumerate().map(view).collect()
}

fn solved(scene: &BoardScene, views: &[View], lens: Lens) -> Solution {
    let sizes: Vec<(u32, u32)> = scene.cameras.iter().map(|camera| (camera.width, camera.height)).collect();
    solve(&scene.board, &sizes, views, &SolveConfig { lens, board: BoardShape::Flat }).unwrap()
}

fn config(lens: boards::Lens, seed: u64) -> BoardsConfig {
    let board: Board = "chessboard:9x6:25mm".parse().unwrap();
    BoardsConfig { lens, tilt_degrees: 60.0, ..BoardsConfig::new(seed, &board, 20, (640, 480)) }
}

/// The numbers that a lens's views determine one by one. The six radial coefficients of the rational model stand in the
/// numerator and the denominator of one fraction and compensate each other: of eight seeds, OpenCV's fit of such corners,
/// started at the truth, ended once at k1 = 76 where 0.5 is true, as good in every pixel. They are judged by their pixels
/// below.
fn determined(lens: Lens) -> Vec<usize> {
    let names = lens.parameter_names().iter().enumerate();
    let is_determined = |name: &str| lens != Lens::RationalPolynomial || !name.starts_with('k');
    names.filter(|(_, name)| is_determined(name)).map(|(index, _)| index).collect()
}

#[test]
fn the_claimed_uncertainty_is_the_true_one() {
    for (world_lens, lens) in LENSES {
        // For each number: errors in units of the claimed σ.
        let mut scores: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        let mut pixels_inside = 0;
        for seed in 0..SEEDS {
            let scene = scene(&config(world_lens, seed));
            let solution = solved(&scene, &seen(&scene, NOISE_PX, seed), lens);
            assert_eq!(solution.used_views().count(), 20);
            let (camera, truth) = (&solution.cameras[0], lens.numbers_of(&scene.cameras[0]).unwrap());
            for index in determined(lens) {
                let score = (camera.numbers[index] - truth[index]) / camera.sigma[index];
                scores.entry(index).or_default().push(score);
            }
            pixels_inside += usize::from(typical_pixel_score(camera, &scene.cameras[0]) <= 3.0);
        }
        assert!(pixels_inside * 100 >= SEEDS as usize * 95, "{}: pixels of {pixels_inside} inside 3 σ", lens.name());
        for (index, scores) in &scores {
            let name = lens.parameter_names()[*index];
            let inside = scores.iter().filter(|score| score.abs() <= 3.0).count();
            assert!(
                inside * 100 >= scores.len() * 95,
                "{} {name}: {inside} of {} inside 3 σ",
                lens.name(),
                scores.len()
            );
            // The spread of the scores is 1 when σ is right; with 50 seeds, 1.35 is 3.5 of its standard deviations away.
            let spread = (scores.iter().map(|score| score * score).sum::<f64>() / scores.len() as f64).sqrt();
            assert!((0.5..1.35).contains(&spread), "{} {name}: errors are {spread:.2} σ", lens.name());
        }
    }
}

/// The median over the picture of how far a pixel is off, in units of its claimed σ, after the rotation of the camera that
/// fits best: a pose absorbs it.
fn typical_pixel_score(found: &SolvedCamera, truth: &Camera) -> f64 {
    let map = found.trust.projection.as_ref().unwrap();
    let size = (truth.width, truth.height);
    let points: Vec<(Point2<f64>, Vector3<f64>, f64)> = (0..map.sigma_px.len())
        .filter_map(|index| {
            let pixel = map.pixel(index, size);
            Some((pixel, found.camera.unproject(pixel)?, map.sigma_px[index]))
        })
        .collect();
    let mut rotation = Rotation3::identity();
    let off = |rotation: Rotation3<f64>, (pixel, ray, _): &(Point2<f64>, Vector3<f64>, f64)| {
        truth.project(&Point3::from(rotation * ray)).map(|seen| seen - pixel)
    };
    for _ in 0..5 {
        let (mut square, mut moment) = (Matrix3::zeros(), Vector3::zeros());
        for point in &points {
            let Some(error) = off(rotation, point) else { continue };
            let columns = [Vector3::x(), Vector3::y(), Vector3::z()].map(|axis| {
                let turned = Rotation3::new(axis * 1e-6) * rotation;
                off(turned, point).map_or_else(Vector2::zeros, |moved| (moved - error) / 1e-6)
            });
            for (row, by_row) in columns.iter().enumerate() {
                moment[row] -= by_row.dot(&error);
                for (column, by_column) in columns.iter().enumerate() {
                    square[(row, column)] += by_row.dot(by_column);
                }
            }
        }
        rotation = Rotation3::new(square.try_inverse().unwrap() * moment) * rotation;
    }
    let mut scores: Vec<f64> = points.iter().filter_map(|point| Some(off(rotation, point)?.norm() / point.2)).collect();
    scores.sort_by(f64::total_cmp);
    scores[scores.len() / 2]
}

#[test]
fn twenty_views_give_the_focal_length_to_a_thousandth() {
    for (world_lens, lens) in LENSES {
        for seed in 100..110 {
            let scene = scene(&config(world_lens, seed));
            let solution = solved(&scene, &seen(&scene, GOOD_NOISE_PX, seed), lens);
            let (found, truth) = (solution.cameras[0].camera.intrinsics, scene.cameras[0].intrinsics);
            let error = ((found.fx - truth.fx) / truth.fx).abs().max(((found.fy - truth.fy) / truth.fy).abs());
            assert!(error < 1e-3, "{} seed {seed}: {error}", lens.name());
        }
    }
}

#[test]
fn without_noise_the_camera_comes_back_exactly() {
    for (world_lens, lens) in LENSES {
        let scene = scene(&config(world_lens, 7));
        let solution = solved(&scene, &seen(&scene, 0.0, 7), lens);
        let truth = lens.numbers_of(&scene.cameras[0]).unwrap();
        for (found, truth) in solution.cameras[0].numbers.iter().zip(&truth) {
            assert!((found - truth).abs() < 1e-4 * truth.abs().max(1.0), "{}: {found} for {truth}", lens.name());
        }
        assert!(solution.rms_px < 1e-6);
    }
}

#[test]
fn wrong_corners_and_a_wrong_view_are_named_and_change_nothing() {
    let scene = scene(&config(boards::Lens::PlumbBob, 11));
    let clean = seen(&scene, NOISE_PX, 11);
    let mut views = clean.clone();
    for (view, corner) in [(2, 5), (2, 17), (9, 40)] {
        views[view].detections[0].as_mut().unwrap().corners[corner].pixel.x += 4.0;
    }
    // A view in which the board moved during the exposure: every corner somewhere else.
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    for corner in &mut views[14].detections[0].as_mut().unwrap().corners {
        corner.pixel += Vector2::new(normal(&mut dice), normal(&mut dice)) * 6.0;
    }
    let solution = solved(&scene, &views, Lens::PlumbBob);
    let dropped: Vec<(&str, usize)> = solution.dropped_corners().map(|(view, corner)| (view, corner.number)).collect();
    assert_eq!(dropped, [("0002", 5), ("0002", 17), ("0009", 40)]);
    assert_eq!(solution.used_views().count(), 19);
    assert!(
        matches!(&solution.views[14].fate, parallax_calib::solve::Fate::Dropped(reason) if reason.contains("moved"))
    );
    let truth = scene.cameras[0].intrinsics;
    assert!((solution.cameras[0].camera.intrinsics.fx - truth.fx).abs() < 3.0 * solution.cameras[0].sigma[0]);
}

#[test]
fn parallel_boards_do_not_determine_the_focal_length() {
    let mut scene = scene(&config(boards::Lens::PlumbBob, 31));
    for view in &mut scene.views {
        view.left_from_board.rotation = nalgebra::UnitQuaternion::identity();
    }
    let solution = solved(&scene, &seen(&scene, NOISE_PX, 31), Lens::PlumbBob);
    let trust = &solution.cameras[0].trust;
    assert_eq!(trust.verdict, parallax_calib::uncertainty::Verdict::NotDetermined);
    assert!(trust.reasons[0].remedy.contains("parallel boards"), "{:?}", trust.reasons);
}

#[test]
fn two_cameras_that_were_mixed_are_told() {
    let (one, other) = (scene(&config(boards::Lens::PlumbBob, 41)), scene(&config(boards::Lens::PlumbBob, 42)));
    let views = [&seen(&one, NOISE_PX, 41)[..8], &seen(&other, NOISE_PX, 42)[..6]].concat();
    let config = SolveConfig { lens: Lens::PlumbBob, board: BoardShape::Flat };
    let error = solve(&one.board, &[(640, 480)], &views, &config).unwrap_err();
    assert!(error.to_string().contains("two cameras: 6 are"), "{error}");
    assert!(error.hint().unwrap().contains("each camera by itself"));
}

#[test]
fn a_bent_board_is_measured() {
    let bent = scene(&config(boards::Lens::PlumbBob, 21));
    let mut views = seen(&bent, 0.0, 21);
    // The corners as a board sees them whose middle stands out by 2 mm along its width.
    let last = bent.board.corner(bent.board.corner_count() - 1);
    for (view, truth) in views.iter_mut().zip(&bent.views) {
        for corner in &mut view.detections[0].as_mut().unwrap().corners {
            let mut point = bent.board.corner(corner.number);
            point.z += 0.002 * (1.0 - (2.0 * point.x / last.x - 1.0).powi(2));
            corner.pixel = bent.cameras[0].project(&(truth.left_from_board * point)).unwrap();
        }
    }
    let size = (640, 480);
    let config = SolveConfig { lens: Lens::PlumbBob, board: BoardShape::Bent };
    let solution = solve(&bent.board, &[size], &views, &config).unwrap();
    let [(along_x, _), (along_y, _)] = solution.warp_m.unwrap();
    assert!((along_x - 0.002).abs() < 1e-5 && along_y.abs() < 1e-5, "{along_x} {along_y}");
    let flat = solve(&bent.board, &[size], &views, &SolveConfig { board: BoardShape::Flat, ..config }).unwrap();
    assert!(flat.rms_px > 0.1);
}

#[test]
fn a_pair_is_found_again() {
    let board: Board = "charuco:8x6:30mm:22mm".parse().unwrap();
    let mut config = BoardsConfig::new(5, &board, 20, (640, 480));
    config.baseline_m = Some(0.12);
    let scene = scene(&config);
    for noise_px in [NOISE_PX, GOOD_NOISE_PX] {
        let solution = solved(&scene, &seen(&scene, noise_px, 5), Lens::PlumbBob);
        let pair = solution.pair.as_ref().unwrap();
        let truth = scene.right_from_left.unwrap();
        let error = (pair.baseline_m() - truth.translation.vector.norm()).abs();
        assert!(error < 3.0 * pair.baseline_sigma_m() && pair.baseline_sigma_m() < 3e-4, "{error}");
        let off = (pair.right_from_left.rotation * truth.rotation.inverse()).scaled_axis();
        let covariance = pair.covariance.as_ref().unwrap().fixed_view::<3, 3>(0, 0).into_owned();
        let sigma = covariance.diagonal().map(f64::sqrt);
        // Of a thousand sets, one is farther away.
        let distance = (off.transpose() * covariance.try_inverse().unwrap() * off)[0];
        assert!(distance < 16.3, "the rotation is {off} rad off, claimed {sigma}");
        // With more noise, 1 mrad is not much more than one σ about the vertical axis, and one set in four is farther away.
        assert!(noise_px > GOOD_NOISE_PX || off.norm() < 1e-3, "the rotation is {off} rad off, claimed {sigma}");
        assert!(pair.after.mean_px < 0.25 && pair.before.mean_px > 1.0, "{:?} {:?}", pair.before, pair.after);
        let right = &solution.cameras[1].camera;
        assert!((right.baseline_m().unwrap() - pair.baseline_m()).abs() < 1e-9 && right.needs_rectification());
    }
}
