//! How the learning rate falls over a run.

use serde::{Deserialize, Serialize};

/// The course of the learning rate; a factor of the rate the run was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same rate at every step.
    #[default]
    Constant,
    /// A tenth of the rate for the last quarter of the run (the paper: for the last 5 of 20 epochs).
    Step,
    /// Half a cosine from the full rate to a hundredth of it: the gentlest end for short runs.
    Cosine,
}

impl Schedule {
    /// The learning rate of step `step` (counted from 0) in a run of `steps`.
    #[must_use]
    pub fn learning_rate(self, initial: f64, step: u64, steps: u64) -> f64 {
        let progress = step as f64 / steps.max(1) as f64;
        match self {
            Self::Constant => initial,
            Self::Step if progress < 0.75 => initial,
            Self::Step => 0.1 * initial,
            Self::Cosine => {
                let floor = 0.01;
                initial * (floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_run_starts_at_the_full_rate_and_ends_near_zero() {
        assert!((Schedule::Cosine.learning_rate(1e-4, 0, 100) - 1e-4).abs() < 1e-12);
        assert!(Schedule::Cosine.learning_rate(1e-4, 99, 100) < 2e-6);
    }

    #[test]
    fn a_stepped_run_drops_tenfold_after_three_quarters() {
        assert_eq!(Schedule::Step.learning_rate(1.0, 74, 100), 1.0);
        assert_eq!(Schedule::Step.learning_rate(1.0, 75, 100), 0.1);
    }
}
