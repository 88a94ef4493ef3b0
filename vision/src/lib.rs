//! What pictures say without a network: where corners went, how the camera moved, what footage is good for.
//!
//! Takes pictures and a camera's intrinsics, gives tracks, motions and measures. `parallax-train doctor` judges footage by
//! them, `parallax-edge record` chooses by them what to keep, and training asks them whether its pictures can teach anything.
//!
//! | module | what it holds |
//! |---|---|
//! | [`optical_flow`] | corners followed from picture to picture, and how much of their motion is parallax |
//! | [`footage`] | what footage is good for: blur, exposure, the camera's motion between two frames |
//!
//! *Invariant:* this crate knows no file, no network, no training, no inference engine and no camera driver.

pub mod footage;
pub mod optical_flow;
