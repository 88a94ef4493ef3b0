//! What stands between a calibration and a better verdict.
//!
//! No verdict turns on one view: what is asked of views is asked of their median, and what would follow from a hard limit
//! on how the board was held is asked of the covariance instead, which knows how all views were. A check that could not be
//! made is a reason like one that failed.

use super::held_out::LEAST_VIEWS;
use super::projection::ProjectionMap;
use super::trust::Trust;
use super::verdict::{Reason, Verdict};
use crate::solve::{Fate, Lens, Solution, SolvedView, rms};
use crate::stereo::Pair;
use nalgebra::Vector3;

/// Relative σ of the focal length: 0.2 % is a pixel at the edge of a 1000-pixel picture; at 2 % depth is wrong by as
/// much everywhere.
const FOCAL_GOOD: f64 = 0.002;
const FOCAL_USABLE: f64 = 0.02;
/// σ of a pixel that nine tenths of the picture stay below; half a pixel is what stereo matching reaches. A camera is
/// still usable when half of the picture is known to three.
const PIXEL_GOOD: f64 = 0.5;
const PIXEL_USABLE: f64 = 3.0;
/// Part of the picture's fields in which corners were seen. Where less was seen, the uncertainty of pixels decides, at the
/// worst place of the picture too.
const COVERED_GOOD: f64 = 0.6;
/// The part of the picture in which a lens model may show nothing: it folds over there, and no picture can be undistorted.
const FOLDED_GOOD: f64 = 0.1;
/// The rms of the median view beyond which corners are not where the model says, whatever its σ; sharp pictures reach 0.1
/// to 0.4.
const RMS_GOOD: f64 = 0.6;
const RMS_USABLE: f64 = 2.0;
/// How much worse the median view is predicted when it takes no part.
const HELD_OUT_GOOD: f64 = 1.4;
const HELD_OUT_USABLE: f64 = 3.0;
/// Views that are predicted to this are predicted well, however little the fit leaves over.
const HELD_OUT_LEAST_PX: f64 = 0.1;
/// What another lens model takes away from the errors: with a fifth of a pixel σ says less than what the model gets wrong.
const MISFIT_GOOD_PX: f64 = 0.2;
const MISFIT_USABLE_PX: f64 = 2.0;
/// The angle between the two most different positions of the board below which a focal length that is not known is said to
/// be open for that reason. Parallel boards do not tell focal length from distance.
const TURNED_ENOUGH_RAD: f64 = 0.5;
const VIEWS_GOOD: usize = 8;
const VIEWS_USABLE: usize = 4;
/// Relative σ of the baseline: depth is wrong by as much.
const BASELINE_GOOD: f64 = 0.005;
const BASELINE_USABLE: f64 = 0.05;
/// Rows of the same corner apart after rectification, mean of the median view: stereo matching looks within one row.
const ROWS_GOOD_PX: f64 = 0.5;
const ROWS_USABLE_PX: f64 = 2.0;

/// Reasons as they are found.
#[derive(Default)]
struct Reasons(Vec<Reason>);

impl Reasons {
    fn ask(&mut self, is_good: bool, is_usable: bool, what: String, remedy: &str) {
        if !is_good {
            let allows = if is_usable { Verdict::Usable } else { Verdict::NotDetermined };
            self.0.push(Reason { allows, what, remedy: remedy.to_owned() });
        }
    }

    /// The verdict, and the reasons with the gravest first.
    fn conclude(mut self) -> (Verdict, Vec<Reason>) {
        self.0.sort_by_key(|reason| reason.allows);
        (self.0.first().map_or(Verdict::Good, |reason| reason.allows), self.0)
    }
}

pub(super) fn of(solution: &Solution, camera: usize, trust: &Trust) -> (Verdict, Vec<Reason>) {
    let views: Vec<&SolvedView> = seen_by(solution, camera).collect();
    let mut reasons = Reasons::default();
    ask_sigmas(&mut reasons, solution, camera, trust, &views);
    let typical_px = typical_px(&views, camera);
    reasons.ask(
        typical_px <= RMS_GOOD,
        typical_px <= RMS_USABLE,
        format!("corners are {typical_px:.2} px (rms of the median view) from where the model puts them"),
        "check that the board is flat, the pictures sharp and the lens model right (--model)",
    );
    if let Some(better) = &solution.cameras[camera].better_lens {
        let (name, misfit_px) = (better.lens.name(), better.misfit_px());
        reasons.ask(
            misfit_px <= MISFIT_GOOD_PX,
            misfit_px <= MISFIT_USABLE_PX,
            format!(
                "{name} fits this lens better: {:.2} px instead of {:.2} (rms of the median view)",
                better.typical_px, better.asked_px
            ),
            &format!("give --model {name}"),
        );
    }
    ask_held_out(&mut reasons, solution, camera, trust, typical_px);
    reasons.ask(
        views.len() >= VIEWS_GOOD,
        views.len() >= VIEWS_USABLE,
        format!("only {} views took part", views.len()),
        "take 10 to 20 views",
    );
    reasons.conclude()
}

