//! The one size that all pictures of a recording have, and whether a camera is that of pictures of this size.

use super::Eye;
use super::source::Source;
use crate::camera::Camera;
use crate::picture_file::{Orientation, Turns, orientation_name};
use crate::{Error, Result};
use std::path::Path;

/// Frames that are decoded at most to learn the size when the first ones are damaged.
const ATTEMPTS: usize = 20;

/// The size of all pictures of a recording.
#[derive(Debug)]
pub(super) struct CommonSize {
    /// Width and height in pixels, as shown.
    pub(super) size_px: (u32, u32),
    /// How EXIF turns the pictures of each eye.
    pub(super) turns: [Turns; 2],
}

/// The size of the first frame that can be decoded.
///
/// # Errors
/// None of the first frames can; the first error is given.
pub(super) fn of_first_frames(source: &(impl Source + ?Sized), path: &Path) -> Result<CommonSize> {
    let mut first_error = None;
    for index in 0..source.len().min(ATTEMPTS) {
        match source.frame(index, Eye::Left) {
            Ok(Some(frame)) => {
                let mut turns = [Turns::default(); 2];
                for eye in [Eye::Left, Eye::Right] {
                    if let Some(turn) = source.orientation(index, eye) {
                        turns[eye.index()].note(turn);
                    }
                }
                return Ok(CommonSize { size_px: (frame.width, frame.height), turns });
            }
            Ok(None) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| Error::Recording {
        what: "expected frames, found none".into(),
        path: path.to_path_buf(),
        hint: "the recording was cut off before its first frame was whole: record again",
    }))
}

/// A camera's numbers belong to the pictures as shown; where EXIF turns some, it cannot be that of all.
pub(super) fn check_camera(camera: &Camera, size: (u32, u32), turns: Turns, path: &Path) -> Result<()> {
    let fault = |what: String| Err(Error::Camera { what, path: Some(path.to_path_buf()) });
    if let Some((first, other)) = turns.mixed() {
        let (first, other) = (orientation_name(first), orientation_name(other));
        return fault(format!("images of one camera must be turned alike, found {first} and {other}"));
    }
    if (camera.width, camera.height) == size {
        if let Some(turn) = turns.turned() {
            tell_turn(turn, path);
        }
        return Ok(());
    }
    let turned = turns.turned().map_or_else(String::new, |turn| format!(" (as shown: {})", orientation_name(turn)));
    fault(format!(
        "the camera must be that of {}x{} images{turned}, found one of {}x{}",
        size.0, size.1, camera.width, camera.height
    ))
}

pub(super) fn tell_turn(turn: Orientation, path: &Path) {
    tracing::warn!(
        "{}: images are turned by {}: the camera's numbers must be those of the images as shown",
        path.display(),
        orientation_name(turn)
    );
}
