//! The size of errors.

use nalgebra::Vector2;

/// Root mean square; zero for nothing.
pub(crate) fn rms(errors: impl Iterator<Item = Vector2<f64>>) -> f64 {
    let (sum, count) = errors.fold((0.0, 0), |(sum, count), error| (sum + error.norm_squared(), count + 1));
    (sum / f64::from(count.max(1))).sqrt()
}
