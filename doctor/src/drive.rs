//! One recording at training size, opened even where a camera file is missing or wrong: that is a finding, not an end.

use std::path::{Path, PathBuf};

use image::RgbImage;
use parallax_core::camera::rectify::Rectifier;
use parallax_core::camera::{Camera, Intrinsics};
use parallax_core::model_input::PictureResizer;
use parallax_core::recording::{Eye, OpenOptions, Recording};
use parallax_vision::footage::Sight;

use crate::DoctorError;

/// How a recording is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct DriveConfig {
    /// A camera file that goes before what the recording says.
    pub camera: Option<PathBuf>,
    /// The same for the right camera.
    pub right_camera: Option<PathBuf>,
    /// Width the networks will work at, pixels.
    pub width: usize,
    /// Height the networks will work at, pixels.
    pub height: usize,
}

/// Where the intrinsics that a drive is measured with come from.
#[derive(Debug, Clone, PartialEq)]
pub enum CameraSource {
    /// The recording or the caller gave a camera that can be one.
    Given,
    /// There is none, or one that cannot be right, as the text says; a field of view of 60° is assumed.
    Assumed(String),
}

/// One recording at training size.
#[derive(Debug)]
pub struct Drive {
    /// As it was opened.
    pub recording: Recording,
    /// Where the intrinsics come from.
    pub camera_source: CameraSource,
    width: usize,
    height: usize,
    /// At training size.
    intrinsics: Intrinsics,
    rectify: [Option<Rectifier>; 2],
}

/// A frame as the checks look at it.
#[derive(Debug, Clone)]
pub struct View {
    /// As the camera gave it.
    pub raw: RgbImage,
    /// Rectified, at training size.
    pub picture: RgbImage,
    /// The same, as it is measured.
    pub sight: Sight,
}

impl Drive {
    /// Opens a recording.
    ///
    /// # Errors
    /// When there is nothing there that could be opened, with any camera.
    pub fn open(path: &Path, config: &DriveConfig) -> Result<Self, DoctorError> {
        let options = OpenOptions {
            camera: config.camera.clone(),
            right_camera: config.right_camera.clone(),
            ..OpenOptions::default()
        };
        let recording = Recording::open_with(path, &options)?;
        let (camera_source, camera) = match recording.camera(Eye::Left).map(|camera| (camera, camera.validate())) {
            Some((camera, Ok(()))) => (CameraSource::Given, camera.clone()),
            Some((_, Err(error))) => (CameraSource::Assumed(error.to_string()), assumed_camera(recording.size())),
            None => (CameraSource::Assumed("there is no camera file".into()), assumed_camera(recording.size())),
        };
        let right = recording.camera(Eye::Right).filter(|camera| camera.validate().is_ok());
        let map = |camera: &Camera| camera.needs_rectification().then(|| Rectifier::new(camera));
        Ok(Self {
            rectify: [map(&camera), right.and_then(map)],
            intrinsics: camera.rectified().resized(config.width as u32, config.height as u32).intrinsics,
            camera_source,
            width: config.width,
            height: config.height,
            recording,
        })
    }

    /// The left camera at training size.
    #[must_use]
    pub fn intrinsics(&self) -> &Intrinsics {
        &self.intrinsics
    }

    /// Width and height at which everything is measured.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// A frame as training will see it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn view(&self, index: usize, eye: Eye) -> Result<View, DoctorError> {
        let raw = self.recording.frame(index, eye)?.to_rgb()?;
        let rectified = self.rectify[eye.index()].as_ref().map(|map| map.rectify(&raw)).transpose()?;
        let rectified = rectified.as_ref().unwrap_or(&raw);
        let size = (self.width as u32, self.height as u32);
        let picture = if rectified.dimensions() == size {
            rectified.clone()
        } else {
            PictureResizer::default().resize(rectified, size.0, size.1)
        };
        let sight = Sight::new(&picture);
        Ok(View { raw, picture, sight })
    }
}

/// A camera with a field of view of 60°, between a webcam's and a phone's.
fn assumed_camera((width, height): (u32, u32)) -> Camera {
    let focal = 0.5 * f64::from(width) / (30.0_f64).to_radians().tan();
    let centre = |size: u32| (f64::from(size) - 1.0) / 2.0;
    Camera::pinhole(
        "assumed",
        width,
        height,
        Intrinsics { fx: focal, fy: focal, cx: centre(width), cy: centre(height) },
    )
}
