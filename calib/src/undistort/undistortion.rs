//! Pictures of a recording with the maps that undistort them, and where they are written to.

use crate::CameraPair;
use nalgebra::{Rotation3, UnitQuaternion};
use parallax_core::camera::rectify::Rectifier;
use parallax_core::camera::{Camera, rectified_depth, ros_yaml};
use parallax_core::files::{AtomicFolder, write_picture};
use parallax_core::frame::Frame;
use parallax_core::recording::{Encoding, Eye, Recording, RecordingHeader, RecordingWriter};
use parallax_core::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const EYES: [Eye; 2] = [Eye::Left, Eye::Right];

/// Who follows the work: called after each frame; `false` stops it.
pub type OnFrame<'a> = &'a mut dyn FnMut() -> bool;

/// What was written.
#[derive(Clone, Debug)]
pub struct Undistorted {
    /// The recording or folder.
    pub path: PathBuf,
    /// Frames in it.
    pub frames: usize,
    /// Frames that could not be read, with the reason of the first.
    pub lost: Option<(usize, String)>,
    /// The plain cameras that its pictures follow.
    pub cameras: CameraPair,
}

/// Pictures of a recording and the maps that undistort them.
pub struct Undistortion<'a> {
    recording: &'a Recording,
    cameras: CameraPair,
    maps: Vec<(Eye, Rectifier)>,
}

impl<'a> Undistortion<'a> {
    /// Prepares the maps; `cameras` are those that took the recording's pictures.
    ///
    /// # Errors
    /// The cameras' pictures have another size than the recording's, or there is nothing to undistort.
    pub fn new(recording: &'a Recording, cameras: CameraPair) -> Result<Self> {
        let of_eye = |eye| if eye == Eye::Left { Some(&cameras.left) } else { cameras.right.as_ref() };
        let mut maps = Vec::new();
        for eye in EYES {
            let Some(camera) = of_eye(eye).filter(|_| recording.has(eye)) else { continue };
            let (expected, found) = ((camera.width, camera.height), recording.size());
            if expected != found {
                return Err(Error::Recording {
                    what: format!(
                        "the camera is one of {}x{} pictures, found {}x{}",
                        expected.0, expected.1, found.0, found.1
                    ),
                    path: recording.path().to_path_buf(),
                    hint: "for pictures that were resized after they were taken: `parallax-calib convert --resize`",
                });
            }
            maps.push((eye, Rectifier::new(camera)));
        }
        let right = cameras.right.clone().filter(|_| recording.has(Eye::Right));
        let cameras = CameraPair { right, ..cameras };
        if [Some(&cameras.left), cameras.right.as_ref()]
            .into_iter()
            .flatten()
            .all(|camera| !camera.needs_rectification())
        {
            return Err(Error::Recording {
                what: "there is nothing to undistort: the camera is a plain pinhole".into(),
                path: recording.path().to_path_buf(),
                hint: "use the pictures as they are, or name the camera that took them with --camera",
            });
        }
        Ok(Self { recording, cameras, maps })
    }

    /// The plain cameras of the pictures to come.
    pub fn cameras(&self) -> CameraPair {
        CameraPair { left: self.cameras.left.rectified(), right: self.cameras.right.as_ref().map(Camera::rectified) }
    }

    /// Writes a recording with everything that this one holds.
    ///
    /// # Errors
    /// No frame could be read, the work was stopped, or the file cannot be written; no file is left then.
    pub fn to_recording(&self, out: &Path, on_frame: OnFrame) -> Result<Undistorted> {
        let CameraPair { left, right } = self.cameras();
        let mut writer = RecordingWriter::create(out, &RecordingHeader { left: left.clone(), right })?;
        let mut losses = Losses::default();
        let written = self.each_frame(on_frame, out, |index| {
            let frames = match self.frames(index) {
                Ok(frames) => frames,
                Err(error) => return losses.note(error),
            };
            for (eye, frame) in frames {
                writer.write_frame(eye, &frame, Encoding::Png)?;
            }
            let timestamp = self.recording.timestamp(index);
            let seen = |map| rectified_depth(&map, Some(&self.cameras.left), left.width, left.height);
            if let Some(depth) = self.recording.depth(index)? {
                writer.write_depth(timestamp, &seen(depth))?;
            }
            if let Some(ranges) = self.recording.lidar(index)? {
                writer.write_lidar(timestamp, &seen(ranges))?;
            }
            match self.recording.world_from_camera(index) {
                Some(pose) => writer.write_pose(timestamp, &(pose * rectified_from(&self.cameras.left).inverse())),
                None => Ok(()),
            }
        });
        match written {
            Ok(()) => {
                let path = writer.finish()?;
                Ok(self.report(path, losses))
            }
            Err(error) => {
                writer.discard();
                Err(error)
            }
        }
    }

