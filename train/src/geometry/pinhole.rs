//! The pinhole camera, for a batch of images.
//!
//! ```text
//! x = (u − cx) / fx · z      u = fx · x / z + cx
//! y = (v − cy) / fy · z      v = fy · y / z + cy
//! ```

use burn::tensor::{Device, Int, Tensor, TensorData};
use parallax_core::camera::Intrinsics;

/// Points nearer than this are treated as lying at this distance (depth units): a point in or behind the camera has no
/// pixel, and dividing by its z would send the gradient to infinity.
pub const NEAREST_Z: f32 = 1e-3;

/// Intrinsics of each image of a batch, each of shape `[batch, 1, 1, 1]`.
#[derive(Debug, Clone)]
pub struct Pinholes {
    /// Focal length along x, pixels.
    pub fx: Tensor<4>,
    /// Focal length along y, pixels.
    pub fy: Tensor<4>,
    /// Principal point, x, pixels.
    pub cx: Tensor<4>,
    /// Principal point, y, pixels.
    pub cy: Tensor<4>,
}

impl Pinholes {
    /// From the intrinsics of each image, at the resolution the geometry works at.
    #[must_use]
    pub fn new(intrinsics: &[Intrinsics], device: &Device) -> Self {
        let column = |value: fn(&Intrinsics) -> f64| per_image(intrinsics.iter().map(|k| value(k) as f32), device);
        Self { fx: column(|k| k.fx), fy: column(|k| k.fy), cx: column(|k| k.cx), cy: column(|k| k.cy) }
    }

    /// The numbers on the host, one per image.
    #[must_use]
    pub fn intrinsics(&self) -> Vec<Intrinsics> {
        let on_host = |entry: &Tensor<4>| -> Vec<f32> {
            entry.clone().try_into_vec_as().expect("a float tensor can be read as f32")
        };
        let [fx, fy, cx, cy] = [&self.fx, &self.fy, &self.cx, &self.cy].map(on_host);
        let intrinsics = |image: usize| {
            let [fx, fy, cx, cy] = [&fx, &fy, &cx, &cy].map(|entry| f64::from(entry[image]));
            Intrinsics { fx, fy, cx, cy }
        };
        (0..fx.len()).map(intrinsics).collect()
    }

    /// `Σ intrinsics · gradient` over images: what to differentiate to go on from a gradient found on the host.
    ///
    /// # Shapes
    /// - `gradients`: one per image, by `fx, fy, cx, cy`; the result is `[1]`
    #[must_use]
    pub fn dot(&self, gradients: &[[f32; 4]]) -> Tensor<1> {
        let device = self.fx.device().inner();
        let entries = [&self.fx, &self.fy, &self.cx, &self.cy].into_iter().enumerate();
        entries.fold(Tensor::zeros([1], &device), |sum, (i, entry)| {
            sum + (entry.clone() * per_image(gradients.iter().map(|gradient| gradient[i]), &device)).sum()
        })
    }
}

/// One number per image, as `[batch, 1, 1, 1]`.
pub(super) fn per_image(values: impl Iterator<Item = f32>, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = values.collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count, 1, 1, 1]), device)
}

/// A point per pixel, each coordinate of shape `[batch, 1, height, width]`, depth units.
#[derive(Debug, Clone)]
pub struct Points {
    /// To the right.
    pub x: Tensor<4>,
    /// Down.
    pub y: Tensor<4>,
    /// Forward.
    pub z: Tensor<4>,
}

/// A place in another image per pixel, each coordinate of shape `[batch, 1, height, width]`, pixels.
#[derive(Debug, Clone)]
pub struct Pixels {
    /// Column.
    pub u: Tensor<4>,
    /// Row.
    pub v: Tensor<4>,
}

/// The point that each pixel sees.
///
/// # Shapes
/// - `depth`: `[batch, 1, height, width]`, along the optical axis
#[must_use]
pub fn back_project(depth: Tensor<4>, cameras: &Pinholes) -> Points {
    let [_, _, height, width] = depth.dims();
    let device = depth.device().inner();
    let u = Tensor::<1, Int>::arange(0..width as i64, &device).float().reshape([1, 1, 1, width]);
    let v = Tensor::<1, Int>::arange(0..height as i64, &device).float().reshape([1, 1, height, 1]);
    let ray_x = (u - cameras.cx.clone()) / cameras.fx.clone();
    let ray_y = (v - cameras.cy.clone()) / cameras.fy.clone();
    Points { x: depth.clone() * ray_x, y: depth.clone() * ray_y, z: depth }
}

/// Where each point is seen. Points behind the camera land far outside the image.
#[must_use]
pub fn project(points: Points, cameras: &Pinholes) -> Pixels {
    let inverse_z = points.z.clamp_min(NEAREST_Z).recip();
    Pixels {
        u: points.x * inverse_z.clone() * cameras.fx.clone() + cameras.cx.clone(),
        v: points.y * inverse_z * cameras.fy.clone() + cameras.cy.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(device: &Device) -> Pinholes {
        Pinholes::new(&[Intrinsics { fx: 100.0, fy: 90.0, cx: 3.5, cy: 2.5 }], device)
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn the_point_of_a_pixel_lies_on_its_ray_at_its_depth() {
        let device = Device::flex();
        let depth = Tensor::<4>::full([1, 1, 6, 8], 20.0, &device);
        let points = back_project(depth, &camera(&device));
        // Row 4, column 7: x = (7 − 3.5)/100·20, y = (4 − 2.5)/90·20.
        let at = 4 * 8 + 7;
        assert!((values(points.x)[at] - 0.7).abs() < 1e-6);
        assert!((values(points.y)[at] - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(values(points.z)[at], 20.0);
    }

    #[test]
    fn projecting_undoes_back_projecting() {
        let device = Device::flex();
        let depths: Vec<f32> = (0..48).map(|i| 1.0 + 0.3 * i as f32).collect();
        let depth = Tensor::<4>::from_data(TensorData::new(depths, [1, 1, 6, 8]), &device);
        let pixels = project(back_project(depth, &camera(&device)), &camera(&device));
        for (i, (u, v)) in values(pixels.u).into_iter().zip(values(pixels.v)).enumerate() {
            assert!((u - (i % 8) as f32).abs() < 1e-4 && (v - (i / 8) as f32).abs() < 1e-4);
        }
    }

    #[test]
    fn a_point_behind_the_camera_gives_no_infinite_pixel() {
        let device = Device::flex();
        let behind = |value: f32| Tensor::<4>::full([1, 1, 1, 1], value, &device);
        let pixels = project(Points { x: behind(1.0), y: behind(0.0), z: behind(-5.0) }, &camera(&device));
        assert!(values(pixels.u)[0].is_finite());
    }
}
