//! Recordings as other programs write them: times, channels, encodings and sizes that ours never have.

use super::*;
use crate::frame::PixelFormat;
use foxglove::Encode;
use foxglove::messages as fox;
use mcap::records::MessageHeader;
use std::collections::BTreeMap;
use tempfile::TempDir;

const START: u64 = 1_700_000_000_000_000_000;
const PERIOD: u64 = 100_000_000;
const SIZE: (u32, u32) = (16, 8);

/// How the messages are packed.
#[derive(Clone, Copy, Debug)]
enum Packing {
    Plain,
    Zstd,
    Lz4WithoutIndexes,
    Unchunked,
}

const PACKINGS: [Packing; 4] = [Packing::Plain, Packing::Zstd, Packing::Lz4WithoutIndexes, Packing::Unchunked];

/// An MCAP file in the making.
struct Foreign {
    path: PathBuf,
    mcap: mcap::Writer<std::io::BufWriter<std::fs::File>>,
}

impl Foreign {
    fn new(folder: &TempDir, packing: Packing) -> Self {
        let path = folder.path().join("robot.mcap");
        let options = match packing {
            Packing::Plain => mcap::WriteOptions::new().compression(None),
            Packing::Zstd => mcap::WriteOptions::new().compression(Some(mcap::Compression::Zstd)),
            Packing::Lz4WithoutIndexes => {
                mcap::WriteOptions::new().compression(Some(mcap::Compression::Lz4)).emit_message_indexes(false)
            }
            Packing::Unchunked => mcap::WriteOptions::new().use_chunks(false),
        };
        let file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        Self { path, mcap: options.chunk_size(Some(2_000)).create(file).unwrap() }
    }

    fn channel(&mut self, topic: &str, schema: (&str, &str), encoding: &str, part: &str) -> u16 {
        let schema = self.mcap.add_schema(schema.0, schema.1, part.as_bytes()).unwrap();
        let metadata = BTreeMap::from([("part".to_owned(), part.to_owned())]);
        self.mcap.add_channel(schema, topic, encoding, &metadata).unwrap()
    }

    /// A channel of Foxglove's; `part` tells channels of one topic apart.
    fn foxglove<M: Encode>(&mut self, topic: &str, part: &str) -> u16 {
        let schema = M::get_schema().unwrap();
        self.channel(topic, (&schema.name, &schema.encoding), "protobuf", part)
    }

    fn write(&mut self, channel_id: u16, log_time: u64, message: &impl prost::Message) {
        let header = MessageHeader { channel_id, sequence: 0, log_time, publish_time: log_time };
        self.mcap.write_to_known_channel(&header, &message.encode_to_vec()).unwrap();
    }

    fn finish(mut self) -> PathBuf {
        self.mcap.finish().unwrap();
        self.path
    }
}

fn stamp(nanos: u64) -> Option<fox::Timestamp> {
    (nanos > 0).then(|| messages::stamp(Timestamp::from_nanos(nanos)))
}

/// A picture whose blue tells its number, taken at `nanos`.
fn raw(number: u64, nanos: u64) -> fox::RawImage {
    let pixel = [number as u8, 0, 16 * number as u8];
    fox::RawImage {
        timestamp: stamp(nanos),
        width: SIZE.0,
        height: SIZE.1,
        encoding: "rgb8".into(),
        step: SIZE.0 * 3,
        data: pixel.repeat((SIZE.0 * SIZE.1) as usize).into(),
        ..Default::default()
    }
}

fn compressed(number: u64, nanos: u64) -> fox::CompressedImage {
    let frame = Frame::from_rgb(
        image::RgbImage::from_pixel(SIZE.0, SIZE.1, image::Rgb([number as u8, 0, 0])),
        Timestamp::from_nanos(nanos),
        0,
    );
    messages::compressed_image(&frame, Encoding::Png, "camera").unwrap()
}

fn at(number: u64) -> u64 {
    START + number * PERIOD
}

/// The number in a picture.
fn number(recording: &Recording, index: usize, eye: Eye) -> u8 {
    recording.frame(index, eye).unwrap().to_rgb().unwrap().get_pixel(3, 3).0[0]
}

fn faults(recording: &Recording) -> Vec<TimeFault> {
    recording.time_findings().iter().map(|finding| finding.fault).collect()
}

