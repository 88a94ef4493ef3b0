//! Frames from one URI, wherever they come from.
//!
//! | URI | source |
//! |---|---|
//! | `drive.mcap`, `file:drive.mcap` | a recording |
//! | `drive/`, `file:///data/drive` | a folder of images, see `docs/formats.md` |
//! | `street.png` | one image |
//!
//! Live cameras (`v4l2:`, `http:`, `rtsp:`, `cmd:`) are refused by name in this version.
//!
//! ```no_run
//! let mut source = parallax_camera::Source::open("drive.mcap")?;
//! while let Some(frame) = source.next_frame() {
//!     match frame {
//!         Ok(frame) => println!("{} at {} s", frame.sequence, frame.timestamp.secs()),
//!         Err(lost) => eprintln!("skipped: {lost}"),
//!     }
//! }
//! # Ok::<(), parallax_camera::Error>(())
//! ```
//!
//! *Invariant:* nothing here knows what the frames are for.

mod error;
mod source;
mod uri;

pub use error::{Error, Result};
pub use source::Source;
