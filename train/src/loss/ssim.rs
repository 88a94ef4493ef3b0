//! Structural dissimilarity: how differently two images look, ignoring overall brightness.
//!
//! ```text
//! SSIM = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))      dissimilarity = clamp((1 − SSIM) / 2, 0, 1)
//! ```
//!
//! Means are over 3×3 pixels with the image reflected at its border, as in Godard et al. (2019).
//!
//! Reference: Wang et al., *Image Quality Assessment*, IEEE TIP 2004, eq. 13.

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::{AvgPoolOptions, PadMode};

/// (0.01 · 1)², for values in 0..1: keeps the quotient of means finite in black regions.
pub(super) const C1: f32 = 0.01 * 0.01;

/// (0.03 · 1)²: keeps the quotient of variances finite in flat regions.
pub(super) const C2: f32 = 0.03 * 0.03;

/// An image with the local moments that every comparison with it needs.
#[derive(Debug, Clone)]
pub struct Reference {
    image: Tensor<4>,
    mean: Tensor<4>,
    variance: Tensor<4>,
}

impl Reference {
    /// Computes the moments once.
    ///
    /// # Shapes
    /// - `image`: `[batch, channels, height, width]`, values in `[0, 1]`, at least 2×2
    #[must_use]
    pub fn new(image: Tensor<4>) -> Self {
        let mean = local_mean(image.clone());
        let variance = local_mean(image.clone().square()) - mean.clone().square();
        Self { image, mean, variance }
    }

    /// The image itself.
    #[must_use]
    pub fn image(&self) -> &Tensor<4> {
        &self.image
    }

    /// Per-pixel structural dissimilarity to another image, in `[0, 1]`.
    ///
    /// # Shapes
    /// - `other` and the result: those of the reference
    #[must_use]
    pub fn dissimilarity(&self, other: Tensor<4>) -> Tensor<4> {
        let mean = local_mean(other.clone());
        let variance = local_mean(other.clone().square()) - mean.clone().square();
        let means = self.mean.clone() * mean.clone();
        let covariance = local_mean(self.image.clone() * other) - means.clone();
        let similarity = (means.mul_scalar(2.0).add_scalar(C1) * covariance.mul_scalar(2.0).add_scalar(C2))
            / ((self.mean.clone().square() + mean.square()).add_scalar(C1)
                * (self.variance.clone() + variance).add_scalar(C2));
        similarity.neg().add_scalar(1.0).mul_scalar(0.5).clamp(0.0, 1.0)
    }
}

fn local_mean(image: Tensor<4>) -> Tensor<4> {
    avg_pool2d(image.pad((1, 1, 1, 1), PadMode::Reflect), AvgPoolOptions::new([3, 3]).with_stride([1, 1]))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn picture(phase: f32) -> Tensor<4> {
        let values: Vec<f32> = (0..30).map(|i| 0.5 + 0.4 * (i as f32 * 0.9 + phase).sin()).collect();
        Tensor::from_data(TensorData::new(values, [1, 1, 5, 6]), &Device::flex())
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn an_image_is_not_dissimilar_from_itself() {
        let dissimilarity = values(Reference::new(picture(0.0)).dissimilarity(picture(0.0)));
        assert!(dissimilarity.iter().all(|value| value.abs() < 1e-5));
    }

    #[test]
    fn it_is_symmetric() {
        let there = values(Reference::new(picture(0.0)).dissimilarity(picture(1.0)));
        let back = values(Reference::new(picture(1.0)).dissimilarity(picture(0.0)));
        assert!(there.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!(there.iter().any(|value| *value > 0.1));
    }

    #[test]
    fn flat_images_differ_by_the_formula_of_their_means() {
        let flat = |value: f32| Tensor::<4>::full([1, 1, 4, 4], value, &Device::flex());
        let found = values(Reference::new(flat(0.2)).dissimilarity(flat(0.6)));
        let expected = 0.5 * (1.0 - (2.0 * 0.12 + C1) / (0.04 + 0.36 + C1));
        assert!(found.iter().all(|value| (value - expected).abs() < 1e-3), "{found:?} {expected}");
    }
}
