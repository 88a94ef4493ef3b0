//! What a training run says of itself: `run.toml`, the file by which evaluation, export and packing know what was trained.
//!
//! The folder around it (checkpoints, locks, logs) is training's own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::camera::CameraIdentity;
use crate::model_input::ModelInput;
use crate::{Error, Result};

/// The version of `run.toml` that is written and read.
pub const SCHEMA: u32 = 1;

/// The file with the [`RunDescription`], in the run folder.
pub const DESCRIPTION_FILE: &str = "run.toml";

/// The weights, in the run folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// The classes of a segmentation run, in the run folder.
pub const CLASSES_FILE: &str = "classes.toml";

/// What a run teaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// Depth pre-training.
    Depth,
    /// Optical-flow pre-training.
    Flow,
    /// Pre-training by filling in what was blanked.
    Inpainting,
    /// Contrastive pre-training.
    Contrastive,
    /// Segmentation.
    Segmentation,
}

impl RunKind {
    /// Passes if this is the `expected` kind.
    ///
    /// # Errors
    /// Names both kinds and the run at `path`.
    pub fn expect(self, expected: Self, path: &Path, hint: &'static str) -> Result<()> {
        if self == expected {
            return Ok(());
        }
        let what = format!("expected a run of {expected}, found one of {self}");
        Err(Error::Run { what, path: path.to_path_buf(), hint })
    }
}

impl std::fmt::Display for RunKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Depth => "depth pre-training",
            Self::Flow => "optical-flow pre-training",
            Self::Inpainting => "inpainting pre-training",
            Self::Contrastive => "contrastive pre-training",
            Self::Segmentation => "segmentation",
        })
    }
}

/// Where a run's data came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The recording, folder or labelled set as it was named.
    pub path: PathBuf,
    /// Frames or images in it.
    pub count: usize,
    /// SHA-256 of what identifies its content.
    pub sha256: String,
    /// The calibration of its left or only camera, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraIdentity>,
}

/// `run.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDescription {
    /// Version of this form: 1.
    pub schema: u32,
    /// What was taught.
    pub kind: RunKind,
    /// Version of the program.
    pub parallax: String,
    /// The network's name, as `--network` takes it.
    pub network: String,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// The device it ran on.
    pub device: String,
    /// The command's effective settings; of a segmentation run [`SegmentationSettings`].
    pub config: toml::Table,
    /// The contract between a picture and the network's numbers.
    pub input: ModelInput,
    /// Cameras whose pictures have taught what `--init` gave.
    #[serde(default)]
    pub inherited_cameras: Vec<CameraIdentity>,
    /// What it was taught with.
    pub data: Vec<DataSource>,
    /// What was kept out of training, to choose the best checkpoint by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<DataSource>,
}

impl RunDescription {
    /// Cameras whose pictures have shaped the weights, before this run or in it, each once.
    #[must_use]
    pub fn cameras(&self) -> Vec<CameraIdentity> {
        let own = self.data.iter().filter_map(|source| source.camera.clone());
        let all: BTreeSet<_> = own.chain(self.inherited_cameras.iter().cloned()).collect();
        all.into_iter().collect()
    }

    /// The settings of a segmentation run in the folder `run`, with those of the training loop as `Steps`.
    ///
    /// # Errors
    /// When they are not in this form.
    pub fn segmentation<Steps: DeserializeOwned>(&self, run: &Path) -> Result<SegmentationSettings<Steps>> {
        self.config.clone().try_into().map_err(|error| Error::Run {
            what: format!("cannot read run.toml: {error}"),
            path: run.to_path_buf(),
            hint: "the run was made by another version of this program",
        })
    }
}

/// The settings of a segmentation run: the table `config` of its `run.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentationSettings<Steps> {
    /// Folder of the labelled set.
    pub labels: PathBuf,
    /// Pictures to learn.
    pub count: usize,
    /// What it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// What was taken over from it.
    pub transfer: Transfer,
    /// Pictures per step.
    pub batch: usize,
    /// Names of the pictures it was trained on.
    pub labelled: Vec<String>,
    /// SHA-256 of those pictures' files, in the same order.
    pub labelled_sha256: Vec<String>,
    /// Steps, rates and so on, which only training knows.
    pub training: Steps,
}

/// What is taken over from pre-training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

impl std::fmt::Display for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole => "whole",
            Self::Encoder => "encoder",
            Self::Frozen => "frozen",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;

    fn description(config: &str) -> RunDescription {
        RunDescription {
            schema: SCHEMA,
            kind: RunKind::Segmentation,
            parallax: "0".to_owned(),
            network: "slim".to_owned(),
            seed: 3,
            device: "cpu".to_owned(),
            config: toml::from_str(config).unwrap(),
            input: ModelInput::imagenet(64, 32),
            inherited_cameras: Vec::new(),
            data: Vec::new(),
            validation: Vec::new(),
        }
    }

    #[test]
    fn the_settings_of_a_segmentation_run_are_read_without_knowing_training() {
        let text = "labels = \"mine\"\ncount = 2\ntransfer = \"frozen\"\nbatch = 8\nlabelled = [\"a\", \"b\"]\n\
                    labelled_sha256 = [\"1\", \"2\"]\ntraining = { steps = 300 }\n";
        let read = description(text).segmentation::<IgnoredAny>(Path::new("runs/masks")).unwrap();
        assert_eq!((read.init, read.transfer), (None, Transfer::Frozen));
        assert_eq!(read.labelled, ["a", "b"]);
        let written = description(&text.replace("batch = 8\n", ""));
        let error = written.segmentation::<IgnoredAny>(Path::new("runs/masks")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("cannot read run.toml") && text.ends_with("runs/masks"), "{text}");
    }

    #[test]
    fn a_run_of_another_kind_is_named() {
        let error = RunKind::Depth.expect(RunKind::Segmentation, Path::new("runs/depth"), "name another").unwrap_err();
        assert_eq!(error.to_string(), "expected a run of segmentation, found one of depth pre-training: runs/depth");
        assert_eq!(error.hint(), Some("name another"));
    }
}
