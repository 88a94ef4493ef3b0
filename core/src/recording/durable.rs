//! Writing a recording that outlives the program, the power and the disk's space.
//!
//! ```text
//! write_…  ──► messages of the chunk in the making (memory)
//! flush    ──► one whole chunk with its indexes, in one write, then fsync          NAME.mcap.partial
//! finish   ──► summary and footer, fsync, rename                                   NAME.mcap
//! ```
//!
//! Whatever happens, the file on disk is whole chunks and at most one torn one behind them:
//! [`make_whole`](super::make_whole) cuts that off and writes the end. How many bytes a flush and the end will take is
//! known before either, so that a budget can be kept to the byte. Chunks are not compressed: pictures are already.

use super::channels::{Channels, SchemaText, write_error};
use super::messages::{self, Encoding};
use super::spool::Spool;
use super::{CAMERA_FRAMES, Eye, image_topic, make_whole};
use crate::camera::Camera;
use crate::frame::{Frame, Timestamp};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Topic of what a recorder noted of each frame.
pub const NOTES_TOPIC: &str = "/recorder/frames";
/// Topic with one message at the time of each frame that begins a new snippet.
pub(super) const SNIPPETS_TOPIC: &str = "/recorder/snippets";
/// Name of the metadata record about the recorder.
pub(super) const METADATA: &str = "parallax.recorder";
/// A schema that any JSON object follows: what is noted is described in docs/recording.md.
const ANY_OBJECT: &[u8] = br#"{"type":"object"}"#;

/// Bytes of messages after which a chunk ends even before it is flushed: what a reader unpacks for one frame.
const CHUNK_BYTES: u64 = 1 << 20;
/// At most the bytes of a chunk's entry in the file's end: its head, numbers, and ten for each topic.
const CHUNK_INDEX_BYTES: u64 = 128;
const CHUNK_INDEX_BYTES_PER_TOPIC: u64 = 10;
/// At most the bytes of the end beyond schemas, channels and chunk entries.
const END_BYTES: u64 = 1024;
/// Bytes of a message beyond its data: head, times and its entry in the index.
const MESSAGE_EXTRA: u64 = 64;

/// What is known of a recording before its first frame.
#[derive(Clone, Debug, Default)]
pub struct DurableHeader {
    /// The left (or only) and the right camera, where they are calibrated.
    pub cameras: [Option<Camera>; 2],
    /// Texts about the recorder and the device, kept as a metadata record.
    pub about: BTreeMap<String, String>,
}

/// The name of a recording in the making, `NAME.partial`: readers open it, and [`make_whole`](super::make_whole) ends it.
pub fn unfinished_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    path.with_file_name(name)
}

/// Writes an MCAP recording under `NAME.partial`, chunk by chunk, which gets its final name in
/// [`DurableWriter::finish`].
pub struct DurableWriter {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    header: DurableHeader,
    channels: Channels<Spool>,
    spool: Spool,
    /// Bytes of whole chunks on disk.
    on_disk: u64,
    /// Bytes of messages not flushed yet, at most.
    in_memory: u64,
    chunks: u64,
    frames: u64,
}

impl DurableWriter {
    /// Starts a recording; its first bytes are on disk with the first flush.
    ///
    /// # Errors
    /// A camera's numbers cannot be right, or the file cannot be created.
    pub fn create(path: &Path, header: DurableHeader) -> Result<Self> {
        header.cameras.iter().flatten().try_for_each(Camera::validate)?;
        let partial = unfinished_path(path);
        let file = File::create(&partial).map_err(Error::io("create", &partial))?;
        let spool = Spool::default();
        let mut mcap = mcap::WriteOptions::new()
            .library(concat!("parallax ", env!("CARGO_PKG_VERSION")))
            .chunk_size(Some(CHUNK_BYTES))
            .disable_seeking(true)
            .compression(None)
            .create(spool.clone())
            .map_err(write_error(&partial))?;
        let about = mcap::records::Metadata { name: METADATA.to_owned(), metadata: header.about.clone() };
        mcap.write_metadata(&about).map_err(write_error(&partial))?;
        let channels = Channels::new(mcap, &partial);
        let path = path.to_path_buf();
        Ok(Self { path, partial, file, header, channels, spool, on_disk: 0, in_memory: 0, chunks: 0, frames: 0 })
    }

    /// Writes a frame: a JPEG as it is, anything else encoded.
    ///
    /// # Errors
    /// The frame cannot be encoded, or its time stamp does not come after the eye's previous one.
    pub fn write_frame(&mut self, eye: Eye, frame: &Frame, encoding: Encoding) -> Result<()> {
        let message = messages::compressed_image(frame, encoding, CAMERA_FRAMES[eye.index()])
            .map_err(Error::unencodable(&self.path))?;
        if self.frames == 0 {
            for (eye, camera) in [Eye::Left, Eye::Right].into_iter().zip(self.header.cameras.clone()) {
                if let Some(camera) = camera {
                    self.channels.write_camera(eye, &camera, frame.timestamp)?;
                }
            }
            self.in_memory += self.channels.defined_bytes() + END_BYTES;
        }
        self.in_memory += message.data.len() as u64 + 2 * MESSAGE_EXTRA;
        self.frames += u64::from(eye == Eye::Left);
        self.channels.write(image_topic(eye), frame.timestamp, frame.sequence as u32, &message)
    }

