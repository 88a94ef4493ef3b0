//! The promises of the whole, one per file of `tests/tests`, and the demonstration of the whole.
//!
//! [`programs`] finds and runs the built programs as a user would; [`demo`] tells the main job end to end with them;
//! [`python`] finds the optional Python packages that parity checks compare with.

pub mod demo;
pub mod onnx;
pub mod programs;
pub mod python;
