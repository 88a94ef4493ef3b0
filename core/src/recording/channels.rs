//! Topics of an MCAP file in the making: each gets its schema and its channel with its first message.

use super::messages::calibration;
use super::{CAMERA_FRAMES, CAMERA_IDENTITY, CAMERA_NAME, Eye, calibration_topic};
use crate::camera::{Camera, CameraIdentity};
use crate::frame::Timestamp;
use crate::{Error, Result};
use foxglove::Encode;
use foxglove::messages::CameraCalibration;
use mcap::records::MessageHeader;
use std::collections::BTreeMap;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// Writes messages by topic; time advances on each.
pub(super) struct Channels<W: Write + Seek> {
    mcap: mcap::Writer<W>,
    topics: BTreeMap<&'static str, Topic>,
    /// The file, for errors.
    path: PathBuf,
    /// Bytes of all schemas and channels, which the end of the file repeats.
    defined: u64,
}

struct Topic {
    channel_id: u16,
    last: Option<Timestamp>,
}

/// A schema by its parts.
pub(super) struct SchemaText<'a> {
    pub(super) name: &'a str,
    pub(super) encoding: &'a str,
    pub(super) data: &'a [u8],
}

/// Bytes of a schema or channel record beyond its texts: head, ids and lengths.
const RECORD_EXTRA: u64 = 64;

impl<W: Write + Seek> Channels<W> {
    pub(super) fn new(mcap: mcap::Writer<W>, path: &Path) -> Self {
        Self { mcap, topics: BTreeMap::new(), path: path.to_path_buf(), defined: 0 }
    }

    pub(super) fn has(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    /// At most the bytes that repeating all schemas and channels takes.
    pub(super) fn defined_bytes(&self) -> u64 {
        self.defined
    }

    pub(super) fn mcap(&mut self) -> &mut mcap::Writer<W> {
        &mut self.mcap
    }

    pub(super) fn into_mcap(self) -> mcap::Writer<W> {
        self.mcap
    }

    /// What is known of a camera, before its first frame, so that whoever plays the file from any point has it.
    pub(super) fn write_camera(&mut self, eye: Eye, camera: &Camera, timestamp: Timestamp) -> Result<()> {
        let message = calibration(camera, timestamp, CAMERA_FRAMES[eye.index()]);
        let metadata = BTreeMap::from([
            (CAMERA_NAME.to_owned(), camera.name.clone()),
            (CAMERA_IDENTITY.to_owned(), CameraIdentity::of(camera).to_string()),
        ]);
        self.add_foxglove::<CameraCalibration>(calibration_topic(eye), &metadata)?;
        self.write(calibration_topic(eye), timestamp, 0, &message)
    }

    pub(super) fn write<M: Encode + prost::Message>(
        &mut self,
        topic: &'static str,
        timestamp: Timestamp,
        sequence: u32,
        message: &M,
    ) -> Result<()> {
        if !self.topics.contains_key(topic) {
            self.add_foxglove::<M>(topic, &BTreeMap::new())?;
        }
        self.write_bytes(topic, timestamp, sequence, &message.encode_to_vec())
    }

    /// Writes one JSON object.
    pub(super) fn write_json(
        &mut self,
        topic: &'static str,
        schema: &SchemaText,
        timestamp: Timestamp,
        message: &impl serde::Serialize,
    ) -> Result<()> {
        if !self.topics.contains_key(topic) {
            self.add(topic, Some(schema), "json", &BTreeMap::new())?;
        }
        let bytes = serde_json::to_vec(message).map_err(std::io::Error::from);
        self.write_bytes(topic, timestamp, 0, &bytes.map_err(Error::io("write recording", &self.path))?)
    }

    fn write_bytes(&mut self, topic: &'static str, timestamp: Timestamp, sequence: u32, bytes: &[u8]) -> Result<()> {
        let Some(state) = self.topics.get_mut(topic) else { return Ok(()) };
        if let Some(last) = state.last.filter(|last| *last >= timestamp) {
            return Err(Error::Recording {
                what: format!("time must advance on {topic}, got {} after {} ns", timestamp.nanos(), last.nanos()),
                path: self.path.clone(),
                hint: "give every frame a later time stamp than the one before",
            });
        }
        state.last = Some(timestamp);
        let time = timestamp.nanos();
        let header = MessageHeader { channel_id: state.channel_id, sequence, log_time: time, publish_time: time };
        self.mcap.write_to_known_channel(&header, bytes).map_err(write_error(&self.path))
    }

    fn add_foxglove<M: Encode>(&mut self, topic: &'static str, metadata: &BTreeMap<String, String>) -> Result<()> {
        let schema = M::get_schema();
        let schema =
            schema.as_ref().map(|it| SchemaText { name: &it.name, encoding: &it.encoding, data: it.data.as_ref() });
        self.add(topic, schema.as_ref(), &M::get_message_encoding(), metadata)
    }

    fn add(
        &mut self,
        topic: &'static str,
        schema: Option<&SchemaText>,
        encoding: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<()> {
        let mut add = || {
            let schema_id = match schema {
                Some(schema) => self.mcap.add_schema(schema.name, schema.encoding, schema.data)?,
                None => 0,
            };
            self.mcap.add_channel(schema_id, topic, encoding, metadata)
        };
        let channel_id = add().map_err(write_error(&self.path))?;
        let schema = schema.map_or(0, |schema| schema.name.len() + schema.encoding.len() + schema.data.len());
        let texts: usize = metadata.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
        self.defined += (schema + topic.len() + encoding.len() + texts) as u64 + 2 * RECORD_EXTRA;
        self.topics.insert(topic, Topic { channel_id, last: None });
        Ok(())
    }
}

/// Keeps what the system said, so that a full disk is recognised as one.
pub(super) fn write_error(path: &Path) -> impl FnOnce(mcap::McapError) -> Error {
    let path = path.to_path_buf();
    move |error| match error {
        mcap::McapError::Io(source) => Error::Io { action: "write recording", path, source },
        other => Error::Io { action: "write recording", path, source: std::io::Error::other(other) },
    }
}
