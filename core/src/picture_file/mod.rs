//! The one door for pictures: from the bytes of a PNG, JPEG or BMP to pixels as a viewer shows them.
//!
//! Files, folders, recordings, labelled sets, bundles and live cameras all come through here, so that
//! - half a picture is no picture: what ends early or contradicts its own checksums, counts and codes is refused;
//! - the EXIF orientation is honoured: sizes and pixels are those of the picture as shown, not as stored;
//! - memory is bounded: a size is looked at before anything of that size is allocated;
//! - depth is no picture: gray values of 16 bits are taken where depth is asked for, and nowhere else.
//!
//! | file | what |
//! |---|---|
//! | `fault` | why a file is no picture |
//! | `orientation` | the turn that EXIF asks for |
//! | `jpeg` | JPEG: headers, scans, pixels |
//! | `png` | PNG: chunks, pixels, palette indices |
//!
//! The form is known by the first bytes, whatever the file's extension says.

mod fault;
pub(crate) mod jpeg;
mod orientation;
mod png;

pub(crate) use self::png::{Layout as PngLayout, RawPng, raw as raw_png};
pub use fault::PictureFault;
pub use image::metadata::Orientation;
pub use jpeg::{JpegHeader, jpeg_fault, jpeg_header, jpeg_is_whole};
pub(crate) use orientation::{Turns, name as orientation_name, turn_values};

use crate::{Error, Result};
use image::codecs::bmp::BmpDecoder;
use image::{DynamicImage, ImageDecoder, RgbImage};
use std::fs::File;
use std::io::{Cursor, Read as _, Seek as _};
use std::path::Path;

/// A picture has this many pixels at most: 8192 × 8192. Robots' cameras stay far below; the decoded picture takes 8
/// bytes a pixel at most, so that one picture never takes more than about 0.6 GiB.
pub const MAX_PIXELS: u64 = 1 << 26;
/// A picture is this wide and this high at most, as a JPEG can be: products of two sides stay within 32 bits.
pub const MAX_SIDE: u32 = 65_535;
/// A picture file has this many bytes at most: [`MAX_PIXELS`] pixels of four 16-bit channels.
pub const MAX_FILE_BYTES: u64 = 1 << 29;
/// So much of a JPEG file is read at first to learn its size: more than its headers take unless they hold large thumbnails.
const HEAD_BYTES: u64 = 1 << 17;

/// What the headers of a picture say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureHeader {
    /// Width and height of the pixels as they are stored.
    pub stored: (u32, u32),
    /// How a viewer turns them.
    pub orientation: Orientation,
}

impl PictureHeader {
    /// Width and height as shown.
    pub fn size(&self) -> (u32, u32) {
        self.size_turned(self.orientation)
    }

    /// Width and height of the stored pixels, turned otherwise than EXIF asks for.
    pub fn size_turned(&self, orientation: Orientation) -> (u32, u32) {
        orientation::turned_size(self.stored, orientation)
    }

    /// Whether EXIF asks for a turn or a mirror image.
    pub fn is_turned(&self) -> bool {
        self.orientation != Orientation::NoTransforms
    }
}

/// Why a size cannot be that of a picture.
pub(crate) fn size_fault((width, height): (u32, u32)) -> Option<PictureFault> {
    let has_sides = (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height);
    let fits = has_sides && u64::from(width) * u64::from(height) <= MAX_PIXELS;
    (!fits).then_some(PictureFault::Size { width, height })
}

#[derive(Clone, Copy)]
enum Form {
    Png,
    Jpeg,
    Bmp,
}

impl Form {
    fn of(bytes: &[u8]) -> Result<Self, PictureFault> {
        match bytes {
            [] => Err(PictureFault::Empty),
            [0x89, b'P', b'N', b'G', ..] => Ok(Self::Png),
            [0xff, 0xd8, ..] => Ok(Self::Jpeg),
            [b'B', b'M', ..] => Ok(Self::Bmp),
            other => Err(PictureFault::Unknown { looks_like: looks_like(other) }),
        }
    }
}

/// What a file is that is no picture for us.
fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    let begins: [(&[u8], &str); 9] = [
        (b"GIF8", "a GIF"),
        (b"II*\0", "a TIFF"),
        (b"MM\0*", "a TIFF"),
        (b"\0\0\0", "HEIC, AVIF or zeros"),
        (b"P5", "a PGM"),
        (b"P6", "a PPM"),
        (b"v/1\x01", "an OpenEXR picture"),
        (b"\xff\x0a", "a JPEG XL picture"),
        (b"version https://git-lfs", "a Git LFS pointer: `git lfs pull` fetches the file"),
    ];
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some("WebP");
    }
    if bytes.iter().take(64).all(|&byte| byte == 0) {
        return Some("nothing but zeros");
    }
    begins.into_iter().find(|(begin, _)| bytes.starts_with(begin)).map(|(_, name)| name)
}

