//! Taking the views of a calibration, with guidance: which picture is worth keeping, why the others are not, and what to
//! do next.
//!
//! ```text
//! shot ─▶ [look]: board, motion, edges, placement ─▶ [gate]: kept, or refused and why ─▶ [folder]: PNG, at once
//!                                                            └─▶ [adviser]: the solution so far ─▶ [guidance]: in words
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | `config`, `session` | what is captured; the views so far, and what becomes of the next picture |
//! | [`look`] | what a picture, or a pair, shows of the board |
//! | [`motion`] | how far the board moves within one picture |
//! | [`sharpness`] | how wide the edges between its fields are |
//! | [`placement`] | where the board is held: place, size, tilt |
//! | [`gate`] | keep it or not, and why |
//! | [`folder`] | the pictures on disk; whatever happens, every kept view is whole |
//! | [`adviser`] | solves what there is, beside the camera |
//! | [`guidance`] | the view to take next, in words |
//! | [`status`] | how it stands, for a terminal, a page and programs |
//! | `page` | the page (feature `live`) |
//!
//! Nothing here queues pictures: the caller hands over the newest one, and what came meanwhile is missed.

pub mod adviser;
mod config;
pub mod folder;
pub mod gate;
pub mod guidance;
pub mod look;
pub mod motion;
#[cfg(feature = "live")]
pub mod page;
pub mod placement;
mod session;
pub mod sharpness;
pub mod status;

pub use adviser::Pace;
pub use config::{CaptureConfig, Footage};
pub use folder::{Facts, Folder};
pub use gate::{Decision, Outcome, Refusal};
pub use session::{Capture, Enough, Taken};
pub use status::Status;
