//! Who has written a recording: what its head says, without reading further.
//!
//! ```text
//! magic │ header: profile, library │ metadata: name, … │ … │ first chunk
//! ```
//!
//! Reference: the MCAP specification, <https://mcap.dev/spec>.

use super::unpacking::RECORD_HEAD;
use crate::{Error, Result};
use mcap::records::op;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A header's texts and a metadata record's name have fewer bytes; longer ones are none of ours.
const TEXT_BYTES: u64 = 1 << 12;
/// Records before the first chunk. We write two.
const RECORDS: usize = 16;

/// What a recording's head says of its writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The library that wrote it, as it calls itself.
    pub library: String,
    /// Names of the metadata records before the first chunk.
    pub metadata: Vec<String>,
}

impl Origin {
    /// Whether a recorder of ours has written it ([`super::DurableWriter`]).
    pub fn is_recorder(&self) -> bool {
        self.metadata.iter().any(|name| name == super::durable::METADATA)
    }
}

/// Reads the head of a file, whole or torn; none where it does not begin as a recording.
///
/// # Errors
/// The file cannot be read.
pub fn origin(path: &Path) -> Result<Option<Origin>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let bytes = |offset: u64, length: u64| -> Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; length as usize];
        match file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    };
    let mut offset = mcap::MAGIC.len() as u64;
    if bytes(0, offset)?.is_none_or(|start| start != mcap::MAGIC) {
        return Ok(None);
    }
    let mut found = None;
    for _ in 0..RECORDS {
        let Some(head) = bytes(offset, RECORD_HEAD)? else { break };
        let length = head[1..].iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let Some(body) = bytes(offset + RECORD_HEAD, length.min(TEXT_BYTES))? else { break };
        match (head[0], &mut found) {
            (op::HEADER, None) => {
                let library = text(&body).and_then(|(_profile, rest)| Some(text(rest)?.0.to_owned()));
                found = library.map(|library| Origin { library, metadata: Vec::new() });
            }
            (op::METADATA, Some(origin)) => origin.metadata.extend(text(&body).map(|(name, _)| name.to_owned())),
            (_, None) | (op::CHUNK | op::DATA_END, Some(_)) => break,
            _ => {}
        }
        let Some(next) = offset.checked_add(RECORD_HEAD).and_then(|offset| offset.checked_add(length)) else { break };
        offset = next;
    }
    Ok(found)
}

/// A text with its length before it, and what follows.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}
