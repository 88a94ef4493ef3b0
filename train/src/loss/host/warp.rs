//! A source frame warped into the target's view, and the way back of its gradient to depth and motion.

use parallax_core::camera::Intrinsics;

use super::Motion;
use crate::geometry::NEAREST_Z;
use crate::loss::photometric::HALF_PIXEL;

/// A pixel's channels side by side; the fourth is 0.
pub(super) type Color = [f32; 4];

/// The pixels of `[3, height, width]` planes: warping reads all channels of a place at once.
pub(super) fn colors(planes: &[f32]) -> Vec<Color> {
    let pixels = planes.len() / 3;
    (0..pixels).map(|pixel| [planes[pixel], planes[pixels + pixel], planes[2 * pixels + pixel], 0.0]).collect()
}

/// A frame to read from.
pub(super) struct SourceFrame {
    colors: Vec<Color>,
    width: usize,
    height: usize,
    /// Column and row at which it shows what its camera sees at the target's first.
    place: [f32; 2],
}

impl SourceFrame {
    /// From `[3, height, width]` planes.
    pub(super) fn new(planes: &[f32], width: usize, place: [f32; 2]) -> Self {
        let colors = colors(planes);
        let height = colors.len() / width;
        Self { colors, width, height, place }
    }
}

/// A warped frame with what its gradient needs, per pixel.
#[derive(Default)]
pub(super) struct Warped {
    /// `[3, height, width]`.
    image: Vec<f32>,
    /// Derivative of the image to the column and row it is read at, `[3, height, width]` each; 0 outside the frame.
    by_u: Vec<f32>,
    by_v: Vec<f32>,
    /// Point in the source camera, up to the inverse depth; z is infinite where the point is behind the camera, so that its
    /// gradient vanishes.
    points: Vec<[f32; 3]>,
    /// Whether the frame holds the place the pixel is read at.
    in_view: Vec<bool>,
    camera: Camera,
    motion: Motion,
    width: usize,
}

#[derive(Clone, Copy, Default)]
struct Camera {
    fx: f32,
    fy: f32,
    cx: f32,
    cy: f32,
}

impl Camera {
    fn ray(&self, column: usize, row: usize) -> [f32; 2] {
        [(column as f32 - self.cx) / self.fx, (row as f32 - self.cy) / self.fy]
    }
}

impl Warped {
    /// Warps `frame` into a target `width` wide.
    pub(super) fn warp(
        &mut self,
        frame: &SourceFrame,
        inverse_depth: &[f32],
        intrinsics: &Intrinsics,
        motion: &Motion,
        width: usize,
    ) {
        let pixels = inverse_depth.len();
        let Intrinsics { fx, fy, cx, cy } = *intrinsics;
        let camera = Camera { fx: fx as f32, fy: fy as f32, cx: cx as f32, cy: cy as f32 };
        (self.camera, self.motion, self.width) = (camera, *motion, width);
        for maps in [&mut self.image, &mut self.by_u, &mut self.by_v] {
            maps.resize(3 * pixels, 0.0);
        }
        self.points.clear();
        self.in_view.clear();
        let holds = |place: f32, size: usize| place >= -HALF_PIXEL && place <= size as f32 - HALF_PIXEL;
        for (row, line) in inverse_depth.chunks_exact(width).enumerate() {
            for (column, q) in line.iter().enumerate() {
                let [rx, ry] = camera.ray(column, row);
                let along = |i: usize| motion[i] * rx + motion[i + 1] * ry + motion[i + 2] + motion[i + 3] * q;
                let (x, y, z) = (along(0), along(4), along(8));
                let in_front = z > NEAREST_Z * q;
                let inverse_z = if in_front { 1.0 / z } else { 1.0 / (NEAREST_Z * q) };
                let u = camera.fx * x * inverse_z + camera.cx + frame.place[0];
                let v = camera.fy * y * inverse_z + camera.cy + frame.place[1];
                self.points.push(if in_front { [x, y, z] } else { [0.0, 0.0, f32::INFINITY] });
                self.in_view.push(holds(u, frame.width) && holds(v, frame.height));
                self.read(frame, row * width + column, u, v);
            }
        }
    }

