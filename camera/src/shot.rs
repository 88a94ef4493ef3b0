//! What a camera saw at one moment, and what kind of picture it gives.

use parallax_core::frame::{Frame, PixelFormat};
use serde::Serialize;
use std::fmt;

/// What a camera saw at one moment: one picture, or the two of a stereo camera.
///
/// Hand the same one in again for the next frame: its buffers are used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shot {
    /// The left or only picture.
    pub left: Frame,
    /// The right picture of a stereo camera.
    pub right: Option<Frame>,
}

impl Shot {
    /// Takes over another shot into the memory that this one has.
    pub fn copy_from(&mut self, other: &Self) {
        copy(&mut self.left, &other.left);
        match (&mut self.right, &other.right) {
            (Some(right), Some(other)) => copy(right, other),
            (right, other) => right.clone_from(other),
        }
    }
}

fn copy(to: &mut Frame, from: &Frame) {
    let mut data = std::mem::take(&mut to.data);
    data.clone_from(&from.data);
    let Frame { timestamp, sequence, width, height, format, ycbcr, data: _ } = *from;
    *to = Frame { timestamp, sequence, width, height, format, ycbcr, data };
}

/// Format and size of a camera's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How the bytes are laid out.
    #[serde(serialize_with = "by_name")]
    pub format: PixelFormat,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn by_name<S: serde::Serializer>(format: &PixelFormat, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(format.name())
}

impl Layout {
    /// That of a frame.
    pub const fn of(frame: &Frame) -> Self {
        Self { width: frame.width, height: frame.height, format: frame.format }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{} {}", self.width, self.height, self.format.name())
    }
}

/// Which clock a camera's time stamps are from and what moment they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// The driver's, when the exposure began.
    Exposure,
    /// The driver's, when the picture's last byte was there.
    EndOfFrame,
    /// Ours, when the picture's first byte arrived: what came before is not part of a frame's age.
    Arrival,
    /// That of the recording, moved so that its first frame is now.
    Recorded,
}

/// What a live source turned out to be: recorded beside what is made from its frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The source as it was asked for.
    pub uri: String,
    /// What the device calls itself.
    pub name: String,
    /// Its driver, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Format and size, as it agreed to or as its first picture had.
    pub layout: Option<Layout>,
    /// Frames per second that it agreed to, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// What its time stamps mean.
    pub stamps: Stamp,
    /// Its controls as read back after they were set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<ControlValue>,
}

/// A control and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlValue {
    /// Its name in lower case, such as `exposure_time_absolute`.
    pub name: String,
    /// Its value, as the device says it.
    pub value: i64,
    /// What was asked for; differs where the device chose another value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<i64>,
}
