use super::*;
use crate::camera::{Camera, Distortion, Intrinsics};
use crate::frame::PixelFormat;
use image::RgbImage;
use nalgebra::Vector3;
use std::path::Path;
use tempfile::TempDir;

const SIZE: (u32, u32) = (32, 24);

fn left_camera() -> Camera {
    let intrinsics = Intrinsics { fx: 30.1, fy: 31.7, cx: 15.2, cy: 11.9 };
    Camera { distortion: Distortion::Equidistant([0.1, 0.2, 0.3, 0.4]), ..Camera::pinhole("front", 32, 24, intrinsics) }
}

fn picture(seed: u32) -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let value = (x * 7 + y * 13 + seed * 31).wrapping_mul(2_654_435_761) >> 16;
        image::Rgb([value as u8, (value >> 3) as u8, seed as u8])
    })
}

fn time(index: usize) -> Timestamp {
    Timestamp::from_nanos(5_000_000_000 + index as u64 * 100_000_000)
}

fn frame(index: usize, eye: Eye) -> Frame {
    Frame::from_rgb(picture(index as u32 * 2 + eye.index() as u32), time(index), index as u64 + 7)
}

fn depth(index: usize) -> DepthMap {
    let metres = (0..SIZE.0 * SIZE.1).map(|at| if at % 5 == 0 { 0.0 } else { (at + index as u32) as f32 / 1000.0 });
    DepthMap { width: SIZE.0, height: SIZE.1, metres: metres.collect() }
}

fn pose(index: usize) -> Isometry3<f64> {
    Isometry3::new(Vector3::new(index as f64, 0.3, 1.1), Vector3::new(0.1, 0.02 * index as f64, 1.0))
}

/// A stereo recording in which the right image of frame 1 and the depth of frame 2 are missing.
fn write_recording(folder: &TempDir, frames: usize) -> PathBuf {
    let path = folder.path().join("drive.mcap");
    let right = Camera { name: "front right".into(), ..left_camera() }.with_baseline(0.25);
    let header = RecordingHeader { left: left_camera(), right: Some(right) };
    let mut writer = RecordingWriter::create(&path, &header).unwrap();
    for index in 0..frames {
        writer.write_frame(Eye::Left, &frame(index, Eye::Left), Encoding::Png).unwrap();
        if index != 1 {
            writer.write_frame(Eye::Right, &frame(index, Eye::Right), Encoding::Png).unwrap();
        }
        if index != 2 {
            writer.write_depth(time(index), &depth(index)).unwrap();
        }
        writer.write_lidar(time(index), &depth(index + 100)).unwrap();
        writer.write_pose(time(index), &pose(index)).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), path);
    path
}

#[test]
fn what_was_recorded_comes_back_exactly_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::open(write_recording(&folder, 9)).unwrap();
    assert_eq!((recording.len(), recording.size(), recording.damage()), (9, SIZE, None));
    assert_eq!(recording.camera(Eye::Left), Some(&left_camera()));
    let right = recording.camera(Eye::Right).unwrap();
    assert_eq!((right.name.as_str(), right.baseline_m()), ("front right", Some(0.25)));
    assert!(recording.has(Eye::Right) && recording.has_depth() && recording.has_lidar());
    for index in [8, 0, 3, 1, 2, 7, 4] {
        assert_eq!(recording.timestamp(index), time(index));
        assert_eq!(recording.frame(index, Eye::Left).unwrap(), frame(index, Eye::Left));
        assert_eq!(recording.lidar(index).unwrap(), Some(depth(index + 100)));
        assert_eq!(recording.world_from_camera(index), Some(pose(index)));
        if index != 1 {
            assert_eq!(recording.frame(index, Eye::Right).unwrap(), frame(index, Eye::Right));
        }
        let measured = (index != 2).then(|| depth(index));
        assert_eq!(recording.depth(index).unwrap(), measured);
    }
    assert!(!recording.has_frame(1, Eye::Right));
    let error = recording.frame(1, Eye::Right).unwrap_err().to_string();
    assert!(error.contains("frame 1 has no right image"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the recording is left");
}

#[test]
fn threads_read_one_recording_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::open(write_recording(&folder, 12)).unwrap();
    std::thread::scope(|scope| {
        for start in 0..4 {
            let recording = &recording;
            scope.spawn(move || {
                for index in (0..12).cycle().skip(start * 3).take(24) {
                    assert_eq!(recording.frame(index, Eye::Left).unwrap(), frame(index, Eye::Left));
                }
            });
        }
    });
}

