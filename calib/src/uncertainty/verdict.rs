//! Good, usable or not determined, and why.

use super::Trust;
use crate::solve::{Fate, Solution, SolvedView};
use nalgebra::Vector3;
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

/// Relative σ of the focal length: 0.2 % is a pixel at the edge of a 1000-pixel picture; at 2 % depth is wrong by as
/// much everywhere.
const FOCAL_GOOD: f64 = 0.002;
const FOCAL_USABLE: f64 = 0.02;
/// σ of a pixel that nine tenths of the picture stay below; half a pixel is what stereo matching reaches. A camera is
/// still usable when half of the picture is known to three.
const PIXEL_GOOD: f64 = 0.5;
const PIXEL_USABLE: f64 = 3.0;
/// Part of the picture's fields in which corners were seen. Too small a part alone refuses nothing: the uncertainty of
/// pixels says what it costs.
const COVERED_GOOD: f64 = 0.6;
/// The rms beyond which corners are not where the model says, whatever its σ; sharp pictures reach 0.1 to 0.4.
const RMS_GOOD: f64 = 0.6;
const RMS_USABLE: f64 = 2.0;
/// How much worse views are predicted that took no part.
const HELD_OUT_GOOD: f64 = 1.4;
const HELD_OUT_USABLE: f64 = 3.0;
/// The angle between the two most different positions of the board. Parallel boards do not tell focal length from
/// distance.
const TURNED_GOOD_RAD: f64 = 0.5;
const TURNED_USABLE_RAD: f64 = 0.2;
const VIEWS_GOOD: usize = 8;
const VIEWS_USABLE: usize = 4;

pub(super) fn of(solution: &Solution, camera: usize, trust: &Trust) -> (Verdict, Vec<Reason>) {
    let solved = &solution.cameras[camera];
    let views: Vec<&SolvedView> = seen_by(solution, camera).collect();
    let mut reasons = Vec::new();
    let mut ask = |is_good: bool, is_usable: bool, what: String, remedy: &str| {
        if !is_good {
            let allows = if is_usable { Verdict::Usable } else { Verdict::NotDetermined };
            reasons.push(Reason { allows, what, remedy: remedy.to_owned() });
        }
    };
    let turned = turned_rad(&views);
    ask(
        turned >= TURNED_GOOD_RAD,
        turned >= TURNED_USABLE_RAD,
        format!("the board was turned by {:.0} degrees at most between views", turned.to_degrees()),
        "tilt the board by 20 to 45 degrees to every side: parallel boards do not tell focal length from distance",
    );
    let focal = (solved.sigma[0] / solved.numbers[0]).max(solved.sigma[1] / solved.numbers[1]);
    ask(
        focal <= FOCAL_GOOD,
        focal <= FOCAL_USABLE,
        if focal.is_finite() {
            format!("the focal length is known to {:.2} %", focal * 100.0)
        } else {
            "the views leave the camera's numbers open".to_owned()
        },
        "add views with the board tilted, near and far",
    );
    let pixel_of = |part: f64| trust.projection.as_ref().map_or(f64::INFINITY, |map| map.quantile_px(part));
    let pixel = pixel_of(0.9);
    ask(
        pixel <= PIXEL_GOOD,
        pixel_of(0.5) <= PIXEL_USABLE,
        format!("a pixel may be off by {pixel:.1} (σ) in a tenth of the picture"),
        "add views near the edges of the picture, or use a lens model with fewer coefficients",
    );
    let part = trust.coverage.part();
    ask(
        part >= COVERED_GOOD,
        true,
        format!("corners were seen in {:.0} % of the picture", part * 100.0),
        "bring the board into every corner of the picture",
    );
    ask(
        solved.rms_px <= RMS_GOOD,
        solved.rms_px <= RMS_USABLE,
        format!("corners are {:.2} px (rms) from where the model puts them", solved.rms_px),
        "check that the board is flat, the pictures sharp and the lens model right (--model)",
    );
    if let Some(held_out) = trust.held_out_px {
        let factor = held_out / solved.rms_px.max(1e-3);
        ask(
            factor <= HELD_OUT_GOOD || held_out <= 0.1,
            factor <= HELD_OUT_USABLE,
            format!("views that took no part are {factor:.1} times as far off"),
            "add more views: the fit follows the noise of these few",
        );
    }
    ask(
        views.len() >= VIEWS_GOOD,
        views.len() >= VIEWS_USABLE,
        format!("only {} views took part", views.len()),
        "take 10 to 20 views",
    );
    reasons.sort_by_key(|reason| reason.allows);
    (reasons.first().map_or(Verdict::Good, |reason| reason.allows), reasons)
}

fn seen_by(solution: &Solution, camera: usize) -> impl Iterator<Item = &SolvedView> {
    let saw = move |view: &&SolvedView| view.corners.iter().any(|corner| corner.camera == camera && corner.is_used);
    solution.views.iter().filter(|view| view.fate == Fate::Used).filter(saw)
}

/// The largest angle between the board's normals of two views.
fn turned_rad(views: &[&SolvedView]) -> f64 {
    let poses = views.iter().filter_map(|view| view.camera_from_board);
    let normals: Vec<Vector3<f64>> = poses.map(|pose| pose.rotation * Vector3::z()).collect();
    let pairs = normals.iter().enumerate().flat_map(|(index, a)| normals[index + 1..].iter().map(move |b| a.angle(b)));
    pairs.fold(0.0, f64::max)
}
