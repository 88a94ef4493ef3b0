//! Depth that can be said without looking at the picture: what a network must beat.
//!
//! - *constant*: the same depth everywhere; with median scaling its value is the image's true median, the best constant for
//!   the absolute error;
//! - *ground plane*: the ground falls away below the horizon and a wall stands before it,
//!   `depth(v) = min(wall, k / (v − horizon))` below the horizon and `wall` above, `v` the row. Horizon, `k` (camera height ×
//!   focal length) and wall are fitted to the truth of the very images that are scored: no prior of this form does better;
//! - *row median*: for each row the median of the truth in it, over all images that are scored.

use serde::Serialize;

/// A ground plane before a wall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroundPlane {
    /// Row of the horizon, as a share of the image's height.
    pub horizon: f32,
    /// Depth × rows below the horizon, metres × share of the height.
    pub reach: f32,
    /// Depth of the wall, metres.
    pub wall: f32,
}

/// A pixel's row, as a share of the height, and its true depth in metres.
pub type RowTruth = [f32; 2];

/// Pixels that the fit looks at: more do not change it, and thousands of planes are tried on them.
const FIT_PIXELS: usize = 4000;

impl GroundPlane {
    /// Depth at a row, metres.
    #[must_use]
    pub fn depth(&self, row: f32) -> f32 {
        let below = row - self.horizon;
        if below <= 0.0 { self.wall } else { (self.reach / below).min(self.wall) }
    }

    /// The plane of least mean relative error.
    #[must_use]
    pub fn fit(pixels: &[RowTruth]) -> Self {
        let every = pixels.len().div_ceil(FIT_PIXELS).max(1);
        let pixels: Vec<RowTruth> = pixels.iter().copied().step_by(every).collect();
        let mut best = Self { horizon: 0.5, reach: 1.0, wall: 10.0 };
        let mut least = best.error(&pixels);
        let mut attempt = |plane: Self, best: &mut Self| {
            let error = plane.error(&pixels);
            if error < least {
                (least, *best) = (error, plane);
            }
        };
        for horizon in 0..=16 {
            for reach in 0..=16 {
                for wall in 0..=16 {
                    let plane = Self {
                        horizon: 0.3 + 0.025 * horizon as f32,
                        reach: 0.1 * 1.4_f32.powi(reach),
                        wall: 2.0 * 1.27_f32.powi(wall),
                    };
                    attempt(plane, &mut best);
                }
            }
        }
        for round in 0..24 {
            let step = 0.8_f32.powi(round);
            for [a, b, c] in [
                [1.0, 0.0, 0.0],
                [-1.0, 0.0, 0.0],
                [0.0, 1.0, 0.0],
                [0.0, -1.0, 0.0],
                [0.0, 0.0, 1.0],
                [0.0, 0.0, -1.0],
            ] {
                let plane = Self {
                    horizon: best.horizon + 0.025 * step * a,
                    reach: best.reach * (0.3 * step * b).exp(),
                    wall: best.wall * (0.25 * step * c).exp(),
                };
                attempt(plane, &mut best);
            }
        }
        best
    }

    fn error(&self, pixels: &[RowTruth]) -> f32 {
        let sum: f32 = pixels.iter().map(|[row, truth]| (self.depth(*row) - truth).abs() / truth).sum();
        sum / pixels.len().max(1) as f32
    }
}

/// The median depth of each row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMedian {
    /// Metres, of [`ROWS`] equal parts of the height from top to bottom.
    medians: Vec<f32>,
}

/// Rows told apart: about as many as the smallest input has.
const ROWS: usize = 96;

impl RowMedian {
    /// From true depths; a row without any takes that of the nearest row with one.
    #[must_use]
    pub fn fit(pixels: &[RowTruth]) -> Self {
        let mut rows = vec![Vec::new(); ROWS];
        for [row, truth] in pixels {
            rows[Self::place(*row)].push(*truth);
        }
        let median = |values: &mut Vec<f32>| {
            let middle = values.len() / 2;
            (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
        };
        let known: Vec<Option<f32>> = rows.iter_mut().map(median).collect();
        let nearest = |row: usize| {
            let filled = known.iter().enumerate().filter_map(|(other, value)| Some((other.abs_diff(row), (*value)?)));
            filled.min_by_key(|(distance, _)| *distance).map_or(1.0, |(_, value)| value)
        };
        Self { medians: (0..ROWS).map(nearest).collect() }
    }

    /// Depth at a row, metres.
    #[must_use]
    pub fn depth(&self, row: f32) -> f32 {
        self.medians[Self::place(row)]
    }

    fn place(row: f32) -> usize {
        ((row * ROWS as f32) as usize).min(ROWS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_before_a_wall_is_found_again() {
        let truth = GroundPlane { horizon: 0.47, reach: 1.3, wall: 31.0 };
        let pixels: Vec<RowTruth> = (0..2000).map(|i| i as f32 / 2000.0).map(|row| [row, truth.depth(row)]).collect();
        let found = GroundPlane::fit(&pixels);
        assert!(found.error(&pixels) < 0.02, "{found:?}");
    }

    #[test]
    fn each_row_has_the_median_of_its_truth_and_an_empty_one_that_of_the_nearest() {
        let rows = RowMedian::fit(&[[0.5, 3.0], [0.5, 4.0], [0.5, 90.0], [0.99, 2.0]]);
        assert_eq!([0.0, 0.5, 0.7, 0.8, 1.0].map(|row| rows.depth(row)), [4.0, 4.0, 4.0, 2.0, 2.0]);
    }
}
