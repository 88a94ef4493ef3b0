//! What may change when a run goes on: settings of the loop that say nothing about what is learned from a batch.

use super::LoopConfig;

/// New values; what is `None` stays as the run was started.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LoopChanges {
    /// Steps of the whole run. A schedule that falls falls towards the new end.
    pub steps: Option<u64>,
    /// Steps between two checkpoints.
    pub save_every: Option<u64>,
    /// Minutes between two checkpoints.
    pub save_minutes: Option<f64>,
    /// Steps between two rounds of pictures.
    pub picture_every: Option<u64>,
    /// Checks without a better loss after which the run ends; 0: it never does.
    pub patience: Option<u64>,
    /// Threads that make batches.
    pub loader_threads: Option<usize>,
}

impl LoopChanges {
    /// Only the number of steps changes.
    #[must_use]
    pub fn steps(steps: u64) -> Self {
        Self { steps: Some(steps), ..Self::default() }
    }

    /// The settings with the changes in them.
    #[must_use]
    pub fn applied_to(&self, config: &LoopConfig) -> LoopConfig {
        LoopConfig {
            steps: self.steps.unwrap_or(config.steps),
            save_every: self.save_every.unwrap_or(config.save_every),
            save_minutes: self.save_minutes.unwrap_or(config.save_minutes),
            picture_every: self.picture_every.unwrap_or(config.picture_every),
            patience: self.patience.unwrap_or(config.patience),
            loader_threads: self.loader_threads.unwrap_or(config.loader_threads),
            ..config.clone()
        }
    }
}
