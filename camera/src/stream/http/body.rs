//! The body of a server's answer, in chunks or as it is.

use crate::stream::bytes::{ByteStream, Bytes};
use crate::sys::{self, Readiness};
use crate::{Fault, Result};
use std::io::Read as _;
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// Bytes of the line before a chunk at most: its length, and extensions that nobody uses.
const LINE_BYTES: usize = 4 * 1024;
/// Bytes behind a chunk at most: the end of a line.
const AFTER_BYTES: usize = 2;

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Body {
    stream: TcpStream,
    /// What was read together with the head.
    rest: Vec<u8>,
    /// For a body in chunks: where in one we are.
    chunks: Option<Chunks>,
}

/// Takes chunks apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunks {
    place: Place,
    /// Bytes of the line that we are in.
    line: usize,
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the line that says how long the next chunk is, so far.
    Size(u64),
    /// In that line, behind the number.
    Extension(u64),
    /// In a chunk, with so many bytes left.
    Data(u64),
    /// In the line end behind a chunk.
    After,
    /// Behind the last one.
    Done,
}

impl Body {
    pub(super) fn new(stream: TcpStream, rest: Vec<u8>, is_chunked: bool) -> Self {
        Self { stream, rest, chunks: is_chunked.then(Chunks::new) }
    }

    fn is_done(&self) -> bool {
        self.chunks.is_some_and(|chunks| chunks.place == Place::Done)
    }
}

impl Chunks {
    const fn new() -> Self {
        Self { place: Place::Size(0), line: 0 }
    }

    /// Moves what belongs to the body to the front of `buffer` and says how much that is.
    fn unwrap(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let garbage = |found| Fault::Garbage { expected: "a body in chunks", found };
        let (mut from, mut to) = (0, 0);
        while from < buffer.len() {
            if let Place::Data(left) = self.place {
                let take = left.min((buffer.len() - from) as u64) as usize;
                buffer.copy_within(from..from + take, to);
                (from, to) = (from + take, to + take);
                self.place = if left == take as u64 { Place::After } else { Place::Data(left - take as u64) };
                self.line = 0;
                continue;
            }
            let byte = buffer[from];
            let limit = if self.place == Place::After { AFTER_BYTES } else { LINE_BYTES };
            self.line += 1;
            if self.line > limit && self.place != Place::Done {
                return Err(garbage(format!("more than {limit} bytes where a chunk's line should end")));
            }
            let next = self.place.after(byte);
            let next = next.ok_or_else(|| garbage(format!("byte {byte:#04x} in a chunk's length")))?;
            if self.place == Place::After && next == Place::Size(0) {
                self.line = 0;
            }
            (self.place, from) = (next, from + 1);
        }
        Ok(to)
    }
}

impl Place {
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size(size.checked_mul(16)?.checked_add(u64::from(digit))?)
            }
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Done,
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), b'\r' | b';' | b' ') | (Self::Extension(size), _) => Self::Extension(size),
            (Self::Size(_), _) => return None,
            (Self::After, b'\n') => Self::Size(0),
            (state, _) => state,
        })
    }
}

impl ByteStream for Body {
    fn read(&mut self, buffer: &mut [u8], patience: Duration) -> Result<Bytes, Fault> {
        let failed = |source| Fault::System { doing: "read from the server", source };
        let deadline = Instant::now() + patience;
        while !self.is_done() {
            let left = deadline.saturating_duration_since(Instant::now());
            let count = if self.rest.is_empty() {
                if sys::wait_readable(self.stream.as_fd(), left).map_err(failed)? == Readiness::Nothing {
                    return Ok(Bytes::Nothing);
                }
                self.stream.read(buffer).map_err(failed)?
            } else {
                let count = self.rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.rest[..count]);
                self.rest.drain(..count);
                count
            };
            if count == 0 {
                break;
            }
            let kept = match &mut self.chunks {
                None => count,
                Some(chunks) => chunks.unwrap(&mut buffer[..count])?,
            };
            if kept > 0 {
                return Ok(Bytes::Some(kept));
            }
            // Of lines between chunks there may come more and more.
            if left.is_zero() {
                return Ok(Bytes::Nothing);
            }
        }
        Err(Fault::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_taken_apart_wherever_they_are_cut() {
        let chunked = b"4\r\nWiki\r\n6;name=x\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n";
        for step in 1..chunked.len() {
            let (mut chunks, mut body) = (Chunks::new(), Vec::new());
            for piece in chunked.chunks(step) {
                let mut buffer = piece.to_vec();
                let kept = chunks.unwrap(&mut buffer).unwrap();
                body.extend_from_slice(&buffer[..kept]);
            }
            assert_eq!(body, b"Wikipedia in \r\n\r\nchunks.", "in pieces of {step}");
            assert_eq!(chunks.place, Place::Done);
        }
    }

    #[test]
    fn lines_that_do_not_end_are_no_chunks() {
        let refused = |bytes: &[u8]| Chunks::new().unwrap(&mut bytes.to_vec()).is_err();
        assert!(refused(b"--frame"));
        assert!(refused(&[b"4;".as_slice(), &[b'x'; LINE_BYTES]].concat()), "an extension without end");
        assert!(refused(&[b'0'; LINE_BYTES + 1]), "a length without end");
        assert!(refused(b"2\r\nabcdef\r\n"), "a chunk that is longer than it says");
        assert!(refused(b"fffffffffffffffff\r\n"), "more than any file has");
        let many = b"1\r\na\r\n".repeat(LINE_BYTES);
        assert_eq!(Chunks::new().unwrap(&mut many.clone()).unwrap(), LINE_BYTES, "each line counts for itself");
    }
}
