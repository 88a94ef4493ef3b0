//! Looking for the board, at one scale after the other, and giving its corners their final places.

use super::detection::{Corner, Detection, LEAST_CORNERS};
use super::place::NotFound;
use super::{fill, junctions, lattice, links, place, subpixel};
use image::GrayImage;
use nalgebra::Point2;
use parallax_core::board::Board;

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
