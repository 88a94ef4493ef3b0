//! The recordings of a run: checked, rectified, at training size, kept in memory while they fit.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use nalgebra::{Isometry3, Rotation3, UnitQuaternion};
use parallax_core::camera::rectify::Rectifier;
use parallax_core::camera::{Camera, CameraIdentity, Intrinsics, baseline_of_pair, rectified_depth};
use parallax_core::model_input::PictureResizer;
use parallax_core::recording::{Eye, OpenOptions, Recording};
use parallax_core::run::DataSource;

use super::crop::FrameSize;
use super::motion;
use super::supervision::{IntrinsicsSource, PoseSource, RangeChannel};
use crate::Error;

/// Which recordings, at what size.
#[derive(Debug, Clone, PartialEq)]
pub struct FootageConfig {
    /// Recordings or folders.
    pub data: Vec<PathBuf>,
    /// A camera file that goes before what the recordings say.
    pub camera: Option<PathBuf>,
    /// The same for the right camera.
    pub right_camera: Option<PathBuf>,
    /// Width the networks work at, pixels.
    pub width: usize,
    /// Height the networks work at, pixels.
    pub height: usize,
    /// Bytes of decoded frames kept in memory.
    pub memory: usize,
}

/// What else is needed of the recordings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FootageNeeds {
    /// The size of frames.
    pub frames: FrameSize,
    /// Whether frames are asked for at larger sizes as well.
    pub enlarged: bool,
    /// Where intrinsics come from; learned ones ask for no camera, and frames are taken as they are.
    pub intrinsics: IntrinsicsSource,
    /// Where poses come from; learned ones are not read.
    pub poses: PoseSource,
    /// Which ranges are meant; none: lidar where there is some, else depth.
    pub range: Option<RangeChannel>,
}

/// All footage of a run.
#[derive(Debug)]
pub struct Footage {
    drives: Vec<Drive>,
    width: usize,
    height: usize,
    memory_left: AtomicUsize,
}

/// One recording.
#[derive(Debug)]
struct Drive {
    recording: Recording,
    /// Of frames, pixels.
    size: (usize, usize),
    /// At which they are kept: the recording's own where larger frames are asked for.
    kept: (usize, usize),
    eyes: [Option<Lens>; 2],
    frames: Vec<[OnceLock<RgbImage>; 2]>,
    channel: Option<RangeChannel>,
    /// At the frames' size, metres.
    ranges: Vec<OnceLock<Vec<f32>>>,
    /// Of the rectified left camera; empty where poses are learned.
    world_from_left: Vec<Option<Isometry3<f64>>>,
}

/// One eye of a recording.
#[derive(Debug)]
struct Lens {
    camera: Camera,
    /// At the frames' size.
    intrinsics: Intrinsics,
    rectify: Option<Rectifier>,
    /// Of the right eye, where it is to the right of the left one.
    baseline_m: Option<f64>,
}

impl Footage {
    /// Opens and checks recordings whose cameras are known.
    ///
    /// # Errors
    /// When one cannot be opened, has no camera, or its camera does not fit its frames.
    pub fn open(config: &FootageConfig) -> Result<Self, Error> {
        Self::open_for(config, &FootageNeeds::default())
    }

    /// Opens and checks the recordings for what is needed of them.
    ///
    /// # Errors
    /// As [`Footage::open`], and when a pose file cannot be read.
    pub fn open_for(config: &FootageConfig, needs: &FootageNeeds) -> Result<Self, Error> {
        if config.data.is_empty() {
            let hint = "name a recording or a folder of frames with --data";
            return Err(Error::Settings { what: "there is nothing to train on".into(), hint });
        }
        let open = |path: &PathBuf| Drive::open(path.clone(), config, needs);
        let drives = config.data.iter().map(open).collect::<Result<_, _>>()?;
        let memory_left = AtomicUsize::new(config.memory);
        Ok(Self { drives, width: config.width, height: config.height, memory_left })
    }

    /// Number of recordings.
    #[must_use]
    pub fn drives(&self) -> usize {
        self.drives.len()
    }

    /// A recording as it was opened.
    #[must_use]
    pub fn recording(&self, drive: usize) -> &Recording {
        &self.drives[drive].recording
    }

    /// Width the networks work at on whole frames.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height the networks work at on whole frames.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width and height of a recording's frames.
    #[must_use]
    pub fn frame_size(&self, drive: usize) -> (usize, usize) {
        self.drives[drive].size
    }

    /// The intrinsics of an eye at the frames' size, if the recording has that eye and its camera is known.
    #[must_use]
    pub fn intrinsics(&self, drive: usize, eye: Eye) -> Option<Intrinsics> {
        self.drives[drive].eyes[eye.index()].as_ref().map(|lens| lens.intrinsics)
    }

    /// Which camera took a recording. Recordings whose pictures have one size are taken to be of one camera.
    #[must_use]
    pub fn camera_number(&self, drive: usize) -> usize {
        let size = self.recording(drive).size();
        self.drives_of_cameras().iter().position(|other| self.recording(*other).size() == size).unwrap_or(0)
    }

