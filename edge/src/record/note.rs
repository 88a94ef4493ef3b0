//! What is noted of each kept frame, and the two clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use parallax_camera::Shot;
use parallax_core::frame::Timestamp;
use serde::Serialize;

/// One message of `/recorder/frames`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FrameNote {
    /// The frame's number, as the camera counts.
    pub sequence: u64,
    /// When it was taken, on the driver's clock (`CLOCK_MONOTONIC`) or in the recording's own time.
    pub device_ns: u64,
    /// The same by the wall clock, nanoseconds since 1970, as it stood then; none for a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ns: Option<u64>,
    /// Number of its snippet.
    pub snippet: u64,
    /// Parallax to the frame before it in its snippet, pixels at training size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallax_px: Option<f64>,
    /// 1 sharp to 0 without edges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<f64>,
    /// 1 for a place not seen before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub novelty: Option<f64>,
    /// What it is worth.
    pub value: f64,
}

/// The time stamps of the recording: those of the drivers, moved by a constant to the date, so that their differences
/// stay true whatever becomes of the wall clock meanwhile.
#[derive(Debug, Clone, Copy)]
pub enum Clocks {
    /// A recording keeps its own time.
    Recorded,
    /// Wall clock minus `CLOCK_MONOTONIC` when the recording began, nanoseconds.
    Live {
        /// The difference.
        wall_minus_device: u64,
    },
}

impl Clocks {
    /// Of a live source, from now on.
    pub fn live() -> Self {
        Self::Live { wall_minus_device: wall_nanos().saturating_sub(parallax_camera::now().nanos()) }
    }

    /// Moves a shot's time stamps to the recording's time; says when it was taken on the device's clock and on the wall.
    pub fn move_stamps(self, shot: &mut Shot) -> (u64, Option<u64>) {
        let device = shot.left.timestamp;
        let Self::Live { wall_minus_device } = self else { return (device.nanos(), None) };
        let moved = |stamp: Timestamp| Timestamp::from_nanos(stamp.nanos().saturating_add(wall_minus_device));
        let age = parallax_camera::now().since(device).as_nanos() as u64;
        shot.left.timestamp = moved(device);
        if let Some(right) = &mut shot.right {
            right.timestamp = moved(right.timestamp);
        }
        (device.nanos(), Some(wall_nanos().saturating_sub(age)))
    }
}

fn wall_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
