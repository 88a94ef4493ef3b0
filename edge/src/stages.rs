//! How long each stage of a frame took, and the percentiles of many frames.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Milliseconds that one frame spent in each stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StagesMs {
    /// Reading the frame and turning it into RGB.
    pub decode: f64,
    /// Resizing and normalising.
    pub prepare: f64,
    /// The network.
    pub infer: f64,
    /// Logits to mask, at the frame's own size.
    pub postprocess: f64,
    /// Mask and overlay onto disk.
    pub write: f64,
}

impl StagesMs {
    /// All stages together.
    pub fn total(&self) -> f64 {
        self.decode + self.prepare + self.infer + self.postprocess + self.write
    }
}

/// Milliseconds since `start`, rounded to microseconds.
pub fn ms_since(start: Instant) -> f64 {
    ms(start.elapsed())
}

/// A duration in milliseconds, rounded to microseconds.
pub fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The middle and the slow end of many measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half were faster.
    pub p50_ms: f64,
    /// 95 % were faster.
    pub p95_ms: f64,
    /// 99 % were faster.
    pub p99_ms: f64,
}

impl Percentiles {
    /// By nearest rank; zeros for no values.
    pub fn of(mut values_ms: Vec<f64>) -> Self {
        values_ms.sort_unstable_by(f64::total_cmp);
        let rank = |share: f64| {
            let rank = (share * values_ms.len() as f64).ceil().max(1.0) as usize;
            values_ms.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50_ms: rank(0.50), p95_ms: rank(0.95), p99_ms: rank(0.99) }
    }
}

/// The percentiles of every stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StagePercentiles {
    /// Reading the frame and turning it into RGB.
    pub decode: Percentiles,
    /// Resizing and normalising.
    pub prepare: Percentiles,
    /// The network.
    pub infer: Percentiles,
    /// Logits to mask.
    pub postprocess: Percentiles,
    /// Mask and overlay onto disk.
    pub write: Percentiles,
    /// All stages together.
    pub total: Percentiles,
}

impl StagePercentiles {
    /// Of many frames.
    pub fn of(frames: &[StagesMs]) -> Self {
        let of = |stage: fn(&StagesMs) -> f64| Percentiles::of(frames.iter().map(stage).collect());
        Self {
            decode: of(|stages| stages.decode),
            prepare: of(|stages| stages.prepare),
            infer: of(|stages| stages.infer),
            postprocess: of(|stages| stages.postprocess),
            write: of(|stages| stages.write),
            total: of(StagesMs::total),
        }
    }

    /// The stages by name, in the order of a frame.
    pub fn rows(&self) -> [(&'static str, Percentiles); 6] {
        [
            ("decode", self.decode),
            ("prepare", self.prepare),
            ("infer", self.infer),
            ("postprocess", self.postprocess),
            ("write", self.write),
            ("total", self.total),
        ]
    }
}

impl std::fmt::Display for StagePercentiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:12} {:>9} {:>9} {:>9}", "ms", "p50", "p95", "p99")?;
        for (name, p) in self.rows() {
            write!(formatter, "\n{name:12} {:9.2} {:9.2} {:9.2}", p.p50_ms, p.p95_ms, p.p99_ms)?;
        }
        Ok(())
    }
}

/// Times of the last frames of a run, in memory that is taken once: it stays flat for days.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The five stages and the age, in milliseconds.
    rows: Vec<[f32; 6]>,
    next: usize,
    len: usize,
}

impl Measured {
    /// Room for the last `frames` frames.
    pub(crate) fn new(frames: usize) -> Self {
        // Not zeros: those would only be promised by the system, and the process would grow while they are used.
        Self { rows: vec![[f32::NAN; 6]; frames.max(1)], next: 0, len: 0 }
    }

    /// Keeps a frame, in place of the oldest one when there is no room.
    pub(crate) fn push(&mut self, stages: StagesMs, age_ms: f64) {
        let StagesMs { decode, prepare, infer, postprocess, write } = stages;
        self.rows[self.next] = [decode, prepare, infer, postprocess, write, age_ms].map(|value| value as f32);
        self.next = (self.next + 1) % self.rows.len();
        self.len = (self.len + 1).min(self.rows.len());
    }

    /// The percentiles of the stages and of the age.
    pub(crate) fn percentiles(&self) -> (StagePercentiles, Percentiles) {
        // Back to the microseconds that the numbers were rounded to.
        let exact = |value: f32| (f64::from(value) * 1e3).round() / 1e3;
        let rows = || self.rows[..self.len].iter().map(|row| row.map(exact));
        let stages: Vec<StagesMs> = rows()
            .map(|[decode, prepare, infer, postprocess, write, _]| StagesMs {
                decode,
                prepare,
                infer,
                postprocess,
                write,
            })
            .collect();
        (StagePercentiles::of(&stages), Percentiles::of(rows().map(|row| row[5]).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_frames_are_measured() {
        let mut measured = Measured::new(10);
        for frame in 0..25 {
            measured.push(StagesMs { infer: f64::from(frame) + 0.123, ..StagesMs::default() }, f64::from(2 * frame));
        }
        let (stages, age) = measured.percentiles();
        assert_eq!((stages.infer.p50_ms, stages.infer.p99_ms, age.p99_ms), (19.123, 24.123, 48.0));
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let p = Percentiles::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((p.p50_ms, p.p95_ms, p.p99_ms), (50.0, 95.0, 99.0));
        let one = Percentiles::of(vec![7.0]);
        assert_eq!((one.p50_ms, one.p99_ms), (7.0, 7.0));
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }
}
