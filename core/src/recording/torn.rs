//! Making a torn recording whole: what a killed or powered-off recorder left behind.
//!
//! ```text
//! magic │ header │ chunk, indexes │ … │ chunk, indexes │ half a chunk
//!                                                      └► cut off; data end, summary, footer, magic
//! ```
//!
//! The end is written in place: it needs no second file's space, which a full disk would not have. Where even the end does
//! not fit, the last chunk makes room for it.
//!
//! Reference: the MCAP specification, <https://mcap.dev/spec>.

use super::unpacking::{CHUNK_LIMIT, RECORD_HEAD, record_at, split_head, unpack};
use crate::{Error, Result};
use binrw::{BinRead as _, BinWrite as _};
use mcap::records::{ChunkHeader, ChunkIndex, DataEnd, Footer, MetadataIndex, Record, Statistics, op};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Cursor, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// More than the fixed part of a chunk's record, whose longest text is the name of a compression.
const CHUNK_HEADER_BYTES: u64 = 128;

/// Makes `NAME.partial` whole and gives it its final name, which is returned; removes it where not one chunk of it is whole.
///
/// # Errors
/// It is no MCAP file, or cannot be read, written or renamed.
pub fn make_whole(partial: &Path) -> Result<Option<PathBuf>> {
    let mut torn = Torn::open(partial)?;
    if !torn.ended {
        torn.drop_damaged()?;
        loop {
            if torn.chunks.is_empty() {
                std::fs::remove_file(partial).map_err(Error::io("remove", partial))?;
                return Ok(None);
            }
            match torn.write_end() {
                Ok(()) => break,
                Err(source) if is_out_of_space(&source) => drop(torn.chunks.pop()),
                Err(source) => return Err(Error::io("write", partial)(source)),
            }
        }
    }
    let whole = partial.with_extension("");
    crate::files::rename_durably(partial, &whole)?;
    Ok(Some(whole))
}

