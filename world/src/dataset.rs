//! A place on disk: the robot's recording with its truth, and labelled pictures from other drives.
//!
//! ```text
//! OUT/drive.mcap           left (and right) pictures, exact depth, poses, range measurements
//! OUT/camera.yaml          the left or only camera; camera_right.yaml with the baseline in its P
//! OUT/labelled/            images/, labels/, classes.toml, camera.yaml
//! OUT/world.toml           every setting these came from
//! ```
//!
//! Labelled pictures never come from the recorded drive: in the recording's own place they are taken an hour later, the other
//! way round, far apart; further places are made from further seeds. A picture's name starts with its place.

use crate::class::Class;
use crate::config::{DriveConfig, Heading, LidarConfig, RenderConfig, WorldConfig};
use crate::drive::{right_from_left_pose, robot_camera};
use crate::random::hash;
use crate::render::Rendered;
use crate::world::World;
use crate::{Error, Result};
use parallax_core::camera::{Camera, ros_yaml};
use parallax_core::files::{AtomicFolder, is_occupied, rename_durably, set_aside, write_bytes};
use parallax_core::frame::{Frame, Timestamp};
use parallax_core::labels::{Classes, LabelledSetWriter};
use parallax_core::recording::{Encoding, Eye, RecordingHeader, RecordingWriter};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Name of the file of settings in an output folder.
const SETTINGS: &str = "world.toml";
/// Everything that an output folder may hold, settings last, so that only such a folder is ever replaced.
const OURS: [&str; 5] = ["drive.mcap", "camera.yaml", "camera_right.yaml", "labelled", SETTINGS];
/// The labelled drives begin an hour after the recording: other people stand elsewhere.
const LABELLED_START_SECS: f64 = 3600.0;
/// Seconds between two labelled pictures; enough for walkers to be somewhere else.
const LABELLED_STEP_SECS: f64 = 20.0;

/// Everything that decides what is written. A settings file may hold a part of it; what it leaves out has the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetConfig {
    /// Version of this form; 1.
    pub schema: u32,
    /// Seed of the recording's place; the labelled places' seeds follow from it.
    pub seed: u64,
    /// Frames of the recording; 0 writes none.
    pub frames: usize,
    /// Width of every picture.
    pub width: u32,
    /// Height of every picture.
    pub height: u32,
    /// Distance of the right camera from the left in metres; none records one camera.
    pub baseline_m: Option<f64>,
    /// Labelled pictures; 0 writes none.
    pub labels: usize,
    /// Places that labelled pictures come from.
    pub places: usize,
    /// The range sensor; none records no ranges.
    pub lidar: Option<LidarConfig>,
    /// What the places hold.
    pub world: WorldConfig,
    /// How pictures are taken.
    pub render: RenderConfig,
    /// The recorded drive.
    pub drive: DriveConfig,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self::new(1, 300, (640, 192))
    }
}

impl DatasetConfig {
    /// A recording of `frames` frames and nothing else.
    pub fn new(seed: u64, frames: usize, (width, height): (u32, u32)) -> Self {
        Self {
            schema: 1,
            seed,
            frames,
            width,
            height,
            baseline_m: None,
            labels: 0,
            places: 1,
            lidar: None,
            world: WorldConfig::default(),
            render: RenderConfig::default(),
            drive: DriveConfig::default(),
        }
    }

    /// Seed of a labelled place; place 0 is the recording's.
    pub fn place_seed(&self, place: usize) -> u64 {
        // TOML numbers have a sign, so seeds keep to 63 bits.
        if place == 0 { self.seed } else { hash(self.seed, place as u64) >> 1 }
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Setting { what });
        if self.frames == 0 && self.labels == 0 {
            return wrong("frames or labels must be at least 1, got 0 of both".into());
        }
        if !(16..=8192).contains(&self.width) || !(16..=8192).contains(&self.height) {
            return wrong(format!("width and height must be 16 to 8192 pixels, got {}x{}", self.width, self.height));
        }
        if self.labels > 0 && !(1..=self.labels).contains(&self.places) {
            return wrong(format!("places must be 1 to the number of labels ({}), got {}", self.labels, self.places));
        }
        if self.seed > i64::MAX as u64 {
            return wrong(format!("the seed must be below 2^63, got {}", self.seed));
        }
        if let Some(baseline) = self.baseline_m.filter(|baseline| !(0.01..=2.0).contains(baseline)) {
            return wrong(format!("the baseline must be 0.01 to 2 metres, got {baseline}"));
        }
        let drive = &self.drive;
        if !(0.1..=1000.0).contains(&drive.fps) || !(0.01..=20.0).contains(&drive.speed_m_per_s) {
            return wrong(format!(
                "frames per second must be 0.1 to 1000 and speed 0.01 to 20 m/s, got {} and {}",
                drive.fps, drive.speed_m_per_s
            ));
        }
        Ok(())
    }
}

