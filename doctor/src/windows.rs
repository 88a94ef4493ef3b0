//! Corners followed through several frames: what several views of the same points say about the lens.
//!
//! A window starts where the camera turns, because only turns tell the focal length (see
//! [`self_calibration`](super::self_calibration)), and goes on until too few of its corners are left.

use parallax_core::recording::Eye;
use parallax_vision::footage::pair::cell_px;
use parallax_vision::footage::{CameraMotion, PairMeasure};
use parallax_vision::optical_flow::{corners, track_both_ways, track_both_ways_near};

use super::drive::Drive;
use crate::DoctorError;

/// Windows looked at in a recording; each costs as much as thirty pairs.
pub const MOST_WINDOWS: usize = 8;
/// Points that a window keeps at least: the lens has two unknowns, each view six, and a fifth may be outliers.
const FEWEST_POINTS: usize = 50;
/// Part of the corners that must be recognised from an anchor; with fewer the newest view becomes the anchor.
const ANCHORED_SHARE: f64 = 0.85;
/// Steps at most. More add drift of the tracks rather than turn.
const MOST_STEPS: usize = 30;
/// Views that are used of them, evenly spread.
const MOST_VIEWS: usize = 8;

/// Points seen in every view of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Frame number of the first and the last view.
    pub frames: [usize; 2],
    /// For each view the pixel of each point.
    pub views: Vec<Vec<[f32; 2]>>,
}

/// First frames of windows: where the camera turns most from frame to frame, not overlapping.
#[must_use]
pub fn window_starts(pairs: &[PairMeasure], step: usize) -> Vec<usize> {
    let usable = |pair: &&PairMeasure| matches!(pair.motion, CameraMotion::Moves | CameraMotion::Turns);
    let mut pairs: Vec<&PairMeasure> = pairs.iter().filter(usable).collect();
    pairs.sort_by(|a, b| b.rotation_rad.total_cmp(&a.rotation_rad));
    let mut starts: Vec<usize> = Vec::new();
    for pair in pairs {
        // The turn lies in the middle of its window rather than at its beginning.
        let start = pair.frames[0].saturating_sub(MOST_STEPS / 3 * step);
        if starts.len() < MOST_WINDOWS && starts.iter().all(|other| other.abs_diff(start) > MOST_STEPS / 2 * step) {
            starts.push(start);
        }
    }
    starts
}

impl Window {
    /// Follows the corners of frame `start` through frames `step` apart; none when there are too few of either.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub fn follow(drive: &Drive, start: usize, step: usize) -> Result<Option<Self>, DoctorError> {
        let mut seen = drive.view(start, Eye::Left)?.sight.pyramid;
        let mut views = vec![corners(&seen, cell_px(&seen))];
        // Tracks are followed from an anchor as long as most of its corners are recognised: each new anchor adds drift.
        let (mut anchor, mut anchored) = (seen.clone(), 0);
        let mut last = start;
        while views.len() <= MOST_STEPS && last + step < drive.recording.len() {
            let next = drive.view(last + step, Eye::Left)?.sight.pyramid;
            let newest = views.len() - 1;
            let mut tracks = track_both_ways_near(&anchor, &next, &views[anchored], &views[newest]);
            if (tracks.len() as f64) < ANCHORED_SHARE * views[newest].len() as f64 {
                (anchor, anchored) = (seen, newest);
                tracks = track_both_ways(&anchor, &next, &views[newest]);
            }
            if tracks.len() < FEWEST_POINTS {
                break;
            }
            for view in &mut views {
                *view = tracks.iter().map(|track| view[track.index]).collect();
            }
            views.push(tracks.iter().map(|track| track.to).collect());
            (seen, last) = (next, last + step);
        }
        if views.len() < 4 || views[0].len() < FEWEST_POINTS {
            return Ok(None);
        }
        let (count, end) = (views.len().min(MOST_VIEWS), views.len() - 1);
        let views = (0..count).map(|place| views[place * end / (count - 1)].clone()).collect();
        Ok(Some(Self { frames: [start, last], views }))
    }
}
