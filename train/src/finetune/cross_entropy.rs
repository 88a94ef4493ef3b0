//! Cross-entropy over the pixels that have a class.
//!
//! ```text
//! L = − 1/|P| · Σ_{p ∈ P} log softmax(logits(p))[class(p)],   P = the pixels that are not ignored
//! ```
//!
//! burn's own `CrossEntropyLoss` panics when the padding value is not below the number of classes, so the ignored
//! pixels are masked here: the truth becomes a one-hot tensor with zeros at ignored pixels. Products and sums need no
//! scatter in the backward pass.

use burn::Tensor;
use burn::tensor::{Device, TensorData, activation};

/// Mean cross-entropy of `logits` over the pixels whose truth is a class. Zero, with zero gradient, when there is none.
///
/// # Shapes
/// - `logits`: `[batch, classes, height, width]`
/// - `truth`: `batch · height · width` class indices, picture by picture, row by row; values that are no class
///   ([`IGNORE`](parallax_core::labels::IGNORE)) count nowhere
/// - result: `[1]`
///
/// # Panics
/// When `truth` does not have one value a pixel.
pub fn cross_entropy(logits: Tensor<4>, truth: &[u8]) -> Tensor<1> {
    let [batch, classes, height, width] = logits.dims();
    assert_eq!(truth.len(), batch * height * width, "one truth a pixel");
    let (one_hot, counted) = one_hot(truth, batch, classes, height * width);
    let one_hot = on_device(one_hot, [batch, classes, height, width], &logits.device());
    -(activation::log_softmax(logits, 1) * one_hot).sum() / (counted.max(1) as f32)
}

fn on_device(values: Vec<f32>, shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `[batch, classes, plane]` with a 1 where a pixel has that class, and how many pixels have one.
fn one_hot(truth: &[u8], batch: usize, classes: usize, plane: usize) -> (Vec<f32>, usize) {
    let mut values = vec![0.0; batch * classes * plane];
    let mut counted = 0;
    for (at, &class) in truth.iter().enumerate() {
        let class = usize::from(class);
        if class < classes {
            values[(at / plane * classes + class) * plane + at % plane] = 1.0;
            counted += 1;
        }
    }
    (values, counted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_core::labels::IGNORE;

    fn loss_and_gradient(logits: &[f32], shape: [usize; 4], truth: &[u8]) -> (f32, Vec<f32>) {
        let device = Device::flex().autodiff();
        let logits = on_device(logits.to_vec(), shape, &device).require_grad();
        let loss = cross_entropy(logits.clone(), truth);
        let gradients = loss.backward();
        let gradient = logits.grad(&gradients).unwrap().try_into_vec_as::<f32>().unwrap();
        (loss.into_scalar::<f32>(), gradient)
    }

    #[test]
    fn two_pixels_come_out_as_by_hand() {
        // Pixel 0: logits (0, ln 3) and class 1: -ln(3/4). Pixel 1: logits (0, 0) and class 0: -ln(1/2).
        let (loss, gradient) = loss_and_gradient(&[0.0, 0.0, 3.0_f32.ln(), 0.0], [1, 2, 1, 2], &[1, 0]);
        assert!((loss - 0.5 * (-(0.75_f32.ln()) - 0.5_f32.ln())).abs() < 1e-6);
        // (softmax - one hot) / pixels, planes one after the other.
        let expected = [0.25 / 2.0, -0.5 / 2.0, -0.25 / 2.0, 0.5 / 2.0];
        for (got, expected) in gradient.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{gradient:?}");
        }
    }

    #[test]
    fn an_ignored_pixel_has_no_gradient_and_does_not_thin_out_the_mean() {
        let logits = [0.0, 5.0, 3.0_f32.ln(), -2.0];
        let (loss, gradient) = loss_and_gradient(&logits, [1, 2, 1, 2], &[1, IGNORE]);
        assert!((loss + 0.75_f32.ln()).abs() < 1e-6);
        assert_eq!((gradient[1], gradient[3]), (0.0, 0.0));
    }

    #[test]
    fn a_batch_without_any_class_has_loss_zero_and_no_gradient() {
        let (loss, gradient) = loss_and_gradient(&[1.0, 2.0, 3.0, 4.0], [2, 2, 1, 1], &[IGNORE, IGNORE]);
        assert_eq!(loss, 0.0);
        assert!(gradient.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn the_second_picture_of_a_batch_is_compared_with_its_own_truth() {
        let sure = 20.0;
        let (loss, _) = loss_and_gradient(&[sure, 0.0, 0.0, sure], [2, 2, 1, 1], &[0, 1]);
        assert!(loss < 1e-6);
        let (loss, _) = loss_and_gradient(&[sure, 0.0, 0.0, sure], [2, 2, 1, 1], &[1, 0]);
        assert!(loss > 19.0);
    }
}