/// What was written, under its final names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Written {
    /// The output folder.
    pub out: PathBuf,
    /// The recording.
    pub recording: Option<PathBuf>,
    /// The left or only camera.
    pub camera: PathBuf,
    /// The right camera.
    pub camera_right: Option<PathBuf>,
    /// The labelled set.
    pub labelled: Option<PathBuf>,
    /// The settings.
    pub settings: PathBuf,
    /// Frames in the recording.
    pub frames: usize,
    /// Pictures in the labelled set.
    pub labels: usize,
    /// Seeds of the labelled places.
    pub place_seeds: Vec<u64>,
    /// Metres between the first and the last frame.
    pub driven_m: f64,
}

/// Who follows the work, and may stop it.
pub struct Watch<'a> {
    /// Called after each picture.
    pub on_picture: &'a mut dyn FnMut(),
    /// Set to stop before the next picture.
    pub stop: &'a AtomicBool,
}

/// What becomes of a folder that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is an error unless the folder is empty.
    Keep,
    /// It is replaced once the new one is whole, if it holds nothing but an earlier output.
    Replace,
}

/// Renders and writes everything that `config` asks for; `out` appears when it is whole.
///
/// # Errors
/// A setting is out of range, `out` is in use, the work was stopped, or a file cannot be written. Nothing is left then.
pub fn write(config: &DatasetConfig, out: &Path, existing: Existing, mut watch: Watch) -> Result<Written> {
    config.check()?;
    let (target, replaces) = target_folder(out, existing, &OURS)?;
    let folder = AtomicFolder::create(&target)?;
    let camera = robot_camera("left", config.width, config.height);
    let right =
        config.baseline_m.map(|baseline| robot_camera("right", config.width, config.height).with_baseline(baseline));
    ros_yaml::write(&folder.partial().join("camera.yaml"), &camera)?;
    if let Some(right) = &right {
        ros_yaml::write(&folder.partial().join("camera_right.yaml"), right)?;
    }
    let settings = toml::to_string(config).map_err(|error| Error::Setting { what: error.to_string() })?;
    write_bytes(&folder.partial().join(SETTINGS), settings.as_bytes())?;
    let mut driven_m = 0.0;
    if config.frames > 0 {
        let header = RecordingHeader { left: camera.clone(), right };
        driven_m = write_recording(config, &folder.partial().join("drive.mcap"), &header, out, &mut watch)?;
    }
    if config.labels > 0 {
        let labelled = folder.partial().join("labelled");
        write_labelled(config, &labelled, &camera, out, &mut watch)?;
        ros_yaml::write(&labelled.join("camera.yaml"), &camera)?;
    }
    let finished = folder.finish()?;
    if replaces {
        replace_folder(&finished, out, &OURS)?;
    }
    Ok(written(config, out, driven_m))
}

fn written(config: &DatasetConfig, out: &Path, driven_m: f64) -> Written {
    let when = |wanted: bool, name: &str| wanted.then(|| out.join(name));
    Written {
        out: out.to_path_buf(),
        recording: when(config.frames > 0, "drive.mcap"),
        camera: out.join("camera.yaml"),
        camera_right: when(config.baseline_m.is_some(), "camera_right.yaml"),
        labelled: when(config.labels > 0, "labelled"),
        settings: out.join(SETTINGS),
        frames: config.frames,
        labels: config.labels,
        place_seeds: if config.labels > 0 {
            (0..config.places).map(|place| config.place_seed(place)).collect()
        } else {
            vec![]
        },
        driven_m,
    }
}

/// One frame on its way from the renderer to the file.
struct Taken {
    frames: Vec<(Eye, Frame)>,
    left: Rendered,
    ranges: Option<parallax_core::depth::DepthMap>,
    pose: nalgebra::Isometry3<f64>,
    timestamp: Timestamp,
}

