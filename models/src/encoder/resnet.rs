//! Residual encoders in torchvision's layout: ResNet-18, ResNet-50, and the slim one.
//!
//! ```text
//! stem: conv, batch norm, relu          -> features[0], 1/2
//! (max pool 3x3 stride 2 or a stride in layer1)
//! layer1                                -> features[1], 1/4
//! layer2, layer3, layer4                -> features[2..5], 1/8, 1/16, 1/32
//! ```
//!
//! Parameter names are torchvision's (`layer1.0.conv1.weight`), but for `downsample.0` and `downsample.1`, which here
//! are `downsample.conv` and `downsample.bn`.
//!
//! Reference: He, Zhang, Ren, Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016; ResNet-50 carries the
//! stride in the 3x3 convolution as torchvision does ("ResNet v1.5").

use burn::module::Module;
use burn::tensor::{Tensor, activation::relu, module::max_pool2d, ops::MaxPoolOptions};

use super::Features;
use crate::layers::{BatchNorm2d, Builder, Conv2d, ConvShape};

/// What a residual block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1 down, 3x3, 1x1 up to four times the width.
    Bottleneck,
}

impl BlockKind {
    /// Output channels per unit of width.
    const fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// How features shrink between the stem (1/2) and layer1 (1/4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// 3x3 max pooling: the ResNets.
    MaxPool,
    /// Stride 2 in layer1's first convolution: one operator and one copy of the largest map less.
    Stride,
}

/// The numbers that make a residual encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Input channels: 3 per picture.
    pub inputs: usize,
    /// Kernel side of the stem.
    pub stem_kernel: usize,
    /// Channels after the stem.
    pub stem_width: usize,
    /// From the stem to layer1.
    pub shrink: Shrink,
    /// Kind of every block.
    pub block: BlockKind,
    /// Width of the blocks in layer1 to layer4.
    pub widths: [usize; 4],
    /// Number of blocks in layer1 to layer4.
    pub blocks: [usize; 4],
}

impl EncoderConfig {
    /// ResNet-18.
    pub const RESNET18: Self = Self {
        inputs: 3,
        stem_kernel: 7,
        stem_width: 64,
        shrink: Shrink::MaxPool,
        block: BlockKind::Basic,
        widths: [64, 128, 256, 512],
        blocks: [2, 2, 2, 2],
    };

    /// ResNet-50.
    pub const RESNET50: Self = Self { block: BlockKind::Bottleneck, blocks: [3, 4, 6, 3], ..Self::RESNET18 };

    /// The same encoder for `pictures` pictures stacked along the channels.
    #[must_use]
    pub const fn for_pictures(self, pictures: usize) -> Self {
        Self { inputs: 3 * pictures, ..self }
    }

    /// Channels of the five feature maps, finest first.
    pub fn channels(&self) -> [usize; 5] {
        let [one, two, three, four] = self.widths.map(|width| width * self.block.expansion());
        [self.stem_width, one, two, three, four]
    }

    /// Draws first weights (He et al., fan out, as torchvision does).
    pub fn init(&self, builder: &mut Builder<'_>) -> Encoder {
        let stem = ConvShape::new(self.inputs, self.stem_width, self.stem_kernel);
        let conv1 = stem.with_stride(2).before_batch_norm().init(builder);
        let bn1 = BatchNorm2d::new(self.stem_width, builder);
        let channels = self.channels();
        let mut layer = |index: usize| {
            let stride = if index == 0 && self.shrink == Shrink::MaxPool { 1 } else { 2 };
            self.init_layer(channels[index], index, stride, builder)
        };
        Encoder {
            conv1,
            bn1,
            layer1: layer(0),
            layer2: layer(1),
            layer3: layer(2),
            layer4: layer(3),
            pools: self.shrink == Shrink::MaxPool,
        }
    }

    fn init_layer(&self, inputs: usize, index: usize, stride: usize, builder: &mut Builder<'_>) -> Vec<ResidualBlock> {
        let width = self.widths[index];
        let outputs = width * self.block.expansion();
        (0..self.blocks[index])
            .map(|block| match block {
                0 => ResidualBlock::new(self.block, inputs, width, stride, builder),
                _ => ResidualBlock::new(self.block, outputs, width, 1, builder),
            })
            .collect()
    }
}

