//! Writing a recording: an MCAP file that Foxglove opens as it is.

use super::channels::{Channels, write_error};
use super::messages::{self, Encoding};
use super::{CAMERA_FRAMES, DEPTH_TOPIC, Eye, LIDAR_TOPIC, POSE_TOPIC, WORLD_FRAME, image_topic};
use crate::camera::Camera;
use crate::depth::DepthMap;
use crate::files::PartialFile;
use crate::frame::{Frame, Timestamp};
use crate::{Error, Result};
use foxglove::Encode;
use nalgebra::Isometry3;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Uncompressed bytes after which a chunk ends. Random access unpacks a whole chunk for one frame: at 1 MiB that costs half
/// as much as decoding the picture, at a quarter of it little.
const CHUNK_BYTES: u64 = 1 << 18;

/// What is known of a recording before its first frame.
#[derive(Clone, Debug)]
pub struct RecordingHeader {
    /// The left or only camera.
    pub left: Camera,
    /// The right camera of a stereo pair; its `P` holds the baseline.
    pub right: Option<Camera>,
}

/// Writes an MCAP recording under a partial name, which gets its final name in [`RecordingWriter::finish`].
///
/// Dropped earlier, it leaves the partial file: what is in it can be opened like a recording.
pub struct RecordingWriter {
    /// The file that is made or replaced.
    path: PathBuf,
    partial: PathBuf,
    header: RecordingHeader,
    channels: Channels<BufWriter<File>>,
    calibrated: bool,
}

impl RecordingWriter {
    /// Starts a recording.
    ///
    /// # Errors
    /// A camera's numbers cannot be right, the cameras differ in size, or the file cannot be created.
    pub fn create(path: &Path, header: &RecordingHeader) -> Result<Self> {
        header.left.validate()?;
        if let Some(right) = &header.right {
            right.validate()?;
            let (expected, found) = ((header.left.width, header.left.height), (right.width, right.height));
            if expected != found {
                return Err(Error::SizeMismatch { what: "left and right camera of a recording", expected, found });
            }
        }
        let path = crate::files::replaceable(path)?;
        Self::begin(PartialFile::create(&path)?, path, header)
    }

    /// Writes to a file that is there.
    pub(super) fn begin(to: PartialFile, path: PathBuf, header: &RecordingHeader) -> Result<Self> {
        let PartialFile { file, path: partial } = to;
        let mcap = mcap::WriteOptions::new()
            .library(concat!("parallax ", env!("CARGO_PKG_VERSION")))
            .chunk_size(Some(CHUNK_BYTES))
            .compression(Some(mcap::Compression::Zstd))
            .compression_threads(0)
            .create(BufWriter::new(file))
            .map_err(write_error(&partial))?;
        Ok(Self { path, channels: Channels::new(mcap, &partial), partial, header: header.clone(), calibrated: false })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// The frame's size is not its camera's, its time stamp does not come after the eye's previous one, there is no
    /// such camera, or the file cannot be written.
    pub fn write_frame(&mut self, eye: Eye, frame: &Frame, encoding: Encoding) -> Result<()> {
        let camera = self.camera(eye)?;
        let (expected, found) = ((camera.width, camera.height), (frame.width, frame.height));
        if expected != found {
            return Err(Error::SizeMismatch { what: "camera and frame of a recording", expected, found });
        }
        let message = messages::compressed_image(frame, encoding, CAMERA_FRAMES[eye.index()])
            .map_err(Error::unencodable(&self.path))?;
        self.write(image_topic(eye), frame.timestamp, frame.sequence as u32, &message)
    }

    /// Writes the exact or dense depth seen from the left camera, rounded to millimetres.
    ///
    /// # Errors
    /// The map's size is not the left camera's, time does not advance, or the file cannot be written.
    pub fn write_depth(&mut self, timestamp: Timestamp, depth: &DepthMap) -> Result<()> {
        self.write_depth_topic(DEPTH_TOPIC, timestamp, depth)
    }

    /// Writes sparse depth from a range sensor, projected into the left camera and rounded to millimetres.
    ///
    /// # Errors
    /// As for [`RecordingWriter::write_depth`].
    pub fn write_lidar(&mut self, timestamp: Timestamp, depth: &DepthMap) -> Result<()> {
        self.write_depth_topic(LIDAR_TOPIC, timestamp, depth)
    }

    /// Writes where the left camera is.
    ///
    /// # Errors
    /// Time does not advance, or the file cannot be written.
    pub fn write_pose(&mut self, timestamp: Timestamp, world_from_camera: &Isometry3<f64>) -> Result<()> {
        let camera_frame = CAMERA_FRAMES[Eye::Left.index()];
        let message = messages::transform(world_from_camera, timestamp, WORLD_FRAME, camera_frame);
        self.write(POSE_TOPIC, timestamp, 0, &message)
    }

    /// Ends the file and gives it its final name, which is returned.
    ///
    /// # Errors
    /// Nothing was written, or the file cannot be written; no file has the final name then.
    pub fn finish(self) -> Result<PathBuf> {
        if !self.channels.has(image_topic(Eye::Left)) {
            let _ = std::fs::remove_file(&self.partial);
            return Err(Error::Recording {
                what: "a recording needs at least one left frame, got none".into(),
                path: self.path.clone(),
                hint: "write frames before finishing the recording",
            });
        }
        let mut mcap = self.channels.into_mcap();
        mcap.finish().map_err(write_error(&self.partial))?;
        let file = mcap.into_inner().into_inner().map_err(std::io::IntoInnerError::into_error);
        // Open, and so locked, until it has its name.
        let file = file.map_err(Error::io("write", &self.partial))?;
        file.sync_all().map_err(Error::io("write", &self.partial))?;
        std::fs::rename(&self.partial, &self.path).map_err(Error::io("rename", &self.partial))?;
        Ok(self.path)
    }

    /// Leaves the recording and removes what was written of it.
    pub fn discard(self) {
        // While it is open nobody else takes that name.
        let _ = std::fs::remove_file(&self.partial);
    }

    fn camera(&self, eye: Eye) -> Result<&Camera> {
        let right = self.header.right.as_ref();
        let camera = if eye == Eye::Left { Some(&self.header.left) } else { right };
        camera.ok_or_else(|| Error::Recording {
            what: "the recording was started without a right camera, got a right frame".into(),
            path: self.path.clone(),
            hint: "give the right camera in the recording's header",
        })
    }

    fn write_depth_topic(&mut self, topic: &'static str, timestamp: Timestamp, depth: &DepthMap) -> Result<()> {
        let expected = (self.header.left.width, self.header.left.height);
        let found = (depth.width, depth.height);
        if expected != found {
            return Err(Error::SizeMismatch { what: "camera and depth of a recording", expected, found });
        }
        let message = messages::raw_depth(depth, timestamp, CAMERA_FRAMES[Eye::Left.index()]);
        self.write(topic, timestamp, 0, &message)
    }

    fn write<M: Encode + prost::Message>(
        &mut self,
        topic: &'static str,
        timestamp: Timestamp,
        sequence: u32,
        message: &M,
    ) -> Result<()> {
        if !self.calibrated {
            self.calibrated = true;
            for eye in [Eye::Left, Eye::Right] {
                if let Ok(camera) = self.camera(eye).cloned() {
                    self.channels.write_camera(eye, &camera, timestamp)?;
                }
            }
        }
        self.channels.write(topic, timestamp, sequence, message)
    }
}
