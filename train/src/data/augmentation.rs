//! Mirroring and colour jitter, as Monodepth2 was trained with.
//!
//! Mirroring changes the scene: image, camera and the direction of a stereo baseline are mirrored together. Colour jitter
//! changes only what the networks see, alike for all frames of a sample; the loss compares the frames as they are.
//!
//! Jitter factors are drawn from 1 ± 0.2 for brightness, contrast and saturation and ± 0.1 turns for hue, with probability ½
//! (Godard et al., ICCV 2019, section 4). All four are linear in the colour, so they are one matrix and one offset.

use image::RgbImage;
use nalgebra::{Matrix3, Vector3};
use parallax_core::camera::Intrinsics;
use parallax_core::model_input::ModelInput;
use rand::RngExt as _;

/// Whether a sample is shown mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirroring {
    /// As it was taken.
    No,
    /// Left and right exchanged.
    Yes,
}

impl Mirroring {
    /// The camera of the mirrored images.
    #[must_use]
    pub fn camera(self, intrinsics: Intrinsics, width: usize) -> Intrinsics {
        match self {
            Self::No => intrinsics,
            Self::Yes => Intrinsics { cx: (width - 1) as f64 - intrinsics.cx, ..intrinsics },
        }
    }
}

/// A change of colour: `matrix · rgb + offset`, values in 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColorChange {
    matrix: Matrix3<f32>,
    offset: Vector3<f32>,
}

/// Brightness as the eye weighs the colours (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

impl ColorChange {
    /// No change.
    #[must_use]
    pub fn none() -> Self {
        Self { matrix: Matrix3::identity(), offset: Vector3::zeros() }
    }

    /// A random change as depth is trained with; `picture` gives the mean brightness that contrast is about.
    pub fn random(picture: &RgbImage, random: &mut impl rand::Rng) -> Self {
        Self::jittered(picture, 0.5, 0.2, random)
    }

    /// With some probability a random change: factors from 1 ± `spread` for brightness, contrast and saturation, ± 0.1 turns
    /// for hue.
    pub fn jittered(picture: &RgbImage, probability: f64, spread: f32, random: &mut impl rand::Rng) -> Self {
        if random.random_bool(1.0 - probability) {
            return Self::none();
        }
        let mut factor = || random.random_range(1.0 - spread..1.0 + spread);
        let (brightness, contrast, saturation) = (factor(), factor(), factor());
        let turns = random.random_range(-0.1..0.1_f32);
        let matrix = hue(turns) * saturate(saturation) * (brightness * contrast);
        let offset = (1.0 - contrast) * brightness * mean_luma(picture);
        Self { matrix, offset: Vector3::repeat(offset) }
    }

    /// The same change followed by taking all colour out.
    #[must_use]
    pub fn in_gray(self) -> Self {
        let gray = saturate(0.0);
        Self { matrix: gray * self.matrix, offset: gray * self.offset }
    }

    fn apply(&self, rgb: [u8; 3]) -> Vector3<f32> {
        let color = Vector3::from(rgb.map(|value| f32::from(value) / 255.0));
        (self.matrix * color + self.offset).map(|value| value.clamp(0.0, 1.0))
    }
}

fn mean_luma(picture: &RgbImage) -> f32 {
    let sum: u64 =
        picture.pixels().map(|p| u64::from(p[0]) * 299 + u64::from(p[1]) * 587 + u64::from(p[2]) * 114).sum();
    sum as f32 / (255_000.0 * (picture.width() * picture.height()).max(1) as f32)
}

/// Towards gray (factor below 1) or away from it.
fn saturate(factor: f32) -> Matrix3<f32> {
    Matrix3::from_fn(|row, column| f32::from(u8::from(row == column)) * factor + (1.0 - factor) * LUMA[column])
}

/// Rotation about the gray axis.
fn hue(turns: f32) -> Matrix3<f32> {
    let gray_axis = nalgebra::Unit::new_normalize(Vector3::repeat(1.0));
    nalgebra::Rotation3::from_axis_angle(&gray_axis, turns * std::f32::consts::TAU).into_inner()
}

/// A picture as planes of values in 0..1, `[3, height, width]`, appended to `planes`.
pub fn append_planes(picture: &RgbImage, mirroring: Mirroring, planes: &mut Vec<f32>) {
    let value: [f32; 256] = std::array::from_fn(|byte| byte as f32 / 255.0);
    append(picture, mirroring, planes, |pixel| pixel.map(|byte| value[usize::from(byte)]));
}

