//! The depth decoder: a U-Net that climbs back from 1/32, taking the encoder's features in on the way.
//!
//! One level, from the coarser level's output `x` and the encoder's features `skip`:
//!
//! ```text
//! x <- act(reduce(x));  x <- upsample(x);  x <- act(fuse(concat(x, skip)));  disparity = sigmoid(predict(x))
//! ```
//!
//! The four finest levels predict disparity, each in `(0, 1)`.
//!
//! The paper pads by reflection; here by zeros, because reflection is an operator of its own on the board (a copy of
//! the largest maps) and no integer engine fuses it. The 3x3 convolutions then see one row of zeros at the border.
//!
//! Reference: Godard, Mac Aodha, Firman, Brostow, *Digging Into Self-Supervised Monocular Depth Estimation*, ICCV
//! 2019, supplementary material, network architecture.

use burn::module::Module;
use burn::tensor::{Tensor, activation::sigmoid};

use crate::encoder::Features;
use crate::layers::{Activation, Builder, Conv2d, ConvShape, InitialSpread, upsample_nearest};

/// Number of scales at which disparity is predicted.
pub const SCALES: usize = 4;

/// The numbers that make a decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderConfig {
    /// Channels per level, finest first.
    pub channels: Vec<usize>,
    /// The finest level works at `1 / 2^finest_level` of the input: 0 or 1.
    pub finest_level: usize,
    /// After every convolution but the predicting ones.
    pub activation: Activation,
}

impl DecoderConfig {
    /// The paper's decoder: 16 channels at full resolution, doubling per level, ELU.
    pub fn paper() -> Self {
        Self { channels: vec![16, 32, 64, 128, 256], finest_level: 0, activation: Activation::Elu }
    }

    /// Draws first weights for a decoder behind an encoder of these channels.
    pub fn init(&self, encoder_channels: [usize; 5], builder: &mut Builder<'_>) -> Decoder {
        let mut inputs = encoder_channels[4];
        let mut levels = Vec::with_capacity(self.channels.len());
        for (index, &channels) in self.channels.iter().enumerate().rev() {
            let scale = index + self.finest_level;
            let skip = scale.checked_sub(1).map_or(0, |finer| encoder_channels[finer]);
            levels.push(Level {
                reduce: ConvShape::new(inputs, channels, 3).init(builder),
                fuse: ConvShape::new(channels + skip, channels, 3).init(builder),
            });
            inputs = channels;
        }
        levels.reverse();
        Decoder { levels, elu: self.activation == Activation::Elu }
    }

    /// Draws first weights for the convolutions that predict `outputs` maps (disparity: 1, flow: 2) at the four finest
    /// levels.
    pub fn init_predictors(&self, outputs: usize, spread: InitialSpread, builder: &mut Builder<'_>) -> Vec<Conv2d> {
        let predictor = |&channels: &usize| ConvShape::new(channels, outputs, 3).with_spread(spread);
        self.channels.iter().take(SCALES).map(|channels| predictor(channels).init(builder)).collect()
    }
}

/// A decoder with weights; without the predicting convolutions, so that a segmentation head can take their place.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Finest level first.
    levels: Vec<Level>,
    elu: bool,
}

/// One step up in resolution.
#[derive(Module, Debug)]
pub struct Level {
    reduce: Conv2d,
    fuse: Conv2d,
}

impl Decoder {
    /// Computes every level's output, finest first.
    pub fn forward(&self, features: &Features) -> Vec<Tensor<4>> {
        let activation = if self.elu { Activation::Elu } else { Activation::Relu };
        let mut current = features[4].clone();
        let mut outputs = Vec::with_capacity(self.levels.len());
        let finest_level = features.len() - self.levels.len();
        for (index, level) in self.levels.iter().enumerate().rev() {
            current = upsample_nearest(activation.apply(level.reduce.forward(current)), 2);
            if let Some(finer) = (index + finest_level).checked_sub(1) {
                current = Tensor::cat(vec![current, features[finer].clone()], 1);
            }
            current = activation.apply(level.fuse.forward(current));
            outputs.push(current.clone());
        }
        outputs.reverse();
        outputs
    }

    /// Output channels of the finest level.
    pub fn finest_channels(&self) -> usize {
        self.levels[0].fuse.weight.dims()[0]
    }

    /// Multiply-accumulates of the convolutions for one picture of `[width, height]`; also the finest level's size.
    pub fn macs(&self, size: [usize; 2]) -> (u64, [usize; 2]) {
        let mut size = size.map(|side| side / 32);
        let mut macs = 0;
        for level in self.levels.iter().rev() {
            macs += level.reduce.macs(size).0;
            size = size.map(|side| side * 2);
            macs += level.fuse.macs(size).0;
        }
        (macs, size)
    }
}

/// Predicts disparity from the four finest levels.
pub(crate) fn disparities(predictors: &[Conv2d], levels: &[Tensor<4>]) -> [Tensor<4>; SCALES] {
    std::array::from_fn(|scale| sigmoid(predictors[scale].forward(levels[scale].clone())))
}
