//! How differently a warped source frame looks from the target, and which source to believe at each pixel.
//!
//! ```text
//! pe(a, b) = 0.85 · (1 − SSIM(a, b)) / 2 + 0.15 · |a − b|            mean over channels
//! loss     = mean over pixels of min( min_s pe(target, source_s), min_s pe(target, warped_s) )
//! ```
//!
//! The minimum over sources takes the frame in which the pixel is not hidden. The unwarped sources in the same minimum are
//! the *auto-mask*: where a frame that was not warped at all fits better (a standing camera, an object that moves with it),
//! the pixel teaches nothing.
//!
//! Reference: Godard et al., *Digging Into Self-Supervised Monocular Depth Estimation*, ICCV 2019, section 3.1
//! (photometric error), eq. 4 (minimum over sources) and eq. 5 (auto-mask).

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::ssim::Reference;
use crate::geometry::Pixels;

/// What a pixel learns from a source whose picture does not hold the place where the pixel is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutOfView {
    /// It is compared with the nearest border pixel, as published.
    #[default]
    Border,
    /// Nothing: that source takes no part in the minimum there.
    Masked,
}

impl OutOfView {
    /// Whether the published choice holds.
    #[must_use]
    pub fn is_border(&self) -> bool {
        *self == Self::Border
    }
}

/// Weight of the structural part.
pub(super) const STRUCTURE: f32 = 0.85;

/// Weight of the absolute difference.
pub(super) const DIFFERENCE: f32 = 0.15;

/// Height of the noise that decides between a warped and an unwarped frame that fit equally well. Without it a flat sky,
/// where everything fits, would be decided by rounding.
pub(super) const TIE_BREAK: f32 = 1e-5;

/// A picture reaches half a pixel beyond the centres of its outermost pixels. Between the eyes of a pair rows stay where they
/// are: were the centres the limit, rounding would decide about the first and last row.
pub(super) const HALF_PIXEL: f32 = 0.5;

/// An error that no two pictures have: their greatest is 1.
const NEVER_LEAST: f32 = 2.0;

/// Photometric error per pixel.
///
/// # Shapes
/// - `target`, `other`: `[batch, channels, height, width]`, values in `[0, 1]`
/// - result: `[batch, 1, height, width]`
#[must_use]
pub fn photometric_error(target: &Reference, other: Tensor<4>) -> Tensor<4> {
    let structure = target.dissimilarity(other.clone());
    let difference = (target.image().clone() - other).abs();
    (structure.mul_scalar(STRUCTURE) + difference.mul_scalar(DIFFERENCE)).mean_dim(1)
}

/// The smallest error of the unwarped sources, with the tie-breaking noise added: the auto-mask, for stereo too. Without it
/// stereo learnt far structure sooner but scored worse after 1200 steps of the slim network (Abs Rel 0.164 against 0.142):
/// at the border of a pair, where the other eye sees nothing, it is the mask that keeps the network from guessing.
///
/// # Shapes
/// - `sources`: each `[batch, channels, height, width]`
/// - result: `[batch, 1, height, width]`
#[must_use]
pub fn unwarped_error(target: &Reference, sources: &[Tensor<4>]) -> Tensor<4> {
    let [batch, _, height, width] = target.image().dims();
    let noise = tie_breaking_noise(batch * height * width);
    let noise = Tensor::from_data(TensorData::new(noise, [batch, 1, height, width]), &target.image().device());
    smallest(sources.iter().map(|source| photometric_error(target, source.clone()))) + noise
}

/// The error of a warped source where its picture holds the pixel's place, and one that is never the least where it does not.
///
/// # Shapes
/// - `error` and `pixels`: `[batch, 1, height, width]`
/// - `source`: width and height of the source's picture
#[must_use]
pub fn masked_out_of_view(error: Tensor<4>, pixels: &Pixels, (width, height): (usize, usize)) -> Tensor<4> {
    // Constants: whether a place is held has no derivative.
    let outside = |place: &Tensor<4>, size: usize| {
        let place = place.clone().detach();
        place.clone().lower_elem(-HALF_PIXEL).bool_or(place.greater_elem(size as f32 - HALF_PIXEL))
    };
    let outside = outside(&pixels.u, width).bool_or(outside(&pixels.v, height));
    error.mask_fill(outside, NEVER_LEAST)
}

/// The smallest of several maps, per pixel.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn smallest(maps: impl Iterator<Item = Tensor<4>>) -> Tensor<4> {
    maps.reduce(Tensor::min_pair).expect("at least one map")
}

/// Fixed noise in `0..1e-5`: a hash of the pixel's number, the same at every step and on every machine.
#[must_use]
pub fn tie_breaking_noise(pixels: usize) -> Vec<f32> {
    (0..pixels as u64)
        .map(|pixel| {
            // SplitMix64's mixing: neighbouring numbers give unrelated bits.
            let mut bits = pixel.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            TIE_BREAK * ((bits >> 40) as f32 / (1_u64 << 24) as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_is_small_uneven_and_always_the_same() {
        let noise = tie_breaking_noise(1000);
        assert_eq!(noise, tie_breaking_noise(1000));
        assert!(noise.iter().all(|value| (0.0..TIE_BREAK).contains(value)));
        let mean = noise.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5 * TIE_BREAK).abs() < 0.05 * TIE_BREAK);
    }
}
