//! Photometric error of two images and its gradient to the second.
//!
//! With `a = 2 μx μy + C1`, `b = 2 σxy + C2`, `c = μx² + μy² + C1`, `d = σx² + σy² + C2` and `S = a b / (c d)`,
//! the derivatives to the local moments of the second image are
//!
//! ```text
//! ∂S/∂E[y²] = −S / d        ∂S/∂E[xy] = 2 a / (c d)
//! ∂S/∂μy    = 2 μx (b − a) / (c d) + 2 μy S (1/d − 1/c)
//! ```

use super::local_mean::{local_mean, local_mean_adjoint};
use crate::loss::photometric::{DIFFERENCE, STRUCTURE};
use crate::loss::ssim::{C1, C2};

/// Colour channels.
const CHANNELS: usize = 3;

/// An image with its local moments, `[3, height, width]` each.
pub(crate) struct Target {
    image: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    width: usize,
}

impl Target {
    pub(crate) fn new(image: &[f32], width: usize) -> Self {
        let (mut rows, mut mean, mut squares) = (Vec::new(), Vec::new(), Vec::new());
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for plane in image.chunks_exact(image.len() / CHANNELS) {
            local_mean(plane, width, &mut rows, &mut mean);
            let squared: Vec<f32> = plane.iter().map(|value| value * value).collect();
            local_mean(&squared, width, &mut rows, &mut squares);
            means.extend_from_slice(&mean);
            variances.extend(squares.iter().zip(&mean).map(|(square, mean)| square - mean * mean));
        }
        Self { image: image.to_vec(), mean: means, variance: variances, width }
    }
}

/// The error of an image against a target, with what its gradient needs.
#[derive(Default)]
pub(crate) struct Comparison {
    /// Per pixel.
    error: Vec<f32>,
    /// Derivatives of the error to μy, E[y²] and E[xy], per channel and pixel.
    slopes: Vec<[Vec<f32>; 3]>,
    /// Gradient to the compared image.
    gradient: Vec<f32>,
    space: Space,
}

/// Working space: one plane each.
#[derive(Default)]
struct Space {
    rows: Vec<f32>,
    plane: Vec<f32>,
    mean: Vec<f32>,
    squares: Vec<f32>,
    products: Vec<f32>,
}

impl Comparison {
    /// The photometric error per pixel.
    pub(crate) fn error(&self) -> &[f32] {
        &self.error
    }

    /// Compares `other`, `[3, height, width]`, with the target.
    pub(crate) fn compare(&mut self, target: &Target, other: &[f32]) {
        let pixels = other.len() / CHANNELS;
        self.error.clear();
        self.error.resize(pixels, 0.0);
        self.slopes.resize_with(CHANNELS, Default::default);
        let Space { rows, plane, mean, squares, products } = &mut self.space;
        plane.resize(pixels, 0.0);
        for channel in 0..CHANNELS {
            let range = channel * pixels..(channel + 1) * pixels;
            let (x, y) = (&target.image[range.clone()], &other[range.clone()]);
            local_mean(y, target.width, rows, mean);
            plane.iter_mut().zip(y).for_each(|(square, y)| *square = y * y);
            local_mean(plane, target.width, rows, squares);
            plane.iter_mut().zip(x).zip(y).for_each(|((product, x), y)| *product = x * y);
            local_mean(plane, target.width, rows, products);
            self.error
                .iter_mut()
                .zip(x)
                .zip(y)
                .for_each(|((error, x), y)| *error += (x - y).abs() * (DIFFERENCE / 3.0));
            let moments = Moments { mean, squares, products };
            add_dissimilarity(
                &target.mean[range.clone()],
                &target.variance[range],
                &moments,
                &mut self.error,
                &mut self.slopes[channel],
            );
        }
    }

    /// Gradient of `Σ mask · error` to the compared image, `[3, height, width]`.
    pub(super) fn gradient(&mut self, target: &Target, other: &[f32], mask: &[f32]) -> &[f32] {
        let pixels = mask.len();
        self.gradient.clear();
        self.gradient.resize(other.len(), 0.0);
        let Space { rows, plane: masked, mean: back, .. } = &mut self.space;
        masked.resize(pixels, 0.0);
        for channel in 0..CHANNELS {
            let range = channel * pixels..(channel + 1) * pixels;
            let (x, y, sum) = (&target.image[range.clone()], &other[range.clone()], &mut self.gradient[range]);
            for (moment, slope) in self.slopes[channel].iter().enumerate() {
                masked.iter_mut().zip(slope).zip(mask).for_each(|((value, slope), mask)| *value = slope * mask);
                local_mean_adjoint(masked, target.width, rows, back);
                match moment {
                    0 => sum.iter_mut().zip(back.iter()).for_each(|(sum, back)| *sum += back),
                    1 => sum.iter_mut().zip(back.iter()).zip(y).for_each(|((sum, back), y)| *sum += 2.0 * y * back),
                    _ => sum.iter_mut().zip(back.iter()).zip(x).for_each(|((sum, back), x)| *sum += x * back),
                }
            }
            for (((sum, x), y), mask) in sum.iter_mut().zip(x).zip(y).zip(mask) {
                let sign = f32::from(i8::from(y > x) - i8::from(y < x));
                *sum += sign * mask * (DIFFERENCE / 3.0);
            }
        }
        &self.gradient
    }
}

/// Local moments of the compared image, one channel.
struct Moments<'a> {
    mean: &'a [f32],
    squares: &'a [f32],
    products: &'a [f32],
}

fn add_dissimilarity(
    mean_x: &[f32],
    variance_x: &[f32],
    moments: &Moments<'_>,
    error: &mut [f32],
    slopes: &mut [Vec<f32>; 3],
) {
    let pixels = error.len();
    slopes.iter_mut().for_each(|slope| slope.resize(pixels, 0.0));
    let [to_mean, to_squares, to_products] = slopes;
    let (to_mean, to_squares, to_products) =
        (&mut to_mean[..pixels], &mut to_squares[..pixels], &mut to_products[..pixels]);
    let (mean_x, variance_x) = (&mean_x[..pixels], &variance_x[..pixels]);
    let (mean_y, squares, products) =
        (&moments.mean[..pixels], &moments.squares[..pixels], &moments.products[..pixels]);
    for p in 0..pixels {
        let (mx, my) = (mean_x[p], mean_y[p]);
        let a = 2.0 * mx * my + C1;
        let b = 2.0 * (products[p] - mx * my) + C2;
        let c = mx * mx + my * my + C1;
        let d = variance_x[p] + (squares[p] - my * my) + C2;
        let (inverse_c, inverse_d) = (1.0 / c, 1.0 / d);
        let similarity = a * b * inverse_c * inverse_d;
        let dissimilarity = 0.5 * (1.0 - similarity);
        error[p] += dissimilarity.clamp(0.0, 1.0) * (STRUCTURE / 3.0);
        let inside = (0.0..=1.0).contains(&dissimilarity);
        let scale = if inside { -0.5 * STRUCTURE / 3.0 } else { 0.0 };
        to_squares[p] = -similarity * inverse_d * scale;
        to_products[p] = 2.0 * a * inverse_c * inverse_d * scale;
        to_mean[p] =
            (2.0 * mx * (b - a) * inverse_c * inverse_d + 2.0 * my * similarity * (inverse_d - inverse_c)) * scale;
    }
}
