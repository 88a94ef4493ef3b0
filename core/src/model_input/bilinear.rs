//! Resizing of pictures: bilinear, averaging when it shrinks, in fixed-point arithmetic.
//!
//! ```text
//! target(x) = ⌊½ + Σᵢ wᵢ · source(i)⌋,   wᵢ ∝ max(0, 1 − |i + ½ − c| / r),   Σ wᵢ = 1
//! c = (x + ½) · s,   r = max(s, 1),   s = source size / target size
//! ```
//!
//! first along columns, then along rows, with 8 bits between the two. Weights are 16-bit integers with as many binary
//! places as fit for all weights of the axis. The crate `fast_image_resize` computes the same, and a test holds both
//! against each other byte for byte; but it makes its weights anew for every picture, with an allocation for each row
//! and column, and a board must not allocate per frame (docs/decisions/0030).

use image::RgbImage;

const CHANNELS: usize = 3;
/// Bytes that are mixed at once: their sums fit into the registers of a small processor.
const LANES: usize = 16;
/// Rows that go through the second pass together, each with a pixel of four bytes.
const ROWS: usize = 4;
/// Most binary places of a weight: a weight times a byte, summed up, stays within 30 bits.
const MOST_BITS: u32 = 21;

/// The resize of the contract, alone: for training, which augments pictures between resizing and normalising.
///
/// Weights and buffer are kept: pictures of one size cost no allocation after the first, but for the result of
/// [`resize`](Self::resize).
#[derive(Debug, Default)]
pub struct PictureResizer {
    along_columns: Weights,
    along_rows: Weights,
    /// One row of the result, still as wide as the source.
    row: Vec<u8>,
    /// Pixels of [`ROWS`] such rows, those of one column beside each other.
    block: Vec<[u8; LANES]>,
}

impl PictureResizer {
    /// `picture` at another size.
    ///
    /// # Panics
    /// When a size is zero.
    pub fn resize(&mut self, picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let mut resized = RgbImage::new(width, height);
        self.resize_into(picture, &mut resized);
        resized
    }

    /// `picture` at the size of `resized`.
    ///
    /// # Panics
    /// When a size is zero.
    pub fn resize_into(&mut self, picture: &RgbImage, resized: &mut RgbImage) {
        let (source, target) = (picture.dimensions(), resized.dimensions());
        assert!(source.0.min(source.1).min(target.0).min(target.1) > 0, "expected sizes above zero");
        self.along_columns.fit(source.1, target.1);
        self.along_rows.fit(source.0, target.0);
        let (stride, target_stride) = (CHANNELS * source.0 as usize, CHANNELS * target.0 as usize);
        // One byte more: the last pixel is copied as if it had four.
        self.row.resize(stride + 1, 0);
        self.block.resize(source.0 as usize, [0; LANES]);
        let mut rows = self.along_columns.mixes();
        for targets in resized.chunks_mut(ROWS * target_stride) {
            for (slot, mix) in rows.by_ref().take(targets.len() / target_stride).enumerate() {
                mix_rows(&picture.as_raw()[mix.first * stride..], &mix, &mut self.row[..stride]);
                gather(&self.row, slot, &mut self.block);
            }
            for (column, mix) in self.along_rows.mixes().enumerate() {
                let mixed = mix_bytes(self.block[mix.first..].iter().zip(mix.weights), mix.bits);
                for (slot, target) in targets.chunks_exact_mut(target_stride).enumerate() {
                    target[CHANNELS * column..][..CHANNELS].copy_from_slice(&mixed[4 * slot..][..CHANNELS]);
                }
            }
        }
    }
}

/// Which places of the source, with which weights, make each place of the target, along one axis.
#[derive(Debug, Default)]
struct Weights {
    source: u32,
    target: u32,
    /// Binary places of all weights.
    bits: u32,
    spans: Vec<Span>,
    /// The weights of all spans, in their order.
    fixed: Vec<i16>,
    /// The same, before they were rounded.
    exact: Vec<f64>,
}

/// One place of the target: its first place in the source, and where its weights begin.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: usize,
    weights: usize,
}

/// The same, ready for use.
struct Mix<'a> {
    first: usize,
    weights: &'a [i16],
    bits: u32,
}

impl Weights {
    /// Makes the weights unless they are those already.
    fn fit(&mut self, source: u32, target: u32) {
        if (self.source, self.target) == (source, target) {
            return;
        }
        (self.source, self.target) = (source, target);
        self.spans.clear();
        self.exact.clear();
        let scale = f64::from(source) / f64::from(target);
        let reach = scale.max(1.0);
        // Multiplied and not divided by, as in the crate that this must equal to the last bit.
        let per_reach = 1.0 / reach;
        for place in 0..target {
            let center = (f64::from(place) + 0.5) * scale;
            let (from, to) = ((center - reach).floor().max(0.0), (center + reach).ceil().min(f64::from(source)));
            let center = center - 0.5;
            let weight = |at: u32| 1.0 - ((f64::from(at) - center) * per_reach).abs();
            let begin = self.exact.len();
            let mut inside = (from as u32..to as u32).skip_while(|&at| weight(at) <= 0.0).peekable();
            self.spans.push(Span { first: inside.peek().map_or(0, |&at| at as usize), weights: begin });
            self.exact.extend(inside.map(|at| weight(at).max(0.0)));
            let weights = &mut self.exact[begin..];
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        let largest = self.exact.iter().copied().fold(0.0, f64::max);
        let fits = |bits: u32| (largest * f64::from(1u32 << bits)).round() <= f64::from(i16::MAX);
        self.bits = (1..=MOST_BITS).take_while(|&bits| fits(bits)).last().unwrap_or(1);
        let one = f64::from(1u32 << self.bits);
        self.fixed.clear();
        self.fixed.extend(self.exact.iter().map(|weight| (weight * one).round() as i16));
    }

    fn mixes(&self) -> impl Iterator<Item = Mix<'_>> {
        let ends = self.spans.iter().skip(1).map(|span| span.weights).chain([self.fixed.len()]);
        let mix = |(span, end): (&Span, usize)| Mix {
            first: span.first,
            weights: &self.fixed[span.weights..end],
            bits: self.bits,
        };
        self.spans.iter().zip(ends).map(mix)
    }
}

