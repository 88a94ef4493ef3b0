//! Two frames of one camera: what moved, how much of it is parallax, and what does not belong to the scene at rest.

use crate::optical_flow::{GrayPicture, Pyramid, RotationFit, Track, corners, track_both_ways};
use parallax_core::camera::Intrinsics;

use super::Sight;
use super::statistics::{median, quantile, share};
use super::two_views::{FEWEST_TRACKS, TwoViews};

/// Corners that a picture is covered with: enough for a histogram, a geometry and its outliers.
const CORNERS: usize = 300;
/// Corners nearer than this to each other are one corner.
const LEAST_CELL_PX: usize = 6;
/// The camera stands when three quarters of the picture move less than this: what a bilinear photometric loss can
/// just tell.
pub const STANDING_PX: f64 = 0.5;
/// The camera only turned when the best rotation leaves less than this of three quarters of the picture …
const TURNING_PX: f64 = 0.5;
/// … or less than this part of its motion: an error of 2 % in the focal length leaves as much of a pure turn.
const TURNING_SHARE: f64 = 0.03;
/// Farther from the epipolar geometry than this, a track is on something that moves by itself: five times the tracks'
/// noise.
pub const STRAY_PX: f64 = 1.5;
/// Part of the corners that must be followed for their strays to count.
const LEAST_TRUSTED: f64 = 0.4;
/// Mean difference of two pictures, grey levels, below which they are the same one: a real sensor's noise makes 0.5
/// or more.
const SAME_PICTURE: f64 = 0.05;

/// How the camera moved between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraMotion {
    /// The two are one picture.
    SamePicture,
    /// It stood.
    Stands,
    /// It turned on the spot.
    Turns,
    /// It moved.
    Moves,
    /// Too few points could be followed to tell.
    Lost,
}

/// Corners of one picture, followed into another.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Those that could be followed there and back.
    pub tracks: Vec<Track>,
    /// Corners there were.
    pub corners: usize,
    /// Whether the two are one picture.
    pub same: bool,
}

impl Followed {
    /// Follows the corners of the first picture into the second.
    pub fn new(first: &Sight, second: &Sight) -> Self {
        let points = corners(&first.pyramid, cell_px(&first.pyramid));
        let tracks = track_both_ways(&first.pyramid, &second.pyramid, &points);
        Self { tracks, corners: points.len(), same: is_same_picture(&first.gray, &second.gray) }
    }

    /// Part of the corners that could be followed.
    pub fn share(&self) -> f64 {
        self.tracks.len() as f64 / self.corners.max(1) as f64
    }
}

/// How the camera moved, and what that moved in the picture.
#[derive(Debug, Clone)]
pub struct MotionMeasure {
    /// How the camera moved.
    pub motion: CameraMotion,
    /// Median motion, pixels.
    pub flow_median_px: f64,
    /// 90th percentile of it.
    pub flow_p90_px: f64,
    /// Median of what the best rotation leaves, pixels.
    pub parallax_px: f64,
    /// What the best rotation must leave of three quarters of the picture to be more than a turn, pixels.
    turning_px: f64,
    /// The best rotation; none for too few tracks.
    fit: Option<RotationFit>,
}

impl MotionMeasure {
    /// What a camera of these intrinsics, at the size of the pictures, must have done.
    pub fn new(followed: &Followed, intrinsics: &Intrinsics) -> Self {
        let tracks = &followed.tracks;
        let lengths = || tracks.iter().map(|track| f64::from(track.length_px()));
        let flow = |part| quantile(lengths(), part).unwrap_or(0.0);
        let fit = RotationFit::new(tracks, intrinsics).filter(|_| tracks.len() >= FEWEST_TRACKS);
        let parallax =
            |part| fit.as_ref().and_then(|fit| quantile(fit.parallax_px().map(f64::from), part)).unwrap_or(0.0);
        let turning_px = TURNING_PX.max(TURNING_SHARE * flow(0.5));
        let motion = match &fit {
            _ if followed.same => CameraMotion::SamePicture,
            None => CameraMotion::Lost,
            Some(_) if flow(0.75) < STANDING_PX => CameraMotion::Stands,
            Some(_) if parallax(0.75) < turning_px => CameraMotion::Turns,
            Some(_) => CameraMotion::Moves,
        };
        let (flow_median_px, flow_p90_px, parallax_px) = (flow(0.5), flow(0.9), parallax(0.5));
        Self { motion, flow_median_px, flow_p90_px, parallax_px, turning_px, fit }
    }
}

/// What a pair of frames says.
#[derive(Debug, Clone)]
pub struct PairMeasure {
    /// Frame numbers.
    pub frames: [usize; 2],
    /// How the camera moved.
    pub motion: CameraMotion,
    /// Part of the corners that could be followed.
    pub followed: f64,
    /// Median motion, pixels.
    pub flow_median_px: f64,
    /// 90th percentile of it.
    pub flow_p90_px: f64,
    /// Median of what the best rotation leaves, pixels.
    pub parallax_px: f64,
    /// Angle of the best rotation.
    pub rotation_rad: f64,
    /// Part of the tracks that do not follow the camera's motion; none where the pair is too poor to tell.
    pub stray_share: Option<f64>,
    /// The tracks.
    pub tracks: Vec<Track>,
    /// Whether each of them strays.
    pub strays: Vec<bool>,
}

