//! Will this footage train? What can be measured before any hour of training, from a few hundred frames.
//!
//! ```text
//! recording ──► Drive ──► pairs, stereo pairs, frames ──► checks ──► report ──► sheets of the worst pairs
//!                    └──► windows of frames ──► focal length and distortion
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`drive`] | one recording at training size; which pairs are looked at |
//! | [`cuts`] | frames that do not follow the one before |
//! | [`frame`] | one frame: blur, exposure |
//! | [`stereo`] | the two eyes: rows, order, moment |
//! | [`windows`], [`self_calibration`] | tracks through several frames; the focal length and distortion they ask for |
//! | [`frame_gap`] | how many frames apart partners should be |
//! | [`checks`] | from measurements to pass, warn or fail, with the remedy |
//! | [`report`], [`sheet`] | what comes out: lines, JSON, pictures |
//!
//! It takes recordings and gives a report: it knows neither networks nor training, and prints nothing.
//!
//! How a frame and a pair are measured is in [`parallax_vision::footage`], which a recorder uses too.
//!
//! Everything is measured in pixels at training size, because that is where the loss looks. What each check means and
//! where its thresholds come from: `docs/doctor.md`.

pub mod checks;
pub mod cuts;
pub mod drive;
mod error;
pub mod examination;
pub mod frame;
pub mod frame_gap;
pub mod report;
pub mod self_calibration;
pub mod sheet;
pub mod stereo;
pub mod windows;

pub use drive::{Drive, DriveConfig};
pub use error::DoctorError;
pub use examination::{DoctorConfig, examine, propose_frame_gap};
pub use report::{Check, DriveReport, Report, Verdict};
