//! A frame rebuilt from its neighbour's pixels, and how well it came out.
//!
//! A target pixel of ray `r` and inverse depth `q` lies in the neighbour's camera at `R r + q t`, up to a factor; what the
//! neighbour shows there, interpolated, is the pixel rebuilt. With the right depth it is the target's own colour.

use image::RgbImage;
use nalgebra::Isometry3;
use parallax_core::camera::Intrinsics;

use crate::loss::host::structure::{Comparison, Target};

/// Two frames and how the cameras stand.
pub(super) struct View {
    width: usize,
    target: Vec<f32>,
    neighbour: Vec<f32>,
    moments: Target,
    camera: Intrinsics,
    neighbour_camera: Intrinsics,
    /// Metres.
    neighbour_from_target: Isometry3<f64>,
}

/// A target rebuilt with some depth.
pub(super) struct Rebuilt {
    /// `[3, height, width]`, values in 0..1.
    pub(super) image: Vec<f32>,
    /// Where the neighbour shows the pixel's point and those of the pixels around it, which SSIM looks at too.
    pub(super) visible: Vec<bool>,
    /// 0.85 · (1 − SSIM) / 2 + 0.15 · |difference|, as in training.
    pub(super) photometric: Vec<f32>,
    /// Mean absolute difference over the channels.
    pub(super) difference: Vec<f32>,
}

impl View {
    /// `neighbour_from_target` is in metres; both frames are rectified and of one size.
    pub(super) fn new(
        [target, neighbour]: [&RgbImage; 2],
        [camera, neighbour_camera]: [Intrinsics; 2],
        neighbour_from_target: Isometry3<f64>,
    ) -> Self {
        let width = target.width() as usize;
        let target = planes(target);
        let moments = Target::new(&target, width);
        let neighbour = planes(neighbour);
        Self { width, target, neighbour, moments, camera, neighbour_camera, neighbour_from_target }
    }

    /// Rows and columns.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.target.len() / 3 / self.width, self.width)
    }

    /// The target as the neighbour shows it where nothing has moved: the neighbour itself.
    pub(super) fn standing_still(&self) -> Rebuilt {
        let visible = vec![true; self.target.len() / 3];
        self.judged(self.neighbour.clone(), visible)
    }

    /// The target rebuilt with an inverse depth per pixel, 1 / m.
    pub(super) fn rebuilt(&self, inverse_depth: &[f32]) -> Rebuilt {
        let pixels = inverse_depth.len();
        let rotation = self.neighbour_from_target.rotation.to_rotation_matrix();
        let translation = self.neighbour_from_target.translation.vector.cast::<f32>();
        let rotation = rotation.matrix().cast::<f32>();
        let (camera, other) = (&self.camera, &self.neighbour_camera);
        let (mut image, mut visible) = (vec![0.0; 3 * pixels], vec![false; pixels]);
        for (pixel, q) in inverse_depth.iter().enumerate() {
            let (row, column) = (pixel / self.width, pixel % self.width);
            let ray = nalgebra::Vector3::new(
                (column as f32 - camera.cx as f32) / camera.fx as f32,
                (row as f32 - camera.cy as f32) / camera.fy as f32,
                1.0,
            );
            let point = rotation * ray + translation * *q;
            let u = other.fx as f32 * point.x / point.z + other.cx as f32;
            let v = other.fy as f32 * point.y / point.z + other.cy as f32;
            let inside = |place: f32, size: usize| place >= 0.0 && place <= (size - 1) as f32;
            visible[pixel] = point.z > 0.0 && inside(u, self.width) && inside(v, pixels / self.width);
            if visible[pixel] {
                for channel in 0..3 {
                    image[channel * pixels + pixel] =
                        read(&self.neighbour[channel * pixels..(channel + 1) * pixels], self.width, u, v);
                }
            }
        }
        let visible = with_their_neighbours(&visible, self.width);
        self.judged(image, visible)
    }

    fn judged(&self, image: Vec<f32>, visible: Vec<bool>) -> Rebuilt {
        let pixels = visible.len();
        let mut comparison = Comparison::default();
        comparison.compare(&self.moments, &image);
        let at = |pixel: usize, channel: usize| {
            (image[channel * pixels + pixel] - self.target[channel * pixels + pixel]).abs()
        };
        let difference = (0..pixels).map(|pixel| (at(pixel, 0) + at(pixel, 1) + at(pixel, 2)) / 3.0).collect();
        Rebuilt { photometric: comparison.error().to_vec(), difference, image, visible }
    }
}

