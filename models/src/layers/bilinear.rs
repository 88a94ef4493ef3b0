//! Bilinear enlargement by a whole factor.
//!
//! Output pixel `f·i + p` (phase `p` of factor `f`) lies at `i + (p + ½)/f − ½` in the input, between pixel `i` and one of its
//! neighbours, whatever `i`; so each phase is one weighted sum of the image and itself shifted by a pixel, and the phases are
//! interleaved. Border pixels are repeated. Same numbers as `align_corners = false` elsewhere; written this way because the
//! ready-made interpolation has no gradient on some devices.

use burn::tensor::Tensor;

/// Enlarges an image `factor` times in both directions.
///
/// # Shapes
/// - `image`: `[batch, channels, height, width]`
/// - result: `[batch, channels, factor · height, factor · width]`
pub fn upsample_bilinear(image: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return image;
    }
    along(along(image, 2, factor), 3, factor)
}

fn along(image: Tensor<4>, dim: usize, factor: usize) -> Tensor<4> {
    let size = image.dims()[dim];
    let before = Tensor::cat(vec![image.clone().narrow(dim, 0, 1), image.clone().narrow(dim, 0, size - 1)], dim);
    let after = Tensor::cat(vec![image.clone().narrow(dim, 1, size - 1), image.clone().narrow(dim, size - 1, 1)], dim);
    let phases = (0..factor)
        .map(|phase| {
            let offset = (phase as f32 + 0.5) / factor as f32 - 0.5;
            let neighbour = if offset < 0.0 { before.clone() } else { after.clone() };
            image.clone().mul_scalar(1.0 - offset.abs()) + neighbour.mul_scalar(offset.abs())
        })
        .collect();
    let mut dims = image.dims();
    dims[dim] *= factor;
    Tensor::stack::<5>(phases, dim + 1).reshape(dims)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_slope_stays_a_slope_away_from_the_border() {
        let ramp: Vec<f32> = (0..8).flat_map(|y| (0..6).map(move |x| 3.0 * y as f32 - 2.0 * x as f32)).collect();
        let image = Tensor::<4>::from_data(TensorData::new(ramp, [1, 1, 8, 6]), &Device::flex());
        let large: Vec<f32> = upsample_bilinear(image, 4).into_data().try_into_vec().unwrap();
        for y in 4..28 {
            for x in 4..20 {
                let expected = 3.0 * ((y as f32 + 0.5) / 4.0 - 0.5) - 2.0 * ((x as f32 + 0.5) / 4.0 - 0.5);
                assert!((large[y * 24 + x] - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn every_weight_given_out_adds_up_to_the_area() {
        let device = Device::flex().autodiff();
        let image = Tensor::<4>::ones([1, 2, 3, 5], &device).require_grad();
        let gradients = upsample_bilinear(image.clone(), 8).sum().backward();
        let gradient: Vec<f32> = image.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
        assert!((gradient.iter().sum::<f32>() - 2.0 * 3.0 * 5.0 * 64.0).abs() < 1e-2);
    }
}