#[test]
fn jpeg_frames_come_back_nearly_and_gray_frames_stay_gray() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    let header = RecordingHeader { left: left_camera(), right: None };
    let mut writer = RecordingWriter::create(&path, &header).unwrap();
    let gray = Frame {
        format: PixelFormat::Gray8,
        data: (0..SIZE.0 * SIZE.1).map(|at| (at % SIZE.0 * 5) as u8).collect(),
        ..frame(0, Eye::Left)
    };
    writer.write_frame(Eye::Left, &gray, Encoding::Jpeg(95)).unwrap();
    writer.finish().unwrap();
    let back = Recording::open(&path).unwrap().frame(0, Eye::Left).unwrap();
    assert_eq!(back.format, PixelFormat::Gray8);
    let worst = back.data.iter().zip(&gray.data).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst < Some(8), "{worst:?}");
}

fn noise(seed: usize) -> RgbImage {
    let mut state = seed as u32 + 1;
    RgbImage::from_fn(320, 240, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    })
}

fn large_camera() -> Camera {
    Camera::pinhole("c", 320, 240, Intrinsics { fx: 300.0, fy: 300.0, cx: 160.0, cy: 120.0 })
}

/// Twenty frames of about 200 kB, a chunk for every few of them.
fn write_large_recording(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("drive.mcap");
    let mut writer = RecordingWriter::create(&path, &RecordingHeader { left: large_camera(), right: None }).unwrap();
    for index in 0..20 {
        writer.write_frame(Eye::Left, &Frame::from_rgb(noise(index), time(index), 0), Encoding::Png).unwrap();
    }
    writer.finish().unwrap()
}

fn is_right(recording: &Recording, index: usize, seed: usize) -> bool {
    recording.frame(index, Eye::Left).is_ok_and(|frame| frame.to_rgb().unwrap() == noise(seed))
}

#[test]
fn a_recording_cut_off_anywhere_keeps_what_was_whole_or_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_large_recording(&folder);
    let bytes = std::fs::read(&path).unwrap();
    let (mut lengths, mut refused) = (Vec::new(), 0);
    for cut in (0..bytes.len()).step_by(bytes.len() / 60).chain((bytes.len() - 900..bytes.len()).step_by(11)) {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        match Recording::open(&path) {
            Ok(recording) => {
                let last = recording.len() - 1;
                assert!(is_right(&recording, last, last), "frame {last} of a file cut at {cut}");
                assert!(recording.damage().is_some() || recording.len() == 20, "cut at {cut}");
                lengths.push(recording.len());
            }
            Err(error) => {
                assert!(error.to_string().contains("drive.mcap") && error.hint().is_some(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(lengths.is_sorted() && lengths.contains(&20) && lengths[0] < 8, "{lengths:?}");
    assert!(refused < 20, "{refused} cuts could not be opened");
}

#[test]
fn a_damaged_chunk_loses_its_frames_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_large_recording(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100_000] ^= 0xff; // in the first chunk, which also holds the camera
    std::fs::write(&path, &bytes).unwrap();
    let error = Recording::open(&path).unwrap_err();
    assert!(error.to_string().contains("damaged MCAP file: chunk at"), "{error}");
    let camera = folder.path().join("camera.yaml");
    ros_yaml::write(&camera, &large_camera()).unwrap();
    let options = OpenOptions { camera: Some(camera), ..OpenOptions::default() };
    let recording = Recording::open_with(&path, &options).unwrap();
    assert!(recording.damage().unwrap().contains("chunk"));
    assert_eq!(recording.len(), 20);
    let right: Vec<bool> = (0..20).map(|index| is_right(&recording, index, index)).collect();
    assert!(right.is_sorted() && !right[0] && right[8], "{right:?}");
}

#[test]
fn no_damaged_byte_brings_the_reader_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_recording(&folder, 3);
    let whole = std::fs::read(&path).unwrap();
    let mut opened = 0;
    for at in (0..whole.len()).step_by(whole.len() / 800) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        let Ok(recording) = Recording::open(&path) else { continue };
        for index in 0..recording.len() {
            let _ = (recording.frame(index, Eye::Left), recording.frame(index, Eye::Right));
            let _ = (recording.depth(index), recording.lidar(index), recording.world_from_camera(index));
        }
        opened += 1;
    }
    assert!(opened > 80, "{opened} of 800");
}

#[test]
fn a_full_disk_is_named_and_leaves_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    if !Path::new("/dev/full").exists() {
        eprintln!("SKIPPED: there is no /dev/full to stand for a full disk");
        return;
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let full = crate::files::PartialFile { file: full, path: folder.path().join("full") };
    let write = || -> Result<PathBuf> {
        let header = RecordingHeader { left: left_camera(), right: None };
        let mut writer = RecordingWriter::begin(full, path.clone(), &header)?;
        for index in 0..200 {
            writer.write_frame(Eye::Left, &frame(index, Eye::Left), Encoding::Png)?;
        }
        writer.finish()
    };
    let error = write().unwrap_err();
    assert!(error.hint().unwrap().contains("disk is full"), "{error}");
    assert!(!path.exists());
}

#[test]
fn frames_that_do_not_fit_the_recording_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    let header = RecordingHeader { left: left_camera(), right: None };
    let mut writer = RecordingWriter::create(&path, &header).unwrap();
    let small = Frame::from_rgb(RgbImage::new(8, 8), time(0), 0);
    let error = writer.write_frame(Eye::Left, &small, Encoding::Png).unwrap_err();
    assert!(error.to_string().contains("expected (32, 24), found (8, 8)"), "{error}");
    assert!(writer.write_frame(Eye::Right, &frame(0, Eye::Right), Encoding::Png).is_err());
    writer.write_frame(Eye::Left, &frame(1, Eye::Left), Encoding::Png).unwrap();
    let error = writer.write_frame(Eye::Left, &frame(0, Eye::Left), Encoding::Png).unwrap_err();
    assert!(error.to_string().contains("time must advance"), "{error}");
    let empty = RecordingWriter::create(&folder.path().join("empty.mcap"), &header).unwrap();
    assert!(empty.finish().unwrap_err().to_string().contains("at least one left frame"));
    assert!(!folder.path().join("empty.mcap").exists());
}

