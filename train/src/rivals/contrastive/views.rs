//! A view: a picture altered so that only what it shows stays.
//!
//! | change | how much | how often |
//! |---|---|---|
//! | crop, brought back to the picture's size | 20 to 100 % of the area, sides stretched by up to 4/3 against each other | always |
//! | brightness, contrast, saturation; hue | ± 40 %; ± 0.1 turns | 80 % |
//! | gray | – | 20 % |
//! | Gaussian blur | σ of 0.1 to 2 pixels in a picture of 224 | 50 % |
//! | mirroring | – | 50 % |
//!
//! Reference: Chen et al., *Improved Baselines with Momentum Contrastive Learning*, 2020 (its "aug+"), whose numbers these
//! are; the blur is scaled with the picture's size, or it would leave nothing of a small one.

use image::RgbImage;
use parallax_core::model_input::{ModelInput, PictureResizer};
use rand::RngExt as _;

use crate::data::augmentation::{ColorChange, Mirroring, append_input};

/// Side of the pictures that the paper's blur is meant for.
const PAPER_SIDE: f32 = 224.0;

/// A random view of a picture as the network sees it, `[3, height, width]`, appended to `planes`.
pub fn append_view(picture: &RgbImage, input: &ModelInput, random: &mut impl rand::Rng, planes: &mut Vec<f32>) {
    let (left, top, width, height) = crop(picture.dimensions(), random);
    let part = image::imageops::crop_imm(picture, left, top, width, height).to_image();
    let mut view = PictureResizer::default().resize(&part, input.width, input.height);
    if random.random_bool(0.5) {
        let side = ((input.width * input.height) as f32).sqrt();
        view = image::imageops::blur(&view, random.random_range(0.1..2.0) * side / PAPER_SIDE);
    }
    let mut color = ColorChange::jittered(&view, 0.8, 0.4, random);
    if random.random_bool(0.2) {
        color = color.in_gray();
    }
    let mirroring = if random.random_bool(0.5) { Mirroring::Yes } else { Mirroring::No };
    append_input(&view, mirroring, &color, input, planes);
}

/// Left, top, width and height of a random part of a picture.
fn crop((width, height): (u32, u32), random: &mut impl rand::Rng) -> (u32, u32, u32, u32) {
    let area: f32 = random.random_range(0.2..1.0);
    let stretch = random.random_range((3.0_f32 / 4.0).ln()..(4.0_f32 / 3.0).ln()).exp().sqrt();
    let side = |whole: u32, part: f32| ((whole as f32 * part).round() as u32).clamp(1, whole);
    let (part_width, part_height) = (side(width, area.sqrt() * stretch), side(height, area.sqrt() / stretch));
    let left = random.random_range(0..=width - part_width);
    let top = random.random_range(0..=height - part_height);
    (left, top, part_width, part_height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::order::{Purpose, random};

    #[test]
    fn crops_lie_inside_and_have_the_stated_areas() {
        let mut random = random(1, Purpose::Augmentation, 0);
        let areas: Vec<f32> = (0..300)
            .map(|_| {
                let (left, top, width, height) = crop((128, 64), &mut random);
                assert!(left + width <= 128 && top + height <= 64);
                (width * height) as f32 / (128.0 * 64.0)
            })
            .collect();
        let (least, most) =
            areas.iter().fold((1.0_f32, 0.0_f32), |(least, most), area| (least.min(*area), most.max(*area)));
        assert!(least > 0.17 && least < 0.3 && most > 0.8, "{least} to {most}");
    }

    #[test]
    fn a_view_depends_on_its_place_alone_and_keeps_the_networks_size() {
        let picture = RgbImage::from_fn(64, 32, |x, y| image::Rgb([x as u8 * 4, y as u8 * 8, (x ^ y) as u8]));
        let input = ModelInput::imagenet(64, 32);
        let view = |place| {
            let mut planes = Vec::new();
            append_view(&picture, &input, &mut random(1, Purpose::Augmentation, place), &mut planes);
            planes
        };
        assert_eq!(view(5).len(), input.len());
        assert_eq!(view(5), view(5));
        assert_ne!(view(5), view(6));
    }
}
