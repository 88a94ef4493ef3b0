//! Whether another lens model explains the corners better than the one that was asked for.
//!
//! A model that does not describe a lens leaves errors which a second camera, or a bent board, would explain in part. Who
//! asked for the wrong one should hear which one fits. Tried only where something is left to explain: each model costs as
//! much as the whole solution.

use super::settle::Settled;
use super::{Lens, Observation, rms};
use crate::detect::LEAST_CORNERS;

/// A lens model that explains the corners better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BetterLens {
    /// The model.
    pub lens: Lens,
    /// Root mean square error of the typical (median) view with it, pixels.
    pub typical_px: f64,
    /// The same with the model that was asked for.
    pub asked_px: f64,
}

impl BetterLens {
    /// What the model that was asked for adds to the errors, pixels.
    pub fn misfit_px(&self) -> f64 {
        (self.asked_px.powi(2) - self.typical_px.powi(2)).max(0.0).sqrt()
    }
}

/// What a better model must leave of the typical error: some more coefficients take a little away from any noise, and that
/// says nothing of the lens. A quarter is chosen, not measured.
const MOST_LEFT: f64 = 0.75;
/// A model with more coefficients is named only when it leaves less than this part of what a simpler one leaves.
const WORTH_MORE: f64 = 0.9;
/// All models, the simplest first.
const LENSES: [Lens; 3] = [Lens::PlumbBob, Lens::Equidistant, Lens::RationalPolynomial];

/// The best of the models besides `asked`, whose typical error is given (infinite when it explains nothing), with its fit.
pub(crate) fn better(
    asked: Lens,
    asked_px: f64,
    seen: &[Vec<Observation>],
    fit: impl Fn(Lens) -> Option<Settled>,
) -> Option<(BetterLens, Settled)> {
    let mut best: Option<(BetterLens, Settled)> = None;
    for lens in LENSES.into_iter().filter(|lens| *lens != asked) {
        let Some(settled) = fit(lens) else { continue };
        let typical_px = typical_px(&settled, seen);
        let is_better = match &best {
            Some((best, _)) => typical_px < WORTH_MORE * best.typical_px,
            None => typical_px < MOST_LEFT * asked_px,
        };
        if is_better {
            best = Some((BetterLens { lens, typical_px, asked_px }, settled));
        }
    }
    best
}

/// The median over all views with enough corners, also those that were left out, of the root mean square error.
pub(crate) fn typical_px(settled: &Settled, seen: &[Vec<Observation>]) -> f64 {
    let of_view = |index: usize| {
        let errors: Option<Vec<_>> = settled.views[index].corners.iter().map(|corner| corner.0).collect();
        errors.map_or(f64::INFINITY, |errors| rms(errors.into_iter()))
    };
    let enough = (0..seen.len()).filter(|&index| seen[index].len() >= LEAST_CORNERS);
    let mut errors: Vec<f64> = enough.map(of_view).collect();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() / 2).copied().unwrap_or(f64::INFINITY)
}