/// A stereo recording of 20 pairs with exact stamps that were logged when `logged` says.
fn stereo(folder: &TempDir, packing: Packing, logged: impl Fn(u64, Eye) -> u64) -> Recording {
    let mut file = Foreign::new(folder, packing);
    let channels = ["/stereo/left/image", "/stereo/right/image"].map(|topic| file.foxglove::<fox::RawImage>(topic, ""));
    let mut messages: Vec<(u64, u64, Eye)> =
        (0..20).flat_map(|index| [Eye::Left, Eye::Right].map(|eye| (logged(index, eye), index, eye))).collect();
    messages.sort_by_key(|message| message.0);
    for (logged, index, eye) in messages {
        file.write(channels[eye.index()], logged, &raw(index, at(index)));
    }
    Recording::open(file.finish()).unwrap()
}

#[test]
fn pairs_are_those_of_one_moment_however_late_the_right_ones_came() {
    let folder = tempfile::tempdir().unwrap();
    for packing in PACKINGS {
        // Up to 90 ms on the way, and a disk that stood still for half a second.
        let stalled = |index| if (10..14).contains(&index) { 500_000_000 } else { 0 };
        let way = |index: u64| (index * 37 % 91) * 1_000_000 + stalled(index);
        let logged = |index, eye| at(index) + if eye == Eye::Left { 2_000_000 } else { way(index) };
        let recording = stereo(&folder, packing, logged);
        for index in 0..20 {
            assert_eq!(recording.timestamp(index).nanos(), at(index as u64));
            assert_eq!(recording.frame_timestamp(index, Eye::Right), Some(recording.timestamp(index)));
            let numbers = [Eye::Left, Eye::Right].map(|eye| number(&recording, index, eye));
            assert_eq!(numbers, [index as u8; 2], "{packing:?}");
        }
        assert_eq!(faults(&recording), [TimeFault::Apart, TimeFault::Late], "{packing:?}");
        assert_eq!(recording.time_findings()[0].topic, "/stereo/right/image");
    }
}

#[test]
fn a_recording_that_a_script_wrote_in_one_go_has_the_times_of_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    for packing in PACKINGS {
        let written = 1_701_000_000_000_000_000;
        let recording = stereo(&folder, packing, |index, eye| written + (2 * index + eye.index() as u64) * 1_000_000);
        for index in 0..20 {
            assert_eq!(recording.timestamp(index).nanos(), at(index as u64));
            assert_eq!([Eye::Left, Eye::Right].map(|eye| number(&recording, index, eye)), [index as u8; 2]);
        }
        assert_eq!(faults(&recording), [TimeFault::Apart; 2]);
        assert!(recording.time_findings()[0].to_string().contains("11.6 days"));
    }
}

#[test]
fn depth_ranges_and_poses_belong_to_the_picture_of_their_stamp() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Zstd);
    let left = file.foxglove::<fox::CompressedImage>("/camera/left/image", "");
    let ranges = [DEPTH_TOPIC, LIDAR_TOPIC].map(|topic| file.foxglove::<fox::RawImage>(topic, ""));
    let poses = file.foxglove::<fox::FrameTransform>("/tf", "");
    for index in 0..8 {
        // Everything but the picture took three frames.
        let late = at(index) + 300_000_000;
        file.write(left, at(index), &compressed(index, at(index)));
        let depth = DepthMap { width: 16, height: 8, metres: vec![1.0 + index as f32; 128] };
        for channel in ranges {
            file.write(channel, late, &messages::raw_depth(&depth, Timestamp::from_nanos(at(index)), "camera_left"));
        }
        let pose = Isometry3::translation(index as f64, 0.0, 0.0);
        file.write(poses, late, &messages::transform(&pose, Timestamp::from_nanos(at(index)), "world", "camera_left"));
    }
    let recording = Recording::open(file.finish()).unwrap();
    for index in 0..8 {
        let expected = 1.0 + index as f32;
        assert_eq!(recording.depth(index).unwrap().unwrap().metres[0], expected);
        assert_eq!(recording.lidar(index).unwrap().unwrap().metres[0], expected);
        assert_eq!(recording.world_from_camera(index).unwrap().translation.x, index as f64);
    }
    assert_eq!(faults(&recording), [TimeFault::Apart; 2]);
}

