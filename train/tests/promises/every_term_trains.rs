//! Whole runs of the terms: each teaches what it is for, and a run with everything in it resumes bit for bit.

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::Device;
use image::{Rgb, RgbImage};
use parallax_core::camera::{Camera, Intrinsics, ros_yaml};
use parallax_core::depth::{DepthMap, DepthUnit};
use parallax_core::model_input::ModelInput;
use parallax_train::data::{
    Augmentation, CropConfig, CropSources, FrameSize, IntrinsicsSource, PoseSource, SpeedSource, Supervision,
    TermsConfig,
};
use parallax_train::pretraining::prediction::{Views, predict};
use parallax_train::pretraining::{DepthModel, PretrainConfig, config_of, pretrain, resume};
use parallax_train::training::{LoopChanges, LoopConfig, RunFolder, Schedule};

use crate::few_shot::cpu;

fn config(from: Supervision, data: &Path, steps: u64) -> PretrainConfig {
    crate::footage::config(&[from], &[data.to_path_buf()], steps)
}

fn metres_per_unit(run: &Path) -> f64 {
    let folder = RunFolder::open(run).unwrap();
    config_of(&folder, &folder.description().unwrap()).unwrap().metres_per_unit.unwrap()
}

/// Predicted depth of a picture, metres.
fn depth_m(model: &DepthModel, run: &Path, picture: &RgbImage) -> Vec<f32> {
    let input = ModelInput::imagenet(64, 32);
    let mut values = vec![0.0; input.len()];
    input.prepare(picture, &mut values);
    let units = metres_per_unit(run) as f32;
    let depth = predict(&model.valid(), &values, [1, 3, 32, 64], Views::Picture, &Device::flex());
    depth.metres.into_iter().map(|depth| depth * units).collect()
}

fn abs_rel(depth: &[f32], truth: f32) -> f32 {
    depth.iter().map(|depth| (depth - truth).abs() / truth).sum::<f32>() / depth.len() as f32
}

#[test]
fn given_poses_find_the_distance_of_a_wall_in_metres_and_a_run_that_begins_there_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 14);
    // The wall moves 1.3 pixels a frame: at 5 m and 50 pixels of focal length the camera moves 0.13 m to the right.
    let rows: Vec<String> = (0..14).map(|i| format!("1 0 0 {} 0 1 0 0 0 0 1 0\n", 0.13 * f64::from(i))).collect();
    std::fs::write(data.join("poses.txt"), rows.concat()).unwrap();
    let terms = TermsConfig { poses: PoseSource::Given, ..TermsConfig::default() };
    // Two frames apart a unit is 2.6 m, and a fresh network says 10.4 m.
    let config = PretrainConfig { terms, frame_gap: 2, ..config(Supervision::Video, &data, 120) };
    let run = folder.path().join("run");
    let trained = pretrain(config.clone(), &run, &cpu()).unwrap().trained;
    assert!((metres_per_unit(&run) - 2.6).abs() < 1e-6);
    assert!(!run.join("pose.safetensors").exists(), "nothing was to be learned about motion");
    let picture = image::open(data.join("frames/000006.png")).unwrap().to_rgb8();
    let error = abs_rel(&depth_m(&trained.model, &run, &picture), 5.0);
    assert!(error < 0.15, "the wall is missed by {:.0} %", 100.0 * error);

    // One frame apart a unit would be 1.3 m, and the wall half as far as it was learned to be.
    let steps = LoopConfig { steps: 1, learning_rate: 1e-6, ..config.steps.clone() };
    let next = PretrainConfig { frame_gap: 1, init: Some(run.clone()), steps, ..config };
    let next_run = folder.path().join("next");
    let trained = pretrain(next, &next_run, &cpu()).unwrap().trained;
    assert!((metres_per_unit(&next_run) - 2.6).abs() < 1e-6);
    let error = abs_rel(&depth_m(&trained.model, &next_run, &picture), 5.0);
    assert!(error < 0.15, "the wall is missed by {:.0} %", 100.0 * error);
}

