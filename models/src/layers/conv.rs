//! Two-dimensional convolution with zero padding that keeps the size (divided by the stride).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::conv2d, ops::ConvOptions};

use super::Builder;

/// On flex, the weight gradient of a convolution with at most 16 output channels, in a batch of at most
/// [`SLOW_BATCH`], runs through a scalar loop instead of a matrix product. Measured for 32 → 16 channels at 128x64,
/// batch 4, forward and backward: 238 ms against 61 ms with spare channels; with one or two outputs the loop wins.
const SLOW_OUTPUTS: std::ops::RangeInclusive<usize> = 3..=16;
/// See [`SLOW_OUTPUTS`].
const SLOW_BATCH: usize = 4;

/// How far first weights spread around zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialSpread {
    /// Variance `2 / fan_out`: He et al. 2015 as torchvision initialises its ResNets.
    HeFanOut,
    /// Variance `2 / fan_in`: He et al. 2015, keeps activations in proportion through the forward pass.
    HeFanIn,
    /// Variance `1 / (3 fan_in)`: for a last layer, whose first outputs should lie near zero.
    Output,
    /// All zero: for a last layer whose first outputs should be zero to the bit.
    Zero,
}

/// What a convolution looks like before it has weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Kernel side in pixels, odd.
    pub kernel: usize,
    /// Step in pixels.
    pub stride: usize,
    /// Whether a bias is added; a convolution before batch norm needs none.
    pub bias: bool,
    /// How first weights are drawn.
    pub spread: InitialSpread,
}

impl ConvShape {
    /// A `kernel x kernel` convolution of stride 1 with bias.
    pub fn new(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self { inputs, outputs, kernel, stride: 1, bias: true, spread: InitialSpread::HeFanIn }
    }

    /// The same without bias and with torchvision's first weights, to be followed by batch norm.
    #[must_use]
    pub fn before_batch_norm(self) -> Self {
        Self { bias: false, spread: InitialSpread::HeFanOut, ..self }
    }

    /// The same with another stride.
    #[must_use]
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// The same with other first weights.
    #[must_use]
    pub fn with_spread(self, spread: InitialSpread) -> Self {
        Self { spread, ..self }
    }

    /// Draws first weights; biases start at zero.
    pub fn init(self, builder: &mut Builder<'_>) -> Conv2d {
        let area = (self.kernel * self.kernel) as f64;
        let (fan_in, fan_out) = (self.inputs as f64 * area, self.outputs as f64 * area);
        let variance = match self.spread {
            InitialSpread::HeFanOut => 2.0 / fan_out,
            InitialSpread::HeFanIn => 2.0 / fan_in,
            InitialSpread::Output => 1.0 / (3.0 * fan_in),
            InitialSpread::Zero => 0.0,
        };
        let weight = builder.normal([self.outputs, self.inputs, self.kernel, self.kernel], variance.sqrt());
        let bias = self.bias.then(|| builder.constant([self.outputs], 0.0));
        Conv2d { weight, bias, stride: self.stride }
    }
}

/// A convolution with odd square kernel, zero padding of half the kernel, and a stride.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`
    pub bias: Option<Param<Tensor<1>>>,
    stride: usize,
}

impl Conv2d {
    /// Convolves.
    ///
    /// # Shapes
    /// - `input`: `[batch, inputs, height, width]`
    /// - result: `[batch, outputs, ceil(height / stride), ceil(width / stride)]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.as_ref().map(Param::val));
        let outputs = weight.dims()[0];
        let learns = weight.is_require_grad();
        if learns && SLOW_OUTPUTS.contains(&outputs) && input.dims()[0] <= SLOW_BATCH {
            return self.forward_with_spare_channels(input, weight, bias);
        }
        conv2d(input, weight, bias, self.options())
    }

    /// Multiply-accumulates for one picture whose input here is `width x height`; also the output size.
    pub fn macs(&self, [width, height]: [usize; 2]) -> (u64, [usize; 2]) {
        let [outputs, inputs, kernel, _] = self.weight.dims();
        let size = [width.div_ceil(self.stride), height.div_ceil(self.stride)];
        ((outputs * inputs * kernel * kernel * size[0] * size[1]) as u64, size)
    }

    fn options(&self) -> ConvOptions<2> {
        let padding = self.weight.dims()[2] / 2;
        ConvOptions::new([self.stride; 2], [padding; 2], [1; 2], 1)
    }

    /// The same numbers by a faster way: zero channels are added to leave the slow path and cut off again.
    fn forward_with_spare_channels(&self, input: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        let [outputs, inputs, kernel, _] = weight.dims();
        let spare = SLOW_OUTPUTS.end() + 1 - outputs;
        let device = weight.device().without_autodiff();
        let weight = Tensor::cat(vec![weight, Tensor::zeros([spare, inputs, kernel, kernel], &device)], 0);
        let bias = bias.map(|bias| Tensor::cat(vec![bias, Tensor::zeros([spare], &device)], 0));
        conv2d(input, weight, bias, self.options()).narrow(1, 0, outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    /// Output, and gradients of the weight, the bias and the input, for a loss that weighs every output differently.
    fn results(conv: &Conv2d, image: &Tensor<4>) -> Vec<Vec<f32>> {
        let image = image.clone().require_grad();
        let output = conv.forward(image.clone());
        let gradients = output.clone().powi_scalar(2).sum().backward();
        let bias = conv.bias.as_ref().unwrap().val().grad(&gradients).unwrap().to_data();
        let weight = conv.weight.val().grad(&gradients).unwrap().to_data();
        let data = [output.to_data(), weight, bias, image.grad(&gradients).unwrap().to_data()];
        data.map(|data| data.try_to_vec::<f32>().unwrap()).to_vec()
    }

    #[test]
    fn the_faster_way_gives_the_same_numbers() {
        let device = Device::flex().autodiff();
        let conv = ConvShape::new(5, 3, 3).with_stride(2).init(&mut Builder::new("test", 0, &device));
        let image = Tensor::<4>::random([2, 5, 12, 10], Distribution::Default, &device);
        let fast = results(&conv, &image);
        let input = image.clone().require_grad();
        let output = conv2d(input.clone(), conv.weight.val(), conv.bias.as_ref().map(Param::val), conv.options());
        let gradients = output.clone().powi_scalar(2).sum().backward();
        let plain = [
            output.to_data(),
            conv.weight.val().grad(&gradients).unwrap().to_data(),
            conv.bias.as_ref().unwrap().val().grad(&gradients).unwrap().to_data(),
            input.grad(&gradients).unwrap().to_data(),
        ];
        for (fast, plain) in fast.iter().zip(plain) {
            for (fast, plain) in fast.iter().zip(plain.try_to_vec::<f32>().unwrap()) {
                assert!((fast - plain).abs() <= 1e-4 * plain.abs().max(1.0), "{fast} and {plain}");
            }
        }
    }

    #[test]
    fn first_weights_have_the_spread_their_name_says() {
        let device = Device::flex();
        for (spread, expected) in [
            (InitialSpread::HeFanIn, 2.0 / (16.0 * 9.0)),
            (InitialSpread::HeFanOut, 2.0 / (64.0 * 9.0)),
            (InitialSpread::Output, 1.0 / (3.0 * 16.0 * 9.0)),
        ] {
            let conv = ConvShape::new(16, 64, 3).with_spread(spread).init(&mut Builder::new("test", 0, &device));
            let variance = conv.weight.val().powi_scalar(2).mean().into_scalar::<f32>();
            assert!((f64::from(variance) / expected - 1.0).abs() < 0.1, "{spread:?}: {variance}");
        }
    }
}
