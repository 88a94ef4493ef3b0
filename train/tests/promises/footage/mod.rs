//! A small made-up drive on disk: textured wall, known motion, stereo; and settings of a depth run on it.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use parallax_core::camera::{Camera, Intrinsics, ros_yaml};
use parallax_models::Network;
use parallax_train::data::{Augmentation, IntrinsicsSource, Supervision, TermsConfig};
use parallax_train::pretraining::PretrainConfig;
use parallax_train::training::{LoopConfig, Schedule};

/// Picture size of the drive.
const SIZE: (u32, u32) = (64, 32);

/// Writes a folder with `frames/`, `frames_right/` and both camera files; the cameras are 0.2 m apart.
pub(crate) fn stereo_drive(parent: &Path, frames: usize) -> PathBuf {
    let folder = parent.join("drive");
    let camera = Camera::pinhole("left", SIZE.0, SIZE.1, Intrinsics { fx: 50.0, fy: 50.0, cx: 31.5, cy: 15.5 });
    for (eye, shift) in [("frames", 0.0), ("frames_right", 2.0)] {
        std::fs::create_dir_all(folder.join(eye)).unwrap();
        for frame in 0..frames {
            wall(shift + 1.3 * frame as f32).save(folder.join(eye).join(format!("{frame:06}.png"))).unwrap();
        }
    }
    ros_yaml::write(&folder.join("camera.yaml"), &camera).unwrap();
    ros_yaml::write(&folder.join("camera_right.yaml"), &camera.with_baseline(0.2)).unwrap();
    folder
}

/// Settings of a run on such a drive, at its own size; what a test is about it changes.
pub(crate) fn config(from: &[Supervision], data: &[PathBuf], steps: u64) -> PretrainConfig {
    PretrainConfig {
        from: from.to_vec(),
        data: data.to_vec(),
        validation: Vec::new(),
        camera: None,
        right_camera: None,
        terms: TermsConfig::default(),
        crop: None,
        augmentation: Augmentation::Published,
        intrinsics: IntrinsicsSource::Given,
        network: Network::Slim,
        width: SIZE.0 as usize,
        height: SIZE.1 as usize,
        batch: 4,
        frame_gap: 1,
        seed: 5,
        init: None,
        memory: 1 << 22,
        metres_per_unit: None,
        learned_cameras: Vec::new(),
        steps: LoopConfig {
            steps,
            learning_rate: 2e-3,
            schedule: Schedule::Cosine,
            save_every: 0,
            picture_every: 0,
            loader_threads: 1,
            ..LoopConfig::default()
        },
    }
}

fn wall(shift: f32) -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let (x, y) = (x as f32 + shift, y as f32);
        let value = |phase: f32| 128.0 + 90.0 * (0.4 * x + phase).sin() * (0.33 * y + 0.07 * x - phase).cos();
        Rgb([value(0.0) as u8, value(0.8) as u8, value(1.9) as u8])
    })
}
