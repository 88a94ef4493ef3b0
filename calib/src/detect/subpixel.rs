//! The place of a corner to a fraction of a pixel.
//!
//! Two blurred edges cross in the corner q. With the distances d₁ and d₂ of a pixel from them, its grey value is
//!
//! ```text
//! v = m + c tanh(d₁/w) tanh(d₂/w)
//! ```
//!
//! and q, the edges' directions, the blur w, the mean m and the contrast c follow by least squares (Levenberg and
//! Marquardt). The edges bend as the lattice lines of the neighbours do. Of the noise in a picture this leaves half as
//! much in the corner as the gradient condition below; that one only brings a guess that is pixels off near enough.
//!
//! A window that reaches the next corner, or a marker's bits, follows edges that do not lead to this one: OpenCV's own
//! example has such a view. The window is therefore a parallelogram between the lattice lines, without the markers.
//!
//! The gradient condition: at every point p of a window, the gradient g is either zero or at right angles to p - q, so
//! q = (Σ w g gᵀ)⁻¹ Σ w g gᵀ p.
//!
//! Reference: Förstner and Gülch, *A fast operator for detection and precise location of distinct points, corners and
//! centres of circular features*, 1987.

use super::links::read;
use super::local::Lines;
use image::GrayImage;
use nalgebra::{Matrix2, Point2, SMatrix, SVector, Vector2};
use parallax_core::board::Board;

/// Where the window ends as a part of the way to the next lattice line, and its limits in pixels. Half the way would touch
/// the next line's blur; below two pixels noise wins, above eight an edge is no longer a parabola.
const PART_OF_SPACING: f64 = 0.4;
const LEAST_HALF_PX: f64 = 2.0;
const MOST_HALF_PX: f64 = 8.0;
/// Where an edge bends much, its curvature is known to a fifth or so; an edge that leaves its tangent by κh²/2 then moves a
/// corner by κh²/30. The window ends where κh² is this, at 0.003 pixels, but not nearer than the second limit.
const MOST_BEND_PX: f64 = 0.1;
const LEAST_BENT_HALF_PX: f64 = 3.5;
/// How far the blur of a marker's edge reaches into the white ring around it.
const BLUR_PX: f64 = 1.5;

/// The pixels that show this corner and nothing else, and how its edges run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    lines: Lines,
    board_from_picture: Matrix2<f64>,
    /// The farthest that a pixel may be along either axis of the board, metres.
    half_m: Vector2<f64>,
    /// The farthest that a pixel may be from the corner.
    most_px: f64,
    /// Beyond this along both axes there are markers, metres.
    ring_m: Vector2<f64>,
    /// Whether the field to the lower right of the corner is dark.
    is_dark_first: bool,
}

impl Window {
    /// The window of a corner of the board where the lattice lines run so.
    pub(super) fn new(board: &Board, number: usize, lines: Lines) -> Option<Self> {
        let columns = board.corner_columns() as usize;
        let px_per_m = Vector2::new(lines.axes.column(0).norm(), lines.axes.column(1).norm());
        let half_m = px_per_m.map(|scale| (PART_OF_SPACING * board.least_gap_m()).max(LEAST_HALF_PX / scale));
        let ring_m = match board {
            Board::Charuco { square_m, marker_m, .. } => {
                px_per_m.map(|scale| ((square_m - marker_m) / 2.0 - BLUR_PX / scale).max(BLUR_PX / scale))
            }
            // The fields of other boards are even as far as the window reaches.
            _ => Vector2::repeat(f64::INFINITY),
        };
        let curvature = lines.curvatures[0].abs().max(lines.curvatures[1].abs());
        let most_px = (MOST_BEND_PX / curvature).sqrt().clamp(LEAST_BENT_HALF_PX, MOST_HALF_PX);
        let is_dark_first = (number % columns + number / columns).is_multiple_of(2);
        Some(Self { lines, board_from_picture: lines.axes.try_inverse()?, half_m, most_px, ring_m, is_dark_first })
    }

