//! Poses in KITTI's text form: one line a frame, the twelve numbers of a 3×4 matrix row by row.
//!
//! KITTI's matrix takes camera coordinates to the axes of the first camera (x right, y down, z forward). Our world
//! has x forward, y left, z up (REP-103), so each pose becomes `world_from_first · first_from_camera` with the fixed
//! rotation x_world = z, y_world = −x, z_world = −y.
//!
//! Reference: Geiger et al., *Are we ready for Autonomous Driving?*, CVPR 2012, odometry development kit.

use crate::Result;
use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use std::path::Path;

/// How far a rotation's rows may be from unit length and right angles. KITTI prints seven digits; 1e-3 leaves room
/// for files with four.
const ROTATION_TOLERANCE: f64 = 1e-3;

/// Writes poses in KITTI's form; [`PoseFile::read`](super::PoseFile::read) gives them back.
///
/// # Errors
/// The file cannot be written.
pub fn write_kitti_poses(path: &Path, world_from_camera: &[Isometry3<f64>]) -> Result<()> {
    let text: String = world_from_camera.iter().map(|pose| line_from_pose(pose) + "\n").collect();
    crate::files::write_bytes(path, text.as_bytes())
}

/// The finite numbers of a line.
pub(super) fn numbers_of_line(line: &str) -> Result<Vec<f64>, String> {
    let number = |word: &str| match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(format!("expected finite numbers, found {number}")),
        Err(_) => Err(format!("expected a number, found {word:?}")),
    };
    line.split_whitespace().map(number).collect()
}

pub(super) fn pose_from_line(line: &str) -> Result<Isometry3<f64>, String> {
    let numbers = numbers_of_line(line)?;
    if numbers.len() != 12 {
        return Err(format!("expected 12 numbers, found {}", numbers.len()));
    }
    let m = |row: usize, column: usize| numbers[row * 4 + column];
    let rotation = Matrix3::from_fn(m);
    let error = (rotation * rotation.transpose() - Matrix3::identity()).abs().max();
    if error > ROTATION_TOLERANCE || rotation.determinant() < 0.0 {
        return Err(format!("expected a rotation in columns 1 to 3, found one {error:.1e} off"));
    }
    let first_from_camera = Isometry3::from_parts(
        Translation3::new(m(0, 3), m(1, 3), m(2, 3)),
        UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation)),
    );
    Ok(world_from_first() * first_from_camera)
}

fn line_from_pose(world_from_camera: &Isometry3<f64>) -> String {
    let first_from_camera = (world_from_first().inverse() * world_from_camera).to_matrix();
    let numbers = (0..3).flat_map(|row| (0..4).map(move |column| (row, column)));
    numbers.map(|at| format!("{:e}", first_from_camera[at])).collect::<Vec<_>>().join(" ")
}

/// The first camera's axes seen from our world's: forward is x, left is y, up is z.
fn world_from_first() -> UnitQuaternion<f64> {
    let columns = [-Vector3::y(), -Vector3::z(), Vector3::x()];
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(Matrix3::from_columns(&columns)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::PoseFile;
    use nalgebra::Point3;
    use proptest::prelude::*;

    #[test]
    fn what_lies_ahead_of_the_first_camera_lies_ahead_in_the_world() {
        let pose = pose_from_line("1 0 0 0 0 1 0 0 0 0 1 2").unwrap();
        let in_world = pose * Point3::new(0.5, -1.0, 3.0);
        assert!((in_world - Point3::new(5.0, -0.5, 1.0)).norm() < 1e-12, "{in_world}");
    }

    #[test]
    fn a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("poses.txt");
        for (line, says) in [
            ("1 0 0 0 0 1 0 0 0 0 1", "expected 12 numbers, found 11"),
            ("1 0 0 0 0 1 0 0 0 0 1 x", "found \"x\""),
            ("1 0 0 NaN 0 1 0 0 0 0 1 0", "finite"),
            ("2 0 0 0 0 1 0 0 0 0 1 0", "rotation"),
            ("-1 0 0 0 0 1 0 0 0 0 1 0", "rotation"),
        ] {
            std::fs::write(&path, format!("1 0 0 0 0 1 0 0 0 0 1 0\n{line}\n")).unwrap();
            let error = PoseFile::read(&path).unwrap_err().to_string();
            assert!(error.contains("line 2") && error.contains(says) && error.contains("poses.txt"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_give_the_pose_back(t in prop::array::uniform3(-1e3..1e3), r in prop::array::uniform3(-3.0..3.0)) {
            let pose = Isometry3::new(Vector3::from(t), Vector3::from(r));
            let back = pose_from_line(&line_from_pose(&pose)).unwrap();
            prop_assert!((pose.to_matrix() - back.to_matrix()).abs().max() < 1e-9);
        }
    }
}
