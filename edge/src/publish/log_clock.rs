//! The times of a log: those of the camera, moved to the date by a constant, so that their differences stay true whatever becomes
//! of the wall clock meanwhile, as in a recording of `parallax-edge record`.

use std::time::{SystemTime, UNIX_EPOCH};

/// Gives what is written its time. Times of one log never run back.
#[derive(Debug)]
pub(super) struct LogClock {
    /// Wall clock minus the camera's when the log began, nanoseconds; none for a recording, which keeps its own times.
    wall_minus_device: Option<i128>,
    /// `CLOCK_MONOTONIC`, on which a live source's frames are stamped.
    device: fn() -> u64,
    last: u64,
}

impl LogClock {
    /// Of a live source, from now on.
    pub(super) fn live() -> Self {
        Self::new(wall_nanos, || parallax_camera::now().nanos())
    }

    /// Of a recording.
    pub(super) fn recorded() -> Self {
        Self { wall_minus_device: None, device: || 0, last: 0 }
    }

    /// Of a live source by other clocks; `wall` is asked once, now.
    pub(super) fn new(wall: impl FnOnce() -> u64, device: fn() -> u64) -> Self {
        let wall_minus_device = Some(i128::from(wall()) - i128::from(device()));
        Self { wall_minus_device, device, last: 0 }
    }

    /// The time of a frame that was taken at `taken`. What was not taken, such as a loss, is now; in a recording, where the one
    /// before was.
    pub(super) fn time(&mut self, taken: Option<u64>) -> u64 {
        let time = match self.wall_minus_device {
            Some(constant) => {
                let time = i128::from(taken.unwrap_or_else(self.device)) + constant;
                u64::try_from(time.max(0)).unwrap_or(u64::MAX)
            }
            None => taken.unwrap_or(self.last),
        };
        // Frames of several threads may change places, and a loss is told before a frame that was on its way.
        self.last = self.last.max(time);
        self.last
    }
}

/// The time of a frame for those who watch: of a live source, now by the wall clock less its age, so that it stands beside what
/// others send; of a recording, its own. Nothing is kept of it, so it may run back with the wall clock.
#[cfg(feature = "live")]
pub(super) fn live_time(taken: Option<u64>, live: bool) -> u64 {
    if !live {
        return taken.unwrap_or_default();
    }
    let age = taken.map_or(0, |taken| parallax_camera::now().nanos().saturating_sub(taken));
    wall_nanos().saturating_sub(age)
}

/// Nanoseconds since 1970.
fn wall_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_asked_once() {
        let mut clock = LogClock::new(|| 1_000_000, || 400);
        assert_eq!(
            [400, 500, 450, 700].map(|taken| clock.time(Some(taken))),
            [1_000_000, 1_000_100, 1_000_100, 1_000_300]
        );
        // A board whose date was not set yet when the log began.
        let mut early = LogClock::new(|| 0, || 400);
        assert_eq!([300, 900].map(|taken| early.time(Some(taken))), [0, 500]);
    }

    #[test]
    fn a_loss_in_a_recording_is_where_the_frame_before_was() {
        let mut clock = LogClock::recorded();
        assert_eq!([Some(70), None, Some(90)].map(|taken| clock.time(taken)), [70, 70, 90]);
    }
}
