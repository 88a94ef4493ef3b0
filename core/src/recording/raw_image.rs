//! Foxglove's `RawImage` as a frame: every encoding that its schema names and that is a picture.
//!
//! | encoding | bytes of a pixel | becomes |
//! |---|---|---|
//! | `rgb8`, `bgr8`, `8UC3` (blue first) | 3 | as it is |
//! | `rgba8`, `bgra8`, `8UC4` (blue first) | 4 | RGB, without the alpha |
//! | `mono8`, `8UC1` | 1 | gray |
//! | `mono16` | 2 | gray, v / 257 |
//! | `rgb16`, `bgr16`, `16UC3`, `rgba16`, `bgra16`, `16UC4` | 6 or 8 | RGB, v / 257 |
//! | `bayer_rggb8`, `…_bggr8`, `…_gbrg8`, `…_grbg8` | 1 | as it is |
//! | `bayer_rggb16` and so on | 2 | 8 bits of each, v / 257 |
//! | `yuyv`, `yuv422_yuy2`, `uyvy`, `yuv422` | 2 | as it is |
//! | `nv12`, `nv21` | 1.5 | NV12 |
//!
//! Numbers of 16 bits are little-endian: the schema knows no other order. `16UC1` and `32FC1` are depth (REP 118) and no
//! pictures.
//!
//! References: <https://docs.foxglove.dev/docs/visualization/message-schemas/raw-image>; REP 118, *Depth Images*.

use crate::frame::{BayerOrder, Frame, PixelFormat, Timestamp};
use crate::picture_file::size_fault;
use foxglove::messages::RawImage;

/// Bytes behind the last row that are no sign of a wrong height: buffers of drivers end with a memory page.
const TRAILING_BYTES: usize = 4096;
/// Bytes that a pixel has in some encoding.
const PIXEL_BYTES: [usize; 6] = [1, 2, 3, 4, 6, 8];