    /// The first recording of each camera.
    #[must_use]
    pub fn drives_of_cameras(&self) -> Vec<usize> {
        let size = |drive: usize| self.recording(drive).size();
        (0..self.drives()).filter(|drive| (0..*drive).all(|earlier| size(earlier) != size(*drive))).collect()
    }

    /// Distance between the two cameras in metres, if the recording is stereo with a known baseline.
    #[must_use]
    pub fn baseline_m(&self, drive: usize) -> Option<f64> {
        self.drives[drive].eyes[Eye::Right.index()].as_ref().and_then(|lens| lens.baseline_m)
    }

    /// Whether the pose of a frame is known.
    #[must_use]
    pub fn has_pose(&self, drive: usize, index: usize) -> bool {
        self.drives[drive].world_from_left.get(index).is_some_and(Option::is_some)
    }

    /// `source_from_target` of two rectified frames, metres, where poses (or, between the eyes of a pair, the baseline) say.
    #[must_use]
    pub fn motion(&self, drive: usize, [source, target]: [(usize, Eye); 2]) -> Option<Isometry3<f64>> {
        let along_x = |eye: Eye| match eye {
            Eye::Left => Some(0.0),
            Eye::Right => self.baseline_m(drive),
        };
        let along_x = [along_x(source.1)?, along_x(target.1)?];
        let pose = |index: usize| self.drives[drive].world_from_left.get(index)?.as_ref();
        if source.0 == target.0 {
            let here = Isometry3::identity();
            return Some(motion::between([&here, &here], along_x));
        }
        Some(motion::between([pose(source.0)?, pose(target.0)?], along_x))
    }

    /// Whether something was measured for a frame.
    #[must_use]
    pub fn has_ranges(&self, drive: usize, index: usize) -> bool {
        self.drives[drive].has_ranges(index)
    }

    /// What a range sensor measured in the left eye's frame, metres, 0 where nothing; none where it did not measure.
    ///
    /// # Shapes
    /// - result: `[height, width]` of the frames' size
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ranges(&self, drive: usize, index: usize) -> Result<Option<Vec<f32>>, Error> {
        self.ranges_at(drive, index, self.frame_size(drive))
    }

    /// The same in a frame of another size.
    ///
    /// # Errors
    /// As [`Footage::ranges`].
    pub fn ranges_at(&self, drive: usize, index: usize, size: (usize, usize)) -> Result<Option<Vec<f32>>, Error> {
        if size != self.frame_size(drive) {
            return self.drives[drive].read_ranges(index, size);
        }
        let kept = &self.drives[drive].ranges[index];
        if let Some(ranges) = kept.get() {
            return Ok(Some(ranges.clone()));
        }
        let Some(ranges) = self.drives[drive].read_ranges(index, size)? else { return Ok(None) };
        if self.fits_in_memory(size_of_val(ranges.as_slice())) {
            // Another thread may have kept the same meanwhile.
            let _ = kept.set(ranges.clone());
        }
        Ok(Some(ranges))
    }

    /// A frame, rectified, at the frames' size.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn frame(&self, drive: usize, index: usize, eye: Eye) -> Result<RgbImage, Error> {
        self.frame_at(drive, index, eye, self.frame_size(drive))
    }

    /// A frame, rectified, at any size.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn frame_at(&self, drive: usize, index: usize, eye: Eye, size: (usize, usize)) -> Result<RgbImage, Error> {
        let kept = &self.drives[drive].frames[index][eye.index()];
        if let Some(frame) = kept.get() {
            return Ok(resized(frame, size).unwrap_or_else(|| frame.clone()));
        }
        let frame = self.drives[drive].read(index, eye)?;
        let at_size = resized(&frame, size);
        if self.fits_in_memory(frame.as_raw().len()) {
            // Another thread may have kept the same frame meanwhile; both decoded the same.
            let _ = kept.set(frame.clone());
        }
        Ok(at_size.unwrap_or(frame))
    }

    fn fits_in_memory(&self, bytes: usize) -> bool {
        self.memory_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    /// What the run's description says about its data.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn sources(&self) -> Result<Vec<DataSource>, Error> {
        self.drives.iter().map(Drive::source).collect()
    }
}

