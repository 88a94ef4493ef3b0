//! The operators that training is made of, each as a small example with fixed inputs.
//!
//! An example is a function from a few tensors to one tensor. The self-check runs it on the CPU and on the device to
//! be proven, compares the results (*forward*) and compares the gradients of `Σ weight · result` with respect to every
//! input (*gradient*). The inputs are pseudo-random but the same on every machine, and lie away from the points where
//! an operator has no derivative.

use burn::Tensor;
use burn::tensor::module::{avg_pool2d, conv2d, interpolate, max_pool2d};
use burn::tensor::ops::{
    AvgPoolOptions, ConvOptions, GridSampleOptions, GridSamplePaddingMode, InterpolateMode, InterpolateOptions,
    MaxPoolOptions, PadMode,
};
use burn::tensor::{Int, TensorData, activation, s};

/// Plain arithmetic: the rounding of a few hundred additions in another order.
const ROUNDING: f64 = 1e-4;
/// Products that a GPU may compute with inputs rounded to tf32 (10 bits of mantissa, 2⁻¹¹ per factor).
const TENSOR_CORE: f64 = 1e-3;
/// Vulkan promises sine and cosine to 2⁻¹¹ only (SPIR-V environment, "Precision and Operation of SPIR-V Instructions").
const VULKAN_SINE: f64 = 5e-4;

/// One tensor given to an operator: its shape and the range of its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    pub(super) shape: [usize; 4],
    pub(super) low: f32,
    pub(super) high: f32,
}

/// An operator with an example of its use.
#[derive(Debug, Clone)]
pub struct Operator {
    /// What it is called in reports.
    pub name: &'static str,
    /// Largest accepted difference, as a part of the largest magnitude in the CPU's result.
    pub tolerance: f64,
    pub(super) inputs: Vec<Input>,
    pub(super) apply: fn(&[Tensor<4>]) -> Tensor<4>,
}

impl Operator {
    fn new(
        name: &'static str,
        tolerance: f64,
        shapes: impl IntoIterator<Item = [usize; 4]>,
        apply: fn(&[Tensor<4>]) -> Tensor<4>,
    ) -> Self {
        let inputs = shapes.into_iter().map(|shape| Input { shape, low: -1.0, high: 1.0 }).collect();
        Self { name, tolerance, inputs, apply }
    }

    /// The same operator with the values of all inputs between `low` and `high`.
    fn between(mut self, low: f32, high: f32) -> Self {
        for input in &mut self.inputs {
            (input.low, input.high) = (low, high);
        }
        self
    }
}

/// Every operator that the self-check proves, in the order in which it runs them.
pub fn operators() -> Vec<Operator> {
    let mut all = convolutions();
    all.extend(pooling_and_resampling());
    all.extend(products_and_reductions());
    all.extend(pointwise());
    all.extend(moving_data());
    all
}

fn convolutions() -> Vec<Operator> {
    let conv = |name, shapes: [[usize; 4]; 2], apply| Operator::new(name, TENSOR_CORE, shapes, apply);
    vec![
        conv("conv2d 3x3", [[2, 8, 12, 16], [24, 8, 3, 3]], |x| convolve(x, 1, 1, 1)),
        conv("conv2d 3x3, stride 2", [[2, 16, 12, 16], [32, 16, 3, 3]], |x| convolve(x, 2, 1, 1)),
        conv("conv2d 7x7, stride 2", [[2, 3, 16, 24], [16, 3, 7, 7]], |x| convolve(x, 2, 3, 1)),
        conv("conv2d 1x1", [[2, 32, 6, 8], [16, 32, 1, 1]], |x| convolve(x, 1, 0, 1)),
        conv("conv2d depthwise", [[2, 16, 8, 12], [16, 1, 3, 3]], |x| convolve(x, 1, 1, 16)),
        Operator::new("conv2d bias", ROUNDING, [[2, 4, 6, 6], [4, 4, 1, 1], [1, 1, 1, 4]], |x| {
            let bias = x[2].clone().reshape([4]);
            conv2d(x[0].clone(), x[1].clone(), Some(bias), ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
        }),
    ]
}

fn convolve(x: &[Tensor<4>], stride: usize, padding: usize, groups: usize) -> Tensor<4> {
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], groups);
    conv2d(x[0].clone(), x[1].clone(), None, options)
}

fn pooling_and_resampling() -> Vec<Operator> {
    vec![
        Operator::new("pad reflect", ROUNDING, [[2, 3, 8, 10]], |x| x[0].clone().pad((1, 1, 1, 1), PadMode::Reflect)),
        Operator::new("pad zero", ROUNDING, [[2, 3, 8, 10]], |x| {
            x[0].clone().pad((2, 1, 1, 2), PadMode::Constant(0.0))
        }),
        Operator::new("max_pool2d 3x3, stride 2", ROUNDING, [[2, 4, 12, 16]], |x| {
            max_pool2d(x[0].clone(), MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]))
        }),
        Operator::new("avg_pool2d 3x3", ROUNDING, [[2, 4, 12, 16]], |x| {
            avg_pool2d(x[0].clone(), AvgPoolOptions::new([3, 3]).with_stride([1, 1]))
        }),
        Operator::new("upsample nearest", ROUNDING, [[2, 4, 6, 8]], |x| {
            interpolate(x[0].clone(), InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([12, 16]))
        }),
        Operator::new("grid_sample_2d", ROUNDING, [[2, 3, 10, 14], [2, 8, 12, 2]], |x| {
            let options = GridSampleOptions::new(InterpolateMode::Bilinear)
                .with_padding_mode(GridSamplePaddingMode::Border)
                .with_align_corners(true);
            x[0].clone().grid_sample_2d(x[1].clone() * 0.9, options)
        }),
    ]
}