    /// Whether a pixel at this offset from the corner shows the corner's edges only.
    fn contains(&self, offset: Vector2<f64>) -> bool {
        let place = (self.board_from_picture * offset).abs();
        let is_near = place.x <= self.half_m.x && place.y <= self.half_m.y;
        is_near
            && (place.x <= self.ring_m.x || place.y <= self.ring_m.y)
            && offset.norm_squared() <= self.most_px * self.most_px
    }

    /// Pixels to either side that may belong to the window.
    fn reach_px(&self) -> i32 {
        let corners = [Vector2::new(1.0, 1.0), Vector2::new(1.0, -1.0)];
        let far = corners.map(|sign| (self.lines.axes * self.half_m.component_mul(&sign)).amax());
        far[0].max(far[1]).min(self.most_px).ceil() as i32
    }
}

const MAX_COARSE_STEPS: usize = 15;
/// Near enough for the fine fit.
const COARSE_PX: f64 = 0.05;

/// A guess that may be some pixels off, brought near the corner; none when it runs away or the window leaves the picture.
pub(super) fn approach(picture: &GrayImage, start: Point2<f64>, window: &Window) -> Option<Point2<f64>> {
    let mut corner = start;
    for _ in 0..MAX_COARSE_STEPS {
        let next = coarse_step(picture, corner, window)?;
        let moved = (next - corner).norm();
        corner = next;
        if (corner - start).norm() > MOST_HALF_PX {
            return None;
        }
        if moved < COARSE_PX {
            return Some(corner);
        }
    }
    None
}

fn coarse_step(picture: &GrayImage, corner: Point2<f64>, window: &Window) -> Option<Point2<f64>> {
    let reach = window.reach_px();
    let (mut sum, mut moment) = (Matrix2::zeros(), Vector2::zeros());
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let offset = Vector2::new(f64::from(dx), f64::from(dy));
            if !window.contains(offset) {
                continue;
            }
            let at = |x: f64, y: f64| read(picture, corner + offset + Vector2::new(x, y)).map(f64::from);
            let gradient = Vector2::new(at(1.0, 0.0)? - at(-1.0, 0.0)?, at(0.0, 1.0)? - at(0.0, -1.0)?);
            // A bell with the window's size as its standard deviation lets it move without jumps.
            let weight = (-offset.norm_squared() / f64::from(reach * reach)).exp();
            let outer = gradient * gradient.transpose() * weight;
            sum += outer;
            moment += outer * offset;
        }
    }
    Some(corner + sum.try_inverse()? * moment)
}

/// Unknowns: x and y of the corner, directions of the edges along the board's x and y, mean, contrast, blur.
const UNKNOWNS: usize = 7;
type Unknowns = SVector<f64, UNKNOWNS>;

const MAX_FINE_STEPS: usize = 30;
/// Converged when a step moves less; a tenth of what the best corners reach.
const CONVERGED_PX: f64 = 1e-3;
/// The fit may move a corner so far from where it was found.
const MOST_MOVE_PX: f64 = 3.0;
/// Blur of the sharpest edge that pixels can show, and of one that hides a window's worth of them.
const BLUR_RANGE_PX: (f64, f64) = (0.3, 6.0);
/// Fewer pixels do not determine seven unknowns.
const LEAST_PIXELS: usize = 12;
/// Grey levels between the fields; as strict as the test of an edge.
const LEAST_CONTRAST: f64 = 8.0;
/// The part of the window's variance that the two edges must explain. Noise of half the contrast leaves 0.7, the corner of
/// a marker 0.4, a place on an edge nothing.
const LEAST_EXPLAINED: f64 = 0.6;

