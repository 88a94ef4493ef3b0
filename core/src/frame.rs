//! One picture as a camera gave it: pixels in the camera's own format, size, sequence number and time stamp.
//!
//! Y'CbCr formats follow ITU-R BT.601 with limited range, as V4L2's default for these formats.

use crate::{Error, Result};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// A point in time in nanoseconds; the epoch is the recording's or the driver's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From seconds since the epoch; negative values become zero.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs.max(0.0) * 1e9).round() as u64)
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the epoch.
    pub fn secs(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

/// How the bytes of a [`Frame`] are laid out. Rows follow each other without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PixelFormat {
    /// Red, green, blue, one byte each.
    Rgb8,
    /// Blue, green, red, one byte each.
    Bgr8,
    /// One byte of brightness.
    Gray8,
    /// Y0 Cb Y1 Cr: two pixels in four bytes.
    Yuyv,
    /// Cb Y0 Cr Y1: two pixels in four bytes.
    Uyvy,
    /// A plane of Y, then a half-size plane of interleaved Cb Cr.
    Nv12,
}

impl PixelFormat {
    /// Name as used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb8 => "rgb8",
            Self::Bgr8 => "bgr8",
            Self::Gray8 => "gray8",
            Self::Yuyv => "yuyv",
            Self::Uyvy => "uyvy",
            Self::Nv12 => "nv12",
        }
    }

    /// Bytes of one frame. The Y'CbCr formats need an even width (and NV12 an even height); odd sizes round up.
    pub const fn bytes_per_frame(self, width: u32, height: u32) -> usize {
        let (width, height) = (width as usize, height as usize);
        match self {
            Self::Rgb8 | Self::Bgr8 => width * height * 3,
            Self::Gray8 => width * height,
            Self::Yuyv | Self::Uyvy => width.div_ceil(2) * 4 * height,
            Self::Nv12 => width * height + width.div_ceil(2) * 2 * height.div_ceil(2),
        }
    }
}

/// One picture with the time it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the picture was taken.
    pub timestamp: Timestamp,
    /// The camera's running number; a gap means frames were lost.
    pub sequence: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Layout of `data`.
    pub format: PixelFormat,
    /// The pixels, `format.bytes_per_frame(width, height)` bytes.
    pub data: Vec<u8>,
}

impl Frame {
    /// A frame that holds an RGB picture.
    pub fn from_rgb(picture: RgbImage, timestamp: Timestamp, sequence: u64) -> Self {
        let (width, height) = picture.dimensions();
        Self { timestamp, sequence, width, height, format: PixelFormat::Rgb8, data: picture.into_raw() }
    }

    /// The picture as RGB.
    ///
    /// # Errors
    /// [`Error::FrameBytes`] when `data` does not have the length that format and size ask for.
    pub fn to_rgb(&self) -> Result<RgbImage> {
        let mut picture = RgbImage::new(self.width, self.height);
        self.write_rgb(&mut picture)?;
        Ok(picture)
    }

    /// Writes the picture as RGB into `picture`, which takes the frame's size; allocates only when that changes.
    ///
    /// # Errors
    /// [`Error::FrameBytes`] when `data` does not have the length that format and size ask for.
    pub fn write_rgb(&self, picture: &mut RgbImage) -> Result<()> {
        let expected = self.format.bytes_per_frame(self.width, self.height);
        if self.data.len() != expected {
            return Err(Error::FrameBytes {
                format: self.format.name(),
                width: self.width,
                height: self.height,
                expected,
                found: self.data.len(),
            });
        }
        if picture.dimensions() != (self.width, self.height) {
            *picture = RgbImage::new(self.width, self.height);
        }
        let rgb: &mut [u8] = picture;
        match self.format {
            PixelFormat::Rgb8 => rgb.copy_from_slice(&self.data),
            PixelFormat::Bgr8 => rgb_from_bgr(&self.data, rgb),
            PixelFormat::Gray8 => rgb_from_gray(&self.data, rgb),
            PixelFormat::Yuyv => rgb_from_packed_yuv(&self.data, rgb, self.width, [0, 1, 2, 3]),
            PixelFormat::Uyvy => rgb_from_packed_yuv(&self.data, rgb, self.width, [1, 0, 3, 2]),
            PixelFormat::Nv12 => rgb_from_nv12(&self.data, rgb, self.width, self.height),
        }
        Ok(())
    }
}

fn rgb_from_bgr(bgr: &[u8], rgb: &mut [u8]) {
    for (to, from) in rgb.chunks_exact_mut(3).zip(bgr.chunks_exact(3)) {
        to.copy_from_slice(&[from[2], from[1], from[0]]);
    }
}

