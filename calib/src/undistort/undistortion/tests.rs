use super::*;
use image::{Rgb, RgbImage};
use nalgebra::{Isometry3, Point2, Point3, Vector3};
use parallax_core::camera::{Distortion, Intrinsics};
use parallax_core::depth::DepthMap;
use parallax_core::frame::Timestamp;

fn bent() -> Camera {
    let k = Intrinsics { fx: 60.0, fy: 61.0, cx: 47.0, cy: 31.0 };
    let turn = Rotation3::from_euler_angles(0.01, -0.03, 0.02);
    Camera {
        distortion: Distortion::PlumbBob([-0.25, 0.05, 1e-3, 0.0, 0.0]),
        rectification: turn.into_inner(),
        ..Camera::pinhole("left", 96, 64, k)
    }
}

/// A smooth picture, so that reading between pixels is exact to a step.
fn picture() -> RgbImage {
    RgbImage::from_fn(96, 64, |x, y| Rgb([(2 * x) as u8, (3 * y) as u8, (x + y) as u8]))
}

fn recording(folder: &Path, right: bool) -> Recording {
    let header = RecordingHeader { left: bent(), right: right.then(|| bent().with_baseline(0.1)) };
    let mut writer = RecordingWriter::create(&folder.join("raw.mcap"), &header).unwrap();
    for index in 0..3u64 {
        let time = Timestamp::from_nanos(1_000_000_000 + index * 100_000_000);
        let frame = Frame::from_rgb(picture(), time, index + 1);
        writer.write_frame(Eye::Left, &frame, Encoding::Png).unwrap();
        if right {
            writer.write_frame(Eye::Right, &frame, Encoding::Png).unwrap();
        }
        let depth = DepthMap { width: 96, height: 64, metres: vec![5.0; 96 * 64] };
        writer.write_depth(time, &depth).unwrap();
        let pose = Isometry3::new(Vector3::new(index as f64, 0.0, 0.0), Vector3::new(0.0, 0.1, 0.0));
        writer.write_pose(time, &pose).unwrap();
    }
    Recording::open(writer.finish().unwrap()).unwrap()
}

fn cameras(recording: &Recording) -> CameraPair {
    CameraPair { left: recording.camera(Eye::Left).unwrap().clone(), right: recording.camera(Eye::Right).cloned() }
}

#[test]
fn pictures_depth_and_poses_come_out_as_the_plain_camera_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let raw = recording(folder.path(), false);
    let work = Undistortion::new(&raw, cameras(&raw)).unwrap();
    let done = work.to_recording(&folder.path().join("plain.mcap"), &mut || true).unwrap();
    assert_eq!((done.frames, done.lost), (3, None));
    let plain = Recording::open(&done.path).unwrap();
    let camera = plain.camera(Eye::Left).unwrap();
    assert!(!camera.needs_rectification());
    // A point of the world is where the plain camera projects it, with the colour that the raw picture has for it.
    let (pixel, turn) = (Point2::new(40.0, 30.0), bent().rectification);
    let ray_in_camera = turn.transpose() * camera.unproject(pixel).unwrap();
    let raw_pixel = bent().project(&Point3::from(ray_in_camera)).unwrap();
    let found = plain.frame(1, Eye::Left).unwrap().to_rgb().unwrap().get_pixel(40, 30).0;
    assert!((f64::from(found[0]) - 2.0 * raw_pixel.x).abs() < 1.0, "{found:?} {raw_pixel}");
    assert!((f64::from(found[1]) - 3.0 * raw_pixel.y).abs() < 1.0, "{found:?} {raw_pixel}");
    // The depth is that of the turned camera, at the nearest measured pixel.
    let z = f64::from(plain.depth(1).unwrap().unwrap().at(40, 30).unwrap());
    let expected = 5.0 * (turn * ray_in_camera).z / ray_in_camera.z;
    assert!((z - expected).abs() < 0.02, "{z} {expected}");
    // Point in the world by both ways.
    let (before, after) = (raw.world_from_camera(1).unwrap(), plain.world_from_camera(1).unwrap());
    let in_camera = Point3::from(ray_in_camera);
    let (a, b) = (before * in_camera, after * Point3::from(turn * in_camera.coords));
    assert!((a - b).norm() < 1e-9, "{a} {b}");
    assert_eq!(plain.timestamp(2), raw.timestamp(2));
}

#[test]
fn a_pair_goes_into_two_folders_with_its_camera_files() {
    let folder = tempfile::tempdir().unwrap();
    let raw = recording(folder.path(), true);
    let work = Undistortion::new(&raw, cameras(&raw)).unwrap();
    let done = work.to_folder(&folder.path().join("plain"), &mut || true).unwrap();
    let plain = Recording::open(&done.path).unwrap();
    assert_eq!((plain.len(), plain.has(Eye::Right)), (3, true));
    assert!((plain.camera(Eye::Right).unwrap().baseline_m().unwrap() - 0.1).abs() < 1e-9);
}

#[test]
fn stopping_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let raw = recording(folder.path(), false);
    let work = Undistortion::new(&raw, cameras(&raw)).unwrap();
    assert!(work.to_recording(&folder.path().join("plain.mcap"), &mut || false).is_err());
    assert!(work.to_folder(&folder.path().join("plain"), &mut || false).is_err());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["raw.mcap"]);
}

#[test]
fn a_plain_camera_and_a_camera_of_another_size_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let raw = recording(folder.path(), false);
    let plain = CameraPair { left: bent().rectified(), right: None };
    let error = Undistortion::new(&raw, plain).err().unwrap().to_string();
    assert!(error.contains("nothing to undistort"), "{error}");
    let small = CameraPair { left: bent().resized(48, 32), right: None };
    let error = Undistortion::new(&raw, small).err().unwrap();
    assert!(error.hint().unwrap().contains("--resize"), "{error}");
}

#[test]
fn every_picture_of_a_folder_keeps_its_name_and_none_takes_anothers() {
    let folder = tempfile::tempdir().unwrap();
    // Times of one second, as TUM's data sets have them, and names that differ in their extension alone.
    for (names, expected) in [
        (["1305031102.175304.png", "1305031102.211214.png"], ["1305031102.175304.png", "1305031102.211214.png"]),
        (["a.bmp", "a.png"], ["a.bmp.png", "a.png.png"]),
    ] {
        let raw = folder.path().join("raw");
        std::fs::create_dir(&raw).unwrap();
        names.iter().for_each(|name| picture().save(raw.join(name)).unwrap());
        ros_yaml::write(&raw.join("camera.yaml"), &bent()).unwrap();
        let recording = Recording::open(&raw).unwrap();
        let work = Undistortion::new(&recording, cameras(&recording)).unwrap();
        let done = work.to_folder(&folder.path().join("plain"), &mut || true).unwrap();
        for name in expected {
            assert!(done.path.join(name).is_file(), "{name}");
        }
        std::fs::remove_dir_all(raw).unwrap();
        std::fs::remove_dir_all(done.path).unwrap();
    }
}
