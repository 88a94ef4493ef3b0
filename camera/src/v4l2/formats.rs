//! Agreeing with a driver on a format, a size and a rate.
//!
//! A driver answers a wish with what it can do and calls that a success: what comes back is looked at, and what was
//! asked for in words and not granted is an error.

use super::node::{Node, rate_from};
use super::uapi::{self, Format, MAX_PLANES, Parameters, Picture};
use crate::fourcc::{FORMATS, format_of, fourcc, letters};
use crate::uri::Options;
use crate::{Error, Layout, Result};
use parallax_core::frame::{Matrix, PixelFormat, Range, Ycbcr};

/// The size that is asked for when none was: small enough for every bus, large enough for every network of ours.
const SIZE: (u32, u32) = (640, 480);
/// A format that is slower at the wanted size is passed over where another is faster: over USB 2, uncompressed pictures
/// of 1080 rows come 5 times a second and Motion-JPEG 30 times.
const SLOW: f64 = 15.0;
/// A rate counts as reached within this share: 29.97 is 30.
const RATE_SLACK: f64 = 0.99;

const COLORSPACE_REC709: u32 = 3;
const COLORSPACE_JPEG: u32 = 7;
const COLORSPACE_DCI_P3: u32 = 12;
const ENCODING_601: [u32; 3] = [1, 3, 5];
const ENCODING_709: [u32; 2] = [2, 4];
const QUANTIZATION_FULL: u32 = 1;

/// What a device and we have agreed on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Agreed {
    pub(super) layout: Layout,
    pub(super) ycbcr: Ycbcr,
    pub(super) fps: Option<f64>,
    pub(super) planes: usize,
    /// Bytes from row to row of each plane.
    pub(super) strides: [usize; MAX_PLANES],
}

/// Sets format, size and rate.
///
/// # Errors
/// The device cannot do what was asked for.
pub(super) fn agree(node: &Node, options: &Options) -> Result<Agreed> {
    let size = options.size.unwrap_or(SIZE);
    let code = choose(node, options, size)?;
    let mut format = Format::asking(node.kind, size.0, size.1, code);
    node.demand("set the format of", &uapi::SET_FORMAT, &mut format)?;
    let picture = format.picture();
    let (layout, planes) = check(node, options, code, &picture)?;
    let fps = set_rate(node, options)?;
    let row = layout.format.bytes_per_row(layout.width).unwrap_or_default();
    // Zero where the driver leaves it to us: no padding.
    let strides = picture.strides.map(|stride| (stride as usize).max(row));
    Ok(Agreed { layout, ycbcr: ycbcr_of(&picture), fps, planes, strides })
}

/// The format to ask for: the one that was named, or the first by preference that has the size and the rate.
fn choose(node: &Node, options: &Options, size: (u32, u32)) -> Result<u32> {
    let offered = node.formats();
    let usable = FORMATS.iter().filter(|(letters, format, _)| {
        options.format.is_none_or(|wanted| wanted == *format)
            && options.code.is_none_or(|wanted| wanted == fourcc(*letters))
            && offered.iter().any(|&(code, _)| code == fourcc(*letters))
    });
    let usable: Vec<u32> = usable.map(|(letters, ..)| fourcc(*letters)).collect();
    let has_size = |&&code: &&u32| {
        let sizes = node.sizes(code);
        options.size.is_none() || sizes.is_empty() || sizes.iter().any(|sizes| sizes.holds(size))
    };
    let fast = |&&code: &&u32| {
        let rates = node.rates(code, size);
        rates.is_empty() || rates[0] >= options.fps.unwrap_or(SLOW) * RATE_SLACK
    };
    let fits = usable.iter().filter(has_size);
    if let Some(&code) = fits.clone().find(fast).or(fits.clone().next()).or(usable.first()) {
        return Ok(code);
    }
    let offered: Vec<String> = offered.into_iter().map(|(code, name)| format!("{} ({name})", letters(code))).collect();
    let wanted = options.format.map_or("a format that is understood here", PixelFormat::name);
    Err(Error::Unfit {
        what: format!("expected {wanted}, the camera has {}", offered.join(", ")),
        name: node.name(),
        hint: "ask for another format, or let a program convert it: \"cmd:ffmpeg -f v4l2 -i /dev/video0 -f mjpeg -\"",
    })
}