/// A residual encoder with weights.
#[derive(Module, Debug)]
pub struct Encoder {
    /// First convolution, stride 2.
    pub conv1: Conv2d,
    /// Its batch norm.
    pub bn1: BatchNorm2d,
    /// Blocks at 1/4.
    pub layer1: Vec<ResidualBlock>,
    /// Blocks at 1/8.
    pub layer2: Vec<ResidualBlock>,
    /// Blocks at 1/16.
    pub layer3: Vec<ResidualBlock>,
    /// Blocks at 1/32.
    pub layer4: Vec<ResidualBlock>,
    pools: bool,
}

impl Encoder {
    /// Computes the features.
    ///
    /// # Shapes
    /// - `image`: `[batch, inputs, height, width]`, normalised, sides multiples of 32
    /// - result: see [`Features`]
    pub fn forward(&self, image: Tensor<4>) -> Features {
        let half = relu(self.bn1.forward(self.conv1.forward(image)));
        let shrunk = if self.pools { shrink_by_max_pool(half.clone()) } else { half.clone() };
        let quarter = run(&self.layer1, shrunk);
        let eighth = run(&self.layer2, quarter.clone());
        let sixteenth = run(&self.layer3, eighth.clone());
        let thirty_second = run(&self.layer4, sixteenth.clone());
        [half, quarter, eighth, sixteenth, thirty_second]
    }

    /// Multiply-accumulates of the convolutions for one picture of `[width, height]`.
    pub fn macs(&self, size: [usize; 2]) -> u64 {
        let (mut macs, mut size) = self.conv1.macs(size);
        if self.pools {
            size = size.map(|side| side.div_ceil(2));
        }
        for block in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten() {
            let (block_macs, block_size) = block.macs(size);
            macs += block_macs;
            size = block_size;
        }
        macs
    }
}

/// One residual block: `relu(convolutions(x) + shortcut(x))`.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm2d>,
    downsample: Option<Downsample>,
}

/// The shortcut where size or channels change: a 1x1 convolution with stride.
#[derive(Module, Debug)]
pub struct Downsample {
    conv: Conv2d,
    bn: BatchNorm2d,
}

impl ResidualBlock {
    fn new(kind: BlockKind, inputs: usize, width: usize, stride: usize, builder: &mut Builder<'_>) -> Self {
        let outputs = width * kind.expansion();
        let mut conv = |inputs, outputs, kernel, stride| {
            let conv = ConvShape::new(inputs, outputs, kernel).with_stride(stride).before_batch_norm().init(builder);
            (conv, BatchNorm2d::new(outputs, builder))
        };
        let ((conv1, bn1), (conv2, bn2), third) = match kind {
            BlockKind::Basic => (conv(inputs, width, 3, stride), conv(width, width, 3, 1), None),
            BlockKind::Bottleneck => {
                (conv(inputs, width, 1, 1), conv(width, width, 3, stride), Some(conv(width, outputs, 1, 1)))
            }
        };
        let downsample = (stride != 1 || inputs != outputs).then(|| {
            let (conv, bn) = conv(inputs, outputs, 1, stride);
            Downsample { conv, bn }
        });
        let (conv3, bn3) = third.unzip();
        Self { conv1, bn1, conv2, bn2, conv3, bn3, downsample }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = relu(self.bn1.forward(self.conv1.forward(input.clone())));
        let mut output = self.bn2.forward(self.conv2.forward(hidden));
        if let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) {
            output = bn3.forward(conv3.forward(relu(output)));
        }
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.bn.forward(downsample.conv.forward(input)),
            None => input,
        };
        relu(output + shortcut)
    }

    fn macs(&self, size: [usize; 2]) -> (u64, [usize; 2]) {
        let (first, hidden) = self.conv1.macs(size);
        let (second, output) = self.conv2.macs(hidden);
        let third = self.conv3.as_ref().map_or(0, |conv| conv.macs(output).0);
        let shortcut = self.downsample.as_ref().map_or(0, |downsample| downsample.conv.macs(size).0);
        (first + second + third + shortcut, output)
    }
}

fn run(blocks: &[ResidualBlock], input: Tensor<4>) -> Tensor<4> {
    blocks.iter().fold(input, |features, block| block.forward(features))
}

fn shrink_by_max_pool(input: Tensor<4>) -> Tensor<4> {
    max_pool2d(input, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]))
}
