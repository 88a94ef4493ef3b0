//! Where the board is held: poses that chance draws until the board is seen well enough.

use super::config::BoardsConfig;
use super::scene::{BoardScene, BoardView};
use crate::random::Dice;
use crate::{Error, Result};
use nalgebra::{Isometry3, Point2, Translation3, UnitQuaternion, Vector3};
use parallax_core::board::Board;

/// Draws for one view before the setting is called impossible.
const MOST_DRAWS: usize = 20_000;
/// The nearest that two neighbouring corners may come in the picture, pixels: smaller squares cannot be read. Squares of
/// marker boards hold bits, which need more.
const LEAST_SPACING_PX: f64 = 11.0;
const LEAST_SPACING_WITH_MARKERS_PX: f64 = 28.0;

/// Cameras and poses of a configuration.
///
/// # Errors
/// A setting is out of range, or no pose of the board fits the picture.
pub fn scene(config: &BoardsConfig) -> Result<BoardScene> {
    let board = config.check()?;
    let mut dice = Dice::new(config.seed, "boards");
    let size = (config.width, config.height);
    let left = config.lens.camera("left", size, &mut dice);
    let mut cameras = vec![left];
    let right_from_left = config.baseline_m.map(|baseline| {
        cameras.push(config.lens.camera("right", size, &mut dice));
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
    use super::super::lens::Lens;
    use super::*;

    #[test]
    fn every_lens_sees_every_board_whole_and_tilted() {
        for lens in [Lens::PlumbBob, Lens::RationalPolynomial, Lens::Equidistant] {
            for board in ["chessboard:9x6:25mm", "charuco:8x6:30mm:22mm", "aprilgrid:4x3:50mm:0.3"] {
                let board: Board = board.parse().unwrap();
                let config = BoardsConfig { lens, tilt_degrees: 60.0, ..BoardsConfig::new(3, &board, 5, (640, 480)) };
                let scene = scene(&config).unwrap();
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
        let scene = scene(&config).unwrap();
        let place = scene.right_from_left.unwrap().inverse().translation.vector;
        assert!((place.x - 0.1).abs() < 0.002 && place.y.abs() < 0.005, "{place}");
        let columns = |eye: usize| scene.views[0].corners(&scene, eye)[0].1.x;
        assert!(columns(1) < columns(0));
    }
}
