//! ONNX files: the standard's messages, reading and writing them, and what a file must fulfil before anything runs it.
//!
//! Takes the bytes of a file, gives messages; or takes messages, gives bytes. The networks are exported through it, the quantizer
//! rewrites models with it, the board reads them with it, and each test that makes a model by hand makes it with it.
//!
//! | module | what it holds |
//! |---|---|
//! | `messages` | the messages themselves, under the standard's names |
//! | `model` | bytes to a model and back, the model's metadata |
//! | [`metadata`] | the keys under which a model says where it comes from |
//! | `graph` | who writes and who reads a tensor |
//! | `node` | an operator, its inputs and its attributes |
//! | `tensor` | constants and their numbers, the shapes of inputs and outputs |
//! | [`model_file`] | what a file must fulfil before an inference engine sees it |
//! | [`writer`] | graphs made by hand, quantised ones too: for tests and the fuzzer |
//!
//! *Invariant:* this crate knows no network, no inference engine and no other room. What an engine wants to have a model in is
//! that engine's own form, made where the engine is.

mod graph;
mod messages;
pub mod metadata;
mod model;
pub mod model_file;
mod node;
mod tensor;
pub mod writer;

pub use messages::*;
pub use node::is_quantization;
