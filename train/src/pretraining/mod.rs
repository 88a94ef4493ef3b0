//! Depth pre-training: networks, batches and loss put together as a [`crate::training::Task`].
//!
//! | file | what |
//! |---|---|
//! | [`config`] | every setting of a run, as `run.toml` keeps it |
//! | [`model`] | the depth network and, for video, the pose network |
//! | [`task`] | a step's loss: networks, then the loss on the device or on the host |
//! | [`run`] | a run from its settings to its folder |

pub mod config;
pub mod model;
pub mod run;
pub mod task;

pub use config::{LossPlace, PretrainConfig};
pub use model::DepthModel;
pub use run::{config_of, footage, pretrain, resume};
pub use task::DepthTask;
