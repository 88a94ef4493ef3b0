//! Footage that cannot be trained on ends in an error that names it and says what to do, before anything is written.

use std::path::Path;

use parallax_core::camera::{Camera, Intrinsics, ros_yaml};
use parallax_core::frame::{Frame, Timestamp};
use parallax_core::model_input::ModelInput;
use parallax_core::recording::{DurableHeader, DurableWriter, Encoding, Eye};
use parallax_train::Error;
use parallax_train::data::{
    Augmentation, CropConfig, CropSources, DepthBatches, DepthBatchesConfig, Footage, FootageConfig, FootageNeeds,
    FrameSize, Motion, PoseSource, Supervision, TermsConfig,
};

fn footage_of(data: &Path, needs: &FootageNeeds) -> Result<Footage, Error> {
    let config = FootageConfig {
        data: vec![data.to_path_buf()],
        camera: None,
        right_camera: None,
        width: 64,
        height: 32,
        memory: 0,
    };
    Footage::open_for(&config, needs)
}

fn config(from: &[Supervision]) -> DepthBatchesConfig {
    DepthBatchesConfig {
        supervisions: from.to_vec(),
        terms: TermsConfig::default(),
        input: ModelInput::imagenet(64, 32),
        frame_gap: 1,
        batch: 2,
        seed: 1,
        strides: vec![2, 4, 8, 16],
        crop: None,
        augmentation: Some(Augmentation::Published),
    }
}

fn batches(data: &Path, from: Supervision) -> Result<DepthBatches, Error> {
    DepthBatches::new(footage_of(data, &FootageNeeds::default())?, config(&[from]))
}

fn given_poses(data: &Path) -> Result<DepthBatches, Error> {
    let needs = FootageNeeds { poses: PoseSource::Given, ..FootageNeeds::default() };
    let terms = TermsConfig { poses: PoseSource::Given, ..TermsConfig::default() };
    DepthBatches::new(footage_of(data, &needs)?, DepthBatchesConfig { terms, ..config(&[Supervision::Video]) })
}

fn assert_named(result: Result<DepthBatches, Error>, what: &str, hint: &str) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(what) && text.contains("drive"), "{text}");
    assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
}

#[test]
fn frames_without_a_camera_need_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 3);
    std::fs::remove_file(data.join("camera.yaml")).unwrap();
    assert_named(batches(&data, Supervision::Video), "no camera", "--camera");
}

#[test]
fn a_single_frame_is_no_video() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 1);
    assert_named(batches(&data, Supervision::Video), "at least 3 frames, found 1", "longer recording");
    assert!(batches(&data, Supervision::Stereo).is_ok());
}

#[test]
fn stereo_needs_right_images_and_a_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 3);
    std::fs::remove_file(data.join("camera_right.yaml")).unwrap();
    assert_named(batches(&data, Supervision::Stereo), "baseline", "camera_right.yaml");
    assert_named(batches(&data, Supervision::Stereo), "baseline", "--right-camera");
    let camera = ros_yaml::read(&data.join("camera.yaml")).unwrap();
    for (baseline_m, says) in [(-0.09, "to the left of the left one"), (90.0, "another unit"), (0.0, "no baseline")] {
        ros_yaml::write(&data.join("camera_right.yaml"), &camera.clone().with_baseline(baseline_m)).unwrap();
        assert_named(batches(&data, Supervision::Stereo), says, "P");
        // Video asks for no baseline.
        assert!(batches(&data, Supervision::Video).is_ok());
    }
    std::fs::remove_dir_all(data.join("frames_right")).unwrap();
    assert_named(batches(&data, Supervision::Stereo), "right images", "leave stereo out");
}

#[test]
fn a_range_sensor_that_is_not_there_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 3);
    assert_named(batches(&data, Supervision::Range), "range needs measured depth", "depth/");
}

#[test]
fn given_poses_must_be_there_and_move() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 5);
    assert_named(given_poses(&data), "need the camera's poses", "poses.txt");
    std::fs::write(data.join("poses.txt"), "1 0 0 0 0 1 0 0 0 0 1 0\n".repeat(5)).unwrap();
    assert_named(given_poses(&data), "it stands", "--frame-gap");
}

