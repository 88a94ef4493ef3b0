//! Finding a board in a picture: which corner is where, to a fraction of a pixel.
//!
//! | step | file | result |
//! |---|---|---|
//! | 1 | `junctions` | places where two dark and two light sectors meet, with their edge directions |
//! | 2 | `links` | which junctions are joined by an edge, dark on one side and light on the other all along |
//! | 3 | `lattice` | linked junctions get integer coordinates |
//! | 4 | `markers` | bits of the fields, for boards with markers |
//! | 5 | `place` | which lattice corner is which corner of the board; corners that step 1 missed are looked for |
//! | 6 | `subpixel` | final positions, from a window that fits between the neighbours |
//!
//! Steps 2 and 3 follow edges from corner to corner, so nothing in them assumes straight lines across the picture: wide
//! lenses and tilted boards are found as well.

mod homography;
mod junctions;
mod lattice;
mod links;
mod markers;
mod place;
mod subpixel;

pub use homography::Homography;
pub use place::NotFound;

use image::GrayImage;
use nalgebra::Point2;
use parallax_core::board::Board;

/// One corner of the board in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corner {
    /// Its number on the board, see [`Board::corner`].
    pub number: usize,
    /// Where it is seen; pixel centres at integers.
    pub pixel: Point2<f64>,
}

/// A board in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The corners that were found, by number.
    pub corners: Vec<Corner>,
    /// Median distance of neighbouring corners in pixels.
    pub spacing_px: f64,
}

/// Fewer corners say nothing about a camera: a pose has six unknowns and a homography eight.
pub const LEAST_CORNERS: usize = 8;

/// Finds the board.
///
/// # Errors
/// [`NotFound`] says what was seen instead.
pub fn detect(picture: &GrayImage, board: &Board) -> Result<Detection, NotFound> {
    let mut best: Result<Vec<Corner>, NotFound> = Err(NotFound::Nothing);
    for scale in junctions::Scale::ALL {
        let found = junctions::find(picture, scale);
        let links = links::between(picture, &found);
        let lattices = lattice::label(&links);
        best = match (best, place::on_board(picture, board, &found, &lattices)) {
            (Err(one), Err(other)) => Err(one.or(other)),
            (Ok(one), Ok(other)) if one.len() < other.len() => Ok(other),
            (Err(_), Ok(other)) => Ok(other),
            (known @ Ok(_), _) => known,
        };
        // A board that is seen in part may show more of itself at another scale.
        if best.as_ref().is_ok_and(|corners| corners.len() == board.corner_count()) {
            break;
        }
    }
    best.map(|corners| finish(picture, board, corners))
}

fn finish(picture: &GrayImage, board: &Board, mut corners: Vec<Corner>) -> Detection {
    corners.sort_by_key(|corner| corner.number);
    let spacings = place::spacings_px(board, &corners);
    for (corner, spacing_px) in corners.iter_mut().zip(&spacings) {
        corner.pixel = subpixel::refine(picture, corner.pixel, spacing_px.least);
    }
    let mut typical: Vec<f64> = spacings.iter().map(|spacing| spacing.typical).collect();
    typical.sort_by(f64::total_cmp);
    Detection { spacing_px: typical.get(typical.len() / 2).copied().unwrap_or_default(), corners }
}
