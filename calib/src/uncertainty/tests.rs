//! No verdict turns on one view, on a limit that the covariance knows better, or on a check that was not made.

use super::*;
use crate::detect::{Corner, Detection};
use crate::solve::{BoardShape, Fate, Lens, Solution, SolveConfig, View, solve};
use nalgebra::{Isometry3, Point2, UnitQuaternion, Vector3};
use parallax_core::board::Board;
use parallax_core::camera::Distortion;
use parallax_world::boards::{self, BoardScene, BoardView, BoardsConfig};
use std::collections::BTreeMap;

const SIZE: (u32, u32) = (640, 480);
/// What OpenCV's sample pictures leave over.
const NOISE_PX: f64 = 0.12;

fn scene(seed: u64, views: usize) -> BoardScene {
    let board: Board = "chessboard:9x6:25mm".parse().unwrap();
    boards::scene(&BoardsConfig::new(seed, &board, views, SIZE)).unwrap()
}

/// Normal numbers that depend on nothing but these.
fn normal(view: usize, corner: usize, axis: usize) -> f64 {
    let even = |salt: u64| {
        let mut bits = (view as u64 * 1_000_003 + corner as u64 * 101 + axis as u64 * 7 + salt)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((bits ^ (bits >> 29)) >> 11) as f64 / (1u64 << 53) as f64
    };
    (-2.0 * (1.0 - even(1)).ln()).sqrt() * (std::f64::consts::TAU * even(2)).cos()
}

/// What a detector sees of each pose.
fn seen(scene: &BoardScene) -> Vec<View> {
    let corner = |index: usize, (number, pixel): (usize, Point2<f64>)| {
        let [x, y] = [0, 1].map(|axis| NOISE_PX * normal(index, number, axis));
        Corner { number, pixel: Point2::new(pixel.x + x, pixel.y + y) }
    };
    let view = |(index, view): (usize, &BoardView)| {
        let corners = view.corners(scene, 0).into_iter().map(|seen| corner(index, seen)).collect();
        View { name: format!("{index:04}.png"), detections: vec![Ok(Detection { corners, spacing_px: 30.0 })] }
    };
    scene.views.iter().enumerate().map(view).collect()
}

fn solved(scene: &BoardScene, views: &[View]) -> Solution {
    let config = SolveConfig { lens: Lens::PlumbBob, board: BoardShape::Flat };
    solve(&scene.board, &[SIZE], views, &config).unwrap()
}

/// A board with its middle at a pixel, `distance_m` away, tilted away from facing the camera.
fn held(scene: &BoardScene, pixel: (f64, f64), distance_m: f64, tilt_rad: f64, about_rad: f64) -> BoardView {
    let ray = scene.cameras[0].unproject(Point2::new(pixel.0, pixel.1)).unwrap().normalize();
    let axis = nalgebra::Unit::new_normalize(Vector3::new(about_rad.cos(), about_rad.sin(), 0.0));
    let rotation = UnitQuaternion::from_axis_angle(&axis, tilt_rad);
    let middle = scene.board.corners().last().unwrap().coords / 2.0;
    BoardView { left_from_board: Isometry3::from_parts((ray * distance_m - rotation * middle).into(), rotation) }
}

/// 49 views of the middle of the picture and one at its left edge, where the lens bends most.
fn one_alone() -> BoardScene {
    let mut scene = scene(3, 1);
    let middle = |index: usize| {
        let (a, b) = ((index as f64 * 0.618).fract(), (index as f64 * 0.414).fract());
        let tilt = 0.55 * (0.3 + 0.7 * (index as f64 * 0.732).fract());
        held(&scene, (310.0 + 70.0 * (a - 0.5), 240.0 + 60.0 * (b - 0.5)), 0.48 + 0.2 * b, tilt, index as f64 * 2.4)
    };
    let mut views: Vec<BoardView> = (0..49).map(middle).collect();
    views.insert(24, held(&scene, (92.0, 100.0), 0.8, 0.3, 0.7));
    scene.views = views;
    assert_eq!(seen(&scene)[24].detections[0].as_ref().unwrap().corners.len(), 54);
    scene
}

