//! One picture as a camera gave it: pixels in the camera's own format, size, sequence number and time stamp.
//!
//! Y'CbCr formats say their matrix and range in [`Frame::ycbcr`]; a JPEG is always BT.601 with full range (JFIF).

mod bayer;
mod ycbcr;

pub use crate::picture_file::{JpegHeader, jpeg_fault, jpeg_header, jpeg_is_whole};
pub use bayer::BayerOrder;
pub use ycbcr::{Matrix, Range, Ycbcr};

use crate::picture_file::jpeg;
use crate::{Error, Result};
use bayer::rgb_from_bayer;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use ycbcr::{rgb_from_nv12, rgb_from_packed};

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

    /// The time from `earlier` to here; zero when that is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This much later.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos() as u64))
    }
}

/// How the bytes of a [`Frame`] are laid out. Rows follow each other without padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PixelFormat {
    /// Red, green, blue, one byte each.
    #[default]
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
    /// One colour per pixel, one byte each.
    Bayer8(BayerOrder),
    /// One colour per pixel, the low 10 bits of two bytes each, low byte first.
    Bayer10(BayerOrder),
    /// A compressed picture of any length.
    Jpeg,
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
            Self::Bayer8(BayerOrder::Rggb) => "rggb8",
            Self::Bayer8(BayerOrder::Bggr) => "bggr8",
            Self::Bayer8(BayerOrder::Grbg) => "grbg8",
            Self::Bayer8(BayerOrder::Gbrg) => "gbrg8",
            Self::Bayer10(BayerOrder::Rggb) => "rggb10",
            Self::Bayer10(BayerOrder::Bggr) => "bggr10",
            Self::Bayer10(BayerOrder::Grbg) => "grbg10",
            Self::Bayer10(BayerOrder::Gbrg) => "gbrg10",
            Self::Jpeg => "mjpeg",
        }
    }

    /// The format of this name, as in [`PixelFormat::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Every format.
    pub const ALL: [Self; 15] = {
        use BayerOrder::{Bggr, Gbrg, Grbg, Rggb};
        let (b8, b10) = (Self::Bayer8, Self::Bayer10);
        [
            Self::Yuyv,
            Self::Uyvy,
            Self::Nv12,
            Self::Rgb8,
            Self::Bgr8,
            Self::Gray8,
            b8(Rggb),
            b8(Bggr),
            b8(Grbg),
            b8(Gbrg),
            b10(Rggb),
            b10(Bggr),
            b10(Grbg),
            b10(Gbrg),
            Self::Jpeg,
        ]
    };

    /// Bytes of one row of the first plane; none for a compressed format.
    pub const fn bytes_per_row(self, width: u32) -> Option<usize> {
        let width = width as usize;
        Some(match self {
            Self::Rgb8 | Self::Bgr8 => width * 3,
            Self::Gray8 | Self::Nv12 | Self::Bayer8(_) => width,
            Self::Yuyv | Self::Uyvy => width.div_ceil(2) * 4,
            Self::Bayer10(_) => width * 2,
            Self::Jpeg => return None,
        })
    }

    /// Bytes of one frame; none for a compressed format. The Y'CbCr formats need an even width (and NV12 an even
    /// height); odd sizes round up.
    pub const fn bytes_per_frame(self, width: u32, height: u32) -> Option<usize> {
        let Some(row) = self.bytes_per_row(width) else { return None };
        let (width, height) = (width as usize, height as usize);
        Some(match self {
            Self::Nv12 => row * height + width.div_ceil(2) * 2 * height.div_ceil(2),
            _ => row * height,
        })
    }
}

/// One picture with the time it was taken. The default is an empty buffer to be filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// When the picture was taken.
    pub timestamp: Timestamp,
    /// The camera's running number; a gap means frames were lost.
    pub sequence: u64,
    /// Width in pixels; of a JPEG as shown.
    pub width: u32,
    /// Height in pixels; of a JPEG as shown.
    pub height: u32,
    /// Layout of `data`.
    pub format: PixelFormat,
    /// What the bytes of a Y'CbCr format mean; the other formats do not look at it.
    pub ycbcr: Ycbcr,
    /// The pixels, `format.bytes_per_frame(width, height)` bytes, or one JPEG.
    pub data: Vec<u8>,
}

