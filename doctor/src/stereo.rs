//! The two eyes of a pair: are they on one row, the right way round, at the same moment?
//!
//! In a rectified pair a point at column `x` and row `y` of the left picture is at `x − d`, `y` of the right one, d >
//! 0. What is left of the row, over all matches of a recording, is fitted by
//!
//! ```text
//! Δy = a + b (x − cx) + c (y − cy) + τ v
//! ```
//!
//! with `a` a pitch, `b` a roll, `c` a difference in focal length, and `τ` the time by which the right eye is late, in
//! frames: `v` is how far the same corner moves down from this left frame to the next. A yaw of one eye moves
//! columns, not rows; it shows where far things come out nearer than infinity allows: d < 0.

use nalgebra::{Matrix4, Vector4};
use parallax_core::camera::Intrinsics;
use parallax_vision::footage::pair::cell_px;
use parallax_vision::footage::statistics::{median, share};
use parallax_vision::optical_flow::{Track, corners, track_both_ways};

use super::drive::View;

/// Matches below this count are too few for four numbers and outliers.
const FEWEST_MATCHES: usize = 100;
/// Errors below this weigh alike, pixels.
const MATCH_ACCURACY_PX: f64 = 0.1;
const ROUNDS: usize = 20;
/// A match this far the wrong way is no noise, pixels.
pub const WRONG_WAY_PX: f64 = 0.5;

/// A corner in both eyes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Column and row in the left picture, from the principal point.
    pub place: [f64; 2],
    /// Columns by which it lies further left in the right picture.
    pub disparity_px: f64,
    /// Rows by which it lies lower there.
    pub drop_px: f64,
    /// Rows by which it lies lower in the next left frame, where it could be followed there.
    pub fall_px: Option<f64>,
}

/// The matches of one moment.
#[derive(Debug, Clone)]
pub struct StereoMeasure {
    /// Frame number.
    pub frame: usize,
    /// From the left to the right picture.
    pub tracks: Vec<Track>,
    /// The same, one for one, as geometry.
    pub matches: Vec<Match>,
}

impl StereoMeasure {
    /// Follows the corners of the left frame into the right one, and into the next left one.
    #[must_use]
    pub fn new(frame: usize, left: &View, right: &View, next: Option<&View>, k: &Intrinsics) -> Self {
        let points = corners(&left.sight.pyramid, cell_px(&left.sight.pyramid));
        let tracks = track_both_ways(&left.sight.pyramid, &right.sight.pyramid, &points);
        let mut falls = vec![None; points.len()];
        for track in
            next.map(|next| track_both_ways(&left.sight.pyramid, &next.sight.pyramid, &points)).unwrap_or_default()
        {
            falls[track.index] = Some(f64::from(track.flow()[1]));
        }
        let as_match = |track: &Track| Match {
            place: [f64::from(track.from[0]) - k.cx, f64::from(track.from[1]) - k.cy],
            disparity_px: f64::from(-track.flow()[0]),
            drop_px: f64::from(track.flow()[1]),
            fall_px: falls[track.index],
        };
        Self { frame, matches: tracks.iter().map(as_match).collect(), tracks }
    }
}

/// What all matches of a recording say about the pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StereoGeometry {
    /// Rows between the eyes in the middle of the picture.
    pub offset_px: f64,
    /// Rows between the eyes per column.
    pub slope_across: f64,
    /// Rows between the eyes per row.
    pub slope_down: f64,
    /// Median of |Δy|.
    pub drop_px: f64,
    /// Median of |Δy| as the fit without τ has it: what rectification is wrong by.
    pub rectification_px: f64,
    /// Part of the matches that lie further right in the right picture.
    pub wrong_way_share: f64,
    /// Median disparity.
    pub disparity_px: f64,
    /// Frames by which the right eye is late, with its deviation; none where nothing moves up or down.
    pub late_frames: Option<(f64, f64)>,
    /// Median of |v|, the vertical motion that lateness is measured by.
    pub fall_px: f64,
}

