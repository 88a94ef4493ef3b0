//! The depth network: one picture in, disparity at four scales out.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::decoder::{Decoder, SCALES, disparities};
use crate::encoder::Encoder;
use crate::layers::{Builder, Conv2d, InitialSpread};
use crate::network::Network;

/// Encoder, decoder and the convolutions that predict disparity.
#[derive(Module, Debug)]
pub struct DepthNetwork {
    /// Picture to features.
    pub encoder: Encoder,
    /// Features to levels.
    pub decoder: Decoder,
    /// Levels to disparity, finest first.
    pub predictors: Vec<Conv2d>,
    #[module(skip)]
    network: Network,
}

impl Network {
    /// Makes a depth network with fresh weights; on an autodiff device it trains.
    pub fn depth(self, seed: u64, device: &Device) -> DepthNetwork {
        DepthNetwork::new(self, &mut Builder::new("depth", seed, device))
    }
}

impl DepthNetwork {
    pub(crate) fn new(network: Network, builder: &mut Builder<'_>) -> Self {
        let (encoder, decoder) = (network.encoder(), network.decoder());
        Self {
            encoder: encoder.init(builder),
            decoder: decoder.init(encoder.channels(), builder),
            predictors: decoder.init_predictors(1, InitialSpread::Output, builder),
            network,
        }
    }

    /// Which network this is.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Predicts disparity in `(0, 1)`, finest scale first; scale `s` is `finest_stride * 2^s` smaller than the input
    /// (see [`Network::finest_stride`]).
    ///
    /// # Shapes
    /// - `image`: `[batch, 3, height, width]`, normalised as the model input says, sides multiples of 32
    /// - result `s`: `[batch, 1, height / (finest_stride * 2^s), width / (finest_stride * 2^s)]`
    pub fn forward(&self, image: Tensor<4>) -> [Tensor<4>; SCALES] {
        disparities(&self.predictors, &self.decoder.forward(&self.encoder.forward(image)))
    }

    /// The finest disparity alone, for use after training.
    pub fn finest_disparity(&self, image: Tensor<4>) -> Tensor<4> {
        let levels = self.decoder.forward(&self.encoder.forward(image));
        burn::tensor::activation::sigmoid(self.predictors[0].forward(levels[0].clone()))
    }

    /// Multiply-accumulates of the convolutions for the finest disparity of one picture.
    pub fn macs(&self, width: usize, height: usize) -> u64 {
        let (decoder, finest) = self.decoder.macs([width, height]);
        self.encoder.macs([width, height]) + decoder + self.predictors[0].macs(finest).0
    }
}
