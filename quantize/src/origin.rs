//! Where a model says that it comes from, against the run that it is packed with.
//!
//! `export` writes into a model the names of its classes, its input contract, its network, and the SHA-256 of the weights that it
//! was made of; `quantize` carries them on. A bundle takes its classes and its input from the run: were the model of another
//! run, masks would have the right form and the wrong names. So each of the four is compared.

use std::path::{Path, PathBuf};

use parallax_core::files::sha256_of_file;
use parallax_core::labels::Classes;
use parallax_core::model_input::ModelInput;
use parallax_core::run::{CLASSES_FILE, RunDescription, RunKind, WEIGHTS_FILE};
use parallax_onnx::{ModelProto, metadata};

use crate::{QuantizeError, graph};

/// What a run says of the model that is exported from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Names of the classes in the order of the logits; none for a run that makes no masks.
    pub classes: Option<Vec<String>>,
    /// The input contract.
    pub input: ModelInput,
    /// The network.
    pub network: String,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// The run.
    pub run: PathBuf,
}

/// Why a model is not packed with a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The model says something else than the run.
    #[error("the {role} model is not of this run: its {what} {model}, the run's {run}: {}", path.display())]
    Other {
        /// Which model.
        role: String,
        /// `classes are`, `input contract is`, …
        what: &'static str,
        /// What the model says.
        model: String,
        /// What the run says.
        run: String,
        /// The run.
        path: PathBuf,
    },
    /// The model does not say where it comes from.
    #[error("the {role} model does not say {}: it may be of another run than {}", .missing.join(", "), path.display())]
    Unstated {
        /// Which model.
        role: String,
        /// What it does not say.
        missing: Vec<&'static str>,
        /// The run.
        path: PathBuf,
    },
    /// The metadata make no sense.
    #[error(transparent)]
    Model(#[from] QuantizeError),
}

impl OriginError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Other { .. } => {
                Some("give the run that it was exported from, or export (and quantize) this run again")
            }
            Self::Unstated { .. } => Some(
                "export (and quantize) the run again with this version; for a model from elsewhere leave --run out (docs/foreign_models.md), or insist with --any-model",
            ),
            Self::Model(error) => error.hint(),
        }
    }
}

/// What is done with a model that does not say where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstated {
    /// It is refused.
    Refuse,
    /// It is taken; what it does say must be right.
    Take,
}

impl Origin {
    /// What the run in the folder `run` says.
    ///
    /// # Errors
    /// The weights or the classes cannot be read.
    pub fn of_run(run: &Path, description: &RunDescription) -> Result<Self, parallax_core::Error> {
        let classes = match description.kind {
            RunKind::Segmentation => Some(Classes::read(&run.join(CLASSES_FILE))?),
            _ => None,
        };
        Ok(Self {
            classes: classes.map(|classes| classes.names().map(str::to_owned).collect()),
            input: description.input,
            network: description.network.clone(),
            weights_sha256: sha256_of_file(&run.join(WEIGHTS_FILE))?,
            run: run.to_path_buf(),
        })
    }

    /// Writes it into a model.
    ///
    /// # Errors
    /// Never; JSON of plain values.
    pub fn write(&self, model: &mut ModelProto) -> Result<(), serde_json::Error> {
        model.set_metadata(metadata::MODEL_INPUT, &serde_json::to_string(&self.input)?);
        model.set_metadata(metadata::NETWORK, &self.network);
        model.set_metadata(metadata::WEIGHTS, &self.weights_sha256);
        if let Some(classes) = &self.classes {
            model.set_metadata(metadata::CLASSES, &serde_json::to_string(classes)?);
        }
        Ok(())
    }

    /// Passes for a model that says the same.
    ///
    /// # Errors
    /// The first thing that is another one; or everything that it does not say, unless that is to be taken.
    pub fn check(&self, role: &str, model: &ModelProto, unstated: Unstated) -> Result<(), OriginError> {
        let mut missing = Vec::new();
        let mut compare = |what: &'static str, stated: Option<String>, run: String, name: &'static str| match stated {
            Some(stated) if stated != run => {
                Err(OriginError::Other { role: role.to_owned(), what, model: stated, run, path: self.run.clone() })
            }
            Some(_) => Ok(()),
            None => {
                missing.push(name);
                Ok(())
            }
        };
        let listed = |names: &[String]| format!("{names:?}");
        let ours = listed(self.classes.as_deref().unwrap_or_default());
        compare("classes are", graph::class_names(model)?.as_deref().map(listed), ours, "its classes")?;
        let stated = graph::stated_input(model, metadata::MODEL_INPUT)?;
        compare("input contract is", stated.map(|input| text(&input)), text(&self.input), "its input contract")?;
        let stated = |key: &str| model.metadata(key).map(str::to_owned);
        compare("network is", stated(metadata::NETWORK), self.network.clone(), "its network")?;
        compare(
            "weights have the SHA-256",
            stated(metadata::WEIGHTS),
            self.weights_sha256.clone(),
            "the weights it was made of",
        )?;
        if missing.is_empty() || unstated == Unstated::Take {
            return Ok(());
        }
        Err(OriginError::Unstated { role: role.to_owned(), missing, path: self.run.clone() })
    }
}

/// The network that a model says it is.
#[must_use]
pub fn network_of(model: &ModelProto) -> Option<String> {
    model.metadata(metadata::NETWORK).map(str::to_owned)
}

fn text(input: &ModelInput) -> String {
    let ModelInput { width, height, channels, mean, std, .. } = input;
    format!("{width}x{height} {} mean {mean:?} std {std:?}", channels.name())
}
