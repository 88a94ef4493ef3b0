//! JPEG pictures as cameras send them.
//!
//! Motion-JPEG cameras leave out the Huffman tables because all of them use the ones of the standard's annex; a
//! decoder of pictures wants them, so they are put in front of the scan. A picture that ends early is refused rather
//! than filled up with grey: half a picture is no picture of now. (A loss within the last row of blocks, or in a picture
//! narrower than 64 pixels, can only be seen by the missing end marker.)
//!
//! Reference: ITU-T T.81 (1992), annex B (markers) and annex K, tables K.3 to K.6.

use image::RgbImage;
use std::borrow::Cow;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const HUFFMAN_TABLES: u8 = 0xc4;

/// What the headers of a JPEG say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JpegHeader {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Where the first scan's marker stands.
    scan: usize,
    has_tables: bool,
    /// Sequential with Huffman codes, as all cameras send it.
    baseline: bool,
}

/// From this width on every row of blocks is longer than what the decoder reads ahead.
const DETECTABLE_WIDTH: u32 = 64;

/// Reads the segments of a JPEG up to its first scan.
///
/// # Errors
/// What is wrong with it, for people.
pub fn jpeg_header(data: &[u8]) -> Result<JpegHeader, &'static str> {
    if data.len() < 4 || data[..2] != [0xff, START_OF_IMAGE] {
        return Err("it does not start like a JPEG");
    }
    let (mut at, mut size, mut has_tables, mut baseline) = (2, None, false, false);
    loop {
        let &[0xff, marker, high, low] = data.get(at..at + 4).ok_or("its headers are cut off")? else {
            return Err("a header is not where it should be");
        };
        match marker {
            0xff => {
                at += 1; // a fill byte
                continue;
            }
            HUFFMAN_TABLES => has_tables = true,
            // Every kind of frame header; C8 and CC are other things.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let &[y1, y0, x1, x0] = data.get(at + 5..at + 9).ok_or("its headers are cut off")? else {
                    return Err("its headers are cut off");
                };
                baseline = marker <= 0xc1;
                size = Some((u32::from(u16::from_be_bytes([x1, x0])), u32::from(u16::from_be_bytes([y1, y0]))));
            }
            START_OF_SCAN => {
                let (width, height) = size.ok_or("it does not say its size")?;
                return Ok(JpegHeader { width, height, scan: at, has_tables, baseline });
            }
            _ => {}
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
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

/// Decodes into `picture`, which has the right size already.
pub(super) fn decode_into(data: &[u8], picture: &mut RgbImage) -> Result<(), String> {
    let header = jpeg_header(data)?;
    let end = end_marker(data).ok_or("it ends before its end marker")?;
    // At an end marker that comes too early the decoder goes on with zeros, at the end of the data it does not.
    let data = if header.baseline && header.width >= DETECTABLE_WIDTH { &data[..end] } else { data };
    if (header.width, header.height) != picture.dimensions() {
        return Err(format!("it is {}x{}", header.width, header.height));
    }
    let data = tables_added(data, &header);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&*data), options);
    decoder.decode_into(picture).map_err(|error| error.to_string())
}

/// The picture with the Huffman tables that cameras leave out, so that any decoder reads it; without padding.
///
/// # Errors
/// What is wrong with its headers or its end, for people.
pub(crate) fn with_tables(data: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let end = end_marker(data).ok_or("it ends before its end marker")? + 2;
    Ok(tables_added(&data[..end], &jpeg_header(data)?))
}

fn tables_added<'a>(data: &'a [u8], header: &JpegHeader) -> Cow<'a, [u8]> {
    if header.has_tables {
        return Cow::Borrowed(data);
    }
    Cow::Owned([&data[..header.scan], &standard_tables(), &data[header.scan..]].concat())
}

