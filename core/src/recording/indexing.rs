//! The index of an MCAP file: which topics there are, and where their messages lie.
//!
//! It is made in one pass over the record heads: chunks are skipped and the message indexes behind them read. It needs no
//! summary, so a file that a power loss cut short opens like any other and keeps all that was whole. A chunk whose message
//! indexes are missing is unpacked and scanned instead.
//!
//! Reference: the MCAP specification, <https://mcap.dev/spec>.

use super::mcap_file::{Channel, McapFile, MessagePlace, NO_CHUNK, Reader, Topic, UNSET};
use super::topics::READ_SCHEMAS;
use super::unpacking::{RECORD_HEAD, record_at};
use crate::{Error, Result};
use mcap::records::{MessageIndex, Record, op};
use std::collections::BTreeMap;

/// Messages of topics that can be read, at most: 32 bytes each. Six days of pictures, 30 a second.
const MESSAGES_LIMIT: usize = 1 << 24;
/// Bytes of one schema or channel, at most. Foxglove's largest schema has some kilobytes.
const DEFINITION_LIMIT: u64 = 16 << 20;
/// Bytes of what is kept of all schemas and channels, at most.
const DEFINITIONS_LIMIT: usize = 64 << 20;
/// Chunks, at most: 40 bytes each. 4 TB of chunks of a usual size.
const CHUNKS_LIMIT: usize = 1 << 22;
/// A chunk's record is longer: times, sizes, checksum and the length of a name.
const LEAST_CHUNK: u64 = 40;
/// Bytes of a message record up to its data: channel, sequence, log time, publish time.
pub(super) const MESSAGE_HEAD: usize = 22;
/// Bytes of a message's entry in an index.
const INDEX_ENTRY: u64 = 16;

/// What to take from a scanned chunk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    Channels,
    Everything,
}

/// The pass that finds channels, chunks and messages.
pub(super) struct Indexer {
    reader: Reader,
    /// Names by id.
    schemas: BTreeMap<u16, String>,
    channels: BTreeMap<u16, Channel>,
    /// By channel, in the order of the file; a message may be known before its channel is.
    messages: BTreeMap<u16, Vec<MessagePlace>>,
    /// Messages in the index so far.
    count: usize,
    /// Bytes of definitions so far.
    defined: usize,
    /// The chunk whose message indexes are being read.
    unfinished_chunk: Option<usize>,
    damage: Option<String>,
}

