//! What travels between the rooms of Parallax, and what training and the board must do identically.
//!
//! In reading order, following the flow from camera to mask:
//!
//! | module | what it holds |
//! |---|---|
//! | [`frame`] | one picture as a camera gave it, with its time stamp |
//! | [`depth`] | metres along the optical axis, per pixel |
//! | [`board`] | calibration boards: what is printed where |
//! | [`camera`] | how rays become pixels: intrinsics, distortion, rectification, ROS files |
//! | [`recording`] | a drive on disk: MCAP or a folder of images, with random access |
//! | [`labels`] | the labelled set and its classes |
//! | [`model_input`] | the one path from a picture to the numbers a network sees |
//! | [`model_output`] | the one path from a network's logits to a mask |
//! | [`bundle`] | a model with everything needed to run it elsewhere |
//! | [`run`] | what a training run says of itself, for who evaluates, exports and packs it |
//! | [`score`] | confusion matrix, mean IoU, pixel accuracy |
//! | [`picture_file`] | the one door for pictures: strict, turned by EXIF, bounded |
//! | [`picture`] | overlays, colour maps and sheets for people to look at |
//! | [`program`] | how the programs start, stop on Ctrl-C and report an error |
//! | [`file_kind`] | what a file is that somebody gave in place of another |
//! | [`reading`] | whole files into memory, none larger than was said |
//! | [`files`] | writing so that nothing half-written is left under a final name |
//!
//! *Invariant:* this crate knows no network, no training, no inference engine and no camera driver.

pub mod board;
pub mod bundle;
pub mod camera;
pub mod depth;
mod error;
pub mod file_kind;
pub mod files;
pub mod frame;
pub mod labels;
pub mod model_input;
pub mod model_output;
pub mod picture;
pub mod picture_file;
pub mod program;
pub mod reading;
pub mod recording;
pub mod run;
pub mod score;

pub use error::{Error, Result};
