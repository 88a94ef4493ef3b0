//! The optical-flow network: two pictures in, where every pixel of each goes in the other out, at four scales.
//!
//! ```text
//! first  ── encoder ── features a ─┐              ┌─ join(a, b) per scale ── decoder ── flow first → second
//!              ║ shared weights    ├─ both orders ┤
//! second ── encoder ── features b ─┘              └─ join(b, a) per scale ── decoder ── flow second → first
//!
//! join(a, b) = concat(a, b, likeness),     likeness(p, d) = mean over channels of  â(p) b̂(p + d),   d in {-1, 0, 1}²
//! ```
//!
//! `â` is `a` without its mean over channels, divided by its spread: the nine likenesses say which way a place went, by a pixel
//! of that scale (2 to 32 of the picture). Without them convolutions would first have to learn to multiply.
//!
//! Flow is found from coarse to fine: every scale adds a correction to the next coarser one's flow, enlarged. A fine scale
//! alone sees a pixel or two around where it looks; what moves farther is found at 1/16 and handed down.
//!
//! The encoder sees one picture at a time (siamese), so that it can be handed on to segmentation; the decoder is the depth
//! network's with twice the features. Both directions cost one more pass of the decoder and none of the encoder.
//!
//! Fresh weights say that everything stands still, to the bit: a photometric loss sees a pixel or two around that.
//!
//! Flow is bounded: `tanh` in units of a quarter of the picture's width, which is more than neighbouring frames of a drive
//! show, and keeps a wrong start from reading far outside the picture.
//!
//! Reference: Lao et al., *On the Viability of Monocular Depth Pre-training for Semantic Segmentation*, section 4 (optical
//! flow as a rival pre-training); Godard et al., ICCV 2019 (the decoder); Sun, Yang, Liu, Kautz, *PWC-Net*, CVPR 2018
//! (likeness of features, there over more directions; corrections from coarse to fine).

use burn::module::Module;
use burn::tensor::{Device, Tensor, ops::PadMode};

use crate::decoder::{Decoder, SCALES};
use crate::encoder::{Encoder, Features};
use crate::layers::{Builder, Conv2d, InitialSpread, upsample_bilinear};
use crate::network::Network;

/// The largest flow, as a part of the picture's width, along either axis.
pub const LARGEST_FLOW: f64 = 0.25;

/// Scales the last layer's output down, so that a step of training moves flow by parts of a pixel (the pose network does the
/// same with 0.01): an output of 1 is a fortieth of the width.
const OUTPUT_SCALE: f64 = 0.1;

/// Places around a pixel that its partner's pixel is compared with, itself among them.
const DIRECTIONS: usize = 9;

/// Keeps flat regions, where no channel differs from another, from being blown up.
const SMALLEST_VARIANCE: f64 = 1e-3;

/// Siamese encoder, decoder and the convolutions that predict flow.
#[derive(Module, Debug)]
pub struct FlowNetwork {
    /// Picture to features, the same for both pictures.
    pub encoder: Encoder,
    /// Features of both pictures to levels.
    pub decoder: Decoder,
    /// Levels to flow, finest first.
    pub predictors: Vec<Conv2d>,
    #[module(skip)]
    network: Network,
}

impl Network {
    /// Makes an optical-flow network with fresh weights.
    pub fn flow(self, seed: u64, device: &Device) -> FlowNetwork {
        FlowNetwork::new(self, &mut Builder::new("flow", seed, device))
    }
}

impl FlowNetwork {
    pub(crate) fn new(network: Network, builder: &mut Builder<'_>) -> Self {
        let (encoder, decoder) = (network.encoder(), network.decoder());
        Self {
            encoder: encoder.init(builder),
            decoder: decoder.init(encoder.channels().map(|channels| 2 * channels + DIRECTIONS), builder),
            predictors: decoder.init_predictors(2, InitialSpread::Zero, builder),
            network,
        }
    }

    /// Which network this is.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Predicts flow in both directions, finest scale first, in `(-1, 1)`: parts of [`LARGEST_FLOW`] times the width.
    ///
    /// # Shapes
    /// - `pictures`: `[2 * pairs, 3, height, width]`, normalised as the model input says: all first pictures, then all
    ///   second ones; sides multiples of 32
    /// - result `s`: `[2 * pairs, 2, height / (finest_stride * 2^s), width / (finest_stride * 2^s)]`, right and down; from
    ///   every picture to its partner, in the order of `pictures`
    pub fn forward(&self, pictures: Tensor<4>) -> [Tensor<4>; SCALES] {
        let own: Features = self.encoder.forward(pictures);
        let joined = own.map(join);
        let levels = self.decoder.forward(&joined);
        let mut flows: Vec<Tensor<4>> = Vec::with_capacity(SCALES);
        for scale in (0..SCALES).rev() {
            let correction = self.predictors[scale].forward(levels[scale].clone()) * OUTPUT_SCALE;
            flows.push(match flows.last() {
                Some(coarser) => correction + upsample_bilinear(coarser.clone(), 2),
                None => correction,
            });
        }
        // Bounded at the end, so that corrections add up freely before.
        std::array::from_fn(|scale| flows[SCALES - 1 - scale].clone().tanh())
    }
}

/// Features of every picture, those of its partner, and how alike they are in each direction.
fn join(own: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = own.dims();
    let here = standardised(own.clone());
    let there = partners(here.clone()).pad((1, 1, 1, 1), PadMode::Constant(0.0));
    let likeness = (0..DIRECTIONS).map(|direction| {
        let shifted = there.clone().narrow(2, direction / 3, height).narrow(3, direction % 3, width);
        (here.clone() * shifted).mean_dim(1)
    });
    let likeness: Vec<Tensor<4>> = likeness.collect();
    Tensor::cat([vec![own.clone(), partners(own)], likeness].concat(), 1)
}

/// Every pixel's features without their mean and with a spread of about one.
fn standardised(features: Tensor<4>) -> Tensor<4> {
    let centred = features.clone() - features.mean_dim(1);
    let spread = (centred.clone().square().mean_dim(1) + SMALLEST_VARIANCE).sqrt();
    centred / spread
}

/// First and second halves of a batch exchanged: every picture's place holds its partner.
///
/// # Shapes
/// - `batch` and result: `[2 * pairs, channels, height, width]`
pub fn partners(batch: Tensor<4>) -> Tensor<4> {
    let pairs = batch.dims()[0] / 2;
    Tensor::cat(vec![batch.clone().narrow(0, pairs, pairs), batch.narrow(0, 0, pairs)], 0)
}