/// A picture as a network sees it, jittered, `[3, height, width]`, appended to `planes`.
pub fn append_input(
    picture: &RgbImage,
    mirroring: Mirroring,
    color: &ColorChange,
    input: &ModelInput,
    planes: &mut Vec<f32>,
) {
    let from = [0, 1, 2].map(|channel| input.channels.of_picture(channel));
    if *color == ColorChange::none() {
        // The very numbers that the board computes.
        let tables = [0, 1, 2].map(|channel| input.table(channel));
        append(picture, mirroring, planes, |pixel| {
            [0, 1, 2].map(|channel: usize| tables[channel][usize::from(pixel[from[channel]])])
        });
        return;
    }
    append(picture, mirroring, planes, |pixel| {
        let changed = color.apply(pixel);
        [0, 1, 2].map(|channel: usize| (changed[from[channel]] - input.mean[channel]) / input.std[channel])
    });
}

fn append(picture: &RgbImage, mirroring: Mirroring, planes: &mut Vec<f32>, value: impl Fn([u8; 3]) -> [f32; 3]) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (start, plane) = (planes.len(), width * height);
    planes.resize(start + 3 * plane, 0.0);
    let target = &mut planes[start..];
    for (y, row) in picture.as_raw().chunks_exact(3 * width).enumerate() {
        for (x, pixel) in row.chunks_exact(3).enumerate() {
            let x = if mirroring == Mirroring::Yes { width - 1 - x } else { x };
            let values = value([pixel[0], pixel[1], pixel[2]]);
            for channel in 0..3 {
                target[channel * plane + y * width + x] = values[channel];
            }
        }
    }
}

/// Means over blocks of `factor` × `factor` pixels.
///
/// # Shapes
/// - `planes`: `[n, height, width]`; the result is `[n, height / factor, width / factor]`
#[must_use]
pub fn shrink(planes: &[f32], width: usize, factor: usize) -> Vec<f32> {
    if factor == 1 {
        return planes.to_vec();
    }
    let small = width / factor;
    let scale = 1.0 / (factor * factor) as f32;
    planes
        .chunks_exact(width * factor)
        .flat_map(|rows| {
            (0..small).map(move |x| {
                let block = rows.chunks_exact(width).map(|row| row[x * factor..(x + 1) * factor].iter().sum::<f32>());
                block.sum::<f32>() * scale
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use parallax_core::camera::Camera;

    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(4, 2, |x, y| Rgb([x as u8 * 60, y as u8 * 200, 30]))
    }

    #[test]
    fn a_mirrored_point_is_seen_by_the_mirrored_camera_where_the_mirrored_image_shows_it() {
        let intrinsics = Intrinsics { fx: 100.0, fy: 100.0, cx: 40.0, cy: 30.0 };
        let seen = |intrinsics: Intrinsics, x: f64| {
            Camera::pinhole("left", 128, 64, intrinsics).project(&nalgebra::Point3::new(x, 0.2, 3.0)).unwrap().x
        };
        let mirrored = Mirroring::Yes.camera(intrinsics, 128);
        assert!((seen(mirrored, -0.4) - (127.0 - seen(intrinsics, 0.4))).abs() < 1e-9);
    }

    #[test]
    fn mirroring_twice_changes_nothing() {
        let (mut once, mut plain) = (Vec::new(), Vec::new());
        append_planes(&image::imageops::flip_horizontal(&picture()), Mirroring::Yes, &mut once);
        append_planes(&picture(), Mirroring::No, &mut plain);
        assert_eq!(once, plain);
    }

    #[test]
    fn without_jitter_the_network_sees_what_the_board_will() {
        let input = ModelInput::imagenet(4, 2);
        let (mut ours, mut board) = (Vec::new(), vec![0.0; 24]);
        append_input(&picture(), Mirroring::No, &ColorChange::none(), &input, &mut ours);
        input.prepare(&picture(), &mut board);
        assert_eq!(ours, board);
    }

    #[test]
    fn jitter_keeps_gray_gray() {
        let gray = RgbImage::from_pixel(4, 4, Rgb([90; 3]));
        for place in 0..20 {
            let mut random = crate::data::order::random(1, crate::data::order::Purpose::Augmentation, place);
            let changed = ColorChange::random(&gray, &mut random).apply([90; 3]);
            assert!((changed.max() - changed.min()).abs() < 1e-5 && (0.2..0.5).contains(&changed.x));
        }
    }

    #[test]
    fn shrinking_keeps_the_mean() {
        let planes: Vec<f32> = (0..2 * 8 * 8).map(|i| i as f32).collect();
        let small = shrink(&planes, 8, 4);
        assert_eq!(small.len(), 8);
        assert!((small.iter().sum::<f32>() / 8.0 - 63.5).abs() < 1e-4);
    }
}
