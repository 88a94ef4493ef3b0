//! Rigid motions for a batch of image pairs.
//!
//! A motion is an axis-angle vector `w` and a translation `t`; its rotation is Rodrigues' formula
//!
//! ```text
//! R = I + a [w]ₓ + b [w]ₓ²      a = sin θ / θ      b = (1 − cos θ) / θ² = ½ (sin(θ/2) / (θ/2))²      θ = |w|
//! ```
//!
//! The half-angle form of `b` has no cancellation near θ = 0, and θ² gets 1e-8 added so that its root has a gradient there:
//! that changes `a` by less than 2e-9.

use burn::tensor::{Device, Tensor};

use super::Points;
use super::pinhole::per_image;

/// A rigid motion on the host: rows of `[R | t]`, lengths in depth units.
pub type RigidMotion = [f32; 12];

/// No motion.
pub const NO_MOTION: RigidMotion = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];

/// `source_from_target` of each pair; every entry has shape `[batch, 1, 1, 1]`.
#[derive(Debug, Clone)]
pub struct Poses {
    /// Rows of the rotation matrix.
    pub rotation: [[Tensor<4>; 3]; 3],
    /// Translation, depth units.
    pub translation: [Tensor<4>; 3],
}

impl Poses {
    /// From what a pose network gives.
    ///
    /// # Shapes
    /// - `axis_angle`, `translation`: `[batch, 3]`, radians and depth units
    #[must_use]
    pub fn from_axis_angle(axis_angle: Tensor<2>, translation: Tensor<2>) -> Self {
        let [batch, _] = axis_angle.dims();
        let entries =
            |tensor: Tensor<2>| [0, 1, 2].map(|i| tensor.clone().slice([0..batch, i..i + 1]).reshape([batch, 1, 1, 1]));
        Self { rotation: rodrigues(entries(axis_angle)), translation: entries(translation) }
    }

    /// Known motions, one per image.
    #[must_use]
    pub fn known(motions: &[RigidMotion], device: &Device) -> Self {
        let entry = |at: usize| per_image(motions.iter().map(|motion| motion[at]), device);
        Self {
            rotation: [0, 1, 2].map(|row| [0, 1, 2].map(|column| entry(4 * row + column))),
            translation: [3, 7, 11].map(entry),
        }
    }

    /// Shifts along x: a rectified stereo pair. `shifts` are the translations of `source_from_target`, depth units.
    #[must_use]
    pub fn shifts(shifts: &[f32], device: &Device) -> Self {
        let motions: Vec<RigidMotion> = shifts.iter().map(|shift| shifted(*shift)).collect();
        Self::known(&motions, device)
    }

    /// How far each motion goes, depth units, `[batch, 1, 1, 1]`; 1e-8 is added under the root, which has no gradient at 0.
    #[must_use]
    pub fn length(&self) -> Tensor<4> {
        dot(&self.translation, &self.translation).add_scalar(1e-8).sqrt()
    }

    /// The motions back: `Rᵀ`, `−Rᵀ t`.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let rotation = [0, 1, 2].map(|row| [0, 1, 2].map(|column: usize| self.rotation[column][row].clone()));
        let translation = [0, 1, 2].map(|row: usize| -dot(&rotation[row], &self.translation));
        Self { rotation, translation }
    }

    /// The numbers on the host: rows of `[R | t]`, one motion per image.
    #[must_use]
    pub fn motions(&self) -> Vec<RigidMotion> {
        let on_host = |entry: &Tensor<4>| entry.clone().try_into_vec_as().expect("a float tensor can be read as f32");
        let entries: Vec<Vec<f32>> = self.entries().map(on_host).collect();
        (0..entries[0].len()).map(|image| std::array::from_fn(|entry| entries[entry][image])).collect()
    }

    /// `Σ motion · gradient` over entries and images: what to differentiate to go on from a gradient found on the host.
    ///
    /// # Shapes
    /// - `gradients`: one per image, rows of `[R | t]`; the result is `[1]`
    #[must_use]
    pub fn dot(&self, gradients: &[RigidMotion]) -> Tensor<1> {
        let device = self.translation[0].device().inner();
        let mut sum = Tensor::zeros([1], &device);
        for (i, entry) in self.entries().enumerate() {
            sum = sum + (entry.clone() * per_image(gradients.iter().map(|gradient| gradient[i]), &device)).sum();
        }
        sum
    }

    /// Rows of `[R | t]`.
    fn entries(&self) -> impl Iterator<Item = &Tensor<4>> {
        self.rotation.iter().zip(&self.translation).flat_map(|(row, translation)| row.iter().chain([translation]))
    }

    /// The points as the source camera has them.
    #[must_use]
    pub fn apply(&self, points: &Points) -> Points {
        let along = |row: usize| {
            let r = &self.rotation[row];
            points.x.clone() * r[0].clone()
                + points.y.clone() * r[1].clone()
                + points.z.clone() * r[2].clone()
                + self.translation[row].clone()
        };
        Points { x: along(0), y: along(1), z: along(2) }
    }
}

