//! A device that is a stream of bytes with pictures in it.

use super::bytes::{ByteStream, Bytes};
use super::pictures::{Found, Pictures};
use crate::live::{Device, Look};
use crate::{Fault, Result, Shot};
use parallax_core::frame::Timestamp;
use std::time::{Duration, Instant};

/// Bytes that are read at once: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;
/// A device that reads its pictures from a stream of bytes.
#[derive(Debug)]
pub(crate) struct StreamDevice<S> {
    stream: S,
    pictures: Pictures,
    /// Bytes that were read: `buffer[begin..end]` are still to be looked at.
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    arrived: Timestamp,
    last_stamp: Timestamp,
    sequence: u64,
}

impl<S: ByteStream> StreamDevice<S> {
    pub(crate) fn new(stream: S, pictures: Pictures) -> Self {
        let buffer = vec![0; READ_BYTES];
        Self {
            stream,
            pictures,
            buffer,
            begin: 0,
            end: 0,
            arrived: Timestamp::default(),
            last_stamp: Timestamp::default(),
            sequence: 0,
        }
    }
}

impl<S: ByteStream> Device for StreamDevice<S> {
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault> {
        let deadline = Instant::now() + patience;
        loop {
            if self.begin == self.end {
                let left = deadline.saturating_duration_since(Instant::now());
                match self.stream.read(&mut self.buffer, left)? {
                    Bytes::Some(count) => (self.begin, self.end) = (0, count),
                    Bytes::Nothing => return Ok(Look::Nothing),
                    Bytes::End => return Ok(Look::End),
                }
                self.arrived = crate::now();
            }
            let (used, found) = self.pictures.add(&self.buffer[self.begin..self.end], self.arrived)?;
            self.begin += used;
            match found {
                Found::Nothing => {}
                Found::Corrupt => {
                    self.sequence += 1;
                    return Ok(Look::Corrupt);
                }
                Found::Picture => {
                    self.pictures.write(&mut shot.left);
                    shot.right = None;
                    // Pictures that came in one piece follow each other all the same.
                    let next = self.last_stamp.after(Duration::from_nanos(1));
                    shot.left.timestamp = shot.left.timestamp.max(next);
                    self.last_stamp = shot.left.timestamp;
                    shot.left.sequence = self.sequence;
                    self.sequence += 1;
                    return Ok(Look::Fresh);
                }
            }
            if Instant::now() >= deadline {
                return Ok(Look::Nothing);
            }
        }
    }
}
