//! Stops a run that no longer learns, and finds its best checkpoint.
//!
//! What is watched is the loss on footage that was kept out of training, where there is some: it rises again when a run begins
//! to learn its own footage by heart. Elsewhere it is the mean training loss of the steps between two checks, if a patience is
//! given: of sixteen labelled pictures none can be spared. The verdict follows from the logged losses alone, so a resumed run
//! stops where the uninterrupted one would have.

use super::LoopConfig;
use super::log::LogLine;

/// A mean loss must fall by this share to count as better: less is the batches' chance.
const LEAST_GAIN: f64 = 1e-3;

/// The best check of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Steps done at the check.
    pub step: u64,
    /// Loss on the validation footage, or mean training loss of the steps since the check before.
    pub loss: f64,
    /// Which of the two.
    pub of: Watched,
}

/// Whose loss decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The batches that are trained on.
    Training,
    /// Footage that is not.
    Validation,
}

/// What a step has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No check was due.
    Between,
    /// The best loss so far.
    Better,
    /// No better than before.
    NoBetter,
}

/// The watch over a run's loss.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EarlyStop {
    check_every: u64,
    patience: u64,
    sum: f64,
    count: u64,
    without_gain: u64,
    best: Option<Best>,
}

impl EarlyStop {
    /// The watch after the steps that are in the log.
    pub(super) fn after(config: &LoopConfig, lines: &[LogLine]) -> Self {
        let LoopConfig { check_every, patience, .. } = *config;
        let mut watch = Self { check_every, patience, sum: 0.0, count: 0, without_gain: 0, best: None };
        for line in lines {
            watch.see(line);
        }
        watch
    }

    /// Takes note of a step.
    pub(super) fn see(&mut self, line: &LogLine) -> Verdict {
        self.sum += line.loss;
        self.count += 1;
        let is_due = line.step.is_multiple_of(self.check_every);
        let (loss, of) = match line.validation {
            Some(loss) => (loss, Watched::Validation),
            None if is_due && self.patience > 0 => (self.sum / self.count as f64, Watched::Training),
            None => return Verdict::Between,
        };
        (self.sum, self.count) = (0.0, 0);
        if self.best.is_none_or(|best| loss < best.loss * (1.0 - LEAST_GAIN)) {
            self.best = Some(Best { step: line.step, loss, of });
            self.without_gain = 0;
            Verdict::Better
        } else {
            self.without_gain += 1;
            Verdict::NoBetter
        }
    }

    /// Whether the run has waited long enough.
    pub(super) fn out_of_patience(&self) -> bool {
        self.patience > 0 && self.without_gain >= self.patience
    }

    pub(super) fn best(&self) -> Option<Best> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(losses: &[f64]) -> Vec<LogLine> {
        let line = |(index, loss): (usize, &f64)| LogLine {
            step: index as u64 + 1,
            loss: *loss,
            terms: std::collections::BTreeMap::new(),
            validation: None,
            learning_rate: 1e-4,
            seconds: 0.1,
        };
        losses.iter().enumerate().map(line).collect()
    }

    fn config(patience: u64) -> LoopConfig {
        LoopConfig { check_every: 2, patience, ..LoopConfig::default() }
    }

    #[test]
    fn the_run_ends_after_as_many_checks_without_gain_as_it_has_patience() {
        let losses = [4.0, 2.0, 2.5, 1.5, 2.0, 2.0, 9.0, 1.0];
        let after = |steps: usize| EarlyStop::after(&config(2), &lines(&losses[..steps]));
        let best = Some(Best { step: 4, loss: 2.0, of: Watched::Training });
        assert_eq!(after(4).best(), best);
        assert!(!after(7).out_of_patience());
        assert!(after(8).out_of_patience());
        assert_eq!(after(8).best(), best);
    }

    #[test]
    fn a_gain_restores_patience_and_a_gain_of_chance_does_not() {
        let gained = EarlyStop::after(&config(2), &lines(&[2.0, 2.0, 3.0, 3.0, 1.0, 1.0, 3.0, 3.0]));
        assert!(!gained.out_of_patience());
        let by_chance = EarlyStop::after(&config(1), &lines(&[2.0, 2.0, 1.9999, 1.9999]));
        assert!(by_chance.out_of_patience());
    }

    #[test]
    fn without_patience_given_nothing_is_watched() {
        let never = EarlyStop::after(&config(0), &lines(&[1.0; 20]));
        assert!(!never.out_of_patience() && never.best().is_none());
    }

    #[test]
    fn what_was_kept_out_of_training_decides_with_patience_or_without() {
        let mut seen = lines(&[4.0, 3.0, 2.0, 1.0, 0.5, 0.4]);
        for (at, loss) in [(1, 0.7), (3, 0.6), (5, 0.9)] {
            seen[at].validation = Some(loss);
        }
        let best = Some(Best { step: 4, loss: 0.6, of: Watched::Validation });
        let endless = EarlyStop::after(&config(0), &seen);
        assert!(endless.best() == best && !endless.out_of_patience());
        let impatient = EarlyStop::after(&config(1), &seen);
        assert!(impatient.best() == best && impatient.out_of_patience());
    }

    #[test]
    fn a_watch_rebuilt_from_the_log_is_the_one_that_saw_the_steps() {
        let losses = lines(&[3.0, 2.0, 2.5, 1.5, 2.0]);
        let mut watch = EarlyStop::after(&config(2), &losses[..3]);
        losses[3..].iter().for_each(|line| {
            watch.see(line);
        });
        assert_eq!(watch, EarlyStop::after(&config(2), &losses));
    }
}
