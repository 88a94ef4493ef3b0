//! A board in a picture.

use nalgebra::Point2;

/// One corner of the board in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corner {
    /// Its number on the board, see [`parallax_core::board::Board::corner`].
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
