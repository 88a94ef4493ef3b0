//! The contrastive network: a picture in, a direction in a space of features out; and the slowly moving copy with its
//! queue of keys that it is compared with.
//!
//! ```text
//! encoder -> mean over pixels -> linear -> relu -> linear to 128 -> divided by its length
//! ```
//!
//! The projection behind the mean is MoCo v2's (one hidden layer as wide as the features); it is thrown away after
//! pre-training.
//!
//! References: He et al., *Momentum Contrast for Unsupervised Visual Representation Learning*, CVPR 2020; Chen et al.,
//! *Improved Baselines with Momentum Contrastive Learning*, 2020.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation::relu};

use crate::encoder::Encoder;
use crate::layers::{Builder, Conv2d, ConvShape, InitialSpread, blended};
use crate::network::Network;

/// Numbers that describe a picture, as in the paper.
pub const EMBEDDING: usize = 128;

/// Keeps the division by the length finite.
const SHORTEST: f64 = 1e-12;

/// Encoder and projection.
#[derive(Module, Debug)]
pub struct ContrastiveNetwork {
    /// Picture to features.
    pub encoder: Encoder,
    /// The linear layers, as convolutions of one pixel.
    hidden: Conv2d,
    embed: Conv2d,
    #[module(skip)]
    network: Network,
}

impl Network {
    /// Makes a contrastive network with fresh weights.
    pub fn contrastive(self, seed: u64, device: &Device) -> ContrastiveNetwork {
        ContrastiveNetwork::new(self, &mut Builder::new("contrastive", seed, device))
    }
}

impl ContrastiveNetwork {
    pub(crate) fn new(network: Network, builder: &mut Builder<'_>) -> Self {
        let features = network.encoder().channels()[4];
        Self {
            encoder: network.encoder().init(builder),
            hidden: ConvShape::new(features, features, 1).init(builder),
            embed: ConvShape::new(features, EMBEDDING, 1).with_spread(InitialSpread::Output).init(builder),
            network,
        }
    }

    /// Which network this is.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Describes pictures by unit vectors.
    ///
    /// # Shapes
    /// - `image`: `[batch, 3, height, width]`, normalised as the model input says, sides multiples of 32
    /// - result: `[batch, 128]`
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let [_, _, _, _, features] = self.encoder.forward(image);
        let mean = features.mean_dim(3).mean_dim(2);
        let embedding = self.embed.forward(relu(self.hidden.forward(mean)));
        let [batch, numbers, _, _] = embedding.dims();
        let embedding = embedding.reshape([batch, numbers]);
        let length = (embedding.clone().square().sum_dim(1) + SHORTEST).sqrt();
        embedding / length
    }
}

/// What queries are compared with: the momentum network, which makes keys, and the keys of the last batches.
///
/// It learns nothing by itself and lives on a device without autodiff, where its batch norms use their running statistics.
/// These follow the query network's like every other number (exponential moving average normalisation, Cai et al., CVPR
/// 2021): a key then says nothing about the other pictures of its batch, which is what MoCo shuffles batches between
/// several GPUs for.
#[derive(Module, Debug)]
pub struct Keys {
    /// The momentum network.
    pub network: ContrastiveNetwork,
    /// Keys, the oldest first, `[length, 128]`.
    pub queue: Param<Tensor<2>>,
}

impl Keys {
    /// An exact copy of the query network, and a queue of zeros to be filled.
    pub fn of(query: &ContrastiveNetwork, length: usize, device: &Device) -> Self {
        let fresh = Self::new(query.network, length, device);
        Self { network: blended(fresh.network, query, 1.0), ..fresh }
    }

    /// Fresh weights and a queue of zeros, on `device` without autodiff.
    pub(crate) fn new(network: Network, length: usize, device: &Device) -> Self {
        let device = device.clone().inner();
        let mut builder = Builder::new("contrastive keys", 0, &device);
        Self {
            network: ContrastiveNetwork::new(network, &mut builder),
            queue: builder.constant([length, EMBEDDING], 0.0),
        }
    }

    /// The momentum update: moves `1 - momentum` of the way to the query network.
    #[must_use]
    pub fn following(self, query: &ContrastiveNetwork, momentum: f32) -> Self {
        Self { network: blended(self.network, query, 1.0 - momentum), ..self }
    }

    /// The queue with new keys at its end and as many old ones gone from its beginning.
    ///
    /// # Shapes
    /// - `keys`: `[batch, 128]`, batch at most the queue's length
    #[must_use]
    pub fn with_keys(self, keys: Tensor<2>) -> Self {
        let queue = self.queue.map(|queue| match queue.dims()[0] - keys.dims()[0] {
            0 => keys,
            kept => Tensor::cat(vec![queue.narrow(0, keys.dims()[0], kept), keys], 0),
        });
        Self { queue, ..self }
    }
}
