//! Random access to the messages of an MCAP file.
//!
//! The index is made in one pass over the record heads: chunks are skipped and the message indexes behind them
//! read. It needs no summary, so a file that a power loss cut short opens like any other and keeps all that was whole.
//! A chunk whose message indexes are missing is unpacked and scanned instead.
//!
//! Reference: the MCAP specification, <https://mcap.dev/spec>.

use super::unpacking::{ChunkCache, RECORD_HEAD, record_at, split_head};
use crate::{Error, Result};
use mcap::McapError;
use mcap::records::{Record, op};
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A stream of messages of one kind.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) topic: String,
    pub(super) schema: String,
    pub(super) encoding: String,
    pub(super) metadata: BTreeMap<String, String>,
    /// In the order of their log times.
    pub(super) messages: Vec<MessagePlace>,
}

/// Where a message lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessagePlace {
    /// Log time in nanoseconds.
    pub(super) time: u64,
    /// The chunk, or none for a message directly in the file.
    chunk: Option<usize>,
    /// Offset of the record in the unpacked chunk or in the file.
    offset: u64,
}

/// A message with its header.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) sequence: u32,
    pub(super) data: Bytes,
}

/// An open MCAP file with its index; reading is thread-safe.
#[derive(Debug)]
pub(super) struct McapFile {
    reader: Reader,
    pub(super) channels: Vec<Channel>,
    /// What could not be kept, for the user to know.
    pub(super) damage: Option<String>,
}