    /// The warped frame.
    pub(super) fn image(&self) -> &[f32] {
        &self.image
    }

    /// Per pixel.
    pub(super) fn in_view(&self) -> &[bool] {
        &self.in_view
    }

    fn read(&mut self, frame: &SourceFrame, pixel: usize, u: f32, v: f32) {
        let SourceFrame { colors: frame, width, height, .. } = frame;
        let (width, height, pixels) = (*width, *height, self.image.len() / 3);
        let (last_u, last_v) = ((width - 1) as f32, (height - 1) as f32);
        let (inside_u, inside_v) = (u > 0.0 && u < last_u, v > 0.0 && v < last_v);
        let (u, v) = (u.clamp(0.0, last_u), v.clamp(0.0, last_v));
        let (left, top) = ((u as usize).min(width - 2), (v as usize).min(height - 2));
        let (s, t) = (u - left as f32, v - top as f32);
        let (keep_u, keep_v) = (f32::from(u8::from(inside_u)), f32::from(u8::from(inside_v)));
        let corner = top * width + left;
        let (upper_pair, lower_pair) = (&frame[corner..corner + 2], &frame[corner + width..corner + width + 2]);
        let lane = |channel: usize| {
            let (a, b) = (upper_pair[0][channel], upper_pair[1][channel]);
            let (c, d) = (lower_pair[0][channel], lower_pair[1][channel]);
            let (upper, lower) = (a + s * (b - a), c + s * (d - c));
            let by_v = lower - upper;
            [upper + t * by_v, ((b - a) + t * ((d - c) - (b - a))) * keep_u, by_v * keep_v]
        };
        // Four lanes although three are used: one vector instruction each.
        let lanes: [[f32; 3]; 4] = std::array::from_fn(lane);
        for (channel, [value, by_u, by_v]) in lanes.into_iter().take(3).enumerate() {
            let at = channel * pixels + pixel;
            self.image[at] = value;
            self.by_u[at] = by_u;
            self.by_v[at] = by_v;
        }
    }

    /// Takes a gradient of the warped image back: adds to that of the inverse depth, returns that of the motion.
    pub(super) fn pull_back(&self, of_image: &[f32], inverse_depth: &[f32], of_inverse_depth: &mut [f32]) -> [f64; 12] {
        let (pixels, width) = (inverse_depth.len(), self.width);
        let mut total = [0.0_f64; 12];
        for row in 0..pixels / width {
            // Rows are summed in f32, their sums in f64: the same accuracy at half the cost.
            let mut sum = [0.0_f32; 12];
            for column in 0..width {
                let pixel = row * width + column;
                let gradient = |by: &[f32]| {
                    of_image[pixel] * by[pixel]
                        + of_image[pixels + pixel] * by[pixels + pixel]
                        + of_image[2 * pixels + pixel] * by[2 * pixels + pixel]
                };
                let (of_u, of_v) = (gradient(&self.by_u) * self.camera.fx, gradient(&self.by_v) * self.camera.fy);
                let [x, y, z] = self.points[pixel];
                let inverse_z = 1.0 / z;
                let of_point = [of_u * inverse_z, of_v * inverse_z, -(of_u * x + of_v * y) * inverse_z * inverse_z];
                let [rx, ry] = self.camera.ray(column, row);
                let q = inverse_depth[pixel];
                for (i, value) in of_point.into_iter().enumerate() {
                    sum[4 * i] += value * rx;
                    sum[4 * i + 1] += value * ry;
                    sum[4 * i + 2] += value;
                    sum[4 * i + 3] += value * q;
                    of_inverse_depth[pixel] += value * self.motion[4 * i + 3];
                }
            }
            total.iter_mut().zip(sum).for_each(|(total, sum)| *total += f64::from(sum));
        }
        total
    }
}
