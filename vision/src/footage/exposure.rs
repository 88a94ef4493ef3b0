//! Is a frame well exposed?

use image::RgbImage;

/// Part of a frame that may be white before it counts as over-exposed: a bright sky takes a third.
pub const MOST_WHITE: f64 = 0.4;
/// Part of a frame that may be black: deep shadows take a fifth.
pub const MOST_BLACK: f64 = 0.3;
/// Less grey levels than this between the 5th and 95th percentile: texture drowns in noise and in the steps of 8 bits.
pub const LEAST_CONTRAST: f64 = 50.0;
/// A pixel at or above this brightness tells nothing any more, with room for compression's ripples.
const WHITE: u8 = 250;
/// The same at the dark end.
const BLACK: u8 = 5;
/// Pixels looked at for exposure, about.
const EXPOSURE_SAMPLES: usize = 20_000;

/// How the brightness of a frame is spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure {
    /// Part of the pixels at the bright end.
    pub white: f64,
    /// Part of the pixels at the dark end.
    pub black: f64,
    /// Grey levels between the 5th and the 95th percentile.
    pub contrast: f64,
}

impl Exposure {
    /// Too much of the picture is white.
    pub fn is_over(&self) -> bool {
        self.white > MOST_WHITE
    }

    /// Too much of the picture is black.
    pub fn is_under(&self) -> bool {
        self.black > MOST_BLACK
    }

    /// There are too few grey levels.
    pub fn is_flat(&self) -> bool {
        self.contrast < LEAST_CONTRAST
    }
}

/// How the brightness of a frame is spread, from some of its pixels.
pub fn exposure(picture: &RgbImage) -> Exposure {
    let pixels = (picture.width() * picture.height()) as usize;
    let mut counts = [0_usize; 256];
    // An odd step, so that columns take turns.
    for pixel in picture.as_raw().chunks_exact(3).step_by((pixels / EXPOSURE_SAMPLES) | 1) {
        let [red, green, blue] = [0, 1, 2].map(|channel| u32::from(pixel[channel]));
        counts[((299 * red + 587 * green + 114 * blue) / 1000) as usize] += 1;
    }
    let total: usize = counts.iter().sum();
    let part = |levels: std::ops::RangeInclusive<usize>| counts[levels].iter().sum::<usize>() as f64 / total as f64;
    let level = |share: f64| {
        let mut below = 0;
        counts.iter().position(|count| {
            below += count;
            below as f64 >= share * total as f64
        })
    };
    Exposure {
        white: part(usize::from(WHITE)..=255),
        black: part(0..=usize::from(BLACK)),
        contrast: level(0.95).unwrap_or(255).saturating_sub(level(0.05).unwrap_or(0)) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposure_counts_both_ends() {
        let picture = RgbImage::from_fn(100, 10, |x, _| {
            image::Rgb(
                [if x < 30 {
                    0
                } else if x < 90 {
                    128
                } else {
                    255
                }; 3],
            )
        });
        let Exposure { white, black, contrast } = exposure(&picture);
        assert!((white - 0.1).abs() < 1e-9 && (black - 0.3).abs() < 1e-9, "{white} {black}");
        assert_eq!(contrast, 255.0);
    }
}