/// The refined corner; none where the window leaves the picture or does not show two crossing edges.
pub(super) fn refine(picture: &GrayImage, start: Point2<f64>, window: &Window) -> Option<Point2<f64>> {
    let pixels = pixels(picture, start, window)?;
    if pixels.len() < LEAST_PIXELS {
        return None;
    }
    let values = || pixels.iter().map(|(_, value)| *value);
    let mean = values().sum::<f64>() / pixels.len() as f64;
    let variance: f64 = values().map(|value| (value - mean).powi(2)).sum();
    let axes = &window.lines.axes;
    let contrast = (variance / pixels.len() as f64).sqrt() * if window.is_dark_first { -1.0 } else { 1.0 };
    let angle = |index: usize| axes[(1, index)].atan2(axes[(0, index)]);
    let mut at = Unknowns::from([0.0, 0.0, angle(0), angle(1), mean, contrast, 1.0]);
    let bends = window.lines.curvatures;
    let mut sums = Sums::of(&pixels, &at, bends);
    let mut damping = 1e-3;
    for _ in 0..MAX_FINE_STEPS {
        let mut damped = sums.square;
        for index in 0..UNKNOWNS {
            damped[(index, index)] *= 1.0 + damping;
        }
        let step = damped.cholesky()?.solve(&sums.moment);
        let mut next = at + step;
        next[6] = next[6].clamp(BLUR_RANGE_PX.0, BLUR_RANGE_PX.1);
        if next.xy().norm() > MOST_MOVE_PX {
            return None;
        }
        let is_done = step.xy().norm() < CONVERGED_PX;
        let next_sums = Sums::of(&pixels, &next, bends);
        if next_sums.squares <= sums.squares {
            (at, sums, damping) = (next, next_sums, damping * 0.2);
        } else {
            damping *= 8.0;
        }
        if is_done {
            let is_clear = 2.0 * at[5].abs() > LEAST_CONTRAST && at[5].signum() == contrast.signum();
            let is_explained = sums.squares <= (1.0 - LEAST_EXPLAINED) * variance;
            return (is_clear && is_explained).then(|| start + at.xy());
        }
    }
    None
}

/// The window's pixels: offset from `start` and grey value; none where one of them is outside the picture.
fn pixels(picture: &GrayImage, start: Point2<f64>, window: &Window) -> Option<Vec<(Vector2<f64>, f64)>> {
    let (x, y) = (start.x.round(), start.y.round());
    let reach = window.reach_px();
    let mut pixels = Vec::with_capacity((4 * reach * reach) as usize);
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let pixel = Point2::new(x + f64::from(dx), y + f64::from(dy));
            let offset = pixel - start;
            if window.contains(offset) {
                let is_inside = pixel.x >= 0.0 && pixel.y >= 0.0;
                let value = is_inside.then(|| picture.get_pixel_checked(pixel.x as u32, pixel.y as u32))??;
                pixels.push((offset, f64::from(value.0[0])));
            }
        }
    }
    Some(pixels)
}

/// The normal of edge `index` at this angle: distances are positive in the field to the lower right.
fn normal(index: usize, angle: f64) -> Vector2<f64> {
    let (sin, cos) = angle.sin_cos();
    if index == 0 { Vector2::new(-sin, cos) } else { Vector2::new(sin, -cos) }
}

/// Normal equations of the fit at one place.
struct Sums {
    square: SMatrix<f64, UNKNOWNS, UNKNOWNS>,
    moment: Unknowns,
    squares: f64,
}

