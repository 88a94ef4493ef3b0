//! A drive on disk with random access: an MCAP file, a folder of images or a single image.
//!
//! Frames are numbered by the left (or only) camera's images; the right image, depth, range measurements and pose of
//! a frame are those with its time stamp. Reading takes `&self` and is thread-safe. The forms are described in
//! `docs/formats.md`.
//!
//! ```no_run
//! use parallax_core::recording::{Eye, Recording};
//!
//! let recording = Recording::open("drive.mcap")?;
//! for index in 0..recording.len() {
//!     let picture = recording.frame(index, Eye::Left)?.to_rgb()?;
//!     println!("{} s: {:?}", recording.timestamp(index).secs(), picture.dimensions());
//! }
//! # Ok::<(), parallax_core::Error>(())
//! ```

mod capture_clock;
mod channels;
mod common_size;
mod containers;
mod durable;
mod indexing;
mod mcap_file;
mod messages;
mod names;
mod natural_order;
mod origin;
mod pose_file;
mod poses;
mod raw_image;
mod source;
mod spool;
mod stamps;
mod time_finding;
mod topics;
mod torn;
mod unpacking;
mod writer;

pub use containers::{images_in, is_recording_file, recordings_in};
pub use durable::{DurableHeader, DurableWriter, NOTES_TOPIC, unfinished_path};
pub use messages::Encoding;
pub use names::distinct_names;
pub use origin::{Origin, origin};
pub use pose_file::PoseFile;
pub use poses::write_kitti_poses;
pub use spool::Spool;
pub use time_finding::{TimeFault, TimeFinding};
pub use torn::{is_out_of_space, make_whole};
pub use writer::{RecordingHeader, RecordingWriter};

use crate::camera::{Camera, ros_yaml};
use crate::depth::DepthMap;
use crate::frame::{Frame, Timestamp};
use crate::picture_file::Turns;
use crate::{Error, Result};
use common_size::{CommonSize, check_camera, tell_turn};
use nalgebra::Isometry3;
use source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Topic of depth seen from the left camera.
const DEPTH_TOPIC: &str = "/camera/left/depth";
/// Topic of sparse range measurements, projected into the left camera.
const LIDAR_TOPIC: &str = "/lidar/depth";
/// Topic of the left camera's pose.
const POSE_TOPIC: &str = "/tf";
/// Names of the cameras' frames in messages.
const CAMERA_FRAMES: [&str; 2] = ["camera_left", "camera_right"];
/// Metadata of a calibration's channel: the camera's name, and the hash of the calibration in it.
const CAMERA_NAME: &str = "camera_name";
const CAMERA_IDENTITY: &str = "calibration_sha256";
/// Name of the world frame in messages.
const WORLD_FRAME: &str = "world";

const fn image_topic(eye: Eye) -> &'static str {
    ["/camera/left/image", "/camera/right/image"][eye.index()]
}

const fn calibration_topic(eye: Eye) -> &'static str {
    ["/camera/left/calibration", "/camera/right/calibration"][eye.index()]
}

/// One camera of a stereo pair; the only camera of a mono recording is the left one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Eye {
    /// The left or only camera.
    Left,
    /// The right camera.
    Right,
}

impl Eye {
    /// 0 for left, 1 for right.
    pub const fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }

    /// `left` or `right`.
    pub const fn name(self) -> &'static str {
        ["left", "right"][self.index()]
    }
}

/// How to open a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenOptions {
    /// Camera file used instead of the recording's own for the left camera.
    pub camera: Option<PathBuf>,
    /// Camera file used instead of the recording's own for the right camera.
    pub right_camera: Option<PathBuf>,
    /// Pose file used instead of the recording's own poses.
    pub poses: Option<PathBuf>,
    /// Frames per second of a folder of images whose names are no times.
    pub fps: f64,
}

impl Default for OpenOptions {
    /// No camera files, and KITTI's 10 frames per second.
    fn default() -> Self {
        Self { camera: None, right_camera: None, poses: None, fps: 10.0 }
    }
}

/// A drive on disk, open for random access.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    source: Box<dyn Source>,
    cameras: [Option<Camera>; 2],
    /// From a pose file that goes before the source's own.
    poses: Option<Vec<Option<Isometry3<f64>>>>,
    size: (u32, u32),
}

/// How far in time the two eyes of a recording's pairs are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EyesApart {
    /// By how much the right eye is late, the median, seconds.
    pub middle_secs: f64,
    /// Nine of ten pairs are apart by no more, seconds.
    pub most_secs: f64,
    /// The same as a part of the time from frame to frame.
    pub periods: f64,
}

