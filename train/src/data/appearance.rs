//! What the networks see of a sample: its frames with their appearance changed, as published or more strongly.
//!
//! The loss compares the frames as they are; only the input changes. The published jitter is that of
//! [`super::augmentation`]. Where footage is short, a network of any size learns by heart what stands in it (a dark
//! rough surface is a hedge four metres away) and carries that to places where it does not hold.
//! [`Augmentation::Strong`] takes that road away: brightness, contrast, saturation and gamma in wide ranges, blur,
//! sensor noise and rectangles of one gray leave shape and place in the picture to learn from. The ranges are those
//! that were measured (docs/measurements/kitti_windows.md): tone curves that are not monotonic and painted shadows were
//! tried too and did harm.

use std::borrow::Cow;

use image::imageops::blur;
use image::{Rgb, RgbImage};
use rand::RngExt as _;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::augmentation::ColorChange;

/// How much the networks' input is altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Augmentation {
    /// Brightness, contrast, saturation and hue by little, every other time, as published.
    #[default]
    Published,
    /// By much, always; with gamma, blur, noise and holes: for minutes of footage rather than hours.
    Strong,
}

impl Augmentation {
    /// Whether the published choice holds.
    #[must_use]
    pub fn is_published(&self) -> bool {
        *self == Self::Published
    }
}

/// Brightness, contrast and saturation are drawn from 1 ± this.
const SPREAD: f32 = 0.7;
/// The logarithm of gamma is drawn from ± this: 0.33 to 3.
const GAMMA: f64 = 1.1;
/// Widest blur, pixels (standard deviation of the Gaussian); half of the samples have some.
const BLUR_PX: f32 = 1.5;
/// Strongest noise, standard deviation in 8-bit steps; half of the samples have some.
const NOISE: f64 = 15.0;
/// Most holes; each is there every other time.
const HOLES: usize = 4;
/// Sides of holes: from this, pixels, to a quarter of the picture's.
const SMALLEST_HOLE: u32 = 4;

/// How the frames of one sample are changed.
#[derive(Debug, Clone)]
pub struct Appearance {
    color: ColorChange,
    strong: Option<Strong>,
}

/// What the published jitter does not do.
#[derive(Debug, Clone)]
struct Strong {
    /// By the 8-bit value.
    tone: [u8; 256],
    blur_px: Option<f32>,
    noise: Option<f64>,
}

impl Appearance {
    /// Frames as they are.
    #[must_use]
    pub fn unchanged() -> Self {
        Self { color: ColorChange::none(), strong: None }
    }

    /// A random appearance; `picture` gives the mean brightness that contrast is about.
    pub fn random(augmentation: Augmentation, picture: &RgbImage, random: &mut impl rand::Rng) -> Self {
        match augmentation {
            Augmentation::Published => Self { color: ColorChange::random(picture, random), strong: None },
            Augmentation::Strong => {
                let color = ColorChange::jittered(picture, 1.0, SPREAD, random);
                Self { color, strong: Some(Strong::random(random)) }
            }
        }
    }

    /// The change of colour that comes last.
    #[must_use]
    pub fn color(&self) -> &ColorChange {
        &self.color
    }

    /// A frame before the change of colour; noise differs from frame to frame.
    pub fn of<'a>(&self, frame: &'a RgbImage, random: &mut impl rand::Rng) -> Cow<'a, RgbImage> {
        match &self.strong {
            None => Cow::Borrowed(frame),
            Some(strong) => Cow::Owned(strong.of(frame, random)),
        }
    }

    /// The same with holes: what the depth network sees.
    pub fn with_holes<'a>(&self, frame: &'a RgbImage, random: &mut impl rand::Rng) -> Cow<'a, RgbImage> {
        let mut seen = self.of(frame, random);
        if self.strong.is_some() {
            for _ in 0..HOLES {
                if random.random_bool(0.5) {
                    make_hole(seen.to_mut(), random);
                }
            }
        }
        seen
    }
}

