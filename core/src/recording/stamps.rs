//! The time stamps inside of messages: when a camera or sensor says that something was, whatever time it was received at.
//!
//! Foxglove's messages begin with `google.protobuf.Timestamp timestamp = 1`. Only that field is looked at: of chunks that are
//! not compressed, the first bytes of each message are read; others are unpacked once.

use super::indexing::MESSAGE_HEAD;
use super::mcap_file::{McapFile, MessagePlace, Reader, Topic, UNREADABLE, UNSET};
use super::unpacking::{RECORD_HEAD, record_at, split_head};
use crate::Error;
use mcap::records::op;

/// Bytes of a record's head and its message's, and enough of the message for a time stamp that comes first.
const LOOK: usize = RECORD_HEAD as usize + MESSAGE_HEAD + 32;

/// Reads the stamps of all messages of the given topics, which stand in the order of the file. A message that cannot be read
/// is [`UNREADABLE`]; the first reason why is given.
pub(super) fn read_stamps(file: &McapFile, topics: &mut [Topic]) -> Option<Error> {
    let mut first_error = None;
    let mut places: Vec<&mut MessagePlace> = topics
        .iter_mut()
        .flat_map(|topic| &mut topic.messages)
        .filter(|place| file.channel(**place).encoding == "protobuf")
        .collect();
    // Chunk by chunk, so that each is unpacked once.
    places.sort_by_key(|place| (place.chunk, place.offset));
    let mut chunk = None;
    for place in places {
        let plain = file.reader.chunks.get(place.chunk as usize).map(|chunk| chunk.plain);
        let stamp = match plain {
            None => stamp_in_file(&file.reader, place.offset, file.reader.length),
            Some(Some(start)) => {
                let end = start + file.reader.chunks[place.chunk as usize].size;
                stamp_in_file(&file.reader, start.saturating_add(place.offset), end.min(file.reader.length))
            }
            Some(None) => {
                if chunk.as_ref().is_none_or(|(number, _)| *number != place.chunk) {
                    let records = file.reader.chunk(place.chunk as usize);
                    let records = records.map_err(|error| first_error.get_or_insert(error)).ok();
                    chunk = Some((place.chunk, records));
                }
                let records = chunk.as_ref().and_then(|(_, records)| records.as_ref());
                let record = records.and_then(|records| record_at(records, place.offset));
                record
                    .filter(|(opcode, _)| *opcode == op::MESSAGE)
                    .map(|(_, body)| body.get(MESSAGE_HEAD..).map_or(UNSET, |data| stamp_of(data).unwrap_or(UNSET)))
            }
        };
        place.stamp = stamp.unwrap_or(UNREADABLE);
    }
    first_error
}

/// The stamp of a message record that lies plainly in the file, before `end`; none where there is no such record.
fn stamp_in_file(reader: &Reader, offset: u64, end: u64) -> Option<u64> {
    let mut look = [0; LOOK];
    let count = reader.start_of(offset, &mut look);
    let look = &look[..count];
    let (opcode, length) = split_head(look.get(..RECORD_HEAD as usize)?);
    let next = offset.checked_add(RECORD_HEAD)?.checked_add(length)?;
    if opcode != op::MESSAGE || length < MESSAGE_HEAD as u64 || next > end {
        return None;
    }
    let body = &look[RECORD_HEAD as usize..];
    let body = &body[..body.len().min(length as usize)];
    if let Ok(stamp) = search(&body[MESSAGE_HEAD..], length - MESSAGE_HEAD as u64) {
        return Some(stamp.unwrap_or(UNSET));
    }
    // Another field comes first.
    let body = reader.record(offset).ok()?;
    Some(stamp_of(body.get(MESSAGE_HEAD..)?).unwrap_or(UNSET))
}

/// The stamp of a whole message; none where there is none or it is 0, before 1970 or no message at all.
fn stamp_of(message: &[u8]) -> Option<u64> {
    search(message, message.len() as u64).ok().flatten()
}

/// It takes more than the start of the message.
struct TooShort;