    /// Notes something of the frame taken at `timestamp`, as a JSON object.
    ///
    /// # Errors
    /// There is a note of that time already.
    pub fn write_note(&mut self, timestamp: Timestamp, note: &impl serde::Serialize) -> Result<()> {
        self.write_json(NOTES_TOPIC, "parallax.FrameNote", timestamp, note)
    }

    /// Says that the frame taken at `timestamp` begins a snippet: it and those before it are no partners in training.
    ///
    /// # Errors
    /// That was said of a later frame already.
    pub fn begin_snippet(&mut self, timestamp: Timestamp, snippet: &impl serde::Serialize) -> Result<()> {
        self.write_json(SNIPPETS_TOPIC, "parallax.Snippet", timestamp, snippet)
    }

    fn write_json(
        &mut self,
        topic: &'static str,
        name: &str,
        timestamp: Timestamp,
        message: &impl serde::Serialize,
    ) -> Result<()> {
        let schema = SchemaText { name, encoding: "jsonschema", data: ANY_OBJECT };
        let text = serde_json::to_value(message).map_err(io::Error::from);
        let text = text.map_err(Error::io("write recording", &self.partial))?;
        self.in_memory += text.to_string().len() as u64 + 2 * MESSAGE_EXTRA;
        self.channels.write_json(topic, &schema, timestamp, &text)
    }

    /// The file's bytes when everything written so far is flushed and the file is finished, at most.
    pub fn bytes_when_finished(&self) -> u64 {
        let topics = self.channels.len() as u64;
        // What is in memory may fill several chunks.
        let chunks = self.chunks + 1 + self.in_memory / CHUNK_BYTES;
        let per_chunk = CHUNK_INDEX_BYTES + CHUNK_INDEX_BYTES_PER_TOPIC * topics;
        // A chunk's own head and the heads of its message indexes take no more than its entry in the end.
        let heads = (1 + self.in_memory / CHUNK_BYTES) * (per_chunk + 32 * topics);
        self.on_disk
            + self.in_memory
            + self.spool.waiting()
            + self.channels.defined_bytes()
            + chunks * per_chunk
            + heads
            + END_BYTES
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.on_disk
    }

    /// Left frames written so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether there is something that a crash would lose.
    pub fn is_dirty(&self) -> bool {
        self.in_memory > 0
    }

    /// Puts everything written so far on the disk, as a whole chunk.
    ///
    /// # Errors
    /// It cannot be written: what was flushed before stays whole, the rest is lost, and so is the writer's use.
    pub fn flush(&mut self) -> Result<()> {
        self.channels.mcap().flush().map_err(write_error(&self.partial))?;
        self.chunks += 1 + self.in_memory / CHUNK_BYTES;
        self.in_memory = 0;
        self.write_spool()
    }

    /// Ends the file and gives it its final name. A disk that is full takes the last chunks for the end.
    ///
    /// # Errors
    /// The file cannot be written or renamed; it is whole under its partial name then, or torn behind whole chunks. It is no
    /// error that there was no frame: the file is removed and none returned.
    pub fn finish(mut self) -> Result<Option<PathBuf>> {
        if self.frames == 0 {
            std::fs::remove_file(&self.partial).map_err(Error::io("remove", &self.partial))?;
            return Ok(None);
        }
        let ended = self.channels.mcap().finish().map(|_| ()).map_err(write_error(&self.partial));
        if ended.and_then(|()| self.write_spool()).is_err() {
            return make_whole(&self.partial);
        }
        crate::files::rename_durably(&self.partial, &self.path)?;
        Ok(Some(self.path))
    }

    /// Leaves what is not flushed and makes the file whole: for a disk that takes no more.
    ///
    /// # Errors
    /// As [`make_whole`](super::make_whole).
    pub fn abandon(self) -> Result<Option<PathBuf>> {
        make_whole(&self.partial)
    }

    /// In one write, so that a torn chunk can only be the last; synced, so that a power loss takes no earlier one.
    fn write_spool(&mut self) -> Result<()> {
        let bytes = self.spool.take();
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // What is torn would only be in the way of the next attempt.
            let _ = self.file.set_len(self.on_disk);
            return Err(Error::Io { action: "write recording", path: self.partial.clone(), source });
        }
        self.on_disk += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
#[path = "durable_tests.rs"]
mod tests;