impl Drive {
    fn open(path: PathBuf, config: &FootageConfig, needs: &FootageNeeds) -> Result<Self, Error> {
        let options = OpenOptions {
            camera: config.camera.clone(),
            right_camera: config.right_camera.clone(),
            poses: needs.poses.file().cloned(),
            ..OpenOptions::default()
        };
        let recording = Recording::open_with(&path, &options)?;
        if let Some(damage) = recording.damage() {
            tracing::warn!("{} is damaged, what is whole of it is used: {damage}", path.display());
        }
        let own = (recording.size().0 as usize, recording.size().1 as usize);
        let size = match needs.frames {
            FrameSize::Network => (config.width, config.height),
            FrameSize::Full => own,
        };
        let eyes = match needs.intrinsics {
            IntrinsicsSource::Learn => [None, None],
            IntrinsicsSource::Given => {
                let left = recording.camera(Eye::Left).ok_or_else(|| Error::Data {
                    what: "the recording has no camera: its focal length and centre are needed".into(),
                    path: path.clone(),
                    hint: "put a camera.yaml beside the frames (`parallax-calib convert --help` makes one of other forms), or name \
                           one with --camera; without any, `parallax-train pretrain --from video --intrinsics learn` learns one",
                })?;
                let mut right = recording.camera(Eye::Right).map(|camera| Lens::new(camera, size)).transpose()?;
                if let Some(right) = &mut right {
                    // What is wrong with it is told where stereo is asked for.
                    right.baseline_m = baseline_of_pair(left, &right.camera).ok();
                }
                [Some(Lens::new(left, size)?), right]
            }
        };
        let mut drive = Self {
            size,
            kept: if needs.enlarged { own } else { size },
            frames: (0..recording.len()).map(|_| [OnceLock::new(), OnceLock::new()]).collect(),
            channel: needs.range,
            ranges: (0..recording.len()).map(|_| OnceLock::new()).collect(),
            world_from_left: Vec::new(),
            recording,
            eyes,
        };
        if !needs.poses.is_learned() {
            drive.world_from_left = drive.read_poses();
        }
        Ok(drive)
    }

    fn left(&self) -> Option<&Lens> {
        self.eyes[Eye::Left.index()].as_ref()
    }

    fn read_poses(&self) -> Vec<Option<Isometry3<f64>>> {
        let turn = self.left().map_or(UnitQuaternion::identity(), |lens| {
            UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(lens.camera.rectification))
        });
        let pose = |index| self.recording.world_from_camera(index).map(|pose| motion::of_rectified(&pose, &turn));
        (0..self.recording.len()).map(pose).collect()
    }

    /// The kind of measurement that a frame's ranges are taken from: one kind for the whole recording.
    fn range_channel(&self) -> RangeChannel {
        let found = || if self.recording.has_lidar() { RangeChannel::Lidar } else { RangeChannel::Depth };
        self.channel.unwrap_or_else(found)
    }

    fn has_ranges(&self, index: usize) -> bool {
        match self.range_channel() {
            RangeChannel::Lidar => self.recording.has_lidar_of(index),
            RangeChannel::Depth => self.recording.has_depth_of(index),
        }
    }

    fn read_ranges(&self, index: usize, (width, height): (usize, usize)) -> Result<Option<Vec<f32>>, Error> {
        let measured = match self.range_channel() {
            RangeChannel::Lidar => self.recording.lidar(index)?,
            RangeChannel::Depth => self.recording.depth(index)?,
        };
        let lens = self.left().map(|lens| &lens.camera);
        Ok(measured.map(|map| rectified_depth(&map, lens, width as u32, height as u32).metres))
    }

    /// A frame at the size at which frames are kept.
    fn read(&self, index: usize, eye: Eye) -> Result<RgbImage, Error> {
        let mut picture = self.recording.frame(index, eye)?.to_rgb()?;
        if let Some(rectify) = self.eyes[eye.index()].as_ref().and_then(|lens| lens.rectify.as_ref()) {
            picture = rectify.rectify(&picture)?;
        }
        Ok(resized(&picture, self.kept).unwrap_or(picture))
    }

    fn source(&self) -> Result<DataSource, Error> {
        let camera = self.left().map(|lens| CameraIdentity::of(&lens.camera));
        Ok(DataSource { camera, ..identify(self.recording.path(), self.recording.len())? })
    }
}

/// A picture at another size; none where it has that size.
fn resized(picture: &RgbImage, (width, height): (usize, usize)) -> Option<RgbImage> {
    let (width, height) = (width as u32, height as u32);
    (picture.dimensions() != (width, height)).then(|| PictureResizer::default().resize(picture, width, height))
}

/// Data of `count` frames by a file's content, or the names and sizes of a folder's files: enough to notice that they are
/// others.
pub(crate) fn identify(path: &Path, count: usize) -> Result<DataSource, Error> {
    let sha256 = if path.is_file() {
        parallax_core::files::sha256_of_file(path)?
    } else {
        let mut listing = Vec::new();
        list(path, path, &mut listing)?;
        listing.sort();
        parallax_core::files::sha256_of_bytes(listing.join("\n").as_bytes())
    };
    Ok(DataSource { path: path.to_path_buf(), count, sha256, camera: None })
}

fn list(root: &Path, folder: &Path, listing: &mut Vec<String>) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let facts = std::fs::metadata(&path).map_err(Error::io("read", &path))?;
        if facts.is_dir() {
            list(root, &path, listing)?;
        } else {
            listing.push(format!("{} {}", path.strip_prefix(root).unwrap_or(&path).display(), facts.len()));
        }
    }
    Ok(())
}

impl Lens {
    fn new(camera: &Camera, (width, height): (usize, usize)) -> Result<Self, Error> {
        camera.validate()?;
        Ok(Self {
            intrinsics: camera.rectified().resized(width as u32, height as u32).intrinsics,
            rectify: camera.needs_rectification().then(|| Rectifier::new(camera)),
            baseline_m: None,
            camera: camera.clone(),
        })
    }
}
