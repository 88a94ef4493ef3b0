//! A place and a rotation as one, from numbers of a file.

use nalgebra::{Isometry3, Matrix3, Translation3, UnitQuaternion, Vector3};

/// A rotation matrix as files print it, and a translation; the nearest rotation is taken.
pub fn isometry(rotation: &Matrix3<f64>, translation: Vector3<f64>) -> Isometry3<f64> {
    Isometry3::from_parts(Translation3::from(translation), UnitQuaternion::from_matrix(rotation))
}
