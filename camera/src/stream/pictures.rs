//! Where one picture in a stream of bytes ends and the next begins.
//!
//! Raw frames have one length. A JPEG is walked marker by marker: its segments say their length, so that a thumbnail
//! inside is stepped over, and after a start of scan the picture goes on until a marker that is neither a stuffed
//! `FF 00` nor a restart. What stands between two JPEGs (the headers of an HTTP multipart answer) is passed over.
//!
//! Reference: ITU-T T.81, annex B.1.

use crate::{Fault, Result};
use parallax_core::frame::{Frame, PixelFormat, Timestamp, jpeg_fault, jpeg_header};

/// A raw picture may have this many bytes: 50 megapixels of raw colour.
const RAW_BYTES: usize = 150_000_000;
/// A JPEG may have this many: 50 megapixels of leaves at the best quality.
const JPEG_BYTES: usize = 64_000_000;
/// Bytes between two JPEGs at most; more means that the stream holds none.
const GAP_BYTES: usize = 4_000_000;

/// Collects the bytes of one picture after the other.
#[derive(Debug)]
pub(crate) struct Pictures {
    form: Form,
    /// The picture so far, or a whole one that waits to be taken.
    bytes: Vec<u8>,
    arrived: Timestamp,
    size: (u32, u32),
    whole: bool,
}

#[derive(Debug)]
enum Form {
    Raw(PixelFormat, usize),
    Jpeg { place: Place, gap: usize },
}

/// Where in a JPEG the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Outside.
    Gap,
    /// After an `FF` outside.
    GapMark,
    /// Where a marker's `FF` should be.
    Mark,
    /// After that `FF`.
    Marker,
    /// At a segment's length.
    LengthHigh(u8),
    LengthLow(u8, u8),
    /// In a segment, with so many bytes left; then in the scan or at the next marker.
    Segment(u32, bool),
    /// In the scan.
    Scan,
    /// After an `FF` in the scan.
    ScanMark,
}

/// What was found among the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No end of a picture yet.
    Nothing,
    /// A whole picture: [`Pictures::write`] takes it.
    Picture,
    /// A picture that broke off or cannot be one.
    Corrupt,
}

impl Pictures {
    /// Frames of one format and size, one behind the other.
    pub(crate) fn raw(format: PixelFormat, (width, height): (u32, u32)) -> Option<Self> {
        let length = format.bytes_per_frame(width, height).filter(|length| (1..=RAW_BYTES).contains(length))?;
        Some(Self::new(Form::Raw(format, length), (width, height)))
    }

    /// JPEGs with anything between them.
    pub(crate) fn jpeg() -> Self {
        Self::new(Form::Jpeg { place: Place::Gap, gap: 0 }, (0, 0))
    }

    fn new(form: Form, size: (u32, u32)) -> Self {
        Self { form, bytes: Vec::new(), arrived: Timestamp::default(), size, whole: false }
    }

    /// Goes through `bytes`, which arrived at this time, up to the end of a picture; says how many were used.
    pub(super) fn add(&mut self, bytes: &[u8], arrived: Timestamp) -> Result<(usize, Found), Fault> {
        if self.whole {
            self.whole = false;
            self.bytes.clear();
        }
        if self.bytes.is_empty() {
            self.arrived = arrived;
        }
        match self.form {
            Form::Raw(_, length) => Ok(self.add_raw(bytes, length)),
            Form::Jpeg { .. } => self.add_jpeg(bytes, arrived),
        }
    }

