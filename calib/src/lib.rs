//! Camera files: what the reprojection loss needs to know about a lens.
//!
//! In reading order, from pictures of a board to camera files that can be trusted:
//!
//! | module | what it does |
//! |---|---|
//! | [`print`](mod@print) | boards on paper, at true scale |
//! | [`pictures`] | which pictures are meant |
//! | [`capture`] | takes them from a camera, with guidance |
//! | [`survey`](mod@survey) | looks for the board in all of them |
//! | [`detect`] | finds a board in a picture, to a fraction of a pixel |
//! | [`solve`], `calibration` | finds the cameras that saw the board so |
//! | [`stereo`] | two cameras: their relation and rectification |
//! | [`uncertainty`] | how far to trust the result, and which view to take next |
//! | [`summary`], [`report`] | the result in words, as JSON, and as a page to look at |
//! | [`mod@check`] | whether a camera still is what its file says |
//!
//! And what calibrations are good for: [`formats`] reads and writes the forms of ROS, Kalibr, OpenCV and Foxglove and reads
//! those of EuRoC, mrcal, KITTI, bare numbers and recordings, [`rectification`] turns a stereo pair level, [`undistort`] applies a calibration to pictures
//! and recordings.
//!
//! *Invariant:* no network and no inference engine is known here.

mod calibration;
pub mod capture;
pub mod check;
pub mod detect;
mod error;
pub mod formats;
mod intrinsics_file;
mod isometry;
mod kitti;
mod pair;
pub mod pictures;
pub mod print;
pub mod rectification;
pub mod report;
pub mod solve;
pub mod stereo;
pub mod summary;
pub mod survey;
pub mod uncertainty;
pub mod undistort;

pub use error::{Error, Result};
pub use kitti::Pair;
pub use pair::CameraPair;

use std::path::Path;

/// The size that a file's numbers belong to: the file's own or the given one, which must not differ.
fn check_size(
    in_file: Option<(u32, u32)>,
    given: Option<(u32, u32)>,
    path: &Path,
) -> parallax_core::Result<(u32, u32)> {
    let (what, hint) = match (in_file, given) {
        (Some(own), Some(given)) if own != given => (
            format!("its numbers belong to {}x{} pictures, got {}x{}", own.0, own.1, given.0, given.1),
            "for resized pictures give their size with --resize instead",
        ),
        (Some(size), _) | (None, Some(size)) => return Ok(size),
        (None, None) => {
            ("the pictures' size is not in this file".to_owned(), "add --size WIDTHxHEIGHT or --images FOLDER")
        }
    };
    Err(parallax_core::Error::Malformed { what, path: path.to_path_buf(), hint })
}