/// One table: its class and number, how many codes of each length from 1 to 16 there are, and what they mean.
type Table = (u8, [u8; 16], &'static [u8]);

const TABLES: [Table; 4] = [
    (0x00, [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC_VALUES),
    (0x10, [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], &AC_LUMA),
    (0x01, [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC_VALUES),
    (0x11, [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &AC_CHROMA),
];

const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[rustfmt::skip]
const AC_LUMA: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[rustfmt::skip]
const AC_CHROMA: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

fn standard_tables() -> Vec<u8> {
    let bytes: usize = TABLES.iter().map(|(_, _, values)| 17 + values.len()).sum();
    let mut segment = vec![0xff, HUFFMAN_TABLES];
    segment.extend_from_slice(&(2 + bytes as u16).to_be_bytes());
    for (id, counts, values) in TABLES {
        segment.push(id);
        segment.extend_from_slice(&counts);
        segment.extend_from_slice(values);
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(80, 48, |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, (x + y) as u8]))
    }

    fn encoded() -> Vec<u8> {
        let mut data = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut data, 95);
        encoder.encode_image(&picture()).unwrap();
        data
    }

    fn decoded(data: &[u8]) -> Result<RgbImage, String> {
        let mut picture = RgbImage::new(80, 48);
        decode_into(data, &mut picture).map(|()| picture)
    }

    /// Removes the Huffman tables, as Motion-JPEG cameras do.
    fn without_tables(data: &[u8]) -> Vec<u8> {
        let (mut kept, mut at) = (data[..2].to_vec(), 2);
        while data[at + 1] != START_OF_SCAN {
            let end = at + 2 + usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
            if data[at + 1] != HUFFMAN_TABLES {
                kept.extend_from_slice(&data[at..end]);
            }
            at = end;
        }
        kept.extend_from_slice(&data[at..]);
        kept
    }

    #[test]
    fn a_motion_jpeg_without_tables_decodes_like_the_whole_file() {
        let whole = encoded();
        let bare = without_tables(&whole);
        assert!(bare.len() < whole.len() - 400, "the encoder wrote tables, and they are gone");
        assert_eq!(decoded(&bare).unwrap(), decoded(&whole).unwrap());
        let furthest = decoded(&whole).unwrap().iter().zip(picture().iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest <= Some(12), "quality 95 keeps a smooth picture, off by {furthest:?}");
    }

    #[test]
    fn one_colour_is_a_whole_picture_however_few_bytes_it_takes() {
        for (width, height) in [(8, 8), (16, 16), (63, 9), (64, 8), (65, 100), (640, 480)] {
            for gray in [false, true] {
                let picture = image::DynamicImage::from(RgbImage::from_pixel(width, height, image::Rgb([7; 3])));
                let picture = if gray { picture.into_luma8().into() } else { picture };
                let mut data = Vec::new();
                image::codecs::jpeg::JpegEncoder::new(&mut data).encode_image(&picture).unwrap();
                let mut back = RgbImage::new(width, height);
                decode_into(&data, &mut back).unwrap();
                assert!(back.iter().all(|value| value.abs_diff(7) <= 2), "{width}x{height}");
            }
        }
    }

    #[test]
    fn the_header_says_the_size() {
        let header = jpeg_header(&encoded()).unwrap();
        assert_eq!((header.width, header.height, header.has_tables), (80, 48, true));
        assert!(jpeg_header(b"\xff\xd8\xff").is_err() && jpeg_header(b"GIF89a..").is_err());
    }

    #[test]
    fn padding_is_no_damage_and_a_cut_anywhere_is() {
        let whole = encoded();
        assert!(decoded(&[whole.as_slice(), &[0; 100]].concat()).is_ok());
        for length in 0..whole.len() {
            assert!(decoded(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        let scan = jpeg_header(&whole).unwrap().scan;
        let middle = scan + (whole.len() - scan) / 3;
        let lost_packet = [&whole[..middle], &whole[whole.len() - 2..]].concat();
        assert!(decoded(&lost_packet).is_err(), "a lost packet is no picture although the end marker is there");
    }
}
