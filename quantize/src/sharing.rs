//! Which tensors share one u8 grid, and what that costs.
//!
//! A Concat has one grid. An input that has the same one is copied byte by byte; any other is requantised, value by value,
//! through a table. So sharing is wanted, and it is done where it is *free*:
//!
//! - An input that nobody but the Concat reads (through operators that keep its scale) loses nothing: whatever it was
//!   rounded to before, the Concat would round it to the joint grid, a second time.
//! - An input that others read too loses what the wider grid rounds coarser for them. That is computed from the tensor's
//!   histogram: the rise of `Σ (x − x̂)²` from its own range to the joint one, in decibels. It is free up to the limit in
//!   [`QuantizeConfig::sharing_loss_db`](super::QuantizeConfig).
//!
//! Operators that keep the scale (MaxPool, Resize, Pad, …) share by definition and lose nothing: all their values are
//! their input's.
//!
//! *Invariant:* a grid that a rectified tensor uses starts at zero, because the clamp at the lower end of its u8 range is
//! the ReLU that the int8 model no longer has. So a rectified input does not join a Concat with negative values.

use std::collections::HashMap;

use serde::Serialize;

use super::affine::Affine;
use super::histogram::Histogram;
use super::layout::{Joined, QuantizedTensor};
use super::ranges::{LEVELS, squared_error};

/// What was decided for one input of a Concat.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sharing {
    /// The Concat's result.
    pub concat: String,
    /// Its input.
    pub input: String,
    /// Whether they have one grid.
    pub shared: bool,
    /// By how much its rounding noise rises, or would rise, for whoever else reads it, in dB.
    pub loss_db: f64,
    /// Why it is shared or not.
    pub reason: SharingReason,
}

/// Why a Concat's input has its grid, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingReason {
    /// The Concat alone reads it.
    ReadByConcatAlone,
    /// Others read it, and lose no more than the limit.
    LossWithinLimit,
    /// Others read it, and would lose more than the limit.
    LossAboveLimit,
    /// The clamp at zero is its ReLU, and the joint range starts below zero.
    RectifiedBesideNegative,
}

impl std::fmt::Display for SharingReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::ReadByConcatAlone => "nobody else reads it",
            Self::LossWithinLimit => "within the limit",
            Self::LossAboveLimit => "above the limit",
            Self::RectifiedBesideNegative => "its ReLU is the clamp at zero, and the joint range starts below",
        })
    }
}

/// Tensors that share a grid, as a union-find; the range of a group contains those of its members.
#[derive(Debug, Default)]
pub(super) struct Groups {
    index: HashMap<String, usize>,
    parent: Vec<usize>,
    ranges: Vec<(f32, f32)>,
    rectified: Vec<bool>,
}

impl Groups {
    pub(super) fn insert(&mut self, name: &str, range: (f32, f32)) {
        self.index.insert(name.to_owned(), self.parent.len());
        self.parent.push(self.parent.len());
        self.ranges.push(range);
        self.rectified.push(false);
    }

    /// Adds a tensor whose values are all another's.
    pub(super) fn insert_beside(&mut self, source: &str, name: &str) {
        self.insert(name, self.range(source));
        self.join(source, name);
    }

    /// Adds a Concat's result, which covers all its inputs, and lets those share its grid for which that is free.
    pub(super) fn insert_joined(
        &mut self,
        concat: &QuantizedTensor,
        seen: impl Fn(&str) -> Option<Histogram>,
        limit_db: f32,
    ) -> Vec<Sharing> {
        let whole = concat.joins.iter().map(|joined| self.range(&joined.tensor)).fold((0.0, 0.0), union);
        self.insert(&concat.name, whole);
        let decided = concat.joins.iter().map(|joined| {
            let loss_db = seen(&joined.tensor).map_or(0.0, |seen| loss_db(&seen, self.range(&joined.tensor), whole));
            let reason = self.reason(joined, whole, loss_db <= f64::from(limit_db));
            let shared = matches!(reason, SharingReason::ReadByConcatAlone | SharingReason::LossWithinLimit);
            if shared {
                self.join(&joined.tensor, &concat.name);
            }
            Sharing { concat: concat.name.clone(), input: joined.tensor.clone(), shared, loss_db, reason }
        });
        decided.collect()
    }

    fn reason(&self, joined: &Joined, whole: (f32, f32), within_limit: bool) -> SharingReason {
        if whole.0 < 0.0 && self.is_rectified(&joined.tensor) {
            SharingReason::RectifiedBesideNegative
        } else if !joined.read_elsewhere {
            SharingReason::ReadByConcatAlone
        } else if within_limit {
            SharingReason::LossWithinLimit
        } else {
            SharingReason::LossAboveLimit
        }
    }

