//! Reading a camera or a pair, whatever form its file has.

use super::found::{Found, FoundCamera};
use super::unsaid::Unsaid;
use super::write::beside;
use super::{bare, euroc, kalibr, message, mrcal, npy, opencv, ost};
use crate::{CameraPair, intrinsics_file, kitti};
use nalgebra::Isometry3;
use parallax_core::camera::{CalibrationForm, CameraNumbers, read_calibration_text, ros_yaml};
use parallax_core::recording::{Eye, Recording, is_recording_file};
use parallax_core::{Error, Result};
use std::path::Path;

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
