//! The recordings of a run: checked, rectified, at training size, kept in memory while they fit.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use parallax_core::camera::rectify::RectifyMap;
use parallax_core::camera::{Camera, Intrinsics};
use parallax_core::model_input::PictureResizer;
use parallax_core::recording::{Eye, OpenOptions, Recording};

use crate::Error;
use crate::training::DataSource;

/// Which recordings, at what size.
#[derive(Debug, Clone, PartialEq)]
pub struct FootageConfig {
    /// Recordings or folders.
    pub data: Vec<PathBuf>,
    /// A camera file that goes before what the recordings say.
    pub camera: Option<PathBuf>,
    /// The same for the right camera.
    pub right_camera: Option<PathBuf>,
    /// Width the networks work at, pixels.
    pub width: usize,
    /// Height the networks work at, pixels.
    pub height: usize,
    /// Bytes of decoded frames kept in memory.
    pub memory: usize,
}

/// All footage of a run.
#[derive(Debug)]
pub struct Footage {
    drives: Vec<Drive>,
    width: usize,
    height: usize,
    memory_left: AtomicUsize,
}

/// One recording.
#[derive(Debug)]
struct Drive {
    recording: Recording,
    eyes: [Option<View>; 2],
    frames: Vec<[OnceLock<RgbImage>; 2]>,
}

/// One eye of a recording.
#[derive(Debug)]
struct View {
    /// At training size.
    intrinsics: Intrinsics,
    rectify: Option<RectifyMap>,
    baseline_m: Option<f64>,
}

impl Footage {
    /// Opens and checks the recordings.
    ///
    /// # Errors
    /// When one cannot be opened, has no camera, or its camera does not fit its frames.
    pub fn open(config: &FootageConfig) -> Result<Self, Error> {
        if config.data.is_empty() {
            let hint = "name a recording or a folder of frames with --data";
            return Err(Error::Settings { what: "there is nothing to train on".into(), hint });
        }
        let drives = config.data.iter().map(|path| Drive::open(path.clone(), config)).collect::<Result<_, _>>()?;
        let memory_left = AtomicUsize::new(config.memory);
        Ok(Self { drives, width: config.width, height: config.height, memory_left })
    }

    /// Number of recordings.
    #[must_use]
    pub fn drives(&self) -> usize {
        self.drives.len()
    }

    /// A recording as it was opened.
    #[must_use]
    pub fn recording(&self, drive: usize) -> &Recording {
        &self.drives[drive].recording
    }

    /// Width the networks work at.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height the networks work at.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The intrinsics of an eye at training size, if the recording has that eye.
    #[must_use]
    pub fn intrinsics(&self, drive: usize, eye: Eye) -> Option<Intrinsics> {
        self.drives[drive].eyes[eye.index()].as_ref().map(|view| view.intrinsics)
    }

    /// Distance between the two cameras in metres, if the recording is stereo with a known baseline.
    #[must_use]
    pub fn baseline_m(&self, drive: usize) -> Option<f64> {
        self.drives[drive].eyes[Eye::Right.index()].as_ref().and_then(|view| view.baseline_m)
    }

    /// A frame, rectified, at training size.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn frame(&self, drive: usize, index: usize, eye: Eye) -> Result<RgbImage, Error> {
        let kept = &self.drives[drive].frames[index][eye.index()];
        if let Some(frame) = kept.get() {
            return Ok(frame.clone());
        }
        let frame = self.drives[drive].read(index, eye, self.width, self.height)?;
        let bytes = frame.as_raw().len();
        let fits = self.memory_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if fits.is_ok() {
            // Another thread may have kept the same frame meanwhile; both decoded the same.
            let _ = kept.set(frame.clone());
        }
        Ok(frame)
    }

    /// What the run's description says about its data.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn sources(&self) -> Result<Vec<DataSource>, Error> {
        self.drives.iter().map(Drive::source).collect()
    }
}

impl Drive {
    fn open(path: PathBuf, config: &FootageConfig) -> Result<Self, Error> {
        let options = OpenOptions {
            camera: config.camera.clone(),
            right_camera: config.right_camera.clone(),
            ..OpenOptions::default()
        };
        let recording = Recording::open_with(&path, &options)?;
        if let Some(damage) = recording.damage() {
            tracing::warn!("{} is damaged, what is whole of it is used: {damage}", path.display());
        }
        let left = recording.camera(Eye::Left).ok_or_else(|| Error::Data {
            what: "the recording has no camera: its focal length and centre are needed".into(),
            path: path.clone(),
            hint: "put a camera.yaml beside the frames (see `parallax-calib --help`) or name one with --camera",
        })?;
        let eyes = [
            Some(View::new(left, config)?),
            recording.camera(Eye::Right).map(|camera| View::new(camera, config)).transpose()?,
        ];
        let frames = (0..recording.len()).map(|_| [OnceLock::new(), OnceLock::new()]).collect();
        Ok(Self { recording, eyes, frames })
    }

    fn read(&self, index: usize, eye: Eye, width: usize, height: usize) -> Result<RgbImage, Error> {
        let mut picture = self.recording.frame(index, eye)?.to_rgb()?;
        if let Some(rectify) = self.eyes[eye.index()].as_ref().and_then(|view| view.rectify.as_ref()) {
            picture = rectify.rectify(&picture)?;
        }
        if picture.dimensions() == (width as u32, height as u32) {
            return Ok(picture);
        }
        Ok(PictureResizer::default().resize(&picture, width as u32, height as u32))
    }

    fn source(&self) -> Result<DataSource, Error> {
        identify(self.recording.path(), self.recording.len())
    }
}

/// Data of `count` frames by a file's content, or the names and sizes of a folder's files: enough to notice that they are
/// others.
pub(crate) fn identify(path: &Path, count: usize) -> Result<DataSource, Error> {
    let sha256 = if path.is_file() {
        parallax_core::files::sha256_of_file(path)?
    } else {
        let mut listing = Vec::new();
        list(path, path, &mut listing)?;
        listing.sort();
        parallax_core::files::sha256_of_bytes(listing.join("\n").as_bytes())
    };
    Ok(DataSource { path: path.to_path_buf(), count, sha256 })
}

fn list(root: &Path, folder: &Path, listing: &mut Vec<String>) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let facts = std::fs::metadata(&path).map_err(Error::io("read", &path))?;
        if facts.is_dir() {
            list(root, &path, listing)?;
        } else {
            listing.push(format!("{} {}", path.strip_prefix(root).unwrap_or(&path).display(), facts.len()));
        }
    }
    Ok(())
}

impl View {
    fn new(camera: &Camera, config: &FootageConfig) -> Result<Self, Error> {
        camera.validate()?;
        let plain = camera.rectified();
        let intrinsics = plain.resized(config.width as u32, config.height as u32).intrinsics;
        let rectify = camera.needs_rectification().then(|| RectifyMap::new(camera));
        Ok(Self { intrinsics, rectify, baseline_m: camera.baseline_m().map(f64::abs) })
    }
}
