//! The forms in which calibrations travel between tools.
//!
//! | form | file | lenses | a pair |
//! |---|---|---|---|
//! | [`Format::Ros`] | `camera_info` YAML | all of ours | a second file, `NAME_right.yaml` |
//! | [`Format::Kalibr`] | camchain YAML | `radtan` (4), `equidistant` | `cam0`, `cam1` with `T_cn_cnm1` |
//! | [`Format::OpenCv`] | FileStorage, YAML or XML by the name's ending | all of ours | one file |
//! | [`Format::Foxglove`] | the message `CameraCalibration` as JSON | all of ours | a second file, `NAME_right.json` |
//!
//! [`read`] also takes KITTI's files, a line of numbers and recordings. Numbers are written with as many digits as it
//! takes to read the same bits back; what a form cannot hold is an error that names it, never left out silently.

mod foxglove;
mod kalibr;
mod opencv;

use crate::{CameraPair, Pair, check_size, intrinsics_file, kitti};
use parallax_core::camera::{Camera, ros_yaml};
use parallax_core::recording::{Eye, Recording};
use parallax_core::{Error, Result, files};
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

/// What a file may not say of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsaid {
    /// Width and height of the pictures.
    pub size: Option<(u32, u32)>,
    /// Which of KITTI's pairs.
    pub pair: Pair,
    /// Metres in the unit of OpenCV's translations, which is that of the board's squares.
    pub metres_per_unit: Option<f64>,
}

/// Reads a camera or a pair from a file or a recording, whose form is found from its content.
///
/// # Errors
/// The file cannot be read or understood, its numbers are no camera's, or the size is in neither the file nor `unsaid`, or
/// the two differ.
pub fn read(path: &Path, unsaid: &Unsaid) -> Result<CameraPair> {
    if path.is_dir() || path.extension().is_some_and(|extension| extension == "mcap") {
        return of_recording(path);
    }
    let text = files::read_text(path)?;
    let start = text.trim_start();
    if opencv::is_file_storage(start) {
        opencv::parse(&text, path, unsaid)
    } else if start.starts_with('{') {
        single_file(path, unsaid, foxglove::parse)
    } else if kalibr::is_camchain(&text) {
        let pair = kalibr::parse(&text, path)?;
        check_size(Some((pair.left.width, pair.left.height)), unsaid.size, path)?;
        Ok(pair)
    } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
        single_file(path, unsaid, ros_yaml::from_text)
    } else if kitti::is_calibration(&text) {
        kitti::parse(&text, path, unsaid.size, unsaid.pair)
    } else {
        intrinsics_file::parse(&text, path, unsaid.size)
    }
}

/// A form of one file a camera: the right camera of a pair is in `NAME_right` beside it.
fn single_file(path: &Path, unsaid: &Unsaid, parse: impl Fn(&str, &Path) -> Result<Camera>) -> Result<CameraPair> {
    let read = |path: &Path| parse(&files::read_text(path)?, path);
    let left = read(path)?;
    check_size(Some((left.width, left.height)), unsaid.size, path)?;
    let right_path = beside(path);
    let right = if right_path.is_file() { Some(read(&right_path)?) } else { None };
    Ok(CameraPair { left, right: right.filter(|right| right.baseline_m().is_some()) })
}

fn of_recording(path: &Path) -> Result<CameraPair> {
    let recording = Recording::open(path)?;
    let left = recording.camera(Eye::Left).cloned().ok_or_else(|| Error::Recording {
        what: "the recording holds no calibration".into(),
        path: path.to_path_buf(),
        hint: "name a recording with a calibration, or a camera file",
    })?;
    Ok(CameraPair { left, right: recording.camera(Eye::Right).cloned() })
}

/// Writes a camera or a pair, each file whole or not at all; returns what was written.
///
/// # Errors
/// The form cannot hold the camera, or a file cannot be written.
pub fn write(path: &Path, cameras: &CameraPair, format: Format) -> Result<Vec<PathBuf>> {
    cameras.left.validate()?;
    cameras.right.as_ref().map_or(Ok(()), Camera::validate)?;
    let one_each = |text: fn(&Camera) -> String| {
        let mut texts = vec![(path.to_path_buf(), text(&cameras.left))];
        texts.extend(cameras.right.as_ref().map(|right| (beside(path), text(right))));
        texts
    };
    let texts = match format {
        Format::Ros => one_each(ros_yaml::to_text),
        Format::Foxglove => one_each(foxglove::to_text),
        Format::Kalibr => vec![(path.to_path_buf(), kalibr::to_text(cameras, path)?)],
        Format::OpenCv => vec![(path.to_path_buf(), opencv::to_text(cameras, path)?)],
    };
    for (path, text) in &texts {
        files::write_bytes(path, text.as_bytes())?;
    }
    Ok(texts.into_iter().map(|(path, _)| path).collect())
}

/// Of a reader's complaint, which goes on with a drawing of the place.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Where the right camera's file lies: `NAME_right.EXT`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push("_right");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests;
