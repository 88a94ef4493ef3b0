//! The flags of the training loop: one set for everything that learns.

use std::path::Path;

use clap::Args;
use parallax_core::program::{print, tell};
use parallax_train::training::{Best, Ended, LoopChanges, LoopConfig, Schedule, Trained, Watched};

use super::BadArguments;

/// Where these flags stand in the help. Set flag by flag: a heading for a whole set goes on to the flags that follow it.
const HEADING: &str = "Training loop";

/// Arguments that become a [`LoopConfig`]; flattened into every command that trains.
#[derive(Debug, Args)]
pub(crate) struct LoopArgs {
    /// Training steps [default: 2000; finetune: 300; with --resume: as the run was started].
    #[arg(long, help_heading = HEADING, value_name = "N")]
    pub(crate) steps: Option<u64>,
    /// Learning rate at the start [default: 1e-3 with stereo, 2e-4 from video alone; finetune: 3e-3].
    #[arg(long, help_heading = HEADING, value_name = "RATE")]
    pub(crate) lr: Option<f64>,
    /// How the learning rate falls.
    #[arg(long, help_heading = HEADING, value_enum, default_value_t = Schedule::Cosine)]
    pub(crate) schedule: Schedule,
    /// Steps over which the learning rate rises linearly at the start.
    #[arg(long, help_heading = HEADING, value_name = "STEPS", default_value_t = 0)]
    pub(crate) warmup: u64,
    /// Share of the steps after which --schedule step drops the learning rate.
    #[arg(long, help_heading = HEADING, value_name = "SHARE", default_value_t = LoopConfig::default().milestone)]
    pub(crate) milestone: f64,
    /// What --schedule step multiplies the learning rate by.
    #[arg(long, help_heading = HEADING, value_name = "FACTOR", default_value_t = LoopConfig::default().decay)]
    pub(crate) decay: f64,
    /// Batches whose mean gradient makes one step: a batch that many times as large in the memory of one.
    #[arg(long, help_heading = HEADING, value_name = "N", default_value_t = 1)]
    pub(crate) accumulate: u64,
    /// Steps between two saved checkpoints; 0: not by steps [default: 200].
    #[arg(long, help_heading = HEADING, value_name = "STEPS")]
    pub(crate) save_every: Option<u64>,
    /// Minutes between two saved checkpoints, whichever comes first; 0: not by the clock [default: 10].
    #[arg(long, help_heading = HEADING, value_name = "MINUTES")]
    pub(crate) save_minutes: Option<f64>,
    /// Steps between two rounds of sample pictures; 0: only at the end [default: 500; finetune: 100].
    #[arg(long, help_heading = HEADING, value_name = "STEPS")]
    pub(crate) picture_every: Option<u64>,
    /// End after so many checks without a better loss (of `pretrain --validate`; without it, the mean in training), and keep the
    /// best checkpoint in RUN/best; 0: train all steps [default: 0].
    #[arg(long, help_heading = HEADING, value_name = "CHECKS")]
    pub(crate) patience: Option<u64>,
    /// Steps between two such checks.
    #[arg(long, help_heading = HEADING, value_name = "STEPS", default_value_t = LoopConfig::default().check_every)]
    pub(crate) check_every: u64,
    /// Threads that prepare batches [default: 1].
    #[arg(long, help_heading = HEADING, value_name = "N")]
    pub(crate) loaders: Option<usize>,
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
        let started = LoopConfig {
            steps: defaults.steps,
            learning_rate: self.lr.unwrap_or(defaults.learning_rate),
            schedule: self.schedule,
            warmup: self.warmup,
            milestone: self.milestone,
            decay: self.decay,
            accumulate: self.accumulate,
            picture_every: defaults.picture_every,
            check_every: self.check_every,
            ..LoopConfig::default()
        };
        let config = self.changes().applied_to(&started);
        config.check().map_err(|error| BadArguments::error(error.to_string(), error.hint().unwrap_or_default()))?;
        Ok(config)
    }

    /// What `--resume` changes of a run.
    pub(crate) fn changes(&self) -> LoopChanges {
        LoopChanges {
            steps: self.steps,
            save_every: self.save_every,
            save_minutes: self.save_minutes,
            picture_every: self.picture_every,
            patience: self.patience,
            loader_threads: self.loaders,
        }
    }
}

/// Says how a run of `subcommand` has ended and where it lies.
pub(crate) fn show<M>(trained: &Trained<M>, subcommand: &str, out: &Path) {
    let (out, step, seconds) = (out.display(), trained.step, trained.seconds);
    match trained.ended {
        Ended::Finished => {
            let milliseconds = 1000.0 * seconds / step.max(1) as f64;
            print(format_args!("{out}: {step} steps in {seconds:.0} s ({milliseconds:.0} ms a step)"));
        }
        Ended::StoppedEarly => {
            print(format_args!("{out}: stopped after {step} steps in {seconds:.0} s: the loss falls no more"));
        }
        Ended::Interrupted => {
            print(format_args!("{out}: stopped and saved at step {step}"));
            tell(format_args!("hint: `parallax-train {subcommand} --resume --out {out}` goes on from there"));
        }
    }
    if let Some(Best { step, loss, of }) = trained.best {
        let of = match of {
            Watched::Training => "a mean loss",
            Watched::Validation => "a loss on the validation footage",
        };
        print(format_args!("{out}/best: the best checkpoint, of step {step} with {of} of {loss:.5}"));
    }
}
