//! Writing a recording: an MCAP file that Foxglove opens as it is.

use super::messages::{self, Encoding};
use super::{
    CAMERA_FRAMES, CAMERA_IDENTITY, CAMERA_NAME, DEPTH_TOPIC, Eye, LIDAR_TOPIC, POSE_TOPIC, WORLD_FRAME,
    calibration_topic, image_topic,
};
use crate::camera::{Camera, CameraIdentity};
use crate::depth::DepthMap;
use crate::frame::{Frame, Timestamp};
use crate::{Error, Result};
use foxglove::Encode;
use foxglove::messages::CameraCalibration;
use mcap::records::MessageHeader;
use nalgebra::Isometry3;
use std::collections::BTreeMap;
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

/// Writes an MCAP recording under `NAME.partial`, which gets its final name in [`RecordingWriter::finish`].
///
/// Dropped earlier, it leaves the partial file: what is in it can be opened like a recording.
pub struct RecordingWriter {
    path: PathBuf,
    partial: PathBuf,
    header: RecordingHeader,
    mcap: mcap::Writer<BufWriter<File>>,
    topics: BTreeMap<&'static str, Topic>,
    calibrated: bool,
}

struct Topic {
    channel_id: u16,
    last: Option<Timestamp>,
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
        let partial = crate::files::partial_path(path);
        let file = File::create(&partial).map_err(Error::io("create", &partial))?;
        let mcap = mcap::WriteOptions::new()
            .library(concat!("parallax ", env!("CARGO_PKG_VERSION")))
            .chunk_size(Some(CHUNK_BYTES))
            .compression(Some(mcap::Compression::Zstd))
            .compression_threads(0)
            .create(BufWriter::new(file))
            .map_err(write_error(&partial))?;
        Ok(Self {
            path: path.to_path_buf(),
            partial,
            header: header.clone(),
            mcap,
            topics: BTreeMap::new(),
            calibrated: false,
        })
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
            .map_err(|reason| Error::Picture { path: self.path.clone(), reason })?;
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
    pub fn finish(mut self) -> Result<PathBuf> {
        if !self.topics.contains_key(image_topic(Eye::Left)) {
            let _ = std::fs::remove_file(&self.partial);
            return Err(Error::Recording {
                what: "a recording needs at least one left frame, got none".into(),
                path: self.path.clone(),
                hint: "write frames before finishing the recording",
            });
        }
        self.mcap.finish().map_err(write_error(&self.partial))?;
        let file = self.mcap.into_inner().into_inner().map_err(std::io::IntoInnerError::into_error);
        file.and_then(|file| file.sync_all()).map_err(Error::io("write", &self.partial))?;
        std::fs::rename(&self.partial, &self.path).map_err(Error::io("rename", &self.partial))?;
        Ok(self.path)
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

    /// The cameras come first in the file, so that whoever plays it from any point has them.
    fn write_cameras(&mut self, timestamp: Timestamp) -> Result<()> {
        self.calibrated = true;
        for eye in [Eye::Left, Eye::Right] {
            if let Ok(camera) = self.camera(eye).cloned() {
                let message = messages::calibration(&camera, timestamp, CAMERA_FRAMES[eye.index()]);
                let identity = CameraIdentity::of(&camera).to_string();
                let metadata = BTreeMap::from([
                    (CAMERA_NAME.to_owned(), camera.name.clone()),
                    (CAMERA_IDENTITY.to_owned(), identity),
                ]);
                self.add_topic::<CameraCalibration>(calibration_topic(eye), &metadata)?;
                self.write(calibration_topic(eye), timestamp, 0, &message)?;
            }
        }
        Ok(())
    }

    fn write<M: Encode + prost::Message>(
        &mut self,
        topic: &'static str,
        timestamp: Timestamp,
        sequence: u32,
        message: &M,
    ) -> Result<()> {
        if !self.calibrated {
            self.write_cameras(timestamp)?;
        }
        if !self.topics.contains_key(topic) {
            self.add_topic::<M>(topic, &BTreeMap::new())?;
        }
        let Some(state) = self.topics.get_mut(topic) else { return Ok(()) };
        if let Some(last) = state.last.replace(timestamp).filter(|last| *last >= timestamp) {
            return Err(Error::Recording {
                what: format!("time must advance on {topic}, got {} after {} ns", timestamp.nanos(), last.nanos()),
                path: self.path.clone(),
                hint: "give every frame a later time stamp than the one before",
            });
        }
        let time = timestamp.nanos();
        let header = MessageHeader { channel_id: state.channel_id, sequence, log_time: time, publish_time: time };
        self.mcap.write_to_known_channel(&header, &message.encode_to_vec()).map_err(write_error(&self.partial))
    }

    fn add_topic<M: Encode>(&mut self, topic: &'static str, metadata: &BTreeMap<String, String>) -> Result<()> {
        let failed = write_error(&self.partial);
        let mut add = || {
            let schema_id = match M::get_schema() {
                Some(schema) => self.mcap.add_schema(&schema.name, &schema.encoding, &schema.data)?,
                None => 0,
            };
            self.mcap.add_channel(schema_id, topic, &M::get_message_encoding(), metadata)
        };
        let channel_id = add().map_err(failed)?;
        self.topics.insert(topic, Topic { channel_id, last: None });
        Ok(())
    }
}

/// Keeps what the system said, so that a full disk is recognised as one.
fn write_error(partial: &Path) -> impl FnOnce(mcap::McapError) -> Error {
    let path = partial.to_path_buf();
    move |error| match error {
        mcap::McapError::Io(source) => Error::Io { action: "write recording", path, source },
        other => Error::Io { action: "write recording", path, source: std::io::Error::other(other) },
    }
}
