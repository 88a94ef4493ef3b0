//! How the learning rate rises and falls over a run.
//!
//! ```text
//! rate
//!  │   ╭──────────────╮            constant: stays
//!  │  ╱                ╲           cosine:   half a cosine to a hundredth
//!  │ ╱                  ╰───       step:     × decay after the milestone
//!  └┴───────────────────┴────▶ step
//!  warm-up          milestone
//! ```

use serde::{Deserialize, Serialize};

/// The course of the learning rate; a factor of the rate the run was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same rate at every step.
    #[default]
    Constant,
    /// The rate times --decay after the share --milestone of the steps (the paper: a tenth for the last 5 of 20 epochs).
    Step,
    /// Half a cosine from the full rate to a hundredth of it: the gentlest end for short runs.
    Cosine,
}

/// Everything that the learning rate of a step follows from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// The full rate.
    pub initial: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// Steps over which it rises linearly to what the schedule says; 0: none.
    ///
    /// Reference: Goyal et al., *Accurate, Large Minibatch SGD*, 2017, section 2.2.
    pub warmup: u64,
    /// Share of the steps after which [`Schedule::Step`] drops the rate.
    pub milestone: f64,
    /// What it is multiplied by then.
    pub decay: f64,
}

impl LearningRate {
    /// The rate of step `step` (counted from 0) in a run of `steps`.
    #[must_use]
    pub fn at(&self, step: u64, steps: u64) -> f64 {
        let progress = step as f64 / steps.max(1) as f64;
        let warm = if self.warmup == 0 { 1.0 } else { ((step + 1) as f64 / self.warmup as f64).min(1.0) };
        let factor = match self.schedule {
            Schedule::Step if progress >= self.milestone => self.decay,
            Schedule::Constant | Schedule::Step => 1.0,
            Schedule::Cosine => {
                let floor = 0.01;
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
            }
        };
        self.initial * warm * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: Schedule) -> LearningRate {
        LearningRate { initial: 1.0, schedule, warmup: 0, milestone: 0.75, decay: 0.1 }
    }

    #[test]
    fn a_cosine_run_starts_at_the_full_rate_and_ends_near_zero() {
        assert!((rate(Schedule::Cosine).at(0, 100) - 1.0).abs() < 1e-9);
        assert!(rate(Schedule::Cosine).at(99, 100) < 0.02);
    }

    #[test]
    fn a_stepped_run_drops_at_its_milestone() {
        assert_eq!([74, 75, 99].map(|step| rate(Schedule::Step).at(step, 100)), [1.0, 0.1, 0.1]);
        let halved_at_half = LearningRate { milestone: 0.5, decay: 0.5, ..rate(Schedule::Step) };
        assert_eq!([49, 50].map(|step| halved_at_half.at(step, 100)), [1.0, 0.5]);
    }

    #[test]
    fn warm_up_rises_linearly_and_then_leaves_the_schedule_alone() {
        let warm = LearningRate { warmup: 4, ..rate(Schedule::Constant) };
        assert_eq!([0, 1, 3, 4, 50].map(|step| warm.at(step, 100)), [0.25, 0.5, 1.0, 1.0, 1.0]);
        let cosine = LearningRate { warmup: 4, ..rate(Schedule::Cosine) };
        assert_eq!(cosine.at(60, 100), rate(Schedule::Cosine).at(60, 100));
    }
}
