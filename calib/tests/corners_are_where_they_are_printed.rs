//! Every kind of board before every kind of lens: how far the corners that are found lie from the true ones.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it measured")]

use parallax_calib::pictures;
use parallax_calib::survey::{Watch, survey};
use parallax_core::board::Board;
use parallax_core::recording::Eye;
use parallax_world::boards::{self, BoardsConfig, Lens, PictureConfig};
use parallax_world::dataset::{Existing, Watch as RenderWatch};
use std::path::Path;
use std::sync::atomic::AtomicBool;

const BOARDS: [(&str, (u32, u32)); 3] = [
    ("chessboard:9x6:25mm", (640, 480)),
    ("charuco:9x7:30mm:22mm:5x5_100", (800, 600)),
    ("aprilgrid:5x4:50mm:0.3", (960, 720)),
];

struct Measured {
    /// Distances of found corners from the truth in pixels, sorted.
    off_px: Vec<f64>,
    /// Corners in the pictures.
    whole: usize,
}

impl Measured {
    fn at(&self, part: f64) -> f64 {
        self.off_px[((self.off_px.len() - 1) as f64 * part) as usize]
    }
}

fn measure(config: &BoardsConfig, folder: &Path) -> Measured {
    let watch = RenderWatch { on_picture: &mut || (), stop: &AtomicBool::new(false) };
    boards::write(config, folder, Existing::Keep, watch).unwrap();
    let scene = boards::scene(config).unwrap();
    let pictures = pictures::find(&[folder.join("left")], Eye::Left).unwrap();
    let found = survey(&pictures, &scene.board, Watch { on_picture: &|| (), stop: &AtomicBool::new(false) }).unwrap();
    let mut measured = Measured { off_px: Vec::new(), whole: 0 };
    for (view, picture) in scene.views.iter().zip(&found.pictures) {
        measured.whole += view.corners(&scene, 0).len();
        for corner in picture.found.iter().flat_map(|detection| &detection.corners) {
            let point = view.left_from_board * scene.board.corner(corner.number);
            let truth = scene.cameras[0].project(&point);
            // A corner that the camera cannot see at all is as wrong as can be.
            measured.off_px.push(truth.map_or(f64::INFINITY, |truth| (corner.pixel - truth).norm()));
        }
    }
    measured.off_px.sort_by(f64::total_cmp);
    measured
}

/// Measures every board before every lens, in whole views or, where the board allows it, parts of it.
fn check(picture: &PictureConfig, (median_px, p95_px, most_px): (f64, f64, f64), least_found: usize) {
    let folder = tempfile::tempdir().unwrap();
    for (index, (text, size)) in BOARDS.into_iter().enumerate() {
        for lens in [Lens::PlumbBob, Lens::RationalPolynomial, Lens::Equidistant] {
            let board: Board = text.parse().unwrap();
            let config = BoardsConfig {
                lens,
                tilt_degrees: 60.0,
                picture: picture.clone(),
                partial: board.allows_parts(),
                ..BoardsConfig::new(index as u64, &board, 8, size)
            };
            let measured = measure(&config, &folder.path().join(format!("{index}{lens:?}")));
            let (found, whole) = (measured.off_px.len(), measured.whole);
            let [median, p95, most] = [0.5, 0.95, 1.0].map(|part| measured.at(part));
            let said = format!(
                "{text} {lens:?}: {found} of {whole} corners, median {median:.3}, 95 % {p95:.3}, most {most:.3} px"
            );
            eprintln!("{said}");
            assert!(found * 100 >= whole * least_found, "{said}");
            assert!(median <= median_px && p95 <= p95_px && most <= most_px, "{said}");
        }
    }
}

#[test]
fn in_sharp_pictures_corners_are_found_to_a_fiftieth_of_a_pixel() {
    check(&PictureConfig::default(), (0.02, 0.06, 0.25), 65);
}

#[test]
fn in_blurred_and_noisy_pictures_corners_are_found_to_a_twentieth_of_a_pixel() {
    check(&PictureConfig { blur_px: 1.5, noise: 6.0, ..PictureConfig::default() }, (0.05, 0.12, 0.4), 65);
}
