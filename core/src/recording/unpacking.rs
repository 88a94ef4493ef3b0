//! Chunks of an MCAP file: unpacked with buffers that are kept, so that a recording looped for days on a board needs the
//! memory of its first seconds.
//!
//! Reference: the MCAP specification, <https://mcap.dev/spec>.

use mcap::McapError;
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use prost::bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Opcode (1 byte) and length (8 bytes) before each record.
pub(super) const RECORD_HEAD: u64 = 9;
/// No chunk may unpack to more. Writers make chunks of 1 to 4 MiB; a raw picture of 40 megapixels fits.
pub(super) const CHUNK_LIMIT: u64 = 128 << 20;
/// Unpacked chunks kept of a recording: enough for every loader thread of a training run to find a chunk's neighbours again.
const KEPT_CHUNKS: usize = 16;
/// Bytes of unpacked chunks kept of all recordings of the program. The chunk used last is kept whatever its size.
const KEPT_BYTES: usize = 64 << 20;
/// Chunks beyond this are unpacked one at a time, and their buffers are given back.
const LARGE_CHUNK: u64 = 8 << 20;
/// Bytes of a chunk record up to the end of its field `uncompressed_size`, behind the times of the first and last message.
pub(super) const UP_TO_SIZE: usize = RECORD_HEAD as usize + 24;

/// Unpacks one chunk after another; its buffers grow to the largest and stay.
pub(super) struct Unpacker(LinearReader);

impl Default for Unpacker {
    fn default() -> Self {
        let options = LinearReaderOptions::default()
            .with_skip_start_magic(true)
            .with_skip_end_magic(true)
            .with_prevalidate_chunk_crcs(true)
            .with_record_length_limit(CHUNK_LIMIT as usize);
        Self(LinearReader::new_with_options(options))
    }
}

impl Unpacker {
    /// Unpacks a chunk record (from its head on) to the records inside, heads included, so that index offsets hold. They
    /// replace what is in `records`.
    ///
    /// # Errors
    /// `chunk` cannot be read, is damaged or says that it unpacks to more than [`CHUNK_LIMIT`]; the unpacker is then of no more
    /// use.
    pub(super) fn unpack(&mut self, mut chunk: impl Read, records: &mut BytesMut) -> Result<(), McapError> {
        let mut head = [0; UP_TO_SIZE];
        chunk.read_exact(&mut head)?;
        let (_, length) = split_head(&head);
        let mut rest =
            RECORD_HEAD.saturating_add(length).checked_sub(UP_TO_SIZE as u64).ok_or(McapError::UnexpectedEof)?;
        let size = stated_size(&head);
        if size > CHUNK_LIMIT {
            return Err(McapError::ChunkTooLarge(size));
        }
        self.0.insert(UP_TO_SIZE).copy_from_slice(&head);
        self.0.notify_read(UP_TO_SIZE);
        records.clear();
        // Not doubled on the way; what is not filled is no memory yet.
        records.reserve(size as usize);
        loop {
            match self.0.next_event().ok_or(McapError::UnexpectedEof)?? {
                LinearReadEvent::Record { data, .. }
                    if records.len() as u64 + RECORD_HEAD + data.len() as u64 > size =>
                {
                    return Err(McapError::UnexpectedEoc);
                }
                LinearReadEvent::Record { data, opcode } => {
                    records.put_u8(opcode);
                    records.put_u64_le(data.len() as u64);
                    records.put_slice(data);
                }
                // The chunk is over. Within it the unpacker would have asked for more than there is.
                LinearReadEvent::ReadRequest(_) if rest == 0 => {
                    return if records.len() as u64 == size { Ok(()) } else { Err(McapError::UnexpectedEoc) };
                }
                LinearReadEvent::ReadRequest(wanted) => {
                    let count = rest.min(wanted as u64) as usize;
                    chunk.read_exact(self.0.insert(count))?;
                    self.0.notify_read(count);
                    rest -= count as u64;
                }
            }
        }
    }
}

/// What a chunk unpacks to, by its own words: the first bytes of its record are enough.
pub(super) fn stated_size(head: &[u8; UP_TO_SIZE]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|at| head[UP_TO_SIZE - 8 + at]))
}