fn products_and_reductions() -> Vec<Operator> {
    let unary = |name, apply| Operator::new(name, ROUNDING, [[2, 5, 8, 12]], apply);
    vec![
        Operator::new("matmul", TENSOR_CORE, [[1, 1, 48, 64], [1, 1, 64, 40]], |x| x[0].clone().matmul(x[1].clone())),
        Operator::new("matmul of small matrices", TENSOR_CORE, [[2, 1, 3, 3], [2, 1, 3, 96]], |x| {
            x[0].clone().matmul(x[1].clone())
        }),
        unary("min over a dimension", |x| x[0].clone().min_dim(1)),
        unary("max over a dimension", |x| x[0].clone().max_dim(1)),
        unary("sum over a dimension", |x| x[0].clone().sum_dim(3)),
        unary("mean over dimensions", |x| x[0].clone().mean_dim(2).mean_dim(3)),
        unary("sum of everything", |x| x[0].clone().abs().sum().reshape([1, 1, 1, 1])),
        unary("batch norm arithmetic", |x| {
            let mean = x[0].clone().mean_dim(0).mean_dim(2).mean_dim(3);
            let centred = x[0].clone() - mean;
            let variance = (centred.clone() * centred.clone()).mean_dim(0).mean_dim(2).mean_dim(3);
            centred / (variance + 1e-5).sqrt()
        }),
        Operator::new("batch_norm_train", ROUNDING, [[2, 5, 8, 12], [1, 1, 1, 5], [1, 1, 1, 5]], |x| {
            let (gamma, beta) = (x[1].clone().reshape([5]), x[2].clone().reshape([5]));
            burn::tensor::module::batch_norm_train(x[0].clone(), gamma, beta, 1e-5).output
        }),
        unary("softmax", |x| activation::softmax(x[0].clone() * 4.0, 1)),
        unary("log_softmax", |x| activation::log_softmax(x[0].clone() * 4.0, 1)),
    ]
}

fn pointwise() -> Vec<Operator> {
    let unary = |name, apply| Operator::new(name, ROUNDING, [[2, 3, 8, 10]], apply);
    vec![
        Operator::new("arithmetic with broadcasting", ROUNDING, [[2, 3, 8, 10], [1, 3, 1, 1]], |x| {
            (x[0].clone() * x[1].clone() + x[1].clone()) / (x[0].clone() - 3.0)
        }),
        unary("relu", |x| activation::relu(x[0].clone())),
        unary("sigmoid", |x| activation::sigmoid(x[0].clone() * 4.0)),
        unary("tanh", |x| (x[0].clone() * 2.0).tanh()),
        unary("exp", |x| x[0].clone().exp()),
        unary("log", |x| x[0].clone().log()).between(0.2, 3.0),
        unary("sqrt", |x| x[0].clone().sqrt()).between(0.2, 3.0),
        unary("abs", |x| x[0].clone().abs()),
        unary("clamp", |x| x[0].clone().clamp(-0.5, 0.5)),
        Operator::new("sin and cos", VULKAN_SINE, [[2, 3, 8, 10]], |x| {
            (x[0].clone() * 3.0).sin() + (x[0].clone() * 2.0).cos()
        }),
        Operator::new("mask_where", ROUNDING, [[2, 3, 8, 10], [2, 3, 8, 10]], |x| {
            x[0].clone().mask_where(x[0].clone().greater(x[1].clone()), x[1].clone())
        }),
    ]
}

fn moving_data() -> Vec<Operator> {
    let unary = |name, apply| Operator::new(name, ROUNDING, [[2, 4, 6, 8]], apply);
    vec![
        unary("gather", |x| x[0].clone().gather(3, spread_indices(&x[0], [2, 4, 6, 5], 8))),
        unary("select", |x| {
            let rows = Tensor::<1, Int>::from_data(TensorData::from([0, 2, 2, 5]), &x[0].device());
            x[0].clone().select(2, rows)
        }),
        unary("slice", |x| x[0].clone().slice(s![.., 1..3, 2..5, 1..8])),
        Operator::new("cat", ROUNDING, [[2, 3, 4, 6], [2, 5, 4, 6]], |x| {
            Tensor::cat(vec![x[0].clone(), x[1].clone()], 1)
        }),
        unary("permute and reshape", |x| x[0].clone().permute([0, 2, 3, 1]).reshape([4, 3, 8, 4])),
        unary("repeat", |x| x[0].clone().repeat_dim(3, 2).repeat_dim(0, 2)),
    ]
}

/// Indices in `0..limit` that reach every place several times, so that the gradient has to add up.
fn spread_indices(like: &Tensor<4>, shape: [usize; 4], limit: usize) -> Tensor<4, Int> {
    let count = shape.iter().product::<usize>();
    let indices: Vec<i64> = (0..count).map(|i| ((i * 7 + i / 5) % limit) as i64).collect();
    Tensor::from_data(TensorData::new(indices, shape), &like.device())
}
