//! The range a tensor gets on the u8 grid.
//!
//! - *percentile*: cut the same small share of values at each end;
//! - *least squared error*: the range for which `Σ (f(x) − f(x̂))²` over the histogram is smallest, x̂ being x after
//!   rounding and clamping. Wide ranges round coarsely, narrow ranges clamp; the best is in between. f is the activation
//!   that alone reads the tensor, else the identity: an ELU flattens everything far below zero, so a range that clamps
//!   there loses nothing and gains up to a bit above zero.

use serde::{Deserialize, Serialize};

use super::affine::Affine;
use super::histogram::Histogram;

/// Steps of a u8 grid.
pub const LEVELS: u8 = 255;

/// Candidates tried per end and round: with 48 the best range is found to 2 % of its width, far finer than its effect.
const CANDIDATES: usize = 48;

/// How the range of a tensor is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeMethod {
    /// Cut a fixed share of the values at each end.
    Percentile,
    /// Least squared error.
    Mse,
    /// The smallest and largest value seen.
    MinMax,
}

impl std::fmt::Display for RangeMethod {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Percentile => "percentile",
            Self::Mse => "mse",
            Self::MinMax => "minmax",
        })
    }
}

/// What alone reads a tensor, as far as it changes which errors count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reader {
    /// Anything: every error counts as it is.
    #[default]
    Any,
    /// `x` above zero, `exp(x) − 1` below.
    Elu,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
}

impl Reader {
    fn apply(self, x: f32) -> f32 {
        match self {
            Self::Any => x,
            Self::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }
}

/// The range of the values in `histogram`, always containing zero.
pub fn range_of(histogram: &Histogram, method: RangeMethod, percentile: f64, reader: Reader) -> (f32, f32) {
    let (low, high) = match method {
        RangeMethod::MinMax => histogram.range(),
        RangeMethod::Percentile => {
            let share = (percentile / 100.0).clamp(0.5, 1.0);
            (histogram.quantile(1.0 - share), histogram.quantile(share))
        }
        RangeMethod::Mse => least_squares_range(histogram, LEVELS, reader),
    };
    // A tensor whose upper share is cut to nothing (a rarely active channel) keeps its true range.
    let (seen_low, seen_high) = histogram.range();
    let (low, high) = (low.min(0.0), high.max(0.0));
    if high - low <= f32::MIN_POSITIVE { (seen_low.min(0.0), seen_high.max(0.0)) } else { (low, high) }
}

/// The range with the least squared error on a grid of `levels` steps, found by moving one end at a time, twice.
pub fn least_squares_range(histogram: &Histogram, levels: u8, reader: Reader) -> (f32, f32) {
    let bins = histogram.filled();
    let (seen_low, seen_high) = histogram.range();
    let (seen_low, seen_high) = (seen_low.min(0.0), seen_high.max(0.0));
    let (mut low, mut high) = (seen_low, seen_high);
    for _round in 0..2 {
        high =
            best(seen_high, |candidate| squared_error(&bins, Affine::covering(low, candidate, levels), levels, reader));
        low =
            best(seen_low, |candidate| squared_error(&bins, Affine::covering(candidate, high, levels), levels, reader));
    }
    (low, high)
}

/// The fraction of `full` with the smallest cost; fractions go from 1 down to 1/CANDIDATES.
fn best(full: f32, cost: impl Fn(f32) -> f64) -> f32 {
    if full == 0.0 {
        return full;
    }
    let candidates = (1..=CANDIDATES).rev().map(|step| full * (step as f32 / CANDIDATES as f32));
    let costs = candidates.map(|candidate| (candidate, cost(candidate)));
    costs.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(full, |(candidate, _)| candidate)
}

/// `Σ count · (f(x) − f(x̂))²` over the histogram, f being what reads the tensor.
pub fn squared_error(bins: &[(f32, u64)], grid: Affine, levels: u8, reader: Reader) -> f64 {
    let per_scale = grid.scale.recip();
    let zero_point = f32::from(grid.zero_point);
    let errors = bins.iter().map(|(value, count)| {
        let integer = (value * per_scale).round_ties_even().clamp(-zero_point, f32::from(levels) - zero_point);
        let error = f64::from(reader.apply(*value) - reader.apply(integer * grid.scale));
        error * error * *count as f64
    });
    errors.sum()
}