#[test]
fn a_topic_on_another_clock_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Plain);
    let [left, right] = ["/left", "/right"].map(|topic| file.foxglove::<fox::RawImage>(topic, ""));
    for index in 0..5 {
        file.write(left, at(index), &raw(index, at(index)));
        // Since the machine was started.
        file.write(right, at(index), &raw(index, 1_000_000_000 + index * PERIOD));
    }
    let recording = Recording::open(file.finish()).unwrap();
    assert!(recording.has(Eye::Right) && (0..5).all(|index| !recording.has_frame(index, Eye::Right)));
    assert_eq!(faults(&recording), [TimeFault::Apart, TimeFault::Elsewhere]);
    let told = recording.time_findings()[1].to_string();
    assert!(told.contains("none of 5 messages on /right") && told.contains("53.9 years"), "{told}");
}

#[test]
fn partners_are_not_taken_over_a_clock_that_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Zstd);
    let left = file.foxglove::<fox::RawImage>("/cam/image", "");
    for index in 0..20 {
        let time = if index < 12 { at(index) } else { at(index) - 700_000_000 };
        file.write(left, time, &raw(index, time));
    }
    let recording = Recording::open(file.finish()).unwrap();
    let order: Vec<u8> = (0..20).map(|index| number(&recording, index, Eye::Left)).collect();
    assert_eq!(order, (0..20).collect::<Vec<u8>>());
    let stretches: Vec<usize> = (0..20).map(|index| recording.stretch(index)).collect();
    assert_eq!(stretches, (0..20).map(|index| usize::from(index >= 12)).collect::<Vec<_>>());
    assert_eq!(faults(&recording)[0], TimeFault::SetBack);
    assert!(!recording.is_chosen());
}

#[test]
fn a_topic_is_the_union_of_its_channels() {
    let folder = tempfile::tempdir().unwrap();
    for topic in ["/camera/left/image", "/cam/image"] {
        for interleaved in [false, true] {
            let mut file = Foreign::new(&folder, Packing::Zstd);
            let first = file.foxglove::<fox::CompressedImage>(topic, "0");
            let second = file.foxglove::<fox::CompressedImage>(topic, "1");
            for index in 0..20 {
                let second_part = if interleaved { index % 2 == 1 } else { index >= 10 };
                file.write(if second_part { second } else { first }, at(index), &compressed(index, at(index)));
            }
            let recording = Recording::open(file.finish()).unwrap();
            let order: Vec<u8> = (0..recording.len()).map(|index| number(&recording, index, Eye::Left)).collect();
            assert_eq!(order, (0..20).collect::<Vec<u8>>(), "{topic}");
            assert_eq!(faults(&recording), []);
        }
    }
}

#[test]
fn pictures_of_both_kinds_depth_poses_and_calibrations_come_from_all_channels() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Lz4WithoutIndexes);
    let raws = file.foxglove::<fox::RawImage>("/camera/left/image", "raw");
    let packed = file.foxglove::<fox::CompressedImage>("/camera/left/image", "compressed");
    let depths = ["a", "b"].map(|part| file.foxglove::<fox::RawImage>(DEPTH_TOPIC, part));
    let poses = ["a", "b"].map(|part| file.foxglove::<fox::FrameTransform>(POSE_TOPIC, part));
    let cameras = ["a", "b"].map(|part| file.foxglove::<fox::CameraCalibration>("/camera/left/calibration", part));
    let calibration = |fx: f64| {
        let intrinsics = crate::camera::Intrinsics { fx, fy: 14.0, cx: 7.5, cy: 3.5 };
        let camera = Camera::pinhole("c", SIZE.0, SIZE.1, intrinsics);
        messages::calibration(&camera, Timestamp::from_nanos(START), "camera_left")
    };
    // The first writer did not know its camera.
    file.write(cameras[0], START, &fox::CameraCalibration { k: vec![0.0; 9], ..calibration(14.0) });
    file.write(cameras[1], START + 1, &calibration(14.5));
    for index in 0..10 {
        let half = usize::from(index >= 5);
        if half == 0 {
            file.write(raws, at(index), &raw(index, at(index)));
        } else {
            file.write(packed, at(index), &compressed(index, at(index)));
        }
        let depth = DepthMap { width: 16, height: 8, metres: vec![1.0 + index as f32; 128] };
        let time = Timestamp::from_nanos(at(index));
        file.write(depths[half], at(index), &messages::raw_depth(&depth, time, "camera_left"));
        let pose = Isometry3::translation(index as f64, 0.0, 0.0);
        file.write(poses[half], at(index), &messages::transform(&pose, time, "world", "camera_left"));
    }
    let recording = Recording::open(file.finish()).unwrap();
    assert_eq!(recording.len(), 10);
    assert_eq!(recording.camera(Eye::Left).unwrap().intrinsics.fx, 14.5);
    for index in 0..10 {
        assert_eq!(number(&recording, index, Eye::Left), index as u8);
        assert_eq!(recording.depth(index).unwrap().unwrap().metres[0], 1.0 + index as f32);
        assert_eq!(recording.world_from_camera(index).unwrap().translation.x, index as f64);
    }
}

