//! The forms in which calibrations travel between tools.
//!
//! | form | file | lenses | a pair | written |
//! |---|---|---|---|---|
//! | [`Format::Ros`] | `camera_info` YAML | all of ours | a second file, `NAME_right.yaml` | yes |
//! | [`Format::Kalibr`] | camchain YAML | `radtan` (4), `equidistant` | `cam0`, `cam1` with `T_cn_cnm1` | yes |
//! | [`Format::OpenCv`] | FileStorage, YAML or XML by the name's ending | all of ours | one file, or two to be joined | yes |
//! | [`Format::Foxglove`] | the message `CameraCalibration` as JSON | all of ours | a second file, `NAME_right.json` | yes |
//! | `ros2 topic echo` | the message `CameraInfo` as YAML | all of ours | a second file | no |
//! | `ost.txt` | sections of ROS's calibration | all of ours | two sections | no |
//! | EuRoC | `sensor.yaml` | `radial-tangential`, `equidistant` | a second file, by `T_BS` | no |
//! | mrcal | `.cameramodel` | `PINHOLE`, `OPENCV4` to `OPENCV8` | a second file, by `extrinsics` | no |
//! | KITTI | `calib.txt`, `calib_cam_to_cam.txt` | none | in the file | no |
//! | numbers | a 3×3 matrix, or `fx fy cx cy [baseline_m]` | none | by the baseline | no |
//!
//! Recordings are read too. A second file is named by [`Unsaid::right`]. Numbers are written with as many digits as it
//! takes to read the same bits back; what a form cannot hold is an error that names it, never left out silently. A key that
//! is neither understood nor known to say nothing about the camera is an error that names it.

mod bare;
mod euroc;
mod found;
mod kalibr;
mod message;
mod mrcal;
mod npy;
mod opencv;
mod ost;

use crate::{CameraPair, Pair, intrinsics_file, kitti};
use found::{Found, FoundCamera};
use nalgebra::Isometry3;
use parallax_core::camera::{CalibrationForm, Camera, CameraNumbers, read_calibration_text, ros_yaml};
use parallax_core::recording::{Eye, Recording, is_recording_file};
use parallax_core::{Error, Result, files};
use std::path::{Path, PathBuf};

/// What is read, for those whose file is not.
pub(crate) const FORMS: &str = "these are read: ROS camera_info YAML, `ros2 topic echo` and ost.txt; Kalibr's and OpenVINS's camchain; OpenCV's \
                     FileStorage (YAML, XML, JSON) and named matrices; Foxglove's CameraCalibration (JSON); EuRoC's sensor.yaml; \
                     mrcal's .cameramodel; KITTI's calib.txt and calib_cam_to_cam.txt; a 3x3 matrix as text or .npy; a line \
                     `fx fy cx cy [baseline_m]`; recordings (docs/formats.md tells more)";

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
#[derive(Clone, Debug, Default)]
pub struct Unsaid {
    /// Width and height of the pictures.
    pub size: Option<(u32, u32)>,
    /// Which of KITTI's pairs.
    pub pair: Pair,
    /// Metres in the unit of OpenCV's translations, which is that of the board's squares.
    pub metres_per_unit: Option<f64>,
    /// ROS's name of the lens model, for files that leave it open.
    pub model: Option<&'static str>,
    /// The file of the right camera, for forms of one camera a file.
    pub right: Option<PathBuf>,
    /// The file that says where the right camera is, as OpenCV's `extrinsics.yml` beside `intrinsics.yml`.
    pub extrinsics: Option<PathBuf>,
    /// Keys that the caller knows to say nothing about the camera.
    pub ignored: Vec<String>,
}

impl Unsaid {
    fn ignores(&self, key: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored == key)
    }
}

/// Reads a camera or a pair from a file or a recording, whose form is found from its content.
///
/// # Errors
/// The file cannot be read or understood, it has a key that is not, its numbers are no camera's, or the size is in neither
/// the file nor `unsaid`, or the two differ.
pub fn read(path: &Path, unsaid: &Unsaid) -> Result<CameraPair> {
    if path.is_dir() || is_recording_file(path) {
        refuse_second_file(path, unsaid)?;
        return of_recording(path);
    }
    match one(path, unsaid)? {
        One::Pair(pair) => {
            refuse_second_file(path, unsaid)?;
            Ok(pair)
        }
        One::Found(left, form) => {
            let has_neighbours = matches!(form, CalibrationForm::Ros | CalibrationForm::Message);
            let found = match &unsaid.right {
                Some(right) => with_right(left, path, right, unsaid)?,
                None if has_neighbours => with_neighbour(left, path, unsaid)?,
                None => left,
            };
            found.into_pair(path, unsaid)
        }
    }
}

/// What one file holds.
#[expect(clippy::large_enum_variant, reason = "one lives at a time, for a moment")]
enum One {
    /// Cameras that are yet to be checked and put together.
    Found(Found, CalibrationForm),
    /// A pair that its form makes complete.
    Pair(CameraPair),
}

