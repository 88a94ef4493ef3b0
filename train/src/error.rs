//! What can go wrong in training, each with a hint about what to do next.

use std::path::{Path, PathBuf};

/// An error of this crate: what was expected, what was found, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that travels between the rooms could not be read or written.
    #[error(transparent)]
    Core(#[from] parallax_core::Error),
    /// Footage that cannot be trained on.
    #[error("{what}: {}", path.display())]
    Data {
        /// Expected and found.
        what: String,
        /// The recording or folder.
        path: PathBuf,
        /// How to put it right.
        hint: &'static str,
    },
    /// A run folder that cannot be used.
    #[error("{what}: {}", path.display())]
    Run {
        /// Expected and found.
        what: String,
        /// The run folder or the file in it.
        path: PathBuf,
        /// How to put it right.
        hint: &'static str,
    },
    /// Settings that make no sense.
    #[error("{what}")]
    Settings {
        /// Expected and found.
        what: String,
        /// How to put it right.
        hint: &'static str,
    },
    /// A loss, a gradient or a weight became infinite or not a number.
    #[error("not a number at step {step}: {term} is {value}, on {batch}")]
    NotFinite {
        /// Step, counted from 0.
        step: u64,
        /// The term of the loss, or the gradient or weight by its name.
        term: String,
        /// Its value.
        value: f64,
        /// The frames of the batch.
        batch: String,
    },
    /// Weights that do not fit the network.
    #[error("the weights do not fit the network: {what}: {}", path.display())]
    Weights {
        /// Missing or misshapen parameters.
        what: String,
        /// The weights file.
        path: PathBuf,
    },
    /// A device that cannot be used.
    #[error("{what}")]
    Device {
        /// What is wrong with it.
        what: String,
        /// How to put it right.
        hint: &'static str,
    },
    /// A picture could not be drawn.
    #[error("cannot draw {what}: {reason}")]
    Drawing {
        /// What was to be drawn.
        what: &'static str,
        /// What the drawing library said.
        reason: String,
    },
    /// A network could not be built, loaded, saved or exported.
    #[error(transparent)]
    Model(#[from] parallax_models::ModelError),
}

impl Error {
    /// What a user can do about it, where there is something general to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Core(error) => error.hint().map(str::to_owned),
            Self::Data { hint, .. } | Self::Run { hint, .. } | Self::Settings { hint, .. } | Self::Device { hint, .. } => {
                Some((*hint).to_owned())
            }
            Self::NotFinite { .. } => Some(
                "look at the named frames, or start anew with a lower --lr; the last saved checkpoint is whole and can be its --init"
                    .into(),
            ),
            Self::Weights { .. } => {
                Some("the weights were made for another network: give the same --network as the run they come from".into())
            }
            Self::Model(error) => error.hint(),
            Self::Drawing { .. } => None,
        }
    }

    /// Wraps an input/output error with what was being done and where.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Core(parallax_core::Error::io(action, path)(source))
    }
}
