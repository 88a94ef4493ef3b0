//! PNG: its chunks, and its pixels or palette indices.
//!
//! Reference: W3C, *Portable Network Graphics (PNG) Specification (Third Edition)*, sections 5 and 11.

use super::{Orientation, PictureFault, PictureHeader, orientation, size_fault};
use image::DynamicImage;
use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Transformations};
use std::io::{Cursor, Read, Seek, SeekFrom};

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// EXIF of a camera has 64 KiB at most because a JPEG's segment has.
const EXIF_BYTES: u32 = 1 << 16;

/// What the chunks of a PNG say.
#[derive(Clone, Copy, Debug)]
pub(super) struct PngHeader {
    pub(super) picture: PictureHeader,
    /// Pictures of an animation; 1 for a picture.
    frames: u32,
}

/// Goes from chunk to chunk, which proves that the file goes on to its end.
///
/// # Errors
/// It is cut off, or its size is out of bounds.
pub(super) fn header(file: &mut (impl Read + Seek)) -> Result<PngHeader, PictureFault> {
    const CUT: &str = "it ends before its end: its last chunk (IEND) is missing";
    let mut start = [0; 8];
    if file.read_exact(&mut start).is_err() || start != SIGNATURE {
        return Err("it does not start like a PNG".into());
    }
    let (mut stored, mut exif, mut frames) = (None, None, 1);
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head).map_err(|_| CUT)?;
        let [a, b, c, d, name @ ..] = head;
        let length = u32::from_be_bytes([a, b, c, d]);
        let taken = match &name {
            b"IHDR" | b"acTL" if length >= 8 => {
                let mut numbers = [0; 8];
                file.read_exact(&mut numbers).map_err(|_| CUT)?;
                let [a, b, c, d, e, f, g, h] = numbers;
                let numbers = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
                if name == *b"IHDR" {
                    stored = Some(numbers);
                } else {
                    frames = numbers.0;
                }
                8
            }
            b"eXIf" if length <= EXIF_BYTES => {
                let mut block = vec![0; length as usize];
                file.read_exact(&mut block).map_err(|_| CUT)?;
                exif = exif.or_else(|| orientation::of_exif(&block));
                length
            }
            b"IEND" => break,
            _ => 0,
        };
        if let (Some(size), b"IHDR") = (stored, &name)
            && let Some(fault) = size_fault(size)
        {
            return Err(fault);
        }
        // The checksum behind the content too.
        file.seek(SeekFrom::Current(i64::from(length - taken) + 4)).map_err(|_| CUT)?;
    }
    let stored = stored.ok_or("it does not say its size")?;
    Ok(PngHeader { picture: PictureHeader { stored, orientation: exif.unwrap_or(Orientation::NoTransforms) }, frames })
}

/// How the values of a PNG are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One value a pixel.
    Gray,
    /// One value a pixel, which is the number of a colour.
    Palette,
    /// Red, green, blue.
    Rgb,
    /// Gray, then opacity.
    GrayAlpha,
    /// Red, green, blue, opacity.
    Rgba,
}

impl Layout {
    /// Values of one pixel.
    pub(crate) const fn channels(self) -> usize {
        match self {
            Self::Gray | Self::Palette => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// The values of a PNG as they are stored.
#[derive(Clone, Debug)]
pub(crate) struct RawPng {
    pub(crate) header: PictureHeader,
    pub(crate) layout: Layout,
    /// Bits of a value: 1, 2, 4, 8 or 16.
    pub(crate) bits: u8,
    /// Row by row, one number for each value.
    pub(crate) values: Vec<u16>,
    /// The colours of a palette, by its indices; empty where there is none.
    pub(crate) palette: Vec<[u8; 3]>,
}

/// The values of a PNG, neither scaled nor looked up in its palette, nor turned.
///
/// # Errors
/// It is no PNG, not whole, or its size is out of bounds.
pub(crate) fn raw(bytes: &[u8]) -> Result<RawPng, PictureFault> {
    let Pixels { header, layout, depth, data, palette } = read(bytes, Transformations::IDENTITY)?;
    let (width, height) = header.stored;
    let in_row = width as usize * layout.channels();
    let bits = depth as u8;
    let values = match bits {
        16 => data.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect(),
        8 => data.into_iter().map(u16::from).collect(),
        _ => {
            let (in_byte, mask) = (8 / usize::from(bits), (1_u16 << bits) - 1);
            let row_bytes = in_row.div_ceil(in_byte);
            let value = |row: &[u8], x: usize| {
                let shift = 8 - usize::from(bits) * (x % in_byte + 1);
                u16::from(row[x / in_byte]) >> shift & mask
            };
            let rows = data.chunks_exact(row_bytes).take(height as usize);
            rows.flat_map(|row| (0..in_row).map(move |x| value(row, x))).collect()
        }
    };
    Ok(RawPng { header, layout, bits, values, palette })
}

/// Decodes a PNG as it is stored, and says how it is turned.
pub(super) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), PictureFault> {
    let Pixels { header, layout, depth, data, .. } = read(bytes, Transformations::EXPAND)?;
    let (width, height) = header.stored;
    let picture = if depth == BitDepth::Sixteen {
        let data: Vec<u16> = data.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
        match layout {
            Layout::Gray | Layout::Palette => {
                image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageLuma16)
            }
            Layout::GrayAlpha => image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageLumaA16),
            Layout::Rgb => image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageRgb16),
            Layout::Rgba => image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageRgba16),
        }
    } else {
        match layout {
            Layout::Gray | Layout::Palette => {
                image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageLuma8)
            }
            Layout::GrayAlpha => image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageLumaA8),
            Layout::Rgb => image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageRgb8),
            Layout::Rgba => image::ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageRgba8),
        }
    };
    let picture = picture.ok_or("its size is not that of its pixels")?;
    Ok((picture, header.orientation))
}

struct Pixels {
    header: PictureHeader,
    layout: Layout,
    depth: BitDepth,
    data: Vec<u8>,
    palette: Vec<[u8; 3]>,
}

fn read(bytes: &[u8], transformations: Transformations) -> Result<Pixels, PictureFault> {
    let PngHeader { picture: header, frames } = header(&mut Cursor::new(bytes))?;
    if frames > 1 {
        return Err(PictureFault::Animated { frames });
    }
    let fault = |error: DecodingError| PictureFault::damaged(error.to_string());
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_transformations(transformations);
    let mut reader = decoder.read_info().map_err(fault)?;
    let (color, depth) = reader.output_color_type();
    let palette = reader.info().palette.as_deref().map_or(&[][..], |palette| palette.as_chunks::<3>().0).to_vec();
    let mut data = vec![0; reader.output_buffer_size().ok_or("it is too large")?];
    let read = reader.next_frame(&mut data).map_err(fault)?;
    data.truncate(read.buffer_size());
    reader.finish().map_err(fault)?;
    let layout = match color {
        ColorType::Grayscale => Layout::Gray,
        ColorType::Indexed => Layout::Palette,
        ColorType::Rgb => Layout::Rgb,
        ColorType::GrayscaleAlpha => Layout::GrayAlpha,
        ColorType::Rgba => Layout::Rgba,
    };
    Ok(Pixels { header, layout, depth, data, palette })
}