/// Pixels that are visible with all around them; what lies outside the picture does not count.
fn with_their_neighbours(visible: &[bool], width: usize) -> Vec<bool> {
    let height = visible.len() / width;
    let around = |place: usize, size: usize| place.saturating_sub(1)..(place + 2).min(size);
    let all_around = |pixel: usize| {
        let (row, column) = (pixel / width, pixel % width);
        around(row, height).all(|row| around(column, width).all(|column| visible[row * width + column]))
    };
    (0..visible.len()).map(all_around).collect()
}

fn planes(picture: &RgbImage) -> Vec<f32> {
    (0..3).flat_map(|channel| picture.pixels().map(move |pixel| f32::from(pixel.0[channel]) / 255.0)).collect()
}

/// Bilinear; `u` and `v` lie within the plane.
fn read(plane: &[f32], width: usize, u: f32, v: f32) -> f32 {
    let height = plane.len() / width;
    let (left, top) = (u as usize, v as usize);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (s, t) = (u - left as f32, v - top as f32);
    let mix = |row: usize| plane[row * width + left] * (1.0 - s) + plane[row * width + right] * s;
    mix(top) * (1.0 - t) + mix(bottom) * t
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::evaluation) const SIZE: (u32, u32) = (64, 32);
    pub(in crate::evaluation) const CAMERA: Intrinsics = Intrinsics { fx: 50.0, fy: 50.0, cx: 31.5, cy: 15.5 };

    /// A textured wall `depth` metres away, seen by a camera `right` metres to the right of the first.
    pub(in crate::evaluation) fn wall(depth: f32, right: f32) -> RgbImage {
        RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let x = x as f32 + 50.0 * right / depth;
            let value = |phase: f32| 128.0 + 90.0 * (0.4 * x + phase).sin() * (0.33 * y as f32 - phase).cos();
            image::Rgb([value(0.0) as u8, value(0.8) as u8, value(1.9) as u8])
        })
    }

    /// A view of the wall from half a metre further right.
    pub(in crate::evaluation) fn view(depth: f32) -> View {
        let motion = Isometry3::translation(-0.5, 0.0, 0.0);
        View::new([&wall(depth, 0.0), &wall(depth, 0.5)], [CAMERA; 2], motion)
    }

    fn mean_where_visible(rebuilt: &Rebuilt) -> f32 {
        let seen = rebuilt.difference.iter().zip(&rebuilt.visible).filter(|(_, visible)| **visible);
        let (sum, count) = seen.fold((0.0, 0), |(sum, count), (error, _)| (sum + error, count + 1));
        sum / count as f32
    }

    #[test]
    fn the_true_depth_rebuilds_the_frame_and_another_does_not() {
        let view = view(5.0);
        let error = |metres: f32| mean_where_visible(&view.rebuilt(&vec![1.0 / metres; 64 * 32]));
        assert!(error(5.0) < 0.005, "what 8 bits leave: {}", error(5.0));
        assert!(error(4.0) > 0.05 && error(6.5) > 0.05);
        assert!(mean_where_visible(&view.standing_still()) > 0.1);
    }

    #[test]
    fn a_point_outside_the_neighbours_picture_or_behind_it_is_not_visible() {
        // 5 m: the wall moves 5 pixels to the left, and a sixth touches what has moved out of the picture.
        let rebuilt = view(5.0).rebuilt(&vec![0.2; 64 * 32]);
        assert_eq!(rebuilt.visible[..64].iter().filter(|visible| !**visible).count(), 6);
        let behind = Isometry3::translation(0.0, 0.0, -6.0);
        let view = View::new([&wall(5.0, 0.0), &wall(5.0, 0.0)], [CAMERA; 2], behind);
        assert!(view.rebuilt(&vec![0.2; 64 * 32]).visible.iter().all(|visible| !visible));
    }
}