fn write_recording(
    config: &DatasetConfig,
    path: &Path,
    header: &RecordingHeader,
    out: &Path,
    watch: &mut Watch,
) -> Result<f64> {
    let world = World::generate(config.seed, &config.world);
    let drive = world.drive(&config.drive);
    let mut writer = RecordingWriter::create(path, header)?;
    let take = |index: usize| {
        let (time, pose) = (drive.time_secs(index), drive.world_from_camera(index));
        let timestamp = Timestamp::from_secs_f64(drive.elapsed_secs(index));
        let left = world.render(&header.left, &pose, time, &config.render);
        let mut frames = vec![(Eye::Left, Frame::from_rgb(left.rgb.clone(), timestamp, index as u64))];
        if let (Some(right), Some(baseline)) = (&header.right, config.baseline_m) {
            let seen = world.render(right, &right_from_left_pose(&pose, baseline), time, &config.render);
            frames.push((Eye::Right, Frame::from_rgb(seen.rgb, timestamp, index as u64)));
        }
        let ranges =
            config.lidar.as_ref().map(|lidar| world.lidar(&header.left, &pose, time, lidar, config.render.movers));
        Taken { frames, left, ranges, pose, timestamp }
    };
    // Pictures are compressed on this thread while the next are rendered on the others.
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Taken>(4);
        scope.spawn(move || {
            // A closed channel means that the file could not be written or the user stopped: nothing more to take.
            (0..config.frames).all(|index| sender.send(take(index)).is_ok())
        });
        for taken in receiver {
            if watch.stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped { path: out.to_path_buf() });
            }
            for (eye, frame) in &taken.frames {
                writer.write_frame(*eye, frame, Encoding::Png)?;
            }
            writer.write_depth(taken.timestamp, &taken.left.depth)?;
            writer.write_pose(taken.timestamp, &taken.pose)?;
            if let Some(ranges) = &taken.ranges {
                writer.write_lidar(taken.timestamp, ranges)?;
            }
            (watch.on_picture)();
        }
        Ok(())
    })?;
    writer.finish()?;
    Ok(drive.driven_m(config.frames - 1))
}

fn write_labelled(config: &DatasetConfig, path: &Path, camera: &Camera, out: &Path, watch: &mut Watch) -> Result<()> {
    let classes = Class::ALL.map(|class| (class.name(), class.color()));
    let writer = LabelledSetWriter::create(path, Classes::dense(&classes))?;
    for place in 0..config.places {
        let count = config.labels / config.places + usize::from(place < config.labels % config.places);
        let world = World::generate(config.place_seed(place), &config.world);
        let step_m = world.path_length_m() / count as f64;
        let drive = world.drive(&DriveConfig {
            heading: Heading::Backward,
            start_secs: config.drive.start_secs + LABELLED_START_SECS,
            speed_m_per_s: step_m / LABELLED_STEP_SECS,
            fps: 1.0 / LABELLED_STEP_SECS,
            ..config.drive.clone()
        });
        for index in 0..count {
            if watch.stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped { path: out.to_path_buf() });
            }
            let taken = world.render(camera, &drive.world_from_camera(index), drive.time_secs(index), &config.render);
            writer.add(&format!("place{place:02}_{index:04}"), &taken.rgb, &taken.classes)?;
            (watch.on_picture)();
        }
    }
    writer.finish()?;
    Ok(())
}

/// Where to write for `out`, and whether what is there is replaced afterwards; `ours` is all that it may hold then.
pub(crate) fn target_folder(out: &Path, existing: Existing, ours: &[&str]) -> Result<(PathBuf, bool)> {
    let replaces = is_occupied(out);
    if replaces && !(existing == Existing::Replace && holds_only(out, ours)) {
        return Err(Error::Occupied { path: out.to_path_buf() });
    }
    Ok((if replaces { with_suffix(out, ".next") } else { out.to_path_buf() }, replaces))
}

/// Puts a finished folder in the place of an earlier one, which goes when the new one is there. Somebody may have put
/// something into it while the new one was made: it stays then, under another name.
pub(crate) fn replace_folder(finished: &Path, out: &Path, ours: &[&str]) -> Result<()> {
    let earlier = set_aside(out, out, "earlier")?;
    rename_durably(finished, out)?;
    if holds_only(&earlier, ours) {
        std::fs::remove_dir_all(&earlier).map_err(parallax_core::Error::io("remove", &earlier))?;
    }
    Ok(())
}

/// Whether a folder holds nothing but what is written here: `ours`, the last of which is always there, and in folders of
/// those pictures by our names.
fn holds_only(path: &Path, ours: &[&str]) -> bool {
    let is_ours = ours.last().is_some_and(|settings| path.join(settings).is_file());
    let Ok(entries) = std::fs::read_dir(path) else { return false };
    is_ours
        && entries.flatten().all(|entry| {
            let (name, path) = (entry.file_name(), entry.path());
            let known = ours.iter().any(|ours| name == *ours);
            known && (!path.is_dir() || holds_only_pictures(&path))
        })
}

fn holds_only_pictures(path: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(path) else { return false };
    entries.flatten().all(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.path().is_dir() {
            return ["images", "labels"].contains(&&*name) && holds_only_pictures(&entry.path());
        }
        // `place00_0012.png` and `0012.png`.
        let number = name.strip_suffix(".png").map(|stem| stem.strip_prefix("place").unwrap_or(stem));
        let is_number = |stem: &str| !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        number.is_some_and(is_number) || ["classes.toml", "camera.yaml"].contains(&&*name)
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}
