//! What a recording is read from: an MCAP file or a folder of images.

use super::folder::{self, FolderSource};
use super::mcap_source::McapSource;
use super::{Eye, SIZE_ATTEMPTS};
use crate::camera::Camera;
use crate::frame::Timestamp;
use crate::picture_file::{Orientation, Turns, orientation_name};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

#[derive(Debug)]
pub(super) enum Source {
    Mcap(Box<McapSource>),
    Folder(FolderSource),
}

impl Source {
    pub(super) fn open(path: &Path, fps: f64) -> Result<Self> {
        if !(fps.is_finite() && fps > 0.0) {
            return Err(Error::Recording {
                what: format!("frames per second must be positive, got {fps}"),
                path: path.to_path_buf(),
                hint: "give the rate at which the images were taken",
            });
        }
        let kind = std::fs::metadata(path).map_err(Error::io("open", path))?;
        if kind.is_dir() {
            match folder::only_mcap(path)? {
                Some(file) => McapSource::open(&file).map(Box::new).map(Self::Mcap),
                None => FolderSource::open(path, fps).map(Self::Folder),
            }
        } else if folder::is_image(path) {
            Ok(Self::Folder(FolderSource::single(path)))
        } else {
            McapSource::open(path).map(Box::new).map(Self::Mcap)
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Mcap(source) => source.len(),
            Self::Folder(source) => source.len(),
        }
    }

    pub(super) fn timestamp(&self, index: usize) -> Timestamp {
        match self {
            Self::Mcap(source) => source.timestamp(index),
            Self::Folder(source) => source.timestamp(index),
        }
    }

    pub(super) fn camera(&self, eye: Eye) -> Result<Option<Camera>> {
        match self {
            Self::Mcap(source) => source.camera(eye),
            Self::Folder(source) => source.camera(eye),
        }
    }

    pub(super) fn check_pictures(&self) -> Result<()> {
        match self {
            Self::Mcap(source) => source.check_brightness(),
            Self::Folder(_) => Ok(()),
        }
    }

    /// Warns of what is strange about the recording at `path`, once in a program.
    pub(super) fn tell(&self, path: &Path) {
        static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let Self::Mcap(source) = self else { return };
        let times = source.time_findings().iter().map(ToString::to_string);
        for what in times.chain(source.remarks()) {
            let line = format!("{}: {what}", path.display());
            if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
                tracing::warn!("{line}");
            }
        }
    }

    /// Width and height of all images as shown, and how EXIF turns those of each eye.
    pub(super) fn size(&self, path: &Path) -> Result<((u32, u32), [Turns; 2])> {
        let source = match self {
            Self::Folder(source) => return source.size(),
            Self::Mcap(source) => source,
        };
        let mut first_error = None;
        for index in 0..source.len().min(SIZE_ATTEMPTS) {
            match source.frame(index, Eye::Left) {
                Ok(Some(frame)) => {
                    let mut turns = [Turns::default(); 2];
                    for eye in [Eye::Left, Eye::Right] {
                        if let Some(turn) = source.orientation(index, eye) {
                            turns[eye.index()].note(turn);
                        }
                    }
                    return Ok(((frame.width, frame.height), turns));
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
