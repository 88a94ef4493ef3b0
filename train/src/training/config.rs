//! Every setting of the loop, as `run.toml` keeps it.

use serde::{Deserialize, Serialize};

use super::Schedule;
use super::schedule::LearningRate;
use crate::Error;

/// How a run is trained, whatever it learns. A setting that an older `run.toml` lacks has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopConfig {
    /// Steps of the whole run.
    pub steps: u64,
    /// Adam's learning rate at the start.
    pub learning_rate: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// Steps over which it rises linearly at the start; 0: none.
    pub warmup: u64,
    /// Share of the steps after which [`Schedule::Step`] drops it.
    pub milestone: f64,
    /// What it is multiplied by then.
    pub decay: f64,
    /// Batches whose mean gradient makes one step of Adam: a batch that many times as large, but for batch norm, which
    /// sees the parts.
    pub accumulate: u64,
    /// Steps between two checkpoints; one is also saved at the end and at Ctrl-C. 0: not by steps.
    pub save_every: u64,
    /// Minutes between two checkpoints, whichever comes first; 0: not by the clock.
    pub save_minutes: f64,
    /// Steps between two rounds of sample pictures and loss curves; 0: only at the end.
    pub picture_every: u64,
    /// Threads that make batches.
    pub loader_threads: usize,
    /// Checks without a better loss (on validation footage; without any, in training) after which the run ends; 0: it never does.
    pub patience: u64,
    /// Steps between two such checks.
    pub check_every: u64,
}

impl Default for LoopConfig {
    fn default() -> Self {
        Self {
            steps: 2000,
            learning_rate: 1e-3,
            schedule: Schedule::Cosine,
            warmup: 0,
            // The paper: a tenth of the rate for the last quarter of the run.
            milestone: 0.75,
            decay: 0.1,
            accumulate: 1,
            save_every: 200,
            save_minutes: 10.0,
            picture_every: 500,
            loader_threads: 1,
            patience: 0,
            check_every: 100,
        }
    }
}

impl LoopConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first setting that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |what: String, hint| Err(Error::Settings { what, hint });
        if self.steps == 0 {
            return wrong("expected at least 1 step, got --steps 0".into(), "leave --steps out for the default");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            let what = format!("expected a learning rate in (0, 1], got {}", self.learning_rate);
            return wrong(what, "the paper uses 1e-4; leave --lr out for the default");
        }
        if self.accumulate == 0 || self.check_every == 0 {
            let what = "--accumulate and --check-every must be at least 1".into();
            return wrong(what, "leave them out for the defaults");
        }
        if !(self.save_minutes >= 0.0 && self.save_minutes.is_finite()) {
            let what = format!("expected --save-minutes to be 0 or more, got {}", self.save_minutes);
            return wrong(what, "0 saves by steps alone");
        }
        if self.warmup >= self.steps {
            let what = format!("the warm-up of {} steps is as long as the run of {}", self.warmup, self.steps);
            return wrong(what, "give a --warmup of a few hundredths of --steps");
        }
        if !(self.milestone > 0.0 && self.milestone < 1.0) {
            let what = format!("expected --milestone between 0 and 1, got {}", self.milestone);
            return wrong(what, "it is a share of the steps: 0.75 is after three quarters");
        }
        if !(self.decay > 0.0 && self.decay <= 1.0) {
            let what = format!("expected --decay in (0, 1], got {}", self.decay);
            return wrong(what, "0.1 makes the learning rate a tenth");
        }
        Ok(())
    }

    /// The learning rate of a step, counted from 0.
    #[must_use]
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        let Self { learning_rate: initial, schedule, warmup, milestone, decay, .. } = *self;
        LearningRate { initial, schedule, warmup, milestone, decay }.at(step, self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let refused = |config: LoopConfig| config.check().unwrap_err().to_string();
        let usual = LoopConfig::default;
        assert!(usual().check().is_ok());
        assert!(refused(LoopConfig { steps: 0, ..usual() }).contains("--steps"));
        assert!(refused(LoopConfig { learning_rate: f64::NAN, ..usual() }).contains("learning rate"));
        assert!(refused(LoopConfig { accumulate: 0, ..usual() }).contains("--accumulate"));
        assert!(refused(LoopConfig { save_minutes: -1.0, ..usual() }).contains("--save-minutes"));
        assert!(refused(LoopConfig { warmup: 2000, ..usual() }).contains("warm-up of 2000"));
        assert!(refused(LoopConfig { milestone: 1.0, ..usual() }).contains("--milestone"));
        assert!(refused(LoopConfig { decay: 0.0, ..usual() }).contains("--decay"));
    }

    #[test]
    fn the_settings_of_an_older_run_are_read() {
        let older = "steps = 900\nlearning_rate = 0.001\nschedule = \"cosine\"\nsave_every = 200\npicture_every = 500\nloader_threads = 1\n";
        let read: LoopConfig = toml::from_str(older).unwrap();
        assert_eq!(read, LoopConfig { steps: 900, ..LoopConfig::default() });
    }
}
