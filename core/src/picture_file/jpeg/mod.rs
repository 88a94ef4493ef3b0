//! JPEG pictures as cameras and programs write them.
//!
//! Motion-JPEG cameras leave out the Huffman tables because all of them use the ones of the standard's annex; a
//! decoder of pictures wants them, so they are put in front of the scan. A picture that ends early is refused rather
//! than filled up with grey: half a picture is no picture of now. What stands behind the end marker (padding of
//! cameras, films and second pictures of phones) is no part of the picture.
//!
//! | file | what |
//! |---|---|
//! | `markers` | segments and their markers |
//! | `standard_tables` | the Huffman tables that cameras leave out |
//! | `frame` | what a frame header says: components and their blocks |
//! | `huffman` | one Huffman table, and the bits of a scan |
//! | `scan` | going through one scan, block by block |
//! | `whole` | whether all scans are there and hold what they must |
//!
//! Reference: ITU-T T.81 (1992), annex B (markers).

mod frame;
mod huffman;
mod markers;
mod scan;
mod standard_tables;
#[cfg(test)]
mod tests;
mod whole;

use super::{Orientation, PictureFault, PictureHeader, orientation, size_fault, turn_values};
use image::{DynamicImage, GrayImage, RgbImage};
use markers::{APPLICATION_1, END_OF_IMAGE, HUFFMAN_TABLES, START_OF_IMAGE, START_OF_SCAN, is_frame, segment};
use std::borrow::Cow;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// What the headers of a JPEG say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JpegHeader {
    /// Width in pixels, as shown.
    pub width: u32,
    /// Height in pixels, as shown.
    pub height: u32,
    /// Width and height as stored.
    stored: (u32, u32),
    orientation: Orientation,
    /// Where the first scan's marker stands.
    scan: usize,
    has_tables: bool,
    components: u8,
    /// Sequential with Huffman codes, as all cameras send it.
    is_baseline: bool,
}

impl JpegHeader {
    /// What is the same for every form of picture.
    pub(super) fn picture(&self) -> PictureHeader {
        PictureHeader { stored: self.stored, orientation: self.orientation }
    }
}

/// Reads the segments of a JPEG up to its first scan.
///
/// # Errors
/// What is wrong with it, such as a size that no picture has.
pub fn jpeg_header(data: &[u8]) -> Result<JpegHeader, PictureFault> {
    if data.len() < 4 || data[..2] != [0xff, START_OF_IMAGE] {
        return Err("it does not start like a JPEG".into());
    }
    let (mut at, mut frame, mut has_tables, mut exif) = (2, None, false, None);
    loop {
        let found = segment(data, at)?;
        match found.marker {
            HUFFMAN_TABLES => has_tables = true,
            APPLICATION_1 if found.content.starts_with(b"Exif\0\0") => {
                exif = exif.or_else(|| orientation::of_exif(found.content));
            }
            marker if is_frame(marker) => {
                let &[_, y1, y0, x1, x0, components, ..] = found.content else {
                    return Err("its size is cut off".into());
                };
                let size = (u32::from(u16::from_be_bytes([x1, x0])), u32::from(u16::from_be_bytes([y1, y0])));
                if let Some(fault) = size_fault(size) {
                    return Err(fault);
                }
                frame = Some((size, components, marker <= 0xc1));
            }
            START_OF_SCAN => {
                let (stored, components, is_baseline) = frame.ok_or("it does not say its size")?;
                let orientation = exif.unwrap_or(Orientation::NoTransforms);
                let (width, height) = orientation::turned_size(stored, orientation);
                return Ok(JpegHeader {
                    width,
                    height,
                    stored,
                    orientation,
                    scan: at,
                    has_tables,
                    components,
                    is_baseline,
                });
            }
            END_OF_IMAGE => return Err("it holds no picture".into()),
            _ => {}
        }
        at = found.next;
    }
}

/// Whether the picture's last bytes are its end marker; cameras may pad behind it with zeros.
pub fn jpeg_is_whole(data: &[u8]) -> bool {
    end_marker(data).is_some()
}