/// What the covariance says, of the focal length and of pixels.
fn ask_sigmas(reasons: &mut Reasons, solution: &Solution, camera: usize, trust: &Trust, views: &[&SolvedView]) {
    let focal = focal_sigma(solution, camera);
    let turned = turned_rad(views);
    let known = if focal.is_finite() {
        format!("the focal length is known to {:.2} %", focal * 100.0)
    } else {
        "the views leave the camera's numbers open".to_owned()
    };
    let is_parallel = turned < TURNED_ENOUGH_RAD;
    let (what, remedy) = if is_parallel {
        (
            format!("{known}: the board was turned by {:.0} degrees at most between views", turned.to_degrees()),
            "tilt the board by 20 to 45 degrees to every side: parallel boards do not tell focal length from distance",
        )
    } else {
        (known, "add views with the board tilted, near and far")
    };
    reasons.ask(focal <= FOCAL_GOOD, focal <= FOCAL_USABLE, what, remedy);
    let pixel_of = |part: f64| trust.projection.as_ref().map_or(f64::INFINITY, |map| map.quantile_px(part));
    let pixel = pixel_of(0.9);
    reasons.ask(
        pixel <= PIXEL_GOOD,
        pixel_of(0.5) <= PIXEL_USABLE,
        format!("a pixel may be off by {pixel:.1} (σ) in a tenth of the picture"),
        "add views near the edges of the picture, or use a lens model with fewer coefficients",
    );
    let part = trust.coverage.part();
    reasons.ask(
        part >= COVERED_GOOD || pixel_of(1.0) <= PIXEL_GOOD,
        true,
        format!("corners were seen in {:.0} % of the picture", part * 100.0),
        "bring the board into every corner of the picture",
    );
    // A fisheye may well show a circle in a black picture.
    let folded = trust.projection.as_ref().map_or(0.0, ProjectionMap::empty_part);
    reasons.ask(
        folded <= FOLDED_GOOD || solution.cameras[camera].lens == Lens::Equidistant,
        true,
        format!("the lens model shows nothing in {:.0} % of the picture", folded * 100.0),
        "bring the board into every corner of the picture, or use a model for wider lenses (--model)",
    );
}

/// How well views are predicted that took no part, or why that is not known.
fn ask_held_out(reasons: &mut Reasons, solution: &Solution, camera: usize, trust: &Trust, typical_px: f64) {
    let Some(held_out) = trust.held_out_px else {
        let what = format!("with fewer than {LEAST_VIEWS} views nothing is left to check the camera with");
        return reasons.ask(false, true, what, "take 10 to 20 views");
    };
    let factor = held_out / typical_px.max(1e-3);
    // A focal length that all views together know well is usable, whatever some of them do not tell about the others.
    let is_known = focal_sigma(solution, camera) <= FOCAL_GOOD && held_out.is_finite();
    let what = if held_out.is_finite() {
        format!("views that took no part are {factor:.1} times as far off, in the median")
    } else {
        "most views cannot be predicted by the others: each is needed to find the camera at all".to_owned()
    };
    reasons.ask(
        factor <= HELD_OUT_GOOD || held_out <= HELD_OUT_LEAST_PX,
        factor <= HELD_OUT_USABLE || held_out <= PIXEL_USABLE || is_known,
        what,
        "add more views: the fit follows the noise of these few",
    );
}

/// The verdict on how two cameras stand to each other.
pub(super) fn of_pair(pair: &Pair) -> (Verdict, Vec<Reason>) {
    let mut reasons = Reasons::default();
    let known = pair.baseline_sigma_m() / pair.baseline_m();
    reasons.ask(
        known <= BASELINE_GOOD,
        known <= BASELINE_USABLE,
        if known.is_finite() {
            format!("the baseline is known to {:.1} %", known * 100.0)
        } else {
            "the views leave open how the cameras stand to each other".to_owned()
        },
        "add pairs with the whole board in both pictures, near and tilted",
    );
    let apart_px = pair.after.typical_px;
    reasons.ask(
        apart_px <= ROWS_GOOD_PX,
        apart_px <= ROWS_USABLE_PX,
        format!("rows of the same corner are {apart_px:.2} px apart after rectification (mean of the median view)"),
        "trigger both cameras together and hold the board still; check the lens model (--model)",
    );
    reasons.conclude()
}

fn focal_sigma(solution: &Solution, camera: usize) -> f64 {
    let solved = &solution.cameras[camera];
    (solved.sigma[0] / solved.numbers[0]).max(solved.sigma[1] / solved.numbers[1])
}

fn seen_by(solution: &Solution, camera: usize) -> impl Iterator<Item = &SolvedView> {
    let saw = move |view: &&SolvedView| view.corners.iter().any(|corner| corner.camera == camera && corner.is_used);
    solution.views.iter().filter(|view| view.fate == Fate::Used).filter(saw)
}

/// The root mean square error of this camera's corners in the median view.
fn typical_px(views: &[&SolvedView], camera: usize) -> f64 {
    let of_view = |view: &&SolvedView| {
        let used = view.corners.iter().filter(|corner| corner.camera == camera && corner.is_used);
        rms(used.filter_map(|corner| corner.error))
    };
    let mut errors: Vec<f64> = views.iter().map(of_view).collect();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() / 2).copied().unwrap_or(f64::INFINITY)
}

/// The largest angle between the board's normals of two views.
fn turned_rad(views: &[&SolvedView]) -> f64 {
    let poses = views.iter().filter_map(|view| view.camera_from_board);
    let normals: Vec<Vector3<f64>> = poses.map(|pose| pose.rotation * Vector3::z()).collect();
    let pairs = normals.iter().enumerate().flat_map(|(index, a)| normals[index + 1..].iter().map(move |b| a.angle(b)));
    pairs.fold(0.0, f64::max)
}