/// What the headers of a picture say, without decoding it.
///
/// # Errors
/// It is no picture, or its size is out of bounds.
pub fn header(bytes: &[u8]) -> Result<PictureHeader, PictureFault> {
    match Form::of(bytes)? {
        Form::Jpeg => Ok(jpeg_header(bytes)?.picture()),
        Form::Png => png::header(&mut Cursor::new(bytes)).map(|head| head.picture),
        Form::Bmp => bmp_decoder(Cursor::new(bytes)).map(|(_, header)| header),
    }
}

/// Decodes a picture or a depth picture, turned as a viewer shows it.
///
/// # Errors
/// It is no picture, not whole, or its size is out of bounds.
pub fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureFault> {
    let (mut picture, orientation) = decode_stored(bytes)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Decodes a picture or a depth picture as it is stored, and says how a viewer turns it: for who needs the pictures of
/// one camera turned alike.
///
/// # Errors
/// As [`decode`].
pub fn decode_stored(bytes: &[u8]) -> Result<(DynamicImage, Orientation), PictureFault> {
    match Form::of(bytes)? {
        Form::Jpeg => jpeg::decode(bytes),
        Form::Png => png::decode(bytes),
        Form::Bmp => {
            let (decoder, header) = bmp_decoder(Cursor::new(bytes))?;
            let picture = DynamicImage::from_decoder(decoder);
            picture
                .map(|picture| (picture, header.orientation))
                .map_err(|error| PictureFault::damaged(error.to_string()))
        }
    }
}

/// Decodes a picture, turned as a viewer shows it.
///
/// # Errors
/// As [`decode`], and for gray values of 16 bits, which are depth.
pub fn decode_picture(bytes: &[u8]) -> Result<DynamicImage, PictureFault> {
    match decode(bytes)? {
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => Err(PictureFault::Depth),
        picture => Ok(picture),
    }
}

type Bmp<'a> = BmpDecoder<Cursor<&'a [u8]>>;

fn bmp_decoder(bytes: Cursor<&[u8]>) -> Result<(Bmp<'_>, PictureHeader), PictureFault> {
    let decoder = BmpDecoder::new(bytes).map_err(|error| PictureFault::damaged(error.to_string()))?;
    let stored = decoder.dimensions();
    match size_fault(stored) {
        Some(fault) => Err(fault),
        None => Ok((decoder, PictureHeader { stored, orientation: Orientation::NoTransforms })),
    }
}

/// The bytes of a picture file.
///
/// # Errors
/// The file cannot be read or is larger than [`MAX_FILE_BYTES`].
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(PictureFault::FileSize.at(path));
    }
    Ok(bytes)
}

/// Reads a picture as a viewer shows it.
///
/// # Errors
/// The file is missing, cut off, damaged, out of bounds, not a picture, or depth.
pub fn read_picture(path: &Path) -> Result<DynamicImage> {
    decode_picture(&read_bytes(path)?).map_err(|fault| fault.at(path))
}

/// Reads a picture or a depth picture as [`decode_stored`] gives it.
///
/// # Errors
/// The file is missing, cut off, damaged, out of bounds or not a picture.
pub fn read_stored(path: &Path) -> Result<(DynamicImage, Orientation)> {
    decode_stored(&read_bytes(path)?).map_err(|fault| fault.at(path))
}

/// Reads a picture as RGB.
///
/// # Errors
/// As [`read_picture`].
pub fn read_rgb(path: &Path) -> Result<RgbImage> {
    Ok(read_picture(path)?.into_rgb8())
}

/// What the headers of a picture file say; of a large file only the head is read.
///
/// # Errors
/// The file is missing, no picture, or its size is out of bounds.
pub fn read_header(path: &Path) -> Result<PictureHeader> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut head = Vec::new();
    (&file).take(HEAD_BYTES).read_to_end(&mut head).map_err(Error::io("read", path))?;
    match Form::of(&head) {
        Ok(Form::Png) => {
            file.rewind().map_err(Error::io("read", path))?;
            let head = png::header(&mut std::io::BufReader::new(file));
            head.map(|head| head.picture).map_err(|fault| fault.at(path))
        }
        _ => match header(&head) {
            Err(_) if head.len() as u64 == HEAD_BYTES => header(&read_bytes(path)?).map_err(|fault| fault.at(path)),
            found => found.map_err(|fault| fault.at(path)),
        },
    }
}

#[cfg(test)]
pub(crate) mod tests;