/// Unpacks a single chunk record.
///
/// # Errors
/// As for [`Unpacker::unpack`].
pub(super) fn unpack(chunk: &[u8]) -> Result<Bytes, McapError> {
    let mut records = BytesMut::new();
    Unpacker::default().unpack(chunk, &mut records)?;
    Ok(records.freeze())
}

/// Opcode and body of the record at `offset` of an unpacked chunk.
pub(super) fn record_at(chunk: &Bytes, offset: u64) -> Option<(u8, Bytes)> {
    let start = usize::try_from(offset).ok()?;
    let head = chunk.get(start..start.checked_add(RECORD_HEAD as usize)?)?;
    let (opcode, length) = split_head(head);
    let body = start + RECORD_HEAD as usize;
    let end = body.checked_add(usize::try_from(length).ok()?)?;
    (end <= chunk.len()).then(|| (opcode, chunk.slice(body..end)))
}

/// Opcode and length of the body.
pub(super) fn split_head(head: &[u8]) -> (u8, u64) {
    let length = std::array::from_fn(|at| head[1 + at]);
    (head[0], u64::from_le_bytes(length))
}

/// The chunks of one recording used last, and what those before them leave to the next. All recordings of the program share
/// one bound of memory, so that a folder of them costs no more than one.
pub(super) struct ChunkCache {
    /// Whose chunks these are.
    recording: u64,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { chunks: VecDeque::new(), bytes: 0, idle: Vec::new() });
/// Held while a large chunk is unpacked.
static LARGE: Mutex<()> = Mutex::new(());

struct Kept {
    /// Most recently used last.
    chunks: VecDeque<KeptChunk>,
    /// Memory of them all.
    bytes: usize,
    /// As many as there have been threads unpacking at a time.
    idle: Vec<Unpacker>,
}

#[derive(Clone)]
struct KeptChunk {
    recording: u64,
    index: usize,
    records: Bytes,
    /// Memory behind `records`.
    capacity: usize,
}

impl Kept {
    fn position(&self, recording: u64, index: usize) -> Option<usize> {
        self.chunks.iter().position(|chunk| (chunk.recording, chunk.index) == (recording, index))
    }

    fn remove(&mut self, at: usize) -> Option<KeptChunk> {
        let chunk = self.chunks.remove(at)?;
        self.bytes -= chunk.capacity;
        Some(chunk)
    }

    /// Forgets what is too much beside a chunk of `size` bytes. Gives the memory of the recording's oldest chunk, if it is that
    /// one's turn and nobody reads it any more.
    fn make_room(&mut self, recording: u64, size: usize) -> Option<BytesMut> {
        let own = || self.chunks.iter().enumerate().filter(|(_, chunk)| chunk.recording == recording);
        let oldest = own().next().filter(|_| own().count() >= KEPT_CHUNKS).map(|(at, _)| at);
        let oldest = oldest.and_then(|at| self.remove(at));
        while self.bytes + size > KEPT_BYTES && self.remove(0).is_some() {}
        oldest.and_then(|chunk| chunk.records.try_into_mut().ok())
    }
}

