//! Random crops: a window of the frame at full resolution, the principal point moved along.
//!
//! One place is drawn for a sample and shared by its sources, so that rectified rows stay rows and a point far away stays
//! where it was. The camera of a crop is the frame's with `cx − left` and `cy − top`.
//!
//! As published, sources are cut to the same window, and what moves out of it between two frames teaches nothing. Near things
//! move far: a narrow window would learn from distant ones alone. [`CropSources::Around`] reads the sources in a larger window
//! about the target's.

use image::RgbImage;
use parallax_core::camera::Intrinsics;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::augmentation::Mirroring;
use super::zoom::Zoom;

/// The window's size, and what it is cut from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropConfig {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
    /// What it is cut from.
    pub from: FrameSize,
    /// What the sources of a window show.
    #[serde(default, skip_serializing_if = "CropSources::is_window")]
    pub sources: CropSources,
    /// Frames are enlarged by 1 to this before windows are cut from them, see [`super::zoom`]; none: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoom: Option<f64>,
}

/// What the sources of a window show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropSources {
    /// The same window, as published.
    #[default]
    Window,
    /// Twice its width and height about it, as far as the frame reaches.
    Around,
}

impl CropSources {
    /// Whether the published choice holds.
    #[must_use]
    pub fn is_window(&self) -> bool {
        *self == Self::Window
    }
}

/// Sides of what sources show in sides of the window: half a window more to either side holds what moves in or out of it
/// between neighbouring frames, unless it moves by half the window.
const AROUND: usize = 2;

impl CropConfig {
    /// The size at which sources are read, where it is not the window's; `frame` is the smallest size of a frame.
    #[must_use]
    pub fn around(&self, frame: (usize, usize)) -> Option<(usize, usize)> {
        let size = ((AROUND * self.width).min(frame.0), (AROUND * self.height).min(frame.1));
        (self.sources == CropSources::Around && size != (self.width, self.height)).then_some(size)
    }
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

/// How a sample's picture was made from its frame: enlarged, cut out, then perhaps mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Which of the run's cameras took the frame, see [`super::Footage::camera_number`].
    pub camera: usize,
    /// How the frame was enlarged.
    pub zoom: Zoom,
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
        let frame = self.zoom.camera(frame);
        let cut = Intrinsics { cx: frame.cx - self.left as f64, cy: frame.cy - self.top as f64, ..frame };
        self.mirroring.camera(cut, self.width)
    }

    /// The cut of this size about this one, moved to lie within the frame.
    #[must_use]
    pub fn about(&self, (width, height): (usize, usize)) -> Self {
        let frame = self.zoom.to;
        let first = |own: usize, side: usize, larger: usize, frame: usize| {
            own.saturating_sub((larger - side) / 2).min(frame - larger)
        };
        let left = first(self.left, self.width, width, frame.0);
        Self { left, top: first(self.top, self.height, height, frame.1), width, height, ..*self }
    }

    /// Column and row at which a larger cut that holds this one shows its first pixel.
    #[must_use]
    pub fn place_in(&self, larger: &Self) -> [f32; 2] {
        let before = self.left - larger.left;
        let column = match self.mirroring {
            Mirroring::No => before,
            Mirroring::Yes => larger.width - self.width - before,
        };
        [column as f32, (self.top - larger.top) as f32]
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

    /// A map of the enlarged frame, cut and mirrored as the picture is, appended to `values`.
    pub fn append_map(&self, map: &[f32], values: &mut Vec<f32>) {
        for row in map.chunks_exact(self.zoom.to.0).skip(self.top).take(self.height) {
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

    const VIEW: View =
        View { camera: 0, zoom: Zoom::none((10, 5)), left: 3, top: 1, width: 4, height: 2, mirroring: Mirroring::Yes };

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
    fn what_a_window_shows_lies_at_its_place_in_the_cut_around_it() {
        let frame = RgbImage::from_fn(20, 9, |x, y| Rgb([(20 * y + x) as u8; 3]));
        let planes = |view: &View| {
            let mut planes = Vec::new();
            super::super::augmentation::append_planes(&view.cut(frame.clone()), view.mirroring, &mut planes);
            planes
        };
        // In the middle, and where the frame ends before the cut around the window would.
        for (left, top) in [(7, 3), (0, 0), (16, 7), (1, 6)] {
            for mirroring in [Mirroring::No, Mirroring::Yes] {
                let window = View { zoom: Zoom::none((20, 9)), left, top, mirroring, ..VIEW };
                let around = window.about((8, 4));
                let [column, row] = window.place_in(&around).map(|place| place as usize);
                let (inner, outer) = (planes(&window), planes(&around));
                for (x, y) in (0..4).flat_map(|x| (0..2).map(move |y| (x, y))) {
                    assert_eq!(inner[y * 4 + x], outer[(row + y) * 8 + column + x], "{left} {top} {mirroring:?}");
                }
            }
        }
    }

    #[test]
    fn sources_reach_twice_as_far_as_the_window_and_no_farther_than_the_frame() {
        let crop = |sources| CropConfig { width: 96, height: 96, from: FrameSize::Network, sources, zoom: None };
        assert_eq!(crop(CropSources::Around).around((320, 128)), Some((192, 128)));
        assert_eq!(crop(CropSources::Around).around((96, 96)), None);
        assert_eq!(crop(CropSources::Window).around((320, 128)), None);
    }

    #[test]
    fn pictures_and_maps_are_cut_alike() {
        let frame = RgbImage::from_fn(10, 5, |x, y| Rgb([(10 * y + x) as u8; 3]));
        let map: Vec<f32> = (0..50).map(|i| i as f32).collect();
        let (mut planes, mut values) = (Vec::new(), Vec::new());
        super::super::augmentation::append_planes(&VIEW.cut(frame), VIEW.mirroring, &mut planes);
        VIEW.append_map(&map, &mut values);
        assert_eq!(values, [16.0, 15.0, 14.0, 13.0, 26.0, 25.0, 24.0, 23.0]);
        for (plane, value) in planes.iter().zip(&values) {
            assert!((plane * 255.0 - value).abs() < 1e-3);
        }
    }
}