/// Holds what the driver made of the wish against the wish.
fn check(node: &Node, options: &Options, code: u32, picture: &Picture) -> Result<(Layout, usize)> {
    let refuse = |what: String| Error::Unfit {
        what,
        name: node.name(),
        hint: "`parallax-edge devices` lists formats, sizes and rates; ask for one of them",
    };
    let (format, planes) = format_of(picture.fourcc)
        .filter(|&(format, _)| options.format.is_none_or(|wanted| wanted == format))
        .ok_or_else(|| refuse(format!("expected {}, the driver gives {}", letters(code), letters(picture.fourcc))))?;
    let Picture { width, height, .. } = *picture;
    if let Some((w, h)) = options.size.filter(|&size| size != (width, height)) {
        return Err(refuse(format!("expected {w}x{h}, the driver gives {width}x{height}")));
    }
    if ![uapi::FIELD_ANY, uapi::FIELD_NONE].contains(&picture.field) {
        return Err(refuse("expected whole pictures, the driver gives interlaced fields".into()));
    }
    if picture.planes != planes {
        return Err(refuse(format!("expected {planes} plane(s), the driver gives {}", picture.planes)));
    }
    Ok((Layout { width, height, format }, planes))
}

/// Sets the rate where the driver has one to set; gives the one that holds.
fn set_rate(node: &Node, options: &Options) -> Result<Option<f64>> {
    let mut parameters = Parameters::of(node.kind);
    let can = node.ask(&uapi::GET_PARAMETERS, &mut parameters).is_ok()
        && parameters.capability & uapi::CAP_TIME_PER_FRAME != 0;
    let refuse = |what: String| Error::Unfit {
        what,
        name: node.name(),
        hint: "`parallax-edge devices` lists the rates of each format and size; ask for one of them",
    };
    if let Some(fps) = options.fps {
        if !can {
            return Err(refuse(format!("expected {fps} frames per second, the rate of this camera cannot be set")));
        }
        // Seconds per frame as a fraction; thousandths hold 29.97 and 59.94.
        parameters.time_per_frame = [1000, (fps * 1000.0).round() as u32];
        node.demand("set the rate of", &uapi::SET_PARAMETERS, &mut parameters)?;
    }
    let [numerator, denominator] = parameters.time_per_frame;
    let holds = rate_from(numerator, denominator).filter(|_| can);
    match (options.fps, holds) {
        (Some(fps), Some(found)) if (found / fps - 1.0).abs() > 1.0 - RATE_SLACK => {
            Err(refuse(format!("expected {fps} frames per second, the driver gives {found:.2}")))
        }
        _ => Ok(holds),
    }
}

/// The encoding that the driver names, with the defaults that the kernel's documentation gives to each colour space.
fn ycbcr_of(picture: &Picture) -> Ycbcr {
    let matrix = if ENCODING_709.contains(&picture.encoding) {
        Matrix::Bt709
    } else if ENCODING_601.contains(&picture.encoding) {
        Matrix::Bt601
    } else if [COLORSPACE_REC709, COLORSPACE_DCI_P3].contains(&picture.colorspace) {
        Matrix::Bt709
    } else {
        Matrix::Bt601
    };
    let full = picture.quantization == QUANTIZATION_FULL
        || (picture.quantization == 0 && picture.colorspace == COLORSPACE_JPEG);
    Ycbcr { matrix, range: if full { Range::Full } else { Range::Limited } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_follow_what_the_driver_says_and_the_defaults_where_it_says_nothing() {
        let picture = |colorspace, encoding, quantization| Picture {
            colorspace,
            encoding,
            quantization,
            ..Format::asking(uapi::CAPTURE, 2, 2, 0).picture()
        };
        let of = |matrix, range| Ycbcr { matrix, range };
        for (asked, expected) in [
            ((0, 0, 0), of(Matrix::Bt601, Range::Limited)),
            ((8, 0, 0), of(Matrix::Bt601, Range::Limited)),
            ((COLORSPACE_JPEG, 0, 0), of(Matrix::Bt601, Range::Full)),
            ((COLORSPACE_REC709, 0, 0), of(Matrix::Bt709, Range::Limited)),
            ((COLORSPACE_REC709, 1, 1), of(Matrix::Bt601, Range::Full)),
            ((8, 2, 2), of(Matrix::Bt709, Range::Limited)),
        ] {
            assert_eq!(ycbcr_of(&picture(asked.0, asked.1, asked.2)), expected, "{asked:?}");
        }
    }
}