impl StereoGeometry {
    /// From the matches of all moments; none where they are too few.
    #[must_use]
    pub fn new(measures: &[StereoMeasure]) -> Option<Self> {
        let matches: Vec<Match> = measures.iter().flat_map(|measure| &measure.matches).copied().collect();
        if matches.len() < FEWEST_MATCHES {
            return None;
        }
        let timed: Vec<Match> = matches.iter().filter(|found| found.fall_px.is_some()).copied().collect();
        let fall_px = median(timed.iter().map(|found| found.fall_px.unwrap_or(0.0).abs())).unwrap_or(0.0);
        let lateness = if timed.len() >= FEWEST_MATCHES { fit(&timed, Terms::WithLateness) } else { None };
        let late = lateness.map(|(parts, deviation)| (parts[3], deviation));
        // A late eye bends the rows as well: only what is left besides it is the mounting's.
        let significant =
            lateness.filter(|(parts, deviation)| parts[3].abs() > 4.0 * deviation && parts[3].abs() > 0.1);
        let (parts, _) = significant.or_else(|| fit(&matches, Terms::Mounting))?;
        let model = |found: &Match| parts[0] + parts[1] * found.place[0] + parts[2] * found.place[1];
        Some(Self {
            offset_px: parts[0],
            slope_across: parts[1],
            slope_down: parts[2],
            drop_px: median(matches.iter().map(|found| found.drop_px.abs()))?,
            rectification_px: median(matches.iter().map(|found| model(found).abs()))?,
            wrong_way_share: share(&matches, |found| found.disparity_px < -WRONG_WAY_PX),
            disparity_px: median(matches.iter().map(|found| found.disparity_px))?,
            late_frames: late,
            fall_px,
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Terms {
    Mounting,
    WithLateness,
}

/// Least sum of |error| by reweighting: a, b, c and τ, with the deviation of τ.
fn fit(matches: &[Match], terms: Terms) -> Option<(Vector4<f64>, f64)> {
    let row = |found: &Match| {
        let late = if terms == Terms::WithLateness { found.fall_px.unwrap_or(0.0) } else { 0.0 };
        // In hundreds of pixels, so that the four columns are of one size.
        Vector4::new(1.0, found.place[0] / 100.0, found.place[1] / 100.0, late)
    };
    let mut parts = Vector4::zeros();
    let mut normal = Matrix4::identity();
    let mut error = 0.0;
    for _ in 0..ROUNDS {
        normal = Matrix4::identity() * 1e-9;
        let mut pull = Vector4::zeros();
        error = 0.0;
        for found in matches {
            let row = row(found);
            let left = found.drop_px - row.dot(&parts);
            let weight = 1.0 / left.abs().max(MATCH_ACCURACY_PX);
            normal += row * row.transpose() * weight;
            pull += row * (found.drop_px * weight);
            error += weight * left * left;
        }
        parts = normal.cholesky()?.solve(&pull);
    }
    // Neighbouring matches of one moment err alike: three times what independent ones would have.
    let variance = error / matches.len() as f64 * normal.try_inverse()?[(3, 3)];
    let deviation = 3.0 * variance.max(0.0).sqrt();
    Some((Vector4::new(parts[0], parts[1] / 100.0, parts[2] / 100.0, parts[3]), deviation))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 600 matches with the given Δy, every tenth of them wrong.
    fn measures(drop: impl Fn([f64; 2], f64) -> f64) -> Vec<StereoMeasure> {
        let matches = (0..600_usize)
            .map(|at| {
                let place = [(at * 37 % 320) as f64 - 160.0, (at * 53 % 160) as f64 - 80.0];
                let fall = ((at * 29) % 17) as f64 * 0.5 - 4.0 + 0.02 * place[1];
                let stray = if at % 10 == 0 { 7.0 } else { 0.0 };
                Match { place, disparity_px: 5.0, drop_px: drop(place, fall) + stray, fall_px: Some(fall) }
            })
            .collect();
        vec![StereoMeasure { frame: 0, tracks: Vec::new(), matches }]
    }

    #[test]
    fn pitch_roll_and_scale_are_found_among_wrong_matches() {
        let found = StereoGeometry::new(&measures(|[x, y], _| 1.5 + 0.02 * x - 0.01 * y)).unwrap();
        assert!((found.offset_px - 1.5).abs() < 0.1 && (found.slope_across - 0.02).abs() < 1e-3, "{found:?}");
        assert!((found.slope_down + 0.01).abs() < 1e-3 && found.wrong_way_share == 0.0, "{found:?}");
    }

    #[test]
    fn a_late_eye_is_told_from_a_bad_mounting() {
        let found = StereoGeometry::new(&measures(|_, fall| 0.6 * fall)).unwrap();
        let (late, deviation) = found.late_frames.unwrap();
        assert!((late - 0.6).abs() < 0.05 && deviation < 0.1, "{found:?}");
        assert!(found.rectification_px < 0.1, "{found:?}");
    }
}
