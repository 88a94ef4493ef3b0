//! Is the pair rectified, the right way round and of one moment?

use parallax_core::recording::Eye;
use parallax_vision::footage::statistics::{median, share};

use super::super::report::{Check, Exhibit, Verdict};
use super::super::stereo::{StereoGeometry, StereoMeasure, WRONG_WAY_PX};
use super::percent;

/// Rows between the eyes, median over the picture, pixels at training size: half a pixel costs the loss its sharpest
/// structure, a whole one most of thin things. KITTI's own rectification is good to 0.15 px at 640 wide.
const ROWS_WARN_PX: f64 = 0.5;
const ROWS_FAIL_PX: f64 = 1.0;
/// Matches nearer than infinity allows: noise of far points makes some.
const WRONG_WAY_WARN: f64 = 0.05;
/// Where most matches are, the eyes are swapped.
const SWAPPED: f64 = 0.5;
/// Lateness in frames, and what it must move on average, to matter.
const LATE_WARN: f64 = 0.1;
const LATE_FAIL: f64 = 0.4;
const LATE_CERTAIN: f64 = 4.0;
/// Deviation of the lateness up to which the footage determines it.
const LATE_DETERMINED: f64 = 0.1;

/// Order, rectification and moment of the eyes.
#[must_use]
pub fn stereo(measures: &[StereoMeasure], geometry: Option<&StereoGeometry>) -> Vec<Check> {
    let Some(geometry) = geometry else {
        let why = "too little is seen by both eyes: is it a pair of one scene, and the right way up?";
        return vec![Check::new("stereo order", Verdict::Fail, why).or_else_do("check what the right camera shows")];
    };
    vec![order(measures, geometry), rows(measures, geometry), moment(geometry)]
}

fn exhibit(measure: &StereoMeasure, caption: String, at_fault: impl Fn(usize) -> bool) -> Exhibit {
    Exhibit {
        caption: format!("frame {}: {caption}", measure.frame),
        frames: vec![(measure.frame, Eye::Left), (measure.frame, Eye::Right)],
        tracks: measure.tracks.iter().enumerate().map(|(at, track)| (*track, at_fault(at))).collect(),
    }
}

fn sorted(measures: &[StereoMeasure], badness: impl Fn(&StereoMeasure) -> f64) -> Vec<&StereoMeasure> {
    let mut sorted: Vec<&StereoMeasure> = measures.iter().collect();
    sorted.sort_by(|a, b| badness(b).total_cmp(&badness(a)));
    sorted
}

fn order(measures: &[StereoMeasure], geometry: &StereoGeometry) -> Check {
    let wrong = geometry.wrong_way_share;
    let verdict = Verdict::of(wrong, WRONG_WAY_WARN, SWAPPED);
    let finding = format!(
        "disparity {:.1} px in the median, {} of the matches lie the wrong way",
        geometry.disparity_px,
        percent(wrong)
    );
    let wrong_in = |measure: &StereoMeasure| share(&measure.matches, |found| found.disparity_px < -WRONG_WAY_PX);
    Check::new("stereo order", verdict, finding)
        .or_else_do(if verdict == Verdict::Fail {
            "left and right are swapped: exchange the pictures, or the camera files with them"
        } else {
            "far things come out nearer than infinity allows: one camera looks in or out; calibrate the pair again"
        })
        .with_numbers([("wrong_way_share", wrong), ("disparity_px", geometry.disparity_px)])
        .showing(sorted(measures, wrong_in).into_iter().map(|measure| {
            let caption = format!("{} the wrong way", percent(wrong_in(measure)));
            exhibit(measure, caption, |at| measure.matches[at].disparity_px < -WRONG_WAY_PX)
        }))
}

fn rows(measures: &[StereoMeasure], geometry: &StereoGeometry) -> Check {
    let off = geometry.rectification_px;
    let finding = format!(
        "rows are {off:.2} px off in the median: {:+.2} px in the middle, {:+.2} px per 100 columns, {:+.2} px per 100 rows",
        geometry.offset_px,
        100.0 * geometry.slope_across,
        100.0 * geometry.slope_down
    );
    let in_median =
        |measure: &StereoMeasure| median(measure.matches.iter().map(|found| found.drop_px.abs())).unwrap_or(0.0);
    Check::new("rectification", Verdict::of(off, ROWS_WARN_PX, ROWS_FAIL_PX), finding)
        .or_else_do("calibrate the pair together and give both camera files, or rectified pictures")
        .with_numbers([
            ("rows_px", off),
            ("offset_px", geometry.offset_px),
            ("px_per_100_columns", 100.0 * geometry.slope_across),
            ("px_per_100_rows", 100.0 * geometry.slope_down),
            ("measured_rows_px", geometry.drop_px),
        ])
        .showing(sorted(measures, in_median).into_iter().map(|measure| {
            let caption = format!("rows {:.2} px off in the median", in_median(measure));
            exhibit(measure, caption, |at| measure.matches[at].drop_px.abs() > ROWS_FAIL_PX)
        }))
}

fn moment(geometry: &StereoGeometry) -> Check {
    const NAME: &str = "stereo moment";
    let Some((late, deviation)) = geometry.late_frames.filter(|(_, deviation)| *deviation < LATE_DETERMINED) else {
        return Check::new(NAME, Verdict::Unknown, "too little moves up or down from frame to frame to tell");
    };
    let off = if late.abs() > LATE_CERTAIN * deviation { late.abs() } else { 0.0 };
    Check::new(
        NAME,
        Verdict::of(off, LATE_WARN, LATE_FAIL),
        format!("the right picture is {late:+.2} ± {deviation:.2} frames late, by what moves up or down"),
    )
    .or_else_do("trigger both cameras together, or pair the frames by their true times")
    .with_numbers([("late_frames", late), ("deviation", deviation)])
}
