//! `parallax-train doctor` names each defect of footage and stays quiet on clean footage.
//!
//! Clean drives are rendered; what is wrong with the others is made from their frames where that is faithful (blur,
//! exposure, lost and repeated frames, exchanged or late eyes), and rendered where it is not (turns on the spot,
//! crooked cameras).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use image::RgbImage;
use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use parallax_core::camera::{Camera, ros_yaml};
use parallax_core::frame::{Frame, Timestamp};
use parallax_core::recording::{Encoding, Eye, RecordingHeader, RecordingWriter};
use parallax_tests::programs::{argument, kitti_mini, run};
use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, right_from_left_pose, robot_camera};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const SIZE: (u32, u32) = (320, 128);
const BASELINE_M: f64 = 0.16;
const FRAMES: usize = 14;
const PERIOD_SECS: f64 = 0.1;

/// Left and right pictures of a drive.
type Pairs = Vec<(RgbImage, RgbImage)>;

fn camera() -> Camera {
    robot_camera("left", SIZE.0, SIZE.1)
}

fn world(seed: u64) -> World {
    World::generate(seed, &WorldConfig::default())
}

fn poses(world: &World, frames: usize, speed_m_per_s: f64) -> Vec<Isometry3<f64>> {
    let drive = world.drive(&DriveConfig { speed_m_per_s, ..DriveConfig::default() });
    (0..frames).map(|index| drive.world_from_camera(index)).collect()
}

/// What the robot's camera sees, with some sensor noise; another `eye`, other noise.
fn picture(world: &World, pose: &Isometry3<f64>, frame: usize, eye: &str) -> RgbImage {
    let config = RenderConfig { movers: false, noise: 1.0, ..RenderConfig::default() };
    world.render(&robot_camera(eye, SIZE.0, SIZE.1), pose, frame as f64 * PERIOD_SECS, &config).rgb
}

/// A clean stereo drive with a curve in it, rendered once.
fn clean(seed: u64) -> &'static Pairs {
    static DRIVES: [OnceLock<Pairs>; 2] = [OnceLock::new(), OnceLock::new()];
    DRIVES[seed as usize].get_or_init(|| {
        let world = world(seed);
        let pair = |(frame, pose): (usize, &Isometry3<f64>)| {
            let right = right_from_left_pose(pose, BASELINE_M);
            (picture(&world, pose, frame, "left"), picture(&world, &right, frame, "right"))
        };
        poses(&world, FRAMES, 3.0).iter().enumerate().map(pair).collect()
    })
}

/// A folder of frames; the right ones may be missing.
fn footage<'a>(
    parent: &Path,
    pictures: impl IntoIterator<Item = (&'a RgbImage, Option<&'a RgbImage>)>,
    camera: &Camera,
) -> PathBuf {
    let path = parent.join("footage");
    std::fs::create_dir_all(path.join("left")).unwrap();
    for (index, (left, right)) in pictures.into_iter().enumerate() {
        left.save(path.join(format!("left/{index:06}.png"))).unwrap();
        if let Some(right) = right {
            std::fs::create_dir_all(path.join("right")).unwrap();
            right.save(path.join(format!("right/{index:06}.png"))).unwrap();
            ros_yaml::write(&path.join("camera_right.yaml"), &camera.clone().with_baseline(BASELINE_M)).unwrap();
        }
    }
    ros_yaml::write(&path.join("camera.yaml"), camera).unwrap();
    path
}

/// What the doctor says: its exit code, and the verdict of each check.
struct Said {
    code: Option<i32>,
    verdicts: BTreeMap<String, String>,
    text: String,
}

