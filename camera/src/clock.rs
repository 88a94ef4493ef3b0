//! Now, on the clock of the drivers' time stamps.

use parallax_core::frame::Timestamp;
use std::time::Duration;

/// The time and the waiting of a capture loop; a test has one that it moves by hand.
pub(crate) trait Clock: Send {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// `CLOCK_MONOTONIC`: never set back, standing still while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> Timestamp {
        now()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// The time now in nanoseconds of `CLOCK_MONOTONIC`, in which the frames of live sources are stamped.
pub fn now() -> Timestamp {
    Timestamp::from_nanos(crate::sys::monotonic_nanos())
}
