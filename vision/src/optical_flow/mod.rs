//! Sparse optical flow: where the corners of one picture lie in another, and how much of their motion is parallax.
//!
//! ```text
//! picture ──► GrayPicture ──► Pyramid ──► corners ──► track_both_ways ──► tracks ──► RotationFit ──► parallax, px
//! ```
//!
//! Depth can be learned from two pictures only where the camera moved between them: a turn of the camera on the spot
//! moves every pixel, near or far, alike. What remains of a pair's motion after its best rotation is its *parallax*.
//! `parallax-train doctor` uses it to judge footage, a recorder on the board to choose the frames worth keeping.
//!
//! | module | what |
//! |---|---|
//! | [`pyramid`] | a picture's brightness at halving sizes |
//! | [`corners`](mod@corners) | points that can be followed, spread over the picture |
//! | [`lucas_kanade`] | following them into another picture, there and back |
//! | [`rotation`] | the rotation that explains most of their motion, and what it leaves |
//!
//! Pixel centres are at integers, as everywhere. Nothing is random: the same pictures give the same numbers.

pub mod corners;
pub mod lucas_kanade;
pub mod pyramid;
pub mod rotation;

pub use corners::corners;
pub use lucas_kanade::{Track, track, track_both_ways, track_both_ways_near};
pub use pyramid::{GrayPicture, Pyramid};
pub use rotation::RotationFit;

#[cfg(test)]
mod tests;