impl Said {
    fn of(data: &Path, more: &[&str]) -> Self {
        let data = argument(data);
        let size = format!("{}x{}", SIZE.0, SIZE.1);
        let own_size = if more.contains(&"--size") { vec![] } else { vec!["--size", &size] };
        let arguments = [&["doctor", &data, "--json"], &own_size[..], more].concat();
        let output = run("parallax-train", &arguments).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text} {errors}"));
        let checks = report["drives"][0]["checks"].as_array().unwrap().clone();
        let word = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let verdicts = checks.iter().map(|check| (word(check, "name"), word(check, "verdict"))).collect();
        let lines: Vec<String> = checks
            .iter()
            .map(|check| format!("{}: {}: {}", word(check, "verdict"), word(check, "name"), word(check, "finding")))
            .collect();
        Self { code: output.status.code(), verdicts, text: format!("{}\n{errors}", lines.join("\n")) }
    }

    fn findings(&self) -> Vec<&str> {
        let found = self.verdicts.iter().filter(|(_, verdict)| matches!(verdict.as_str(), "warn" | "fail"));
        found.map(|(name, _)| name.as_str()).collect()
    }

    /// The named checks found something, and nothing else did but what may come with it.
    fn names(&self, expected: &[&str], may_also: &[&str]) {
        let findings = self.findings();
        for name in expected {
            assert!(findings.contains(name), "{name} is not named but {findings:?}:\n{}", self.text);
        }
        let other = findings.iter().find(|name| !expected.contains(name) && !may_also.contains(name));
        assert_eq!(other, None, "also found:\n{}", self.text);
        assert_eq!(self.code, Some(if expected.is_empty() { 0 } else { 3 }), "{}", self.text);
    }
}

fn mono(pairs: &Pairs) -> impl Iterator<Item = (&RgbImage, Option<&RgbImage>)> {
    pairs.iter().map(|(left, _)| (left, None))
}

fn stereo(pairs: &Pairs) -> impl Iterator<Item = (&RgbImage, Option<&RgbImage>)> {
    pairs.iter().map(|(left, right)| (left, Some(right)))
}

fn changed(pairs: &Pairs, change: impl Fn(&RgbImage) -> RgbImage) -> Pairs {
    pairs.iter().map(|(left, right)| (change(left), right.clone())).collect()
}

#[test]
fn clean_footage_is_left_in_peace() {
    for seed in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        Said::of(&footage(folder.path(), stereo(clean(seed)), &camera()), &[]).names(&[], &[]);
    }
}

#[test]
fn a_standing_camera_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(0);
    let pose = poses(&world, 1, 1.0)[0];
    // The same view with other noise, and the exposure's slow wandering.
    let frames: Vec<RgbImage> = (0..8).map(|frame| picture(&world, &pose, frame, "left")).collect();
    let said = Said::of(&footage(folder.path(), frames.iter().map(|frame| (frame, None)), &camera()), &[]);
    said.names(&["static pairs", "parallax"], &[]);
}

#[test]
fn a_camera_that_only_turns_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(0);
    let start = poses(&world, 1, 1.0)[0];
    let turned = |frame: usize| start * UnitQuaternion::from_euler_angles(0.0, 0.02 * frame as f64, 0.0);
    let frames: Vec<RgbImage> = (0..8).map(|frame| picture(&world, &turned(frame), frame, "left")).collect();
    let said = Said::of(&footage(folder.path(), frames.iter().map(|frame| (frame, None)), &camera()), &[]);
    said.names(&["rotation-only pairs", "parallax"], &[]);
}

