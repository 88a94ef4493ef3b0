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
        [self.red(cr), self.green(cb, cr), self.blue(cb)].map(|colour| byte(self.luma(y) + colour))
    }

    fn luma(&self, y: u8) -> i32 {
        self.luma * (i32::from(y) - self.black) + (1 << (BITS - 1))
    }

    fn red(&self, cr: u8) -> i32 {
        self.red_cr * (i32::from(cr) - 128)
    }

    fn green(&self, cb: u8, cr: u8) -> i32 {
        self.green_cb * (i32::from(cb) - 128) + self.green_cr * (i32::from(cr) - 128)
    }

    fn blue(&self, cb: u8) -> i32 {
        self.blue_cb * (i32::from(cb) - 128)
    }

    /// [`rgb`](Self::rgb) of neighbouring pixels, which share their colours in pairs.
    // Its own function: among the moves of bytes around it, compilers do not see that this can be done in vectors.
    #[inline(never)]
    fn planes(&self, block: &Block, [red, green, blue]: &mut [[u8; PIXELS]; 3]) {
        let luma = block.y.map(|y| self.luma(y));
        let colour = block.cr.map(|cr| self.red(cr));
        *red = std::array::from_fn(|at| byte(luma[at] + colour[at / 2]));
        let colour: [i32; PIXELS / 2] = std::array::from_fn(|at| self.green(block.cb[at], block.cr[at]));
        *green = std::array::from_fn(|at| byte(luma[at] + colour[at / 2]));
        let colour = block.cb.map(|cb| self.blue(cb));
        *blue = std::array::from_fn(|at| byte(luma[at] + colour[at / 2]));
    }
}

fn byte(fixed: i32) -> u8 {
    (fixed >> BITS).clamp(0, 255) as u8
}

/// Pixels of a row that are converted at once.
const PIXELS: usize = 16;

/// The bytes of so many pixels, by kind.
struct Block {
    y: [u8; PIXELS],
    cb: [u8; PIXELS / 2],
    cr: [u8; PIXELS / 2],
}

/// Converts the blocks of a row; gives the number of pixels in them.
fn rgb_from_blocks(coefficients: &Coefficients, row: &mut [u8], block: impl Fn(usize) -> Block) -> usize {
    let (targets, _) = row.as_chunks_mut::<{ 3 * PIXELS }>();
    let mut planes = [[0; PIXELS]; 3];
    for (index, target) in targets.iter_mut().enumerate() {
        coefficients.planes(&block(index), &mut planes);
        let [red, green, blue] = &planes;
        for (at, pixel) in target.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            *pixel = [red[at], green[at], blue[at]];
        }
    }
    PIXELS * targets.len()
}

/// From two pixels in four bytes: Y0 Cb Y1 Cr with `LUMA_AT` 0, Cb Y0 Cr Y1 with 1.
pub(super) fn rgb_from_packed<const LUMA_AT: usize>(packed: &[u8], rgb: &mut [u8], width: u32, encoding: Ycbcr) {
    let (width, coefficients) = (width as usize, Coefficients::of(encoding));
    let (y0, y1, cb, cr) = const { (LUMA_AT, LUMA_AT + 2, 1 - LUMA_AT, 3 - LUMA_AT) };
    for (row, line) in rgb.chunks_exact_mut(width * 3).zip(packed.chunks_exact(width.div_ceil(2) * 4)) {
        let (blocks, _) = line.as_chunks::<{ 2 * PIXELS }>();
        let done = rgb_from_blocks(&coefficients, row, |index| {
            let (groups, _) = blocks[index].as_chunks::<4>();
            Block {
                y: std::array::from_fn(|at| groups[at / 2][if at % 2 == 0 { y0 } else { y1 }]),
                cb: std::array::from_fn(|at| groups[at][cb]),
                cr: std::array::from_fn(|at| groups[at][cr]),
            }
        });
        for (pair, group) in row[3 * done..].chunks_mut(6).zip(line[2 * done..].chunks_exact(4)) {
            for (to, y) in pair.chunks_exact_mut(3).zip([group[y0], group[y1]]) {
                to.copy_from_slice(&coefficients.rgb(y, group[cb], group[cr]));
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
        let ((lumas, _), (colours, _)) = (line.as_chunks::<PIXELS>(), chroma.as_chunks::<PIXELS>());
        let done = rgb_from_blocks(&coefficients, row, |index| Block {
            y: lumas[index],
            cb: std::array::from_fn(|at| colours[index][2 * at]),
            cr: std::array::from_fn(|at| colours[index][2 * at + 1]),
        });
        let rest = row[3 * done..].chunks_mut(6).zip(line[done..].chunks(2)).zip(chroma[done..].chunks_exact(2));
        for ((pair, lumas), colour) in rest {
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
    fn each_pixel_of_a_row_of_any_width_is_converted_as_if_it_were_alone() {
        let encoding = Ycbcr { matrix: Matrix::Bt709, range: Range::Limited };
        let coefficients = Coefficients::of(encoding);
        for width in [1usize, 2, 15, 16, 17, 31, 32, 33, 70] {
            let height = 3;
            let (pairs, byte) = (width.div_ceil(2), |at: usize| (at * 167 + at / 7) as u8);
            let packed: Vec<u8> = (0..4 * pairs * height).map(byte).collect();
            for luma_at in [0, 1] {
                let convert = if luma_at == 0 { rgb_from_packed::<0> } else { rgb_from_packed::<1> };
                let mut rgb = vec![0; 3 * width * height];
                convert(&packed, &mut rgb, width as u32, encoding);
                for (at, pixel) in rgb.chunks_exact(3).enumerate() {
                    let group = &packed[4 * (at / width * pairs + at % width / 2)..];
                    let luma = group[luma_at + 2 * (at % width % 2)];
                    let expected = coefficients.rgb(luma, group[1 - luma_at], group[3 - luma_at]);
                    assert_eq!(pixel, expected, "{width} {at}");
                }
            }
            let planes: Vec<u8> = (0..width * height + 2 * pairs * height.div_ceil(2)).map(byte).collect();
            let mut rgb = vec![0; 3 * width * height];
            rgb_from_nv12(&planes, &mut rgb, width as u32, height as u32, encoding);
            for (at, pixel) in rgb.chunks_exact(3).enumerate() {
                let colour = &planes[width * height + 2 * (at / width / 2 * pairs + at % width / 2)..];
                assert_eq!(pixel, coefficients.rgb(planes[at], colour[0], colour[1]), "{width} {at}");
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