/// A recording as another program would write it.
fn write_foreign(path: &Path, topics: &[&str]) {
    let mut mcap = mcap::WriteOptions::new().emit_message_indexes(false);
    mcap = mcap.compression(Some(mcap::Compression::Lz4));
    let mut mcap = mcap.create(std::fs::File::create(path).unwrap()).unwrap();
    for (offset, topic) in topics.iter().enumerate() {
        let schema = <foxglove::messages::RawImage as foxglove::Encode>::get_schema().unwrap();
        let schema = mcap.add_schema(&schema.name, &schema.encoding, &schema.data).unwrap();
        let channel_id = mcap.add_channel(schema, topic, "protobuf", &std::collections::BTreeMap::new()).unwrap();
        for index in 0..3u8 {
            let data = vec![index, 2, 3, 4, 5, 6, 255, 255, index, 20, 30, 40, 50, 60, 255, 255];
            let image = foxglove::messages::RawImage {
                width: 2,
                height: 2,
                encoding: "bgr8".into(),
                step: 8,
                data: data.into(),
                ..Default::default()
            };
            let log_time = u64::from(index) * 1000 + offset as u64 * 100;
            let header = mcap::records::MessageHeader { channel_id, sequence: 0, log_time, publish_time: log_time };
            mcap.write_to_known_channel(&header, &prost::Message::encode_to_vec(&image)).unwrap();
        }
    }
    mcap.finish().unwrap();
}

#[test]
fn recordings_of_others_are_read_and_their_eyes_told_apart_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("robot.mcap");
    write_foreign(&path, &["/stereo/Left/image_raw", "/stereo/Right/image_raw", "/depth/image"]);
    let recording = Recording::open(&path).unwrap();
    assert_eq!((recording.len(), recording.size()), (3, (2, 2)));
    assert!(recording.has(Eye::Right) && recording.camera(Eye::Left).is_none());
    let frame = recording.frame(2, Eye::Right).unwrap();
    assert_eq!((frame.format, frame.sequence), (PixelFormat::Bgr8, 2));
    assert_eq!(frame.data, [2, 2, 3, 4, 5, 6, 2, 20, 30, 40, 50, 60], "without the rows' padding");
}

#[test]
fn topics_that_could_both_be_left_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("robot.mcap");
    write_foreign(&path, &["/front", "/rear"]);
    let error = Recording::open(&path).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("/front (foxglove.RawImage), /rear"), "{message}");
    assert!(error.hint().unwrap().contains("mcap filter"));
}

