//! The promises of the whole, one per file of `tests/tests`, and the demonstration of the whole.
//!
//! [`field`] renders a robot's day with the truth of what of it teaches depth;
//! [`programs`] finds and runs the built programs as a user would; [`demo`] tells the main job end to end with them;
//! [`python`] finds the optional Python packages that parity checks compare with.

pub mod demo;
pub mod field;
pub mod onnx;
pub mod programs;
pub mod python;