/// What a pixel of an encoding is made of.
#[derive(Clone, Copy)]
enum Layout {
    /// A format of frames, row by row.
    Frame(PixelFormat),
    /// So many numbers of 8 bits, of which `take` go into the frame, first to last.
    Bytes { numbers: usize, take: &'static [usize], format: PixelFormat },
    /// The same with numbers of 16 bits.
    Words { numbers: usize, take: &'static [usize], format: PixelFormat },
    /// A plane of Y, then one of interleaved Cb Cr (or Cr Cb) of half the size.
    Planes { blue_first: bool },
}

impl Layout {
    fn of(encoding: &str) -> Option<Self> {
        const GRAY: &[usize] = &[0];
        const FORTH: &[usize] = &[0, 1, 2];
        const BACK: &[usize] = &[2, 1, 0];
        let bytes = |numbers, take| Self::Bytes { numbers, take, format: PixelFormat::Rgb8 };
        let words = |numbers, take| Self::Words { numbers, take, format: PixelFormat::Rgb8 };
        Some(match encoding {
            "rgb8" | "8UC3_rgb" => Self::Frame(PixelFormat::Rgb8),
            "bgr8" | "8UC3" => Self::Frame(PixelFormat::Bgr8),
            "mono8" | "8UC1" => Self::Frame(PixelFormat::Gray8),
            "yuyv" | "yuv422_yuy2" => Self::Frame(PixelFormat::Yuyv),
            "uyvy" | "yuv422" => Self::Frame(PixelFormat::Uyvy),
            "rgba8" => bytes(4, FORTH),
            "bgra8" | "8UC4" => bytes(4, BACK),
            "mono16" => Self::Words { numbers: 1, take: GRAY, format: PixelFormat::Gray8 },
            "rgb16" => words(3, FORTH),
            "bgr16" | "16UC3" => words(3, BACK),
            "rgba16" => words(4, FORTH),
            "bgra16" | "16UC4" => words(4, BACK),
            "nv12" => Self::Planes { blue_first: true },
            "nv21" => Self::Planes { blue_first: false },
            other => return Self::bayer(other),
        })
    }

    fn bayer(encoding: &str) -> Option<Self> {
        let rest = encoding.strip_prefix("bayer_")?;
        let format = PixelFormat::Bayer8(match rest.get(..4)? {
            "rggb" => BayerOrder::Rggb,
            "bggr" => BayerOrder::Bggr,
            "gbrg" => BayerOrder::Gbrg,
            "grbg" => BayerOrder::Grbg,
            _ => return None,
        });
        match &rest[4..] {
            "8" => Some(Self::Frame(format)),
            "16" => Some(Self::Words { numbers: 1, take: &[0], format }),
            _ => None,
        }
    }

    fn row_bytes(self, width: u32) -> usize {
        let columns = width as usize;
        match self {
            Self::Frame(format) => format.bytes_per_row(width).unwrap_or_default(),
            Self::Bytes { numbers, .. } => columns * numbers,
            Self::Words { numbers, .. } => columns * numbers * 2,
            Self::Planes { .. } => columns.div_ceil(2) * 2,
        }
    }

    /// Rows of both planes, or of the only one.
    fn rows(self, height: u32) -> usize {
        let height = height as usize;
        if matches!(self, Self::Planes { .. }) { height + height.div_ceil(2) } else { height }
    }
}

/// The frame in a message.
///
/// # Errors
/// What is wrong with the message: an encoding that is no picture, or bytes that do not fit its size.
pub(super) fn frame_from_raw(message: &RawImage, timestamp: Timestamp, sequence: u64) -> Result<Frame, String> {
    let layout = Layout::of(&message.encoding).ok_or_else(|| no_picture(&message.encoding))?;
    let (width, height) = (message.width, message.height);
    let mut data = rows(message, layout.row_bytes(width), layout.rows(height))?;
    let format = match layout {
        Layout::Frame(format) => format,
        Layout::Bytes { numbers, take, format } => {
            let pixels = data.chunks_exact(numbers);
            data = pixels.flat_map(|pixel| take.iter().map(|&at| pixel[at])).collect();
            format
        }
        Layout::Words { numbers, take, format } => {
            let pixels = data.chunks_exact(2 * numbers);
            data = pixels.flat_map(|pixel| take.iter().map(|&at| eight_bits(word(pixel, at)))).collect();
            format
        }
        Layout::Planes { blue_first } => {
            let luma = layout.row_bytes(width) * height as usize;
            if !blue_first {
                data[luma..].as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.reverse());
            }
            // A frame's rows of Y have no padding, those of an odd width in a message have.
            if width % 2 == 1 {
                let chroma = data.split_off(luma);
                data = data.chunks_exact(width as usize + 1).flat_map(|row| &row[..width as usize]).copied().collect();
                data.extend(chroma);
            }
            PixelFormat::Nv12
        }
    };
    Ok(Frame { timestamp, sequence, width, height, format, data, ..Frame::default() })
}

/// The largest of the numbers of 16 bits in a picture, opacity aside; none where the encoding has no such numbers.
pub(super) fn brightest_of_16_bits(message: &RawImage) -> Option<u16> {
    let Layout::Words { numbers, take, .. } = Layout::of(&message.encoding)? else { return None };
    let data = rows(message, message.width as usize * 2 * numbers, message.height as usize).ok()?;
    data.chunks_exact(2 * numbers).flat_map(|pixel| take.iter().map(move |&at| word(pixel, at))).max()
}

fn no_picture(encoding: &str) -> String {
    match encoding {
        "16UC1" | "32FC1" => format!(
            "encoding {encoding} is depth and no picture (a gray picture of 16 bits is mono16; depth is read on its own topic)"
        ),
        other => format!(
            "image encoding must be rgb8, bgr8, rgba8, bgra8, mono8, mono16, rgb16, bayer_*, yuyv, uyvy or nv12, found \
             {other:?}"
        ),
    }
}

fn word(pixel: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([pixel[2 * at], pixel[2 * at + 1]])
}

/// 65535 becomes 255: rounded, as decoders of PNG do it.
fn eight_bits(word: u16) -> u8 {
    ((u32::from(word) + 128) / 257) as u8
}

/// `count` rows of an image without the padding between them.
///
/// # Errors
/// Rows of the length that is said, or the bytes there are, cannot be those of this encoding and size.
pub(super) fn rows(message: &RawImage, row_bytes: usize, count: usize) -> Result<Vec<u8>, String> {
    let (step, found) = (message.step as usize, message.data.len());
    let misfit = |why: &str| {
        let RawImage { width, height, encoding, .. } = message;
        Err(format!("a {width}x{height} {encoding} image with {found} bytes in rows of {step}: {why}"))
    };
    if row_bytes == 0 || count == 0 {
        return misfit("it has no pixels");
    }
    if let Some(fault) = size_fault((message.width, message.height)) {
        return misfit(&fault.to_string());
    }
    if step < row_bytes {
        return misfit(&format!("a row has at least {row_bytes}"));
    }
    // The last row's padding is often left out.
    let Some(least) = step.checked_mul(count - 1).and_then(|bytes| bytes.checked_add(row_bytes)) else {
        return misfit("that is more than any memory holds");
    };
    if found < least {
        return misfit(&format!("there must be at least {least}"));
    }
    if found - least > TRAILING_BYTES.max(step) {
        return misfit(&format!("{} rows would be left over", (found - least) / step));
    }
    if is_row_of_another_encoding(message.width as usize, row_bytes, step) {
        return misfit(&format!("that is the length of {}-byte pixels", step / message.width as usize));
    }
    let mut data = Vec::with_capacity(row_bytes * count);
    message.data.chunks(step).take(count).for_each(|row| data.extend_from_slice(&row[..row_bytes]));
    Ok(data)
}

/// Whether rows have exactly the length that pixels of more bytes would give them, and no padding to a power of two explains it:
/// the encoding is not what it says.
fn is_row_of_another_encoding(width: usize, row_bytes: usize, step: usize) -> bool {
    let padded = |to: u32| row_bytes.next_multiple_of(1 << to) == step;
    let other = PIXEL_BYTES.iter().any(|bytes| width * bytes == step);
    step > row_bytes && other && !(0..16).any(padded)
}

#[cfg(test)]
#[path = "raw_image_tests.rs"]
mod tests;