    fn add_raw(&mut self, bytes: &[u8], length: usize) -> (usize, Found) {
        let used = bytes.len().min(length - self.bytes.len());
        self.bytes.reserve_exact(length - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..used]);
        self.whole = self.bytes.len() == length;
        (used, if self.whole { Found::Picture } else { Found::Nothing })
    }

    fn add_jpeg(&mut self, bytes: &[u8], arrived: Timestamp) -> Result<(usize, Found), Fault> {
        let Form::Jpeg { mut place, mut gap } = self.form else { return Ok((bytes.len(), Found::Nothing)) };
        let mut used = 0;
        // Where the part of `bytes` begins that belongs to the picture and is not copied yet.
        let mut begin = 0;
        let mut end = None;
        while used < bytes.len() && end.is_none() {
            if place == Place::Gap {
                let skipped = bytes[used..].iter().position(|&byte| byte == 0xff).unwrap_or(bytes.len() - used);
                (used, gap) = (used + skipped, gap + skipped);
            } else if place == Place::Scan {
                used += bytes[used..].iter().position(|&byte| byte == 0xff).unwrap_or(bytes.len() - used);
            } else if let Place::Segment(left, _) = &mut place {
                // All but the last byte, which moves on.
                let skipped = (*left as usize - 1).min(bytes.len() - used);
                (*left, used) = (*left - skipped as u32, used + skipped);
            }
            let Some(&byte) = bytes.get(used) else { break };
            used += 1;
            let from = place;
            place = place.after(byte);
            match (from, place) {
                (Place::GapMark, Place::Mark) => {
                    self.arrived = arrived;
                    self.bytes.clear();
                    self.bytes.extend_from_slice(&[0xff, 0xd8]);
                    (begin, gap) = (used, 0);
                }
                (Place::Gap | Place::GapMark, Place::Gap) => gap += 1,
                (_, Place::Gap) => end = Some(byte == 0xd9 && matches!(from, Place::Marker | Place::ScanMark)),
                _ => {}
            }
        }
        if end == Some(false) && bytes[used - 1] == 0xd8 {
            // It broke off, and here the next one starts: its first byte is the one just before.
            (place, used) = (Place::GapMark, used - 1);
        }
        let inside = !matches!(place, Place::Gap | Place::GapMark);
        if (inside || end == Some(true)) && begin < used {
            self.keep(&bytes[begin..used]);
        }
        let mut found = match end {
            None => Found::Nothing,
            Some(true) => Found::Picture,
            Some(false) => Found::Corrupt,
        };
        if self.bytes.len() > JPEG_BYTES {
            (place, found) = (Place::Gap, Found::Corrupt);
            self.bytes = Vec::new();
        }
        if found == Found::Picture {
            found = self.judge_size();
        }
        self.whole = found != Found::Nothing;
        self.form = Form::Jpeg { place, gap };
        if gap > GAP_BYTES {
            let found = format!("no JPEG in {gap} bytes");
            return Err(Fault::Garbage { expected: "Motion-JPEG", found });
        }
        Ok((used, found))
    }

    /// Takes over the size in a JPEG's headers. Another one than before is believed only of a picture whose every code is
    /// right: a damaged header must cost one picture, not the camera.
    fn judge_size(&mut self) -> Found {
        match jpeg_header(&self.bytes).map(|header| (header.width, header.height)) {
            Ok(size) if size == self.size => Found::Picture,
            Ok(size) if jpeg_fault(&self.bytes).is_none() => {
                self.size = size;
                Found::Picture
            }
            _ => Found::Corrupt,
        }
    }

    /// More of a JPEG. Its memory doubles as a vector's does, but not beyond what a JPEG may have.
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let wished = (2 * self.bytes.capacity()).min(JPEG_BYTES).max(needed);
            self.bytes.reserve_exact(wished - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves the whole picture into `frame` and takes that one's buffer for the next.
    pub(super) fn write(&mut self, frame: &mut Frame) {
        std::mem::swap(&mut self.bytes, &mut frame.data);
        self.whole = true; // the buffer that came in holds an old picture
        frame.format = match self.form {
            Form::Raw(format, _) => format,
            Form::Jpeg { .. } => PixelFormat::Jpeg,
        };
        (frame.width, frame.height) = self.size;
        frame.timestamp = self.arrived;
    }
}

