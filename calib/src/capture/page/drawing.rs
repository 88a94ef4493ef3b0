//! What is drawn over the live picture.

use crate::capture::Status;
use crate::capture::gate::{Decision, Outcome, Refusal};
use crate::detect::Detection;
use image::{Rgb, RgbImage};
use nalgebra::{Point2, Vector2};
use parallax_core::picture::{draw_line, draw_text};

/// Fields of the picture in which a view has corners.
const COVERED: Rgb<u8> = Rgb([40, 200, 90]);
/// How much of that colour a field gets.
const COVERED_SHARE: f32 = 0.14;
/// Where the board should be next.
const NEXT: Rgb<u8> = Rgb([255, 200, 0]);
/// Corners of a view that was kept, of one that might be kept, and of one that cannot.
const KEPT: Rgb<u8> = Rgb([60, 255, 110]);
const READY: Rgb<u8> = Rgb([80, 180, 255]);
const REFUSED: Rgb<u8> = Rgb([255, 70, 60]);
/// Half the size of a corner's cross, pixels.
const CROSS_PX: f64 = 5.0;

/// The left (or only) picture with corners, coverage and the outline of the next view; a right one with its corners
/// beside it.
pub(super) fn scene(left: RgbImage, right: Option<RgbImage>, status: &Status, decision: &Decision) -> RgbImage {
    let color = match &decision.outcome {
        Outcome::Kept { .. } => KEPT,
        Outcome::Refused { reason: Refusal::Appeared | Refusal::Repeated | Refusal::AddsLittle, .. } => READY,
        Outcome::Refused { .. } => REFUSED,
    };
    let mut pictures = vec![left];
    pictures.extend(right);
    tint(&mut pictures[0], status);
    outline(&mut pictures[0], status);
    for (picture, found) in pictures.iter_mut().zip(&decision.sight.detections) {
        if let Ok(found) = found {
            corners(picture, found, color);
        }
    }
    let width = pictures.iter().map(RgbImage::width).sum();
    let height = pictures.iter().map(RgbImage::height).max().unwrap_or_default();
    let mut scene = RgbImage::new(width, height);
    let mut x = 0;
    for picture in &pictures {
        image::imageops::replace(&mut scene, picture, x, 0);
        x += i64::from(picture.width());
    }
    scene
}

fn tint(picture: &mut RgbImage, status: &Status) {
    let (columns, rows) = (status.grid.0 as u32, status.grid.1 as u32);
    let (width, height) = picture.dimensions();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let field = (y * rows / height) * columns + x * columns / width;
        if status.corners.get(field as usize).is_some_and(|count| *count > 0) {
            for (value, tint) in pixel.0.iter_mut().zip(COVERED.0) {
                *value = (f32::from(*value) * (1.0 - COVERED_SHARE) + f32::from(tint) * COVERED_SHARE) as u8;
            }
        }
    }
}

fn outline(picture: &mut RgbImage, status: &Status) {
    let points = &status.next_outline;
    for (index, from) in points.iter().enumerate() {
        let to = points[(index + 1) % points.len()];
        thick_line(picture, Point2::new(from.0, from.1), Point2::new(to.0, to.1), NEXT);
    }
}

fn corners(picture: &mut RgbImage, found: &Detection, color: Rgb<u8>) {
    for corner in &found.corners {
        for arm in [Vector2::new(CROSS_PX, 0.0), Vector2::new(0.0, CROSS_PX)] {
            thick_line(picture, corner.pixel - arm, corner.pixel + arm, color);
        }
    }
}

/// Three pixels wide. What is far outside the picture is not drawn.
fn thick_line(picture: &mut RgbImage, from: Point2<f64>, to: Point2<f64>, color: Rgb<u8>) {
    let pixel = |point: Point2<f64>| (point.x.round() as i32, point.y.round() as i32);
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)] {
        let aside = Vector2::new(dx, dy);
        draw_line(picture, pixel(from + aside), pixel(to + aside), color);
    }
}

/// A picture that says that there is none.
pub(super) fn lost(why: &str) -> RgbImage {
    let mut picture = RgbImage::from_pixel(640, 480, Rgb([48, 0, 0]));
    draw_text(&mut picture, (8, 8), "LOST", Rgb([255; 3]));
    let characters: Vec<char> = why.chars().collect();
    // Characters are six pixels wide.
    for (row, line) in characters.chunks(104).enumerate() {
        draw_text(&mut picture, (8, 24 + 14 * row as u32), &line.iter().collect::<String>(), Rgb([220; 3]));
    }
    picture
}
