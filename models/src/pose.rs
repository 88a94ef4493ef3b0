//! The pose network: how the camera moved between two pictures.
//!
//! ```text
//! encoder(concat(a, b)) -> 1x1 conv, relu -> 3x3 conv, relu -> 3x3 conv, relu -> 1x1 conv to 6 -> mean over pixels
//! pose = scale * result        scale: 0.01 for the ResNets, as published; 0.1 for slim, see [`crate::slim`]
//! ```
//!
//! The paper's encoder is ResNet-18 for every depth network; so here, except for slim, which takes its own encoder.
//!
//! Reference: Godard et al., *Digging Into Self-Supervised Monocular Depth Estimation*, ICCV 2019.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::relu};

use crate::encoder::Encoder;
use crate::layers::{Builder, Conv2d, ConvShape, InitialSpread};
use crate::network::Network;

/// Encoder of a pair of pictures and the layers that reduce its features to six numbers.
#[derive(Module, Debug)]
pub struct PoseNetwork {
    /// Pair of pictures to features.
    pub encoder: Encoder,
    squeeze: Conv2d,
    first: Conv2d,
    second: Conv2d,
    predict: Conv2d,
    #[module(skip)]
    network: Network,
}

impl Network {
    /// Makes a pose network with fresh weights.
    pub fn pose(self, seed: u64, device: &Device) -> PoseNetwork {
        PoseNetwork::new(self, &mut Builder::new("pose", seed, device))
    }
}

impl PoseNetwork {
    pub(crate) fn new(network: Network, builder: &mut Builder<'_>) -> Self {
        let config = network.pose_encoder();
        let width = network.pose_width();
        Self {
            encoder: config.init(builder),
            squeeze: ConvShape::new(config.channels()[4], width, 1).init(builder),
            first: ConvShape::new(width, width, 3).init(builder),
            second: ConvShape::new(width, width, 3).init(builder),
            predict: ConvShape::new(width, 6, 1).with_spread(InitialSpread::Output).init(builder),
            network,
        }
    }

    /// Which network this belongs to.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Predicts the motion from `first` to `second`: axis times angle in radians, then translation in the (unknown)
    /// unit of the predicted depth.
    ///
    /// # Shapes
    /// - `first`, `second`: `[batch, 3, height, width]`, normalised, sides multiples of 32
    /// - result: `[batch, 6]`
    pub fn forward(&self, first: Tensor<4>, second: Tensor<4>) -> Tensor<2> {
        let [_, _, _, _, features] = self.encoder.forward(Tensor::cat(vec![first, second], 1));
        let features = relu(self.squeeze.forward(features));
        let features = relu(self.first.forward(features));
        let features = relu(self.second.forward(features));
        let pose = self.predict.forward(features).mean_dim(3).mean_dim(2) * self.network.pose_scale();
        let [batch, numbers, _, _] = pose.dims();
        pose.reshape([batch, numbers])
    }
}
