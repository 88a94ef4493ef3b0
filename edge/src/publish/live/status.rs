//! How the run goes, as JSON for the page.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use parallax_core::labels::Classes;
use serde::Serialize;

use crate::drive::FrameLine;

/// What the camera does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// No mask yet.
    #[default]
    Starting,
    /// Masks are made.
    Streaming,
    /// The camera is lost, or the last frame could not be read.
    Lost,
}

/// `/status.json`
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) state: State,
    /// Milliseconds since the last mask; an old one is on the page only while this is small.
    since_ms: Option<f64>,
    /// Masks per second lately.
    frames_per_s: f64,
    /// Frames passed over so far.
    dropped: u64,
    /// How often the camera was lost so far.
    losses: u64,
    /// The newest line of the loop.
    line: FrameLine,
}

/// The newest status.
#[derive(Debug)]
pub(super) struct Board {
    news: Mutex<(Status, Option<Instant>)>,
    about: About,
}

/// `/about.json`: what does not change.
#[derive(Debug, Serialize)]
pub(super) struct About {
    version: &'static str,
    bundle: String,
    classes: Vec<(String, [u8; 3])>,
}

/// How much a new interval counts in the rate: about the last ten.
const NEWEST_SHARE: f64 = 0.1;

impl Board {
    pub(super) fn new(bundle: &str, classes: &Classes) -> Self {
        let classes = classes.entries.iter().map(|class| (class.name.clone(), class.color)).collect();
        let about = About { version: env!("CARGO_PKG_VERSION"), bundle: bundle.to_owned(), classes };
        let status = Status {
            state: State::Starting,
            since_ms: None,
            frames_per_s: 0.0,
            dropped: 0,
            losses: 0,
            line: FrameLine::default(),
        };
        Self { news: Mutex::new((status, None)), about }
    }

    pub(super) fn about(&self) -> &About {
        &self.about
    }

    fn lock(&self) -> MutexGuard<'_, (Status, Option<Instant>)> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn observe(&self, line: &FrameLine) {
        let (status, last) = &mut *self.lock();
        status.line.clone_from(line);
        status.dropped += line.dropped;
        status.losses = line.counters.map_or(status.losses, |counters| counters.losses);
        if !line.is_done() {
            status.state = State::Lost;
            (status.frames_per_s, *last) = (0.0, None);
            return;
        }
        let now = Instant::now();
        if let Some(last) = *last {
            let secs = (now - last).as_secs_f64().max(1e-6);
            let mean = 1.0 / status.frames_per_s.max(1e-6);
            let mean = if status.frames_per_s == 0.0 { secs } else { mean + NEWEST_SHARE * (secs - mean) };
            status.frames_per_s = 1.0 / mean;
        }
        (status.state, *last) = (State::Streaming, Some(now));
    }

    /// The state, and the whole status as JSON.
    pub(super) fn read(&self) -> (State, serde_json::Result<Vec<u8>>) {
        let (status, last) = &mut *self.lock();
        status.since_ms = last.map(crate::stages::ms_since);
        (status.state, serde_json::to_vec(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_shown_until_the_next_mask() {
        let board = Board::new("slim", &Classes::dense(&[("a", [1, 2, 3]), ("b", [0; 3])]));
        let done = FrameLine { age_ms: Some(12.0), dropped: 2, ..FrameLine::default() };
        let lost = FrameLine { error: Some("unplugged".into()), ..FrameLine::default() };
        let read = || {
            let (state, json) = board.read();
            let json: serde_json::Value = serde_json::from_slice(&json.unwrap()).unwrap();
            (state, json)
        };
        assert_eq!(read().0, State::Starting);
        board.observe(&done);
        std::thread::sleep(std::time::Duration::from_millis(20));
        board.observe(&done);
        let (state, json) = read();
        assert_eq!((state, &json["state"], &json["dropped"]), (State::Streaming, &"streaming".into(), &4.into()));
        assert!((1.0..50.0).contains(&json["frames_per_s"].as_f64().unwrap()), "{json}");
        board.observe(&lost);
        let (state, json) = read();
        assert_eq!((state, &json["line"]["error"]), (State::Lost, &"unplugged".into()));
        assert!(json["since_ms"].is_null() && json["frames_per_s"] == 0.0);
        board.observe(&done);
        assert_eq!(read().0, State::Streaming);
    }
}