impl PairMeasure {
    /// Follows the corners of the first frame into the second.
    pub fn new(frames: [usize; 2], first: &Sight, second: &Sight, intrinsics: &Intrinsics) -> Self {
        Self::of(frames, Followed::new(first, second), intrinsics)
    }

    fn of(frames: [usize; 2], followed: Followed, intrinsics: &Intrinsics) -> Self {
        let measure = MotionMeasure::new(&followed, intrinsics);
        let share_followed = followed.share();
        let tracks = followed.tracks;
        let strays = match (&measure.fit, measure.motion) {
            (Some(fit), CameraMotion::Stands | CameraMotion::Turns) => {
                let limit = STRAY_PX.max(measure.turning_px);
                Some(fit.parallax_px().map(|left| f64::from(left) > limit).collect())
            }
            (Some(fit), CameraMotion::Moves) => strays_of_motion(&tracks, fit, intrinsics),
            _ => None,
        };
        // Where most corners are lost, many of the others were followed wrongly.
        let strays = strays.filter(|_| tracks.len() as f64 >= LEAST_TRUSTED * followed.corners as f64);
        Self {
            frames,
            motion: measure.motion,
            followed: share_followed,
            flow_median_px: measure.flow_median_px,
            flow_p90_px: measure.flow_p90_px,
            parallax_px: measure.parallax_px,
            rotation_rad: measure.fit.as_ref().map_or(0.0, RotationFit::angle_rad),
            stray_share: strays.as_ref().map(|strays: &Vec<bool>| share(strays, |stray| *stray)),
            strays: strays.unwrap_or_else(|| vec![false; tracks.len()]),
            tracks,
        }
    }
}

/// Side of the cells of which each gives a corner: 20 px in a picture of 640×192.
pub fn cell_px(pyramid: &Pyramid) -> usize {
    (pyramid.width() * pyramid.height() / CORNERS).isqrt().max(LEAST_CELL_PX)
}

/// Tracks off the epipolar geometry, and those that would lie behind the camera.
fn strays_of_motion(tracks: &[Track], fit: &RotationFit, intrinsics: &Intrinsics) -> Option<Vec<bool>> {
    let views = TwoViews::new(tracks, &fit.second_from_first, intrinsics)?;
    // Noise of the tracks at hand: on noisy or shaky footage 1.5 px would call the scene itself a stray.
    let noise = median(views.distances_px.iter().copied()).unwrap_or(0.0);
    let limit = STRAY_PX.max(5.0 * noise);
    let strays = (0..tracks.len()).map(|at| {
        let [x, y] = fit.parallax[at];
        let behind = views.inverse_depths[at] < 0.0 && f64::from(x.hypot(y)) > 2.0 * limit;
        views.distances_px[at] > limit || behind
    });
    Some(strays.collect())
}

/// Whether two pictures differ by less than any camera's noise.
pub fn is_same_picture(first: &GrayPicture, second: &GrayPicture) -> bool {
    let sum: f64 = first.values.iter().zip(&second.values).map(|(a, b)| f64::from((a - b).abs())).sum();
    sum / (first.values.len() as f64) < SAME_PICTURE
}

#[cfg(test)]
mod tests {
    use super::super::two_views::ray;
    use super::*;
    use nalgebra::{Rotation3, Vector3};

    const K: Intrinsics = Intrinsics { fx: 300.0, fy: 300.0, cx: 159.5, cy: 79.5 };

    fn measure(rotation: &Rotation3<f64>, shift: Vector3<f64>, movers: usize) -> PairMeasure {
        let places = (0..16).flat_map(|x| (0..8).map(move |y| [10.0 + 20.0 * x as f32, 8.0 + 20.0 * y as f32]));
        let tracks: Vec<_> = places
            .enumerate()
            .map(|(index, from)| {
                let depth = 4.0 + (index * 7 % 23) as f64;
                let mut point = rotation * (ray(from, &K) * depth) + shift;
                if index < movers {
                    point += Vector3::new(0.0, -0.2, 0.0) * depth / 4.0;
                }
                let to = [(K.fx * point.x / point.z + K.cx) as f32, (K.fy * point.y / point.z + K.cy) as f32];
                Track { index, from, to }
            })
            .collect();
        PairMeasure::of([0, 1], Followed { tracks, corners: 140, same: false }, &K)
    }

    #[test]
    fn standing_turning_and_moving_are_told_apart() {
        let (still, turn) = (Rotation3::identity(), Rotation3::from_euler_angles(0.0, 0.05, 0.0));
        assert_eq!(measure(&still, Vector3::zeros(), 0).motion, CameraMotion::Stands);
        assert_eq!(measure(&turn, Vector3::zeros(), 0).motion, CameraMotion::Turns);
        let moved = measure(&turn, Vector3::new(0.0, 0.0, -0.5), 0);
        assert_eq!(moved.motion, CameraMotion::Moves);
        assert!(moved.parallax_px > 2.0 && moved.stray_share == Some(0.0), "{moved:?}");
    }

    #[test]
    fn what_moves_by_itself_is_counted_whether_the_camera_stands_or_moves() {
        for shift in [Vector3::zeros(), Vector3::new(0.1, 0.0, -0.5)] {
            let seen = measure(&Rotation3::identity(), shift, 16).stray_share.unwrap();
            assert!((seen - 0.125).abs() < 0.03, "{seen} for {shift:?}");
        }
    }
}
