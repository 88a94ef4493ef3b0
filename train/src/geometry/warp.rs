//! Bilinear sampling of a frame at the places where another frame's pixels are seen.

use burn::tensor::Tensor;
use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};

use super::Pixels;

/// The frame's values at `pixels`; places outside get the nearest border pixel (and no gradient outwards).
///
/// # Shapes
/// - `frame`: `[batch, channels, height, width]`
/// - `pixels`: `[batch, 1, height', width']` each
/// - result: `[batch, channels, height', width']`
#[must_use]
pub fn sample(frame: Tensor<4>, pixels: Pixels) -> Tensor<4> {
    let [_, _, height, width] = frame.dims();
    // With corners aligned, −1 and 1 are the centres of the first and last pixel: our integers.
    let normalise =
        |coordinate: Tensor<4>, size: usize| coordinate.mul_scalar(2.0 / (size as f32 - 1.0)).sub_scalar(1.0);
    let grid = Tensor::cat(vec![normalise(pixels.u, width), normalise(pixels.v, height)], 1).permute([0, 2, 3, 1]);
    let options = GridSampleOptions::new(InterpolateMode::Bilinear)
        .with_padding_mode(GridSamplePaddingMode::Border)
        .with_align_corners(true);
    frame.grid_sample_2d(grid, options)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    const WIDTH: usize = 9;
    const HEIGHT: usize = 7;

    fn picture(device: &Device) -> Tensor<4> {
        let values: Vec<f32> = (0..2 * HEIGHT * WIDTH).map(|i| (i as f32 * 0.37).sin()).collect();
        Tensor::from_data(TensorData::new(values, [1, 2, HEIGHT, WIDTH]), device)
    }

    fn places(u: &[f32], v: &[f32], device: &Device) -> Pixels {
        let tensor =
            |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, 1, values.len()]), device);
        Pixels { u: tensor(u), v: tensor(v) }
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn sampling_at_pixel_centres_gives_the_pixels() {
        let device = Device::flex();
        let sampled = values(sample(picture(&device), places(&[0.0, 4.0, 8.0], &[0.0, 3.0, 6.0], &device)));
        let original = values(picture(&device));
        for (i, at) in [0, 3 * WIDTH + 4, 6 * WIDTH + 8].into_iter().enumerate() {
            assert!((sampled[i] - original[at]).abs() < 1e-5);
            assert!((sampled[3 + i] - original[HEIGHT * WIDTH + at]).abs() < 1e-5);
        }
    }

    #[test]
    fn between_pixels_it_weighs_the_four_neighbours() {
        let device = Device::flex();
        let sampled = values(sample(picture(&device), places(&[2.25], &[3.5], &device)))[0];
        let original = values(picture(&device));
        let at = |x: usize, y: usize| original[y * WIDTH + x];
        let expected = 0.5 * (0.75 * at(2, 3) + 0.25 * at(3, 3)) + 0.5 * (0.75 * at(2, 4) + 0.25 * at(3, 4));
        assert!((sampled - expected).abs() < 1e-5);
    }

    #[test]
    fn outside_the_border_pixel_repeats() {
        let device = Device::flex();
        let sampled = values(sample(picture(&device), places(&[-50.0, 100.0], &[2.0, -3.0], &device)));
        let original = values(picture(&device));
        assert!((sampled[0] - original[2 * WIDTH]).abs() < 1e-5);
        assert!((sampled[1] - original[WIDTH - 1]).abs() < 1e-5);
    }

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        let device = Device::flex().autodiff();
        let (u, v) = ([1.3_f32, 4.6, 6.2], [0.4_f32, 2.7, 4.9]);
        let value = |u: &[f32], v: &[f32]| -> f32 {
            values(sample(picture(&Device::flex()), places(u, v, &Device::flex()))).iter().sum()
        };
        let pixels = places(&u, &v, &device);
        let (u_leaf, v_leaf) = (pixels.u.require_grad(), pixels.v.require_grad());
        let pixels = Pixels { u: u_leaf.clone(), v: v_leaf.clone() };
        let gradients = sample(picture(&device), pixels).sum().backward();
        let (du, dv) = (values(u_leaf.grad(&gradients).unwrap()), values(v_leaf.grad(&gradients).unwrap()));
        let step = 1e-2;
        for i in 0..3 {
            let moved = |values: &[f32; 3], by: f32| {
                let mut moved = *values;
                moved[i] += by;
                moved
            };
            let numeric_u = (value(&moved(&u, step), &v) - value(&moved(&u, -step), &v)) / (2.0 * step);
            let numeric_v = (value(&u, &moved(&v, step)) - value(&u, &moved(&v, -step))) / (2.0 * step);
            assert!((du[i] - numeric_u).abs() < 1e-3 && (dv[i] - numeric_v).abs() < 1e-3);
        }
    }
}
