//! The training loop that depth pre-training and few-shot fine-tuning share.
//!
//! ```text
//! Task::batch(step)  (loader threads, order fixed by seed and step)
//!        │
//!        ▼
//! Task::loss(model, batch) ── objective.backward() ── Adam ── model'
//!        │                                                      │
//!        ▼                                                      ▼
//! log.jsonl, losses.png                        model.safetensors, optimizer.bpk, state.json
//! ```
//!
//! A task says what a batch is and what its loss is; everything else (order, optimizer, log, pictures, saving,
//! resuming, Ctrl-C, the guard against losses that are not numbers) is here, once.

pub mod checkpoint;
pub mod limits;
mod loader;
pub mod log;
pub mod run_folder;
pub mod schedule;
mod steps;
mod task;

pub use run_folder::{DataSource, RunDescription, RunFolder, RunKind};
pub use schedule::Schedule;
pub use steps::{Ended, LoopConfig, Start, Trained, adam, train};
pub use task::{LossTerm, Sample, StepLoss, Task};