fn one(path: &Path, unsaid: &Unsaid) -> Result<One> {
    if let Some(matrix) = npy::read(path)? {
        return Ok(One::Found(matrix, CalibrationForm::Numbers));
    }
    let text = read_calibration_text(path)?;
    let form = CalibrationForm::of(&text);
    let found = match form {
        CalibrationForm::Ros => Found::one(ros_yaml::numbers_from_text(&text, path)?),
        CalibrationForm::Message => message::parse(&text, path, unsaid)?,
        CalibrationForm::Camchain => kalibr::parse(&text, path, unsaid)?,
        CalibrationForm::Euroc => euroc::parse(&text, path, unsaid)?,
        CalibrationForm::Mrcal => mrcal::parse(&text, path, unsaid)?,
        CalibrationForm::Ost => ost::parse(&text, path)?,
        CalibrationForm::FileStorage => opencv::parse(&text, path, unsaid)?,
        CalibrationForm::Kitti => return kitti::parse(&text, path, unsaid.size, unsaid.pair).map(One::Pair),
        CalibrationForm::Numbers if bare::is_matrix(&text) => bare::parse(&text, path)?,
        CalibrationForm::Other if opencv::has_names(&text) => opencv::parse(&text, path, unsaid)?,
        CalibrationForm::Numbers | CalibrationForm::Other => {
            return intrinsics_file::parse(&text, path, unsaid.size).map(One::Pair);
        }
    };
    Ok(One::Found(found, form))
}

/// The right camera from the file that is named.
fn with_right(mut left: Found, path: &Path, right: &Path, unsaid: &Unsaid) -> Result<Found> {
    if left.cameras.len() > 1 {
        refuse_second_file(path, unsaid)?;
    }
    let (camera, relation) = right_camera(right, unsaid)?;
    left.right_from_left = relation.or(left.right_from_left);
    left.cameras.push(camera);
    if let Some(extrinsics) = &unsaid.extrinsics {
        let opencv::Extrinsics { right_from_left, rectified } = opencv::extrinsics(extrinsics, unsaid)?;
        left.right_from_left = Some(right_from_left);
        for (camera, [r, p]) in
            left.cameras.iter_mut().zip(rectified).filter(|(_, [r, p])| !r.is_empty() && !p.is_empty())
        {
            (camera.numbers.r, camera.numbers.p) = (r, p);
        }
    }
    Ok(left)
}

/// The right camera from `NAME_right`, where that file is and says that it is a pair's.
fn with_neighbour(mut left: Found, path: &Path, unsaid: &Unsaid) -> Result<Found> {
    let right = beside(path);
    if !right.is_file() {
        return Ok(left);
    }
    let (camera, _) = right_camera(&right, unsaid)?;
    if camera.numbers.p.get(3).is_some_and(|&shift| shift != 0.0) {
        left.cameras.push(camera);
    } else {
        tracing::warn!(
            "{} does not say where the right camera is (its P[0,3] is 0), so only the left one is read",
            right.display()
        );
    }
    Ok(left)
}

fn right_camera(path: &Path, unsaid: &Unsaid) -> Result<(FoundCamera, Option<Isometry3<f64>>)> {
    let alone = Unsaid { right: None, extrinsics: None, ..unsaid.clone() };
    let found = match one(path, &alone)? {
        One::Found(found, _) => found,
        One::Pair(_) => Found::default(),
    };
    match <[FoundCamera; 1]>::try_from(found.cameras) {
        Ok([camera]) => {
            let label = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((FoundCamera { label, ..camera }, found.right_from_left))
        }
        Err(_) => Err(Error::Malformed {
            what: "expected one camera, found a pair".into(),
            path: path.to_path_buf(),
            hint: "name a file of the right camera alone with --right",
        }),
    }
}

fn refuse_second_file(path: &Path, unsaid: &Unsaid) -> Result<()> {
    unsaid.right.as_ref().map_or(Ok(()), |right| {
        Err(Error::Malformed {
            what: format!("it holds a pair or says its baseline itself, so {} is one file too many", right.display()),
            path: path.to_path_buf(),
            hint: "leave --right out, or name a file of the left camera alone",
        })
    })
}

/// A key that is neither understood nor harmless.
fn unknown_key(key: &str, path: &Path) -> Error {
    Error::Malformed {
        what: format!("the key {key} is not understood"),
        path: path.to_path_buf(),
        hint: "it may be the lens or the place of the camera: rename it as docs/formats.md says or, where it says nothing about how \
               the camera sees, pass over it with `parallax-calib convert --ignore KEY`",
    }
}

fn of_recording(path: &Path) -> Result<CameraPair> {
    let recording = Recording::open(path)?;
    let left = recording.camera(Eye::Left).ok_or_else(|| Error::Recording {
        what: "the recording holds no calibration".into(),
        path: path.to_path_buf(),
        hint: "name a recording with a calibration, or a camera file",
    })?;
    let mut found = Found::one(CameraNumbers::of(left));
    match recording.camera(Eye::Right) {
        // Two cameras that nobody relates to each other: each is good for its own pictures.
        Some(right) if left.baseline_m().is_none() && right.baseline_m().is_none() => {
            Ok(CameraPair { left: left.clone(), right: Some(right.clone()) })
        }
        right => {
            found.cameras.extend(right.into_iter().flat_map(|right| Found::one(CameraNumbers::of(right)).cameras));
            found.into_pair(path, &Unsaid::default())
        }
    }
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
mod form_tests;
#[cfg(test)]
mod tests;
