//! What can go wrong while quantizing, and what to do about it.

use std::path::PathBuf;

/// The result of a quantization step.
pub type Result<T, E = QuantizeError> = std::result::Result<T, E>;

/// A failed quantization.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The file could not be read.
    #[error("cannot read the model: {source}: {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not an ONNX model.
    #[error("not an ONNX model ({reason}): {path}")]
    NotOnnx {
        /// The file.
        path: PathBuf,
        /// What is missing or broken.
        reason: String,
    },
    /// There is nothing to calibrate on.
    #[error("no calibration frames")]
    NoFrames,
    /// The model has quantization operators already.
    #[error("the model is already quantized: node {node} is a {operator}")]
    AlreadyQuantized {
        /// The first such node.
        node: String,
        /// Its operator.
        operator: String,
    },
    /// A weight is NaN or infinite.
    #[error("expected finite weights, got {value} in {tensor}")]
    NonFiniteWeight {
        /// The initializer.
        tensor: String,
        /// The value found.
        value: f32,
    },
    /// An activation became NaN or infinite on a calibration frame.
    #[error("the float model gives {value} in tensor {tensor} on calibration frame {frame}")]
    NonFiniteActivation {
        /// The tensor.
        tensor: String,
        /// The value found.
        value: f32,
        /// Which frame, counted from 0.
        frame: usize,
    },
    /// A metadata entry cannot be understood.
    #[error("bad metadata entry `{key}`: {reason}")]
    BadMetadata {
        /// The metadata key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The model has something this program does not handle.
    #[error("unsupported model: {0}")]
    Unsupported(String),
    /// A frame has the wrong number of values.
    #[error("expected {expected} input values, got {found}")]
    WrongInput {
        /// Values the model takes.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// tract cannot load or run the model.
    #[error("tract cannot {doing} the model: {reason}")]
    Tract {
        /// `load` or `run`.
        doing: &'static str,
        /// tract's own chain of reasons.
        reason: String,
    },
    /// A labelled picture, or a file that could not be written.
    #[error(transparent)]
    Core(#[from] parallax_core::Error),
    /// The picture of the report could not be drawn.
    #[error("cannot draw the report: {0}")]
    Drawing(String),
    /// A tensor of a kind or layout that cannot be read.
    #[error("cannot read constant {tensor}: {reason}")]
    BadTensor {
        /// The initializer.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
}

impl QuantizeError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotOnnx { .. } => {
                "write the model with `parallax-train export RUN --out model.onnx`, or export it from elsewhere (docs/foreign_models.md)"
            }
            Self::NoFrames => "give a recording or a folder with at least one picture with --data",
            Self::AlreadyQuantized { .. } => {
                "quantize the float model that it was made of; `pack` takes this one as it is"
            }
            Self::NonFiniteWeight { .. } => {
                "the training diverged, or the file is damaged: look at the run's losses.png, export or train again"
            }
            Self::NonFiniteActivation { .. } => "look at that frame, and at the run's losses.png",
            Self::BadMetadata { .. } => "the file was altered by hand: export it again",
            Self::Tract { .. } | Self::Unsupported(_) | Self::BadTensor { .. } => {
                "export the model again with this version of parallax-train; of a model from elsewhere see docs/foreign_models.md"
            }
            _ => return None,
        })
    }

    /// Wraps tract's error chain.
    pub(crate) fn tract(doing: &'static str, error: &tract_onnx::prelude::TractError) -> Self {
        let text = format!("{error:#}");
        let reason = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        Self::Tract { doing, reason }
    }
}