impl Sums {
    fn of(pixels: &[(Vector2<f64>, f64)], at: &Unknowns, bends: [f64; 2]) -> Self {
        let mut sums = Self { square: SMatrix::zeros(), moment: SVector::zeros(), squares: 0.0 };
        let (corner, mean, contrast, blur) = (at.xy(), at[4], at[5], at[6]);
        let edges = [0, 1].map(|index| {
            let angle = at[2 + index];
            (Vector2::new(angle.cos(), angle.sin()), normal(index, angle))
        });
        for (offset, value) in pixels {
            let offset = offset - corner;
            // For each edge: tanh(d/w), its derivative by d, d, and the derivatives of d by the corner and the angle.
            let sides = [0, 1].map(|index| {
                let (along, normal) = edges[index];
                let (t, n) = (along.dot(&offset), normal.dot(&offset));
                let distance = n - bends[index] / 2.0 * t * t;
                let step = (distance / blur).tanh();
                let by_corner = along * (bends[index] * t) - normal;
                // The along-direction turns towards the normal for edge 0, away from it for edge 1.
                let turn = if index == 0 { 1.0 } else { -1.0 };
                let by_angle = -turn * (t + bends[index] * t * n);
                (step, (1.0 - step * step) / blur, distance, by_corner, by_angle)
            });
            let [a, b] = sides;
            let error = value - mean - contrast * a.0 * b.0;
            let (by_a, by_b) = (contrast * a.1 * b.0, contrast * b.1 * a.0);
            let by_corner = a.3 * by_a + b.3 * by_b;
            let by_blur = -(by_a * a.2 + by_b * b.2) / blur;
            let row = Unknowns::from([by_corner.x, by_corner.y, by_a * a.4, by_b * b.4, 1.0, a.0 * b.0, by_blur]);
            sums.square += row * row.transpose();
            sums.moment += row * error;
            sums.squares += error * error;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A corner at `place`, its edges turned by `angle`, each pixel the mean over 8×8 points.
    fn picture_of_a_corner(place: Point2<f64>, angle: f64) -> GrayImage {
        GrayImage::from_fn(40, 40, |x, y| {
            let points = (0..64).map(|index| {
                let (a, b) = ((f64::from(index % 8) + 0.5) / 8.0 - 0.5, (f64::from(index / 8) + 0.5) / 8.0 - 0.5);
                let offset = Vector2::new(f64::from(x) + a - place.x, f64::from(y) + b - place.y);
                let turned = nalgebra::Rotation2::new(angle) * offset;
                if (turned.x > 0.0) == (turned.y > 0.0) { 30.0 } else { 220.0 }
            });
            image::Luma([(points.sum::<f64>() / 64.0).round() as u8])
        })
    }

    /// The window of the first corner of a chessboard whose squares are 20 pixels wide; its lines are `off` wrong.
    fn window(angle: f64, off: f64) -> Window {
        let board: Board = "chessboard:9x6:20mm".parse().unwrap();
        let axes = nalgebra::Rotation2::new(off - angle).into_inner() * 1000.0;
        Window::new(&board, 0, Lines { axes, curvatures: [0.0; 2] }).unwrap()
    }

    #[test]
    fn a_corner_between_pixels_is_found_to_two_hundredths() {
        for (x, y, angle) in [(20.3, 19.6, 0.1), (19.9, 20.45, 0.7), (20.0, 20.0, 0.4)] {
            let (truth, window) = (Point2::new(x, y), window(angle, 0.1));
            let picture = picture_of_a_corner(truth, angle);
            let found = refine(&picture, Point2::new(21.0, 19.0), &window).unwrap();
            assert!((found - truth).norm() < 0.02, "{found} for {truth}");
            let near = approach(&picture, Point2::new(23.0, 17.0), &window).unwrap();
            assert!((near - truth).norm() < 0.3, "{near} for {truth}");
        }
    }

    #[test]
    fn at_the_border_and_on_an_edge_there_is_no_corner() {
        let picture = picture_of_a_corner(Point2::new(1.0, 20.0), 0.1);
        assert_eq!(refine(&picture, Point2::new(1.2, 20.0), &window(0.1, 0.0)), None);
        let aside = Point2::new(18.0, 18.3);
        assert_eq!(refine(&picture, aside, &window(0.1, 0.0)), None);
        // With the colours exchanged it is another corner.
        let picture = picture_of_a_corner(Point2::new(20.0, 20.0), 0.1);
        let other = GrayImage::from_fn(40, 40, |x, y| image::Luma([255 - picture.get_pixel(x, y).0[0]]));
        assert_eq!(refine(&other, Point2::new(20.0, 20.0), &window(0.1, 0.0)), None);
    }
}