impl Recording {
    /// Opens an MCAP file, a folder of images, a folder with nothing but one MCAP file, or an image.
    ///
    /// # Errors
    /// There is no such file or folder, it holds no images, its images differ in size, a file beside the images
    /// cannot be understood, or a camera does not fit the images.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &OpenOptions::default())
    }

    /// Opens like [`Recording::open`], with camera files or a frame rate from elsewhere.
    ///
    /// # Errors
    /// As [`Recording::open`], and when a given camera or pose file cannot be read or `fps` is not positive.
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self> {
        let path = path.as_ref();
        let source = containers::open(path, options)?;
        let CommonSize { size_px, turns } = source.common_size(path)?;
        let files = [&options.camera, &options.right_camera];
        let mut cameras = [None, None];
        for eye in [Eye::Left, Eye::Right] {
            let file = files[eye.index()].as_deref();
            let camera = match file {
                Some(file) => Some(ros_yaml::read(file)?),
                None => source.camera(eye)?,
            };
            if let Some(camera) = &camera {
                check_camera(camera, size_px, turns[eye.index()], file.unwrap_or(path))?;
            }
            cameras[eye.index()] = camera;
        }
        source.check_pictures()?;
        tell(source.as_ref(), path);
        let poses = options.poses.as_deref().map(|file| {
            let times: Vec<Timestamp> = (0..source.len()).map(|index| source.timestamp(index)).collect();
            PoseFile::read(file)?.of_frames(&times, file)
        });
        Ok(Self { path: path.to_path_buf(), source, cameras, poses: poses.transpose()?, size: size_px })
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of left frames; at least one.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Always false: a recording without frames does not open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Width and height of all frames in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The camera of one eye, where the recording or the caller gave one.
    pub fn camera(&self, eye: Eye) -> Option<&Camera> {
        self.cameras[eye.index()].as_ref()
    }

    /// Whether there are images of this eye.
    pub fn has(&self, eye: Eye) -> bool {
        self.source.has(eye)
    }

    /// Whether this eye has an image for this frame; a right image may be missing where one was lost.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn has_frame(&self, index: usize, eye: Eye) -> bool {
        self.check_index(index);
        self.source.has_frame(index, eye)
    }

    /// Whether any frame has exact or dense depth.
    pub fn has_depth(&self) -> bool {
        self.source.has_depth()
    }

    /// Whether any frame has sparse range measurements.
    pub fn has_lidar(&self) -> bool {
        self.source.has_lidar()
    }

    /// Whether this frame has exact or dense depth.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn has_depth_of(&self, index: usize) -> bool {
        self.check_index(index);
        self.source.has_depth_of(index)
    }

    /// Whether this frame has sparse range measurements.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn has_lidar_of(&self, index: usize) -> bool {
        self.check_index(index);
        self.source.has_lidar_of(index)
    }

    /// When a frame was taken. Frames of a folder have the times in their names, or are numbered through at its frame rate
    /// from time 0 on.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn timestamp(&self, index: usize) -> Timestamp {
        self.check_index(index);
        self.source.timestamp(index)
    }

    /// When the picture of one eye was taken by its own stamp, which the eyes of a pair need not share; none where it is
    /// missing. As [`Recording::timestamp`] for a folder.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn frame_timestamp(&self, index: usize, eye: Eye) -> Option<Timestamp> {
        self.check_index(index);
        self.source.frame_timestamp(index, eye)
    }

    /// Whether the times were recorded; those of a folder are counted at an assumed rate.
    pub fn has_recorded_times(&self) -> bool {
        self.source.has_recorded_times()
    }

    /// Between which times a left picture and the right one paired with it were taken; none where no times were recorded, and
    /// where no pairs are.
    pub fn eyes_apart(&self) -> Option<EyesApart> {
        if !self.has_recorded_times() {
            return None;
        }
        let late = |index: usize| {
            let right = self.frame_timestamp(index, Eye::Right)?;
            Some(right.secs() - self.timestamp(index).secs())
        };
        let mut late: Vec<f64> =
            (0..self.len()).filter(|&index| self.has_frame(index, Eye::Right)).filter_map(late).collect();
        let steps = (1..self.len()).map(|index| self.timestamp(index).secs() - self.timestamp(index - 1).secs());
        let mut steps: Vec<f64> = steps.filter(|&step| step > 0.0).collect();
        let at = |sorted: &[f64], share: f64| sorted.get((share * sorted.len() as f64) as usize).copied();
        late.sort_by(f64::total_cmp);
        steps.sort_by(f64::total_cmp);
        let middle_secs = at(&late, 0.5)?;
        late.iter_mut().for_each(|secs| *secs = secs.abs());
        late.sort_by(f64::total_cmp);
        let most_secs = at(&late, 0.9)?;
        Some(EyesApart { middle_secs, most_secs, periods: most_secs / at(&steps, 0.5)? })
    }

    /// The image file of a frame, for a folder.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn image_path(&self, index: usize, eye: Eye) -> Option<&Path> {
        self.check_index(index);
        self.source.image_path(index, eye)
    }

    /// Reads and decodes a frame.
    ///
    /// # Errors
    /// The image is missing, damaged or of another size than the first one; the message names it.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn frame(&self, index: usize, eye: Eye) -> Result<Frame> {
        self.check_index(index);
        let frame = self.source.frame(index, eye)?.ok_or_else(|| self.missing(index, eye))?;
        if (frame.width, frame.height) == self.size {
            return Ok(frame);
        }
        let ((width, height), found) = (self.size, (frame.width, frame.height));
        Err(Error::Recording {
            what: format!("frame {index} must be {width}x{height} like the first, found {}x{}", found.0, found.1),
            path: self.path.clone(),
            hint: "all images of a recording have one size",
        })
    }

    /// Reads the exact or dense depth of a frame, or the depth picture of a folder; none where there is none.
    ///
    /// # Errors
    /// The depth is there but cannot be read.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn depth(&self, index: usize) -> Result<Option<DepthMap>> {
        self.check_index(index);
        self.source.depth(index)
    }

    /// Reads the sparse range measurements of a frame, projected into the left camera; none where there are none.
    ///
    /// # Errors
    /// They are there but cannot be read.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn lidar(&self, index: usize) -> Result<Option<DepthMap>> {
        self.check_index(index);
        self.source.lidar(index)
    }

    /// Where the left camera was; none where the recording does not say or the pose cannot be read.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn world_from_camera(&self, index: usize) -> Option<Isometry3<f64>> {
        self.check_index(index);
        match &self.poses {
            Some(poses) => poses[index],
            None => self.source.world_from_camera(index),
        }
    }

    /// Which unbroken stretch of frames a frame belongs to, from 0 on: a recorder that chooses frames says where it left some
    /// out that partners in training must not be taken across. All frames of any other recording are one stretch.
    ///
    /// # Panics
    /// `index` is not below [`Recording::len`].
    pub fn stretch(&self, index: usize) -> usize {
        self.check_index(index);
        self.source.stretch(index)
    }

    /// Whether a recorder chose the frames: their times are not those of a camera that runs through.
    pub fn is_chosen(&self) -> bool {
        self.source.is_chosen()
    }

    /// The JSON messages of a topic with their times, in order; none in a folder. Reads the whole file.
    ///
    /// # Errors
    /// A message cannot be read or is no JSON.
    pub fn json_messages(&self, topic: &str) -> Result<Vec<(Timestamp, serde_json::Value)>> {
        self.source.json_messages(topic)
    }

    /// What of the recording is lost, such as the last second before a power loss; none for a whole one.
    pub fn damage(&self) -> Option<&str> {
        self.source.damage()
    }

    /// What is strange about the times of a recording: stamps that differ from log times, repeat, run back or are missing. Empty
    /// for a folder. [`Recording::open`] tells it in the log, too.
    pub fn time_findings(&self) -> &[TimeFinding] {
        self.source.time_findings()
    }

    /// What else the user should know of a recording: topics that look like pictures and were not read, calibrations that change.
    /// [`Recording::open`] tells it in the log, too.
    pub fn remarks(&self) -> Vec<String> {
        self.source.remarks()
    }

    fn check_index(&self, index: usize) {
        assert!(index < self.len(), "frame {index} of a recording of {} frames", self.len());
    }

    fn missing(&self, index: usize, eye: Eye) -> Error {
        Error::Recording {
            what: format!("frame {index} has no {} image", eye.name()),
            path: self.path.clone(),
            hint: "this needs a recording with that camera; lost frames can be skipped",
        }
    }
}

/// Width and height of the images at `path` (as for [`Recording::open`]), whatever camera files lie beside them.
///
/// # Errors
/// There are no images, or they differ in size.
pub fn picture_size(path: &Path) -> Result<(u32, u32)> {
    let CommonSize { size_px, turns } = containers::open(path, &OpenOptions::default())?.common_size(path)?;
    if let Some(turn) = turns.into_iter().find_map(Turns::turned) {
        tell_turn(turn, path);
    }
    Ok(size_px)
}

/// Warns of what is strange about the recording at `path`, once in a program.
fn tell(source: &dyn Source, path: &Path) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let times = source.time_findings().iter().map(ToString::to_string);
    for what in times.chain(source.remarks()) {
        let line = format!("{}: {what}", path.display());
        if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
            tracing::warn!("{line}");
        }
    }
}

#[cfg(test)]
mod foreign_tests;
#[cfg(test)]
mod picture_tests;
#[cfg(test)]
mod tests;
