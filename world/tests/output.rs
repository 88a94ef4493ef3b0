//! What a rendered folder promises: whole or not there, readable by `parallax-core`, the same for the same seed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_core::camera::ros_yaml;
use parallax_core::labels::LabelledSet;
use parallax_core::recording::{Eye, Recording};
use parallax_world::dataset::{DatasetConfig, Existing, Watch, write};
use parallax_world::{Class, DriveConfig, Error, LidarConfig, RenderConfig};
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn small() -> DatasetConfig {
    DatasetConfig {
        baseline_m: Some(0.16),
        labels: 4,
        places: 2,
        lidar: Some(LidarConfig::default()),
        render: RenderConfig { edge_samples: 0, shadows: false, ..RenderConfig::default() },
        ..DatasetConfig::new(1, 3, (64, 32))
    }
}

fn render(config: &DatasetConfig, out: &Path, existing: Existing) -> Result<usize, Error> {
    let mut pictures = 0;
    let stop = AtomicBool::new(false);
    write(config, out, existing, Watch { on_picture: &mut || pictures += 1, stop: &stop })?;
    Ok(pictures)
}

#[test]
fn everything_written_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("world");
    assert_eq!(render(&small(), &out, Existing::Keep).unwrap(), 7);
    let recording = Recording::open(out.join("drive.mcap")).unwrap();
    assert_eq!(recording.len(), 3);
    let right = recording.camera(Eye::Right).unwrap();
    assert!((right.baseline_m().unwrap() - 0.16).abs() < 1e-9);
    assert_eq!(
        ros_yaml::read(&out.join("camera.yaml")).unwrap().intrinsics,
        recording.camera(Eye::Left).unwrap().intrinsics
    );
    assert!((ros_yaml::read(&out.join("camera_right.yaml")).unwrap().baseline_m().unwrap() - 0.16).abs() < 1e-9);
    for index in 0..3 {
        let (left, right) = (recording.frame(index, Eye::Left).unwrap(), recording.frame(index, Eye::Right).unwrap());
        assert_ne!(left.data, right.data);
        assert!(recording.depth(index).unwrap().unwrap().metres.iter().any(|metres| *metres > 0.0));
        assert!(recording.lidar(index).unwrap().unwrap().metres.iter().any(|metres| *metres > 0.0));
    }
    let pose = |index: usize| recording.world_from_camera(index).unwrap();
    let forward = pose(0).inverse_transform_point(&pose(1).translation.vector.into());
    assert!((0.1..0.3).contains(&forward.z) && forward.x.abs() < 0.05, "the robot drives forwards: {forward}");
    let set = LabelledSet::open(&out.join("labelled"), None).unwrap();
    assert_eq!((set.len(), set.classes().len()), (4, Class::ALL.len()));
    assert!(set.name(0).starts_with("place00") && set.name(3).starts_with("place01"));
    assert_eq!(set.labels(3).unwrap().indices.len(), 64 * 32);
    let settings = std::fs::read_to_string(out.join("world.toml")).unwrap();
    assert_eq!(toml::from_str::<DatasetConfig>(&settings).unwrap(), small());
}

#[test]
fn a_part_of_the_settings_will_do_and_a_misspelt_one_is_named() {
    let config: DatasetConfig = toml::from_str("[drive]\ncamera_height_m = 1.65").unwrap();
    let drive = DriveConfig { camera_height_m: 1.65, ..DriveConfig::default() };
    assert_eq!(config, DatasetConfig { drive, ..DatasetConfig::default() });
    let error = toml::from_str::<DatasetConfig>("[drive]\ncamera_height = 1.65").unwrap_err().to_string();
    assert!(error.contains("camera_height_m"), "{error}");
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| {
        let out = folder.path().join(name);
        render(&small(), &out, Existing::Keep).unwrap();
        ["drive.mcap", "camera_right.yaml", "labelled/images/place01_0001.png", "world.toml"]
            .map(|file| std::fs::read(out.join(file)).unwrap())
    });
    for (a, b) in files[0].iter().zip(&files[1]) {
        assert!(a == b);
    }
}

#[test]
fn a_used_folder_is_refused_and_a_foreign_one_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let config = DatasetConfig { frames: 0, labels: 1, places: 1, ..small() };
    let out = folder.path().join("world");
    render(&config, &out, Existing::Keep).unwrap();
    let error = render(&config, &out, Existing::Keep).unwrap_err();
    assert!(error.hint().unwrap().contains("--force"), "{error}");
    render(&DatasetConfig { seed: 2, ..config.clone() }, &out, Existing::Replace).unwrap();
    assert!(std::fs::read_to_string(out.join("world.toml")).unwrap().contains("seed = 2"));
    std::fs::write(out.join("thesis.txt"), "mine").unwrap();
    assert!(matches!(render(&config, &out, Existing::Replace), Err(Error::Occupied { .. })));
    assert!(out.join("thesis.txt").exists());
    std::fs::remove_file(out.join("thesis.txt")).unwrap();
    // A labelled picture of the user's own among ours.
    std::fs::write(out.join("labelled/images/kitchen.png"), "mine").unwrap();
    assert!(matches!(render(&config, &out, Existing::Replace), Err(Error::Occupied { .. })));
    // Names that ours have too, without our settings.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("drive.mcap"), "mine").unwrap();
    assert!(matches!(render(&config, &other, Existing::Replace), Err(Error::Occupied { .. })));
    assert_eq!(std::fs::read(other.join("drive.mcap")).unwrap(), b"mine");
}

#[test]
fn what_lies_beside_the_output_under_a_partial_name_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("world.partial");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("thesis.txt"), "mine").unwrap();
    let config = DatasetConfig { frames: 0, labels: 1, places: 1, ..small() };
    let out = folder.path().join("world");
    for existing in [Existing::Keep, Existing::Replace] {
        render(&config, &out, existing).unwrap();
    }
    assert_eq!(std::fs::read(mine.join("thesis.txt")).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn stopped_work_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let mut on_picture = || stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let outcome = write(
        &small(),
        &folder.path().join("world"),
        Existing::Keep,
        Watch { on_picture: &mut on_picture, stop: &stop },
    );
    assert!(matches!(outcome, Err(Error::Stopped { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn settings_out_of_range_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let complaint =
        |config: DatasetConfig| render(&config, &folder.path().join("world"), Existing::Keep).unwrap_err().to_string();
    assert!(complaint(DatasetConfig { width: 4, ..small() }).contains("4x32"));
    assert!(complaint(DatasetConfig { places: 9, ..small() }).contains("places"));
    assert!(complaint(DatasetConfig { baseline_m: Some(-1.0), ..small() }).contains("baseline"));
    assert!(complaint(DatasetConfig { frames: 0, labels: 0, ..small() }).contains("at least 1"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