/// One row out of as many as there are weights, from the first of `rows` on.
fn mix_rows(rows: &[u8], mix: &Mix<'_>, mixed: &mut [u8]) {
    let stride = mixed.len();
    let (chunks, rest) = mixed.as_chunks_mut::<LANES>();
    let rest_at = LANES * chunks.len();
    for (index, chunk) in chunks.iter_mut().enumerate() {
        *chunk = mix_bytes(neighbours(rows, LANES * index, stride).zip(mix.weights), mix.bits);
    }
    for (index, byte) in rest.iter_mut().enumerate() {
        [*byte] = mix_bytes(neighbours(rows, rest_at + index, stride).zip(mix.weights), mix.bits);
    }
}

/// `N` bytes of each row from `at` on.
fn neighbours<const N: usize>(rows: &[u8], at: usize, stride: usize) -> impl Iterator<Item = &[u8; N]> {
    (at..).step_by(stride).map_while(|at| rows.get(at..)?.first_chunk())
}

/// `N` bytes, each the weighted mean of those at its place.
// Its own function: inlined, compilers lose sight of the vectors in it.
#[inline(never)]
fn mix_bytes<'a, const N: usize>(weighted: impl Iterator<Item = (&'a [u8; N], &'a i16)>, bits: u32) -> [u8; N] {
    let mut sums = [1i32 << (bits - 1); N];
    for (bytes, &weight) in weighted {
        sums = std::array::from_fn(|lane| sums[lane] + i32::from(bytes[lane]) * i32::from(weight));
    }
    std::array::from_fn(|lane| (sums[lane] >> bits).min(255) as u8)
}

/// Puts the pixels of a row to their place in the block, each with one byte of the next.
fn gather(row: &[u8], slot: usize, block: &mut [[u8; LANES]]) {
    for (pixels, four) in block.iter_mut().zip(row.array_windows::<4>().step_by(CHANNELS)) {
        pixels.as_chunks_mut::<4>().0[slot] = *four;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fast_image_resize::images::{TypedImage, TypedImageRef};
    use fast_image_resize::pixels::U8x3;
    use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
    use image::Rgb;
    use proptest::prelude::*;

    #[test]
    fn shrinking_averages_so_that_fine_texture_does_not_alias() {
        let stripes = RgbImage::from_fn(64, 64, |x, _| if x % 2 == 0 { Rgb([0; 3]) } else { Rgb([200; 3]) });
        let small = PictureResizer::default().resize(&stripes, 16, 16);
        let inner = small.enumerate_pixels().filter(|(x, ..)| (1..15).contains(x));
        inner.for_each(|(x, y, pixel)| assert!(pixel.0[0].abs_diff(100) <= 4, "{x} {y} {pixel:?}"));
    }

    /// What the crate that does the same makes of it.
    fn expected(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let mut resized = RgbImage::new(width, height);
        let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.as_raw()).unwrap();
        let mut target = TypedImage::<U8x3>::from_buffer(width, height, &mut resized).unwrap();
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        Resizer::new().resize_typed(&source, &mut target, &options).unwrap();
        resized
    }

    /// Bytes without a pattern, some of them at the ends of their range, where sums may overflow.
    fn noise(width: u32, height: u32, seed: u32) -> RgbImage {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        RgbImage::from_fn(width, height, |_, _| {
            Rgb(std::array::from_fn(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                (state % 320).saturating_sub(32).min(255) as u8
            }))
        })
    }

    proptest! {
        #[test]
        fn every_byte_is_that_of_the_crate_that_does_the_same(
            source in (1u32..90, 1u32..90), target in (1u32..90, 1u32..90), other in (1u32..90, 1u32..90), seed: u32
        ) {
            let mut kept = PictureResizer::default();
            // What was resized before leaves nothing behind.
            for (source, target) in [(source, target), (other, target), (source, other), (source, target)] {
                let picture = noise(source.0, source.1, seed);
                prop_assert_eq!(kept.resize(&picture, target.0, target.1), expected(&picture, target.0, target.1));
            }
        }
    }

    #[test]
    fn the_sizes_of_cameras_and_networks_are_among_them() {
        for (source, target) in
            [((640, 480), (320, 192)), ((1242, 375), (416, 128)), ((1920, 1080), (640, 192)), ((300, 200), (1000, 700))]
        {
            let picture = noise(source.0, source.1, source.0);
            let white = RgbImage::from_pixel(source.0, source.1, Rgb([255; 3]));
            for picture in [picture, white] {
                let resized = PictureResizer::default().resize(&picture, target.0, target.1);
                assert!(resized == expected(&picture, target.0, target.1), "{source:?} to {target:?}");
            }
        }
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let picture = noise(31, 17, 5);
        assert_eq!(PictureResizer::default().resize(&picture, 31, 17), picture);
    }

    #[test]
    fn six_thousand_pixels_become_one() {
        let white = RgbImage::from_pixel(6000, 1, Rgb([255; 3]));
        assert_eq!(PictureResizer::default().resize(&white, 1, 1), RgbImage::from_pixel(1, 1, Rgb([255; 3])));
    }
}
