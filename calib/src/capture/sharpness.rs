//! How wide the edges between a board's fields are: the sharpness that counts for its corners, whatever the rest of the
//! picture shows.
//!
//! Across every edge from corner to corner, grey values v(s) rise by a contrast C. For an edge blurred by a Gaussian of
//! deviation σ,
//!
//! ```text
//! ∫ v'(s)² ds = C² / (2 √π σ),    width from 10 to 90 % = 2.563 σ
//! ```
//!
//! Only the dark side of an edge is read, which is half of both: beside it a dark field is dark for a good part of its
//! width, while the light one of a ChArUco board has a marker in it, a narrow ring away.
//!
//! Motion widens only the edges across it, so the edges along the board's rows and along its columns count apart, and
//! the wider ones are taken.

use crate::detect::Detection;
use image::GrayImage;
use nalgebra::{Point2, Vector2};
use parallax_core::board::Board;
use std::collections::BTreeMap;

/// The widest edges of a view when nothing else is said, pixels: σ = 1.6 px. Edges of lenses in focus are 1.5 to 3 px
/// wide, those of pictures that a camera has scaled up 4.
pub const WIDEST_PX: f64 = 4.0;
/// Width from 10 to 90 % in deviations.
const WIDTH_PER_SIGMA: f64 = 2.563;
/// Distance of two readings across an edge, pixels.
const STEP_PX: f64 = 0.5;
/// Limits of how far to either side an edge is read, pixels: less sees no blur, more sees other things.
const REACH_PX: (f64, f64) = (3.0, 12.0);
/// Where along an edge it is read.
const ALONG: [f64; 3] = [0.35, 0.5, 0.65];
/// Grey levels that an edge must rise by to be measured.
const LEAST_CONTRAST: f64 = 16.0;
/// Fewer edges say nothing.
const LEAST_EDGES: usize = 6;

/// The width of the edges of a board, pixels; none where too few can be measured.
pub fn edge_width_px(picture: &GrayImage, board: &Board, found: &Detection) -> Option<f64> {
    let known: BTreeMap<usize, Point2<f64>> = found.corners.iter().map(|c| (c.number, c.pixel)).collect();
    let columns = board.corner_columns() as usize;
    let dark = dark_part(board);
    let of_direction = |step: usize| -> Option<f64> {
        let ends = known.iter().filter(|(number, _)| is_field_edge(board, **number, columns, step));
        let ends = ends.filter_map(|(number, from)| Some((*from, *known.get(&(number + step))?)));
        let mut widths: Vec<f64> = ends
            .flat_map(|(from, to)| ALONG.map(|part| sigma_px(picture, (from, to), part, dark)))
            .flatten()
            .map(|sigma| sigma * WIDTH_PER_SIGMA)
            .collect();
        widths.sort_by(f64::total_cmp);
        (widths.len() >= LEAST_EDGES * ALONG.len()).then(|| widths[widths.len() / 2])
    };
    match (of_direction(1), of_direction(columns)) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (one, other) => one.or(other),
    }
}

/// Whether a field is as long as the edge from a corner to the one `step` numbers on: not past the end of a row, and not
/// across the gap between two tags.
fn is_field_edge(board: &Board, number: usize, columns: usize, step: usize) -> bool {
    let (row, column) = (number / columns, number % columns);
    match board {
        Board::Chessboard { .. } | Board::Charuco { .. } => step != 1 || column + 1 < columns,
        Board::AprilGrid { .. } => (if step == 1 { column } else { row }).is_multiple_of(2),
    }
}

/// How far into the dark field beside an edge nothing else is printed, as a part of the edge's length.
fn dark_part(board: &Board) -> f64 {
    match board {
        Board::Chessboard { .. } | Board::Charuco { .. } => 0.35,
        // Two of the ten bits of a tag are its black border.
        Board::AprilGrid { .. } => 0.18,
    }
}

