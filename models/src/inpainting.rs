//! The inpainting network: a picture with holes in, the whole picture out.
//!
//! The depth network with its last layer replaced by one that predicts colours, at the finest level. It sees the holes as
//! the mean colour and is not told where they are: one more input channel would make another encoder.
//!
//! Reference: Pathak et al., *Context Encoders: Feature Learning by Inpainting*, CVPR 2016; here with the U-Net of depth,
//! so that the decoder can be handed on.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::sigmoid};

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::layers::{Builder, Conv2d, ConvShape, InitialSpread};
use crate::network::Network;

/// Encoder, decoder and the convolution that predicts colours.
#[derive(Module, Debug)]
pub struct InpaintingNetwork {
    /// Picture to features.
    pub encoder: Encoder,
    /// Features to levels.
    pub decoder: Decoder,
    /// Finest level to colours.
    pub predictor: Conv2d,
    #[module(skip)]
    network: Network,
}

impl Network {
    /// Makes an inpainting network with fresh weights.
    pub fn inpainting(self, seed: u64, device: &Device) -> InpaintingNetwork {
        InpaintingNetwork::new(self, &mut Builder::new("inpainting", seed, device))
    }
}

impl InpaintingNetwork {
    pub(crate) fn new(network: Network, builder: &mut Builder<'_>) -> Self {
        let encoder = network.encoder().init(builder);
        let decoder = network.decoder().init(network.encoder().channels(), builder);
        let shape = ConvShape::new(decoder.finest_channels(), 3, 3).with_spread(InitialSpread::Output);
        Self { encoder, decoder, predictor: shape.init(builder), network }
    }

    /// Which network this is.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Predicts red, green and blue in `(0, 1)`.
    ///
    /// # Shapes
    /// - `image`: `[batch, 3, height, width]`, normalised as the model input says, sides multiples of 32
    /// - result: `[batch, 3, height / finest_stride, width / finest_stride]`
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let levels = self.decoder.forward(&self.encoder.forward(image));
        sigmoid(self.predictor.forward(levels[0].clone()))
    }
}
