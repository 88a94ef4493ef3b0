//! Where the board is held: its place in the picture, how large it looks, and how it is tilted.
//!
//! Only as exact as choosing views needs: before the camera is known, a guess of its focal length serves.

use crate::detect::Detection;
use crate::solve::{Lens, Observation, Target, pose};
use crate::uncertainty::Side;
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector2, Vector3};
use parallax_core::camera::Camera;
use serde::Serialize;

/// Where a view has the board.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Placement {
    /// The board's middle, as parts of the picture's width and height.
    pub place: (f64, f64),
    /// How much of the picture's width the board takes up when it faces the camera.
    pub size: f64,
    /// Radians by which its left (negative: right) and its upper (negative: lower) edge are tilted away from the camera.
    pub tilt: (f64, f64),
}

/// Tilts below this count as facing the camera, radians.
const FACING_RAD: f64 = 0.26;
/// Differences of place, size (as a factor) and tilt (radians) that make another view: some squares, a step towards the
/// camera, a tilt that hands cannot hold by accident.
const OTHER_PLACE: f64 = 0.15;
const OTHER_SIZE: f64 = 1.25;
const OTHER_TILT_RAD: f64 = 0.2;
/// Parts of the picture's width below which a board is far, and above which it is near.
const FAR: f64 = 0.4;
const NEAR: f64 = 0.6;

/// How large a board looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Less than 40 % of the picture's width.
    Far,
    /// In between.
    Middle,
    /// More than 60 %.
    Near,
}

impl Placement {
    /// How different two views are: from 1 on they are two.
    pub fn difference(&self, other: &Self) -> f64 {
        let place = Vector2::new(self.place.0 - other.place.0, self.place.1 - other.place.1) / OTHER_PLACE;
        let size = (self.size / other.size).ln() / OTHER_SIZE.ln();
        let tilt = Vector2::new(self.tilt.0 - other.tilt.0, self.tilt.1 - other.tilt.1) / OTHER_TILT_RAD;
        (place.norm_squared() + size * size + tilt.norm_squared()).sqrt()
    }

    /// The side that is tilted away most; none for a board that faces the camera.
    pub fn away(&self) -> Option<Side> {
        let (x, y) = self.tilt;
        match () {
            () if x.hypot(y) < FACING_RAD => None,
            () if x.abs() >= y.abs() => Some(if x > 0.0 { Side::Left } else { Side::Right }),
            () => Some(if y > 0.0 { Side::Top } else { Side::Bottom }),
        }
    }

    /// How large it looks.
    pub fn distance(&self) -> Distance {
        match self.size {
            size if size < FAR => Distance::Far,
            size if size > NEAR => Distance::Near,
            _ => Distance::Middle,
        }
    }
}

/// A camera as far as it is known.
#[derive(Clone, Debug)]
pub struct Approximate {
    lens: Lens,
    numbers: Vec<f64>,
    camera: Camera,
}

impl Approximate {
    /// An ordinary camera of this lens: the focal lengths that cameras have between wide and normal.
    pub fn unknown(lens: Lens, size: (u32, u32)) -> Self {
        let focal = match lens {
            Lens::PlumbBob => 0.85,
            Lens::RationalPolynomial => 0.5,
            Lens::Equidistant => 0.38,
        } * f64::from(size.0.max(size.1));
        let mut numbers = vec![0.0; lens.parameter_count()];
        let center = |length: u32| (f64::from(length) - 1.0) / 2.0;
        numbers[..4].copy_from_slice(&[focal, focal, center(size.0), center(size.1)]);
        Self::new(lens, size, numbers)
    }

    /// A camera with these numbers.
    pub fn new(lens: Lens, size: (u32, u32), numbers: Vec<f64>) -> Self {
        Self { lens, camera: lens.camera("camera", size, &numbers), numbers }
    }

    /// The camera.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Where the board is in front of the camera.
    pub(crate) fn pose(&self, target: &Target, found: &Detection) -> Option<Isometry3<f64>> {
        pose(self.lens, &self.numbers, target, &seen(found))
    }

    /// Where the view has the board; none when its corners allow no pose.
    pub(crate) fn placement(&self, target: &Target, found: &Detection) -> Option<Placement> {
        self.placement_at(target, &self.pose(target, found)?)
    }

    /// The same from a pose.
    pub(crate) fn placement_at(&self, target: &Target, pose: &Isometry3<f64>) -> Option<Placement> {
        let middle = target.middle();
        let at = pose * Point3::from(middle);
        let pixel = self.camera.project(&at)?;
        let (width, height) = (f64::from(self.camera.width), f64::from(self.camera.height));
        let ray = at.coords.normalize();
        let facing = UnitQuaternion::rotation_between(&Vector3::z(), &ray)?;
        // The board's normal points away from the viewer; its part across the line of sight says which edge is farther.
        let normal = facing.inverse() * (pose.rotation * Vector3::z());
        let across = normal.xy();
        let angle = across.norm().atan2(normal.z);
        let tilt = if across.norm() > 1e-9 { across.normalize() * angle } else { Vector2::zeros() };
        Some(Placement {
            place: ((pixel.x + 0.5) / width, (pixel.y + 0.5) / height),
            size: self.camera.intrinsics.fx * 2.0 * middle.x.max(middle.y) / (at.coords.norm() * width),
            tilt: (tilt.x, tilt.y),
        })
    }
}

/// A detection as a solver takes it.
pub(crate) fn seen(found: &Detection) -> Vec<Observation> {
    found.corners.iter().map(|corner| Observation { camera: 0, number: corner.number, pixel: corner.pixel }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uncertainty::pose_of_next_view;

    #[test]
    fn a_placement_is_read_back_from_the_pose_that_it_stands_for() {
        let target = Target::new(&"chessboard:9x6:25mm".parse().unwrap());
        let camera = Approximate::unknown(Lens::PlumbBob, (640, 480));
        for (away, x, y) in [
            (None, 0.0, 0.0),
            (Some(Side::Left), 1.0, 0.0),
            (Some(Side::Right), -1.0, 0.0),
            (Some(Side::Top), 0.0, 1.0),
            (Some(Side::Bottom), 0.0, -1.0),
        ] {
            let pose = pose_of_next_view(&target, camera.camera(), (0.3, 0.7), 0.5, away).unwrap();
            let found = camera.placement_at(&target, &pose).unwrap();
            assert_eq!(found.away(), away, "{found:?}");
            let tilt = 35f64.to_radians();
            assert!((found.tilt.0 - x * tilt).abs() < 1e-6 && (found.tilt.1 - y * tilt).abs() < 1e-6, "{found:?}");
            assert!((found.place.0 - 0.3).abs() < 0.01 && (found.place.1 - 0.7).abs() < 0.01, "{found:?}");
            assert!((found.size - 0.5).abs() < 1e-6 && found.distance() == Distance::Middle, "{found:?}");
        }
    }

    #[test]
    fn views_differ_by_place_size_or_tilt() {
        let here = Placement { place: (0.5, 0.5), size: 0.5, tilt: (0.0, 0.0) };
        assert!(here.difference(&Placement { place: (0.55, 0.5), tilt: (0.05, 0.0), ..here }) < 1.0);
        for other in [
            Placement { place: (0.66, 0.5), ..here },
            Placement { size: 0.65, ..here },
            Placement { size: 0.38, ..here },
            Placement { tilt: (0.0, -0.25), ..here },
        ] {
            assert!(here.difference(&other) > 1.0 && other.difference(&here) > 1.0, "{other:?}");
        }
    }
}
