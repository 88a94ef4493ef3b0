//! The flags of the training loop: one set for everything that learns.

use clap::Args;
use parallax_train::training::{LoopConfig, Schedule};

use super::BadArguments;

/// Arguments that become a [`LoopConfig`]; flattened into every command that trains.
#[derive(Debug, Args)]
#[command(next_help_heading = "Training loop")]
pub(crate) struct LoopArgs {
    /// Training steps [default: 2000; finetune: 300; with --resume: as the run was started].
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<u64>,
    /// Learning rate at the start [default: 1e-3 with stereo, 2e-4 from video alone; finetune: 3e-3].
    #[arg(long, value_name = "RATE")]
    pub(crate) lr: Option<f64>,
    /// How the learning rate falls.
    #[arg(long, value_enum, default_value_t = Schedule::Cosine)]
    pub(crate) schedule: Schedule,
    /// Steps over which the learning rate rises linearly at the start.
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    pub(crate) warmup: u64,
    /// Share of the steps after which --schedule step drops the learning rate.
    #[arg(long, value_name = "SHARE", default_value_t = LoopConfig::default().milestone)]
    pub(crate) milestone: f64,
    /// What --schedule step multiplies the learning rate by.
    #[arg(long, value_name = "FACTOR", default_value_t = LoopConfig::default().decay)]
    pub(crate) decay: f64,
    /// Steps between two saved checkpoints; 0: only at the end.
    #[arg(long, value_name = "STEPS", default_value_t = 200)]
    pub(crate) save_every: u64,
    /// Steps between two rounds of sample pictures; 0: only at the end [default: 500; finetune: 100].
    #[arg(long, value_name = "STEPS")]
    pub(crate) picture_every: Option<u64>,
    /// Threads that prepare batches.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) loaders: usize,
}

/// What a command takes where its flags are left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoopDefaults {
    /// `--steps`.
    pub(crate) steps: u64,
    /// `--lr`.
    pub(crate) learning_rate: f64,
    /// `--picture-every`.
    pub(crate) picture_every: u64,
}

impl LoopArgs {
    /// The settings of the loop.
    ///
    /// # Errors
    /// Bad arguments, when a setting makes no sense.
    pub(crate) fn config(&self, defaults: LoopDefaults) -> anyhow::Result<LoopConfig> {
        let config = LoopConfig {
            steps: self.steps.unwrap_or(defaults.steps),
            learning_rate: self.lr.unwrap_or(defaults.learning_rate),
            schedule: self.schedule,
            warmup: self.warmup,
            milestone: self.milestone,
            decay: self.decay,
            save_every: self.save_every,
            picture_every: self.picture_every.unwrap_or(defaults.picture_every),
            loader_threads: self.loaders,
        };
        config.check().map_err(|error| BadArguments::error(error.to_string(), error.hint().unwrap_or_default()))?;
        Ok(config)
    }
}
