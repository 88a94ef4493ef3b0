//! How a capture stands, on stderr: in place on a terminal, as a line now and then elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parallax_calib::capture::{Refusal, Status};
use std::time::{Duration, Instant};

/// The least time between two lines about pictures that were not kept.
const QUIET: Duration = Duration::from_secs(2);
/// Pictures per second that are shown on a terminal: more cannot be read.
const RATE: u8 = 10;

/// What is shown, and what was said last.
pub(super) struct Terminal {
    bar: ProgressBar,
    said: (Option<Refusal>, Instant),
    knowledge: usize,
}

impl Terminal {
    pub(super) fn start() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(RATE));
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Self { bar, said: (None, Instant::now()), knowledge: 0 }
    }

    /// Shows how it stands.
    pub(super) fn show(&mut self, status: &Status) {
        if self.bar.is_hidden() {
            self.log(status);
        } else {
            self.bar.set_message(status.text() + "\nCtrl-C ends and solves");
        }
    }

    fn log(&mut self, status: &Status) {
        let Status { views, wanted, why, next, .. } = status;
        if status.is_kept {
            tracing::info!("view {views}/{wanted}: {why}; next: {next}");
            self.said = (None, Instant::now());
        } else if status.reason != self.said.0 && self.said.1.elapsed() >= QUIET {
            tracing::info!("{why}; next: {next}");
            self.said = (status.reason, Instant::now());
        }
        if let Some(known) = status.knowledge.as_ref().filter(|known| known.views > self.knowledge) {
            self.knowledge = known.views;
            let missing =
                known.missing.first().map_or_else(String::new, |(what, remedy)| format!(": {what}; {remedy}"));
            tracing::info!("with {} views: {}{missing}", known.views, known.verdict);
        }
    }

    /// Says something above what is shown.
    pub(super) fn say(&self, what: &str) {
        self.bar.suspend(|| tracing::info!("{what}"));
    }

    /// Clears what is shown.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
