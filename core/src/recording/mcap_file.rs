//! Random access to the messages of an MCAP file, by topic.
//!
//! A topic is the union of its channels: a writer that was restarted, or files that were put together, leave several.
//!
//! Memory is bounded: no chunk and no message has more than 128 MiB ([`CHUNK_LIMIT`]), definitions 16 MiB each and 64 MiB
//! together, the index 16 million messages (512 MiB), and all recordings together keep 64 MiB of unpacked chunks.
//!
//! Reference: the MCAP specification, <https://mcap.dev/spec>.

use super::indexing::Indexer;
use super::unpacking::{CHUNK_LIMIT, ChunkCache, RECORD_HEAD, UP_TO_SIZE, record_at, split_head, stated_size};
use crate::{Error, Result};
use mcap::McapError;
use mcap::records::{Record, op};
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of a chunk's record between its head and the name of its compression: times, sizes, checksum, length of the name.
const UP_TO_COMPRESSION: usize = UP_TO_SIZE + 8;

/// One definition of a stream of messages.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) topic: String,
    pub(super) schema: String,
    pub(super) encoding: String,
    pub(super) metadata: BTreeMap<String, String>,
    /// Whether there are messages.
    pub(super) is_used: bool,
}

impl Channel {
    /// Whether its messages are Foxglove's of this name.
    pub(super) fn is(&self, schema: &str) -> bool {
        self.schema == schema && self.encoding == "protobuf"
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let schema = if self.schema.is_empty() { "no schema" } else { self.schema.as_str() };
        if self.encoding == "protobuf" { f.write_str(schema) } else { write!(f, "{schema}, {}", self.encoding) }
    }
}

/// All messages of one name.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    /// The channels that hold messages, by their places in [`McapFile::channels`].
    pub(super) channels: Vec<usize>,
    /// In the order of their times.
    pub(super) messages: Vec<MessagePlace>,
}

/// Where a message lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessagePlace {
    /// Log time in nanoseconds, until [`super::capture_clock`] has decided; then the time of capture.
    pub(super) time: u64,
    /// The stamp inside, nanoseconds; [`UNSET`] or [`UNREADABLE`] where there is none.
    pub(super) stamp: u64,
    /// Offset of the record in the unpacked chunk or in the file.
    pub(super) offset: u64,
    /// The chunk, or [`NO_CHUNK`] for a message directly in the file.
    pub(super) chunk: u32,
    pub(super) channel: u16,
}

/// A message without a stamp.
pub(super) const UNSET: u64 = 0;
/// A message whose chunk is damaged.
pub(super) const UNREADABLE: u64 = u64::MAX;
/// A message directly in the file.
pub(super) const NO_CHUNK: u32 = u32::MAX;

/// A message with its header.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) sequence: u32,
    pub(super) data: Bytes,
}

/// An open MCAP file with its index; reading is thread-safe.
#[derive(Debug)]
pub(super) struct McapFile {
    pub(super) reader: Reader,
    pub(super) channels: Vec<Channel>,
    /// By name. Messages are there of topics that can be read; they stand in the order of the file.
    pub(super) topics: Vec<Topic>,
    /// What could not be kept, for the user to know.
    pub(super) damage: Option<String>,
}

impl McapFile {
    /// Opens and indexes the file.
    ///
    /// # Errors
    /// The file cannot be read, is not MCAP or holds more messages than can be indexed.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Indexer::new(Reader::open(path)?).index()
    }

    pub(super) fn path(&self) -> &Path {
        &self.reader.path
    }

    pub(super) fn channel(&self, place: MessagePlace) -> &Channel {
        &self.channels[usize::from(place.channel)]
    }

    /// The channels of a topic that hold messages.
    pub(super) fn channels_of<'a>(&'a self, topic: &'a Topic) -> impl Iterator<Item = &'a Channel> + Clone {
        topic.channels.iter().map(|&channel| &self.channels[channel])
    }

    /// Where a message stands in the file, for the order in which messages were written.
    pub(super) fn position(&self, place: MessagePlace) -> (u64, u64) {
        let chunk = self.reader.chunks.get(place.chunk as usize);
        chunk.map_or((place.offset, 0), |chunk| (chunk.offset, place.offset))
    }

    /// Reads one message.
    ///
    /// # Errors
    /// The file cannot be read, or the chunk that holds the message is damaged.
    pub(super) fn message(&self, place: MessagePlace) -> Result<Message> {
        let record = if place.chunk == NO_CHUNK {
            Some(self.reader.record(place.offset)?)
        } else {
            record_at(&self.reader.chunk(place.chunk as usize)?, place.offset).map(|(_, body)| body)
        };
        let damaged = || self.reader.damaged(format!("message record expected at {}", place.offset));
        let body = record.ok_or_else(damaged)?;
        match mcap::parse_record(op::MESSAGE, &body) {
            Ok(Record::Message { header, data }) => {
                let data = body.slice(body.len() - data.len()..);
                Ok(Message { sequence: header.sequence, data })
            }
            _ => Err(damaged()),
        }
    }
}