#[test]
fn other_files_are_not_taken_for_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for content in ["", "short", "a text that is long enough to hold a magic"] {
        std::fs::write(&path, content).unwrap();
        let error = Recording::open(&path).unwrap_err().to_string();
        assert!(error.contains("expected an MCAP file") && error.contains("notes.txt"), "{error}");
    }
    assert!(Recording::open(folder.path().join("missing.mcap")).unwrap_err().to_string().contains("missing.mcap"));
}

fn save(folder: &TempDir, name: &str, seed: u32) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture(seed).save(path).unwrap();
}

#[test]
fn every_folder_layout_is_a_recording() {
    for [left, right] in [["frames", "frames_right"], ["left", "right"], ["image_02", "image_03"]] {
        let folder = tempfile::tempdir().unwrap();
        for index in [2, 10, 1] {
            save(&folder, &format!("{left}/{index}.png"), index);
            save(&folder, &format!("{right}/{index}.png"), index + 50);
        }
        let recording = Recording::open(folder.path()).unwrap();
        let red = |index, eye| recording.frame(index, eye).unwrap().to_rgb().unwrap();
        for (index, number) in [1, 2, 10].into_iter().enumerate() {
            assert_eq!(red(index, Eye::Left), picture(number), "{left}");
            assert_eq!(red(index, Eye::Right), picture(number + 50), "{right}");
        }
        assert_eq!(recording.timestamp(2).secs(), 0.2);
    }
}

#[test]
fn images_with_poses_depth_and_cameras_beside_them_are_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..3 {
        save(&folder, &format!("f{index}.png"), index);
    }
    let map = DepthMap { width: SIZE.0, height: SIZE.1, metres: vec![2.5; 32 * 24] };
    std::fs::create_dir(folder.path().join("depth")).unwrap();
    map.write_png(&folder.path().join("depth/f1.png"), crate::depth::DepthUnit::KittiStep).unwrap();
    write_kitti_poses(&folder.path().join("poses.txt"), &[pose(0), pose(1)]).unwrap();
    ros_yaml::write(&folder.path().join("camera.yaml"), &left_camera()).unwrap();
    let options = OpenOptions { fps: 4.0, ..OpenOptions::default() };
    let recording = Recording::open_with(folder.path(), &options).unwrap();
    assert_eq!(recording.camera(Eye::Left), Some(&left_camera()));
    assert_eq!((recording.depth(0).unwrap(), recording.depth(1).unwrap()), (None, Some(map)));
    assert!((recording.world_from_camera(1).unwrap().to_matrix() - pose(1).to_matrix()).amax() < 1e-9);
    assert_eq!(recording.world_from_camera(2), None);
    assert_eq!(recording.timestamp(2).secs(), 0.5);
    assert!(!recording.has(Eye::Right));
}

#[test]
fn one_image_is_a_recording_of_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder, "only.png", 3);
    let recording = Recording::open(folder.path().join("only.png")).unwrap();
    assert_eq!(recording.len(), 1);
    assert_eq!(recording.frame(0, Eye::Left).unwrap().to_rgb().unwrap(), picture(3));
}

#[test]
fn a_folder_with_one_recording_in_it_is_that_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_recording(&folder, 3);
    assert_eq!(Recording::open(folder.path()).unwrap().timestamp(2), time(2));
    std::fs::copy(&path, folder.path().join("second.mcap")).unwrap();
    let error = Recording::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("expected one recording, found drive.mcap, second.mcap"), "{error}");
}

