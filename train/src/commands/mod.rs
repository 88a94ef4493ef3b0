//! One file per subcommand: each takes its arguments, runs, and says how it ended.

pub(crate) mod check_device;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod evaluate_depth;
pub(crate) mod evaluate_reconstruction;
pub(crate) mod export;
pub(crate) mod finetune;
mod foreign_args;
pub(crate) mod frame_gap;
pub(crate) mod loop_args;
pub(crate) mod pack;
pub(crate) mod predict;
pub(crate) mod pretrain;
pub(crate) mod pretrain_rival;
pub(crate) mod quantize;
mod quantize_frames;

use std::error::Error;
use std::path::PathBuf;

use parallax_doctor::DoctorError;
use parallax_quantize::QuantizeError;
use parallax_quantize::foreign::ForeignError;
use parallax_quantize::pack::PackError;
use parallax_train::pretraining::prediction::Views;

/// How a command that did not fail has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything asked for was done.
    Done,
    /// Done, but some of the input was unreadable and left out.
    DoneWithLostInput,
    /// Done, and something that was looked at is not as it should be.
    DoneWithFindings,
}

/// Arguments that make no sense together or are out of range: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct BadArguments {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: String,
}

impl BadArguments {
    /// An `anyhow` error that ends the program with exit code 2.
    pub(crate) fn error(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self { message: message.into(), hint: hint.into() }.into()
    }
}

/// The recordings at these paths: a folder that a recorder wrote stands for all files in it.
pub(crate) fn recordings(data: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let found = data.iter().map(|path| parallax_core::recording::recordings_in(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.concat())
}

/// What `--flip-average` has predictions made from.
pub(crate) fn views(flip_average: bool) -> Views {
    if flip_average { Views::WithMirrored } else { Views::Picture }
}

/// The exit code for an error: 2 for bad arguments, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    let foreign = |cause: &(dyn Error + 'static)| {
        let packing = cause.downcast_ref::<PackError>().and_then(PackError::foreign);
        packing.or_else(|| cause.downcast_ref::<ForeignError>()).is_some_and(ForeignError::is_bad_argument)
    };
    let bad = |cause: &(dyn Error + 'static)| cause.downcast_ref::<BadArguments>().is_some() || foreign(cause);
    if error.chain().any(bad) { 2 } else { 1 }
}

/// The remedy for an error of this program.
pub(crate) fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    let owned = |hint: Option<&str>| hint.map(str::to_owned);
    error
        .downcast_ref::<BadArguments>()
        .map(|error| error.hint.clone())
        .or_else(|| error.downcast_ref::<parallax_train::Error>().and_then(parallax_train::Error::hint))
        .or_else(|| owned(error.downcast_ref::<DoctorError>().and_then(DoctorError::hint)))
        .or_else(|| owned(error.downcast_ref::<QuantizeError>().and_then(QuantizeError::hint)))
        .or_else(|| owned(error.downcast_ref::<PackError>().and_then(PackError::hint)))
        .or_else(|| owned(error.downcast_ref::<ForeignError>().and_then(ForeignError::hint)))
}
