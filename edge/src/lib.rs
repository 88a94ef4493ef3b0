//! Segmentation on the board: a bundle and a camera or recording in, masks out.
//!
//! In reading order, following a frame:
//!
//! | module | what it does |
//! |---|---|
//! | [`engine`] | a bundle's model, loaded and checked against its contract |
//! | `int8` | QDQ patterns of an int8 file, as operators of our own that compute in integers |
//! | [`worker`] | one frame through the model: prepare, infer, postprocess; buffers made once |
//! | [`framing`] | what of a picture the network sees: undistortion, region |
//! | [`smoothing`] | masks that do not flicker |
//! | [`stages`] | how long each stage took, and the percentiles of many frames |
//! | [`policy`] | target rate, and rules that cool the board down |
//! | [`drive`] | a camera or recording through the model: the loop |
//! | [`publish`] | what the loop gives to others: log, views, signs of life |
//! | [`settings`] | what a run was asked for: configuration file and flags |
//! | [`arguments`] | texts of the command line as values |
//! | [`record`] | the frames of a camera that teach depth, into files that survive whatever happens |
//! | [`evaluation`] | the score of a bundle on a labelled set |
//! | [`golden`] | whether a bundle still gives the mask it was packed with |
//! | [`inspection`] | what a bundle holds and what runs it |
//! | [`operators`] | what runs each operator of a model, and how long it takes |
//! | [`mod@bench`] | how fast a bundle runs on this machine |
//! | [`machine`] | what machine this is, how hot and how fast |
//! | `cores` | which threads run where |
//!
//! *Invariant:* this crate knows no training and no burn; what must equal training (resizing, normalising, class order,
//! score) comes from `parallax_core`.

pub mod arguments;
pub mod bench;
mod cores;
pub mod drive;
pub mod engine;
mod error;
pub mod evaluation;
pub mod framing;
pub mod golden;
pub mod inspection;
mod int8;
pub mod machine;
pub mod operators;
pub mod policy;
pub mod publish;
pub mod record;
mod segmenter;
pub mod settings;
pub mod smoothing;
pub mod stages;
pub mod worker;

pub use cores::Placement;
pub use engine::{Engine, EngineConfig, Int8Files};
pub use error::{EdgeError, Result};
pub use worker::Worker;
