//! Random crops: a window of the frame at full resolution, the principal point moved along.
//!
//! One place is drawn for a sample and shared by its sources, so that rectified rows stay rows and a point far away stays
//! where it was. The camera of a crop is the frame's with `cx − left` and `cy − top`.

use image::RgbImage;
use parallax_core::camera::Intrinsics;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::augmentation::Mirroring;

/// The window's size, and what it is cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropConfig {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
    /// What it is cut from.
    pub from: FrameSize,
}

/// The size at which frames are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameSize {
    /// The size that the networks work at on whole frames.
    #[default]
    Network,
    /// The recording's own.
    Full,
}

/// How a sample's picture was made from its frame: cut out, then perhaps mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Which of the run's cameras took the frame, see [`super::Footage::camera_number`].
    pub camera: usize,
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Width of the cut, pixels.
    pub width: usize,
    /// Height of the cut, pixels.
    pub height: usize,
    /// Whether it is mirrored.
    pub mirroring: Mirroring,
}

impl View {
    /// The camera of the picture, from that of the frame.
    #[must_use]
    pub fn camera(&self, frame: Intrinsics) -> Intrinsics {
        let cut = Intrinsics { cx: frame.cx - self.left as f64, cy: frame.cy - self.top as f64, ..frame };
        self.mirroring.camera(cut, self.width)
    }

    /// The cut of a frame, not mirrored.
    #[must_use]
    pub fn cut(&self, frame: RgbImage) -> RgbImage {
        let [left, top, width, height] = [self.left, self.top, self.width, self.height].map(|value| value as u32);
        if frame.dimensions() == (width, height) {
            return frame;
        }
        image::imageops::crop_imm(&frame, left, top, width, height).to_image()
    }

    /// A map of the frame, `frame_width` values a row, cut and mirrored as the picture is, appended to `values`.
    pub fn append_map(&self, map: &[f32], frame_width: usize, values: &mut Vec<f32>) {
        for row in map.chunks_exact(frame_width).skip(self.top).take(self.height) {
            let row = &row[self.left..self.left + self.width];
            match self.mirroring {
                Mirroring::No => values.extend_from_slice(row),
                Mirroring::Yes => values.extend(row.iter().rev()),
            }
        }
    }
}

/// The first column and row of a window in a frame that is at least as large.
pub fn random_place(frame: (usize, usize), window: (usize, usize), random: &mut impl rand::Rng) -> (usize, usize) {
    (random.random_range(0..=frame.0 - window.0), random.random_range(0..=frame.1 - window.1))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const VIEW: View = View { camera: 0, left: 3, top: 1, width: 4, height: 2, mirroring: Mirroring::Yes };

    #[test]
    fn a_cut_shows_what_its_camera_says() {
        // Columns are rays of a camera: x / z = (u − cx) / fx, and mirrored the other way round.
        let frame = Intrinsics { fx: 10.0, fy: 10.0, cx: 4.5, cy: 2.5 };
        let camera = VIEW.camera(frame);
        for column in 0..4 {
            let in_frame = f64::from(3 + (3 - column));
            let (ray, mirrored) = ((in_frame - frame.cx) / frame.fx, (f64::from(column) - camera.cx) / camera.fx);
            assert!((ray + mirrored).abs() < 1e-12);
        }
        assert!((camera.cy - 1.5).abs() < 1e-12);
    }

    #[test]
    fn pictures_and_maps_are_cut_alike() {
        let frame = RgbImage::from_fn(10, 5, |x, y| Rgb([(10 * y + x) as u8; 3]));
        let map: Vec<f32> = (0..50).map(|i| i as f32).collect();
        let (mut planes, mut values) = (Vec::new(), Vec::new());
        super::super::augmentation::append_planes(&VIEW.cut(frame), VIEW.mirroring, &mut planes);
        VIEW.append_map(&map, 10, &mut values);
        assert_eq!(values, [16.0, 15.0, 14.0, 13.0, 26.0, 25.0, 24.0, 23.0]);
        for (plane, value) in planes.iter().zip(&values) {
            assert!((plane * 255.0 - value).abs() < 1e-3);
        }
    }
}