/// Whether the system has no room for more: the disk, the user's quota or the size that a file may have.
pub fn is_out_of_space(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// A torn file and what was found whole in it.
struct Torn {
    path: PathBuf,
    file: File,
    length: u64,
    /// Records outside chunks that the end names: where they start, how long they are, their names.
    metadata: Vec<MetadataIndex>,
    chunks: Vec<Chunk>,
    /// Where the first chunk or, without one, the end goes.
    data_start: u64,
    /// Whether the file has its footer: only its name is missing.
    ended: bool,
}

/// A whole chunk.
struct Chunk {
    index: ChunkIndex,
    /// The end of its message indexes.
    end: u64,
    /// Messages by channel.
    messages: BTreeMap<u16, u64>,
}

impl Torn {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let start = mcap::MAGIC.len() as u64;
        let mut torn = Self {
            path: path.to_path_buf(),
            file,
            length,
            metadata: Vec::new(),
            chunks: Vec::new(),
            data_start: start,
            ended: false,
        };
        let starts = length >= start && torn.bytes(0, start)? == mcap::MAGIC;
        if !starts && length > 0 {
            return Err(Error::Recording {
                what: "expected a recording that was not finished, found something else".into(),
                path: path.to_path_buf(),
                hint: "move the file elsewhere",
            });
        }
        torn.walk()?;
        Ok(torn)
    }

    fn bytes(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    /// Opcode and body length of the record at `offset`; none where the file ends before the record does.
    fn head(&self, offset: u64) -> Result<Option<(u8, u64)>> {
        if offset + RECORD_HEAD > self.length {
            return Ok(None);
        }
        let (opcode, length) = split_head(&self.bytes(offset, RECORD_HEAD)?);
        // No recorder of ours writes longer records: their memory is not asked for.
        let fits = length <= (self.length - offset - RECORD_HEAD).min(CHUNK_LIMIT);
        Ok(fits.then_some((opcode, length)))
    }

    fn walk(&mut self) -> Result<()> {
        let mut offset = self.data_start;
        while let Some((opcode, length)) = self.head(offset)? {
            let (body, next) = (offset + RECORD_HEAD, offset + RECORD_HEAD + length);
            match opcode {
                op::CHUNK => {
                    let Some(chunk) = self.chunk(offset, next)? else { break };
                    self.chunks.push(chunk);
                }
                op::MESSAGE_INDEX => self.take_index(offset, next)?,
                op::METADATA => {
                    if let Ok(Record::Metadata(found)) = mcap::parse_record(opcode, &self.bytes(body, length)?) {
                        self.metadata.push(MetadataIndex { offset, length: next - offset, name: found.name });
                    }
                }
                op::FOOTER => {
                    let magic = mcap::MAGIC.len() as u64;
                    self.ended = next + magic == self.length && self.bytes(next, magic)? == mcap::MAGIC;
                    break;
                }
                _ => {}
            }
            if self.chunks.is_empty() {
                self.data_start = next;
            }
            offset = next;
        }
        Ok(())
    }

    fn chunk(&self, start: u64, end: u64) -> Result<Option<Chunk>> {
        let body = start + RECORD_HEAD;
        let head = self.bytes(body, CHUNK_HEADER_BYTES.min(end - body))?;
        let Ok(header) = ChunkHeader::read_le(&mut Cursor::new(head)) else { return Ok(None) };
        let index = ChunkIndex {
            message_start_time: header.message_start_time,
            message_end_time: header.message_end_time,
            chunk_start_offset: start,
            chunk_length: end - start,
            message_index_offsets: BTreeMap::new(),
            message_index_length: 0,
            compression: header.compression,
            compressed_size: header.compressed_size,
            uncompressed_size: header.uncompressed_size,
        };
        Ok(Some(Chunk { index, end, messages: BTreeMap::new() }))
    }

    fn take_index(&mut self, start: u64, end: u64) -> Result<()> {
        let body = self.bytes(start + RECORD_HEAD, end - start - RECORD_HEAD)?;
        if let (Some(chunk), Ok(Record::MessageIndex(found))) =
            (self.chunks.last_mut(), mcap::parse_record(op::MESSAGE_INDEX, &body))
        {
            chunk.messages.insert(found.channel_id, found.records.len() as u64);
            chunk.index.message_index_offsets.insert(found.channel_id, start);
            chunk.end = end;
            chunk.index.message_index_length = end - chunk.index.chunk_start_offset - chunk.index.chunk_length;
        }
        Ok(())
    }

    /// Takes last chunks away until one is what its checksum says; and its indexes, if they do not name all its messages.
    /// Chunks before it were on the disk before it was begun.
    fn drop_damaged(&mut self) -> Result<()> {
        while let Some(last) = self.chunks.last() {
            let (start, length) = (last.index.chunk_start_offset, last.index.chunk_length);
            if let Ok(records) = unpack(&self.bytes(start, length)?) {
                let mut messages: BTreeMap<u16, u64> = BTreeMap::new();
                records_in(&records, |record| {
                    if let Record::Message { header, .. } = record {
                        *messages.entry(header.channel_id).or_default() += 1;
                    }
                });
                if let Some(last) = self.chunks.last_mut().filter(|last| last.messages != messages) {
                    last.index.message_index_offsets.clear();
                    last.index.message_index_length = 0;
                    (last.messages, last.end) = (messages, start + length);
                }
                return Ok(());
            }
            self.chunks.pop();
        }
        Ok(())
    }

    /// Cuts the file behind the last chunk and writes its end there.
    fn write_end(&mut self) -> std::io::Result<()> {
        let end = self.chunks.last().map_or(self.data_start, |chunk| chunk.end);
        self.file.set_len(end)?;
        let bytes = self.end_records(end).map_err(std::io::Error::other)?;
        self.file.seek(SeekFrom::Start(end))?;
        self.file.write_all(&bytes)?;
        self.file.sync_all()
    }

    /// Data end, summary, footer and magic of a file whose data end at `offset`.
    fn end_records(&self, offset: u64) -> Result<Vec<u8>> {
        let mut bytes = record(op::DATA_END, |to| DataEnd { data_section_crc: 0 }.write_le(to));
        let summary_start = offset + bytes.len() as u64;
        let definitions = self.definitions()?;
        let count = |opcode| definitions.keys().filter(|(found, _)| *found == opcode).count();
        bytes.extend(definitions.values().flatten());
        let mut messages: BTreeMap<u16, u64> = BTreeMap::new();
        for (channel, more) in self.chunks.iter().flat_map(|chunk| &chunk.messages) {
            *messages.entry(*channel).or_default() += more;
        }
        let times = |time: fn(&ChunkIndex) -> u64| self.chunks.iter().map(move |chunk| time(&chunk.index));
        let statistics = Statistics {
            message_count: messages.values().sum(),
            schema_count: count(op::SCHEMA) as u16,
            channel_count: count(op::CHANNEL) as u32,
            attachment_count: 0,
            metadata_count: self.metadata.len() as u32,
            chunk_count: self.chunks.len() as u32,
            message_start_time: times(|index| index.message_start_time).min().unwrap_or(0),
            message_end_time: times(|index| index.message_end_time).max().unwrap_or(0),
            channel_message_counts: messages,
        };
        bytes.extend(record(op::STATISTICS, |to| statistics.write_le(to)));
        for chunk in &self.chunks {
            bytes.extend(record(op::CHUNK_INDEX, |to| chunk.index.write_le(to)));
        }
        for metadata in &self.metadata {
            bytes.extend(record(op::METADATA_INDEX, |to| metadata.write_le(to)));
        }
        // Without checksum and without offsets into the summary: both may be 0.
        let footer = Footer { summary_start, summary_offset_start: 0, summary_crc: 0 };
        bytes.extend(record(op::FOOTER, |to| footer.write_le(to)));
        bytes.extend(mcap::MAGIC);
        Ok(bytes)
    }

    /// The records of all schemas and channels, schemas first, by kind and id. Each is in the first chunk that needs it.
    fn definitions(&self) -> Result<BTreeMap<(u8, u16), Vec<u8>>> {
        let mut found = BTreeMap::new();
        for chunk in &self.chunks {
            if chunk.messages.keys().all(|channel| found.contains_key(&(op::CHANNEL, *channel))) {
                continue;
            }
            let packed = self.bytes(chunk.index.chunk_start_offset, chunk.index.chunk_length)?;
            let records = unpack(&packed).map_err(|error| Error::Recording {
                what: format!("damaged MCAP file: chunk at {}: {error}", chunk.index.chunk_start_offset),
                path: self.path.clone(),
                hint: "part of the file is lost; `mcap recover` writes what is whole to a new file",
            })?;
            let mut offset = 0;
            while let Some((opcode, body)) = record_at(&records, offset) {
                let next = offset + RECORD_HEAD + body.len() as u64;
                let id = match mcap::parse_record(opcode, &body) {
                    Ok(Record::Schema { header, .. }) => Some(header.id),
                    Ok(Record::Channel(channel)) => Some(channel.id),
                    _ => None,
                };
                if let Some(id) = id {
                    found.entry((opcode, id)).or_insert_with(|| records[offset as usize..next as usize].to_vec());
                }
                offset = next;
            }
        }
        Ok(found)
    }
}

fn records_in(records: &prost::bytes::Bytes, mut each: impl FnMut(Record)) {
    let mut offset = 0;
    while let Some((opcode, body)) = record_at(records, offset) {
        if let Ok(record) = mcap::parse_record(opcode, &body) {
            each(record);
        }
        offset += RECORD_HEAD + body.len() as u64;
    }
}

/// A record with its head; writing to memory does not fail.
fn record(opcode: u8, write: impl FnOnce(&mut Cursor<Vec<u8>>) -> binrw::BinResult<()>) -> Vec<u8> {
    let mut body = Cursor::new(Vec::new());
    let _ = write(&mut body);
    let body = body.into_inner();
    let mut bytes = vec![opcode];
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(body);
    bytes
}
