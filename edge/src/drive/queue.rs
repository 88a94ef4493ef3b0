//! The frames that are still to come, and which of them are taken.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use image::RgbImage;
use parallax_camera::{Arrival, Counters, Shot, Source};

use crate::policy::{Pace, Thermal};
use crate::stages::ms_since;

/// How long a thread waits for a frame before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// The frames that are still to come.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) source: Source,
    next: usize,
    /// Frames to take; none for as many as come.
    total: Option<usize>,
    pub(super) ended: bool,
    pace: Pace,
    thermal: Option<Thermal>,
}

/// One thread's buffers, used again for every frame.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) shot: Shot,
    pub(super) picture: RgbImage,
}

/// A frame that was taken from the source: its number, what the source said of it, and how it was read.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) frame: usize,
    pub(super) arrival: Result<Arrival, String>,
    pub(super) start: Instant,
    pub(super) decode_ms: f64,
    pub(super) live: bool,
    pub(super) conditions: Conditions,
}

/// Under which conditions a frame was taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Conditions {
    /// The place of the model to run.
    pub(super) model: usize,
    pub(super) temperature_c: Option<f64>,
    pub(super) counters: Option<Counters>,
}

impl Queue {
    pub(super) fn new(source: Source, total: Option<usize>, rate: Option<f64>, thermal: Option<Thermal>) -> Self {
        Self { source, next: 0, total, ended: false, pace: Pace::new(rate), thermal }
    }

    /// One attempt to get a frame, short enough to look in between whether to stop; none if there was none.
    fn attempt(&mut self, shot: &mut Shot) -> Option<(Result<Arrival, String>, Instant)> {
        let now = Instant::now();
        if let Some(thermal) = &mut self.thermal {
            thermal.look(now);
        }
        let wait = self.pace.wait(now);
        if !wait.is_zero() {
            std::thread::sleep(wait.min(PATIENCE));
            return None;
        }
        let arrival = match self.source.next_into(shot, PATIENCE) {
            Ok(Arrival::Nothing) => return None,
            Ok(Arrival::End) => {
                self.ended = true;
                return None;
            }
            Ok(fresh) => Ok(fresh),
            Err(error) => Err(error.to_string()),
        };
        // A loss is told at once and costs no turn.
        if arrival.is_ok() {
            self.pace.took(Instant::now(), self.thermal.as_ref().and_then(Thermal::rate));
        }
        Some((arrival, now))
    }

    fn is_over(&self) -> bool {
        self.ended || self.total.is_some_and(|total| self.next >= total)
    }

    fn conditions(&self, place_of: impl Fn(&str) -> usize) -> Conditions {
        Conditions {
            model: self.thermal.as_ref().and_then(Thermal::model).map_or(0, place_of),
            temperature_c: self.thermal.as_ref().and_then(Thermal::temperature_c),
            counters: self.source.counters(),
        }
    }
}

/// The next frame; threads read one after the other. `turn` is called again and again while there is none, and says
/// whether to go on waiting.
pub(super) fn take(
    queue: &Mutex<Queue>,
    buffers: &mut Buffers,
    place_of: impl Fn(&str) -> usize,
    turn: impl Fn() -> bool,
) -> Option<Taken> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let (arrival, start) = loop {
        if !turn() || queue.is_over() {
            return None;
        }
        if let Some(found) = queue.attempt(&mut buffers.shot) {
            break found;
        }
    };
    let (frame, live) = (queue.next, queue.source.frames().is_none());
    queue.next += 1;
    let conditions = queue.conditions(place_of);
    drop(queue);
    // Waiting for a camera is no work.
    let start = if live { Instant::now() } else { start };
    let Buffers { shot, picture } = buffers;
    let arrival = arrival.and_then(|arrival| {
        shot.left.write_rgb(picture).map_err(|error| error.to_string())?;
        Ok(arrival)
    });
    Some(Taken { frame, arrival, start, decode_ms: ms_since(start), live, conditions })
}
