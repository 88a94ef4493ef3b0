//! Camera files: what the reprojection loss needs to know about a lens.
//!
//! [`formats`] reads and writes the forms of ROS, Kalibr, OpenCV and Foxglove, and reads those of KITTI and recordings;
//! [`rectification`] turns a stereo pair level; [`undistort`] applies a calibration to pictures and recordings.
//!
//! *Invariant:* no network and no inference engine is known here.

pub mod formats;
mod intrinsics_file;
mod kitti;
mod pair;
pub mod rectification;
pub mod undistort;

pub use kitti::Pair;
pub use pair::CameraPair;

use parallax_core::{Error, Result};
use std::path::Path;

/// The size that a file's numbers belong to: the file's own or the given one, which must not differ.
fn check_size(in_file: Option<(u32, u32)>, given: Option<(u32, u32)>, path: &Path) -> Result<(u32, u32)> {
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
    Err(Error::Malformed { what, path: path.to_path_buf(), hint })
}