/// Where the end marker behind all else stands.
fn end_marker(data: &[u8]) -> Option<usize> {
    let end = data.iter().rposition(|&byte| byte != 0)? + 1;
    data[..end].ends_with(&[0xff, END_OF_IMAGE]).then(|| end - 2)
}

/// Why a JPEG is not whole, if it is not: every code of every scan is looked at, no pixel is computed.
pub fn jpeg_fault(data: &[u8]) -> Option<PictureFault> {
    let whole = jpeg_header(data).and_then(|header| whole::end_of(&tables_added(data, &header)));
    whole.err()
}

/// Decodes a picture as it is stored, and says how it is turned; gray stays gray.
pub(super) fn decode(data: &[u8]) -> Result<(DynamicImage, Orientation), PictureFault> {
    let header = jpeg_header(data)?;
    let data = &tables_added(data, &header);
    let data = &data[..whole::end_of(data)?];
    let (width, height) = header.stored;
    let size = width as usize * height as usize;
    let picture = if header.components == 1 {
        let mut pixels = vec![0; size];
        decode_pixels(data, ColorSpace::Luma, &mut pixels)?;
        GrayImage::from_raw(width, height, pixels).map(DynamicImage::from)
    } else {
        let mut pixels = vec![0; size * 3];
        decode_pixels(data, ColorSpace::RGB, &mut pixels)?;
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
    }
    .ok_or("its size is not that of its pixels")?;
    Ok((picture, header.orientation))
}

/// From this width on every row of blocks is longer than what the decoder reads ahead, so that it tells a loss itself.
const DETECTABLE_WIDTH: u32 = 64;

/// Decodes a frame of a live camera into `picture`, which has the right size already.
///
/// Going through every code would take as long as decoding. What is lost of a frame on its way the decoder tells as well: a
/// sequential picture that is wide enough and ends without its end marker is refused wherever its data run out.
pub(crate) fn decode_into(data: &[u8], picture: &mut RgbImage) -> Result<(), PictureFault> {
    let header = jpeg_header(data)?;
    if (header.width, header.height) != picture.dimensions() {
        return Err(PictureFault::damaged(format!("it is {}x{}", header.width, header.height)));
    }
    let end = end_marker(data).ok_or("it ends before its end marker")?;
    let data = if header.is_baseline && header.stored.0 >= DETECTABLE_WIDTH {
        tables_added(&data[..end], &header)
    } else {
        let data = tables_added(data, &header);
        whole::end_of(&data)?;
        data
    };
    if header.orientation == Orientation::NoTransforms {
        return decode_pixels(&data, ColorSpace::RGB, picture);
    }
    let mut stored = vec![0; picture.len()];
    decode_pixels(&data, ColorSpace::RGB, &mut stored)?;
    picture.copy_from_slice(&turn_values::<u8, 3>(&stored, header.stored, header.orientation).0);
    Ok(())
}

/// Decodes the pixels as they are stored.
fn decode_pixels(data: &[u8], color: ColorSpace, pixels: &mut [u8]) -> Result<(), PictureFault> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(color);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
    decoder.decode_into(pixels).map_err(|error| PictureFault::damaged(error.to_string()))
}

/// The picture with the Huffman tables that cameras leave out, so that any decoder reads it; without padding.
///
/// # Errors
/// What is wrong with its headers or its end, for people.
pub(crate) fn with_tables(data: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let end = end_marker(data).ok_or("it ends before its end marker")? + 2;
    let header = jpeg_header(data).map_err(|fault| fault.to_string())?;
    Ok(tables_added(&data[..end], &header))
}

fn tables_added<'a>(data: &'a [u8], header: &JpegHeader) -> Cow<'a, [u8]> {
    if header.has_tables {
        return Cow::Borrowed(data);
    }
    Cow::Owned([&data[..header.scan], &standard_tables::standard_tables(), &data[header.scan..]].concat())
}
