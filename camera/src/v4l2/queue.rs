//! The capture queue: buffers shared with the driver, drained to the newest picture.
//!
//! ```text
//! driver ──fills──▶ [buffer] [buffer] [buffer] ──taken, oldest first──▶ only the newest is copied
//!    ▲                                                   │
//!    └──────────────── given back at once ◀──────────────┘
//! ```

use super::formats::Agreed;
use super::node::Node;
use super::request::Request;
use super::uapi::{self, Buffer, MAX_PLANES, Plane, RequestBuffers};
use crate::live::{Device, Look};
use crate::sys::{self, Mapping, Readiness};
use crate::{Error, Fault, Result, Shot, Stamp};
use parallax_core::frame::{Frame, PixelFormat, Timestamp, jpeg_is_whole};
use std::io;
use std::time::Duration;

/// Buffers to ask for: one is filled, one is full, one is being copied, one for the unexpected.
const BUFFERS: u32 = 4;
/// Fewer than these make the driver wait for us.
const FEWEST: u32 = 2;

/// A streaming device.
#[derive(Debug)]
pub(super) struct Queue {
    /// For each buffer its planes. Unmapped before the node is closed.
    buffers: Vec<Vec<Mapping>>,
    node: Node,
    agreed: Agreed,
    stamps: Stamp,
    numbers: Numbers,
}

/// The driver's 32-bit running number of the last picture, and the same without its overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    last: Option<u32>,
    sequence: u64,
}

impl Numbers {
    /// The next one; stands still for a driver that does not count or starts again.
    fn next(&mut self, number: u32) -> u64 {
        let step = number.wrapping_sub(self.last.unwrap_or(number)) as i32;
        self.last = Some(number);
        self.sequence += u64::from(step.max(0) as u32);
        self.sequence
    }
}

/// A buffer that the driver gave us.
#[derive(Clone, Copy)]
struct Filled {
    buffer: Buffer,
    planes: [Plane; MAX_PLANES],
}

impl Queue {
    /// Makes the buffers, gives them to the driver and starts the stream.
    ///
    /// # Errors
    /// The driver refuses: no memory, no bandwidth on the bus, or another program has the device.
    pub(super) fn start(node: Node, agreed: Agreed) -> Result<Self> {
        let mut queue = Self { buffers: Vec::new(), node, agreed, stamps: Stamp::Arrival, numbers: Numbers::default() };
        let mut request = RequestBuffers {
            count: BUFFERS,
            kind: queue.node.kind,
            memory: uapi::MEMORY_MMAP,
            ..RequestBuffers::default()
        };
        queue.node.demand("get buffers of", &uapi::REQUEST_BUFFERS, &mut request)?;
        if request.count < FEWEST {
            return Err(Error::Unfit {
                what: format!("expected at least {FEWEST} buffers, the driver gives {}", request.count),
                name: queue.node.name(),
                hint: "ask for a smaller size: the driver has no memory for more",
            });
        }
        for index in 0..request.count {
            queue.map(index)?;
        }
        for index in 0..request.count {
            queue.give(index).map_err(|source| queue.node.error("give a buffer to", source))?;
        }
        let mut kind = queue.node.kind;
        queue.node.demand("start", &uapi::STREAM_ON, &mut kind)?;
        Ok(queue)
    }

    /// What the time stamps mean, as the driver says of its buffers.
    pub(super) fn stamps(&self) -> Stamp {
        self.stamps
    }

    fn map(&mut self, index: u32) -> Result<()> {
        let failed = |source| self.node.error("map a buffer of", source);
        let mut filled = self.blank(index);
        self.buffer_ioctl(&uapi::QUERY_BUFFER, &mut filled).map_err(failed)?;
        let planes: Vec<(u32, u64)> = if self.node.kind == uapi::CAPTURE_MULTIPLANAR {
            filled.planes[..self.agreed.planes].iter().map(|plane| (plane.length, plane.location)).collect()
        } else {
            vec![(filled.buffer.length, filled.buffer.location)]
        };
        // The offset is the low half of a union with an address.
        let map = |(length, location)| Mapping::new(self.node.fd(), length as usize, location as u32);
        let planes = planes.into_iter().map(map).collect::<io::Result<Vec<_>>>().map_err(failed)?;
        self.buffers.push(planes);
        self.stamps = match filled.buffer.flags {
            flags if flags & uapi::BUFFER_CLOCK_MASK != uapi::BUFFER_CLOCK_MONOTONIC => Stamp::Arrival,
            flags if flags & uapi::BUFFER_STAMP_MASK == uapi::BUFFER_STAMP_AT_EXPOSURE => Stamp::Exposure,
            _ => Stamp::EndOfFrame,
        };
        Ok(())
    }

