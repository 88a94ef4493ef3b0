//! What stands beside the network: the best ground plane, the best constant and, for a run without metres, the best scale.

use rayon::prelude::*;

use super::view::{Rebuilt, View};
use crate::evaluation::prior::GroundPlane;

/// One pair and the depth that the network says, for fitting.
pub(super) struct Pair {
    pub(super) view: View,
    /// Inverse depth units, per pixel.
    pub(super) prediction: Vec<f32>,
    /// Error of standing still, per pixel.
    pub(super) still: Vec<f32>,
}

/// What is compared, fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidates {
    /// Metres of the network's depth unit.
    pub(super) metres_per_unit: f64,
    /// Whether that was fitted.
    pub(super) scale_fitted: bool,
    /// The best ground plane before a wall.
    pub(super) plane: GroundPlane,
    /// The best constant depth, metres.
    pub(super) constant_m: f64,
}

/// Finds the numbers with which each candidate rebuilds the pairs best; `metres_per_unit` where the run knows it.
pub(super) fn fit(pairs: &[Pair], metres_per_unit: Option<f64>) -> Candidates {
    let size = pairs[0].view.size();
    let error = |pairs: &[Pair], inverse: &(dyn Fn(&Pair) -> Vec<f32> + Sync)| -> f64 {
        let errors: Vec<f64> =
            pairs.par_iter().map(|pair| mean_error(pair, &pair.view.rebuilt(&inverse(pair)))).collect();
        errors.iter().sum::<f64>() / pairs.len() as f64
    };
    let scaled = |[logarithm]: [f64; 1]| {
        error(pairs, &|pair| pair.prediction.iter().map(|q| q / logarithm.exp() as f32).collect())
    };
    let constant = |[logarithm]: [f64; 1]| error(pairs, &|_| vec![logarithm.exp().recip() as f32; size.0 * size.1]);
    let plane_on = |pairs: &[Pair], numbers: [f64; 3]| error(pairs, &|_| plane_map(&plane_of(numbers), size));

    // From a few centimetres to hundreds of metres, by factors that the search below bridges.
    let lengths = |first: f64, factor: f64, count: i32| (0..count).map(move |k| [(first * factor.powi(k)).ln()]);
    let fitted_scale = || search(best_of(lengths(0.02, 1.35, 32), &scaled), [0.15], &scaled)[0].exp();
    // The grid is looked through on every other pair: what it must find is only the right valley.
    let few: Vec<&Pair> = pairs.iter().step_by(2).collect();
    let on_few = |numbers: [f64; 3]| {
        let errors: Vec<f64> = few
            .par_iter()
            .map(|pair| mean_error(pair, &pair.view.rebuilt(&plane_map(&plane_of(numbers), size))))
            .collect();
        errors.iter().sum::<f64>()
    };
    let grid = (0..9).flat_map(|horizon| {
        (0..9).flat_map(move |reach| {
            (0..5).map(move |wall| {
                let (reach, wall) = (0.1 * 1.7_f64.powi(reach), 4.0 * 2.2_f64.powi(wall));
                [0.3 + 0.04 * f64::from(horizon), reach.ln(), wall.ln()]
            })
        })
    });
    let plane = search(best_of(grid, &on_few), [0.02, 0.25, 0.4], &|numbers| plane_on(pairs, numbers));
    Candidates {
        metres_per_unit: metres_per_unit.unwrap_or_else(fitted_scale),
        scale_fitted: metres_per_unit.is_none(),
        plane: plane_of(plane),
        constant_m: search(best_of(lengths(0.2, 1.25, 34), &constant), [0.1], &constant)[0].exp(),
    }
}

/// A pixel that leaves the neighbour's picture counts with the error of standing still: otherwise the best depth would be one
/// that sends the difficult pixels out of it.
fn mean_error(pair: &Pair, rebuilt: &Rebuilt) -> f64 {
    let of_pixel = |((error, still), visible): ((&f32, &f32), &bool)| f64::from(if *visible { *error } else { *still });
    let errors = rebuilt.photometric.iter().zip(&pair.still).zip(&rebuilt.visible).map(of_pixel);
    errors.sum::<f64>() / pair.still.len() as f64
}

