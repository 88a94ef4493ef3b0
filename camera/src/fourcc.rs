//! Four-letter codes of formats, and what they are here.

use parallax_core::frame::{BayerOrder, PixelFormat};

/// Code, format, and number of planes that it is spread over; in the order of preference: what costs least to turn
/// into RGB and keeps the colours first.
pub(crate) const FORMATS: [([u8; 4], PixelFormat, usize); 17] = [
    (*b"YUYV", PixelFormat::Yuyv, 1),
    (*b"UYVY", PixelFormat::Uyvy, 1),
    (*b"NV12", PixelFormat::Nv12, 1),
    (*b"NM12", PixelFormat::Nv12, 2),
    (*b"RGB3", PixelFormat::Rgb8, 1),
    (*b"BGR3", PixelFormat::Bgr8, 1),
    (*b"MJPG", PixelFormat::Jpeg, 1),
    (*b"JPEG", PixelFormat::Jpeg, 1),
    (*b"RGGB", PixelFormat::Bayer8(BayerOrder::Rggb), 1),
    (*b"BA81", PixelFormat::Bayer8(BayerOrder::Bggr), 1),
    (*b"GRBG", PixelFormat::Bayer8(BayerOrder::Grbg), 1),
    (*b"GBRG", PixelFormat::Bayer8(BayerOrder::Gbrg), 1),
    (*b"RG10", PixelFormat::Bayer10(BayerOrder::Rggb), 1),
    (*b"BG10", PixelFormat::Bayer10(BayerOrder::Bggr), 1),
    (*b"BA10", PixelFormat::Bayer10(BayerOrder::Grbg), 1),
    (*b"GB10", PixelFormat::Bayer10(BayerOrder::Gbrg), 1),
    (*b"GREY", PixelFormat::Gray8, 1),
];

/// Four letters as one number.
pub(crate) const fn fourcc(letters: [u8; 4]) -> u32 {
    u32::from_le_bytes(letters)
}

/// What a code is here.
pub(crate) fn format_of(code: u32) -> Option<(PixelFormat, usize)> {
    FORMATS.iter().find(|(letters, ..)| fourcc(*letters) == code).map(|&(_, format, planes)| (format, planes))
}

/// The format of a code that is understood here.
pub(crate) fn format_of_code(code: u32) -> Option<PixelFormat> {
    format_of(code).map(|(format, _)| format)
}

/// The code of these letters, where it is understood here.
pub(crate) fn code_from(letters: &str) -> Option<u32> {
    let code = fourcc(letters.as_bytes().try_into().ok()?);
    format_of(code).map(|_| code)
}

/// The letters of a code.
pub(crate) fn letters(code: u32) -> String {
    code.to_le_bytes().iter().map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_of_ours_has_a_code_and_comes_back_from_it() {
        for format in PixelFormat::ALL {
            let (letters, _, planes) = FORMATS.iter().find(|(_, known, _)| *known == format).unwrap();
            assert_eq!(format_of(fourcc(*letters)), Some((format, *planes)));
        }
        assert_eq!(format_of(fourcc(*b"H264")), None);
        assert_eq!(letters(fourcc(*b"RGB3")), "RGB3");
    }
}