#[test]
fn blur_and_bad_exposure_are_named() {
    let blurred = changed(clean(0), |frame| image::imageops::blur(frame, 2.5));
    let gain = |factor: f32| {
        changed(clean(0), move |frame| {
            let mut frame = frame.clone();
            frame.iter_mut().for_each(|value| *value = (f32::from(*value) * factor).min(255.0) as u8);
            frame
        })
    };
    // The texture that is left when most is white or black may be too little to follow, and look blurred.
    let may = ["parallax", "moving objects", "blur"];
    for (pairs, expected, may_also) in [
        (blurred, "blur", &["moving objects", "parallax"][..]),
        (gain(4.0), "exposure", &may[..]),
        (gain(0.15), "exposure", &may[..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        Said::of(&footage(folder.path(), mono(&pairs), &camera()), &[]).names(&[expected], may_also);
    }
}

#[test]
fn exchanged_and_late_eyes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let swapped = clean(0).iter().map(|(left, right)| (right, Some(left)));
    Said::of(&footage(folder.path(), swapped, &camera()), &[]).names(&["stereo order"], &[]);
    let folder = tempfile::tempdir().unwrap();
    let late = clean(0).windows(2).map(|moments| (&moments[0].0, Some(&moments[1].1)));
    // A step forward moves some things the wrong way.
    Said::of(&footage(folder.path(), late, &camera()), &[])
        .names(&["stereo moment"], &["stereo order", "rectification"]);
}

#[test]
fn a_crooked_right_camera_is_named() {
    let world = world(0);
    let degree = 1.0_f64.to_radians();
    for crooked in [[0.0, 0.0, degree], [degree, 0.0, 0.0]] {
        let folder = tempfile::tempdir().unwrap();
        let rights: Vec<RgbImage> = poses(&world, 6, 3.0)
            .iter()
            .enumerate()
            .map(|(frame, pose)| {
                let turn = UnitQuaternion::from_scaled_axis(Vector3::from(crooked));
                picture(&world, &(pose * Translation3::new(BASELINE_M, 0.0, 0.0) * turn), frame, "right")
            })
            .collect();
        let pictures = clean(0).iter().zip(&rights).map(|((left, _), right)| (left, Some(right)));
        Said::of(&footage(folder.path(), pictures, &camera()), &[]).names(&["rectification"], &[]);
    }
}

#[test]
fn repeated_frames_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let repeated = clean(0)
        .iter()
        .enumerate()
        .flat_map(|(index, (left, _))| std::iter::repeat_n((left, None), if index % 4 == 1 { 2 } else { 1 }));
    Said::of(&footage(folder.path(), repeated, &camera()), &[]).names(&["frozen frames"], &[]);
}

#[test]
fn cuts_and_footage_of_three_frames_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let three = mono(clean(0)).take(3);
    Said::of(&footage(folder.path(), three, &camera()), &[]).names(&["length"], &["moving objects", "parallax"]);
    let folder = tempfile::tempdir().unwrap();
    let two_places = mono(clean(0)).chain(mono(clean(1)));
    let said = Said::of(&footage(folder.path(), two_places, &camera()), &[]);
    said.names(&["cuts"], &["moving objects", "parallax"]);
    assert!(said.text.contains(&format!("1 cuts in {} steps", 2 * FRAMES - 1)), "{}", said.text);
    assert!(said.text.contains(&format!("after frame {}", FRAMES - 1)), "{}", said.text);
}

