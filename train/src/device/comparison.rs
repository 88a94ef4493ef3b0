//! Comparing a device with the CPU: one operator, forward and gradient, and a tiny network that is trained.

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use serde::{Deserialize, Serialize};

use super::operators::{Input, Operator};
use super::tiny_training;

/// Which half of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// Its result.
    Forward,
    /// The gradients with respect to its inputs.
    Gradient,
}

/// How far a device is from the CPU on one operator (or on the tiny network).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The operator's name.
    pub operator: String,
    /// Largest difference of the result, as a part of the largest magnitude on the CPU; `None` if there is no number.
    pub forward_error: Option<f64>,
    /// The same for the gradients.
    pub gradient_error: Option<f64>,
    /// What either may be.
    pub tolerance: f64,
    /// Why there is no number: a panic, a crash of the driver, a hang.
    pub broken: Option<String>,
}

impl Finding {
    /// A finding for an operator that gave no result at all.
    pub(super) fn broken(operator: &str, reason: impl Into<String>) -> Self {
        let reason = Some(reason.into());
        Self {
            operator: operator.to_owned(),
            forward_error: None,
            gradient_error: None,
            tolerance: 0.0,
            broken: reason,
        }
    }

    /// Whether one half agrees with the CPU.
    pub fn agrees(&self, half: Half) -> bool {
        let error = match half {
            Half::Forward => self.forward_error,
            Half::Gradient => self.gradient_error,
        };
        error.is_some_and(|error| error <= self.tolerance)
    }

    /// Whether the operator may be used for training.
    pub fn is_right(&self) -> bool {
        self.agrees(Half::Forward) && self.agrees(Half::Gradient)
    }

    /// `matmul: forward off by 1.0e0 (accepted 1.0e-3)`, for people.
    pub fn describe(&self) -> String {
        if let Some(reason) = &self.broken {
            return format!("{}: {reason}", self.operator);
        }
        let part = |half, error: Option<f64>| {
            let wrong = error.map_or_else(|| "is not a number".to_owned(), |error| format!("off by {error:.1e}"));
            (!self.agrees(half))
                .then(|| format!("{} {wrong}", if half == Half::Forward { "forward" } else { "gradient" }))
        };
        let parts: Vec<String> = [part(Half::Forward, self.forward_error), part(Half::Gradient, self.gradient_error)]
            .into_iter()
            .flatten()
            .collect();
        if parts.is_empty() {
            return format!("{}: agrees with the CPU", self.operator);
        }
        format!("{}: {} (accepted {:.0e})", self.operator, parts.join(", "), self.tolerance)
    }
}

/// Runs one operator on the CPU and on `device`.
pub fn compare_operator(operator: &Operator, device: &Device) -> Finding {
    let right = run(operator, &Device::flex());
    let (forward, gradients) = match run(operator, device).and_then(|got| right.map(|right| (got, right))) {
        Ok((got, right)) => (
            relative_difference(&right.forward, &got.forward),
            largest(right.gradients.iter().zip(&got.gradients).map(|(right, got)| relative_difference(right, got))),
        ),
        Err(reason) => return Finding::broken(operator.name, reason),
    };
    Finding {
        operator: operator.name.to_owned(),
        forward_error: forward,
        gradient_error: gradients,
        tolerance: operator.tolerance,
        broken: None,
    }
}

/// Trains the tiny network on the CPU and on `device`: loss and gradients of its first step, and the losses and weights
/// after a few optimizer steps.
pub fn compare_tiny_training(device: &Device) -> Vec<Finding> {
    let (right, got) =
        match tiny_training::run(&Device::flex()).and_then(|right| Ok((right, tiny_training::run(device)?))) {
            Ok(both) => both,
            Err(reason) => return vec![Finding::broken(tiny_training::FIRST_STEP, reason)],
        };
    let finding = |operator: &str, forward, gradient, tolerance| Finding {
        operator: operator.to_owned(),
        forward_error: forward,
        gradient_error: gradient,
        tolerance,
        broken: None,
    };
    vec![
        finding(
            tiny_training::FIRST_STEP,
            relative_difference(&right.losses[..1], &got.losses[..1]),
            largest(right.gradients.iter().zip(&got.gradients).map(|(right, got)| relative_difference(right, got))),
            tiny_training::STEP_TOLERANCE,
        ),
        finding(
            tiny_training::AFTER_STEPS,
            relative_difference(&right.losses, &got.losses),
            largest(right.weights.iter().zip(&got.weights).map(|(right, got)| relative_difference(right, got))),
            tiny_training::AFTER_TOLERANCE,
        ),
    ]
}

