//! The robot's drive along the path, and the camera it carries.
//!
//! The camera frame is x right, y down, z forward; poses are `world_from_camera`.

use crate::config::{DriveConfig, Heading};
use crate::random::{Dice, hash};
use crate::world::World;
use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use parallax_core::camera::{Camera, Intrinsics};
use std::f64::consts::{PI, TAU};

/// How far the robot wanders from the middle of the path.
const WANDER_M: f64 = 0.3;

/// A drive through a place: a pose and a time for every frame number.
pub struct Drive<'a> {
    world: &'a World,
    config: DriveConfig,
    phases: [f64; 6],
}

impl World {
    /// A drive along this place's path.
    pub fn drive(&self, config: &DriveConfig) -> Drive<'_> {
        let mut dice = Dice::new(hash(self.seed, config.start_secs.to_bits() ^ config.heading as u64), "drive");
        Drive { world: self, config: config.clone(), phases: std::array::from_fn(|_| f64::from(dice.angle())) }
    }
}

impl Drive<'_> {
    /// Seconds from the first frame to frame `index`.
    pub fn elapsed_secs(&self, index: usize) -> f64 {
        index as f64 / self.config.fps
    }

    /// Seconds since the place's beginning at frame `index`: the time to render at.
    pub fn time_secs(&self, index: usize) -> f64 {
        self.config.start_secs + self.elapsed_secs(index)
    }

    /// Metres driven up to frame `index`.
    pub fn driven_m(&self, index: usize) -> f64 {
        // The integral of speed · (1 + ¼ sin(2πt/7 + φ)).
        let (time, rate) = (self.elapsed_secs(index), TAU / 7.0);
        let wave = |time: f64| -(rate * time + self.phases[0]).cos() / rate;
        self.config.speed_m_per_s * (time + 0.25 * (wave(time) - wave(0.0)))
    }

    /// The pose of the left camera at frame `index`.
    pub fn world_from_camera(&self, index: usize) -> Isometry3<f64> {
        let driven = self.driven_m(index);
        let (here, ahead) = (self.ground_point(driven), self.ground_point(driven + 0.3));
        let yaw = (ahead - here).y.atan2((ahead - here).x);
        let shake =
            |size: f64, period: f64, phase: f64| self.config.shake * size * (TAU * driven / period + phase).sin();
        let pitch = self.config.pitch_down_rad + shake(0.005, 3.1, self.phases[1]) + shake(0.002, 0.53, self.phases[2]);
        let roll = shake(0.006, 4.3, self.phases[3]) + shake(0.002, 0.71, self.phases[4]);
        let height = self.config.camera_height_m + shake(0.006, 1.7, self.phases[5]);
        // Body frame x forward, y left, z up; the camera's axes in it: x right, y down, z forward.
        let body_from_camera = Rotation3::from_matrix_unchecked(Matrix3::new(0., 0., 1., -1., 0., 0., 0., -1., 0.));
        let world_from_body = Rotation3::from_euler_angles(roll, pitch, yaw);
        let rotation = UnitQuaternion::from_rotation_matrix(&(world_from_body * body_from_camera));
        Isometry3::from_parts(Translation3::new(here.x, here.y, height), rotation)
    }

    fn ground_point(&self, driven_m: f64) -> Vector3<f64> {
        let length = self.world.path_length_m();
        let (sign, turn) = match self.config.heading {
            Heading::Forward => (1.0, 0.0),
            Heading::Backward => (-1.0, PI),
        };
        let along = (self.config.start_m + sign * driven_m).rem_euclid(length);
        let spot = self.world.path.at(along as f32);
        let wander = WANDER_M * (TAU * driven_m / 23.0 + self.phases[3] + turn).sin();
        let at = spot.beside(wander as f32);
        Vector3::new(f64::from(at.x), f64::from(at.y), 0.0)
    }
}

/// The robot's camera: a pinhole with 78° from side to side (f = 0.62 widths), a usual wide-angle webcam.
pub fn robot_camera(name: &str, width: u32, height: u32) -> Camera {
    let focal = 0.62 * f64::from(width);
    let centre = |size: u32| (f64::from(size) - 1.0) / 2.0;
    Camera::pinhole(name, width, height, Intrinsics { fx: focal, fy: focal, cx: centre(width), cy: centre(height) })
}

/// The pose of the right camera of a pair from the left one's.
pub fn right_from_left_pose(world_from_left: &Isometry3<f64>, baseline_m: f64) -> Isometry3<f64> {
    world_from_left * Translation3::new(baseline_m, 0.0, 0.0)
}