    fn blank(&self, index: u32) -> Filled {
        let buffer = Buffer { index, kind: self.node.kind, ..Buffer::default() };
        Filled { buffer, planes: [Plane::default(); MAX_PLANES] }
    }

    fn buffer_ioctl(&self, request: &Request<Buffer>, filled: &mut Filled) -> io::Result<()> {
        sys::buffer_ioctl(self.node.fd(), request, &mut filled.buffer, &mut filled.planes)
    }

    fn give(&self, index: u32) -> io::Result<()> {
        self.buffer_ioctl(&uapi::QUEUE_BUFFER, &mut self.blank(index))
    }

    /// A filled buffer, or none when there is none now.
    fn take(&self) -> Result<Option<Filled>, Fault> {
        let mut filled = self.blank(0);
        match self.buffer_ioctl(&uapi::DEQUEUE_BUFFER, &mut filled) {
            Ok(()) => Ok(Some(filled)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(fault("take a picture from the driver", error)),
        }
    }

    fn give_back(&self, filled: &Filled) -> Result<(), Fault> {
        self.give(filled.buffer.index).map_err(|error| fault("give a buffer back to the driver", error))
    }

    /// The newest of the filled buffers; all others go back. Also whether one of them was marked as wrong.
    fn newest(&self) -> Result<(Option<Filled>, bool), Fault> {
        let (mut newest, mut corrupt) = (None, false);
        // A driver that is faster than we are does not keep us here.
        for _ in 0..self.buffers.len() {
            let Some(filled) = self.take()? else { break };
            if filled.buffer.flags & uapi::BUFFER_ERROR != 0 || self.mappings(&filled).is_none() {
                corrupt = true;
                self.give_back(&filled)?;
            } else if let Some(older) = newest.replace(filled) {
                self.give_back(&older)?;
            }
        }
        Ok((newest, corrupt))
    }

    fn mappings(&self, filled: &Filled) -> Option<&[Mapping]> {
        self.buffers.get(filled.buffer.index as usize).map(Vec::as_slice)
    }

    /// Where in each plane the bytes are: from, up to.
    fn extents(&self, filled: &Filled) -> [(usize, usize); 2] {
        if self.node.kind != uapi::CAPTURE_MULTIPLANAR {
            return [(0, filled.buffer.bytes_used as usize), (0, 0)];
        }
        std::array::from_fn(|plane| {
            let Plane { bytes_used, data_offset, .. } = filled.planes[plane];
            (data_offset as usize, bytes_used as usize)
        })
    }

    /// Copies a picture; false when there are not enough bytes of it.
    fn copy(&self, filled: &Filled, frame: &mut Frame) -> bool {
        let Some(mappings) = self.mappings(filled) else { return false };
        let extents = self.extents(filled);
        let layout = self.agreed.layout;
        (frame.width, frame.height, frame.format) = (layout.width, layout.height, layout.format);
        frame.ycbcr = self.agreed.ycbcr;
        if layout.format == PixelFormat::Jpeg {
            let (from, to) = extents[0];
            frame.data.resize(to.saturating_sub(from), 0);
            return mappings[0].copy(from, &mut frame.data) && jpeg_is_whole(&frame.data);
        }
        let (Some(row), Some(bytes)) =
            (layout.format.bytes_per_row(layout.width), layout.format.bytes_per_frame(layout.width, layout.height))
        else {
            return false;
        };
        frame.data.resize(bytes, 0);
        let height = layout.height as usize;
        let (first, second) = frame.data.split_at_mut(row * height);
        let (stride, (from, to)) = (self.agreed.strides[0], extents[0]);
        // NV12's rows of colour follow in the same plane, or stand in a plane of their own.
        let (plane, stride2, (from2, to2)) = if self.agreed.planes > 1 {
            (1, self.agreed.strides[1], extents[1])
        } else {
            (0, stride, (from + stride * height, to))
        };
        copy_rows(&mappings[0], (from, to), stride, row, first)
            && (second.is_empty()
                || mappings.get(plane).is_some_and(|mapping| copy_rows(mapping, (from2, to2), stride2, row, second)))
    }

    /// The time stamp of a picture, 0 when it is of another clock.
    fn stamp(buffer: &Buffer) -> Timestamp {
        let ours = buffer.flags & uapi::BUFFER_CLOCK_MASK == uapi::BUFFER_CLOCK_MONOTONIC;
        let nanos = || {
            let (secs, micros) = (buffer.secs.checked_mul(1_000_000_000)?, buffer.micros.checked_mul(1000)?);
            u64::try_from(secs.checked_add(micros)?).ok()
        };
        Timestamp::from_nanos(if ours { nanos().unwrap_or_default() } else { 0 })
    }
}

impl Device for Queue {
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault> {
        let ready = sys::wait_readable(self.node.fd(), patience).map_err(|error| fault("wait for a picture", error))?;
        if ready == Readiness::Nothing {
            return Ok(Look::Nothing);
        }
        let (newest, corrupt) = self.newest()?;
        let Some(filled) = newest else {
            // The driver says that something is wrong, and not what.
            let unsaid =
                || Fault::System { doing: "wait for a picture", source: io::Error::from_raw_os_error(libc::EIO) };
            return if corrupt || ready == Readiness::Readable { Ok(Look::Corrupt) } else { Err(unsaid()) };
        };
        let whole = self.copy(&filled, &mut shot.left);
        self.give_back(&filled)?;
        if !whole {
            return Ok(Look::Corrupt);
        }
        shot.right = None;
        shot.left.timestamp = Self::stamp(&filled.buffer);
        shot.left.sequence = self.numbers.next(filled.buffer.sequence);
        Ok(Look::Fresh)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // The driver may be gone; then there is nothing to stop.
        let mut kind = self.node.kind;
        let _stopped = self.node.ask(&uapi::STREAM_OFF, &mut kind);
        self.buffers.clear();
        let mut none = RequestBuffers { kind, memory: uapi::MEMORY_MMAP, ..RequestBuffers::default() };
        let _freed = self.node.ask(&uapi::REQUEST_BUFFERS, &mut none);
    }
}

/// Copies rows of `row` bytes that stand `stride` bytes apart within `extent`; false when they are not all there.
fn copy_rows(mapping: &Mapping, extent: (usize, usize), stride: usize, row: usize, to: &mut [u8]) -> bool {
    let rows = to.len() / row.max(1);
    let needed = stride * rows.saturating_sub(1) + row;
    if extent.0 + needed > extent.1.min(mapping.len()) {
        return false;
    }
    if stride == row {
        return mapping.copy(extent.0, to);
    }
    to.chunks_exact_mut(row).enumerate().all(|(index, line)| mapping.copy(extent.0 + index * stride, line))
}

fn fault(doing: &'static str, source: io::Error) -> Fault {
    match source.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => Fault::Gone,
        _ => Fault::System { doing, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    /// A file in place of a driver's buffer, with the bytes 0, 1, 2, …
    fn mapping(length: u8) -> Mapping {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&(0..length).collect::<Vec<_>>()).unwrap();
        Mapping::new(file.as_fd(), usize::from(length), 0).unwrap()
    }

    #[test]
    fn rows_lose_their_padding_and_missing_bytes_are_noticed() {
        let (mapping, mut rows) = (mapping(40), [0; 9]);
        // Three rows of 3 bytes, 5 bytes apart, from byte 2 on: the last one ends at byte 15.
        assert!(copy_rows(&mapping, (2, 15), 5, 3, &mut rows));
        assert_eq!(rows, [2, 3, 4, 7, 8, 9, 12, 13, 14]);
        assert!(!copy_rows(&mapping, (2, 14), 5, 3, &mut rows), "one byte is missing");
        assert!(copy_rows(&mapping, (0, 9), 3, 3, &mut rows));
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_driver_that_claims_more_than_there_is_cannot_make_us_read_it() {
        let (mapping, mut rows) = (mapping(40), [0; 8]);
        assert!(!copy_rows(&mapping, (36, usize::MAX), 4, 4, &mut rows));
        assert!(!mapping.copy(33, &mut rows) && !mapping.copy(usize::MAX, &mut rows));
        assert!(mapping.copy(32, &mut rows) && mapping.copy(40, &mut []));
    }

    #[test]
    fn numbers_go_on_where_the_drivers_overflow_and_stand_still_where_it_does_not_count() {
        let mut numbers = Numbers::default();
        let all = [u32::MAX - 1, u32::MAX, 0, 3, 3, 1, 2].map(|number| numbers.next(number));
        assert_eq!(all, [0, 1, 2, 5, 5, 5, 6]);
    }

    #[test]
    fn a_stamp_of_another_clock_is_none() {
        let buffer = |flags, secs, micros| Buffer { flags, secs, micros, ..Buffer::default() };
        let ours = uapi::BUFFER_CLOCK_MONOTONIC;
        assert_eq!(Queue::stamp(&buffer(ours, 2, 5)).nanos(), 2_000_005_000);
        for other in [
            buffer(0, 2, 5),
            buffer(0x4000, 2, 5),
            buffer(ours, -1, 0),
            buffer(ours, i64::MAX, 0),
            buffer(ours, 0, i64::MAX),
        ] {
            assert_eq!(Queue::stamp(&other).nanos(), 0);
        }
    }
}