impl Strong {
    fn random(random: &mut impl rand::Rng) -> Self {
        let gamma = random.random_range(-GAMMA..GAMMA).exp();
        let tone = std::array::from_fn(|value| (255.0 * (value as f64 / 255.0).powf(gamma)).round() as u8);
        let blur_px = random.random_bool(0.5).then(|| random.random_range(0.1..BLUR_PX));
        let noise = random.random_bool(0.5).then(|| random.random_range(0.0..NOISE));
        Self { tone, blur_px, noise }
    }

    fn of(&self, frame: &RgbImage, random: &mut impl rand::Rng) -> RgbImage {
        let mut seen = frame.clone();
        seen.iter_mut().for_each(|value| *value = self.tone[usize::from(*value)]);
        if let Some(deviation) = self.blur_px {
            seen = blur(&seen, deviation);
        }
        if let Some(deviation) = self.noise {
            for pixel in seen.pixels_mut() {
                let noise = deviation * random.sample::<f64, _>(StandardNormal);
                pixel.0 = pixel.0.map(|value| (f64::from(value) + noise).round().clamp(0.0, 255.0) as u8);
            }
        }
        seen
    }
}

fn make_hole(picture: &mut RgbImage, random: &mut impl rand::Rng) {
    let (width, height) = picture.dimensions();
    let mut side = |of: u32| random.random_range(SMALLEST_HOLE..=(of / 4).max(SMALLEST_HOLE)).min(of);
    let (across, down) = (side(width), side(height));
    let (left, top) = (random.random_range(0..=width - across), random.random_range(0..=height - down));
    let gray = Rgb([random.random(); 3]);
    for (x, y) in (top..top + down).flat_map(|y| (left..left + across).map(move |x| (x, y))) {
        picture.put_pixel(x, y, gray);
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::{Purpose, random};
    use super::*;

    fn frame() -> RgbImage {
        RgbImage::from_fn(32, 24, |x, y| Rgb([(x * 7 + y) as u8; 3]))
    }

    fn seen(augmentation: Augmentation, place: u64) -> (Appearance, RgbImage, RgbImage) {
        let mut random = random(3, Purpose::Augmentation, place);
        let appearance = Appearance::random(augmentation, &frame(), &mut random);
        let target = appearance.with_holes(&frame(), &mut random).into_owned();
        let source = appearance.of(&frame(), &mut random).into_owned();
        (appearance, target, source)
    }

    #[test]
    fn the_published_choice_changes_colour_alone() {
        for place in 0..20 {
            let (appearance, target, source) = seen(Augmentation::Published, place);
            assert!(target == frame() && source == frame());
            let mut random = random(3, Purpose::Augmentation, place);
            assert_eq!(*appearance.color(), ColorChange::random(&frame(), &mut random));
        }
    }

    #[test]
    fn strong_changes_are_a_function_of_the_place_and_differ_from_place_to_place() {
        let pictures: Vec<RgbImage> = (0..20).map(|place| seen(Augmentation::Strong, place).1).collect();
        for (place, picture) in pictures.iter().enumerate() {
            assert_eq!(*picture, seen(Augmentation::Strong, place as u64).1);
            assert!(*picture != frame() && (place == 0 || *picture != pictures[place - 1]));
        }
    }

    #[test]
    fn strong_changes_keep_gray_gray_and_brighter_brighter() {
        for place in 0..40 {
            let (appearance, target, _) = seen(Augmentation::Strong, place);
            assert!(target.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
            let tone = appearance.strong.unwrap().tone;
            assert!(tone.is_sorted() && tone[0] == 0 && tone[255] == 255);
        }
    }

    #[test]
    fn neighbours_without_noise_look_alike_but_for_the_holes_of_the_target() {
        let mut holes = 0;
        for place in 0..60 {
            let (appearance, target, source) = seen(Augmentation::Strong, place);
            if appearance.strong.is_some_and(|strong| strong.noise.is_none()) {
                let differ = target.pixels().zip(source.pixels()).filter(|(a, b)| a != b).count();
                // Four holes of a quarter of each side at most.
                assert!(differ <= 4 * (32 / 4) * (24 / 4), "{differ}");
                holes += usize::from(differ > 0);
            }
        }
        assert!(holes > 10, "{holes} of about 30 have holes");
    }
}