impl Place {
    /// After `byte`. To [`Place::Gap`] means: the picture has ended, whole or not.
    #[expect(clippy::match_same_arms, reason = "one line for each thing that the standard says")]
    const fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Gap | Self::GapMark, 0xff) => Self::GapMark,
            (Self::GapMark, 0xd8) => Self::Mark,
            (Self::Mark | Self::Marker, 0xff) => Self::Marker,
            // Stands alone, without a length.
            (Self::Marker, 0x01 | 0xd0..=0xd7) => Self::Mark,
            (Self::Marker, 0x02..=0xbf | 0xc0..=0xcf | 0xda..=0xfe) => Self::LengthHigh(byte),
            (Self::LengthHigh(marker), _) => Self::LengthLow(marker, byte),
            (Self::LengthLow(marker, high), _) => match u16::from_be_bytes([high, byte]) {
                0 | 1 => Self::Gap,
                2 if marker == 0xda => Self::Scan,
                2 => Self::Mark,
                length => Self::Segment(length as u32 - 2, marker == 0xda),
            },
            (Self::Segment(1, true), _) => Self::Scan,
            (Self::Segment(1, false), _) => Self::Mark,
            (Self::Segment(left, scan), _) => Self::Segment(left - 1, scan),
            (Self::Scan | Self::ScanMark, 0xff) => Self::ScanMark,
            // A stuffed FF, or a restart.
            (Self::Scan, _) | (Self::ScanMark, 0x00 | 0xd0..=0xd7) => Self::Scan,
            // Tables or another scan of a progressive picture.
            (Self::ScanMark, 0xc0..=0xcf | 0xda..=0xfe) => Self::LengthHigh(byte),
            // The end marker, or what no JPEG has here.
            (Self::Gap | Self::GapMark | Self::Mark | Self::Marker | Self::ScanMark, _) => Self::Gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: u32) -> Vec<u8> {
        let mut data = Vec::new();
        let picture = image::RgbImage::from_fn(width, 16, |x, y| image::Rgb([(x * 37) as u8, (y * 91) as u8, 255]));
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut data, 100).encode_image(&picture).unwrap();
        data
    }

    /// With a thumbnail in an application segment: a JPEG within a JPEG.
    fn with_thumbnail(data: &[u8]) -> Vec<u8> {
        let inner = jpeg(8);
        let length = (inner.len() as u16 + 2).to_be_bytes();
        [&data[..2], &[0xff, 0xe1], &length, &inner, &data[2..]].concat()
    }

    /// Feeds a stream in pieces of `step` bytes; gives every whole picture and counts the corrupt ones.
    fn split(pictures: &mut Pictures, stream: &[u8], step: usize) -> (Vec<Frame>, usize) {
        let (mut frames, mut corrupt) = (Vec::new(), 0);
        for (index, mut piece) in stream.chunks(step).enumerate() {
            while !piece.is_empty() {
                let (used, found) = pictures.add(piece, Timestamp::from_nanos(index as u64 + 1)).unwrap();
                piece = &piece[used..];
                match found {
                    Found::Nothing => {}
                    Found::Corrupt => corrupt += 1,
                    Found::Picture => {
                        let mut frame = Frame { data: vec![1, 2, 3], ..Frame::default() };
                        pictures.write(&mut frame);
                        frames.push(frame);
                    }
                }
            }
        }
        (frames, corrupt)
    }

    #[test]
    fn jpegs_are_found_whatever_stands_between_and_within_them_and_however_they_are_cut() {
        let all = [jpeg(24), with_thumbnail(&jpeg(40)), jpeg(16)];
        let between = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n";
        let stream: Vec<u8> = all.iter().flat_map(|data| [between.as_slice(), data].concat()).collect();
        for step in [1, 2, 3, 7, 100, 1 << 20] {
            let (frames, corrupt) = split(&mut Pictures::jpeg(), &stream, step);
            assert_eq!(corrupt, 0);
            let found: Vec<_> = frames.iter().map(|frame| &frame.data).collect();
            assert_eq!(found, all.iter().collect::<Vec<_>>(), "in pieces of {step}");
            assert_eq!(frames.iter().map(|frame| frame.width).collect::<Vec<_>>(), [24, 40, 16]);
        }
    }

    #[test]
    fn a_picture_that_breaks_off_costs_itself_only() {
        let (first, last) = (jpeg(80), jpeg(40));
        // In its scan: a break within a header swallows as much of the next picture as the header was to be long.
        let stream = [&first[..first.len() * 9 / 10], &last, &first].concat();
        for step in 1..60 {
            let (frames, corrupt) = split(&mut Pictures::jpeg(), &stream, step);
            assert_eq!((frames.len(), corrupt), (2, 1), "the start of the next one ends it");
            assert_eq!((&frames[0].data, &frames[1].data), (&last, &first));
        }
    }

    #[test]
    fn a_picture_is_as_old_as_its_first_byte() {
        let data = jpeg(24);
        let (frames, _) = split(&mut Pictures::jpeg(), &[data.as_slice(), &data].concat(), data.len() / 2);
        assert_eq!(frames[0].timestamp.nanos(), 1);
        assert!(frames[1].timestamp.nanos() >= 2);
        let (frames, _) = split(&mut Pictures::raw(PixelFormat::Gray8, (4, 2)).unwrap(), &[0; 16], 4);
        assert_eq!(frames.iter().map(|frame| frame.timestamp.nanos()).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn a_damaged_size_costs_one_picture_and_a_true_change_none() {
        let (good, other) = (jpeg(48), jpeg(64));
        let frame_header = good.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        // Height, then width: nothing, the most that there is, and a little more than is true.
        for (height, width) in [(0_u16, 48_u16), (16, 0), (65500, 65500), (9000, 9000), (24, 48), (16, 56)] {
            let mut damaged = good.clone();
            damaged[frame_header + 5..frame_header + 7].copy_from_slice(&height.to_be_bytes());
            damaged[frame_header + 7..frame_header + 9].copy_from_slice(&width.to_be_bytes());
            for stream in [[&damaged, &good, &good, &other], [&good, &damaged, &good, &other]] {
                let stream: Vec<u8> = stream.into_iter().flatten().copied().collect();
                let (frames, corrupt) = split(&mut Pictures::jpeg(), &stream, 100);
                let sizes: Vec<_> = frames.iter().map(|frame| (frame.width, frame.height)).collect();
                assert_eq!(
                    (sizes.as_slice(), corrupt),
                    ([(48, 16), (48, 16), (64, 16)].as_slice(), 1),
                    "{width}x{height}"
                );
            }
        }
    }

    #[test]
    fn raw_frames_follow_each_other() {
        let stream: Vec<u8> = (0..50).collect();
        for step in [1, 5, 8, 11, 50] {
            let (frames, corrupt) = split(&mut Pictures::raw(PixelFormat::Gray8, (4, 2)).unwrap(), &stream, step);
            assert_eq!((frames.len(), corrupt), (6, 0));
            for (index, frame) in frames.iter().enumerate() {
                assert_eq!(frame.data, (8 * index as u8..8 * index as u8 + 8).collect::<Vec<_>>(), "pieces of {step}");
            }
        }
    }

    #[test]
    fn a_jpeg_without_end_costs_bounded_memory_and_the_next_one_is_found() {
        let good = jpeg(24);
        // Up to its start of scan, and then a scan without end.
        let scan = good.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
        let mut pictures = Pictures::jpeg();
        let (mut used, mut found) = pictures.add(&good[..scan], Timestamp::default()).unwrap();
        assert_eq!((used, found), (scan, Found::Nothing));
        let endless = vec![b'x'; 1 << 20];
        let mut sent = 0;
        while found == Found::Nothing {
            (used, found) = pictures.add(&endless, Timestamp::default()).unwrap();
            sent += used;
            assert!(pictures.bytes.capacity() <= JPEG_BYTES + endless.len(), "{}", pictures.bytes.capacity());
            assert!(sent <= JPEG_BYTES + endless.len());
        }
        assert_eq!((found, pictures.bytes.capacity()), (Found::Corrupt, 0));
        let (frames, corrupt) = split(&mut pictures, &good, 100);
        assert_eq!((frames.len(), corrupt), (1, 0));
    }

    #[test]
    fn a_stream_without_pictures_is_a_fault() {
        let mut pictures = Pictures::jpeg();
        let text = vec![b'x'; GAP_BYTES];
        assert!(pictures.add(&text, Timestamp::default()).is_ok());
        assert!(matches!(pictures.add(&text, Timestamp::default()), Err(Fault::Garbage { .. })));
    }

    #[test]
    fn noise_gives_no_panic_and_no_picture_without_a_frame_header() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if state >> 61 == 0 { 0xff } else { (state >> 33) as u8 }
        })
        .take(300_000)
        .collect();
        let (frames, _) = split(&mut Pictures::jpeg(), &noise, 1000);
        assert!(frames.iter().all(|frame| frame.width > 0 || frame.height > 0 || jpeg_header(&frame.data).is_ok()));
    }
}
