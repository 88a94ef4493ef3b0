//! A board that somebody moves about before a camera, rendered: held still, on its way, out of focus, gone.

use image::GrayImage;
use nalgebra::Vector3;
use parallax_core::board::Board;
use parallax_core::camera::Camera;
use parallax_world::boards::{self, BoardScene, BoardView, BoardsConfig, PictureConfig};
use std::path::Path;

pub(crate) const BOARD: &str = "chessboard:7x5:30mm";
pub(crate) const SIZE: (u32, u32) = (480, 360);

/// How the board is held in one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Still, at a new place; the number of the place.
    Still(usize),
    /// Still, where it was in an earlier view.
    Again(usize),
    /// On its way.
    Moving,
    /// Still, and out of focus.
    Blurred,
    /// Partly outside of the picture.
    Cut,
    /// Not there.
    Gone,
}

pub(crate) struct Film {
    pub(crate) scene: BoardScene,
    config: BoardsConfig,
    pub(crate) frames: Vec<(Held, Option<BoardView>)>,
}

/// Pictures of each place.
pub(crate) const STILL: usize = 3;

impl Film {
    /// A board that is held at `places` places, with everything that goes wrong in between.
    pub(crate) fn new(places: usize, baseline_m: Option<f64>) -> Self {
        let board: Board = BOARD.parse().unwrap();
        let config = BoardsConfig { baseline_m, ..BoardsConfig::new(8, &board, places, SIZE) };
        let scene = boards::scene(&config).unwrap();
        let mut film = Self { scene, config, frames: Vec::new() };
        film.push(Held::Gone, None);
        for place in 0..places {
            let view = film.scene.views[place].clone();
            if place > 0 {
                film.travel(place - 1, place);
            }
            match place % 5 {
                1 => (0..STILL).for_each(|_| film.push(Held::Blurred, Some(view.clone()))),
                2 => film.push(Held::Gone, None),
                3 => {
                    (0..STILL).for_each(|_| film.push(Held::Again(0), Some(film_view(&film.scene, 0))));
                    film.push(Held::Cut, Some(cut(&view, &film.scene.board)));
                }
                _ => {}
            }
            (0..STILL).for_each(|_| film.push(Held::Still(place), Some(view.clone())));
        }
        film
    }

    fn push(&mut self, held: Held, view: Option<BoardView>) {
        self.frames.push((held, view));
    }

    /// Two pictures on the way from one place to the next.
    fn travel(&mut self, from: usize, to: usize) {
        let [a, b] = [from, to].map(|place| self.scene.views[place].left_from_board);
        for part in [0.35, 0.7] {
            let view = BoardView { left_from_board: a.lerp_slerp(&b, part) };
            self.push(Held::Moving, Some(view));
        }
    }

    /// What a camera sees in picture `index`.
    pub(crate) fn picture(&self, index: usize, eye: usize) -> GrayImage {
        let (held, view) = &self.frames[index];
        let blur_px = if *held == Held::Blurred { 2.2 } else { 0.6 };
        let picture = PictureConfig { blur_px, samples: 4, ..PictureConfig::default() };
        let config = BoardsConfig { picture, ..self.config.clone() };
        // A wall: the patches of the rendered background look like pieces of a board.
        let Some(view) = view else { return GrayImage::from_pixel(SIZE.0, SIZE.1, image::Luma([90])) };
        self.scene.picture(&config, eye, view, 2 * index + eye)
    }

    /// Writes the pictures into a folder, `left/` and `right/` for a pair.
    pub(crate) fn write(&self, folder: &Path) {
        for eye in 0..self.scene.cameras.len() {
            let place =
                if self.scene.cameras.len() > 1 { folder.join(["left", "right"][eye]) } else { folder.to_path_buf() };
            std::fs::create_dir_all(&place).unwrap();
            for index in 0..self.frames.len() {
                self.picture(index, eye).save(place.join(format!("{index:04}.png"))).unwrap();
            }
        }
    }

    pub(crate) fn truth(&self) -> &Camera {
        &self.scene.cameras[0]
    }
}

fn film_view(scene: &BoardScene, place: usize) -> BoardView {
    scene.views[place].clone()
}

/// The board moved to the left until its middle is at the edge of the picture.
fn cut(view: &BoardView, board: &Board) -> BoardView {
    let mut left_from_board = view.left_from_board;
    let middle = left_from_board * board.corner(board.corner_count() / 2);
    left_from_board.translation.vector += Vector3::x() * (-0.62 * middle.z - middle.x);
    BoardView { left_from_board }
}
