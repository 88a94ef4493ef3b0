//! What the doctor says: one line per check, with numbers for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use parallax_core::recording::Eye;
use parallax_vision::optical_flow::Track;
use serde::Serialize;

use super::frame_gap::GapMeasure;

/// How a check came out, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing is wrong.
    Pass,
    /// The footage does not determine it; nothing is known to be wrong.
    Unknown,
    /// Training will work, worse than it could.
    Warn,
    /// Training on this will disappoint.
    Fail,
}

impl Verdict {
    /// `pass`, `cannot tell`, `warn` or `fail`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "cannot tell",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    /// The verdict of a number that is better the smaller it is.
    #[must_use]
    pub fn of(value: f64, warn_above: f64, fail_above: f64) -> Self {
        if value > fail_above {
            Self::Fail
        } else if value > warn_above {
            Self::Warn
        } else {
            Self::Pass
        }
    }

    /// The worst finding; pass where there is none, even where something cannot be told.
    #[must_use]
    pub fn overall(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().filter(|verdict| verdict.is_finding()).max().unwrap_or(Self::Pass)
    }

    /// The verdict on a recording: the worst finding. Where there is none, but a check without which nothing can be said of
    /// the footage could not be made, it cannot be told.
    #[must_use]
    pub fn of_checks(checks: &[Check]) -> Self {
        let worst = Self::overall(checks.iter().map(|check| check.verdict));
        let is_open = |check: &Check| check.verdict == Self::Unknown && NEEDED.contains(&check.name);
        if worst == Self::Pass && checks.iter().any(is_open) { Self::Unknown } else { worst }
    }

    /// The verdict on several recordings: the worst.
    #[must_use]
    pub fn of_drives(drives: &[DriveReport]) -> Self {
        drives.iter().map(|drive| drive.verdict).max().unwrap_or(Self::Pass)
    }

    /// Whether something is wrong.
    #[must_use]
    pub fn is_finding(self) -> bool {
        self >= Self::Warn
    }
}

/// Checks without which footage is not known to teach. The others ask for curves, things near the borders or things that
/// move up and down, which good footage may do without.
const NEEDED: [&str; 6] = ["length", "cuts", "frozen frames", "static pairs", "moving objects", "stereo order"];

/// One check of one recording.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, with its numbers, in one line.
    pub finding: String,
    /// What to do about it; only with a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The numbers behind the verdict.
    pub numbers: BTreeMap<&'static str, f64>,
    /// A sheet with the worst of it, where one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<PathBuf>,
    /// What a sheet shows, worst first.
    #[serde(skip)]
    pub worst: Vec<Exhibit>,
}

impl Check {
    /// A check with nothing but its verdict and finding.
    #[must_use]
    pub fn new(name: &'static str, verdict: Verdict, finding: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            finding: finding.into(),
            remedy: None,
            numbers: BTreeMap::new(),
            sheet: None,
            worst: Vec::new(),
        }
    }

    /// With a remedy, said only where something is wrong.
    #[must_use]
    pub fn or_else_do(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = self.verdict.is_finding().then(|| remedy.into());
        self
    }

    /// With numbers; what is not finite is left out.
    #[must_use]
    pub fn with_numbers<const COUNT: usize>(mut self, numbers: [(&'static str, f64); COUNT]) -> Self {
        self.numbers.extend(numbers.into_iter().filter(|(_, value)| value.is_finite()));
        self
    }

    /// With what a sheet should show, kept only where something is wrong; of neighbouring frames the worst alone.
    #[must_use]
    pub fn showing(mut self, worst: impl IntoIterator<Item = Exhibit>) -> Self {
        if !self.verdict.is_finding() {
            return self;
        }
        for exhibit in worst {
            let apart = |shown: &Exhibit| shown.frames[0].0.abs_diff(exhibit.frames[0].0) > NEIGHBOURS;
            if self.worst.len() < SHOWN && self.worst.iter().all(apart) {
                self.worst.push(exhibit);
            }
        }
        self
    }
}

/// Exhibits on a sheet at most: what fits a screen.
const SHOWN: usize = 5;

/// Frames this near to each other look alike.
const NEIGHBOURS: usize = 2;

/// One row of a sheet: a frame, or two with the tracks between them.
#[derive(Debug, Clone)]
pub struct Exhibit {
    /// What is wrong with it, in a few words.
    pub caption: String,
    /// The frame, and its partner where there is one.
    pub frames: Vec<(usize, Eye)>,
    /// Tracks from the first to the second, and whether each is at fault.
    pub tracks: Vec<(Track, bool)>,
}

/// Part of the tracks whose motion lies below a number of pixels, and not in an earlier bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FlowBin {
    /// End of the bin; none for the last.
    pub below_px: Option<f64>,
    /// Part of all tracks.
    pub share: f64,
}

/// What the doctor says about one recording.
#[derive(Debug, Clone, Serialize)]
pub struct DriveReport {
    /// The recording.
    pub path: PathBuf,
    /// Its frames.
    pub frames: usize,
    /// Pairs that were looked at.
    pub pairs: usize,
    /// The worst finding; without one, pass, or that it cannot be told.
    pub verdict: Verdict,
    /// All checks.
    pub checks: Vec<Check>,
    /// How far the corners move between partners.
    pub flow_histogram: Vec<FlowBin>,
    /// What each tried gap gives.
    pub gaps: Vec<GapMeasure>,
    /// Frames that partners should be apart; none where the camera always stood.
    pub frame_gap: Option<usize>,
}

/// What the doctor says.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// The worst of the recordings' verdicts.
    pub verdict: Verdict,
    /// Width at which everything was measured.
    pub width: usize,
    /// Height at which everything was measured.
    pub height: usize,
    /// Frames between partners that were looked at.
    pub frame_gap: usize,
    /// Frames that partners should be apart, for all recordings together.
    pub proposed_frame_gap: Option<usize>,
    /// One per recording.
    pub drives: Vec<DriveReport>,
}

/// Version of [`Report`].
pub const SCHEMA: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_judged_is_not_passed() {
        let check = |name, verdict| Check::new(name, verdict, "");
        let of = |name, verdict| Verdict::of_checks(&[check("blur", Verdict::Pass), check(name, verdict)]);
        assert_eq!(of("length", Verdict::Unknown), Verdict::Unknown);
        assert_eq!(of("focal length", Verdict::Unknown), Verdict::Pass, "that takes curves");
        assert_eq!(of("focal length", Verdict::Warn), Verdict::Warn);
        let both = [check("length", Verdict::Unknown), check("blur", Verdict::Fail)];
        assert_eq!(Verdict::of_checks(&both), Verdict::Fail);
    }
}
