//! The network that fine-tuning starts from.
//!
//! | `--transfer` | encoder | decoder | last layer |
//! |---|---|---|---|
//! | `whole` | pre-trained | pre-trained | fresh |
//! | `encoder` | pre-trained | fresh | fresh |
//! | `frozen` | pre-trained, kept as it is to the bit | pre-trained | fresh |
//!
//! Without a pre-trained run everything is fresh; `frozen` then keeps the random encoder, the paper's control.
//!
//! Frozen means: no gradient reaches the encoder's weights and its batch norms use and keep their running statistics.
//! (Switching batch norm to evaluation alone, as is often done, freezes nothing but the statistics.)

use std::fmt;
use std::path::Path;

use burn::tensor::Device;
use parallax_core::model_input::ModelInput;
use parallax_models::{DepthNetwork, Network, SegmentationNetwork};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::training::{RunFolder, RunKind};

/// What is taken over from pre-training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transfer {
    /// Everything but the last layer.
    #[default]
    Whole,
    /// The encoder; the decoder is fresh.
    Encoder,
    /// Everything but the last layer, and the encoder is not trained.
    Frozen,
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "whole",
            Self::Encoder => "encoder",
            Self::Frozen => "frozen",
        })
    }
}

/// Makes the network to start from, on an autodiff device.
///
/// # Errors
/// When the run is no depth run, has another network, or its weights cannot be read.
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
            let depth = read_depth_network(path, network, device)?;
            match transfer {
                Transfer::Whole | Transfer::Frozen => SegmentationNetwork::from_depth(depth, classes, seed),
                Transfer::Encoder => SegmentationNetwork::from_encoder(depth.encoder, network, classes, seed),
            }
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

/// The network and the model input of a depth run, for settings that the user has left open.
///
/// # Errors
/// When `path` is no run folder of depth pre-training.
pub fn inherited(path: &Path) -> Result<(Network, ModelInput), Error> {
    let description = RunFolder::open(path)?.description()?;
    if description.kind != RunKind::Depth {
        return Err(Error::Run {
            what: "expected a run of depth pre-training, found one of segmentation".into(),
            path: path.to_path_buf(),
            hint: "--init takes a folder that `parallax-train pretrain` has written",
        });
    }
    let network = description.network.parse()?;
    Ok((network, description.input))
}

fn read_depth_network(path: &Path, network: Network, device: &Device) -> Result<DepthNetwork, Error> {
    let (found, _) = inherited(path)?;
    if found != network {
        return Err(Error::Run {
            what: format!("expected a run of the network {network}, found {found}"),
            path: path.to_path_buf(),
            hint: "leave --network out: it follows from --init",
        });
    }
    Ok(DepthNetwork::load(&RunFolder::open(path)?.weights_path(), device)?)
}
