//! The float ONNX model: what leaves the training machine.
//!
//! Input `image` `[1, 3, height, width]`, output `logits` `[1, classes, height, width]` or `disparity`
//! `[1, 1, height / finest_stride, width / finest_stride]`; default domain, opset 18, static shapes.
//!
//! | stage | what |
//! |---|---|
//! | [`burn_onnx`] | runs the forward pass once on a recording device and writes down every operation |
//! | [`passes`] | folds batch norm into the convolutions, writes ELU as one operator and upsampling by its factor, drops what is unused |
//! | [`names`] | names nodes and tensors after the layers they come from |
//!
//! So each network is described once, by its `forward`.

mod export;
mod graph;
pub mod names;
pub mod passes;

pub use export::{DISPARITY, INPUT, LOGITS};
