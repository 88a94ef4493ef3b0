//! Which camera looks, and where the board is held.

use super::{BoardScene, BoardsConfig};
use crate::random::Dice;
use crate::{Error, Result};
use nalgebra::{Isometry3, Point2, Translation3, UnitQuaternion, Vector3};
use parallax_core::board::Board;
use parallax_core::camera::{Camera, Distortion, Intrinsics};
use serde::{Deserialize, Serialize};

/// Model of a lens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lens {
    /// An ordinary lens of about 65 degrees.
    PlumbBob,
    /// A wide one of about 95 degrees.
    RationalPolynomial,
    /// A fisheye of about 140 degrees.
    Equidistant,
}

/// One view: where the board is.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardView {
    /// Takes a point of the board's frame to the left camera's.
    pub left_from_board: Isometry3<f64>,
}

impl BoardView {
    /// The pose in the frame of a camera (0: left, 1: right).
    pub fn camera_from_board(&self, scene: &BoardScene, eye: usize) -> Isometry3<f64> {
        match (eye, scene.right_from_left) {
            (1, Some(right_from_left)) => right_from_left * self.left_from_board,
            _ => self.left_from_board,
        }
    }

    /// The corners in the picture of a camera: number and true pixel.
    pub fn corners(&self, scene: &BoardScene, eye: usize) -> Vec<(usize, Point2<f64>)> {
        let (camera, pose) = (&scene.cameras[eye], self.camera_from_board(scene, eye));
        corners(&scene.board, camera, &pose)
    }
}

/// Pixels that a corner keeps from the border of the picture: nearer ones cannot be measured.
const BORDER_PX: f64 = 6.0;

fn corners(board: &Board, camera: &Camera, camera_from_board: &Isometry3<f64>) -> Vec<(usize, Point2<f64>)> {
    let (width, height) = (f64::from(camera.width), f64::from(camera.height));
    let inside = |pixel: &Point2<f64>| {
        (BORDER_PX..width - 1.0 - BORDER_PX).contains(&pixel.x)
            && (BORDER_PX..height - 1.0 - BORDER_PX).contains(&pixel.y)
    };
    let pixel = |number: usize| Some((number, camera.project(&(camera_from_board * board.corner(number)))?));
    (0..board.corner_count()).filter_map(pixel).filter(|(_, pixel)| inside(pixel)).collect()
}

/// Draws for one view before the setting is called impossible.
const MOST_DRAWS: usize = 20_000;
/// The nearest that two neighbouring corners may come in the picture, pixels: smaller squares cannot be read. Squares of
/// marker boards hold bits, which need more.
const LEAST_SPACING_PX: f64 = 11.0;
const LEAST_SPACING_WITH_MARKERS_PX: f64 = 28.0;

pub(super) fn scene(config: &BoardsConfig, board: Board) -> Result<BoardScene> {
    let mut dice = Dice::new(config.seed, "boards");
    let left = camera("left", config, &mut dice);
    let mut cameras = vec![left];
    let right_from_left = config.baseline_m.map(|baseline| {
        cameras.push(camera("right", config, &mut dice));
        // As mounted by hand: half a degree and a few millimetres off.
        let mut small = |size: f32| f64::from(dice.between(-size, size));
        let turn = UnitQuaternion::from_euler_angles(small(0.01), small(0.015), small(0.01));
        let offset = Vector3::new(-baseline, baseline * small(0.02), baseline * small(0.02));
        Isometry3::from_parts(Translation3::from(turn * offset), turn)
    });
    let mut scene = BoardScene { board, cameras, right_from_left, views: Vec::new() };
    for _ in 0..config.views {
        let view = (0..MOST_DRAWS).map(|_| draw(&scene, config, &mut dice)).find(|view| fits(&scene, config, view));
        let view = view.ok_or_else(|| Error::Setting {
            what: format!(
                "the board {} cannot be seen in {}x{} pictures at a tilt of up to {} degrees",
                scene.board, config.width, config.height, config.tilt_degrees
            ),
        })?;
        scene.views.push(view);
    }
    Ok(scene)
}

/// A lens of the model, a little different for every seed.
fn camera(name: &str, config: &BoardsConfig, dice: &mut Dice) -> Camera {
    let (width, height) = (f64::from(config.width), f64::from(config.height));
    let mut about = |value: f64, part: f32| value * (1.0 + f64::from(dice.between(-part, part)));
    let (focal, distortion) = match config.lens {
        Lens::PlumbBob => (
            0.78,
            Distortion::PlumbBob([
                about(-0.26, 0.2),
                about(0.09, 0.2),
                about(4e-4, 1.0),
                about(-3e-4, 1.0),
                about(-0.012, 0.2),
            ]),
        ),
        Lens::RationalPolynomial => (
            0.48,
            Distortion::RationalPolynomial([
                about(0.55, 0.1),
                about(0.06, 0.1),
                about(2e-4, 1.0),
                about(-2e-4, 1.0),
                about(0.002, 0.1),
                about(0.88, 0.1),
                about(0.18, 0.1),
                about(0.012, 0.1),
            ]),
        ),
        Lens::Equidistant => (
            0.38,
            Distortion::Equidistant([about(-0.02, 0.3), about(0.006, 0.3), about(-0.004, 0.3), about(0.0006, 0.3)]),
        ),
    };
    let fx = about(focal * width, 0.05);
    let intrinsics = Intrinsics {
        fx,
        fy: about(fx, 0.003),
        cx: about((width - 1.0) / 2.0, 0.03),
        cy: about((height - 1.0) / 2.0, 0.03),
    };
    Camera { distortion, ..Camera::pinhole(name, config.width, config.height, intrinsics) }
}

