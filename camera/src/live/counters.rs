//! What a capture thread counts.

use serde::Serialize;

/// What happened to a live source's pictures so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Good pictures that the capture thread got.
    pub captured: u64,
    /// Pictures missing between those, by the device's own numbers.
    pub skipped: u64,
    /// Good pictures that nobody took before the next one came.
    pub replaced: u64,
    /// Pictures of no use: short, torn, or marked as wrong by the driver.
    pub corrupt: u64,
    /// Pictures that were too old, or not newer than the one before.
    pub stale: u64,
    /// How often the source was lost.
    pub losses: u64,
}
