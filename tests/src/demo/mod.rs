//! The demonstration: the main job end to end, on the rendered world, with the programs a user would run.
//!
//! It reports what it measured. Each arm is fine-tuned on the same 16 pictures under the same schedule; the test
//! pictures come from drives that no training saw.

mod sheet;
mod story;
mod summary;

pub use story::{DemoConfig, tell};
pub use summary::{Bytes, DepthScores, MillisecondsPerFrame, MiouByArm, Seconds, Steps, Summary};