    /// Writes pictures as PNG and their camera files into a new folder: beside each other, or in `left/` and `right/` for a
    /// pair. Depth and poses have no place there.
    ///
    /// # Errors
    /// As [`Undistortion::to_recording`]; also when `out` is in use.
    pub fn to_folder(&self, out: &Path, on_frame: OnFrame) -> Result<Undistorted> {
        let folder = AtomicFolder::create(out)?;
        let cameras = self.cameras();
        let places: BTreeSet<_> = if cameras.right.is_some() { ["left", "right"].into() } else { [""].into() };
        for place in places {
            std::fs::create_dir_all(folder.partial().join(place)).map_err(Error::io("create", out))?;
        }
        let names = self.recording.frame_names();
        let mut losses = Losses::default();
        self.each_frame(on_frame, out, |index| {
            let frames = match self.frames(index) {
                Ok(frames) => frames,
                Err(error) => return losses.note(error),
            };
            let pair = cameras.right.is_some();
            for (eye, frame) in frames {
                let place = if pair { folder.partial().join(eye.name()) } else { folder.partial().to_path_buf() };
                let picture = image::DynamicImage::ImageRgb8(frame.to_rgb()?);
                write_picture(&place.join(format!("{}.png", names[index])), &picture)?;
            }
            Ok(())
        })?;
        let written = |name: &str| folder.partial().join(name);
        ros_yaml::write(&written("camera.yaml"), &cameras.left)?;
        if let Some(right) = &cameras.right {
            ros_yaml::write(&written("camera_right.yaml"), right)?;
        }
        let path = folder.finish()?;
        Ok(self.report(path, losses))
    }

    fn each_frame(&self, on_frame: OnFrame, out: &Path, mut work: impl FnMut(usize) -> Result<()>) -> Result<()> {
        for index in 0..self.recording.len() {
            work(index)?;
            if !on_frame() {
                let stopped = std::io::Error::new(std::io::ErrorKind::Interrupted, "stopped before the end");
                return Err(Error::io("write", out)(stopped));
            }
        }
        Ok(())
    }

    fn frames(&self, index: usize) -> Result<Vec<(Eye, Frame)>> {
        let here = self.maps.iter().filter(|(eye, _)| self.recording.has_frame(index, *eye));
        here.map(|(eye, map)| {
            let frame = self.recording.frame(index, *eye)?;
            let time = self.recording.frame_timestamp(index, *eye).unwrap_or(frame.timestamp);
            Ok((*eye, Frame::from_rgb(map.rectify(&frame.to_rgb()?)?, time, frame.sequence)))
        })
        .collect()
    }

    fn report(&self, path: PathBuf, losses: Losses) -> Undistorted {
        Undistorted {
            path,
            frames: self.recording.len() - losses.count,
            lost: losses.first.map(|first| (losses.count, first)),
            cameras: self.cameras(),
        }
    }
}

/// Frames that could not be read: told at the end, not fatal.
#[derive(Default)]
struct Losses {
    count: usize,
    first: Option<String>,
}

impl Losses {
    #[expect(clippy::unnecessary_wraps, reason = "stands where the work's result would")]
    fn note(&mut self, error: Error) -> Result<()> {
        self.count += 1;
        self.first.get_or_insert_with(|| error.to_string());
        Ok(())
    }
}

fn rectified_from(camera: &Camera) -> UnitQuaternion<f64> {
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(camera.rectification))
}

#[cfg(test)]
mod tests;
