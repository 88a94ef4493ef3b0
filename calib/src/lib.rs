//! Camera files: what the reprojection loss needs to know about a lens.
//!
//! In reading order, from pictures of a board to camera files that can be trusted:
//!
//! | module | what it does |
//! |---|---|
//! | [`print`](mod@print) | boards on paper, at true scale |
//! | [`pictures`] | which pictures are meant |
//! | [`survey`](mod@survey) | looks for the board in all of them |
//! | [`detect`] | finds a board in a picture, to a fraction of a pixel |
//! | [`solve`] | finds the cameras that saw the board so |
//! | [`stereo`] | two cameras: their relation and rectification |
//! | [`uncertainty`] | how far to trust the result, and which view to take next |
//! | [`summary`] | the result in words and as JSON |
//!
//! Cameras that exist already are taken over: [`from_file`] reads the forms of KITTI and of this project, [`CameraPair`]
//! writes them as ROS `camera_info` YAML.
//!
//! *Invariant:* no network and no inference engine is known here.

pub mod detect;
mod error;
mod intrinsics_file;
mod kitti;
mod pair;
pub mod pictures;
pub mod print;
pub mod solve;
pub mod stereo;
pub mod summary;
pub mod survey;
pub mod uncertainty;

pub use error::{Error, Result};
pub use kitti::Pair;
pub use pair::CameraPair;

use parallax_core::camera::ros_yaml;
use std::path::Path;

/// Reads a camera or a pair from a file: ROS YAML (`.yaml`, `.yml`), KITTI's `calib.txt` or `calib_cam_to_cam.txt`
/// (the pair that `pair` names), or a line `fx fy cx cy [baseline_m]`.
///
/// `size` is the pictures' width and height, for files that do not hold it.
///
/// # Errors
/// The file cannot be read or understood, its numbers are no camera's, the size is in neither the file nor `size`, or
/// the two differ.
pub fn from_file(path: &Path, size: Option<(u32, u32)>, pair: Pair) -> parallax_core::Result<CameraPair> {
    let extension = path.extension().unwrap_or_default();
    if extension == "yaml" || extension == "yml" {
        let left = ros_yaml::read(path)?;
        check_size(Some((left.width, left.height)), size, path)?;
        return Ok(CameraPair { left, right: None });
    }
    let text = parallax_core::files::read_text(path)?;
    if kitti::is_calibration(&text) {
        kitti::parse(&text, path, size, pair)
    } else {
        intrinsics_file::parse(&text, path, size)
    }
}

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
