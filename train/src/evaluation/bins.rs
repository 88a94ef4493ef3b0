//! Errors by true distance: where a depth map is good, and where it is not.

use serde::Serialize;

/// Limits of the bins, metres: each twice as far as the one before, as errors of stereo and motion grow with distance.
const LIMITS: [f32; 6] = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0];

/// The errors of the pixels whose truth lies between two distances, all frames together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DistanceBin {
    /// From this distance on, metres.
    pub from_m: f32,
    /// Up to this one.
    pub to_m: f32,
    /// Pixels in it.
    pub pixels: usize,
    /// Mean absolute relative error.
    pub abs_rel: f64,
    /// Root mean square error, metres.
    pub rmse: f64,
    /// Share of pixels within a factor of 1.25.
    pub delta1: f64,
}

/// Sums while frames are scored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DistanceBins(Vec<DistanceBin>);

impl DistanceBins {
    /// Bins that end at `farthest`, metres.
    pub(super) fn up_to(farthest: f32) -> Self {
        let limits = LIMITS.into_iter().filter(|limit| *limit < farthest).chain([farthest]);
        let bin = |from_m, to_m| DistanceBin { from_m, to_m, pixels: 0, abs_rel: 0.0, rmse: 0.0, delta1: 0.0 };
        let mut from = 0.0;
        let bins = limits.map(|to| bin(std::mem::replace(&mut from, to), to));
        Self(bins.collect())
    }

    /// Adds a pixel's prediction and truth, metres.
    pub(super) fn add(&mut self, [predicted, truth]: [f32; 2]) {
        let Some(bin) = self.0.iter_mut().find(|bin| truth <= bin.to_m) else { return };
        let error = f64::from(predicted - truth);
        bin.pixels += 1;
        bin.abs_rel += error.abs() / f64::from(truth);
        bin.rmse += error * error;
        bin.delta1 += f64::from(u8::from((predicted / truth).max(truth / predicted) < 1.25));
    }

    /// The means; bins without a pixel are left out.
    pub(super) fn finish(&self) -> Vec<DistanceBin> {
        let mean = |bin: &DistanceBin| {
            let count = bin.pixels as f64;
            let rmse = (bin.rmse / count).sqrt();
            DistanceBin { abs_rel: bin.abs_rel / count, rmse, delta1: bin.delta1 / count, ..*bin }
        };
        self.0.iter().filter(|bin| bin.pixels > 0).map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_counts_in_the_bin_of_its_true_distance() {
        let mut bins = DistanceBins::up_to(30.0);
        for pair in [[6.0, 4.0], [4.0, 4.0], [33.0, 30.0], [9.0, 31.0]] {
            bins.add(pair);
        }
        let bins = bins.finish();
        assert_eq!(
            bins.iter().map(|bin| (bin.from_m, bin.to_m, bin.pixels)).collect::<Vec<_>>(),
            [(0.0, 5.0, 2), (20.0, 30.0, 1)]
        );
        assert!((bins[0].abs_rel - 0.25).abs() < 1e-9 && (bins[0].rmse - 2.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!((bins[0].delta1, bins[1].delta1), (0.5, 1.0));
    }
}
