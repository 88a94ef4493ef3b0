//! From recordings to batches: which frames, at what size, with what is known about them, altered how.
//!
//! | file | what |
//! |---|---|
//! | [`supervision`] | what teaches depth, and the settings of each way |
//! | [`footage`] | the recordings of a run, checked, rectified, at training size, kept in memory while they fit |
//! | [`speed`], [`motion`] | what sensors say beside pictures: wheel speed, known motions |
//! | [`order`] | which sample comes when: a function of seed and step alone |
//! | [`crop`], [`zoom`] | windows of frames, and of enlarged ones |
//! | [`augmentation`], [`appearance`] | mirroring and colour jitter; stronger changes for short footage |
//! | [`depth_batch`] | one batch of depth pre-training |
//! | [`depth_batches`] | the batches of a run |
//! | `samples`, `unit` | which frames can be targets; how long a depth unit is |

pub mod appearance;
pub mod augmentation;
pub mod crop;
pub mod depth_batch;
pub mod depth_batches;
pub mod footage;
pub mod motion;
pub mod order;
mod samples;
pub mod speed;
pub mod supervision;
mod unit;
pub mod zoom;

pub use appearance::Augmentation;
pub use crop::{CropConfig, CropSources, FrameSize, View};
pub use depth_batch::{DepthBatch, Motion, Partner, RangeBatch, SourceBatch, Surroundings, TermBatch};
pub use depth_batches::{DepthBatches, DepthBatchesConfig};
pub use footage::{Footage, FootageConfig, FootageNeeds};
pub use supervision::{IntrinsicsSource, PoseSource, RangeChannel, SpeedSource, Supervision, TermsConfig, Weights};
