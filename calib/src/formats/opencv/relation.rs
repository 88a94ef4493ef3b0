//! Where the right camera is.

use crate::formats::found::is_rotation;
use crate::rectification;
use nalgebra::{Isometry3, Matrix3, Vector3};

/// `x_right = R x_left + T`.
pub(super) fn right_from_left(
    r: &[f64],
    t: &[f64],
    metres_per_unit: f64,
) -> std::result::Result<Isometry3<f64>, String> {
    if r.len() != 9 || t.len() != 3 {
        return Err(format!("expected R with 9 numbers and T with 3, found {} and {}", r.len(), t.len()));
    }
    let rotation = Matrix3::from_row_slice(r);
    if !is_rotation(&rotation) {
        return Err("R is no rotation".into());
    }
    Ok(rectification::isometry(&rotation, Vector3::from_row_slice(t) * metres_per_unit))
}
