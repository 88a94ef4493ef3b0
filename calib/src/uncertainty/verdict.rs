//! Good, usable or not determined, and why.

use std::fmt;

/// How far a calibration can be trusted, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The views do not say what the camera is like; its numbers may be anything.
    #[default]
    NotDetermined,
    /// Right to some pixels: enough to train depth, not to measure with.
    Usable,
    /// Right to a fraction of a pixel all over the picture.
    Good,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotDetermined => "not determined",
            Self::Usable => "usable",
            Self::Good => "good",
        })
    }
}

/// What stands in the way of a better verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The verdict that it allows at best.
    pub allows: Verdict,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}
