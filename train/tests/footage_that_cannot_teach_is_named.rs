//! Footage that cannot be trained on ends in an error that names it and says what to do, before anything is written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod footage;

use std::path::Path;

use parallax_core::model_input::ModelInput;
use parallax_train::Error;
use parallax_train::data::{DepthBatches, Footage, FootageConfig, Supervision};

fn batches(data: &Path, from: Supervision) -> Result<DepthBatches, Error> {
    let config = FootageConfig {
        data: vec![data.to_path_buf()],
        camera: None,
        right_camera: None,
        width: 64,
        height: 32,
        memory: 0,
    };
    DepthBatches::new(Footage::open(&config)?, ModelInput::imagenet(64, 32), vec![from], 1, 2, 1, vec![2, 4, 8, 16])
}

fn assert_error(data: &Path, from: Supervision, what: &str, hint: &str) {
    let error = batches(data, from).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(what) && text.contains("drive"), "{text}");
    assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
}

#[test]
fn frames_without_a_camera_need_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = footage::stereo_drive(folder.path(), 3);
    std::fs::remove_file(data.join("camera.yaml")).unwrap();
    assert_error(&data, Supervision::Video, "no camera", "--camera");
}

#[test]
fn a_single_frame_is_no_video() {
    let folder = tempfile::tempdir().unwrap();
    let data = footage::stereo_drive(folder.path(), 1);
    assert_error(&data, Supervision::Video, "at least 3 frames, found 1", "longer recording");
    assert!(batches(&data, Supervision::Stereo).is_ok());
}

#[test]
fn stereo_needs_right_images_and_a_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let data = footage::stereo_drive(folder.path(), 3);
    std::fs::remove_file(data.join("camera_right.yaml")).unwrap();
    assert_error(&data, Supervision::Stereo, "baseline", "camera_right.yaml");
    std::fs::remove_dir_all(data.join("frames_right")).unwrap();
    assert_error(&data, Supervision::Stereo, "right images", "--from video");
}

#[test]
fn an_absurd_focal_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = footage::stereo_drive(folder.path(), 3);
    let file = data.join("camera.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("50", "2")).unwrap();
    let error = batches(&data, Supervision::Video).unwrap_err().to_string();
    assert!(error.contains("focal length") && error.contains("camera.yaml"), "{error}");
}

#[test]
fn mirrored_pairs_keep_their_geometry() {
    // A pair shows a wall at one depth: whatever was drawn, shifting by focal length × shift / depth must fit.
    let folder = tempfile::tempdir().unwrap();
    let data = footage::stereo_drive(folder.path(), 4);
    let batches = batches(&data, Supervision::Stereo).unwrap();
    let disparity_px = 2.0_f32;
    for step in 0..8 {
        let batch = batches.batch(step).unwrap();
        let source = &batch.terms[0].sources[0];
        let parallax_train::data::Motion::Shift(shifts) = &source.motion else { panic!("stereo has known shifts") };
        for (image, shift) in shifts.iter().enumerate() {
            assert!((shift.abs() - 0.1).abs() < 1e-6);
            let moved = (disparity_px * shift.signum()) as i32;
            let row = image * 3 * 64 * 32 + 10 * 64;
            for x in 10..54_i32 {
                let (target, source) = (batch.target[row + x as usize], source.image[row + (x + moved) as usize]);
                assert!((target - source).abs() < 0.02, "step {step}, image {image}: {target} {source}");
            }
        }
    }
}