impl Frame {
    /// A frame that holds an RGB picture.
    pub fn from_rgb(picture: RgbImage, timestamp: Timestamp, sequence: u64) -> Self {
        let (width, height) = picture.dimensions();
        Self { timestamp, sequence, width, height, data: picture.into_raw(), ..Self::default() }
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

    /// Writes the picture as RGB into `picture`, which takes the frame's size; allocates only when that changes, and
    /// inside the decoder for a JPEG.
    ///
    /// # Errors
    /// [`Error::FrameBytes`] when `data` does not have the length that format and size ask for,
    /// [`Error::FramePicture`] for a JPEG that is damaged or of another size.
    pub fn write_rgb(&self, picture: &mut RgbImage) -> Result<()> {
        let Self { width, height, format, ycbcr, ref data, .. } = *self;
        if let Some(expected) = format.bytes_per_frame(width, height).filter(|&expected| expected != data.len()) {
            return Err(Error::FrameBytes { format: format.name(), width, height, expected, found: data.len() });
        }
        if picture.dimensions() != (width, height) {
            *picture = RgbImage::new(width, height);
        }
        if width == 0 || height == 0 {
            return Ok(());
        }
        let (columns, rows) = (width as usize, height as usize);
        let rgb: &mut [u8] = picture;
        match format {
            PixelFormat::Rgb8 => rgb.copy_from_slice(data),
            PixelFormat::Bgr8 => rgb_from_bgr(data, rgb),
            PixelFormat::Gray8 => rgb_from_gray(data, rgb),
            PixelFormat::Yuyv => rgb_from_packed::<0>(data, rgb, width, ycbcr),
            PixelFormat::Uyvy => rgb_from_packed::<1>(data, rgb, width, ycbcr),
            PixelFormat::Nv12 => rgb_from_nv12(data, rgb, width, height, ycbcr),
            PixelFormat::Bayer8(order) => rgb_from_bayer(|i| u16::from(data[i]), order, columns, rows, rgb),
            PixelFormat::Bayer10(order) => rgb_from_bayer(|i| eight_of_ten_bits(data, i), order, columns, rows, rgb),
            PixelFormat::Jpeg => jpeg::decode_into(data, picture).map_err(|fault| Error::FramePicture {
                format: format.name(),
                width,
                height,
                reason: fault.to_string(),
            })?,
        }
        Ok(())
    }
}

/// The high 8 of the low 10 bits of the sample `index`.
fn eight_of_ten_bits(data: &[u8], index: usize) -> u16 {
    (u16::from_le_bytes([data[2 * index], data[2 * index + 1]]) & 0x3ff) >> 2
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

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(format: PixelFormat, width: u32, height: u32, data: Vec<u8>) -> Frame {
        Frame { width, height, format, data, ..Frame::default() }
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
    fn ten_bit_mosaics_keep_their_high_bits() {
        let ten = |value: u16| value.to_le_bytes();
        let data = [ten(1023), ten(400), ten(400), ten(3)].concat();
        let picture = frame(PixelFormat::Bayer10(BayerOrder::Rggb), 2, 2, data).to_rgb().unwrap();
        assert!(picture.pixels().all(|pixel| pixel.0 == [255, 100, 0]));
    }

    #[test]
    fn a_jpeg_of_another_size_or_damaged_is_an_error_that_says_so() {
        let mut data = Vec::new();
        let picture = RgbImage::new(8, 8);
        image::codecs::jpeg::JpegEncoder::new(&mut data).encode_image(&picture).unwrap();
        assert_eq!(frame(PixelFormat::Jpeg, 8, 8, data.clone()).to_rgb().unwrap(), picture);
        let error = frame(PixelFormat::Jpeg, 16, 8, data.clone()).to_rgb().unwrap_err();
        assert_eq!(error.to_string(), "a 16x8 mjpeg frame cannot be decoded: it is 8x8");
        data.truncate(data.len() - 2);
        let error = frame(PixelFormat::Jpeg, 8, 8, data).to_rgb().unwrap_err();
        assert!(error.to_string().contains("end marker") && error.hint().is_some(), "{error}");
    }

    #[test]
    fn formats_are_found_by_their_names() {
        for format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_name(format.name()), Some(format));
        }
        assert_eq!(PixelFormat::from_name("h264"), None);
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
