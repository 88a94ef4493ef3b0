//! Footage without a camera file: a camera that turns is found, one that drives straight is said not to be.
//!
//! The true focal length is 0.62 widths, 79.4 pixels; a run begins at 0.8 widths, 29 % too long.

use crate::few_shot::cpu;
use crate::places::{SIZE, Walk, write_walks};
use nalgebra::Vector3;
use parallax_train::data::{IntrinsicsSource, PoseSource, Supervision, TermsConfig};
use parallax_train::pretraining::{LearnedCamera, PretrainConfig, pretrain};
use parallax_train::training::LoopConfig;

const TURNING: Walk = Walk { step_m: Vector3::new(0.0, 0.0, 0.1), yaw: 0.05, pitch: 0.015 };
const STRAIGHT: Walk = Walk { yaw: 0.0, pitch: 0.0, ..TURNING };

fn learned(walk: &Walk, poses: PoseSource, steps: u64, learning_rate: f64) -> LearnedCamera {
    let folder = tempfile::tempdir().unwrap();
    let data = write_walks(folder.path(), walk, 8, 16);
    let config = crate::footage::config(&[Supervision::Video], &data, steps);
    let config = PretrainConfig {
        terms: TermsConfig { poses, ..TermsConfig::default() },
        intrinsics: IntrinsicsSource::Learn,
        width: SIZE.0 as usize,
        height: SIZE.1 as usize,
        seed: 1,
        memory: 1 << 26,
        steps: LoopConfig { learning_rate, ..config.steps },
        ..config
    };
    pretrain(config, &folder.path().join("run"), &cpu()).unwrap().cameras[0]
}

fn assert_found(camera: &LearnedCamera) {
    let truth = 0.62 * f64::from(SIZE.0);
    assert!((camera.focal_px / truth - 1.0).abs() < 0.1, "{camera:?}, the truth is {truth}");
    assert!(camera.determined, "{camera:?}");
}

#[test]
fn a_turning_camera_is_found_from_odometry() {
    assert_found(&learned(&TURNING, PoseSource::Given, 250, 1e-3));
}

#[test]
fn a_camera_that_drives_straight_is_not_determined() {
    let camera = learned(&STRAIGHT, PoseSource::Learned, 400, 5e-4);
    assert!(!camera.determined && camera.focal_sigma > 0.1, "{camera:?}");
}

#[test]
fn a_turning_camera_is_found_with_its_motion() {
    assert_found(&learned(&TURNING, PoseSource::Learned, 1200, 5e-4));
}