fn rgb_from_gray(gray: &[u8], rgb: &mut [u8]) {
    for (to, &value) in rgb.chunks_exact_mut(3).zip(gray) {
        to.fill(value);
    }
}

/// `order` says where Y0, Cb, Y1 and Cr stand in each group of four bytes.
fn rgb_from_packed_yuv(packed: &[u8], rgb: &mut [u8], width: u32, order: [usize; 4]) {
    let width = width as usize;
    for (row, line) in rgb.chunks_exact_mut(width * 3).zip(packed.chunks_exact(width.div_ceil(2) * 4)) {
        for (pair, group) in row.chunks_mut(6).zip(line.chunks_exact(4)) {
            let (cb, cr) = (group[order[1]], group[order[3]]);
            for (to, y) in pair.chunks_exact_mut(3).zip([group[order[0]], group[order[2]]]) {
                to.copy_from_slice(&rgb_from_ycbcr(y, cb, cr));
            }
        }
    }
}

fn rgb_from_nv12(planes: &[u8], rgb: &mut [u8], width: u32, height: u32) {
    let (width, height) = (width as usize, height as usize);
    let (luma, chroma) = planes.split_at(width * height);
    let chroma_stride = width.div_ceil(2) * 2;
    for (y, row) in rgb.chunks_exact_mut(width * 3).enumerate() {
        for (x, to) in row.chunks_exact_mut(3).enumerate() {
            let at = (y / 2) * chroma_stride + (x / 2) * 2;
            to.copy_from_slice(&rgb_from_ycbcr(luma[y * width + x], chroma[at], chroma[at + 1]));
        }
    }
}

/// ITU-R BT.601, limited range, in 16.16 fixed point: 298/256 ≈ 255/219, 409/256 ≈ 1.402·255/224, and so on.
fn rgb_from_ycbcr(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let luma = 298 * (i32::from(y) - 16);
    let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
    let clamp = |value: i32| ((value + 128) >> 8).clamp(0, 255) as u8;
    [clamp(luma + 409 * cr), clamp(luma - 100 * cb - 208 * cr), clamp(luma + 516 * cb)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(format: PixelFormat, width: u32, height: u32, data: Vec<u8>) -> Frame {
        Frame { timestamp: Timestamp::default(), sequence: 0, width, height, format, data }
    }

    #[test]
    fn black_white_and_red_survive_every_ycbcr_layout() {
        let (black, white, red) = ([16, 128, 128], [235, 128, 128], [81, 90, 240]);
        for ([y, cb, cr], rgb) in [(black, [0, 0, 0]), (white, [255, 255, 255]), (red, [255, 0, 0])] {
            let frames = [
                frame(PixelFormat::Yuyv, 2, 1, vec![y, cb, y, cr]),
                frame(PixelFormat::Uyvy, 2, 1, vec![cb, y, cr, y]),
                frame(PixelFormat::Nv12, 2, 2, vec![y, y, y, y, cb, cr]),
            ];
            for frame in frames {
                for pixel in frame.to_rgb().unwrap().pixels() {
                    let error = pixel.0.iter().zip(rgb).map(|(a, b)| a.abs_diff(b)).max();
                    assert!(error <= Some(2), "{} gave {:?}, not {rgb:?}", frame.format.name(), pixel.0);
                }
            }
        }
    }

    #[test]
    fn bgr_and_gray_keep_their_values() {
        assert_eq!(frame(PixelFormat::Bgr8, 1, 1, vec![1, 2, 3]).to_rgb().unwrap().into_raw(), [3, 2, 1]);
        assert_eq!(frame(PixelFormat::Gray8, 1, 1, vec![9]).to_rgb().unwrap().into_raw(), [9, 9, 9]);
    }

    #[test]
    fn a_short_buffer_is_an_error_that_says_how_short() {
        let error = frame(PixelFormat::Rgb8, 2, 2, vec![0; 11]).to_rgb().unwrap_err();
        assert_eq!(error.to_string(), "a 2x2 rgb8 frame has 12 bytes, got 11");
    }

    #[test]
    fn odd_widths_of_packed_formats_fill_every_pixel() {
        let picture = frame(PixelFormat::Yuyv, 3, 1, vec![235, 128, 235, 128, 235, 128, 235, 128]).to_rgb().unwrap();
        assert!(picture.pixels().all(|pixel| pixel.0 == [255, 255, 255]));
    }

    #[test]
    fn seconds_and_nanoseconds_agree() {
        assert_eq!(Timestamp::from_secs_f64(1.5), Timestamp::from_nanos(1_500_000_000));
        assert!((Timestamp::from_nanos(100_000_000).secs() - 0.1).abs() < 1e-12);
    }
}
