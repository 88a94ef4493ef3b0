//! One file per subcommand: each takes its arguments, runs, and says how it ended.

pub(crate) mod bench;
pub(crate) mod devices;
pub(crate) mod evaluate;
pub(crate) mod inspect;
mod printer;
pub(crate) mod record;
pub(crate) mod run;
mod views;

use std::error::Error;

use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::program;
use parallax_edge::Engine;
use serde::Serialize;

/// How a command that did not fail has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything asked for was done.
    Done,
    /// It ran, and the answer is no: a golden frame that does not come out as stored.
    Failed,
    /// Done, but some of the input was unreadable and left out.
    DoneWithLostInput,
}

/// Says once where an int8 file runs in float.
fn warn_of_float(engine: &Engine) {
    if let Some(warning) = engine.float_warning() {
        tracing::warn!("{warning}");
    }
}

/// The remedy for an error of this program.
pub(crate) fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    let ours = error.downcast_ref::<parallax_edge::EdgeError>().and_then(parallax_edge::EdgeError::hint);
    let ours = ours.or_else(|| error.downcast_ref::<parallax_camera::Error>().and_then(parallax_camera::Error::hint));
    ours.map(str::to_owned)
}

/// Whether what was asked for cannot be, by flags or by a configuration file.
pub(crate) fn is_bad_argument(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(parallax_edge::EdgeError::Settings { .. }))
}

/// Prints a result on stdout, as JSON or for people.
fn print(result: &(impl Serialize + std::fmt::Display), json: bool) -> anyhow::Result<()> {
    if json {
        program::print(serde_json::to_string(result)?);
    } else {
        program::print(result);
    }
    Ok(())
}

/// A progress bar on stderr, hidden when stderr is no terminal; without a total it counts.
fn progress_bar(total: Option<usize>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total as u64), "{bar:30} {pos}/{len} frames, {per_sec}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {pos} frames, {per_sec}; Ctrl-C ends"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
