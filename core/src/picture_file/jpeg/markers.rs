//! The markers of a JPEG: what the byte after an `FF` means.
//!
//! Reference: ITU-T T.81 (1992), table B.1.

pub(super) const START_OF_IMAGE: u8 = 0xd8;
pub(super) const END_OF_IMAGE: u8 = 0xd9;
pub(super) const START_OF_SCAN: u8 = 0xda;
pub(super) const QUANTIZATION_TABLES: u8 = 0xdb;
pub(super) const RESTART_INTERVAL: u8 = 0xdd;
pub(super) const HUFFMAN_TABLES: u8 = 0xc4;
pub(super) const PROGRESSIVE_FRAME: u8 = 0xc2;
/// Application segment 1, where EXIF is.
pub(super) const APPLICATION_1: u8 = 0xe1;

/// Whether a marker begins a frame header, of whatever kind; C4, C8 and CC are other things.
pub(super) const fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf)
}

/// Whether a marker parts the data of a scan.
pub(super) const fn is_restart(marker: u8) -> bool {
    matches!(marker, 0xd0..=0xd7)
}

/// A segment: its marker, its content, and where the next one begins.
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    pub(super) content: &'a [u8],
    pub(super) next: usize,
}

/// The segment at `at`; fill bytes before it are passed over. The end marker has no content.
///
/// # Errors
/// The data end, or there is no marker.
pub(super) fn segment(data: &[u8], mut at: usize) -> Result<Segment<'_>, &'static str> {
    const CUT: &str = "it ends before its end marker: its headers are cut off";
    while data.get(at..at + 2).ok_or(CUT)? == [0xff, 0xff] {
        at += 1;
    }
    let &[0xff, marker] = &data[at..at + 2] else { return Err("a header is not where it should be") };
    if marker == END_OF_IMAGE {
        return Ok(Segment { marker, content: &[], next: at + 2 });
    }
    let length = usize::from(u16::from_be_bytes([*data.get(at + 2).ok_or(CUT)?, *data.get(at + 3).ok_or(CUT)?]));
    if length < 2 {
        return Err("a header is shorter than it can be");
    }
    let content = data.get(at + 4..at + 2 + length).ok_or(CUT)?;
    Ok(Segment { marker, content, next: at + 2 + length })
}
