//! How many metres a depth unit is, where the data can say; see [`crate::loss::depth`] for why.
//!
//! | what teaches | a unit is |
//! |---|---|
//! | stereo | ten baselines (of the first recording) |
//! | else a range sensor | a quarter of the median measurement |
//! | else video with given poses, or with known speed | ten median ways between a frame and its neighbour |
//! | else | not known: depth has no scale |
//!
//! A run that begins with the network of another one keeps that one's unit instead: [`super::DepthBatches::in_unit`].

use super::samples::{Demands, Sample};
use super::supervision::Supervision;
use super::{Footage, Partner};
use crate::Error;
use crate::loss::depth::{FIRST_DEPTH, STEREO_BASELINE, VIDEO_STEP};

/// Frames whose measurements are looked at for their median: spread over all footage, a few seconds to read.
const FRAMES_FOR_MEDIAN: usize = 32;

/// A median way below this is a standing camera, metres: a tenth of what odometry resolves.
const SHORTEST_WAY_M: f64 = 1e-4;

pub(super) fn metres_per_unit(
    footage: &Footage,
    demands: &Demands<'_>,
    samples: &[Sample],
) -> Result<Option<f64>, Error> {
    let asked = |supervision| demands.supervisions.contains(&supervision);
    if asked(Supervision::Stereo) {
        return Ok(footage.baseline_m(0).map(|metres| metres / f64::from(STEREO_BASELINE)));
    }
    if asked(Supervision::Range) {
        return median_range(footage, samples).map(|metres| Some(metres / f64::from(FIRST_DEPTH)));
    }
    let way_m = |a: Sample, b: Sample| {
        if demands.terms.poses.is_learned() {
            demands.way_m(footage, a, b)
        } else {
            footage.motion(a.drive, [(b.index, b.eye), (a.index, a.eye)]).map(|motion| motion.translation.vector.norm())
        }
    };
    let ways = samples.iter().filter_map(|sample| way_m(*sample, sample.partner(Partner::Later, demands.gap)));
    match median(ways.collect()) {
        None => Ok(None),
        Some(metres) if metres > SHORTEST_WAY_M => Ok(Some(metres / f64::from(VIDEO_STEP))),
        Some(metres) => Err(Error::Data {
            what: format!("between neighbouring frames the camera moves {metres:.6} m by the median: it stands"),
            path: footage.recording(samples[0].drive).path().to_path_buf(),
            hint: "use footage in which the camera moves, raise --frame-gap, or check that poses and speeds are in metres",
        }),
    }
}

fn median_range(footage: &Footage, samples: &[Sample]) -> Result<f64, Error> {
    let with_ranges: Vec<&Sample> =
        samples.iter().filter(|sample| footage.has_ranges(sample.drive, sample.index)).collect();
    let every = with_ranges.len().div_ceil(FRAMES_FOR_MEDIAN).max(1);
    let mut all = Vec::new();
    for sample in with_ranges.iter().step_by(every) {
        let ranges = footage.ranges(sample.drive, sample.index)?;
        all.extend(ranges.iter().flatten().filter(|range| **range > 0.0).map(|range| f64::from(*range)));
    }
    median(all).ok_or_else(|| Error::Data {
        what: "range needs measured depth, found only empty maps".into(),
        path: footage.recording(0).path().to_path_buf(),
        hint: "check that the depth pictures are 16 bit, metres x 256, and 0 only where nothing was measured",
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}
