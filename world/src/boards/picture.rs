//! What a camera sees of a board: print and paper under uneven light, before a blurred background, with the lens's blur
//! and the sensor's noise.
//!
//! The mean light of a pixel is the mean over points spread evenly in its square. Rays are computed exactly at the
//! corners of pixels and linearly within, which is right to a millionth of a pixel. Pixels of one colour, which are most,
//! need one point.

use super::print::Print;
use crate::random::{gaussian_from_hash, hash};
use crate::{Error, Result};
use image::GrayImage;
use nalgebra::{Isometry3, Point2, Vector3};
use parallax_core::board::Board;
use parallax_core::camera::Camera;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How a picture is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PictureConfig {
    /// Points along a pixel's side on edges of the print.
    pub samples: u32,
    /// Standard deviation of the lens's blur, pixels.
    pub blur_px: f64,
    /// Standard deviation of the noise, grey levels.
    pub noise: f64,
    /// Grey level of the print's black and of its white, in the middle of the picture.
    pub black: f64,
    /// See `black`.
    pub white: f64,
    /// How much darker the darkest corner is: 0.3 is light from one side.
    pub shading: f64,
}

impl Default for PictureConfig {
    fn default() -> Self {
        Self { samples: 6, blur_px: 0.7, noise: 2.0, black: 35.0, white: 215.0, shading: 0.3 }
    }
}

impl PictureConfig {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Setting { what });
        if !(1..=32).contains(&self.samples) {
            return wrong(format!("samples must be 1 to 32, got {}", self.samples));
        }
        if !(0.0..=10.0).contains(&self.blur_px) || !(0.0..=60.0).contains(&self.noise) {
            return wrong(format!("blur must be 0 to 10 and noise 0 to 60, got {} and {}", self.blur_px, self.noise));
        }
        if !(0.0..=255.0).contains(&self.black) || !(self.black..=255.0).contains(&self.white) {
            return wrong(format!("black and white must be 0 to 255, got {} and {}", self.black, self.white));
        }
        if !(0.0..1.0).contains(&self.shading) {
            return wrong(format!("shading must be 0 to 1, got {}", self.shading));
        }
        Ok(())
    }
}

/// Draws views of one board for one camera.
pub(super) struct Painter<'a> {
    print: Print,
    config: &'a PictureConfig,
    width: usize,
    height: usize,
    /// The ray through the upper left corner of every pixel, one more along each side, at z = 1; NaN where the lens shows
    /// nothing.
    rays: Vec<[f64; 2]>,
}

impl<'a> Painter<'a> {
    pub(super) fn new(board: &Board, camera: &Camera, config: &'a PictureConfig) -> Self {
        let (width, height) = (camera.width as usize, camera.height as usize);
        let ray = |index: usize| {
            let (x, y) = (index % (width + 1), index / (width + 1));
            let ray = camera.unproject(Point2::new(x as f64 - 0.5, y as f64 - 0.5));
            ray.map_or([f64::NAN; 2], |ray| [ray.x, ray.y])
        };
        let rays = (0..(width + 1) * (height + 1)).into_par_iter().map(ray).collect();
        Self { print: Print::new(board), config, width, height, rays }
    }

    /// The picture of the board at this pose; `number` tells noise and background of pictures apart.
    pub(super) fn paint(&self, camera_from_board: &Isometry3<f64>, seed: u64, number: usize) -> GrayImage {
        let seed = hash(seed, number as u64);
        let board_from_camera = camera_from_board.inverse();
        let mut light = vec![0.0f32; self.width * self.height];
        light.par_chunks_mut(self.width).enumerate().for_each(|(y, row)| {
            for (x, value) in row.iter_mut().enumerate() {
                *value = self.light(&board_from_camera, x, y, seed);
            }
        });
        blur(&mut light, self.width, self.config.blur_px);
        let pixel = |(index, value): (usize, &f32)| {
            let noise = self.config.noise as f32 * gaussian_from_hash(hash(seed, index as u64));
            (value + noise).round() as u8
        };
        let bytes: Vec<u8> = light.par_iter().enumerate().map(pixel).collect();
        GrayImage::from_raw(self.width as u32, self.height as u32, bytes).unwrap_or_default()
    }

