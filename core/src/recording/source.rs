//! What a recording is read from: one implementation for each container of footage.
//!
//! [`Recording`](super::Recording) is the only caller. It checks every index before it asks, so an implementation may
//! take `index < len()` for granted.
//!
//! *Invariant*: opening reads an index and never the pictures; the memory that a source keeps does not grow with the
//! pictures it has given. A drive is larger than a board's memory.
//!
//! *Invariant*: nothing outside [`super::containers`] asks which container a source is. What only one of them knows is
//! a method here whose default says "there is no such thing".

use super::common_size::{CommonSize, of_first_frames};
use super::{Eye, TimeFinding};
use crate::Result;
use crate::camera::Camera;
use crate::depth::DepthMap;
use crate::frame::{Frame, Timestamp};
use crate::picture_file::Orientation;
use nalgebra::Isometry3;
use std::fmt::Debug;
use std::path::Path;

/// Frames of one container, with random access by the number of the left (or only) camera's picture.
pub(super) trait Source: Debug + Send + Sync {
    /// Number of left frames.
    fn len(&self) -> usize;

    /// When a frame was captured. Frames are in the order of these times.
    fn timestamp(&self, index: usize) -> Timestamp;

    /// Whether there are pictures of this eye.
    fn has(&self, eye: Eye) -> bool;

    /// Whether this eye has a picture for this frame.
    fn has_frame(&self, index: usize, eye: Eye) -> bool;

    /// Reads and decodes a picture; none when this eye has none for this frame.
    ///
    /// # Errors
    /// The picture is there but cannot be read; the message names it.
    fn frame(&self, index: usize, eye: Eye) -> Result<Option<Frame>>;

    /// Size of all pictures as shown, and how EXIF turns those of each eye. The first frames tell, unless the container
    /// knows it of all frames without decoding them.
    ///
    /// # Errors
    /// There is no picture that can be read, or their sizes differ.
    fn common_size(&self, path: &Path) -> Result<CommonSize> {
        of_first_frames(self, path)
    }

    /// How EXIF turns the picture of a frame; none where there is no picture, or none that carries EXIF.
    fn orientation(&self, _index: usize, _eye: Eye) -> Option<Orientation> {
        None
    }

    /// Whether the pictures are what they say they are, as far as a few of them tell.
    ///
    /// # Errors
    /// They are something else, such as depth.
    fn check_pictures(&self) -> Result<()> {
        Ok(())
    }

    /// The calibration of this eye, where the container has one.
    ///
    /// # Errors
    /// It is there but cannot be understood.
    fn camera(&self, _eye: Eye) -> Result<Option<Camera>> {
        Ok(None)
    }

    /// When one eye took its picture of a frame, where the eyes of a pair have stamps of their own.
    fn frame_timestamp(&self, index: usize, eye: Eye) -> Option<Timestamp> {
        self.has_frame(index, eye).then(|| self.timestamp(index))
    }

    /// Whether the times were recorded, not counted at an assumed rate.
    fn has_recorded_times(&self) -> bool {
        true
    }

    /// What is strange about the times.
    fn time_findings(&self) -> &[TimeFinding] {
        &[]
    }

    /// What else the user should know.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// What of the recording is lost; none for a whole one. What is whole is read all the same.
    fn damage(&self) -> Option<&str> {
        None
    }

    /// The file that holds a picture alone, where each picture is a file.
    fn image_path(&self, _index: usize, _eye: Eye) -> Option<&Path> {
        None
    }

    /// Whether any frame has exact or dense depth.
    fn has_depth(&self) -> bool {
        false
    }

    /// Whether this frame has exact or dense depth.
    fn has_depth_of(&self, _index: usize) -> bool {
        false
    }

    /// The exact or dense depth of a frame; none where there is none.
    ///
    /// # Errors
    /// It is there but cannot be read.
    fn depth(&self, _index: usize) -> Result<Option<DepthMap>> {
        Ok(None)
    }

    /// Whether any frame has sparse range measurements.
    fn has_lidar(&self) -> bool {
        false
    }

    /// Whether this frame has sparse range measurements.
    fn has_lidar_of(&self, _index: usize) -> bool {
        false
    }

    /// The range measurements of a frame, projected into the left camera; none where there are none.
    ///
    /// # Errors
    /// They are there but cannot be read.
    fn lidar(&self, _index: usize) -> Result<Option<DepthMap>> {
        Ok(None)
    }

    /// Where the left camera was; none where the container does not say or the pose cannot be read.
    fn world_from_camera(&self, _index: usize) -> Option<Isometry3<f64>> {
        None
    }

    /// Which unbroken stretch of frames a frame belongs to, from 0 on.
    fn stretch(&self, _index: usize) -> usize {
        0
    }

    /// Whether a recorder chose the frames.
    fn is_chosen(&self) -> bool {
        false
    }

    /// The JSON messages of a topic with their times, in order.
    ///
    /// # Errors
    /// A message cannot be read or is no JSON.
    fn json_messages(&self, _topic: &str) -> Result<Vec<(Timestamp, serde_json::Value)>> {
        Ok(Vec::new())
    }
}
