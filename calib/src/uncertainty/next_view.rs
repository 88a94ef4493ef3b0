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
use crate::solve::{Observation, Rig, RigCamera, Solution, SolvedCamera, Target, information_of_view};
use nalgebra::{Cholesky, DMatrix, Isometry3, Point2, Point3, Translation3, UnitQuaternion, Vector3};
use parallax_core::board::Board;
use parallax_core::camera::Camera;
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

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Top => "upper",
            Self::Bottom => "lower",
        })
    }
}

impl fmt::Display for NextView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "board {}, {:.0} % of the width, ", place_in_words(self.place), self.size * 100.0)?;
        match self.away {
            None => write!(formatter, "facing the camera"),
            Some(side) => write!(formatter, "its {side} edge tilted {TILT_DEGREES:.0} degrees away"),
        }
    }
}

/// Which ninth of the picture a place (parts of its width and height) is in.
pub(crate) fn place_in_words((x, y): (f64, f64)) -> &'static str {
    let third = |part: f64| ((part * 3.0) as usize).min(2);
    match (third(x), third(y)) {
        (1, 1) => "in the middle",
        (0, 0) => "in the top left corner",
        (1, 0) => "at the top",
        (2, 0) => "in the top right corner",
        (0, 1) => "at the left",
        (2, 1) => "at the right",
        (0, 2) => "in the bottom left corner",
        (1, 2) => "at the bottom",
        _ => "in the bottom right corner",
    }
}

/// How far a board is tilted in a view that is tilted at all.
pub(crate) const TILT_DEGREES: f64 = 35.0;
const PLACES: [f64; 3] = [0.22, 0.5, 0.78];
const SIZES: [f64; 3] = [0.3, 0.5, 0.8];
const SIDES: [Option<Side>; 5] = [None, Some(Side::Left), Some(Side::Right), Some(Side::Top), Some(Side::Bottom)];

/// What is known of a camera, to be asked what a view would add.
pub(crate) struct Knowledge<'a> {
    board: &'a Board,
    target: &'a Target,
    camera: &'a Camera,
    rig_camera: RigCamera,
    /// Inverse of the covariance of the camera's numbers.
    information: DMatrix<f64>,
    /// See [`Map::mean_square`].
    mean_square: DMatrix<f64>,
    /// The mean variance of a pixel as it is.
    before: f64,
    sigma_px: f64,
}

impl<'a> Knowledge<'a> {
    /// None while the views leave the camera's numbers open.
    pub(crate) fn of(solution: &'a Solution, target: &'a Target, camera: usize) -> Option<Self> {
        let solved = &solution.cameras[camera];
        let map = Map::new(solved, solved.covariance.as_ref()?);
        Self::new(&solution.board, target, solved, &map, solution.sigma_px)
    }

    pub(super) fn new(
        board: &'a Board,
        target: &'a Target,
        solved: &'a SolvedCamera,
        map: &Map,
        sigma_px: f64,
    ) -> Option<Self> {
        let covariance = solved.covariance.as_ref()?;
        Some(Self {
            board,
            target,
            camera: &solved.camera,
            rig_camera: RigCamera {
                lens: solved.lens,
                numbers: solved.numbers.clone(),
                camera_from_rig: Isometry3::identity(),
            },
            information: Cholesky::new(covariance.clone())?.inverse(),
            mean_square: map.mean_square.clone(),
            before: (&map.mean_square * covariance).trace(),
            sigma_px,
        })
    }

    fn rig(&self, pose: Isometry3<f64>) -> Rig {
        Rig { cameras: vec![self.rig_camera.clone()], rig_from_board: vec![pose], warp_m: [0.0; 2] }
    }

    /// What the typical uncertainty of a pixel shrinks to with these corners of a board at `pose`, as a part of what it is.
    pub(crate) fn after(&self, pose: Isometry3<f64>, seen: &[Observation]) -> Option<f64> {
        let information = information_of_view(&self.rig(pose), self.target, 0, seen)?;
        let count = self.rig_camera.numbers.len();
        let information = information.view((0, 0), (count, count)) / (self.sigma_px * self.sigma_px);
        let after = Cholesky::new(&self.information + information)?;
        Some(((&self.mean_square * after.inverse()).trace() / self.before).sqrt())
    }

    /// The view that would help most.
    pub(super) fn best(&self) -> Option<NextView> {
        let mut best: Option<NextView> = None;
        for place in PLACES.iter().flat_map(|&x| PLACES.map(|y| (x, y))) {
            for (size, away) in SIZES.iter().flat_map(|&size| SIDES.map(|side| (size, side))) {
                let Some(pose) = pose(self.target, self.camera, place, size, away) else { continue };
                let seen = self.visible(pose);
                // Only views that a detector would accept.
                let is_accepted = if self.board.allows_parts() {
                    2 * seen.len() >= self.board.corner_count()
                } else {
                    seen.len() == self.board.corner_count() && self.shows_fields_around(pose)
                };
                if !is_accepted {
                    continue;
                }
                let Some(improvement) = self.after(pose, &seen) else { continue };
                if best.is_none_or(|best| improvement < best.improvement) {
                    best = Some(NextView { place, size, away, improvement });
                }
            }
        }
        best
    }

    /// Whether half a field around the outermost corners is in the picture: a corner is known by its four fields.
    fn shows_fields_around(&self, pose: Isometry3<f64>) -> bool {
        let (far, half) = (self.target.middle() * 2.0, self.board.least_gap_m() / 2.0);
        let (width, height) = (f64::from(self.camera.width), f64::from(self.camera.height));
        let corners = [(-half, -half), (far.x + half, -half), (far.x + half, far.y + half), (-half, far.y + half)];
        corners.into_iter().all(|(x, y)| {
            let pixel = self.camera.project(&(pose * Point3::new(x, y, 0.0)));
            pixel.is_some_and(|pixel| (0.0..width).contains(&pixel.x) && (0.0..height).contains(&pixel.y))
        })
    }

    fn visible(&self, pose: Isometry3<f64>) -> Vec<Observation> {
        let rig = self.rig(pose);
        let (width, height) = (f64::from(self.camera.width), f64::from(self.camera.height));
        // A corner needs some pixels around it.
        let (columns, rows) = (4.0..width - 5.0, 4.0..height - 5.0);
        let corner = |number: usize| {
            let pixel = rig.pixel(self.target, 0, 0, number)?;
            // The model must be invertible there: beyond its turning point a lens shows nothing.
            self.camera.project(&(pose * Point3::from(self.target.point(number, [0.0; 2]))))?;
            let is_inside = columns.contains(&pixel.x) && rows.contains(&pixel.y);
            is_inside.then_some(Observation { camera: 0, number, pixel })
        };
        (0..self.board.corner_count()).filter_map(corner).collect()
    }
}

/// The board with its middle at `place`, as wide as `size` of the picture when it faces the camera.
pub(crate) fn pose(
    target: &Target,
    camera: &Camera,
    place: (f64, f64),
    size: f64,
    away: Option<Side>,
) -> Option<Isometry3<f64>> {
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