#[test]
fn a_few_measured_pixels_teach_the_depth_of_all() {
    // Bright walls stand at 3 m, dark ones at 8 m; one pixel in seven is measured.
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("drive");
    let wall = |bright: bool| RgbImage::from_pixel(64, 32, Rgb([if bright { 220 } else { 40 }; 3]));
    std::fs::create_dir_all(data.join("frames")).unwrap();
    std::fs::create_dir_all(data.join("depth")).unwrap();
    for frame in 0..8 {
        let bright = frame % 2 == 0;
        let metres = if bright { 3.0 } else { 8.0 };
        let metres = (0..64 * 32).map(|at| if at % 7 == 0 { metres } else { 0.0 }).collect();
        let name = format!("{frame:06}.png");
        wall(bright).save(data.join("frames").join(&name)).unwrap();
        let map = DepthMap { width: 64, height: 32, metres };
        map.write_png(&data.join("depth").join(&name), DepthUnit::KittiStep).unwrap();
    }
    let camera = Camera::pinhole("left", 64, 32, Intrinsics { fx: 50.0, fy: 50.0, cx: 31.5, cy: 15.5 });
    ros_yaml::write(&data.join("camera.yaml"), &camera).unwrap();
    let run = folder.path().join("run");
    let trained = pretrain(config(Supervision::Range, &data, 120), &run, &cpu()).unwrap().trained;
    for (bright, truth) in [(true, 3.0), (false, 8.0)] {
        let error = abs_rel(&depth_m(&trained.model, &run, &wall(bright)), truth);
        assert!(error < 0.15, "{truth} m is missed by {:.0} %", 100.0 * error);
    }
}

#[test]
fn speed_gives_learned_motion_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 8);
    let terms = TermsConfig { speed: Some(SpeedSource::Constant(2.0)), ..TermsConfig::default() };
    let run = folder.path().join("run");
    pretrain(PretrainConfig { terms, ..config(Supervision::Video, &data, 60) }, &run, &cpu()).unwrap();
    // 2 m/s at 10 frames a second: 0.2 m a frame are 0.1 units.
    assert!((metres_per_unit(&run) - 2.0).abs() < 1e-6);
    let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let speed = |line: &str| -> f64 {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["terms"]["speed"].as_f64().unwrap()
    };
    let (first, last) = (speed(log.lines().next().unwrap()), speed(log.lines().last().unwrap()));
    assert!(first > 0.04 && last < 0.3 * first, "{first} {last}");
}

#[test]
fn a_run_with_learned_cameras_speed_crops_and_strong_augmentation_resumes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 6);
    std::fs::remove_file(data.join("camera.yaml")).unwrap();
    std::fs::remove_file(data.join("camera_right.yaml")).unwrap();
    let constant = |steps| {
        let mut config = PretrainConfig {
            terms: TermsConfig { speed: Some(SpeedSource::Constant(2.0)), ..TermsConfig::default() },
            crop: Some(CropConfig {
                width: 32,
                height: 32,
                from: FrameSize::Full,
                sources: CropSources::Around,
                zoom: None,
            }),
            augmentation: Augmentation::Strong,
            intrinsics: IntrinsicsSource::Learn,
            width: 0,
            height: 0,
            ..config(Supervision::Video, &data, steps)
        };
        config.steps.schedule = Schedule::Constant;
        config
    };
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    pretrain(constant(6), &whole, &cpu()).unwrap();
    pretrain(constant(3), &parts, &cpu()).unwrap();
    assert!(learned(&whole) != learned(&parts));
    let resumed = resume(&parts, &LoopChanges::steps(6), &cpu()).unwrap();
    assert!(learned(&whole) == learned(&parts), "what was learned differs");
    assert_eq!(resumed.cameras.len(), 1);
    assert_eq!((resumed.cameras[0].width, resumed.cameras[0].height), (64, 32));
    let description = std::fs::read_to_string(parts.join("run.toml")).unwrap();
    assert!(description.contains("[[config.learned_cameras]]"), "{description}");
}

/// The numbers of all files of weights; the order of the metadata in their headers is not fixed.
fn learned(run: &Path) -> Vec<Vec<u8>> {
    let numbers = |name: &str| {
        let bytes = std::fs::read(run.join(name)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    let cameras = std::fs::read(run.join("cameras.json")).unwrap();
    vec![numbers("model.safetensors"), numbers("pose.safetensors"), cameras]
}
