//! The life of a run and its training loop: shared by depth pre-training, its rivals and few-shot fine-tuning.
//!
//! ```text
//! Task::batch(step)  (loader threads, order fixed by seed and step)
//!        │
//!        ▼
//! Task::loss(model, batch) ── objective.backward() ── Adam ── model'
//!        │                                                      │
//!        ▼                                                      ▼
//! log.jsonl, losses.png, events.out.tfevents.*   model.safetensors, optimizer.bpk, state.json, best/
//! ```
//!
//! A task says what a batch is and what its loss is; everything else (order, optimizer, log, pictures, saving,
//! Ctrl-C, the guard against losses that are not numbers) is here, once. A [`RunPlan`] says which settings and data make the task;
//! starting, describing and resuming a run is here too ([`lifecycle`]).

mod changes;
pub mod checkpoint;
mod checksums;
mod config;
mod early_stop;
mod guard;
pub mod lifecycle;
pub mod limits;
mod loader;
pub mod log;
pub mod run_folder;
mod saving;
pub mod schedule;
mod steps;
mod task;
mod tensorboard;

pub use changes::LoopChanges;
pub use config::LoopConfig;
pub use early_stop::{Best, Watched};
pub use lifecycle::{ChangedData, EndedRun, RunIdentity, RunPlan, RunSources, Sitting};
pub use run_folder::{RunFolder, with_settings};
pub use schedule::Schedule;
pub use steps::{Ended, Start, Trained, adam, train};
pub use task::{LossTerm, Sample, StepLoss, Task};

#[cfg(test)]
mod tests;
