//! Why a model from elsewhere cannot be taken, and what to do about it.

use std::path::PathBuf;

use crate::QuantizeError;

/// The result of a step with a foreign model.
pub(crate) type Result<T, E = ForeignError> = std::result::Result<T, E>;

/// A model that is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// The model is damaged, or nothing that can be run.
    #[error(transparent)]
    Model(#[from] QuantizeError),
    /// More than one input, or none.
    #[error("expected one input, the model takes {}: {}", .names.len(), .names.join(", "))]
    Inputs {
        /// Their names.
        names: Vec<String>,
    },
    /// More than one output, or none, and none was chosen.
    #[error("expected one output, the model gives {}: {}", .names.len(), .names.join(", "))]
    Outputs {
        /// Their names.
        names: Vec<String>,
    },
    /// No output of the name that was asked for.
    #[error("the model has no output {name}, only {}", .known.join(", "))]
    NoSuchOutput {
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The input is not of 32-bit floats.
    #[error("expected an input of float32, {input} takes {found}")]
    InputType {
        /// The input.
        input: String,
        /// Its type.
        found: String,
    },
    /// The input is no picture.
    #[error("expected an input [1, 3, height, width], {input} takes {found}")]
    InputShape {
        /// The input.
        input: String,
        /// Its shape, as the file says it.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// The input has another size than the one asked for.
    #[error("--size says {}x{}, the model takes {}x{}", .asked.0, .asked.1, .found.0, .found.1)]
    OtherSize {
        /// Width and height asked for.
        asked: (u32, u32),
        /// Width and height in the file.
        found: (u32, u32),
    },
    /// The size is neither in the file nor given.
    #[error("the model takes pictures of any size ({input}: {found}), and none was chosen")]
    NoSize {
        /// The input.
        input: String,
        /// Its shape, as the file says it.
        found: String,
    },
    /// An operator takes the last of equal numbers.
    #[error("{operator} takes the last of equal numbers (select_last_index), where this program takes the first")]
    LastOfEquals {
        /// The operator.
        operator: String,
    },
    /// Constants of 16-bit floats.
    #[error("expected 32-bit floats, {tensor} has {found}")]
    Narrow {
        /// The constant or operator.
        tensor: String,
        /// Its type.
        found: &'static str,
    },
    /// Constants in another file, which cannot be read.
    #[error("constant {tensor} is in another file, {location:?}, {reason}: {}", .path.display())]
    External {
        /// The constant.
        tensor: String,
        /// What the model calls the file.
        location: String,
        /// What is wrong with it.
        reason: String,
        /// The model.
        path: PathBuf,
    },
    /// An operator that learns.
    #[error("the model was exported for training: {operator} {node} {what}")]
    Training {
        /// The operator.
        operator: String,
        /// The node.
        node: String,
        /// What it does.
        what: &'static str,
    },
    /// An operator set that is too old.
    #[error("operator set {found} cannot be raised to {wanted}: {what}")]
    OldOperators {
        /// Of the file.
        found: i64,
        /// What is needed.
        wanted: i64,
        /// Which operator is in the way.
        what: String,
    },
    /// A size that depends on the picture's content or cannot be worked out.
    #[error("the size {tensor}, which {operator} {node} computes, is not fixed")]
    Sizes {
        /// The tensor.
        tensor: String,
        /// The operator.
        operator: String,
        /// The node.
        node: String,
    },
    /// The output is no logits.
    #[error("expected logits [1, classes, height, width] or a mask [1, height, width], {output} gives {found}")]
    Answer {
        /// The output.
        output: String,
        /// Type and shape.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// The model gives another number of classes than the list of classes names.
    #[error("the classes file names {named} classes, the model gives {found}")]
    ClassCount {
        /// Named.
        named: usize,
        /// Channels of the model's output.
        found: usize,
    },
    /// Nobody says what a picture must become before the network sees it.
    #[error("the model does not say how to prepare its input; give {}", .missing.join(", "))]
    NoContract {
        /// Flags that are missing.
        missing: Vec<&'static str>,
    },
    /// The user says something else than the model or the run.
    #[error("{what} says {asked}, {by} {stated}")]
    OtherContract {
        /// The flag.
        what: &'static str,
        /// Its value.
        asked: String,
        /// Who says something else.
        by: &'static str,
        /// What it says.
        stated: String,
    },
    /// Numbers for mean and std that cannot be meant.
    #[error("expected mean and std for values from 0 to 1, got mean {mean:?} and std {std:?}")]
    Normalisation {
        /// The mean.
        mean: [f32; 3],
        /// The standard deviation.
        std: [f32; 3],
    },
}

impl ForeignError {
    /// Whether flags are missing or wrong, not the file.
    #[must_use]
    pub fn is_bad_argument(&self) -> bool {
        matches!(
            self,
            Self::NoContract { .. }
                | Self::NoSize { .. }
                | Self::NoSuchOutput { .. }
                | Self::OtherContract { .. }
                | Self::Normalisation { .. }
        )
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Model(error) => return error.hint(),
            Self::Inputs { .. } => {
                "a network takes one picture: export it with one argument, others fixed inside (docs/foreign_models.md)"
            }
            Self::Outputs { .. } | Self::NoSuchOutput { .. } => {
                "choose the one with the logits by --output NAME; torchvision's `aux` is for training only"
            }
            Self::InputType { .. } => {
                "export the model in float32 (PyTorch: model.float(), a float32 example input), normalised by --mean and --std"
            }
            Self::InputShape { hint, .. } | Self::Answer { hint, .. } => hint,
            Self::OtherSize { .. } => "leave --size out, or export the model for that size or with dynamic axes",
            Self::NoSize { .. } => "choose it: --size WIDTHxHEIGHT, best a size that the network was trained with",
            Self::LastOfEquals { .. } => "export with select_last_index=0, or up to the logits",
            Self::Narrow { .. } => {
                "export in float32: model.float() before torch.onnx.export; int8 comes from `quantize`"
            }
            Self::External { .. } => {
                "keep that file beside the model, or save all in one: torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(FILE), OUT)"
            }
            Self::Training { .. } => "call model.eval() before exporting, and export without training=...",
            Self::OldOperators { .. } => "export with a newer operator set, such as opset_version=17",
            Self::Sizes { .. } => "export with fixed sizes: leave dynamic_axes and dynamic_shapes out",
            Self::ClassCount { .. } => {
                "list the classes in the order of the network's outputs, the background too (docs/foreign_models.md)"
            }
            Self::NoContract { .. } => {
                "say what the network was trained with, such as --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --channels rgb (docs/foreign_models.md)"
            }
            Self::OtherContract { .. } => "leave the flag out, or take the model that it belongs to",
            Self::Normalisation { .. } => {
                "for values from 0 to 255 say so: --values 0..255, with --mean and --std in the same unit"
            }
        })
    }
}
