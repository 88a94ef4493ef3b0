//! How many frames apart the partners of video training should be.
//!
//! | gap | too small | right | too large |
//! |---|---|---|---|
//! | parallax | below what matching can tell: depth is noise | some pixels | – |
//! | overlap | – | most corners are in both frames | gone, hidden, too different to match |
//!
//! Depth is told from parallax as δz / z ≈ δp / p. A photometric loss places a pixel to about δp = 0.25 px, so that
//! [`TARGET_PARALLAX_PX`] of parallax, at the median corner, makes depth good to a tenth per pair.

use parallax_vision::footage::statistics::{median, quantile};
use parallax_vision::footage::{CameraMotion, LEAST_FOLLOWED, MOST_FLOW, PairMeasure, TARGET_PARALLAX_PX};

/// Gaps that are tried.
pub const CANDIDATES: [usize; 8] = [1, 2, 3, 4, 6, 9, 13, 20];

/// What one gap gives.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct GapMeasure {
    /// Frames between partners.
    pub gap: usize,
    /// Median over pairs of the parallax, pixels.
    pub parallax_px: f64,
    /// 75th percentile over pairs of the motion of the fastest tenth, pixels.
    pub flow_p90_px: f64,
    /// Median part of the corners that is found again.
    pub followed: f64,
}

impl GapMeasure {
    /// From pairs that are `gap` apart; pairs in which the camera stood say nothing about how far apart frames should
    /// be. None where it always stood.
    #[must_use]
    pub fn new(gap: usize, pairs: &[PairMeasure]) -> Option<Self> {
        let stood = |pair: &&PairMeasure| !matches!(pair.motion, CameraMotion::Stands | CameraMotion::SamePicture);
        let pairs: Vec<&PairMeasure> = pairs.iter().filter(stood).collect();
        Some(Self {
            gap,
            parallax_px: median(pairs.iter().map(|pair| pair.parallax_px))?,
            flow_p90_px: quantile(pairs.iter().map(|pair| pair.flow_p90_px), 0.75)?,
            followed: median(pairs.iter().map(|pair| pair.followed))?,
        })
    }

    fn is_followed(&self, width: usize) -> bool {
        self.followed >= LEAST_FOLLOWED && self.flow_p90_px <= MOST_FLOW * width as f64
    }
}

/// The smallest gap that reaches the target; where none does, the one with most parallax that can still be followed;
/// the smallest of all where even that cannot. None where the camera always stood.
#[must_use]
pub fn propose(measures: &[GapMeasure], width: usize) -> Option<usize> {
    let usable = || measures.iter().filter(|measure| measure.is_followed(width));
    let reaching = usable().find(|measure| measure.parallax_px >= TARGET_PARALLAX_PX);
    let most = || usable().max_by(|a, b| a.parallax_px.total_cmp(&b.parallax_px));
    reaching.or_else(most).or(measures.first()).map(|measure| measure.gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measures(parallax_per_frame: f64, followed: impl Fn(usize) -> f64) -> Vec<GapMeasure> {
        let measure = |gap: usize| {
            let parallax_px = parallax_per_frame * gap as f64;
            GapMeasure { gap, parallax_px, flow_p90_px: 3.0 * parallax_px, followed: followed(gap) }
        };
        CANDIDATES.map(measure).to_vec()
    }

    #[test]
    fn slow_footage_gets_a_larger_gap_and_fast_footage_none() {
        assert_eq!(propose(&measures(0.7, |_| 0.9), 640), Some(4));
        assert_eq!(propose(&measures(8.0, |_| 0.9), 640), Some(1));
        // Nothing can be followed that far: the most that can.
        assert_eq!(propose(&measures(0.2, |gap| if gap < 6 { 0.9 } else { 0.2 }), 640), Some(4));
        // Too fast even for neighbours.
        assert_eq!(propose(&measures(50.0, |_| 0.9), 640), Some(1));
        assert_eq!(propose(&[], 640), None);
    }
}
