//! Y'CbCr to RGB, for the layouts that cameras give.
//!
//! ```text
//! R = Y + 2 (1 − Kr) Cr          Y  in 0…1,  limited range: (y − 16) / 219,   full: y / 255
//! B = Y + 2 (1 − Kb) Cb          Cb, Cr in −½…½,  limited: (c − 128) / 224,   full: (c − 128) / 255
//! G = (Y − Kr R − Kb B) / (1 − Kr − Kb)
//! ```
//!
//! | matrix | Kr | Kb | used by |
//! |---|---|---|---|
//! | BT.601 | 0.299 | 0.114 | webcams, JPEG |
//! | BT.709 | 0.2126 | 0.0722 | HD sources, HDMI grabbers |
//!
//! References: ITU-R BT.601-7, section 2.5; ITU-R BT.709-6, section 3.

use serde::{Deserialize, Serialize};

/// Which weights of red, green and blue make brightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matrix {
    /// ITU-R BT.601.
    #[default]
    Bt601,
    /// ITU-R BT.709.
    Bt709,
}

/// Which byte values are black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Range {
    /// Brightness 16 to 235, colour 16 to 240.
    #[default]
    Limited,
    /// 0 to 255.
    Full,
}

/// How a Y'CbCr frame's bytes stand for colours. The default, BT.601 with limited range, is V4L2's for cameras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ycbcr {
    /// The weights.
    pub matrix: Matrix,
    /// Black and white.
    pub range: Range,
}

/// Fractional bits of the fixed-point coefficients: products of 9-bit values stay within 31 bits.
const BITS: u32 = 16;

/// One encoding's coefficients in fixed point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coefficients {
    black: i32,
    luma: i32,
    red_cr: i32,
    green_cb: i32,
    green_cr: i32,
    blue_cb: i32,
}

impl Coefficients {
    pub(super) fn of(encoding: Ycbcr) -> Self {
        let (kr, kb) = match encoding.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let (black, luma, chroma) = match encoding.range {
            Range::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
            Range::Full => (0, 1.0, 1.0),
        };
        let kg = 1.0 - kr - kb;
        let fixed = |value: f64| (value * f64::from(1 << BITS)).round() as i32;
        Self {
            black,
            luma: fixed(luma),
            red_cr: fixed(2.0 * (1.0 - kr) * chroma),
            green_cb: fixed(-2.0 * (1.0 - kb) * kb / kg * chroma),
            green_cr: fixed(-2.0 * (1.0 - kr) * kr / kg * chroma),
            blue_cb: fixed(2.0 * (1.0 - kb) * chroma),
        }
    }

    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let luma = self.luma * (i32::from(y) - self.black) + (1 << (BITS - 1));
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let clamp = |value: i32| (value >> BITS).clamp(0, 255) as u8;
        [
            clamp(luma + self.red_cr * cr),
            clamp(luma + self.green_cb * cb + self.green_cr * cr),
            clamp(luma + self.blue_cb * cb),
        ]
    }
}

/// `order` says where Y0, Cb, Y1 and Cr stand in each group of four bytes.
pub(super) fn rgb_from_packed(packed: &[u8], rgb: &mut [u8], width: u32, order: [usize; 4], encoding: Ycbcr) {
    let (width, coefficients) = (width as usize, Coefficients::of(encoding));
    for (row, line) in rgb.chunks_exact_mut(width * 3).zip(packed.chunks_exact(width.div_ceil(2) * 4)) {
        for (pair, group) in row.chunks_mut(6).zip(line.chunks_exact(4)) {
            let (cb, cr) = (group[order[1]], group[order[3]]);
            for (to, y) in pair.chunks_exact_mut(3).zip([group[order[0]], group[order[2]]]) {
                to.copy_from_slice(&coefficients.rgb(y, cb, cr));
            }
        }
    }
}

/// From a plane of Y and a half-size plane of interleaved Cb Cr.
pub(super) fn rgb_from_nv12(planes: &[u8], rgb: &mut [u8], width: u32, height: u32, encoding: Ycbcr) {
    let (width, height, coefficients) = (width as usize, height as usize, Coefficients::of(encoding));
    let (luma, chroma) = planes.split_at(width * height);
    let chroma_stride = width.div_ceil(2) * 2;
    for (y, (row, line)) in rgb.chunks_exact_mut(width * 3).zip(luma.chunks_exact(width)).enumerate() {
        let chroma = &chroma[(y / 2) * chroma_stride..][..chroma_stride];
        for ((pair, lumas), colour) in row.chunks_mut(6).zip(line.chunks(2)).zip(chroma.chunks_exact(2)) {
            for (to, &y) in pair.chunks_exact_mut(3).zip(lumas) {
                to.copy_from_slice(&coefficients.rgb(y, colour[0], colour[1]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(encoding: Ycbcr, [y, cb, cr]: [u8; 3]) -> [f64; 3] {
        let (kr, kb) = if encoding.matrix == Matrix::Bt601 { (0.299, 0.114) } else { (0.2126, 0.0722) };
        let (black, span, colours) = if encoding.range == Range::Full { (0., 255., 255.) } else { (16., 219., 224.) };
        let y = (f64::from(y) - black) / span;
        let (cb, cr) = ((f64::from(cb) - 128.) / colours, (f64::from(cr) - 128.) / colours);
        let (r, b) = (y + 2. * (1. - kr) * cr, y + 2. * (1. - kb) * cb);
        let g = (y - kr * r - kb * b) / (1. - kr - kb);
        [r, g, b].map(|value| (value * 255.).clamp(0., 255.))
    }

    #[test]
    fn every_encoding_is_its_closed_form_to_a_rounding() {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            for range in [Range::Limited, Range::Full] {
                let encoding = Ycbcr { matrix, range };
                let coefficients = Coefficients::of(encoding);
                for y in (0..=255).step_by(5) {
                    for cb in (0..=255).step_by(15) {
                        for cr in (0..=255).step_by(15) {
                            let (found, exact) = (coefficients.rgb(y, cb, cr), exact(encoding, [y, cb, cr]));
                            for (found, exact) in found.into_iter().zip(exact) {
                                // Half a step of rounding, and the fixed point's share of at most 0.01.
                                assert!((f64::from(found) - exact).abs() <= 0.51, "{encoding:?} {y} {cb} {cr}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_two_matrices_and_ranges_do_differ() {
        let rgb = |matrix, range| Coefficients::of(Ycbcr { matrix, range }).rgb(81, 90, 240);
        assert_eq!(rgb(Matrix::Bt601, Range::Limited), [254, 0, 0]);
        assert_ne!(rgb(Matrix::Bt709, Range::Limited), rgb(Matrix::Bt601, Range::Limited));
        assert_ne!(rgb(Matrix::Bt601, Range::Full), rgb(Matrix::Bt601, Range::Limited));
    }
}
