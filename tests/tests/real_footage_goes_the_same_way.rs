//! The real KITTI excerpt goes through the same programs without special cases, with a few steps: from camera files to
//! int8 masks. Skips loudly where the excerpt is not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, kitti_mini, run_for_json, run_to_end};
use std::path::Path;

const SIZE: &str = "128x32";

fn train(arguments: &[&str]) -> String {
    run_to_end("parallax-train", arguments).unwrap()
}

fn camera_file(kitti: &Path, drive: &str, frames: &str, out: &str) {
    let (intrinsics, images) =
        (argument(&kitti.join(drive).join("intrinsics.txt")), argument(&kitti.join(drive).join(frames)));
    run_to_end("parallax-calib", &["convert", &intrinsics, "--images", &images, "--out", out]).unwrap();
}

#[test]
fn kitti_goes_from_camera_files_to_int8_masks() {
    let Some(kitti) = kitti_mini() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| argument(&folder.path().join(name));
    let drive = |name: &str| argument(&kitti.join(name));
    camera_file(&kitti, "video_a", "frames", &at("camera.yaml"));
    camera_file(&kitti, "stereo_a", "left", &at("left.yaml"));
    let small = ["--size", SIZE, "--steps", "2", "--batch", "2", "--device", "cpu"];
    let (video, stereo) = (at("video"), at("stereo"));
    let (a, b) = (drive("video_a"), drive("video_c"));
    let from_video =
        ["pretrain", "--from", "video", "--data", &a, "--data", &b, "--camera", &at("camera.yaml"), "--out", &video];
    train(&[&from_video[..], &small].concat());
    let (left, right) = (at("left.yaml"), at("left_right.yaml"));
    let a = drive("stereo_a");
    let from_stereo =
        ["pretrain", "--from", "stereo", "--data", &a, "--camera", &left, "--right-camera", &right, "--out", &stereo];
    train(&[&from_stereo[..], &small].concat());
    let classes = argument(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/kitti_classes.toml"));
    let labels = drive("labelled");
    for transfer in ["whole", "encoder", "frozen"] {
        let out = at(transfer);
        let finetune = [
            "finetune",
            "--labels",
            &labels,
            "--classes",
            &classes,
            "--init",
            &video,
            "--transfer",
            transfer,
            "--out",
            &out,
        ];
        train(&[&finetune[..], &small].concat());
    }
    let run = at("whole");
    let score =
        run_for_json("parallax-train", &["evaluate", &run, "--labels", &labels, "--classes", &classes, "--json"])
            .unwrap();
    assert_eq!(score["images"], 102);
    assert!(score["miou"].as_f64().unwrap() > 0.0);
    let prior = score["location_prior"]["miou"].as_f64().unwrap();
    assert!((0.2..0.35).contains(&prior), "the location prior is known to be about 0.27, got {prior}");
    let (float, int8, bundle, frames) = (at("float.onnx"), at("int8.onnx"), at("bundle"), drive("lidar_video/frames"));
    train(&["export", &run, "--out", &float]);
    train(&["quantize", &float, "--data", &frames, "--frames", "8", "--out", &int8]);
    train(&["pack", &int8, "--run", &run, "--out", &bundle]);
    let masks = at("masks");
    run_to_end("parallax-edge", &["run", "--from", &frames, "--bundle", &bundle, "--limit", "5", "--out", &masks])
        .unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("masks/masks")).unwrap().count(), 5);
}
