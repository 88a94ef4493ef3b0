//! Colours from a sensor that sees one colour per pixel: bilinear demosaicing.
//!
//! ```text
//! R G R G     at R:  G = mean of the 4 neighbours,  B = mean of the 4 diagonal ones
//! G B G B     at G:  the colour of its row = mean of left and right, the other = mean of above and below
//! R G R G     at B:  as at R with R and B exchanged
//! ```
//!
//! Beyond the border the picture is mirrored about its outermost row or column, which keeps the pattern. What varies
//! linearly comes out exactly.

use serde::{Deserialize, Serialize};

/// The colours of the first two pixels of the first row, then of the second row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BayerOrder {
    /// Red, green; green, blue.
    Rggb,
    /// Blue, green; green, red.
    Bggr,
    /// Green, red; blue, green.
    Grbg,
    /// Green, blue; red, green.
    Gbrg,
}

impl BayerOrder {
    /// Column and row (0 or 1) of the red pixel in each group of four.
    const fn red(self) -> (usize, usize) {
        match self {
            Self::Rggb => (0, 0),
            Self::Grbg => (1, 0),
            Self::Gbrg => (0, 1),
            Self::Bggr => (1, 1),
        }
    }
}

/// Writes `rgb` from the mosaic whose brightness at `[y * width + x]` is `sample(index)`, 0 to 255.
/// A mosaic without four pixels has no colours and comes out grey.
pub(super) fn rgb_from_bayer(
    sample: impl Fn(usize) -> u16,
    order: BayerOrder,
    width: usize,
    height: usize,
    rgb: &mut [u8],
) {
    if width < 2 || height < 2 {
        for (index, to) in rgb.chunks_exact_mut(3).enumerate() {
            to.fill(sample(index) as u8);
        }
        return;
    }
    let (red_x, red_y) = order.red();
    for (y, row) in rgb.chunks_exact_mut(width * 3).enumerate() {
        let (above, below) = neighbours(y, height);
        let [above, here, below] = [above, y, below].map(|y| y * width);
        let red_row = y % 2 == red_y;
        for (x, to) in row.chunks_exact_mut(3).enumerate() {
            let (left, right) = neighbours(x, width);
            let at = sample(here + x);
            let sideways = || sample(here + left) + sample(here + right);
            let upright = || sample(above + x) + sample(below + x);
            let (same, green, other) = if (x % 2 == red_x) == red_row {
                let diagonal =
                    sample(above + left) + sample(above + right) + sample(below + left) + sample(below + right);
                (at, (sideways() + upright() + 2) / 4, (diagonal + 2) / 4)
            } else {
                (sideways().div_ceil(2), at, upright().div_ceil(2))
            };
            // `same` is the colour that this row has beside green.
            let (red, blue) = if red_row { (same, other) } else { (other, same) };
            to.copy_from_slice(&[red as u8, green as u8, blue as u8]);
        }
    }
}

/// The places before and after `at` of `count`, mirrored at the ends.
fn neighbours(at: usize, count: usize) -> (usize, usize) {
    (if at == 0 { 1 } else { at - 1 }, if at + 1 == count { count - 2 } else { at + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: [BayerOrder; 4] = [BayerOrder::Rggb, BayerOrder::Bggr, BayerOrder::Grbg, BayerOrder::Gbrg];

    /// The mosaic of a picture, by the names of the orders rather than by the code under test.
    fn mosaic(order: BayerOrder, width: usize, height: usize, colour: impl Fn(usize, usize) -> [u16; 3]) -> Vec<u16> {
        let name = format!("{order:?}").to_lowercase().into_bytes();
        let channel = |x: usize, y: usize| match name[(y % 2) * 2 + x % 2] {
            b'r' => 0,
            b'g' => 1,
            _ => 2,
        };
        (0..width * height).map(|i| colour(i % width, i / width)[channel(i % width, i / width)]).collect()
    }

    fn demosaic(mosaic: &[u16], order: BayerOrder, width: usize, height: usize) -> Vec<u8> {
        let mut rgb = vec![0; width * height * 3];
        rgb_from_bayer(|i| mosaic[i], order, width, height, &mut rgb);
        rgb
    }

    #[test]
    fn one_colour_everywhere_comes_back_to_the_very_border() {
        for order in ORDERS {
            for (width, height) in [(2, 2), (5, 4), (6, 7)] {
                let rgb = demosaic(&mosaic(order, width, height, |_, _| [200, 90, 13]), order, width, height);
                assert!(rgb.chunks(3).all(|pixel| pixel == [200, 90, 13]), "{order:?} {width}x{height}");
            }
        }
    }

    #[test]
    fn colours_that_vary_linearly_come_back_inside() {
        let colour = |x: usize, y: usize| [(10 + 4 * x + 2 * y) as u16, (200 - 6 * x) as u16, (30 + 8 * y) as u16];
        for order in ORDERS {
            let rgb = demosaic(&mosaic(order, 12, 10, colour), order, 12, 10);
            for y in 1..9 {
                for x in 1..11 {
                    let found = &rgb[(y * 12 + x) * 3..][..3];
                    assert_eq!(found, colour(x, y).map(|value| value as u8), "{order:?} at {x}, {y}");
                }
            }
        }
    }
}
