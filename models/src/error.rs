//! What can go wrong when a network is built, loaded, saved or exported.

use std::path::PathBuf;

/// Result with this room's error.
pub type Result<T> = std::result::Result<T, ModelError>;

/// Why a network could not be built, loaded, saved or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The picture's sides do not suit the five halvings of the encoder.
    #[error("input size must be a positive multiple of {multiple} in both directions, got {width}x{height}")]
    InputSize {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The step both sides must be a multiple of.
        multiple: usize,
    },
    /// A segmentation network needs at least two classes and at most 255 (255 marks "ignore").
    #[error("a segmentation network needs 2 to 255 classes, got {0}")]
    ClassCount(usize),
    /// No network of that name.
    #[error("unknown network `{0}`, expected one of resnet18, resnet50, slim")]
    UnknownNetwork(String),
    /// The weight file does not exist or cannot be opened.
    #[error("cannot read weights: {source}: {path}")]
    Unreadable {
        /// The weight file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is there but is no weight file, or a damaged one.
    #[error("not a readable weight file: {reason}: {path}")]
    Malformed {
        /// The weight file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// The file holds weights of another network or for another purpose.
    #[error("the file holds {found}, expected {expected}: {path}")]
    WrongNetwork {
        /// What the file says it holds.
        found: String,
        /// What was asked for.
        expected: String,
        /// The weight file.
        path: PathBuf,
    },
    /// A backbone of another network.
    #[error("expected weights of the network `{expected}`, found those of `{found}`")]
    OtherNetwork {
        /// The network the weights are of.
        found: String,
        /// The network that is to take them over.
        expected: String,
    },
    /// Names or shapes of the tensors do not fit the network.
    #[error("weights do not fit the network: {problems}: {path}")]
    Mismatch {
        /// Every missing, unknown or misshapen tensor, by name.
        problems: String,
        /// The weight file.
        path: PathBuf,
    },
    /// A weight is NaN or infinite.
    #[error("expected finite weights, got {value} in {tensor}: {path}")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The first such value.
        value: f32,
        /// The weight file.
        path: PathBuf,
    },
    /// Weights trained elsewhere exist for the ResNets only.
    #[error("torchvision has no weights for the network `{0}`")]
    NoTorchvisionWeights(String),
    /// The weights could not be written.
    #[error("cannot write: {reason}: {path}")]
    Unwritable {
        /// The file to write.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The network could not be written as ONNX.
    #[error("ONNX export failed: {0}")]
    Export(String),
}

impl ModelError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InputSize { width, height, multiple } => {
                let near = |side: &usize| (side + multiple / 2).max(*multiple) / multiple * multiple;
                Some(format!("the nearest size that works is {}x{}", near(width), near(height)))
            }
            Self::OtherNetwork { .. } => Some("give the same --network as the weights were trained with".into()),
            Self::WrongNetwork { .. } => Some("choose the network the weights were trained with (see run.toml)".into()),
            Self::Mismatch { .. } => {
                Some("the file may come from another network, class count or program version".into())
            }
            Self::NotFinite { .. } => Some(
                "the training diverged or the file is damaged: look at the run's losses.png, or take its best/".into(),
            ),
            Self::NoTorchvisionWeights(_) => Some("use resnet18 or resnet50, or start from random weights".into()),
            Self::Unreadable { .. } => {
                Some("check the path; a run folder holds its weights in model.safetensors".into())
            }
            Self::Unwritable { .. } => {
                Some("see that the folder exists, may be written to and has space left, or choose another --out".into())
            }
            _ => None,
        }
    }
}