#[test]
fn a_view_alone_at_an_edge_refuses_no_camera_and_is_named() {
    let scene = one_alone();
    let solution = solved(&scene, &seen(&scene));
    let (camera, truth) = (&solution.cameras[0], scene.cameras[0].intrinsics);
    let (fx, sigma) = (camera.numbers[0], camera.sigma[0]);
    assert!((fx - truth.fx).abs() < 3.0 * sigma && sigma < 0.002 * truth.fx, "{fx} ± {sigma} of {}", truth.fx);
    let trust = &camera.trust;
    assert!(trust.verdict >= Verdict::Usable, "{:?}", trust.reasons);
    // One rms over all views would be that of one view.
    let held_out: Vec<f64> = solution.views.iter().map(|view| view.held_out_px.unwrap()).collect();
    assert!(held_out[24] > 1.0 && trust.held_out_px.unwrap() < 1.3 * solution.rms_px, "{held_out:?}");
    assert_eq!(solution.lone_views().iter().map(|view| view.0).collect::<Vec<_>>(), ["0024.png"]);
    assert!(crate::summary::text(&solution).contains("alone: 0024.png"));
}

#[test]
fn leaving_any_one_view_out_changes_the_verdict_little() {
    let all = |count: usize| (0..count).collect::<Vec<usize>>();
    let sets = [(one_alone(), vec![0, 7, 13, 24, 31, 38, 44, 49]), (scene(5, 12), all(12)), (scene(6, 20), all(20))];
    for (number, (scene, left_out)) in sets.iter().enumerate() {
        let views = seen(scene);
        let whole = solved(scene, &views).verdict();
        let mut verdicts: BTreeMap<Verdict, Vec<String>> = BTreeMap::new();
        for out in left_out {
            let kept = views.iter().enumerate().filter(|(index, _)| index != out);
            let rest: Vec<View> = kept.map(|(_, view)| view.clone()).collect();
            let solution = solved(scene, &rest);
            let trust = &solution.cameras[0].trust;
            // The check is made, whichever view is missing.
            assert!(trust.held_out_px.is_some_and(f64::is_finite), "set {number} without {out}");
            let reasons: Vec<&str> = trust.reasons.iter().map(|reason| reason.what.as_str()).collect();
            verdicts.entry(trust.verdict).or_default().push(format!("without {out}: {reasons:?}"));
        }
        assert!(!verdicts.contains_key(&Verdict::NotDetermined), "set {number}: {verdicts:#?}");
        let same = verdicts.get(&whole).map_or(0, Vec::len);
        assert!(views.len() < 20 || 10 * same >= 9 * left_out.len(), "set {number}: {whole} but {verdicts:#?}");
    }
}

#[test]
fn a_limit_of_tilt_does_not_overrule_the_covariance() {
    let judged = |most_degrees: f64| {
        let mut scene = scene(9, 1);
        let view = |index: usize| {
            let (x, y) = ((index % 5) as f64, (index / 5) as f64);
            // Tilted by half the angle to either side: the most between two views is the whole.
            let tilt = 0.5 * most_degrees.to_radians() * if index.is_multiple_of(2) { 1.0 } else { -1.0 };
            let about = if index.is_multiple_of(3) { 0.0 } else { std::f64::consts::FRAC_PI_2 };
            held(&scene, (110.0 + 105.0 * x, 90.0 + 75.0 * y), 0.62, tilt, about)
        };
        let views: Vec<BoardView> = (0..25).map(view).collect();
        scene.views = views;
        let solution = solved(&scene, &seen(&scene));
        let camera = &solution.cameras[0];
        let known = (camera.sigma[0] / camera.numbers[0]).max(camera.sigma[1] / camera.numbers[1]);
        let says_tilt = camera.trust.reasons.iter().any(|reason| reason.what.contains("turned by"));
        (camera.trust.verdict, known, says_tilt)
    };
    for most_degrees in [24.0, 28.0, 28.7, 32.0] {
        let (verdict, known, says_tilt) = judged(most_degrees);
        assert!(verdict >= Verdict::Usable, "{most_degrees} degrees: {verdict}");
        assert!(!says_tilt || known > 0.002, "{most_degrees} degrees: known to {known} all the same");
    }
    assert_eq!(judged(28.0).0, judged(28.7).0);
}