    fn light(&self, board_from_camera: &Isometry3<f64>, x: usize, y: usize, seed: u64) -> f32 {
        let at = |dx: usize, dy: usize| self.rays[(y + dy) * (self.width + 1) + x + dx];
        let corners = [at(0, 0), at(1, 0), at(0, 1), at(1, 1)];
        let corner_colors = corners.map(|ray| self.color(board_from_camera, ray));
        let is_even = corner_colors.iter().all(|color| *color == corner_colors[0])
            && self.is_far_from_edges(board_from_camera, corners);
        let background = f64::from(background(x, y, self.width, seed));
        let level = |color: Option<bool>| match color {
            None => background,
            Some(true) => self.config.black,
            Some(false) => self.config.white,
        };
        let mean = if is_even {
            level(corner_colors[0])
        } else {
            let count = self.config.samples;
            let part = |index: u32| (f64::from(index) + 0.5) / f64::from(count);
            let points = (0..count * count).map(|index| {
                let (a, b) = (part(index % count), part(index / count));
                let mix = |axis: usize| {
                    (corners[0][axis] * (1.0 - a) + corners[1][axis] * a) * (1.0 - b)
                        + (corners[2][axis] * (1.0 - a) + corners[3][axis] * a) * b
                };
                level(self.color(board_from_camera, [mix(0), mix(1)]))
            });
            points.sum::<f64>() / f64::from(count * count)
        };
        // Light from the upper left.
        let far = (x as f64 / self.width as f64 + y as f64 / self.height as f64) / 2.0;
        (mean * (1.0 - self.config.shading * far)) as f32
    }

    /// Where a ray meets the board's plane; none behind the camera.
    fn place(board_from_camera: &Isometry3<f64>, ray: [f64; 2]) -> Option<(f64, f64)> {
        let direction = board_from_camera.rotation * Vector3::new(ray[0], ray[1], 1.0);
        let origin = board_from_camera.translation.vector;
        let length = -origin.z / direction.z;
        (length > 0.0).then(|| (origin.x + direction.x * length, origin.y + direction.y * length))
    }

    fn color(&self, board_from_camera: &Isometry3<f64>, ray: [f64; 2]) -> Option<bool> {
        let (x, y) = Self::place(board_from_camera, ray)?;
        self.print.is_black(x, y)
    }

    /// Whether the pixel lies off the print, where nothing small can hide between its corners.
    fn is_far_from_edges(&self, board_from_camera: &Isometry3<f64>, corners: [[f64; 2]; 4]) -> bool {
        let extent = self.print.extent();
        let is_off = |ray: [f64; 2]| Self::place(board_from_camera, ray).is_none_or(|(x, y)| !extent.contains(x, y));
        // On the print a pixel is at most a tenth of the smallest field that is worth looking at, so that equal corners
        // mean an even pixel except at the very tip of a corner; there the error is below one grey level.
        corners.iter().all(|ray| is_off(*ray)) || corners.iter().all(|ray| !is_off(*ray))
    }
}

/// Smooth grey shapes, about a twelfth of the picture wide, different for every picture.
fn background(x: usize, y: usize, width: usize, seed: u64) -> f32 {
    let cell = width as f32 / 12.0;
    let (u, v) = (x as f32 / cell, y as f32 / cell);
    let value = |column: u32, row: u32| (hash(seed ^ 0x626b, u64::from(column) << 32 | u64::from(row)) & 0xff) as f32;
    let (column, row) = (u as u32, v as u32);
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (a, b) = (smooth(u - column as f32), smooth(v - row as f32));
    let above = value(column, row) * (1.0 - a) + value(column + 1, row) * a;
    let below = value(column, row + 1) * (1.0 - a) + value(column + 1, row + 1) * a;
    40.0 + 0.6 * (above * (1.0 - b) + below * b)
}

/// Gaussian blur, first along rows, then along columns; the border repeats.
fn blur(light: &mut Vec<f32>, width: usize, sigma_px: f64) {
    if sigma_px <= 0.0 {
        return;
    }
    let reach = (3.0 * sigma_px).ceil() as i64;
    let weights: Vec<f32> =
        (-reach..=reach).map(|d| (-(d * d) as f64 / (2.0 * sigma_px * sigma_px)).exp() as f32).collect();
    let sum: f32 = weights.iter().sum();
    let height = light.len() / width;
    for (step, length) in [(1, width), (width, height)] {
        let source = std::mem::take(light);
        let blurred = |index: usize| {
            let position = (index / step % length) as i64;
            let base = index as i64 - position * step as i64;
            let at =
                |offset: i64| source[(base + (position + offset).clamp(0, length as i64 - 1) * step as i64) as usize];
            weights.iter().zip(-reach..=reach).map(|(weight, offset)| weight * at(offset)).sum::<f32>() / sum
        };
        *light = (0..source.len()).into_par_iter().map(blurred).collect();
    }
}
