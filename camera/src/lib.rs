//! Frames from one URI, wherever they come from.
//!
//! | URI | source |
//! |---|---|
//! | `v4l2:/dev/video0`, `/dev/video0`, `v4l2:usb-046d_…-index0` | a V4L2 device |
//! | `cmd:rpicam-vid -t 0 --codec mjpeg -o -` | a command that writes Motion-JPEG, or raw frames with `?format=…&size=…` |
//! | `http://camera:8080/stream` | a server's Motion-JPEG stream |
//! | `stereo:v4l2:/dev/video0\|v4l2:/dev/video2` | two live sources, paired by time |
//! | `drive.mcap`, `file:drive.mcap` | a recording; `?pace=recorded` plays it as if it happened now |
//! | `drive/`, `file:///data/drive` | a folder of images, see `docs/formats.md` |
//! | `street.png` | one image |
//!
//! A live source is read by a thread of its own that keeps the newest picture only: frames are as young as they can
//! be, and who is slow misses some. A lost source is told and opened again by itself. All options: `docs/cameras.md`.
//!
//! ```no_run
//! use parallax_camera::{Arrival, Shot, Source};
//! use std::time::Duration;
//!
//! let mut source = Source::open("v4l2:/dev/video0?size=640x480&fps=30")?;
//! let mut shot = Shot::default();
//! loop {
//!     match source.next_into(&mut shot, Duration::from_millis(100)) {
//!         Ok(Arrival::Fresh { dropped, .. }) => {
//!             let age = parallax_camera::now().since(shot.left.timestamp);
//!             println!("frame {}: {age:?} old, {dropped} missed", shot.left.sequence);
//!         }
//!         Ok(Arrival::Nothing) => {}
//!         Ok(Arrival::End) => break,
//!         Err(lost) => eprintln!("{lost}"),
//!     }
//! }
//! # Ok::<(), parallax_camera::Error>(())
//! ```
//!
//! In reading order:
//!
//! | module | what it holds |
//! |---|---|
//! | `uri` | what a URI asks for |
//! | `source`, `arrival` | the one type for all of them, and its answer |
//! | `shot` | what a camera saw at one moment, and what the camera is |
//! | `live` | capture thread, mailbox, loss and return |
//! | `v4l2` | devices: formats, controls, the capture queue |
//! | `stream` | commands and servers: pictures in a stream of bytes |
//! | `stereo` | two pictures of one moment |
//! | `recorded` | recordings, folders and pictures |
//! | [`preview`] | pictures for people over HTTP: who may see them, Motion-JPEG (feature `preview`) |
//! | `clock`, `fourcc`, `sys` | the clock of time stamps; four-letter codes of formats; the system calls |
//!
//! *Invariant:* nothing here knows what the frames are for.
//! *Invariant:* `unsafe` is in `sys` only.

mod arrival;
mod clock;
mod error;
mod fourcc;
mod live;
pub mod preview;
mod recorded;
mod shot;
mod source;
mod stereo;
mod stream;
mod sys;
mod uri;
mod v4l2;

pub use arrival::Arrival;
pub use clock::now;
pub use error::{Error, Fault, Result};
pub use live::Counters;
pub use shot::{ControlValue, Description, Layout, Shot, Stamp};
pub use source::Source;
pub use v4l2::{Control, DeviceInfo, FormatInfo, SizeInfo, devices};
