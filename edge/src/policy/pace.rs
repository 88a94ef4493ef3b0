//! At most so many frames a second.

use std::time::{Duration, Instant};

/// When the next frame is due.
#[derive(Debug)]
pub(crate) struct Pace {
    wanted: Option<f64>,
    next: Option<Instant>,
}

impl Pace {
    /// Frames a second; none for as many as come.
    pub(crate) fn new(wanted: Option<f64>) -> Self {
        Self { wanted, next: None }
    }

    /// The rate under a limit: the smaller of both.
    pub(crate) fn rate(&self, limit: Option<f64>) -> Option<f64> {
        match (self.wanted, limit) {
            (Some(wanted), Some(limit)) => Some(wanted.min(limit)),
            (wanted, limit) => wanted.or(limit),
        }
    }

    /// How long to wait for the next frame to be due.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// Says that a frame was taken. Frames keep to a grid of times, so that the rate does not depend on how long each
    /// takes; who is a whole frame late begins a new grid, and nothing is made up for.
    pub(crate) fn took(&mut self, now: Instant, limit: Option<f64>) {
        self.next = self.rate(limit).map(|rate| {
            let interval = Duration::from_secs_f64(1.0 / rate);
            match self.next {
                Some(due) if due <= now && now - due < interval => due + interval,
                _ => now + interval,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_to_the_rate_whatever_each_takes() {
        let (mut pace, start) = (Pace::new(Some(10.0)), Instant::now());
        let mut now = start;
        for frame in 0..50_u32 {
            now += pace.wait(now);
            assert_eq!(now - start, Duration::from_millis(100) * frame);
            // Looked for some milliseconds late each time.
            let late = now + Duration::from_millis(u64::from(frame % 7));
            pace.took(late, None);
            now = if frame == 0 { now } else { late };
        }
    }

    #[test]
    fn nothing_is_made_up_for_after_a_pause() {
        let (mut pace, start) = (Pace::new(Some(10.0)), Instant::now());
        pace.took(start, None);
        let late = start + Duration::from_secs(5);
        assert_eq!(pace.wait(late), Duration::ZERO);
        pace.took(late, None);
        assert_eq!(pace.wait(late), Duration::from_millis(100));
    }

    #[test]
    fn the_smaller_of_wish_and_limit_holds() {
        assert_eq!(Pace::new(Some(10.0)).rate(Some(5.0)), Some(5.0));
        assert_eq!(Pace::new(Some(10.0)).rate(Some(15.0)), Some(10.0));
        assert_eq!(Pace::new(None).rate(Some(5.0)), Some(5.0));
        let mut pace = Pace::new(None);
        pace.took(Instant::now(), None);
        assert_eq!((pace.rate(None), pace.wait(Instant::now())), (None, Duration::ZERO));
    }
}
