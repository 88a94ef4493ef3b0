//! From recordings to batches: which frames, at what size, altered how.
//!
//! | file | what |
//! |---|---|
//! | [`footage`] | the recordings of a run, checked, rectified, at training size, kept in memory while they fit |
//! | [`order`] | which sample comes when: a function of seed and step alone |
//! | [`augmentation`] | mirroring and colour jitter |
//! | [`depth_batch`] | one batch of depth pre-training |

pub mod augmentation;
pub mod depth_batch;
pub mod footage;
pub mod order;

pub use depth_batch::{DepthBatch, DepthBatches, Motion, SourceBatch, Supervision, TermBatch};
pub use footage::{Footage, FootageConfig};