/// The excerpt lies outside the repository: `../shared/data/kitti_mini`, or `PARALLAX_KITTI_MINI`.
#[test]
fn real_drives_are_read_as_their_description_says() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/kitti_mini");
    let root = std::env::var_os("PARALLAX_KITTI_MINI").map_or_else(beside, PathBuf::from);
    if !root.is_dir() {
        eprintln!("SKIPPED: no KITTI excerpt in ../shared/data/kitti_mini or PARALLAX_KITTI_MINI");
        return;
    }
    let open = |name: &str| Recording::open(root.join(name)).unwrap();
    let (stereo, gray, video, lidar) = (open("stereo_a"), open("stereo_b"), open("video_b"), open("lidar_video"));
    assert_eq!([stereo.len(), gray.len(), video.len(), lidar.len()], [108, 144, 51, 78]);
    assert!(stereo.has(Eye::Right) && gray.has(Eye::Right) && video.has(Eye::Right) && !lidar.has(Eye::Right));
    assert_eq!(stereo.frame(100, Eye::Right).unwrap().format, PixelFormat::Rgb8);
    assert_eq!(gray.frame(100, Eye::Left).unwrap().format, PixelFormat::Gray8);
    let moved = video.world_from_camera(40).unwrap().translation.vector;
    assert!(moved.x > 40.0 && moved.y.abs() < 2.0 && moved.z.abs() < 2.0, "the car drives ahead: {moved}");
    // The file's last line has no line end, so that `wc -l` counts 50 poses; there are 51.
    let last_step = video.world_from_camera(50).unwrap().translation.vector
        - video.world_from_camera(49).unwrap().translation.vector;
    assert!((last_step.norm() - 1.206).abs() < 0.001, "{last_step}");
    let depth = lidar.depth(5).unwrap().unwrap();
    let measured: Vec<f32> = depth.metres.iter().copied().filter(|&metres| metres > 0.0).collect();
    assert!((0.08..0.2).contains(&(measured.len() as f64 / depth.metres.len() as f64)));
    assert!(measured.iter().all(|metres| (1.0..130.0).contains(metres)));
}

#[test]
fn bad_folders_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = || {
        let error = Recording::open(folder.path()).unwrap_err();
        assert!(error.hint().is_some());
        error.to_string()
    };
    assert!(error().contains("expected images") && error().contains(folder.path().to_str().unwrap()));
    save(&folder, "a.png", 0);
    RgbImage::new(9, 9).save(folder.path().join("b.png")).unwrap();
    assert!(error().contains("a.png is 32x24 and b.png is 9x9"), "{}", error());
    std::fs::remove_file(folder.path().join("b.png")).unwrap();
    ros_yaml::write(&folder.path().join("camera.yaml"), &left_camera().resized(64, 48)).unwrap();
    assert!(error().contains("32x24 images, found one of 64x48"), "{}", error());
    std::fs::remove_file(folder.path().join("camera.yaml")).unwrap();
    std::fs::write(folder.path().join("poses.txt"), "1 0 0 0 0 1 0 0 0 0 1 0\n".repeat(2)).unwrap();
    assert!(error().contains("at most one pose"), "{}", error());
}

#[test]
fn a_damaged_image_is_named_when_it_is_read_and_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..4 {
        save(&folder, &format!("{index}.png"), index);
    }
    let bytes = std::fs::read(folder.path().join("1.png")).unwrap();
    std::fs::write(folder.path().join("1.png"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(folder.path().join("2.png"), "").unwrap();
    let recording = Recording::open(folder.path()).unwrap();
    for index in [1, 2] {
        let error = recording.frame(index, Eye::Left).unwrap_err().to_string();
        assert!(error.contains(&format!("{index}.png")), "{error}");
    }
    assert_eq!(recording.frame(3, Eye::Left).unwrap().to_rgb().unwrap(), picture(3));
}

#[test]
fn right_images_without_a_partner_are_named() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder, "left/left01.png", 0);
    save(&folder, "left/left02.png", 0);
    save(&folder, "right/right01.png", 0);
    let error = Recording::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("found 1 and 2"), "{error}");
    save(&folder, "right/right02.png", 9);
    let recording = Recording::open(folder.path()).unwrap();
    assert_eq!(recording.frame(1, Eye::Right).unwrap().to_rgb().unwrap(), picture(9));
}

#[test]
fn a_folder_whose_names_are_times_meets_a_track_of_timed_poses() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["1305031102.175304", "1305031102.211214", "1305031102.243211"] {
        image::RgbImage::new(4, 4).save(folder.path().join(format!("{name}.png"))).unwrap();
    }
    let track = "1305031102.1753 1 0 0 0 0 0 1\n1305031102.2253 2 0 0 0 0 0 1\n";
    std::fs::write(folder.path().join("track.txt"), track).unwrap();
    let options = OpenOptions { poses: Some(folder.path().join("track.txt")), ..OpenOptions::default() };
    let recording = Recording::open_with(folder.path(), &options).unwrap();
    assert_eq!(recording.timestamp(1).nanos(), 1_305_031_102_211_214_000);
    let x = |index| recording.world_from_camera(index).map(|pose| pose.translation.x);
    assert!((x(1).unwrap() - (1.0 + 35.914 / 50.0)).abs() < 1e-4, "{:?}", x(1));
    assert_eq!(x(2), None);
}