/// The deviation of the blur across an edge at a part of its length.
fn sigma_px(picture: &GrayImage, (from, to): (Point2<f64>, Point2<f64>), part: f64, dark: f64) -> Option<f64> {
    let along = to - from;
    let across = Vector2::new(-along.y, along.x).normalize();
    let reach = (dark * along.norm()).clamp(REACH_PX.0, REACH_PX.1);
    let steps = (reach / STEP_PX) as i32;
    let middle = from + along * part;
    // From the edge outwards.
    let side = |sign: f64| -> Option<Vec<f64>> {
        (0..=steps).map(|step| read(picture, middle + across * (sign * f64::from(step) * STEP_PX))).collect()
    };
    let end = |values: &[f64]| values[values.len() - 3..].iter().sum::<f64>() / 3.0;
    let sides = [side(1.0)?, side(-1.0)?];
    let values = if end(&sides[0]) < end(&sides[1]) { &sides[0] } else { &sides[1] };
    let contrast = 2.0 * (values[0] - end(values));
    let energy: f64 =
        2.0 * values.windows(2).map(|pair| ((pair[1] - pair[0]) / STEP_PX).powi(2) * STEP_PX).sum::<f64>();
    let sigma = contrast * contrast / (2.0 * std::f64::consts::PI.sqrt() * energy);
    (contrast >= LEAST_CONTRAST).then_some(sigma)
}

/// The picture between its pixels; none outside.
fn read(picture: &GrayImage, at: Point2<f64>) -> Option<f64> {
    image::imageops::interpolate_bilinear(picture, at.x as f32, at.y as f32).map(|value| f64::from(value.0[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::detect;
    use parallax_world::boards::{self, BoardsConfig, PictureConfig};

    /// Edges of a rendered board behind a blur of this deviation.
    fn width(text: &str, blur_px: f64) -> f64 {
        let board: Board = text.parse().unwrap();
        let picture = PictureConfig { blur_px, ..PictureConfig::default() };
        let config = BoardsConfig { tilt_degrees: 20.0, picture, ..BoardsConfig::new(4, &board, 1, (640, 480)) };
        let scene = boards::scene(&config).unwrap();
        let picture = scene.picture(&config, 0, &scene.views[0], 0);
        edge_width_px(&picture, &board, &detect(&picture, &board).unwrap()).unwrap()
    }

    #[test]
    fn the_width_grows_with_the_blur_on_every_board() {
        for board in ["chessboard:7x5:30mm", "charuco:6x5:40mm:28mm:4x4_50", "aprilgrid:4x3:50mm:0.3"] {
            let widths = [0.7, 1.2, 2.0].map(|blur| width(board, blur));
            assert!(widths[0] * 1.2 < widths[1] && widths[1] * 1.2 < widths[2], "{board}: {widths:?}");
            assert!(widths[0] > 1.5 && widths[0] < 2.8, "{board}: {widths:?}");
        }
    }

    #[test]
    fn the_width_of_a_gaussian_edge_is_the_formulas() {
        // 2.563 √(σ² + 1/12 + what reading between pixels adds).
        let found = width("chessboard:7x5:30mm", 1.5);
        assert!((found - 2.563 * 1.55).abs() < 0.25, "{found}");
    }

    #[test]
    fn motion_across_one_direction_of_edges_shows() {
        let board: Board = "chessboard:7x5:30mm".parse().unwrap();
        let config = BoardsConfig { tilt_degrees: 10.0, ..BoardsConfig::new(4, &board, 1, (640, 480)) };
        let scene = boards::scene(&config).unwrap();
        let sharp = scene.picture(&config, 0, &scene.views[0], 0);
        // The mean over eight pixels along a row.
        let smeared = GrayImage::from_fn(640, 480, |x, y| {
            let sum: u32 = (0..8).map(|d| u32::from(sharp.get_pixel((x + d).min(639), y).0[0])).sum();
            image::Luma([(sum / 8) as u8])
        });
        let found = detect(&sharp, &board).unwrap();
        let mut moved = found.clone();
        moved.corners.iter_mut().for_each(|corner| corner.pixel.x -= 3.5);
        let widths = [edge_width_px(&sharp, &board, &found), edge_width_px(&smeared, &board, &moved)];
        assert!(widths[0].unwrap() < 3.0 && widths[1].unwrap() > 5.0, "{widths:?}");
    }
}
