//! The result of a calibration, with everything that a report shows.

use super::settle::{Settled, ViewFate};
use super::{BetterLens, BoardShape, Layout, Lens, Observation, SolveConfig, View, rms};
use crate::stereo::Pair;
use crate::uncertainty::{Reason, Trust, Verdict};
use nalgebra::{DMatrix, Isometry3, Point2, Vector2, Vector3};
use parallax_core::board::Board;
use parallax_core::camera::Camera;

/// Calibrated cameras, what they were found from, and how far to trust them.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The board.
    pub board: Board,
    /// One camera, or the left and the right one of a pair.
    pub cameras: Vec<SolvedCamera>,
    /// Every view that was given, in its order, used or not.
    pub views: Vec<SolvedView>,
    /// Root mean square of the distance between seen and expected corner over all corners in use, pixels (as OpenCV
    /// counts it).
    pub rms_px: f64,
    /// Standard deviation of a seen coordinate: what the fit leaves over, unknowns counted off.
    pub sigma_px: f64,
    /// How far the board's middle stands out of its plane by its bend along x and along y, metres; and σ of both. None
    /// when the board was taken for flat.
    pub warp_m: Option<[(f64, f64); 2]>,
    /// How two cameras stand to each other; none for one camera.
    pub pair: Option<Pair>,
}

/// One calibrated camera.
#[derive(Clone, Debug)]
pub struct SolvedCamera {
    /// The camera file's content; of a pair with rectification `R` and `P`.
    pub camera: Camera,
    /// Its lens model.
    pub lens: Lens,
    /// fx, fy, cx, cy and the coefficients, in the order of [`Lens::parameter_names`].
    pub numbers: Vec<f64>,
    /// Standard deviation of each number; infinite when the views do not determine it.
    pub sigma: Vec<f64>,
    /// Covariance of the numbers; none when the views do not determine them.
    pub covariance: Option<DMatrix<f64>>,
    /// Root mean square error of this camera's corners in use, pixels.
    pub rms_px: f64,
    /// A lens model that explains the corners better; none when there is none, or nothing left to explain.
    pub better_lens: Option<BetterLens>,
    /// How far the camera can be trusted, and what would help.
    pub trust: Trust,
}

/// What became of a view.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It takes part.
    Used,
    /// No camera saw the board; for each camera why.
    NoBoard(Vec<String>),
    /// It takes no part, and why.
    Dropped(String),
}

/// One view.
#[derive(Clone, Debug)]
pub struct SolvedView {
    /// Its name.
    pub name: String,
    /// Whether it takes part.
    pub fate: Fate,
    /// Where the board was in the (left) camera's frame; none when that cannot be said.
    pub camera_from_board: Option<Isometry3<f64>>,
    /// Every corner that was found.
    pub corners: Vec<SeenCorner>,
    /// Root mean square error of the corners in use, pixels; for a dropped view of all its corners.
    pub rms_px: f64,
    /// The same, predicted by cameras that were fitted without this view: infinite when they do not show the board where
    /// it was. None for a dropped view, and with too few views to leave some out.
    pub held_out_px: Option<f64>,
    /// Angle between the board's normal and the camera's axis, radians; none without a pose.
    pub tilt_rad: Option<f64>,
}

/// A corner in a view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeenCorner {
    /// Index into [`Solution::cameras`].
    pub camera: usize,
    /// Its number on the board.
    pub number: usize,
    /// Where it was seen.
    pub pixel: Point2<f64>,
    /// Seen minus expected, pixels; none when the view has no pose.
    pub error: Option<Vector2<f64>>,
    /// Whether it takes part.
    pub is_used: bool,
}

/// A view is predicted badly when it is this many times as far off as the typical one, and by more than half a pixel.
const ALONE_FACTOR: f64 = 4.0;
const ALONE_PX: f64 = 0.5;

impl Solution {
    /// How far the whole can be trusted: the worst of the cameras' verdicts and the pair's.
    pub fn verdict(&self) -> Verdict {
        let cameras = self.cameras.iter().map(|solved| solved.trust.verdict);
        cameras.chain(self.pair.as_ref().map(|pair| pair.verdict)).min().unwrap_or_default()
    }

