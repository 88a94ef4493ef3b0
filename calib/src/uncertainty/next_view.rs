//! Which view would help most.
//!
//! Candidates put the board at nine places of the picture, near and far, facing the camera or tilted to one of four
//! sides. Each adds its information, its own pose eliminated, to what is known; the one after which pixels are known
//! best is proposed:
//!
//! ```text
//! Σ' = (Σ⁻¹ + I/σ²)⁻¹,    mean variance of a pixel = tr(A Σ'),    A = mean of J'ᵀJ' (see `projection`)
//! ```

use super::projection::Map;
use crate::solve::{Observation, Rig, RigCamera, SolvedCamera, Target, information_of_view};
use nalgebra::{Cholesky, Isometry3, Point2, Point3, Translation3, UnitQuaternion, Vector3};
use parallax_core::board::Board;
use std::fmt;

/// A view that was not taken yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextView {
    /// Where the board's middle should be, as parts of the picture's width and height.
    pub place: (f64, f64),
    /// How much of the picture's width the board should take up.
    pub size: f64,
    /// Which side of the board should be tilted away from the camera.
    pub away: Option<Side>,
    /// What the typical uncertainty of a pixel would shrink to, as a part of what it is.
    pub improvement: f64,
}

/// A side of the board as the camera sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left edge.
    Left,
    /// The right edge.
    Right,
    /// The upper edge.
    Top,
    /// The lower edge.
    Bottom,
}

impl fmt::Display for NextView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |part: f64, names: [&'static str; 3]| names[(part * 3.0) as usize % 3];
        let (column, row) =
            (word(self.place.0, ["left", "middle", "right"]), word(self.place.1, ["top", "middle", "bottom"]));
        let place = match (row, column) {
            ("middle", "middle") => "in the middle".to_owned(),
            ("middle", column) => format!("at the {column}"),
            (row, "middle") => format!("at the {row}"),
            (row, column) => format!("at the {row} {column}"),
        };
        write!(formatter, "board {place}, {:.0} % of the width, ", self.size * 100.0)?;
        match self.away {
            None => write!(formatter, "facing the camera"),
            Some(side) => {
                let side = match side {
                    Side::Left => "left",
                    Side::Right => "right",
                    Side::Top => "upper",
                    Side::Bottom => "lower",
                };
                write!(formatter, "its {side} edge tilted {TILT_DEGREES:.0} degrees away")
            }
        }
    }
}

const TILT_DEGREES: f64 = 35.0;
const PLACES: [f64; 3] = [0.22, 0.5, 0.78];
const SIZES: [f64; 3] = [0.3, 0.5, 0.8];
const SIDES: [Option<Side>; 5] = [None, Some(Side::Left), Some(Side::Right), Some(Side::Top), Some(Side::Bottom)];

pub(super) fn best(
    board: &Board,
    target: &Target,
    solved: &SolvedCamera,
    map: &Map,
    sigma_px: f64,
) -> Option<NextView> {
    let covariance = solved.covariance.as_ref()?;
    let known = Cholesky::new(covariance.clone())?.inverse();
    let before = (&map.mean_square * covariance).trace();
    let camera =
        RigCamera { lens: solved.lens, numbers: solved.numbers.clone(), camera_from_rig: Isometry3::identity() };
    let mut best: Option<NextView> = None;
    for place in PLACES.iter().flat_map(|&x| PLACES.map(|y| (x, y))) {
        for (size, away) in SIZES.iter().flat_map(|&size| SIDES.map(|side| (size, side))) {
            let Some(pose) = pose(target, solved, place, size, away) else { continue };
            let rig = Rig { cameras: vec![camera.clone()], rig_from_board: vec![pose], warp_m: [0.0; 2] };
            let seen = visible(board, target, &rig, solved);
            // Only views that a detector would accept.
            if seen.len() < board.corner_count() / if board.allows_parts() { 2 } else { 1 } {
                continue;
            }
            let Some(information) = information_of_view(&rig, target, 0, &seen) else { continue };
            let count = solved.numbers.len();
            let information = information.view((0, 0), (count, count)) / (sigma_px * sigma_px);
            let Some(after) = Cholesky::new(&known + information) else { continue };
            let improvement = ((&map.mean_square * after.inverse()).trace() / before).sqrt();
            if best.is_none_or(|best| improvement < best.improvement) {
                best = Some(NextView { place, size, away, improvement });
            }
        }
    }
    best
}

/// The board with its middle at `place`, as wide as `size` of the picture when it faces the camera.
fn pose(
    target: &Target,
    solved: &SolvedCamera,
    place: (f64, f64),
    size: f64,
    away: Option<Side>,
) -> Option<Isometry3<f64>> {
    let camera = &solved.camera;
    let pixel = Point2::new(place.0 * f64::from(camera.width), place.1 * f64::from(camera.height));
    let ray = camera.unproject(pixel)?.normalize();
    let middle = target.middle();
    // The visible width of a board of this size at distance d is about f · width / d.
    let distance = camera.intrinsics.fx * 2.0 * middle.x.max(middle.y) / (size * f64::from(camera.width));
    let tilt = TILT_DEGREES.to_radians();
    let turn = match away {
        None => Vector3::zeros(),
        // z points away from the viewer: a turn about y takes the right edge (+x) towards -z.
        Some(Side::Left) => Vector3::y() * tilt,
        Some(Side::Right) => -Vector3::y() * tilt,
        // A turn about x takes the lower edge (+y) towards +z.
        Some(Side::Bottom) => Vector3::x() * tilt,
        Some(Side::Top) => -Vector3::x() * tilt,
    };
    let facing = UnitQuaternion::rotation_between(&Vector3::z(), &ray)?;
    let rotation = facing * UnitQuaternion::from_scaled_axis(turn);
    let translation = ray * distance - rotation * middle;
    Some(Isometry3::from_parts(Translation3::from(translation), rotation))
}

fn visible(board: &Board, target: &Target, rig: &Rig, solved: &SolvedCamera) -> Vec<Observation> {
    let (width, height) = (f64::from(solved.camera.width), f64::from(solved.camera.height));
    // A corner needs some pixels around it.
    let (columns, rows) = (4.0..width - 5.0, 4.0..height - 5.0);
    let corner = |number: usize| {
        let pixel = rig.pixel(target, 0, 0, number)?;
        // The model must be invertible there: beyond its turning point a lens shows nothing.
        let in_camera = rig.rig_from_board[0] * Point3::from(target.point(number, [0.0; 2]));
        solved.camera.project(&in_camera)?;
        let is_inside = columns.contains(&pixel.x) && rows.contains(&pixel.y);
        is_inside.then_some(Observation { camera: 0, number, pixel })
    };
    (0..board.corner_count()).filter_map(corner).collect()
}