/// A shift along x.
#[must_use]
pub fn shifted(shift: f32) -> RigidMotion {
    let mut motion = NO_MOTION;
    motion[3] = shift;
    motion
}

fn dot(a: &[Tensor<4>; 3], b: &[Tensor<4>; 3]) -> Tensor<4> {
    a[0].clone() * b[0].clone() + a[1].clone() * b[1].clone() + a[2].clone() * b[2].clone()
}

fn rodrigues(w: [Tensor<4>; 3]) -> [[Tensor<4>; 3]; 3] {
    let squared_angle = dot(&w, &w).add_scalar(1e-8);
    let angle = squared_angle.clone().sqrt();
    let a = angle.clone().sin() / angle.clone();
    let half = angle.mul_scalar(0.5);
    let b = (half.clone().sin() / half).square().mul_scalar(0.5);
    let [x, y, z] = w;
    let product = |p: &Tensor<4>, q: &Tensor<4>| p.clone() * q.clone() * b.clone();
    let turn = |p: &Tensor<4>| p.clone() * a.clone();
    let diagonal = |p: &Tensor<4>, q: &Tensor<4>| -(product(p, p) + product(q, q)) + 1.0;
    [
        [diagonal(&y, &z), product(&x, &y) - turn(&z), product(&x, &z) + turn(&y)],
        [product(&x, &y) + turn(&z), diagonal(&x, &z), product(&y, &z) - turn(&x)],
        [product(&x, &z) - turn(&y), product(&y, &z) + turn(&x), diagonal(&x, &y)],
    ]
}

#[cfg(test)]
mod tests {
    use nalgebra::{Rotation3, Vector3};
    use proptest::prelude::*;

    use super::*;

    fn pose(w: [f32; 3], t: [f32; 3]) -> Poses {
        let device = Device::flex();
        Poses::from_axis_angle(Tensor::from_floats([w], &device), Tensor::from_floats([t], &device))
    }

    fn entry(tensor: &Tensor<4>) -> f32 {
        tensor.clone().into_scalar()
    }

    proptest! {
        #[test]
        fn a_rotation_is_the_exponential_of_its_axis(x in -2.0_f32..2.0, y in -2.0_f32..2.0, z in -2.0_f32..2.0) {
            let ours = pose([x, y, z], [0.0; 3]);
            let theirs = Rotation3::new(Vector3::new(x, y, z));
            for row in 0..3 {
                for column in 0..3 {
                    prop_assert!((entry(&ours.rotation[row][column]) - theirs[(row, column)]).abs() < 3e-6);
                }
            }
        }

        #[test]
        fn there_and_back_is_no_motion(x in -1.0_f32..1.0, y in -1.0_f32..1.0, t in -3.0_f32..3.0) {
            let there = pose([x, y, 0.3], [t, 1.0, -t]);
            let device = Device::flex();
            let at = |value: f32| Tensor::<4>::full([1, 1, 1, 1], value, &device);
            let point = Points { x: at(1.0), y: at(-2.0), z: at(5.0) };
            let back = there.inverse().apply(&there.apply(&point));
            prop_assert!((entry(&back.x) - 1.0).abs() < 1e-5);
            prop_assert!((entry(&back.y) + 2.0).abs() < 1e-5);
            prop_assert!((entry(&back.z) - 5.0).abs() < 1e-5);
        }
    }

    #[test]
    fn the_gradient_at_no_rotation_is_that_of_a_cross_product() {
        let device = Device::flex().autodiff();
        let w = Tensor::<2>::zeros([1, 3], &device).require_grad();
        let pose = Poses::from_axis_angle(w.clone(), Tensor::zeros([1, 3], &device));
        let at = |value: f32| Tensor::<4>::full([1, 1, 1, 1], value, &device);
        let moved = pose.apply(&Points { x: at(1.0), y: at(2.0), z: at(3.0) });
        // d(w × p)ₓ/dw for p = (1, 2, 3) is (0, z, −y).
        let gradients = moved.x.sum().backward();
        let gradient: Vec<f32> = w.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
        for (found, expected) in gradient.iter().zip([0.0, 3.0, -2.0]) {
            assert!((found - expected).abs() < 1e-5, "{gradient:?}");
        }
    }
}
