//! Does the camera move so that depth can be learned, and does the scene stand still?

use parallax_core::recording::Eye;
use parallax_vision::footage::pair::STRAY_PX;
use parallax_vision::footage::statistics::{median, quantile, share};
use parallax_vision::footage::{
    CameraMotion, LEAST_FOLLOWED, LEAST_PARALLAX_PX, MOST_FLOW, PairMeasure, TARGET_PARALLAX_PX,
};

use super::super::frame_gap::GapMeasure;
use super::super::report::{Check, Exhibit, FlowBin, Verdict};
use super::percent;

/// Pairs in which the camera stands: the auto-mask leaves them out, so that part of the steps teaches nothing.
const STANDING_WARN: f64 = 0.2;
const STANDING_FAIL: f64 = 0.6;
/// Pairs in which it only turns: no auto-mask knows them, and every depth explains them.
const TURNING_WARN: f64 = 0.15;
const TURNING_FAIL: f64 = 0.5;
/// Parallax, as a part of the target, below which a better gap is worth its flag.
const PARALLAX_WARN: f64 = 0.5;
/// Tracks that do not follow the camera's motion, median over pairs: what the loss takes for depth there is wrong.
const STRAY_WARN: f64 = 0.15;
const STRAY_FAIL: f64 = 0.35;
/// Pairs that can be told from, at least: the median of a few says nothing of the others.
const LEAST_TOLD: f64 = 0.2;
/// Pairs that could not be followed at all.
const LOST_WARN: f64 = 0.2;
const LOST_FAIL: f64 = 0.6;

/// Ends of the bins of the flow histogram, pixels.
const BINS_PX: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0];

fn exhibit(pair: &PairMeasure, caption: String) -> Exhibit {
    Exhibit {
        caption: format!("frames {} and {}: {caption}", pair.frames[0], pair.frames[1]),
        frames: pair.frames.iter().map(|index| (*index, Eye::Left)).collect(),
        tracks: pair.tracks.iter().copied().zip(pair.strays.iter().copied()).collect(),
    }
}

fn worst_first(pairs: &[PairMeasure], badness: impl Fn(&PairMeasure) -> Option<f64>) -> Vec<&PairMeasure> {
    let mut sorted: Vec<(&PairMeasure, f64)> = pairs.iter().filter_map(|pair| Some((pair, badness(pair)?))).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    sorted.into_iter().map(|(pair, _)| pair).collect()
}

/// Pairs in which the camera stands.
#[must_use]
pub fn standing(pairs: &[PairMeasure]) -> Check {
    const NAME: &str = "static pairs";
    let different: Vec<&PairMeasure> = pairs.iter().filter(|pair| pair.motion != CameraMotion::SamePicture).collect();
    if different.is_empty() {
        return Check::new(NAME, Verdict::Unknown, "all frames that were looked at are one picture");
    }
    let standing = share(&different, |pair| pair.motion == CameraMotion::Stands);
    let stands = |pair: &PairMeasure| (pair.motion == CameraMotion::Stands).then_some(-pair.flow_median_px);
    Check::new(
        NAME,
        Verdict::of(standing, STANDING_WARN, STANDING_FAIL),
        format!("the camera stands in {} of the pairs", percent(standing)),
    )
    .or_else_do("cut the standing parts out, or give a larger --frame-gap if it only drives slowly")
    .with_numbers([("static_share", standing)])
    .showing(
        worst_first(pairs, stands)
            .into_iter()
            .map(|pair| exhibit(pair, format!("median motion {:.2} px", pair.flow_median_px))),
    )
}

/// Pairs in which the camera only turns.
#[must_use]
pub fn turning(pairs: &[PairMeasure]) -> Check {
    let turning = share(pairs, |pair| pair.motion == CameraMotion::Turns);
    let turns = |pair: &PairMeasure| (pair.motion == CameraMotion::Turns).then_some(pair.flow_median_px);
    let caption = |pair: &PairMeasure| {
        let degrees = pair.rotation_rad.to_degrees();
        format!("turns by {degrees:.1} deg, which leaves {:.2} px of {:.1}", pair.parallax_px, pair.flow_median_px)
    };
    Check::new(
        "rotation-only pairs",
        Verdict::of(turning, TURNING_WARN, TURNING_FAIL),
        format!("the camera turns without moving in {} of the pairs", percent(turning)),
    )
    .or_else_do("turns on the spot teach no depth: cut them out, drive curves instead, or train from stereo")
    .with_numbers([("rotation_only_share", turning)])
    .showing(worst_first(pairs, turns).into_iter().map(|pair| exhibit(pair, caption(pair))))
}