impl Default for ChunkCache {
    fn default() -> Self {
        static RECORDINGS: AtomicU64 = AtomicU64::new(0);
        Self { recording: RECORDINGS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for ChunkCache {
    fn drop(&mut self) {
        let mut kept = kept();
        while let Some(at) = kept.chunks.iter().position(|chunk| chunk.recording == self.recording) {
            kept.remove(at);
        }
    }
}

impl std::fmt::Debug for ChunkCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = kept();
        let own = kept.chunks.iter().filter(|chunk| chunk.recording == self.recording);
        f.debug_list().entries(own.map(|chunk| chunk.index)).finish()
    }
}

impl ChunkCache {
    /// The records of a chunk that says it has `size` bytes of them; `unpack` is called where they are not kept.
    ///
    /// # Errors
    /// Those of `unpack`.
    pub(super) fn get<E>(
        &self,
        index: usize,
        size: u64,
        unpack: impl FnOnce(&mut Unpacker, &mut BytesMut) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        let is_large = size > LARGE_CHUNK;
        // Taken before the look: another thread may have unpacked the same chunk meanwhile.
        let _one_at_a_time = is_large.then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut unpacker, mut records) = {
            let mut kept = kept();
            if let Some(found) = kept.position(self.recording, index).and_then(|at| kept.remove(at)) {
                let records = found.records.clone();
                kept.bytes += found.capacity;
                kept.chunks.push_back(found);
                return Ok(records);
            }
            let buffer = kept.make_room(self.recording, size.min(CHUNK_LIMIT) as usize);
            let buffer = buffer.filter(|buffer| buffer.capacity() as u64 <= LARGE_CHUNK);
            (kept.idle.pop().unwrap_or_default(), buffer.unwrap_or_default())
        };
        // Without the lock: loader threads unpack side by side.
        unpack(&mut unpacker, &mut records)?;
        let capacity = records.capacity();
        let records = records.freeze();
        let mut kept = kept();
        if !is_large {
            kept.idle.push(unpacker);
        }
        kept.bytes += capacity;
        kept.chunks.push_back(KeptChunk { recording: self.recording, index, records: records.clone(), capacity });
        Ok(records)
    }
}

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcap::records::{MessageHeader, op};
    use std::io::Cursor;

    /// The chunk records of a file with `count` chunks of a message with `bytes` equal bytes each: 0, 1, 2 ...
    fn chunks(count: u8, bytes: usize, compression: Option<mcap::Compression>) -> Vec<Vec<u8>> {
        let mut file = Cursor::new(Vec::new());
        let options = mcap::WriteOptions::new().compression(compression);
        let mut writer = mcap::Writer::with_options(&mut file, options).unwrap();
        let channel_id = writer.add_channel(0, "bytes", "raw", &std::collections::BTreeMap::new()).unwrap();
        for value in 0..count {
            let header = MessageHeader { channel_id, sequence: 0, log_time: 0, publish_time: 0 };
            writer.write_to_known_channel(&header, &vec![value; bytes]).unwrap();
            writer.flush().unwrap();
        }
        writer.finish().unwrap();
        drop(writer);
        let (file, mut at, mut found) = (file.into_inner(), mcap::MAGIC.len(), Vec::new());
        while at + RECORD_HEAD as usize <= file.len() - mcap::MAGIC.len() {
            let (opcode, length) = split_head(&file[at..]);
            let end = at + (RECORD_HEAD + length) as usize;
            if opcode == op::CHUNK {
                found.push(file[at..end].to_vec());
            }
            at = end;
        }
        assert_eq!(found.len(), usize::from(count));
        found
    }

    fn size_of(chunk: &[u8]) -> u64 {
        chunk.first_chunk().map_or(0, stated_size)
    }

    /// The bytes of the message in an unpacked chunk.
    fn data(records: &Bytes) -> Bytes {
        let mut offset = 0;
        loop {
            let (opcode, body) = record_at(records, offset).unwrap();
            if opcode == op::MESSAGE {
                return body.slice(22..); // behind channel, sequence and both times
            }
            offset += RECORD_HEAD + body.len() as u64;
        }
    }

    #[test]
    fn one_unpacker_takes_chunks_of_every_size_and_packing() {
        let packings = [None, Some(mcap::Compression::Zstd), Some(mcap::Compression::Lz4)];
        let (mut unpacker, mut records) = (Unpacker::default(), BytesMut::new());
        for bytes in [1, 100_000, 3, 5_000] {
            for packing in packings {
                for (value, chunk) in chunks(3, bytes, packing).iter().enumerate() {
                    unpacker.unpack(chunk.as_slice(), &mut records).unwrap();
                    let found = data(&Bytes::copy_from_slice(&records));
                    assert!(
                        found.len() == bytes && found.iter().all(|&byte| usize::from(byte) == value),
                        "{packing:?}"
                    );
                    assert_eq!(unpack(chunk).unwrap(), records);
                }
            }
        }
    }

    #[test]
    fn a_chunk_cut_short_or_of_another_size_than_it_says_is_refused() {
        for packing in [None, Some(mcap::Compression::Zstd), Some(mcap::Compression::Lz4)] {
            let chunk = &chunks(1, 1_000, packing)[0];
            for length in 0..chunk.len() {
                assert!(unpack(&chunk[..length]).is_err(), "{packing:?}: {length} of {} bytes", chunk.len());
            }
            let mut wrong = chunk.clone();
            wrong[UP_TO_SIZE - 8] += 1;
            assert!(unpack(&wrong).is_err(), "{packing:?}");
        }
    }

    #[test]
    fn after_the_first_chunks_their_memory_is_used_again() {
        let chunks = chunks(40, 50_000, Some(mcap::Compression::Zstd));
        let cache = ChunkCache::default();
        let get = |index: usize| {
            let chunk = &chunks[index];
            let records = cache
                .get(index, size_of(chunk), |unpacker, records| unpacker.unpack(chunk.as_slice(), records))
                .unwrap();
            assert!(data(&records).iter().all(|&byte| usize::from(byte) == index), "chunk {index}");
            records
        };
        let mut places = std::collections::BTreeSet::new();
        // The first chunk holds the channel too and is larger.
        for _ in 0..3 {
            places.extend((1..chunks.len()).map(|index| get(index).as_ptr()));
        }
        assert_eq!(places.len(), KEPT_CHUNKS);
        // What somebody still reads is not written over.
        let held = get(5);
        (0..chunks.len()).for_each(|index| drop(get(index)));
        assert!(data(&held).iter().all(|&byte| byte == 5));
    }

    #[test]
    fn a_chunk_that_says_it_is_too_large_is_refused_before_it_is_unpacked() {
        for packing in [None, Some(mcap::Compression::Zstd), Some(mcap::Compression::Lz4)] {
            let mut chunk = chunks(1, 1_000, packing).remove(0);
            chunk[UP_TO_SIZE - 8..UP_TO_SIZE].copy_from_slice(&(CHUNK_LIMIT + 1).to_le_bytes());
            let mut records = BytesMut::new();
            let error = Unpacker::default().unpack(chunk.as_slice(), &mut records).unwrap_err();
            assert!(matches!(error, McapError::ChunkTooLarge(_)), "{error}");
            assert_eq!(records.capacity(), 0);
        }
    }

    #[test]
    fn a_chunk_that_unpacks_to_more_than_it_says_is_refused_at_what_it_says() {
        for packing in [Some(mcap::Compression::Zstd), Some(mcap::Compression::Lz4)] {
            // 40 MB of nothing in some kilobytes.
            let mut chunk = chunks(1, 40 << 20, packing).remove(0);
            assert!(chunk.len() < 1 << 20);
            chunk[UP_TO_SIZE - 8..UP_TO_SIZE].copy_from_slice(&1000_u64.to_le_bytes());
            let mut records = BytesMut::new();
            assert!(Unpacker::default().unpack(chunk.as_slice(), &mut records).is_err());
            assert!(records.capacity() <= 2000, "{packing:?}: {}", records.capacity());
        }
    }

    #[test]
    fn all_recordings_together_keep_no_more_than_is_said() {
        let chunk = chunks(1, 9 << 20, Some(mcap::Compression::Zstd)).remove(0);
        let caches: Vec<ChunkCache> = (0..4).map(|_| ChunkCache::default()).collect();
        for index in 0..5 {
            for cache in &caches {
                let get = cache.get(index, size_of(&chunk), |unpacker, records| unpacker.unpack(&chunk[..], records));
                assert_eq!(data(&get.unwrap()).len(), 9 << 20);
                assert!(kept().bytes <= KEPT_BYTES, "{}", kept().bytes);
            }
        }
        let of = |cache: &ChunkCache| kept().chunks.iter().filter(|kept| kept.recording == cache.recording).count();
        assert!(caches.iter().any(|cache| of(cache) > 0));
        let recordings: Vec<u64> = caches.iter().map(|cache| cache.recording).collect();
        drop(caches);
        assert!(!kept().chunks.iter().any(|kept| recordings.contains(&kept.recording)), "closed ones keep nothing");
    }

    #[test]
    fn a_damaged_chunk_spoils_no_other() {
        let chunks = chunks(2, 5_000, Some(mcap::Compression::Lz4));
        let cache = ChunkCache::default();
        let get =
            |index, chunk: &[u8]| cache.get(index, size_of(chunk), |unpacker, records| unpacker.unpack(chunk, records));
        let mut damaged = chunks[0].clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        get(0, &chunks[0]).unwrap();
        for index in 2..30 {
            assert!(get(index, &damaged).is_err());
            assert_eq!(get(1, &chunks[1]).unwrap(), unpack(&chunks[1]).unwrap());
        }
        assert_eq!(get(0, &chunks[0]).unwrap(), unpack(&chunks[0]).unwrap());
    }
}