    pub(super) fn mark_rectified(&mut self, name: &str) {
        if let Some(root) = self.root(name) {
            self.rectified[root] = true;
        }
    }

    pub(super) fn range(&self, name: &str) -> (f32, f32) {
        self.root(name).map_or((0.0, 0.0), |root| self.ranges[root])
    }

    fn is_rectified(&self, name: &str) -> bool {
        self.root(name).is_some_and(|root| self.rectified[root])
    }

    fn root(&self, name: &str) -> Option<usize> {
        let mut at = *self.index.get(name)?;
        while self.parent[at] != at {
            at = self.parent[at];
        }
        Some(at)
    }

    fn join(&mut self, a: &str, b: &str) {
        if let (Some(a), Some(b)) = (self.root(a), self.root(b))
            && a != b
        {
            self.ranges[b] = union(self.ranges[a], self.ranges[b]);
            self.rectified[b] |= self.rectified[a];
            self.parent[a] = b;
        }
    }
}

fn union(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// By how much the squared error rises from one range to another, in dB; 0 for a tensor that is zero everywhere.
fn loss_db(seen: &Histogram, own: (f32, f32), joint: (f32, f32)) -> f64 {
    if seen.range() == (0.0, 0.0) {
        return 0.0;
    }
    let bins = seen.filled();
    let error = |(low, high): (f32, f32)| {
        squared_error(&bins, Affine::covering(low, high, LEVELS), LEVELS, super::ranges::Reader::Any)
    };
    let (own, joint) = (error(own), error(joint));
    if joint <= own { 0.0 } else { 10.0 * (joint / own.max(f64::MIN_POSITIVE)).log10() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::FusedRelu;
    use crate::ranges::Reader;

    fn evenly(low: f32, high: f32) -> Histogram {
        let mut histogram = Histogram::default();
        let values: Vec<f32> = (0..4000).map(|step| low + (high - low) * step as f32 / 4000.0).collect();
        histogram.add(&values).unwrap();
        histogram
    }

    fn concat(joins: &[(&str, bool)]) -> QuantizedTensor {
        let joins = joins
            .iter()
            .map(|(tensor, read_elsewhere)| Joined { tensor: (*tensor).to_owned(), read_elsewhere: *read_elsewhere });
        QuantizedTensor {
            name: "joint".to_owned(),
            operator: "Concat".to_owned(),
            node: "concat".to_owned(),
            keeps_scale_of: None,
            joins: joins.collect(),
            relu: FusedRelu::No,
            reader: Reader::Any,
        }
    }

    /// Decides for an input with values up to `high` beside one with values up to 8.
    fn decide(high: f32, read_elsewhere: bool, low_of_other: f32, rectified: bool) -> Sharing {
        let mut groups = Groups::default();
        groups.insert("wide", (low_of_other, 8.0));
        groups.insert("input", (0.0, high));
        if rectified {
            groups.mark_rectified("input");
        }
        let seen = |name: &str| Some(if name == "wide" { evenly(low_of_other, 8.0) } else { evenly(0.0, high) });
        groups.insert_joined(&concat(&[("wide", false), ("input", read_elsewhere)]), seen, 1.0).pop().unwrap()
    }

    #[test]
    fn the_loss_is_that_of_the_coarser_step() {
        // Twice the step is four times the squared error: 6.02 dB.
        let sharing = decide(4.0, true, 0.0, false);
        assert!((sharing.loss_db - 6.02).abs() < 0.3, "{sharing:?}");
        assert_eq!((sharing.shared, sharing.reason), (false, SharingReason::LossAboveLimit));
        let sharing = decide(7.6, true, 0.0, false);
        assert!((sharing.loss_db - 20.0 * (8.0_f64 / 7.6).log10()).abs() < 0.2, "{sharing:?}");
        assert_eq!((sharing.shared, sharing.reason), (true, SharingReason::LossWithinLimit));
    }

    #[test]
    fn what_the_concat_alone_reads_shares_whatever_its_range() {
        assert_eq!(decide(0.1, false, 0.0, false).reason, SharingReason::ReadByConcatAlone);
    }

    #[test]
    fn a_clamp_that_is_a_relu_stays_at_zero() {
        let sharing = decide(8.0, false, -1.0, true);
        assert_eq!((sharing.shared, sharing.reason), (false, SharingReason::RectifiedBesideNegative));
        assert!(decide(8.0, false, 0.0, true).shared);
    }

    #[test]
    fn a_tensor_that_is_always_zero_shares_for_nothing() {
        let mut zeros = Histogram::default();
        zeros.add(&[0.0; 100]).unwrap();
        assert_eq!(loss_db(&zeros, (0.0, 0.0), (0.0, 1e6)), 0.0);
    }
}
