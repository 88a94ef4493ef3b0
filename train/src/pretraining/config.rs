//! Every setting of a depth pre-training run, as `run.toml` keeps it.

use std::path::PathBuf;

use parallax_models::Network;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::data::Supervision;
use crate::training::{LoopConfig, limits};

/// Settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// What teaches depth; the terms are summed.
    pub from: Vec<Supervision>,
    /// Recordings or folders.
    pub data: Vec<PathBuf>,
    /// A camera file that goes before what the recordings say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub camera: Option<PathBuf>,
    /// The same for the right camera.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub right_camera: Option<PathBuf>,
    /// The network.
    pub network: Network,
    /// Width the networks work at, pixels.
    pub width: usize,
    /// Height the networks work at, pixels.
    pub height: usize,
    /// Images per step.
    pub batch: usize,
    /// Frames between a target and its neighbours in the video.
    pub frame_gap: usize,
    /// Seed of weights, order and augmentation.
    pub seed: u64,
    /// Weights to start from: ImageNet's for the encoder, or an earlier run's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init: Option<PathBuf>,
    /// Bytes of decoded frames kept in memory.
    pub memory: usize,
    /// Metres of a depth unit, where stereo fixes it; found from the data.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metres_per_unit: Option<f64>,
    /// How the run is trained.
    #[serde(rename = "loop")]
    pub steps: LoopConfig,
}

/// Where the loss is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossPlace {
    /// With tensors on the device: for GPUs.
    Device,
    /// In plain loops on the host: several times faster when the device is the CPU.
    Host,
}

impl PretrainConfig {
    /// Checks the settings that need no data.
    ///
    /// # Errors
    /// Names the first setting that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        limits::check(self.network, (self.width, self.height), self.batch, &self.steps)?;
        let wrong = |what: String, hint| Err(Error::Settings { what, hint });
        if self.from.is_empty() {
            return wrong("nothing teaches depth".into(), "give --from video, --from stereo or both");
        }
        if self.frame_gap == 0 {
            return wrong("--frame-gap must be at least 1".into(), "leave it out for the default");
        }
        Ok(())
    }
}
