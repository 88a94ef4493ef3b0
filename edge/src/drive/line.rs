//! What a run says: one line a frame, and a summary at its end.

use std::path::PathBuf;
use std::sync::Arc;

use parallax_camera::{Counters, Description};
use serde::{Serialize, Serializer};

use crate::stages::{Percentiles, StagePercentiles, StagesMs};

/// One frame, done or lost: one line of `frames.jsonl`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FrameLine {
    /// Number of the frame, from 0: in the recording, or among those taken from a live source.
    pub frame: usize,
    /// The image file that the frame is, as its path in the folder; none for recordings and cameras.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// When the frame was taken, in the recording's own time or on the clock of drivers (`CLOCK_MONOTONIC`); none when it is lost.
    pub timestamp_ns: Option<u64>,
    /// How old the frame was when its mask was there: since it was taken for a live source, from the start of reading
    /// it for a recording, which has no "now".
    pub age_ms: Option<f64>,
    /// The times of the stages.
    pub stages_ms: Option<StagesMs>,
    /// Frames passed over since the frame before, by the source's numbers; a recording is never in a hurry, so 0.
    pub dropped: u64,
    /// How long the source was lost just before this frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away_ms: Option<f64>,
    /// The model that a thermal rule chose in place of the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Role>,
    /// The temperature that the thermal rules go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    /// The mask, below the output folder; none without such a folder.
    pub mask: Option<String>,
    /// Why there is no mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether there is no mask because the network gave no numbers, of a picture that was well.
    #[serde(skip)]
    pub not_finite: bool,
    /// What became of a live source's pictures so far.
    #[serde(skip)]
    pub counters: Option<Counters>,
}

impl FrameLine {
    /// Whether it tells of a mask.
    pub fn is_done(&self) -> bool {
        self.age_ms.is_some()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The role of a model in its bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role(pub Arc<str>);

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A whole run: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriveSummary {
    /// Frames with a mask.
    pub frames: usize,
    /// Frames that could not be read, losses of a live source, and frames for which the network gave no numbers.
    pub lost: usize,
    /// Frames among them for which the network gave no numbers.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_finite: usize,
    /// Frames passed over because newer ones were there, or because of a target rate.
    pub dropped: u64,
    /// Frames in the recording; none for a live source.
    pub recorded: Option<usize>,
    /// Whether the run was stopped before its end; a live source has none unless there is a limit.
    pub interrupted: bool,
    /// Frames worked on at once.
    pub threads: usize,
    /// Masks per second, from the first to the last.
    pub frames_per_s: f64,
    /// Percentiles of the stages over the last 54,000 frames.
    pub stages: StagePercentiles,
    /// Percentiles of the frames' ages, over as many.
    pub age: Percentiles,
    /// What a live source turned out to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<Description>,
    /// What became of a live source's pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// The folder, where there is one.
    pub out: Option<PathBuf>,
    /// Masks in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masks: Option<usize>,
    /// Why no more masks were written into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<String>,
    /// What of the recording itself is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}
