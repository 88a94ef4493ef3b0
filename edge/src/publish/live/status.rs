//! How the run goes, as JSON for the page.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use parallax_core::labels::Classes;
use serde::Serialize;

use crate::drive::FrameLine;
use crate::stages::ms;

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
    /// The network gave no numbers for the last frame, and so no mask.
    NotFinite,
    /// Masks were made, and the last one is old: something hangs.
    Stale,
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

/// How old the picture of the last mask may be: this, or five times what lies between two masks lately.
const STALE: Duration = Duration::from_secs(5);
const STALE_INTERVALS: f64 = 5.0;
/// How much a new interval counts in the rate: about the last ten.
const NEWEST_SHARE: f64 = 0.1;

impl Status {
    /// Whether the picture of the last mask is older than a run at this rate makes it.
    fn is_old(&self) -> bool {
        let age_ms = self.since_ms.unwrap_or(0.0) + self.line.age_ms.unwrap_or(0.0);
        let intervals_ms = if self.frames_per_s > 0.0 { 1e3 * STALE_INTERVALS / self.frames_per_s } else { 0.0 };
        age_ms > ms(STALE).max(intervals_ms)
    }
}

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
            status.state = if line.not_finite { State::NotFinite } else { State::Lost };
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
        self.read_at(Instant::now())
    }

    fn read_at(&self, now: Instant) -> (State, serde_json::Result<Vec<u8>>) {
        let (status, last) = &mut *self.lock();
        status.since_ms = last.map(|last| ms(now.saturating_duration_since(last)));
        let state = status.state;
        if state == State::Streaming && status.is_old() {
            status.state = State::Stale;
        }
        let read = (status.state, serde_json::to_vec(status));
        status.state = state;
        read
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
        board.observe(&FrameLine { not_finite: true, ..lost });
        let (state, json) = read();
        assert_eq!((state, &json["state"]), (State::NotFinite, &"not_finite".into()), "the camera is not to blame");
    }

    #[test]
    fn what_is_old_is_told_as_old_by_the_rate_of_the_run() {
        let board = Board::new("slim", &Classes::dense(&[("a", [1, 2, 3]), ("b", [0; 3])]));
        let done = FrameLine { age_ms: Some(100.0), ..FrameLine::default() };
        let after = |secs| board.read_at(Instant::now() + Duration::from_secs_f64(secs)).0;
        assert_eq!(after(60.0), State::Starting, "a camera may take its time to start");
        board.observe(&done);
        assert_eq!((after(4.5), after(5.5)), (State::Streaming, State::Stale));
        let json: serde_json::Value =
            serde_json::from_slice(&board.read_at(Instant::now() + Duration::from_secs(9)).1.unwrap()).unwrap();
        assert_eq!(json["state"], "stale");
        board.observe(&FrameLine { age_ms: Some(5200.0), ..done.clone() });
        assert_eq!(after(0.0), State::Stale, "a new mask of an old picture");
        // One mask in ten seconds: half a minute without one is nothing.
        let slow = Board::new("slim", &Classes::dense(&[("a", [1, 2, 3]), ("b", [0; 3])]));
        slow.observe(&done);
        slow.lock().0.frames_per_s = 0.1;
        let after = |secs| slow.read_at(Instant::now() + Duration::from_secs_f64(secs)).0;
        assert_eq!((after(30.0), after(51.0)), (State::Streaming, State::Stale));
    }
}
