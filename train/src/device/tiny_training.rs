//! A tiny network trained for a few steps: what the single operators cannot show is their interplay with the optimizer.
//!
//! Convolution, batch norm, pooling, a second convolution, nearest upsampling, class scores and cross-entropy: the
//! shape of every network here, small enough for a software GPU. The loss is asked to fall, so a device on which
//! nothing moves is found out. Every convolution is 3x3: one of 1x1 may be lowered to a matrix product, which has checks of
//! its own, and this one would then not say whose fault it is (docs/decisions/0008).

use burn::Tensor;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Int, TensorData, activation};

use super::comparison::{numbers, pseudo_random};
use super::operators::Input;

/// Name of the finding about loss and gradients of the first step.
pub(super) const FIRST_STEP: &str = "tiny network, loss and gradients";
/// Name of the finding about the losses and weights after all steps.
pub(super) const AFTER_STEPS: &str = "tiny network, after 3 optimizer steps";
/// Three convolutions, each within the tolerance of a tensor core.
pub(super) const STEP_TOLERANCE: f64 = 3e-3;
/// Adam divides by the gradient's own size, so a rounding difference in a tiny gradient moves a weight by part of a
/// step; 3 steps of 0.01 on weights of about 0.3.
pub(super) const AFTER_TOLERANCE: f64 = 2e-2;

const STEPS: usize = 3;
const CLASSES: usize = 4;
const LEARNING_RATE: f64 = 0.01;

/// What a run of the tiny training leaves to compare.
pub(super) struct TinyRun {
    pub(super) losses: Vec<f32>,
    pub(super) gradients: Vec<Vec<f32>>,
    pub(super) weights: Vec<Vec<f32>>,
}

#[derive(Module, Debug)]
struct TinyNetwork {
    stem: Conv2d,
    norm: BatchNorm,
    middle: Conv2d,
    head: Conv2d,
}

impl TinyNetwork {
    fn init(device: &Device) -> Self {
        let conv = |channels: [usize; 2], kernel: usize, seed: u64| {
            let mut conv = Conv2dConfig::new(channels, [kernel, kernel])
                .with_padding(PaddingConfig2d::Explicit(kernel / 2, kernel / 2, kernel / 2, kernel / 2))
                .init(device);
            let reach = (3.0 / (channels[0] * kernel * kernel) as f32).sqrt();
            let shape = Input { shape: [channels[1], channels[0], kernel, kernel], low: -reach, high: reach };
            conv.weight = Param::from_tensor(Tensor::from_data(pseudo_random(shape, seed), device));
            conv.bias = Some(Param::from_tensor(Tensor::zeros([channels[1]], device)));
            conv
        };
        Self {
            stem: conv([3, 16], 3, 1),
            norm: BatchNormConfig::new(16).init(device),
            middle: conv([16, 24], 3, 2),
            head: conv([24, CLASSES], 3, 3),
        }
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = image.dims();
        let x = activation::relu(self.norm.forward(self.stem.forward(image)));
        let x = max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2]));
        let x = activation::relu(self.middle.forward(x));
        let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([height, width]);
        self.head.forward(interpolate(x, options))
    }

    fn weights(&self) -> [Tensor<4>; 3] {
        [self.stem.weight.val(), self.middle.weight.val(), self.head.weight.val()]
    }
}

/// Trains from fixed weights on fixed pictures.
pub(super) fn run(device: &Device) -> Result<TinyRun, String> {
    let device = device.clone().autodiff();
    let (image, truth) = batch(&device);
    let mut network = TinyNetwork::init(&device);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let (mut losses, mut first_gradients) = (Vec::new(), Vec::new());
    for step in 0..=STEPS {
        let loss = cross_entropy(network.forward(image.clone()), truth.clone());
        losses.extend(numbers(loss.clone())?);
        if step == STEPS {
            break;
        }
        let gradients = loss.backward();
        if step == 0 {
            for weight in network.weights() {
                let gradient = weight.grad(&gradients).ok_or("no gradient reaches a weight")?;
                first_gradients.push(numbers(gradient)?);
            }
        }
        let gradients = GradientsParams::from_grads(gradients, &network);
        network = optimizer.step(LEARNING_RATE, network, gradients);
    }
    let weights = network.weights().into_iter().map(numbers).collect::<Result<_, _>>()?;
    Ok(TinyRun { losses, gradients: first_gradients, weights })
}

/// Two pictures whose classes can be read off their first channel.
fn batch(device: &Device) -> (Tensor<4>, Tensor<4, Int>) {
    let shape = [2, 3, 12, 16];
    let image = pseudo_random(Input { shape, low: -1.0, high: 1.0 }, 7);
    let plane = shape[2] * shape[3];
    let values = image.clone().try_into_vec::<f32>().unwrap_or_default();
    let truth: Vec<i64> = (0..shape[0] * plane)
        .map(|index| {
            let value = values.get(index / plane * 3 * plane + index % plane).copied().unwrap_or(0.0);
            (((value + 1.0) / 2.0 * CLASSES as f32) as i64).min(CLASSES as i64 - 1)
        })
        .collect();
    let truth = TensorData::new(truth, [shape[0], 1, shape[2], shape[3]]);
    (Tensor::from_data(image, device), Tensor::from_data(truth, device))
}

fn cross_entropy(logits: Tensor<4>, truth: Tensor<4, Int>) -> Tensor<1> {
    -activation::log_softmax(logits, 1).gather(1, truth).mean()
}