#[test]
fn a_check_that_cannot_be_made_is_a_reason() {
    let scene = scene(11, 3);
    let solution = solved(&scene, &seen(&scene));
    let trust = &solution.cameras[0].trust;
    assert_eq!(trust.held_out_px, None);
    assert!(trust.reasons.iter().any(|reason| reason.what.contains("nothing is left to check")), "{:?}", trust.reasons);
    assert_eq!(trust.verdict, Verdict::NotDetermined);
}

#[test]
fn a_model_that_does_not_fit_is_no_second_camera_and_the_better_one_is_named() {
    for seed in 0..3 {
        // A lens that sits askew: a fisheye's model has no tangential coefficients.
        let mut scene = scene(seed, 20);
        scene.cameras[0].distortion = Distortion::PlumbBob([-0.26, 0.09, 0.02, -0.015, 0.0]);
        let config = SolveConfig { lens: Lens::Equidistant, board: BoardShape::Flat };
        let solution = solve(&scene.board, &[SIZE], &seen(&scene), &config).unwrap();
        let camera = &solution.cameras[0];
        let better = camera.better_lens.unwrap();
        assert_eq!(better.lens, Lens::PlumbBob, "seed {seed}");
        assert!(better.typical_px < 2.0 * NOISE_PX && better.asked_px > better.typical_px, "{better:?}");
        let said = crate::summary::text(&solution);
        assert!(said.contains("plumb_bob fits this lens better") || better.misfit_px() < 0.2, "{better:?} {said}");
        // Asked for what fits, nothing is said.
        let plain = solved(&scene, &seen(&scene));
        assert_eq!((plain.cameras[0].better_lens, plain.verdict() >= Verdict::Usable), (None, true), "seed {seed}");
    }
}

#[test]
fn one_bad_view_does_not_decide_what_a_pair_is_worth() {
    let board: Board = "chessboard:9x6:25mm".parse().unwrap();
    let config = BoardsConfig { baseline_m: Some(0.1), ..BoardsConfig::new(5, &board, 14, SIZE) };
    let scene = boards::scene(&config).unwrap();
    let detection = |index: usize, eye: usize| {
        let corners = scene.views[index].corners(&scene, eye).into_iter();
        let noisy = corners.map(|(number, pixel)| {
            let [x, y] = [0, 1].map(|axis| NOISE_PX * normal(2 * index + eye, number, axis));
            Corner { number, pixel: Point2::new(pixel.x + x, pixel.y + y) }
        });
        Ok(Detection { corners: noisy.collect(), spacing_px: 30.0 })
    };
    let view =
        |index: usize| View { name: format!("{index}"), detections: vec![detection(index, 0), detection(index, 1)] };
    let views: Vec<View> = (0..14).map(view).collect();
    let config = SolveConfig { lens: Lens::PlumbBob, board: BoardShape::Flat };
    let solution = solve(&board, &[SIZE; 2], &views, &config).unwrap();
    let pair = solution.pair.as_ref().unwrap();
    assert!(pair.verdict >= Verdict::Usable, "{:?}", solution.reasons());
    assert!(solution.views.iter().all(|view| view.fate == Fate::Used && view.held_out_px.is_some()));
    // Nothing that both saw: not a number, and no verdict.
    let blind = crate::stereo::Pair { after: crate::rectification::Epipolar::UNKNOWN, ..pair.clone() };
    assert_eq!(reasons::of_pair(&blind).0, Verdict::NotDetermined);
    let crooked = crate::rectification::Epipolar { typical_px: 0.8, ..pair.after };
    let (verdict, reasons) = reasons::of_pair(&crate::stereo::Pair { after: crooked, ..pair.clone() });
    assert!(verdict == Verdict::Usable && reasons[0].what.contains("0.80 px apart"), "{reasons:?}");
}