    /// What stands between the whole and a better verdict, each once, the gravest first.
    pub fn reasons(&self) -> Vec<Reason> {
        let cameras = self.cameras.iter().flat_map(|solved| &solved.trust.reasons);
        let mut reasons: Vec<Reason> = Vec::new();
        for reason in cameras.chain(self.pair.iter().flat_map(|pair| &pair.reasons)) {
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        reasons.sort_by_key(|reason| reason.allows);
        reasons
    }

    /// Views that the others predict badly, the worst first, and by how many pixels: each alone shows what the lens does
    /// where it is.
    pub fn lone_views(&self) -> Vec<(&str, f64)> {
        let mut errors: Vec<f64> = self.views.iter().filter_map(|view| view.held_out_px).collect();
        errors.sort_by(f64::total_cmp);
        let Some(typical_px) = errors.get(errors.len() / 2).copied() else { return Vec::new() };
        let limit_px = (ALONE_FACTOR * typical_px).max(ALONE_PX);
        let named = self.views.iter().filter_map(|view| Some((view.name.as_str(), view.held_out_px?)));
        let mut alone: Vec<(&str, f64)> = named.filter(|(_, error)| *error > limit_px).collect();
        alone.sort_by(|a, b| b.1.total_cmp(&a.1));
        alone
    }

    /// The views that take part.
    pub fn used_views(&self) -> impl Iterator<Item = &SolvedView> {
        self.views.iter().filter(|view| view.fate == Fate::Used)
    }

    /// Corners that were left out although their view takes part: the view's name and the corner.
    pub fn dropped_corners(&self) -> impl Iterator<Item = (&str, &SeenCorner)> {
        self.used_views().flat_map(|view| {
            view.corners.iter().filter(|corner| !corner.is_used).map(|corner| (view.name.as_str(), corner))
        })
    }
}

pub(crate) fn assemble(
    board: &Board,
    sizes: &[(u32, u32)],
    views: &[View],
    observations: &[Vec<Observation>],
    config: &SolveConfig,
    settled: &Settled,
    pair: Option<Pair>,
) -> Solution {
    let solved: Vec<SolvedView> = views
        .iter()
        .zip(observations)
        .zip(&settled.views)
        .map(|((view, seen), fate)| solved_view(view, seen, fate))
        .collect();
    let used = |camera: Option<usize>| {
        let corners = solved.iter().filter(|view| view.fate == Fate::Used).flat_map(|view| &view.corners);
        let corners =
            corners.filter(move |corner| corner.is_used && camera.is_none_or(|camera| camera == corner.camera));
        corners.filter_map(|corner| corner.error)
    };
    let layout = Layout::of(&settled.rig);
    let names: &[&str] = if sizes.len() == 2 { &["left", "right"] } else { &["camera"] };
    let camera = |index: usize| {
        let solved = &settled.rig.cameras[index];
        let (first, count) = (layout.numbers[index], solved.numbers.len());
        let covariance = settled.covariance.as_ref().map(|all| all.view((first, first), (count, count)).into_owned());
        let sigma = covariance.as_ref().map_or_else(
            || vec![f64::INFINITY; count],
            |covariance| covariance.diagonal().iter().map(|variance| variance.sqrt()).collect(),
        );
        let camera = solved.lens.camera(names[index], sizes[index], &solved.numbers);
        SolvedCamera {
            camera: pair.as_ref().map_or(camera.clone(), |pair| pair.rectified(&camera, index)),
            lens: solved.lens,
            numbers: solved.numbers.clone(),
            sigma,
            covariance,
            rms_px: rms(used(Some(index))),
            better_lens: None,
            trust: Trust::default(),
        }
    };
    let warp_m = (config.board == BoardShape::Bent).then(|| {
        [0, 1].map(|axis| {
            let index = layout.warp + axis;
            let variance = settled.covariance.as_ref().map_or(f64::INFINITY, |all| all[(index, index)]);
            (settled.rig.warp_m[axis], variance.sqrt())
        })
    });
    Solution {
        board: board.clone(),
        cameras: (0..sizes.len()).map(camera).collect(),
        rms_px: rms(used(None)),
        sigma_px: settled.sigma_px,
        warp_m,
        pair,
        views: solved,
    }
}

fn solved_view(view: &View, seen: &[Observation], fate: &ViewFate) -> SolvedView {
    let corner = |(o, (error, is_used)): (&Observation, &(Option<Vector2<f64>>, bool))| SeenCorner {
        camera: o.camera,
        number: o.number,
        pixel: o.pixel,
        error: *error,
        is_used: *is_used && fate.is_used(),
    };
    let corners: Vec<SeenCorner> = seen.iter().zip(&fate.corners).map(corner).collect();
    let counted = corners.iter().filter(|corner| corner.is_used || !fate.is_used());
    let kind = match &fate.fault {
        None => Fate::Used,
        Some(_) if seen.is_empty() => {
            Fate::NoBoard(view.detections.iter().filter_map(|found| found.as_ref().err().cloned()).collect())
        }
        Some(reason) => Fate::Dropped(reason.clone()),
    };
    let tilt = |pose: &Isometry3<f64>| (pose.rotation * Vector3::z()).z.abs().min(1.0).acos();
    SolvedView {
        name: view.name.clone(),
        fate: kind,
        camera_from_board: fate.rig_from_board,
        rms_px: rms(counted.filter_map(|corner| corner.error)),
        held_out_px: None,
        tilt_rad: fate.rig_from_board.as_ref().map(tilt),
        corners,
    }
}