impl Indexer {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            schemas: BTreeMap::new(),
            channels: BTreeMap::new(),
            messages: BTreeMap::new(),
            count: 0,
            defined: 0,
            unfinished_chunk: None,
            damage: None,
        }
    }

    /// Reads the file through.
    ///
    /// # Errors
    /// As [`McapFile::open`].
    pub(super) fn index(mut self) -> Result<McapFile> {
        self.walk()?;
        let mut file = McapFile { reader: self.reader, channels: Vec::new(), topics: Vec::new(), damage: self.damage };
        let mut topics: BTreeMap<String, (Vec<usize>, Vec<MessagePlace>)> = BTreeMap::new();
        for (number, (id, channel)) in self.channels.into_iter().enumerate() {
            let mut messages = self.messages.remove(&id).unwrap_or_default();
            messages.iter_mut().for_each(|place| place.channel = number as u16);
            if channel.is_used {
                let topic = topics.entry(channel.topic.clone()).or_default();
                topic.0.push(number);
                topic.1.append(&mut messages);
            }
            file.channels.push(channel);
        }
        let topics = topics.into_iter().map(|(name, (channels, messages))| Topic { name, channels, messages });
        let mut topics: Vec<Topic> = topics.collect();
        for topic in &mut topics {
            topic.messages.sort_by_key(|place| file.position(*place));
        }
        file.topics = topics;
        Ok(file)
    }

    fn walk(&mut self) -> Result<()> {
        self.check_magic()?;
        let mut offset = mcap::MAGIC.len() as u64;
        // Message indexes of the last chunk, kept until the next record shows that they are complete.
        let mut indexes: Vec<MessageIndex> = Vec::new();
        let mut data_ended = false;
        loop {
            let head = self.reader.head(offset)?;
            if let Some((op::MESSAGE_INDEX, length)) = head {
                self.take_index(offset, length, &mut indexes)?;
            } else {
                self.close_chunk(std::mem::take(&mut indexes), head.is_some())?;
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
                op::CHUNK if length < LEAST_CHUNK => {
                    self.note(format!("record at {offset}: a chunk of {length} bytes"));
                }
                op::CHUNK => {
                    if self.reader.chunks.len() == CHUNKS_LIMIT {
                        return Err(self.too_many(CHUNKS_LIMIT, "chunks"));
                    }
                    self.unfinished_chunk = Some(self.reader.chunks.len());
                    self.reader.add_chunk(offset);
                }
                op::SCHEMA | op::CHANNEL if length > DEFINITION_LIMIT => {
                    self.note(format!("record at {offset}: a schema or channel of {length} bytes"));
                }
                op::SCHEMA | op::CHANNEL => {
                    let body = self.reader.record(offset)?;
                    self.take_record(opcode, &body, NO_CHUNK, offset)?;
                }
                op::MESSAGE => {
                    let head = self.reader.bytes(offset + RECORD_HEAD, length.min(MESSAGE_HEAD as u64))?;
                    self.take_record(opcode, &head, NO_CHUNK, offset)?;
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

    fn take_index(&mut self, offset: u64, length: u64, indexes: &mut Vec<MessageIndex>) -> Result<()> {
        let held: usize = indexes.iter().map(|index| index.records.len()).sum();
        if length / INDEX_ENTRY + held as u64 > MESSAGES_LIMIT as u64 || indexes.len() > usize::from(u16::MAX) {
            return Err(self.too_many(MESSAGES_LIMIT, "messages"));
        }
        let body = self.reader.bytes(offset + RECORD_HEAD, length)?;
        if let Ok(Record::MessageIndex(index)) = mcap::parse_record(op::MESSAGE_INDEX, &body) {
            indexes.push(index);
        }
        Ok(())
    }

    /// Takes in the messages of the chunk read last, from its indexes if they are complete, else by scanning it.
    fn close_chunk(&mut self, indexes: Vec<MessageIndex>, complete: bool) -> Result<()> {
        let Some(chunk) = self.unfinished_chunk.take() else { return Ok(()) };
        if !complete || indexes.is_empty() {
            return self.scan_chunk(chunk, Take::Everything);
        }
        if indexes.iter().any(|index| !self.channels.contains_key(&index.channel_id)) {
            self.scan_chunk(chunk, Take::Channels)?;
        }
        for index in indexes {
            for at in index.records {
                self.take_message(index.channel_id, at.log_time, chunk as u32, at.offset)?;
            }
        }
        Ok(())
    }

    fn scan_chunk(&mut self, chunk: usize, take: Take) -> Result<()> {
        let bytes = match self.reader.chunk(chunk) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.note(error.to_string());
                return Ok(());
            }
        };
        let mut offset = 0;
        while let Some((opcode, body)) = record_at(&bytes, offset) {
            let wanted =
                matches!(opcode, op::SCHEMA | op::CHANNEL) || (opcode == op::MESSAGE && take == Take::Everything);
            if wanted {
                self.take_record(opcode, &body, chunk as u32, offset)?;
            }
            offset += RECORD_HEAD + body.len() as u64;
        }
        Ok(())
    }

    fn take_record(&mut self, opcode: u8, body: &[u8], chunk: u32, offset: u64) -> Result<()> {
        match mcap::parse_record(opcode, body) {
            Ok(Record::Schema { header, .. }) => match self.schemas.get(&header.id) {
                Some(known) if *known == header.name => {}
                Some(known) => {
                    let what = format!("schema {} stands for {known} and for {}", header.id, header.name);
                    return Err(self.reader.damaged(what));
                }
                None => {
                    self.define(header.name.len())?;
                    self.schemas.insert(header.id, header.name);
                }
            },
            Ok(Record::Channel(channel)) => return self.take_channel(channel),
            Ok(Record::Message { header, .. }) => {
                return self.take_message(header.channel_id, header.log_time, chunk, offset);
            }
            Ok(_) => {}
            Err(error) => self.note(format!("record at {offset}: {error}")),
        }
        Ok(())
    }

    fn take_channel(&mut self, channel: mcap::records::Channel) -> Result<()> {
        let schema = self.schemas.get(&channel.schema_id).cloned().unwrap_or_default();
        if let Some(known) = self.channels.get_mut(&channel.id) {
            let same = known.topic == channel.topic && known.encoding == channel.message_encoding;
            if same && known.schema.is_empty() {
                // Its schema was in a part that is lost.
                known.schema = schema;
                return Ok(());
            }
            if same && (schema.is_empty() || known.schema == schema) {
                return Ok(());
            }
            let what = format!(
                "channel {} stands for {} ({known}) and for {} ({schema}, {})",
                channel.id, known.topic, channel.topic, channel.message_encoding
            );
            return Err(self.reader.damaged(what));
        }
        let texts: usize = channel.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.define(channel.topic.len() + channel.message_encoding.len() + texts + schema.len())?;
        let made = Channel {
            topic: channel.topic,
            schema,
            encoding: channel.message_encoding,
            metadata: channel.metadata,
            is_used: self.messages.contains_key(&channel.id),
        };
        self.channels.insert(channel.id, made);
        Ok(())
    }

    /// Takes in a message of a topic that can be read; of others, that there are some.
    fn take_message(&mut self, channel_id: u16, time: u64, chunk: u32, offset: u64) -> Result<()> {
        if let Some(channel) = self.channels.get_mut(&channel_id) {
            channel.is_used = true;
            let is_read = channel.encoding == "json" || READ_SCHEMAS.iter().any(|schema| channel.is(schema));
            let is_read = is_read || channel.schema.is_empty();
            if !is_read {
                return Ok(());
            }
        }
        if self.count == MESSAGES_LIMIT {
            return Err(self.too_many(MESSAGES_LIMIT, "messages"));
        }
        self.count += 1;
        let place = MessagePlace { time, stamp: UNSET, offset, chunk, channel: 0 };
        self.messages.entry(channel_id).or_default().push(place);
        Ok(())
    }

    /// Counts what is kept of a definition.
    fn define(&mut self, bytes: usize) -> Result<()> {
        self.defined += bytes;
        if self.defined <= DEFINITIONS_LIMIT {
            return Ok(());
        }
        Err(self.reader.damaged(format!("more than {} MiB of schemas and channels", DEFINITIONS_LIMIT >> 20)))
    }

    fn too_many(&self, limit: usize, what: &str) -> Error {
        Error::Recording {
            what: format!("more than {limit} {what}"),
            path: self.reader.path.clone(),
            hint: "keep the topics that are needed, or cut the file: `mcap filter IN -o OUT -y TOPIC --end TIME`",
        }
    }

    /// Keeps the first damage found: later ones are usually its consequence.
    fn note(&mut self, damage: String) {
        self.damage.get_or_insert(damage);
    }
}