/// Where a chunk lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkPlace {
    /// Of its record in the file.
    pub(super) offset: u64,
    /// What it unpacks to, by its own words.
    pub(super) size: u64,
    /// Where its records begin in the file, if they are not compressed.
    pub(super) plain: Option<u64>,
}

/// Positioned reads and the chunks used last.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) path: PathBuf,
    file: File,
    pub(super) length: u64,
    pub(super) chunks: Vec<ChunkPlace>,
    cache: ChunkCache,
}

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        Ok(Self { path: path.to_path_buf(), file, length, chunks: Vec::new(), cache: ChunkCache::default() })
    }

    pub(super) fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::Recording {
            what: format!("damaged MCAP file: {what}"),
            path: self.path.clone(),
            hint: "part of the file is lost; `mcap recover` writes what is whole to a new file",
        }
    }

    /// Bytes of the file; the caller bounds `length`.
    pub(super) fn bytes(&self, offset: u64, length: u64) -> Result<Bytes> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(Error::io("read", &self.path))?;
        Ok(bytes.into())
    }

    /// At most `bytes` of the file into a buffer; how many there were.
    pub(super) fn start_of(&self, offset: u64, bytes: &mut [u8]) -> usize {
        let left = self.length.saturating_sub(offset).min(bytes.len() as u64) as usize;
        self.file.read_exact_at(&mut bytes[..left], offset).map_or(0, |()| left)
    }

    /// Opcode and body length of the record at `offset`, or none when the file ends before the record does.
    pub(super) fn head(&self, offset: u64) -> Result<Option<(u8, u64)>> {
        if self.length < RECORD_HEAD || offset > self.length - RECORD_HEAD {
            return Ok(None);
        }
        let mut head = [0; RECORD_HEAD as usize];
        self.file.read_exact_at(&mut head, offset).map_err(Error::io("read", &self.path))?;
        let (opcode, length) = split_head(&head);
        let fits = length <= self.length - offset - RECORD_HEAD;
        Ok(fits.then_some((opcode, length)))
    }

    /// Body of the record at `offset`.
    pub(super) fn record(&self, offset: u64) -> Result<Bytes> {
        let (_, length) = self.head(offset)?.ok_or_else(|| self.damaged("the file ends inside a record"))?;
        if length > CHUNK_LIMIT {
            return Err(self.damaged(format!("record of {length} bytes at {offset}")));
        }
        self.bytes(offset + RECORD_HEAD, length)
    }

    /// Takes in a chunk record of the file.
    pub(super) fn add_chunk(&mut self, offset: u64) {
        let mut head = [0; UP_TO_COMPRESSION + 4];
        self.start_of(offset, &mut head);
        let size = head.first_chunk().map_or(0, stated_size);
        // Without a name of a compression the records follow their length of 8 bytes.
        let plain = head[UP_TO_COMPRESSION - 4..UP_TO_COMPRESSION] == [0; 4];
        let plain = plain.then_some(offset + UP_TO_COMPRESSION as u64 + 8);
        self.chunks.push(ChunkPlace { offset, size, plain });
    }

    /// A chunk's unpacked records, from the cache where possible.
    pub(super) fn chunk(&self, index: usize) -> Result<Bytes> {
        let ChunkPlace { offset, size, .. } = self.chunks[index];
        if size > CHUNK_LIMIT {
            return Err(Error::Recording {
                what: format!(
                    "chunk at {offset} says it unpacks to {size} bytes, more than the {} MiB that are read",
                    CHUNK_LIMIT >> 20
                ),
                path: self.path.clone(),
                hint: "write the file with smaller chunks: `mcap compress --chunk-size 4194304 IN -o OUT`",
            });
        }
        self.cache.get(index, size, |unpacker, records| {
            let chunk = PlaceInFile { file: &self.file, offset };
            unpacker.unpack(chunk, records).map_err(|error| match error {
                McapError::Io(error) => Error::io("read", &self.path)(error),
                error => self.damaged(format!("chunk at {offset}: {error}")),
            })
        })
    }
}

/// Reads on from an offset, whoever else reads the file.
struct PlaceInFile<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for PlaceInFile<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(into, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}