impl McapFile {
    /// Opens and indexes the file.
    ///
    /// # Errors
    /// The file cannot be read or is not MCAP.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let mut indexer = Indexer {
            reader,
            schemas: BTreeMap::new(),
            channels: BTreeMap::new(),
            messages: BTreeMap::new(),
            unfinished_chunk: None,
            damage: None,
        };
        indexer.walk()?;
        let mut channels = Vec::new();
        for (id, mut channel) in indexer.channels {
            channel.messages = indexer.messages.remove(&id).unwrap_or_default();
            channel.messages.sort_by_key(|message| message.time);
            channels.push(channel);
        }
        channels.sort_by(|a, b| a.topic.cmp(&b.topic));
        Ok(Self { reader: indexer.reader, channels, damage: indexer.damage })
    }

    pub(super) fn path(&self) -> &Path {
        &self.reader.path
    }

    /// Reads one message.
    ///
    /// # Errors
    /// The file cannot be read, or the chunk that holds the message is damaged.
    pub(super) fn message(&self, place: MessagePlace) -> Result<Message> {
        let record = match place.chunk {
            Some(chunk) => record_at(&self.reader.chunk(chunk)?, place.offset).map(|(_, body)| body),
            None => self.reader.record(place.offset).ok(),
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

/// Positioned reads and the chunks used last.
#[derive(Debug)]
struct Reader {
    path: PathBuf,
    file: File,
    length: u64,
    /// Offset of each chunk record.
    chunks: Vec<u64>,
    cache: ChunkCache,
}

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        Ok(Self { path: path.to_path_buf(), file, length, chunks: Vec::new(), cache: ChunkCache::default() })
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::Recording {
            what: format!("damaged MCAP file: {what}"),
            path: self.path.clone(),
            hint: "part of the file is lost; `mcap recover` writes what is whole to a new file",
        }
    }

    fn bytes(&self, offset: u64, length: u64) -> Result<Bytes> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(Error::io("read", &self.path))?;
        Ok(bytes.into())
    }

    /// Opcode and body length of the record at `offset`, or none when the file ends before the record does.
    fn head(&self, offset: u64) -> Result<Option<(u8, u64)>> {
        if offset + RECORD_HEAD > self.length {
            return Ok(None);
        }
        let head = self.bytes(offset, RECORD_HEAD)?;
        let (opcode, length) = split_head(&head);
        let fits = length <= self.length - offset - RECORD_HEAD;
        Ok(fits.then_some((opcode, length)))
    }

    /// Body of the record at `offset`.
    fn record(&self, offset: u64) -> Result<Bytes> {
        let (_, length) = self.head(offset)?.ok_or_else(|| self.damaged("the file ends inside a record"))?;
        self.bytes(offset + RECORD_HEAD, length)
    }

    /// A chunk's unpacked records, from the cache where possible.
    fn chunk(&self, index: usize) -> Result<Bytes> {
        let offset = self.chunks[index];
        self.cache.get(index, |unpacker, records| {
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

/// What to take from a scanned chunk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    Channels,
    Everything,
}

/// The pass that finds channels, chunks and messages.
struct Indexer {
    reader: Reader,
    schemas: BTreeMap<u16, String>,
    /// Without their messages, which may be known before the channel is.
    channels: BTreeMap<u16, Channel>,
    messages: BTreeMap<u16, Vec<MessagePlace>>,
    /// The chunk whose message indexes are being read.
    unfinished_chunk: Option<usize>,
    damage: Option<String>,
}

impl Indexer {
    fn walk(&mut self) -> Result<()> {
        self.check_magic()?;
        let mut offset = mcap::MAGIC.len() as u64;
        // Message indexes of the last chunk, kept until the next record shows that they are complete.
        let mut indexes: Vec<mcap::records::MessageIndex> = Vec::new();
        let mut data_ended = false;
        loop {
            let head = self.reader.head(offset)?;
            let opcode = head.map(|(opcode, _)| opcode);
            if opcode == Some(op::MESSAGE_INDEX) {
                let body = self.reader.record(offset)?;
                if let Ok(Record::MessageIndex(index)) = mcap::parse_record(op::MESSAGE_INDEX, &body) {
                    indexes.push(index);
                }
            } else {
                self.close_chunk(std::mem::take(&mut indexes), head.is_some());
            }
            let Some((opcode, length)) = head else {
                let lost = self.reader.length - offset;
                if !data_ended {
                    self.note(format!("the file was not closed: it ends with {lost} bytes of an unfinished record"));
                }
                return Ok(());
            };
            match opcode {
                op::FOOTER => return Ok(()),
                // Behind it, the summary repeats schemas and channels.
                op::DATA_END => data_ended = true,
                op::CHUNK => {
                    self.unfinished_chunk = Some(self.reader.chunks.len());
                    self.reader.chunks.push(offset);
                }
                op::SCHEMA | op::CHANNEL | op::MESSAGE => {
                    let body = self.reader.record(offset)?;
                    self.take_record(opcode, &body, None, offset);
                }
                _ => {}
            }
            offset += RECORD_HEAD + length;
        }
    }

    fn check_magic(&self) -> Result<()> {
        let magic = mcap::MAGIC;
        let starts = self.reader.length >= magic.len() as u64 && self.reader.bytes(0, magic.len() as u64)? == magic;
        if starts {
            return Ok(());
        }
        Err(Error::Recording {
            what: "expected an MCAP file, found something else".into(),
            path: self.reader.path.clone(),
            hint: "a recording is an .mcap file, a folder of images or one image",
        })
    }

    /// Takes in the messages of the chunk read last, from its indexes if they are complete, else by scanning it.
    fn close_chunk(&mut self, indexes: Vec<mcap::records::MessageIndex>, complete: bool) {
        let Some(chunk) = self.unfinished_chunk.take() else { return };
        if !complete || indexes.is_empty() {
            return self.scan_chunk(chunk, Take::Everything);
        }
        if indexes.iter().any(|index| !self.channels.contains_key(&index.channel_id)) {
            self.scan_chunk(chunk, Take::Channels);
        }
        for index in indexes {
            let places = index.records.iter();
            let places = places.map(|at| MessagePlace { time: at.log_time, chunk: Some(chunk), offset: at.offset });
            self.messages.entry(index.channel_id).or_default().extend(places);
        }
    }

    fn scan_chunk(&mut self, chunk: usize, take: Take) {
        let bytes = match self.reader.chunk(chunk) {
            Ok(bytes) => bytes,
            Err(error) => return self.note(error.to_string()),
        };
        let mut offset = 0;
        while let Some((opcode, body)) = record_at(&bytes, offset) {
            let wanted =
                matches!(opcode, op::SCHEMA | op::CHANNEL) || (opcode == op::MESSAGE && take == Take::Everything);
            if wanted {
                self.take_record(opcode, &body, Some(chunk), offset);
            }
            offset += RECORD_HEAD + body.len() as u64;
        }
    }

    fn take_record(&mut self, opcode: u8, body: &[u8], chunk: Option<usize>, offset: u64) {
        match mcap::parse_record(opcode, body) {
            Ok(Record::Schema { header, .. }) => {
                self.schemas.insert(header.id, header.name);
            }
            Ok(Record::Channel(channel)) => {
                let schema = self.schemas.get(&channel.schema_id).cloned().unwrap_or_default();
                self.channels.entry(channel.id).or_insert_with(|| Channel {
                    topic: channel.topic,
                    schema,
                    encoding: channel.message_encoding,
                    metadata: channel.metadata,
                    messages: Vec::new(),
                });
            }
            Ok(Record::Message { header, .. }) => {
                let place = MessagePlace { time: header.log_time, chunk, offset };
                self.messages.entry(header.channel_id).or_default().push(place);
            }
            Ok(_) => {}
            Err(error) => self.note(format!("record at {offset}: {error}")),
        }
    }

    /// Keeps the first damage found: later ones are usually its consequence.
    fn note(&mut self, damage: String) {
        self.damage.get_or_insert(damage);
    }
}
