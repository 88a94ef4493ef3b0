//! One file per subcommand: each takes its arguments, runs, and says how it ended.

pub(crate) mod bench;
pub(crate) mod evaluate;
pub(crate) mod inspect;
pub(crate) mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
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

/// Prints an error, its causes and a hint on stderr.
#[expect(clippy::print_stderr, reason = "the one place where this program reports its end")]
pub(crate) fn report(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
    if let Some(hint) = error.chain().find_map(hint) {
        eprintln!("hint: {hint}");
    }
}

fn hint<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
    let ours = cause.downcast_ref::<parallax_edge::EdgeError>().and_then(parallax_edge::EdgeError::hint);
    let ours = ours.or_else(|| cause.downcast_ref::<parallax_camera::Error>().and_then(parallax_camera::Error::hint));
    ours.or_else(|| cause.downcast_ref::<parallax_core::Error>().and_then(parallax_core::Error::hint))
}

/// Prints a result on stdout, as JSON or for people.
#[expect(clippy::print_stdout, reason = "results belong on stdout")]
fn print(result: &(impl Serialize + std::fmt::Display), json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(result)?);
    } else {
        println!("{result}");
    }
    Ok(())
}

/// A flag that Ctrl-C sets: the frame in work is finished, then the summary is written. A second Ctrl-C ends at once.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let installed = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            // 130 = 128 + SIGINT, what a shell reports for a program ended by Ctrl-C.
            std::process::exit(130);
        }
    });
    if let Err(error) = installed {
        tracing::warn!("Ctrl-C will end the program at once: {error}");
    }
    stop
}

/// A progress bar on stderr, hidden when stderr is no terminal.
fn progress_bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} frames, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
