//! A board before known cameras: what is true of it in every view.

use super::config::BoardsConfig;
use super::picture::Painter;
use image::GrayImage;
use nalgebra::{Isometry3, Point2};
use parallax_core::board::Board;
use parallax_core::camera::Camera;

/// A set of views with its truth, before anything is drawn.
#[derive(Clone, Debug)]
pub struct BoardScene {
    /// The board.
    pub board: Board,
    /// The true cameras: one, or left and right.
    pub cameras: Vec<Camera>,
    /// Takes a point of the left camera's frame to the right one's; none for one camera.
    pub right_from_left: Option<Isometry3<f64>>,
    /// Where the board is held.
    pub views: Vec<BoardView>,
}

impl BoardScene {
    /// What camera `eye` (0: left, 1: right) sees of the board held as in `view`; `number` tells noise and background of
    /// pictures apart.
    pub fn picture(&self, config: &BoardsConfig, eye: usize, view: &BoardView, number: usize) -> GrayImage {
        let painter = Painter::new(&self.board, &self.cameras[eye], &config.picture);
        painter.paint(&view.camera_from_board(self, eye), config.seed, number)
    }
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
