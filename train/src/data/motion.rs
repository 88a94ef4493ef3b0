//! Known motions between cameras, as numbers in depth units.

use nalgebra::{Isometry3, Translation3, UnitQuaternion};

use super::augmentation::Mirroring;
use crate::geometry::RigidMotion;

/// A motion as rows of `[R | t]` in depth units.
#[must_use]
pub fn in_units(source_from_target: &Isometry3<f64>, metres_per_unit: f64) -> RigidMotion {
    let matrix = source_from_target.to_matrix();
    std::array::from_fn(|at| {
        let (row, column) = (at / 4, at % 4);
        let scale = if column == 3 { metres_per_unit } else { 1.0 };
        (matrix[(row, column)] / scale) as f32
    })
}

/// `source_from_target` of two cameras of a rig that was at two places.
///
/// `world_from_left` are the left camera's poses at the source's and the target's time, `along_x` how far each camera stands
/// to the right of the left one, metres.
#[must_use]
pub fn between(world_from_left: [&Isometry3<f64>; 2], along_x: [f64; 2]) -> Isometry3<f64> {
    let [source, target] = [0, 1].map(|at| world_from_left[at] * Translation3::new(along_x[at], 0.0, 0.0));
    source.inverse() * target
}

/// The pose of the rectified camera, from that of the camera: only turned.
#[must_use]
pub fn of_rectified(world_from_camera: &Isometry3<f64>, rectified_from_camera: &UnitQuaternion<f64>) -> Isometry3<f64> {
    world_from_camera * rectified_from_camera.inverse()
}

impl Mirroring {
    /// A motion as the mirrored cameras have it: `M R M` and `M t` with `M = diag(−1, 1, 1)`.
    #[must_use]
    pub fn motion(self, motion: &RigidMotion) -> RigidMotion {
        let mut mirrored = *motion;
        if self == Self::Yes {
            // Entries with exactly one index x.
            for at in [1, 2, 3, 4, 8] {
                mirrored[at] = -mirrored[at];
            }
        }
        mirrored
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Point3, Vector3};
    use proptest::prelude::*;

    use super::*;

    fn moved(motion: &RigidMotion, [x, y, z]: [f32; 3]) -> [f32; 3] {
        [0, 4, 8].map(|row| motion[row] * x + motion[row + 1] * y + motion[row + 2] * z + motion[row + 3])
    }

    proptest! {
        #[test]
        fn a_mirrored_motion_moves_mirrored_points(t in prop::array::uniform3(-1.0..1.0), r in prop::array::uniform3(-0.5..0.5)) {
            let motion = in_units(&Isometry3::new(Vector3::from(t), Vector3::from(r)), 1.0);
            let there = moved(&motion, [1.0, 2.0, 3.0]);
            let mirrored = moved(&Mirroring::Yes.motion(&motion), [-1.0, 2.0, 3.0]);
            for (a, b) in [-there[0], there[1], there[2]].iter().zip(mirrored) {
                prop_assert!((a - b).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_other_eye_at_the_same_time_is_a_shift_by_the_baseline() {
        let pose = Isometry3::new(Vector3::new(3.0, 1.0, -2.0), Vector3::new(0.3, -0.8, 0.1));
        let motion = in_units(&between([&pose, &pose], [0.2, 0.0]), 2.0);
        for (found, expected) in motion.iter().zip(crate::geometry::shifted(-0.1)) {
            assert!((found - expected).abs() < 1e-6, "{motion:?}");
        }
    }

    #[test]
    fn a_point_of_the_world_is_where_both_cameras_say() {
        let earlier = Isometry3::new(Vector3::new(1.0, 0.0, 0.0), Vector3::new(0.0, 0.1, 0.0));
        let later = Isometry3::new(Vector3::new(2.0, 0.5, 0.2), Vector3::new(0.05, 0.3, 0.0));
        let point = Point3::new(4.0, 1.0, 9.0);
        let in_target = later.inverse_transform_point(&point);
        let in_source = (earlier * Translation3::new(0.3, 0.0, 0.0)).inverse_transform_point(&point);
        assert!((between([&earlier, &later], [0.3, 0.0]) * in_target - in_source).norm() < 1e-12);
    }
}