/// Horizon as a share of the height, logarithms of reach and wall.
fn plane_of([horizon, reach, wall]: [f64; 3]) -> GroundPlane {
    GroundPlane { horizon: horizon as f32, reach: reach.exp() as f32, wall: wall.exp() as f32 }
}

fn plane_map(plane: &GroundPlane, (rows, columns): (usize, usize)) -> Vec<f32> {
    let inverse = |row: usize| plane.depth((row as f32 + 0.5) / rows as f32).recip();
    (0..rows).flat_map(|row| std::iter::repeat_n(inverse(row), columns)).collect()
}

fn best_of<const N: usize>(places: impl Iterator<Item = [f64; N]>, error: &dyn Fn([f64; N]) -> f64) -> [f64; N] {
    let rated = places.map(|place| (error(place), place));
    rated.min_by(|(a, _), (b, _)| a.total_cmp(b)).map_or([0.0; N], |(_, place)| place)
}

/// Goes along each axis as long as it gets better, with ever smaller steps.
fn search<const N: usize>(start: [f64; N], steps: [f64; N], error: &dyn Fn([f64; N]) -> f64) -> [f64; N] {
    let (mut best, mut least) = (start, error(start));
    for round in 0..16 {
        for axis in 0..N {
            for sign in [1.0, -1.0] {
                let mut place = best;
                place[axis] += sign * steps[axis] * 0.75_f64.powi(round);
                let rated = error(place);
                if rated < least {
                    (best, least) = (place, rated);
                }
            }
        }
    }
    best
}

/// One pair rebuilt by each candidate.
pub(super) struct AllRebuilt {
    pub(super) network: Rebuilt,
    pub(super) plane: Rebuilt,
    pub(super) constant: Rebuilt,
    pub(super) still: Rebuilt,
}

impl Candidates {
    /// The target of a view as each candidate rebuilds it.
    pub(super) fn rebuild(&self, view: &View, prediction: &[f32]) -> AllRebuilt {
        let per_metre = self.metres_per_unit.recip() as f32;
        let network: Vec<f32> = prediction.iter().map(|q| q * per_metre).collect();
        AllRebuilt {
            network: view.rebuilt(&network),
            plane: view.rebuilt(&plane_map(&self.plane, view.size())),
            constant: view.rebuilt(&vec![self.constant_m.recip() as f32; prediction.len()]),
            still: view.standing_still(),
        }
    }
}

impl AllRebuilt {
    /// In the order of the report.
    pub(super) fn rows(&self) -> [&Rebuilt; 4] {
        [&self.network, &self.plane, &self.constant, &self.still]
    }

    /// Pixels that every candidate finds in the neighbour.
    pub(super) fn counted(&self, pixel: usize) -> bool {
        self.rows().iter().all(|rebuilt| rebuilt.visible[pixel])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::view::tests::{SIZE, view};
    use super::*;

    /// A view of a wall `depth` metres away, of which the network says `says` units.
    pub(in crate::evaluation) fn pairs(depth: f32, says: f32) -> Vec<Pair> {
        let view = view(depth);
        let still = view.standing_still().photometric;
        vec![Pair { view, prediction: vec![1.0 / says; (SIZE.0 * SIZE.1) as usize], still }]
    }

    #[test]
    fn the_best_constant_is_the_depth_of_the_wall_and_the_scale_takes_the_prediction_there() {
        let found = fit(&pairs(5.0, 0.8), None);
        assert!((found.constant_m - 5.0).abs() < 0.1, "{found:?}");
        assert!(found.scale_fitted && (0.8 * found.metres_per_unit - 5.0).abs() < 0.1, "{found:?}");
        assert_eq!(fit(&pairs(5.0, 0.8), Some(2.0)).metres_per_unit, 2.0);
    }
}
