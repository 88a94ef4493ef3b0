//! Finding a board in a picture: which corner is where, to a fraction of a pixel.
//!
//! | step | file | result |
//! |---|---|---|
//! | 1 | `junctions` | places where two dark and two light sectors meet, with their edge directions |
//! | 2 | `links` | which junctions are joined by an edge, dark on one side and light on the other all along |
//! | 3 | `lattice` | linked junctions get integer coordinates |
//! | 4 | `markers` | bits of the fields, for boards with markers |
//! | 5 | `place` | which lattice corner is which corner of the board |
//! |   | `fill` | corners that step 1 missed are looked for where their neighbours (`local`) say they must be |
//! | 6 | `subpixel` | final positions, from a window that fits between the neighbours |
//!
//! Steps 2 and 3 follow edges from corner to corner, so nothing in them assumes straight lines across the picture: wide
//! lenses and tilted boards are found as well.

mod fill;
mod homography;
mod junctions;
mod lattice;
mod links;
mod local;
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
    best.and_then(|corners| finish(picture, board, corners))
}

/// Leaves out corners that contradict their neighbours, and gives the others their final places.
fn finish(picture: &GrayImage, board: &Board, corners: Vec<Corner>) -> Result<Detection, NotFound> {
    let mut known = fill::consistent(board, corners.into_iter().map(|corner| (corner.number, corner.pixel)).collect());
    // Twice: how the lines bend is only known from corners that have been refined.
    for _ in 0..2 {
        let refined = |(&number, &pixel): (&usize, &Point2<f64>)| {
            let window = subpixel::Window::new(board, number, fill::lines_through(board, &known, number)?)?;
            Some((number, subpixel::refine(picture, pixel, &window)?))
        };
        known = known.iter().filter_map(refined).collect();
    }
    let corners: Vec<Corner> = known.into_iter().map(|(number, pixel)| Corner { number, pixel }).collect();
    if corners.len() < LEAST_CORNERS {
        return Err(NotFound::TooFew { corners: corners.len() });
    }
    let mut spacings = place::spacings_px(board, &corners);
    spacings.sort_by(f64::total_cmp);
    Ok(Detection { spacing_px: spacings.get(spacings.len() / 2).copied().unwrap_or_default(), corners })
}
