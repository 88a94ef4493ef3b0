//! The segmentation network: the depth network with its last layer replaced.
//!
//! The head is one 3x3 convolution on the decoder's finest level, as the disparity predictor was. Where the finest
//! level is smaller than the input (slim: half), the logits are repeated to the input's size by nearest upsampling.
//! Predicting at half size costs a quarter of the multiply-accumulates; repeating is exact in integers and free to
//! fuse with the arg max that follows.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::{ModelError, Result};
use crate::layers::{Builder, Conv2d, ConvShape, InitialSpread, renumbered, upsample_nearest};
use crate::network::Network;

/// Encoder, decoder and segmentation head.
#[derive(Module, Debug)]
pub struct SegmentationNetwork {
    /// Picture to features.
    pub encoder: Encoder,
    /// Features to levels.
    pub decoder: Decoder,
    /// Finest level to logits.
    pub head: Conv2d,
    #[module(skip)]
    network: Network,
}

impl Network {
    /// Makes a segmentation network with fresh weights.
    ///
    /// # Errors
    /// [`ModelError::ClassCount`]
    pub fn segmentation(self, classes: usize, seed: u64, device: &Device) -> Result<SegmentationNetwork> {
        SegmentationNetwork::new(self, classes, &mut Builder::new("segmentation", seed, device))
    }
}

impl SegmentationNetwork {
    pub(crate) fn new(network: Network, classes: usize, builder: &mut Builder<'_>) -> Result<Self> {
        let encoder = network.encoder().init(builder);
        let decoder = network.decoder().init(network.encoder().channels(), builder);
        Self::with_fresh_head(encoder, decoder, network, classes, builder)
    }

    /// Takes over an encoder and, if given, a decoder; what is not given is new, and so is the last layer.
    ///
    /// # Errors
    /// [`ModelError::ClassCount`]
    pub fn from_parts(
        encoder: Encoder,
        decoder: Option<Decoder>,
        network: Network,
        classes: usize,
        seed: u64,
    ) -> Result<Self> {
        let device = device_of(&encoder);
        let decoder = decoder.unwrap_or_else(|| {
            let mut builder = Builder::new("segmentation decoder", seed, &device);
            network.decoder().init(network.encoder().channels(), &mut builder)
        });
        let mut builder = Builder::new("segmentation head", seed, &device);
        Self::with_fresh_head(encoder, decoder, network, classes, &mut builder)
    }

    fn with_fresh_head(
        encoder: Encoder,
        decoder: Decoder,
        network: Network,
        classes: usize,
        builder: &mut Builder<'_>,
    ) -> Result<Self> {
        if !(2..=255).contains(&classes) {
            return Err(ModelError::ClassCount(classes));
        }
        let shape = ConvShape::new(decoder.finest_channels(), classes, 3);
        let head = shape.with_spread(InitialSpread::Output).init(builder);
        let whole = Self { encoder, decoder, head, network };
        // A run that is resumed builds the network from nothing and must find its optimizer state again.
        Ok(renumbered(whole, "segmentation"))
    }

    /// Freezes the encoder: no gradients, and its batch norms neither look at the batch nor update their statistics.
    #[must_use]
    pub fn with_frozen_encoder(self) -> Self {
        Self { encoder: self.encoder.freeze(), ..self }
    }

    /// Which network this is.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.head.weight.dims()[0]
    }

    /// Computes one logit per class and pixel.
    ///
    /// # Shapes
    /// - `image`: `[batch, 3, height, width]`, normalised as the model input says, sides multiples of 32
    /// - result: `[batch, classes, height, width]`
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let levels = self.decoder.forward(&self.encoder.forward(image));
        let logits = self.head.forward(levels[0].clone());
        match self.network.finest_stride() {
            1 => logits,
            stride => upsample_nearest(logits, stride),
        }
    }

    /// Multiply-accumulates of the convolutions for one picture.
    pub fn macs(&self, width: usize, height: usize) -> u64 {
        let (decoder, finest) = self.decoder.macs([width, height]);
        self.encoder.macs([width, height]) + decoder + self.head.macs(finest).0
    }
}

fn device_of(encoder: &Encoder) -> Device {
    encoder.conv1.weight.val().device()
}
