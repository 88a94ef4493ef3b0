//! Activations whose gradient is finite everywhere and whose ONNX form every engine knows.

use burn::tensor::{Tensor, activation::relu};
use serde::{Deserialize, Serialize};

/// Which non-linearity follows a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(x, 0)`: an integer engine folds it into the convolution's clamp at no cost.
    Relu,
    /// `x` above zero, `exp(x) - 1` below: the depth paper's decoder.
    Elu,
}

impl Activation {
    /// Applies the activation element by element.
    pub fn apply(self, input: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Relu => relu(input),
            Self::Elu => elu(input),
        }
    }
}

/// Exponential linear unit, written as `relu(x) + exp(-relu(-x)) - 1`.
///
/// burn's own `elu` evaluates `exp(x)` on the positive side too, which overflows: its gradient is NaN for large inputs.
/// The ONNX export recognises this form and writes it as one `Elu`.
pub fn elu(input: Tensor<4>) -> Tensor<4> {
    let negative_part = relu(input.clone().neg()).neg();
    relu(input) + negative_part.exp() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn elu_and_its_gradient_are_right_even_for_huge_inputs() {
        let device = Device::flex().autodiff();
        let input = Tensor::<4>::from_floats([[[[-1000.0, -1.0, 0.5, 1000.0]]]], &device).require_grad();
        let output = elu(input.clone());
        let values = output.to_data().try_to_vec::<f32>().unwrap();
        let expected = [-1.0, (-1.0_f32).exp() - 1.0, 0.5, 1000.0];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-4, "{values:?}");
        }
        let gradients = output.sum().backward();
        let slopes = input.grad(&gradients).unwrap().to_data().try_to_vec::<f32>().unwrap();
        for (slope, expected) in slopes.iter().zip([0.0, (-1.0_f32).exp(), 1.0, 1.0]) {
            assert!((slope - expected).abs() < 1e-6, "{slopes:?}");
        }
    }
}