struct Numbers {
    forward: Vec<f32>,
    gradients: Vec<Vec<f32>>,
}

fn run(operator: &Operator, device: &Device) -> Result<Numbers, String> {
    let device = device.clone().autodiff();
    let inputs: Vec<Tensor<4>> = operator
        .inputs
        .iter()
        .enumerate()
        .map(|(index, input)| Tensor::from_data(pseudo_random(*input, index as u64), &device).require_grad())
        .collect();
    let output = (operator.apply)(&inputs);
    let weight = Input { shape: output.dims(), low: 0.5, high: 1.5 };
    let weight = Tensor::from_data(pseudo_random(weight, 99), &device);
    let gradients = (output.clone() * weight).sum().backward();
    let gradients = inputs
        .iter()
        .map(|input| {
            let gradient = input.grad(&gradients).ok_or_else(|| "no gradient reaches an input".to_owned())?;
            numbers(gradient)
        })
        .collect::<Result<_, String>>()?;
    Ok(Numbers { forward: numbers(output)?, gradients })
}

/// Reads a tensor's values.
pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    tensor.try_into_vec_as::<f32>().map_err(|error| error.to_string())
}

/// Values between `low` and `high`, the same on every machine (splitmix64).
pub(super) fn pseudo_random(input: Input, seed: u64) -> TensorData {
    let count = input.shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count as u64)
        .map(|index| {
            let mut z = (seed << 32 | index).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let unit = ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32;
            input.low + unit * (input.high - input.low)
        })
        .collect();
    TensorData::new(values, input.shape)
}

/// `max |right − got| / max |right|`; `None` when a value is no number or the sizes differ.
fn relative_difference(right: &[f32], got: &[f32]) -> Option<f64> {
    if right.len() != got.len() || got.iter().chain(right).any(|value| !value.is_finite()) {
        return None;
    }
    let scale = right.iter().fold(1e-6_f64, |scale, &value| scale.max(f64::from(value).abs()));
    let worst = right.iter().zip(got).fold(0.0_f64, |worst, (&a, &b)| worst.max((f64::from(a) - f64::from(b)).abs()));
    Some(worst / scale)
}

fn largest(mut errors: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    errors.try_fold(0.0, |worst, error| Some(error?.max(worst)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::operators::operators;

    #[test]
    fn the_cpu_agrees_with_itself_on_every_operator() {
        for operator in operators() {
            let finding = compare_operator(&operator, &Device::flex());
            assert!(finding.is_right(), "{}", finding.describe());
            assert_eq!((finding.forward_error, finding.gradient_error), (Some(0.0), Some(0.0)), "{}", operator.name);
        }
    }

    #[test]
    fn no_operator_example_has_a_result_or_a_gradient_of_zero() {
        // A device that answers zeros (SwiftShader's matmul does) must be found out by every example.
        for operator in operators() {
            let numbers = run(&operator, &Device::flex()).unwrap();
            let is_zero = |values: &[f32]| values.iter().all(|&value| value.abs() < 1e-3);
            assert!(!is_zero(&numbers.forward), "{}: result", operator.name);
            for (index, gradient) in numbers.gradients.iter().enumerate() {
                assert!(!is_zero(gradient), "{}: gradient {index}", operator.name);
            }
        }
    }

    #[test]
    fn a_result_that_is_no_number_is_never_right() {
        assert_eq!(relative_difference(&[1.0, 2.0], &[1.0, f32::NAN]), None);
        assert_eq!(relative_difference(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(relative_difference(&[1.0, 2.0], &[1.0, 1.5]), Some(0.25));
    }

    #[test]
    fn the_tiny_training_on_the_cpu_repeats_exactly_and_learns() {
        for finding in compare_tiny_training(&Device::flex()) {
            assert!(finding.is_right(), "{}", finding.describe());
        }
        let run = tiny_training::run(&Device::flex()).unwrap();
        assert!(run.losses.last() < run.losses.first(), "{:?}", run.losses);
    }
}