/// Looks for field 1 in the start of a message of `length` bytes.
fn search(start: &[u8], length: u64) -> Result<Option<u64>, TooShort> {
    let mut at = 0;
    while (at as u64) < length {
        let (field, wire) = key(start, &mut at).ok_or(TooShort)?;
        let bytes = match wire {
            0 => varint(start, &mut at).map(|_| 0),
            1 => Some(8),
            2 => varint(start, &mut at),
            5 => Some(4),
            _ => return Ok(None),
        };
        let bytes = usize::try_from(bytes.ok_or(TooShort)?).map_err(|_| TooShort)?;
        let next = at.checked_add(bytes).ok_or(TooShort)?;
        if (field, wire) == (1, 2) {
            return Ok(nanos(start.get(at..next).ok_or(TooShort)?));
        }
        at = next;
    }
    Ok(None)
}

/// Nanoseconds of a `google.protobuf.Timestamp`.
fn nanos(timestamp: &[u8]) -> Option<u64> {
    let (mut at, mut secs, mut nanos) = (0, 0_u64, 0_u64);
    while at < timestamp.len() {
        let (field, wire) = key(timestamp, &mut at)?;
        match (field, wire) {
            (1, 0) => secs = varint(timestamp, &mut at)?,
            (2, 0) => nanos = varint(timestamp, &mut at)?,
            (_, 0) => drop(varint(timestamp, &mut at)?),
            (_, 1) => at += 8,
            (_, 5) => at += 4,
            (_, 2) => at = at.checked_add(usize::try_from(varint(timestamp, &mut at)?).ok()?)?,
            _ => return None,
        }
    }
    // Negative seconds are huge here.
    secs.checked_mul(1_000_000_000)?.checked_add(nanos).filter(|&stamp| stamp != UNSET && stamp != UNREADABLE)
}

fn key(bytes: &[u8], at: &mut usize) -> Option<(u64, u64)> {
    varint(bytes, at).map(|key| (key >> 3, key & 7))
}

/// A number of seven bits a byte, lowest first.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use foxglove::messages::{CompressedImage, RawImage, Timestamp};
    use prost::Message as _;

    #[test]
    fn the_stamp_of_a_message_is_found_wherever_its_field_stands() {
        for (secs, nanos) in [(1_700_000_000, 1), (1, 0), (0, 999_999_999), (4_000_000_000, 5)] {
            let stamp = u64::from(secs) * 1_000_000_000 + u64::from(nanos);
            let timestamp = Some(Timestamp::new(secs, nanos));
            let image = CompressedImage { timestamp, data: vec![1; 300].into(), ..Default::default() };
            let bytes = image.encode_to_vec();
            assert_eq!(stamp_of(&bytes), Some(stamp));
            // The same message with its first field last.
            let first = 2 + bytes[1] as usize;
            let turned = [&bytes[first..], &bytes[..first]].concat();
            assert_eq!(CompressedImage::decode(turned.as_slice()).unwrap(), image);
            assert_eq!(stamp_of(&turned), Some(stamp));
            assert!(search(&turned[..40], turned.len() as u64).is_err(), "40 bytes of it do not tell");
            assert!(search(&bytes[..40], bytes.len() as u64).is_ok_and(|found| found == Some(stamp)));
        }
    }

    #[test]
    fn a_message_without_a_stamp_or_before_1970_has_none() {
        let zero = RawImage { timestamp: Some(Timestamp::new(0, 0)), width: 3, ..Default::default() };
        let none = RawImage { width: 3, ..Default::default() };
        let before = [vec![10, 11, 8], vec![255; 9], vec![1]].concat(); // seconds = -1
        assert_eq!([zero.encode_to_vec(), none.encode_to_vec(), before].map(|bytes| stamp_of(&bytes)), [None; 3]);
    }

    #[test]
    fn no_bytes_at_all_bring_the_search_down() {
        let mut state = 7_u32;
        for length in (0..40).cycle().take(20_000) {
            let mut random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            let mut bytes: Vec<u8> = (0..length).map(|_| random()).collect();
            bytes.iter_mut().step_by(3).for_each(|byte| *byte = [10, 8, 16, 18, 255][usize::from(*byte) % 5]);
            let _ = (stamp_of(&bytes), search(&bytes, u64::MAX));
        }
    }
}