#[test]
fn calibrations_that_change_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Zstd);
    let left = file.foxglove::<fox::RawImage>("/cam/image", "");
    for (part, fx) in [("a", 14.0), ("b", 15.0)] {
        let channel = file.foxglove::<fox::CameraCalibration>("/cam/camera_info", part);
        let intrinsics = crate::camera::Intrinsics { fx, fy: 14.0, cx: 7.5, cy: 3.5 };
        let camera = Camera::pinhole("c", SIZE.0, SIZE.1, intrinsics);
        file.write(channel, START, &messages::calibration(&camera, Timestamp::from_nanos(START), "camera"));
    }
    file.write(left, START, &raw(0, START));
    let recording = Recording::open(file.finish()).unwrap();
    let told = recording.remarks().join(" ");
    assert!(told.contains("/cam/camera_info") && told.contains("fx 14 and 15"), "{told}");
}

#[test]
fn channels_of_one_topic_that_hold_different_things_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for topic in ["/camera/left/image", "/cam/image"] {
        let mut file = Foreign::new(&folder, Packing::Zstd);
        let ours = file.foxglove::<fox::RawImage>(topic, "");
        let theirs = file.channel(topic, ("sensor_msgs/msg/Image", "ros2msg"), "cdr", "");
        file.write(ours, at(0), &raw(0, at(0)));
        file.write(theirs, at(1), &raw(1, at(1)));
        let error = Recording::open(file.finish()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(topic) && text.contains("foxglove.RawImage;"), "{text}");
        assert!(text.contains("sensor_msgs/msg/Image, cdr") && error.hint().is_some(), "{text}");
    }
}

#[test]
fn pictures_that_are_not_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Zstd);
    let left = file.foxglove::<fox::RawImage>("/camera/left/image", "");
    let rear = file.foxglove::<fox::RawImage>("/rear/image", "");
    let depth = file.foxglove::<fox::RawImage>("/realsense/depth/image", "");
    let ros = file.channel("/front/image", ("sensor_msgs/msg/CompressedImage", "ros2msg"), "cdr", "");
    let marks = file.foxglove::<fox::ImageAnnotations>("/marks", "");
    for channel in [left, rear, depth, ros, marks] {
        file.write(channel, START, &raw(0, START));
    }
    let recording = Recording::open(file.finish()).unwrap();
    let [told] = recording.remarks().try_into().unwrap();
    for part in ["/rear/image", "/realsense/depth/image", "/front/image (sensor_msgs/msg/CompressedImage, cdr)"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("/marks") && !told.contains("/camera/left/image"), "{told}");
}

#[test]
fn a_bag_of_ros_is_refused_with_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Zstd);
    let channel = file.channel("/image_raw/compressed", ("sensor_msgs/msg/CompressedImage", "ros2msg"), "cdr", "");
    file.write(channel, START, &raw(0, START));
    let error = Recording::open(file.finish()).unwrap_err();
    assert!(error.to_string().contains("/image_raw/compressed (sensor_msgs/msg/CompressedImage, cdr)"), "{error}");
    assert!(error.hint().unwrap().contains("cdr"));
}

