//! Writing a camera or a pair in one of the forms.

use super::{kalibr, message, opencv};
use crate::CameraPair;
use parallax_core::camera::{Camera, ros_yaml};
use parallax_core::{Result, files};
use std::path::{Path, PathBuf};

/// A form to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ROS `camera_info` YAML.
    Ros,
    /// Kalibr's camchain.
    Kalibr,
    /// OpenCV's FileStorage: XML when the name ends in `.xml`, else YAML.
    OpenCv,
    /// Foxglove's `CameraCalibration` as JSON.
    Foxglove,
}

/// Writes a camera or a pair, each file whole or not at all; returns what was written.
///
/// # Errors
/// The form cannot hold the camera, or a file cannot be written.
pub fn write(path: &Path, cameras: &CameraPair, format: Format) -> Result<Vec<PathBuf>> {
    write_headed(path, cameras, format, "")
}

/// The same as ROS files, each under a comment that says how far a calibration can be trusted
/// (see [`ros_yaml::trust_comment`]).
///
/// # Errors
/// As [`write()`].
pub fn write_solved(path: &Path, cameras: &CameraPair, comment: &str) -> Result<Vec<PathBuf>> {
    write_headed(path, cameras, Format::Ros, comment)
}

fn write_headed(path: &Path, cameras: &CameraPair, format: Format, head: &str) -> Result<Vec<PathBuf>> {
    cameras.clone().validated()?;
    let one_each = |text: fn(&Camera) -> String| {
        let mut texts = vec![(path.to_path_buf(), text(&cameras.left))];
        texts.extend(cameras.right.as_ref().map(|right| (beside(path), text(right))));
        texts
    };
    let texts = match format {
        Format::Ros => one_each(ros_yaml::to_text),
        Format::Foxglove => one_each(message::to_text),
        Format::Kalibr => vec![(path.to_path_buf(), kalibr::to_text(cameras, path)?)],
        Format::OpenCv => vec![(path.to_path_buf(), opencv::to_text(cameras, path)?)],
    };
    texts.iter().try_for_each(|(path, _)| files::check_output(path, files::OutputKind::CameraFile, &[]))?;
    for (path, text) in &texts {
        files::write_bytes(path, [head, text].concat().as_bytes())?;
    }
    Ok(texts.into_iter().map(|(path, _)| path).collect())
}

/// Where the right camera's file lies: `NAME_right.EXT`.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push("_right");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
