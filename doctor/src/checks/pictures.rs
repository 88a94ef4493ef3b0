//! Are the frames readable, sharp, well exposed, and different from each other?

use parallax_core::recording::Eye;
use parallax_vision::footage::exposure::{LEAST_CONTRAST, MOST_BLACK, MOST_WHITE};
use parallax_vision::footage::statistics::{median, share};
use parallax_vision::footage::{BLURRED, CameraMotion, PairMeasure};

use super::super::frame::FrameMeasure;
use super::super::report::{Check, Exhibit, Verdict};
use super::percent;
use crate::DoctorError;

/// Blurred frames: some in turns are normal; where most are, edges are wider than the motion they should tell.
const BLURRED_WARN: f64 = 0.15;
const BLURRED_FAIL: f64 = 0.5;
/// Badly exposed frames.
const EXPOSURE_WARN: f64 = 0.1;
const EXPOSURE_FAIL: f64 = 0.5;
/// Pairs that are one picture twice: each teaches nothing, and hides a frame that was lost.
const SAME_WARN: f64 = 0.01;
const SAME_FAIL: f64 = 0.2;

/// Frames that cannot be read, and damage of the file.
#[must_use]
pub fn recording(damage: Option<&str>, unreadable: &[(usize, DoctorError)], looked_at: usize) -> Check {
    let verdict = match (unreadable.is_empty(), damage) {
        (false, _) => Verdict::Fail,
        (true, Some(_)) => Verdict::Warn,
        (true, None) => Verdict::Pass,
    };
    let mut findings = vec![format!("{looked_at} frames looked at, {} cannot be read", unreadable.len())];
    if let Some((_, error)) = unreadable.first() {
        findings.push(format!("the first: {error}"));
    }
    if let Some(damage) = damage {
        findings.push(format!("the file is damaged: {damage}"));
    }
    Check::new("recording", verdict, findings.join("; "))
        .or_else_do("remove or record again what cannot be read: training stops at it")
        .with_numbers([("frames", looked_at as f64), ("unreadable", unreadable.len() as f64)])
}

/// Clipping at both ends, and too little contrast.
#[must_use]
pub fn exposure(frames: &[FrameMeasure]) -> Check {
    let over = share(frames, |frame| frame.exposure.is_over());
    let under = share(frames, |frame| frame.exposure.is_under());
    let flat = share(frames, |frame| frame.exposure.is_flat());
    let typical = |value: fn(&FrameMeasure) -> f64| median(frames.iter().map(value)).unwrap_or(f64::NAN);
    let white = typical(|frame| frame.exposure.white);
    let black = typical(|frame| frame.exposure.black);
    let contrast = typical(|frame| frame.exposure.contrast);
    let worst = over.max(under).max(flat);
    let finding = format!(
        "white {}, black {}, contrast {contrast:.0} grey levels; over-exposed {} of the frames, under-exposed {}, flat {}",
        percent(white),
        percent(black),
        percent(over),
        percent(under),
        percent(flat)
    );
    let mut sorted: Vec<&FrameMeasure> = frames.iter().collect();
    let badness = |frame: &FrameMeasure| {
        let exposure = frame.exposure;
        (exposure.white / MOST_WHITE).max(exposure.black / MOST_BLACK).max(LEAST_CONTRAST / exposure.contrast.max(1.0))
    };
    sorted.sort_by(|a, b| badness(b).total_cmp(&badness(a)));
    let exhibit = |frame: &&FrameMeasure| {
        let exposure = frame.exposure;
        let caption = format!(
            "frame {}: white {}, black {}, contrast {:.0}",
            frame.index,
            percent(exposure.white),
            percent(exposure.black),
            exposure.contrast
        );
        Exhibit { caption, frames: vec![(frame.index, Eye::Left)], tracks: Vec::new() }
    };
    Check::new("exposure", Verdict::of(worst, EXPOSURE_WARN, EXPOSURE_FAIL), finding)
        .or_else_do(if over >= under.max(flat) {
            "lower the exposure or gain: what is white has no texture to match"
        } else {
            "raise the exposure or the light: what is dark or flat has no texture to match"
        })
        .with_numbers([
            ("white_share", white),
            ("black_share", black),
            ("contrast", contrast),
            ("over_exposed_frames", over),
            ("under_exposed_frames", under),
            ("flat_frames", flat),
        ])
        .showing(sorted.iter().map(exhibit))
}

/// Blur at training size.
#[must_use]
pub fn blur(frames: &[FrameMeasure]) -> Check {
    let mut measured: Vec<(usize, f64)> = frames.iter().filter_map(|frame| Some((frame.index, frame.blur?))).collect();
    let Some(middle) = median(measured.iter().map(|(_, blur)| *blur)) else {
        return Check::new("blur", Verdict::Fail, "no frame has an edge")
            .or_else_do("the lens is covered or out of focus");
    };
    // A frame without any edge is as blurred as can be.
    let blurred =
        frames.iter().filter(|frame| frame.blur.is_none_or(|blur| blur > BLURRED)).count() as f64 / frames.len() as f64;
    measured.sort_by(|a, b| b.1.total_cmp(&a.1));
    let exhibit = |(index, blur): &(usize, f64)| Exhibit {
        caption: format!("frame {index}: blur {blur:.2}"),
        frames: vec![(*index, Eye::Left)],
        tracks: Vec::new(),
    };
    Check::new(
        "blur",
        Verdict::of(blurred, BLURRED_WARN, BLURRED_FAIL),
        format!(
            "median {middle:.2} (0 sharp, above {BLURRED} blurred), {} of the frames are blurred",
            percent(blurred)
        ),
    )
    .or_else_do("focus or clean the lens; a shorter exposure against motion blur; or train at a smaller --size")
    .with_numbers([("blur", middle), ("blurred_frames", blurred)])
    .showing(measured.iter().map(exhibit))
}

/// Consecutive frames that are one picture.
#[must_use]
pub fn frozen(neighbours: &[PairMeasure], repeated: &[[usize; 2]], looked_at: usize) -> Check {
    const NAME: &str = "frozen frames";
    if looked_at == 0 {
        return Check::new(NAME, Verdict::Unknown, "no two neighbours could be looked at");
    }
    let moves = neighbours.iter().any(|pair| matches!(pair.motion, CameraMotion::Moves | CameraMotion::Turns));
    let share = repeated.len() as f64 / looked_at.max(1) as f64;
    let exhibit = |frames: &[usize; 2]| Exhibit {
        caption: format!("frames {} and {} are one picture", frames[0], frames[1]),
        frames: frames.iter().map(|index| (*index, Eye::Left)).collect(),
        tracks: Vec::new(),
    };
    Check::new(
        NAME,
        Verdict::of(share, SAME_WARN, SAME_FAIL),
        format!("{} of {looked_at} neighbours are one picture twice ({})", repeated.len(), percent(share)),
    )
    .or_else_do(if moves {
        "the recorder repeats frames: record at the camera's own rate, and remove the repeated ones"
    } else {
        "the camera hangs or the recording is a still picture: record again"
    })
    .with_numbers([("repeated_share", share)])
    .showing(repeated.iter().map(exhibit))
}