/// A pose: the board's middle anywhere in the picture, tilted about a random axis of its plane, rolled a little.
fn draw(scene: &BoardScene, config: &BoardsConfig, dice: &mut Dice) -> BoardView {
    let camera = &scene.cameras[0];
    let extent = scene.board.extent();
    let margin = if config.partial { 0.0 } else { 0.12 };
    let pixel = Point2::new(
        f64::from(dice.between(margin, 1.0 - margin)) * f64::from(config.width),
        f64::from(dice.between(margin, 1.0 - margin)) * f64::from(config.height),
    );
    let ray = camera.unproject(pixel).unwrap_or_else(Vector3::z).normalize();
    // From a quarter of the picture's width to all of it.
    let part = f64::from(dice.between(0.25, if config.partial { 1.4 } else { 0.95 }));
    let distance = camera.intrinsics.fx * extent.width().max(extent.height()) / (part * f64::from(config.width));
    let axis = f64::from(dice.angle());
    // Even over the square of the angle: as many steep views as there is room for.
    let tilt = config.tilt_degrees.to_radians() * f64::from(dice.between(0.0, 1.0)).sqrt();
    let roll = f64::from(dice.between(-0.35, 0.35));
    let facing = UnitQuaternion::rotation_between(&Vector3::z(), &ray).unwrap_or_default();
    let tilted = UnitQuaternion::from_scaled_axis(Vector3::new(axis.cos(), axis.sin(), 0.0) * tilt);
    let rotation = facing * tilted * UnitQuaternion::from_scaled_axis(Vector3::z() * roll);
    let middle = Vector3::new((extent.left + extent.right) / 2.0, (extent.top + extent.bottom) / 2.0, 0.0);
    let translation = ray * distance - rotation * middle;
    BoardView { left_from_board: Isometry3::from_parts(Translation3::from(translation), rotation) }
}

fn fits(scene: &BoardScene, config: &BoardsConfig, view: &BoardView) -> bool {
    let least = if scene.board.allows_parts() { LEAST_SPACING_WITH_MARKERS_PX } else { LEAST_SPACING_PX };
    (0..scene.cameras.len()).all(|eye| {
        let seen = view.corners(scene, eye);
        let whole = scene.board.corner_count();
        let wanted = if config.partial { 2 * whole / 5 } else { whole };
        seen.len() >= wanted.max(8) && nearest_px(&scene.board, &seen) >= least
    })
}

/// The shortest distance of two corners that are neighbours on the board, over its widest fields.
fn nearest_px(board: &Board, seen: &[(usize, Point2<f64>)]) -> f64 {
    let columns = board.corner_columns() as usize;
    let pixel = |number: usize| seen.binary_search_by_key(&number, |corner| corner.0).ok().map(|index| seen[index].1);
    // Of an AprilGrid only the tags count: its even corners.
    let counts = |number: usize| {
        !matches!(board, Board::AprilGrid { .. }) || number.is_multiple_of(2) && (number / columns).is_multiple_of(2)
    };
    let distances = seen.iter().filter(|(number, _)| counts(*number)).flat_map(|(number, here)| {
        let right = if number % columns + 1 < columns { pixel(number + 1) } else { None };
        [right, pixel(number + columns)].into_iter().flatten().map(move |there| (there - here).norm())
    });
    distances.fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lens_sees_every_board_whole_and_tilted() {
        for lens in [Lens::PlumbBob, Lens::RationalPolynomial, Lens::Equidistant] {
            for board in ["chessboard:9x6:25mm", "charuco:8x6:30mm:22mm", "aprilgrid:4x3:50mm:0.3"] {
                let board: Board = board.parse().unwrap();
                let config = BoardsConfig { lens, tilt_degrees: 60.0, ..BoardsConfig::new(3, &board, 5, (640, 480)) };
                let scene = scene(&config, board).unwrap();
                for view in &scene.views {
                    assert_eq!(view.corners(&scene, 0).len(), scene.board.corner_count());
                    let tilt = view.left_from_board.rotation.angle_to(&UnitQuaternion::identity());
                    assert!(tilt < 2.2);
                }
            }
        }
    }

    #[test]
    fn the_right_camera_stands_to_the_right() {
        let board: Board = "chessboard:9x6:25mm".parse().unwrap();
        let config = BoardsConfig { baseline_m: Some(0.1), ..BoardsConfig::new(1, &board, 2, (640, 480)) };
        let scene = scene(&config, board).unwrap();
        let place = scene.right_from_left.unwrap().inverse().translation.vector;
        assert!((place.x - 0.1).abs() < 0.002 && place.y.abs() < 0.005, "{place}");
        let columns = |eye: usize| scene.views[0].corners(&scene, eye)[0].1.x;
        assert!(columns(1) < columns(0));
    }
}