/// How far things move between partners, and how much of it is parallax.
#[must_use]
pub fn flow(pairs: &[PairMeasure], gap: usize, gaps: &[GapMeasure], proposed: Option<usize>, width: usize) -> Check {
    const NAME: &str = "parallax";
    let moving: Vec<&PairMeasure> = pairs.iter().filter(|pair| pair.motion == CameraMotion::Moves).collect();
    let lost = share(pairs, |pair| pair.motion == CameraMotion::Lost);
    let of = |value: fn(&PairMeasure) -> f64| median(moving.iter().map(|pair| value(pair)));
    let (Some(flow), Some(p90), Some(parallax)) =
        (of(|pair| pair.flow_median_px), of(|pair| pair.flow_p90_px), of(|pair| pair.parallax_px))
    else {
        let verdict = if lost > LOST_FAIL || !pairs.is_empty() { Verdict::Fail } else { Verdict::Unknown };
        let proposal = proposal(proposed, gap, gaps);
        return Check::new(NAME, verdict, format!("the camera moves in none of {} pairs{}", pairs.len(), proposal))
            .or_else_do("video teaches depth only where the camera moves through the scene; or train from stereo");
    };
    let fast = quantile(moving.iter().map(|pair| pair.flow_p90_px), 0.75).unwrap_or(0.0);
    let too_fast = if fast > MOST_FLOW * width as f64 { Verdict::Warn } else { Verdict::Pass };
    let too_slow = if parallax < LEAST_PARALLAX_PX {
        Verdict::Fail
    } else if parallax < PARALLAX_WARN * TARGET_PARALLAX_PX && proposed.is_some_and(|proposed| proposed > gap) {
        Verdict::Warn
    } else {
        Verdict::Pass
    };
    let verdict = too_fast.max(too_slow).max(Verdict::of(lost, LOST_WARN, LOST_FAIL));
    let finding = format!(
        "partners {gap} apart: motion median {flow:.1} px, 90 % below {p90:.1} px; parallax {parallax:.1} px{}{}",
        if lost > 0.0 { format!("; nothing could be followed in {}", percent(lost)) } else { String::new() },
        proposal(proposed, gap, gaps),
    );
    let remedy = match proposed {
        Some(proposed) if proposed != gap => format!("train with --frame-gap {proposed}, or --frame-gap auto"),
        _ if too_fast == Verdict::Warn => "record at a higher frame rate or drive slower".to_owned(),
        _ => "drive faster or closer to things, or train from stereo".to_owned(),
    };
    let badness = |pair: &PairMeasure| match pair.motion {
        CameraMotion::Moves if too_fast == Verdict::Warn => Some(pair.flow_p90_px),
        CameraMotion::Moves => Some(-pair.parallax_px),
        CameraMotion::Lost => Some(1e9),
        _ => None,
    };
    let caption = |pair: &PairMeasure| {
        let followed = percent(pair.followed);
        format!("motion {:.1} px, parallax {:.2} px, {followed} followed", pair.flow_median_px, pair.parallax_px)
    };
    Check::new(NAME, verdict, finding)
        .or_else_do(remedy)
        .with_numbers([("flow_median_px", flow), ("flow_p90_px", p90), ("parallax_px", parallax), ("lost_share", lost)])
        .showing(worst_first(pairs, badness).into_iter().map(|pair| exhibit(pair, caption(pair))))
}

fn proposal(proposed: Option<usize>, gap: usize, gaps: &[GapMeasure]) -> String {
    let Some(proposed) = proposed.filter(|proposed| *proposed != gap) else { return String::new() };
    let Some(there) = gaps.iter().find(|measure| measure.gap == proposed) else { return String::new() };
    let parallax = there.parallax_px;
    let reason = if parallax >= TARGET_PARALLAX_PX {
        format!("reaches {TARGET_PARALLAX_PX} px")
    } else {
        format!("is the most with {} of the corners in both frames", percent(LEAST_FOLLOWED))
    };
    format!("; a gap of {proposed} has {parallax:.1} px and {reason}")
}

/// Tracks that move by themselves.
#[must_use]
pub fn moving_objects(pairs: &[PairMeasure]) -> Check {
    const NAME: &str = "moving objects";
    let Some(strays) = median(pairs.iter().filter_map(|pair| pair.stray_share)) else {
        return Check::new(NAME, Verdict::Unknown, "no pair has enough tracks to tell");
    };
    let told = share(pairs, |pair| pair.stray_share.is_some());
    if told < LEAST_TOLD {
        let finding = format!("only {} of the pairs have enough tracks to tell", percent(told));
        return Check::new(NAME, Verdict::Unknown, finding);
    }
    let caption =
        |pair: &PairMeasure| format!("{} of the tracks move by themselves", percent(pair.stray_share.unwrap_or(0.0)));
    Check::new(
        NAME,
        Verdict::of(strays, STRAY_WARN, STRAY_FAIL),
        format!(
            "{} of the tracks are over {STRAY_PX} px off the camera's motion (median of pairs {} apart)",
            percent(strays),
            pairs[0].frames[1] - pairs[0].frames[0]
        ),
    )
    .or_else_do("record when less moves, cut such parts out, or train from stereo: both eyes see one moment")
    .with_numbers([("stray_share", strays)])
    .showing(worst_first(pairs, |pair| pair.stray_share).into_iter().map(|pair| exhibit(pair, caption(pair))))
}

/// How far the corners of all pairs move.
#[must_use]
pub fn histogram(pairs: &[PairMeasure]) -> Vec<FlowBin> {
    let lengths: Vec<f64> =
        pairs.iter().flat_map(|pair| &pair.tracks).map(|track| f64::from(track.length_px())).collect();
    let starts = std::iter::once(0.0).chain(BINS_PX);
    let ends = BINS_PX.into_iter().map(Some).chain(std::iter::once(None));
    let bin = |(start, end): (f64, Option<f64>)| FlowBin {
        below_px: end,
        share: share(&lengths, |length| *length >= start && end.is_none_or(|end| *length < end)),
    };
    starts.zip(ends).map(bin).collect()
}
