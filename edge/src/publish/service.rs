//! Signs of life for systemd: ready, stopping, and the watchdog, which the loop itself feeds and nobody else.
//!
//! A thread of the loop that is stuck in its work for longer than half the watchdog's time stops the feeding, whatever the
//! others do; waiting for a camera, lost or slow, is no such work. Outside of a unit all this is nothing.
//!
//! Reference: `sd_notify(3)`, `systemd.service(5)` (`WatchdogSec=`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// What a thread of the loop is not: at work.
const WAITING: u64 = 0;

/// The watchdog's view of the loop.
#[derive(Debug)]
pub struct Service {
    /// How often the watchdog is fed: half the time that it gives; none without a watchdog.
    interval: Option<Duration>,
    start: Instant,
    /// For each thread the millisecond since `start` when it began to work, from 1 on.
    working_since: Vec<AtomicU64>,
    fed_at_ms: AtomicU64,
}

impl Service {
    /// As the unit that started this program says, for a loop of `threads` threads.
    pub fn of_unit(threads: usize) -> Self {
        Self::new(sd_notify::watchdog_enabled().map(|limit| limit / 2), threads)
    }

    fn new(interval: Option<Duration>, threads: usize) -> Self {
        let working_since = (0..threads.max(1)).map(|_| AtomicU64::new(WAITING)).collect();
        Self { interval, start: Instant::now(), working_since, fed_at_ms: AtomicU64::new(0) }
    }

    /// The loop runs.
    pub fn ready(&self) {
        notify(&[NotifyState::Ready]);
    }

    /// The loop has been told to end.
    pub fn stopping(&self) {
        notify(&[NotifyState::Stopping]);
    }

    /// What `systemctl status` shows.
    pub fn status(&self, status: &str) {
        notify(&[NotifyState::Status(status)]);
    }

    /// A thread takes up a frame.
    pub fn works(&self, thread: usize) {
        self.working_since[thread].store(self.now_ms(), Ordering::Relaxed);
    }

    /// A thread waits for a frame; the watchdog is fed when it is time and every thread is well.
    pub fn waits(&self, thread: usize) {
        self.working_since[thread].store(WAITING, Ordering::Relaxed);
        if self.is_time_to_feed() {
            notify(&[NotifyState::Watchdog]);
        }
    }

    fn is_time_to_feed(&self) -> bool {
        let Some(interval) = self.interval else { return false };
        let (now, interval) = (self.now_ms(), interval.as_millis() as u64);
        let stuck = |since: &AtomicU64| {
            let since = since.load(Ordering::Relaxed);
            since != WAITING && now.saturating_sub(since) > interval
        };
        // Half of the interval again, so that a turn that comes a little late does not use up all of the time.
        let fed_at = self.fed_at_ms.load(Ordering::Relaxed);
        let due = fed_at == 0 || now.saturating_sub(fed_at) >= interval / 2;
        let feed = due && !self.working_since.iter().any(stuck);
        if feed {
            self.fed_at_ms.store(now, Ordering::Relaxed);
        }
        feed
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64 + 1
    }
}

/// A service manager that does not listen is not this program's fault, and nothing can be done about it.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_while_all_threads_turn_and_not_while_one_is_stuck() {
        let service = Service::new(Some(Duration::from_millis(40)), 2);
        assert!(service.is_time_to_feed() && !service.is_time_to_feed());
        std::thread::sleep(Duration::from_millis(25));
        assert!(service.is_time_to_feed(), "half of the interval is over");
        service.works(1);
        std::thread::sleep(Duration::from_millis(60));
        assert!(!service.is_time_to_feed(), "the other thread works for too long");
        service.waits(1);
        std::thread::sleep(Duration::from_millis(60));
        assert!(service.is_time_to_feed());
        assert!(!Service::new(None, 1).is_time_to_feed(), "no watchdog");
    }
}
