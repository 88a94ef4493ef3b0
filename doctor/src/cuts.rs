//! Cuts: frames that do not follow the one before them. A pair across a cut shows two places, and no motion explains it.
//!
//! ```text
//! every frame, small and grey ──► steps that differ more than their neighbours ──► corners followed across these
//! ```
//!
//! All steps are looked at, because footage holds a few cuts among thousands of frames, which samples miss. A step is a
//! cut when corners are lost across it and can be followed beside it.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use parallax_core::recording::Eye;
use parallax_vision::footage::Followed;
use parallax_vision::footage::statistics::{quantile, spread};
use rayon::prelude::*;

use super::drive::Drive;

/// Steps that are looked at: two minutes of film. Of longer footage as many, spread over it.
pub const MOST_STEPS: usize = 4000;
/// Width of the small pictures: what is left of a street is its layout, which motion from frame to frame hardly changes.
const SMALL_WIDTH: u32 = 48;
/// Steps on either side that a step is held against, and the part of them that differ less: with shots of two frames every
/// second step is a cut.
const BESIDE: usize = 6;
const TYPICAL: f64 = 0.25;
/// What makes a step worth following: it differs this much more than those beside it, and by more grey levels than noise.
const DIFFERS_FACTOR: f64 = 1.4;
const DIFFERS_LEVELS: f64 = 2.0;
/// Steps that are followed, those that differ most: each costs as much as a pair.
const MOST_FOLLOWED: usize = 64;
/// Part of the corners that is found again across a cut, by chance, at most; and beside it at least.
const LOST: f64 = 0.15;
const FOLLOWED_BESIDE: f64 = 0.3;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Cuts {
    /// The frames before each cut.
    pub after: Vec<usize>,
    /// Steps from a frame to the next that were looked at.
    pub looked_at: usize,
    /// Steps that there are.
    pub steps: usize,
}

/// A step from a frame to the next, and by how many grey levels they differ.
struct Step {
    start: usize,
    differs: f64,
}

impl Cuts {
    /// Looks through the left frames of a recording; what cannot be read is passed over, another check names it.
    #[must_use]
    pub fn find(drive: &Drive) -> Self {
        let recording = &drive.recording;
        let is_step = |start: &usize| recording.stretch(*start) == recording.stretch(start + 1);
        let starts: Vec<usize> = (0..recording.len().saturating_sub(1)).filter(is_step).collect();
        let chosen: Vec<usize> = spread(starts.len(), MOST_STEPS).into_iter().map(|at| starts[at]).collect();
        let steps = differences(drive, &chosen);
        let mut worth: Vec<(usize, f64)> = (0..steps.len()).filter_map(|at| Some((at, excess(&steps, at)?))).collect();
        worth.sort_by(|a, b| b.1.total_cmp(&a.1));
        worth.truncate(MOST_FOLLOWED);
        let is_cut = |(at, _): &(usize, f64)| is_cut(drive, &steps, *at).then_some(steps[*at].start);
        let mut after: Vec<usize> = worth.par_iter().filter_map(is_cut).collect();
        after.sort_unstable();
        Self { after, looked_at: steps.len(), steps: starts.len() }
    }
}

/// How much the two frames of each step differ.
fn differences(drive: &Drive, starts: &[usize]) -> Vec<Step> {
    let mut frames: Vec<usize> = starts.iter().flat_map(|start| [*start, start + 1]).collect();
    frames.dedup();
    let small: Vec<(usize, Option<Vec<f64>>)> = frames.par_iter().map(|index| (*index, small(drive, *index))).collect();
    let of = |index: usize| {
        let at = small.binary_search_by_key(&index, |(own, _)| *own).ok()?;
        small[at].1.as_ref()
    };
    let step = |start: &usize| {
        let (first, second) = (of(*start)?, of(start + 1)?);
        let sum: f64 = first.iter().zip(second).map(|(a, b)| (a - b).abs()).sum();
        Some(Step { start: *start, differs: sum / first.len() as f64 })
    };
    starts.iter().filter_map(step).collect()
}

/// A frame, small and grey, without its mean: exposure may change.
fn small(drive: &Drive, index: usize) -> Option<Vec<f64>> {
    let picture: RgbImage = drive.recording.frame(index, Eye::Left).ok()?.to_rgb().ok()?;
    let (width, height) = picture.dimensions();
    let rows = (SMALL_WIDTH * height).div_ceil(width).max(1);
    let small = resize(&picture, SMALL_WIDTH, rows, FilterType::Triangle);
    let gray: Vec<f64> =
        small.pixels().map(|pixel| pixel.0.iter().map(|&value| f64::from(value)).sum::<f64>() / 3.0).collect();
    let mean = gray.iter().sum::<f64>() / gray.len() as f64;
    Some(gray.into_iter().map(|value| value - mean).collect())
}

/// By how much more a step differs than those beside it; none where it does not stand out.
fn excess(steps: &[Step], at: usize) -> Option<f64> {
    let beside = at.saturating_sub(BESIDE)..(at + BESIDE + 1).min(steps.len());
    let typical = quantile(beside.filter(|other| *other != at).map(|other| steps[other].differs), TYPICAL)?;
    let differs = steps[at].differs;
    (differs > DIFFERS_FACTOR * typical + DIFFERS_LEVELS).then(|| differs / typical.max(1.0))
}

/// Whether corners are lost from a step's first frame to its second, and found again in the steps beside it.
fn is_cut(drive: &Drive, steps: &[Step], at: usize) -> bool {
    let followed = |start: usize| -> Option<f64> {
        let view = |index: usize| drive.view(index, Eye::Left).ok();
        Some(Followed::new(&view(start)?.sight, &view(start + 1)?.sight).share())
    };
    let start = steps[at].start;
    if followed(start).is_none_or(|share| share > LOST) {
        return false;
    }
    let recording = &drive.recording;
    let before = start.checked_sub(1);
    let after = (start + 2 < recording.len()).then_some(start + 1);
    before.into_iter().chain(after).filter_map(followed).any(|share| share >= FOLLOWED_BESIDE)
}
