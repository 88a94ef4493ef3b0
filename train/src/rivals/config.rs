//! Every setting of a rival's run, as `run.toml` keeps it.

use std::path::PathBuf;

use clap::ValueEnum as _;
use parallax_core::run::RunKind;
use parallax_models::Network;
use serde::{Deserialize, Serialize};

use super::contrastive::ContrastiveSettings;
use super::flow::FlowSettings;
use super::inpainting::InpaintingSettings;
use crate::Error;
use crate::training::{LoopConfig, limits};

/// Which rival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Rival {
    /// Optical flow between neighbouring frames.
    Flow,
    /// Filling in blanked rectangles.
    Inpainting,
    /// Telling pictures apart (MoCo v2).
    Contrastive,
}

impl Rival {
    /// What the run folder calls it.
    #[must_use]
    pub fn kind(self) -> RunKind {
        match self {
            Self::Flow => RunKind::Flow,
            Self::Inpainting => RunKind::Inpainting,
            Self::Contrastive => RunKind::Contrastive,
        }
    }

    /// The rival that a run of this kind was taught by, if it was one.
    #[must_use]
    pub fn of_kind(kind: RunKind) -> Option<Self> {
        Self::value_variants().iter().copied().find(|rival| rival.kind() == kind)
    }

    /// Learning rate when the user says none. Contrastive learning compares with keys that follow slowly: large steps run
    /// away from them.
    #[must_use]
    pub fn default_learning_rate(self) -> f64 {
        match self {
            Self::Flow | Self::Inpainting => 1e-3,
            Self::Contrastive => 5e-4,
        }
    }
}

/// A rival with its own settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// See [`super::flow`].
    Flow(FlowSettings),
    /// See [`super::inpainting`].
    Inpainting(InpaintingSettings),
    /// See [`super::contrastive`].
    Contrastive(ContrastiveSettings),
}

impl Method {
    /// A rival with the settings it has by default; `frame_gap` is for flow.
    #[must_use]
    pub fn of(rival: Rival, frame_gap: usize) -> Self {
        match rival {
            Rival::Flow => Self::Flow(FlowSettings { frame_gap }),
            Rival::Inpainting => Self::Inpainting(InpaintingSettings::default()),
            Rival::Contrastive => Self::Contrastive(ContrastiveSettings::default()),
        }
    }

    /// Which rival this is.
    #[must_use]
    pub fn rival(&self) -> Rival {
        match self {
            Self::Flow(_) => Rival::Flow,
            Self::Inpainting(_) => Rival::Inpainting,
            Self::Contrastive(_) => Rival::Contrastive,
        }
    }
}

/// Settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RivalConfig {
    /// Recordings or folders of frames; for inpainting and contrastive also labelled sets and folders of any pictures.
    pub data: Vec<PathBuf>,
    /// The network.
    pub network: Network,
    /// Width the network works at, pixels.
    pub width: usize,
    /// Height the network works at, pixels.
    pub height: usize,
    /// Pictures (flow: pairs of frames) per step.
    pub batch: usize,
    /// Seed of weights, order and everything drawn.
    pub seed: u64,
    /// Weights to start from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init: Option<PathBuf>,
    /// Bytes of decoded pictures kept in memory.
    pub memory: usize,
    /// The rival and its own settings.
    pub method: Method,
    /// How the run is trained.
    #[serde(rename = "loop")]
    pub steps: LoopConfig,
}

impl RivalConfig {
    /// Checks the settings that need no data.
    ///
    /// # Errors
    /// Names the first setting that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        limits::check_size(self.network, (self.width, self.height))?;
        limits::check_batch(self.batch)?;
        self.steps.check()?;
        if self.method.rival() == Rival::Contrastive && self.steps.accumulate > 1 {
            return Err(Error::Settings {
                what: "contrastive pre-training cannot accumulate: keys and queue move on with every batch".into(),
                hint: "leave --accumulate out; a larger --batch gives every step more pictures",
            });
        }
        match &self.method {
            Method::Flow(settings) => settings.check(),
            Method::Inpainting(settings) => settings.check(),
            Method::Contrastive(settings) => settings.check(self.batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_contrastive_pre_training_refuses_to_accumulate() {
        for rival in [Rival::Flow, Rival::Inpainting, Rival::Contrastive] {
            let config = RivalConfig {
                data: Vec::new(),
                network: Network::Slim,
                width: 64,
                height: 32,
                batch: 4,
                seed: 1,
                init: None,
                memory: 0,
                method: Method::of(rival, 1),
                steps: LoopConfig { accumulate: 2, ..LoopConfig::default() },
            };
            let refused = config.check().is_err_and(|error| error.to_string().contains("accumulate"));
            assert_eq!(refused, rival == Rival::Contrastive, "{rival:?}");
        }
    }
}
