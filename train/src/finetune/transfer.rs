//! The network that fine-tuning starts from.
//!
//! | `--transfer` | encoder | decoder | last layer |
//! |---|---|---|---|
//! | `whole` | pre-trained | pre-trained | fresh |
//! | `encoder` | pre-trained | fresh | fresh |
//! | `frozen` | pre-trained, kept as it is to the bit | pre-trained where there is one, else fresh | fresh |
//!
//! Pre-trained is whatever the run learned: depth, optical flow, inpainting, contrastive, or segmentation of another labelled
//! set; or ImageNet, from torchvision's weights. Flow, contrastive and ImageNet leave no decoder that fits: `whole` is an
//! error then. Without a pre-trained run everything is fresh; `frozen` then keeps the random encoder, the paper's control.
//!
//! Frozen means: no gradient reaches the encoder's weights and its batch norms use and keep their running statistics.
//! (Switching batch norm to evaluation alone, as is often done, freezes nothing but the statistics.)

use std::path::Path;

use burn::tensor::Device;
use parallax_core::run::Transfer;
use parallax_models::{Network, SegmentationNetwork};

use crate::training::RunFolder;
use crate::{Error, inheritance};

/// Makes the network to start from, on an autodiff device.
///
/// # Errors
/// When the run has another network or no decoder for `whole`, or its weights cannot be read.
pub fn starting_network(
    network: Network,
    classes: usize,
    transfer: Transfer,
    init: Option<&Path>,
    seed: u64,
    device: &Device,
) -> Result<SegmentationNetwork, Error> {
    let model = match init {
        None => network.segmentation(classes, seed, device),
        Some(path) => {
            let backbone = inheritance::backbone(path, network, device)?;
            let decoder = match transfer {
                Transfer::Whole => Some(backbone.decoder.ok_or_else(|| no_decoder(path))?),
                Transfer::Frozen => backbone.decoder,
                Transfer::Encoder => None,
            };
            SegmentationNetwork::from_parts(backbone.encoder, decoder, network, classes, seed)
        }
    };
    Ok(frozen_as(transfer, model?))
}

/// Freezes what the transfer keeps frozen; also needed when a checkpoint is read again.
#[must_use]
pub fn frozen_as(transfer: Transfer, model: SegmentationNetwork) -> SegmentationNetwork {
    match transfer {
        Transfer::Whole | Transfer::Encoder => model,
        Transfer::Frozen => model.with_frozen_encoder(),
    }
}

fn no_decoder(path: &Path) -> Error {
    let learned = match RunFolder::open(path).and_then(|folder| folder.description()) {
        Ok(description) => description.kind.to_string(),
        Err(_) => "ImageNet classification".into(),
    };
    Error::Run {
        what: format!("--transfer whole takes encoder and decoder over, but {learned} leaves no decoder that fits"),
        path: path.to_path_buf(),
        hint: "give --transfer encoder (everything is trained, with a fresh decoder) or --transfer frozen",
    }
}