/// A recording of one topic with pictures in this encoding, whose bytes are `byte`.
fn of_encoding(folder: &TempDir, encoding: &str, pixel: &[u8]) -> Result<Recording> {
    let mut file = Foreign::new(folder, Packing::Zstd);
    let left = file.foxglove::<fox::RawImage>("/cam/image", "");
    for index in 0..3 {
        let data = pixel.repeat((SIZE.0 * SIZE.1) as usize);
        let step = SIZE.0 * pixel.len() as u32;
        let image = fox::RawImage { encoding: encoding.into(), step, data: data.into(), ..raw(index, at(index)) };
        file.write(left, at(index), &image);
    }
    Recording::open(file.finish())
}

#[test]
fn encodings_of_pictures_are_read_and_depth_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let pixel = |encoding: &str, bytes: &[u8]| {
        let recording = of_encoding(&folder, encoding, bytes).unwrap();
        recording.frame(1, Eye::Left).unwrap().to_rgb().unwrap().get_pixel(5, 5).0
    };
    assert_eq!(pixel("rgba8", &[10, 20, 30, 40]), [10, 20, 30]);
    assert_eq!(pixel("bgra8", &[10, 20, 30, 40]), [30, 20, 10]);
    assert_eq!(pixel("bayer_grbg8", &[77]), [77; 3]);
    assert_eq!(pixel("mono16", &[0, 0x80]), [128; 3]);
    for (encoding, bytes) in [("16UC1", 2), ("32FC1", 4), ("h264", 1)] {
        let error = of_encoding(&folder, encoding, &vec![9; bytes]).unwrap_err().to_string();
        assert!(error.contains(encoding) && error.contains("/cam/image") && error.contains("robot.mcap"), "{error}");
    }
    // Depth of 0.8 m that says it is a gray picture; and a picture in 12 bits.
    let error = of_encoding(&folder, "mono16", &800_u16.to_le_bytes()).unwrap_err();
    assert!(error.to_string().contains("/cam/image are brighter than 800 of 65535 nowhere"), "{error}");
    assert!(error.hint().unwrap().contains("16UC1"));
}

#[test]
fn depth_in_metres_is_depth() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Zstd);
    let left = file.foxglove::<fox::RawImage>("/camera/left/image", "");
    let depth = file.foxglove::<fox::RawImage>(DEPTH_TOPIC, "");
    let mut metres = vec![2.5_f32; 128];
    metres[..4].copy_from_slice(&[f32::NAN, f32::INFINITY, -1.0, 70.0]);
    let data: Vec<u8> = metres.iter().flat_map(|metres| metres.to_le_bytes()).collect();
    file.write(left, START, &raw(0, START));
    let image = fox::RawImage { encoding: "32FC1".into(), step: SIZE.0 * 4, data: data.into(), ..raw(0, START) };
    file.write(depth, START, &image);
    let found = Recording::open(file.finish()).unwrap().depth(0).unwrap().unwrap();
    assert_eq!(found.metres[..5], [0.0, 0.0, 0.0, 70.0, 2.5]);
}

#[test]
fn a_chunk_that_says_it_is_too_large_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Foreign::new(&folder, Packing::Zstd);
    let left = file.foxglove::<fox::RawImage>("/cam/image", "");
    (0..3).for_each(|index| file.write(left, at(index), &raw(index, at(index))));
    let path = file.finish();
    let mut bytes = std::fs::read(&path).unwrap();
    // Every chunk says that it unpacks to a gibibyte.
    let mut offset = mcap::MAGIC.len();
    while let Some(&opcode) = bytes.get(offset).filter(|_| offset + 9 < bytes.len() - 8) {
        let (_, length) = unpacking::split_head(&bytes[offset..]);
        if opcode == mcap::records::op::CHUNK {
            bytes[offset + 25..offset + 33].copy_from_slice(&(1_u64 << 30).to_le_bytes());
        }
        offset += 9 + length as usize;
    }
    std::fs::write(&path, bytes).unwrap();
    let error = Recording::open(&path).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("says it unpacks to 1073741824 bytes") && text.contains("128 MiB"), "{text}");
}

#[test]
fn a_gray_picture_of_another_layout_stays_gray() {
    let folder = tempfile::tempdir().unwrap();
    let recording = of_encoding(&folder, "8UC1", &[90]).unwrap();
    assert_eq!(recording.frame(0, Eye::Left).unwrap().format, PixelFormat::Gray8);
}