/// Writes frames with their times as a recording.
fn recording(path: &Path, frames: &[(Eye, f64, &RgbImage)]) {
    let header = RecordingHeader { left: camera(), right: Some(camera().with_baseline(BASELINE_M)) };
    let mut writer = RecordingWriter::create(path, &header).unwrap();
    for (number, (eye, secs, picture)) in frames.iter().enumerate() {
        let frame = Frame::from_rgb((*picture).clone(), Timestamp::from_secs_f64(*secs), number as u64);
        writer.write_frame(*eye, &frame, Encoding::Png).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn lost_and_unreadable_frames_and_eyes_apart_in_time_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lost.mcap");
    let at = |index: usize| index as f64 * PERIOD_SECS;
    let left = |index: usize| (Eye::Left, at(index), &clean(0)[index].0);
    let whole: Vec<_> = (0..FRAMES).map(left).collect();
    recording(&path, &whole);
    Said::of(&path, &[]).names(&[], &[]);
    let some: Vec<_> = (0..FRAMES).filter(|index| ![4, 9].contains(index)).map(left).collect();
    recording(&path, &some);
    Said::of(&path, &[]).names(&["time stamps"], &[]);
    // A folder has no times, but its files have numbers.
    let frames = footage(folder.path(), mono(clean(0)), &camera());
    std::fs::remove_file(frames.join("left/000005.png")).unwrap();
    Said::of(&frames, &[]).names(&["time stamps"], &[]);
    std::fs::write(frames.join("left/000008.png"), "no picture").unwrap();
    Said::of(&frames, &[]).names(&["recording", "time stamps"], &[]);
    let both: Vec<_> =
        (0..FRAMES).flat_map(|index| [left(index), (Eye::Right, at(index) + 0.02, &clean(0)[index].1)]).collect();
    recording(&path, &both);
    Said::of(&path, &[]).names(&["stereo times"], &[]);
}

#[test]
fn a_camera_file_that_is_wrong_is_named() {
    // A curve as tight as a robot drives it, at a size where a fifth of the focal length shows: 35° in 20 frames.
    let size = (480, 160);
    let camera = robot_camera("left", size.0, size.1);
    let world = world(3);
    let start = poses(&world, 1, 1.0)[0];
    let arc = |frame: usize| {
        let (heading, radius) = (0.032 * frame as f64, 4.0);
        let offset = Vector3::new(radius * (1.0 - heading.cos()), 0.0, radius * heading.sin());
        start * Isometry3::from_parts(offset.into(), UnitQuaternion::from_euler_angles(0.0, heading, 0.0))
    };
    let render =
        |frame: usize| world.render(&camera, &arc(frame), frame as f64 * PERIOD_SECS, &RenderConfig::clean()).rgb;
    let frames: Vec<RgbImage> = (0..20).map(render).collect();
    let at_size = ["--size", "480x160"];
    let pictures = || frames.iter().map(|frame| (frame, None));
    let with_focal = |scale: f64| {
        let folder = tempfile::tempdir().unwrap();
        let mut intrinsics = camera.intrinsics;
        intrinsics.fx *= scale;
        intrinsics.fy *= scale;
        Said::of(&footage(folder.path(), pictures(), &Camera::pinhole("left", size.0, size.1, intrinsics)), &at_size)
    };
    let right = with_focal(1.0);
    right.names(&[], &[]);
    assert_eq!(right.verdicts["focal length"], "pass", "a curve determines it:\n{}", right.text);
    with_focal(1.2).names(&["focal length"], &["parallax"]);
    with_focal(0.8).names(&["focal length"], &["parallax"]);
    // Of another picture size.
    let folder = tempfile::tempdir().unwrap();
    let frames = footage(folder.path(), pictures(), &camera);
    ros_yaml::write(&frames.join("camera.yaml"), &camera.resized(640, 256)).unwrap();
    Said::of(&frames, &at_size).names(&["camera file"], &[]);
    // None at all: the rest is looked at all the same.
    std::fs::remove_file(frames.join("camera.yaml")).unwrap();
    let without = Said::of(&frames, &at_size);
    without.names(&["camera file"], &["focal length", "distortion", "moving objects", "parallax"]);
    assert_eq!(without.verdicts["blur"], "pass", "{}", without.text);
}

#[test]
fn the_worst_pairs_are_drawn_and_what_cannot_be_opened_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let blurred = changed(clean(0), |frame| image::imageops::blur(frame, 2.5));
    let frames = footage(folder.path(), mono(&blurred), &camera());
    let sheets = folder.path().join("sheets");
    Said::of(&frames, &["--out", &argument(&sheets)]).names(&["blur"], &["moving objects", "parallax"]);
    let sheet = image::open(sheets.join("0_blur.png")).unwrap();
    assert!(sheet.width() > SIZE.0 && sheet.height() > 4 * SIZE.1, "{}x{}", sheet.width(), sheet.height());
    for (arguments, code) in [(vec!["doctor", "/nowhere"], 1), (vec!["doctor", "/nowhere", "--size", "3x3"], 2)] {
        let output = run("parallax-train", &arguments).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("hint:"), "{said}");
    }
}

#[test]
fn real_street_footage_is_left_in_peace() {
    let Some(kitti) = kitti_mini() else { return };
    let folder = tempfile::tempdir().unwrap();
    let camera = argument(&folder.path().join("camera.yaml"));
    let (frames, intrinsics) = (kitti.join("video_a/frames"), argument(&kitti.join("video_a/intrinsics.txt")));
    let images = argument(&frames);
    parallax_tests::programs::run_to_end(
        "parallax-calib",
        &["convert", &intrinsics, "--images", &images, "--out", &camera],
    )
    .unwrap();
    let said = Said::of(&frames, &["--camera", &camera, "--pairs", "60"]);
    said.names(&[], &[]);
    assert_eq!(said.verdicts["focal length"], "pass", "the drive has curves:\n{}", said.text);
}
