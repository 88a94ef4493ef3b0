//! Depth pre-training: networks, batches and loss put together as a [`crate::training::Task`].
//!
//! | file | what |
//! |---|---|
//! | [`config`] | every setting of a run, as `run.toml` keeps it |
//! | [`model`] | the depth network and, where motion is learned, the pose network |
//! | [`cameras`] | intrinsics that are learned too |
//! | [`task`] | a step: the networks on a batch, sample pictures, saving |
//! | [`prediction`] | the depth of one picture |
//! | `motions`, `objective` | where source cameras stand; the loss on the device or on the host |
//! | `teaching` | what the footage has for the network |
//! | [`focal`] | how well the footage determines a learned focal length |
//! | [`validation`] | footage that is kept out of training |
//! | [`run`] | a run from its settings to its folder |

pub mod cameras;
pub mod config;
pub mod focal;
pub mod model;
mod motions;
mod objective;
pub mod prediction;
pub mod run;
pub mod task;
mod teaching;
pub mod validation;

pub use cameras::LearnedCameras;
pub use config::{LossPlace, PretrainConfig};
pub use focal::LearnedCamera;
pub use model::DepthModel;
pub use run::{Pretrained, config_of, footage, pretrain, resume};
pub use task::DepthTask;
pub use validation::Validation;