#[test]
fn frames_without_a_pose_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 6);
    let rows = [0.0, 0.13, 0.26, 0.39, 0.52].map(|z| format!("1 0 0 {z} 0 1 0 0 0 0 1 0\n")).concat();
    std::fs::write(data.join("poses.txt"), rows).unwrap();
    let batches = given_poses(&data).unwrap();
    // Targets 1, 2 and 3 have neighbours with poses.
    assert_eq!(batches.samples(), 3);
    assert!((batches.metres_per_unit.unwrap() - 1.3).abs() < 1e-6);
}

#[test]
fn partners_are_not_taken_across_what_a_recorder_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let samples = |name: &str, starts: &[usize]| {
        let intrinsics = Intrinsics { fx: 50.0, fy: 50.0, cx: 31.5, cy: 15.5 };
        let cameras = [Some(Camera::pinhole("left", 64, 32, intrinsics)), None];
        let header = DurableHeader { cameras, ..DurableHeader::default() };
        let mut writer = DurableWriter::create(&folder.path().join(name), header).unwrap();
        for index in 0..9 {
            let picture = image::RgbImage::from_pixel(64, 32, image::Rgb([20 * index as u8; 3]));
            let frame = Frame::from_rgb(picture, Timestamp::from_secs_f64(1.0 + 0.1 * index as f64), index as u64);
            if starts.contains(&index) {
                writer.begin_snippet(frame.timestamp, &()).unwrap();
            }
            writer.write_frame(Eye::Left, &frame, Encoding::Png).unwrap();
        }
        let path = writer.finish().unwrap().unwrap();
        batches(&path, Supervision::Video).unwrap().samples()
    };
    assert_eq!(samples("through.mcap", &[]), 7);
    // Snippets of three, two and four frames hold one, no and two targets.
    assert_eq!(samples("chosen.mcap", &[0, 3, 5]), 3);
}

#[test]
fn a_crop_larger_than_the_frames_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 3);
    let footage = || footage_of(&data, &FootageNeeds { frames: FrameSize::Full, ..FootageNeeds::default() }).unwrap();
    let crop = |width, height| {
        Some(CropConfig { width, height, from: FrameSize::Full, sources: CropSources::Window, zoom: None })
    };
    let of = |crop| DepthBatches::new(footage(), DepthBatchesConfig { crop, ..config(&[Supervision::Video]) });
    assert_named(of(crop(64, 64)), "64x64 does not fit into frames of 64x32", "no larger than the frames");
    assert!(of(crop(32, 32)).is_ok());
}

#[test]
fn an_absurd_focal_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 3);
    let file = data.join("camera.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("50", "2")).unwrap();
    let error = batches(&data, Supervision::Video).unwrap_err().to_string();
    assert!(error.contains("focal length") && error.contains("camera.yaml"), "{error}");
}

#[test]
fn mirrored_and_cropped_pairs_keep_their_geometry() {
    // A pair shows a wall at one depth: whatever was drawn, shifting by focal length × shift / depth must fit.
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 4);
    let crop = CropConfig { width: 32, height: 32, from: FrameSize::Network, sources: CropSources::Window, zoom: None };
    for crop in [None, Some(crop)] {
        let config = DepthBatchesConfig { crop, ..config(&[Supervision::Stereo]) };
        let batches = DepthBatches::new(footage_of(&data, &FootageNeeds::default()).unwrap(), config).unwrap();
        assert_pairs_fit(&batches);
    }
}

fn assert_pairs_fit(batches: &DepthBatches) {
    let disparity_px = 2.0_f32;
    for step in 0..8 {
        let batch = batches.batch(step).unwrap();
        let width = batch.width as i32;
        let source = &batch.terms[0].sources[0];
        let Motion::Known(motions) = &source.motion else { panic!("stereo has known motions") };
        for (image, motion) in motions.iter().enumerate() {
            let shift = motion[3];
            assert!((shift.abs() - 0.1).abs() < 1e-6);
            let moved = (disparity_px * shift.signum()) as i32;
            let row = image * 3 * (width * 32) as usize + 10 * width as usize;
            for x in 10..width - 10 {
                let (target, source) = (batch.target[row + x as usize], source.image[row + (x + moved) as usize]);
                assert!((target - source).abs() < 0.02, "step {step}, image {image}: {target} {source}");
            }
        }
    }
}
