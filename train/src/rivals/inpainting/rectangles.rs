//! Which pixels are blanked: random rectangles until enough of the picture is covered.

use rand::RngExt as _;

use super::InpaintingSettings;

/// Whether each pixel is blanked, `[height, width]`.
///
/// Sides are drawn evenly between the shortest and the longest, places evenly over the picture; rectangles may overlap. The
/// last one may cover more than was asked, never all.
pub fn blanked(width: usize, height: usize, settings: &InpaintingSettings, random: &mut impl rand::Rng) -> Vec<bool> {
    let mut blanked = vec![false; width * height];
    let enough = (settings.covered * blanked.len() as f64).ceil() as usize;
    let mut covered = 0;
    while covered < enough {
        let mut side = |whole: usize| {
            let part = random.random_range(settings.shortest..=settings.longest);
            let length = ((part * whole as f64).round() as usize).clamp(1, whole - 1);
            let start = random.random_range(0..=whole - length);
            start..start + length
        };
        let (columns, rows) = (side(width), side(height));
        for row in rows {
            for pixel in &mut blanked[row * width..][columns.clone()] {
                covered += usize::from(!*pixel);
                *pixel = true;
            }
        }
    }
    blanked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::order::{Purpose, random};

    #[test]
    fn the_asked_part_is_covered_and_not_much_more() {
        let settings = InpaintingSettings::default();
        for place in 0..50 {
            let drawn = blanked(128, 64, &settings, &mut random(1, Purpose::Augmentation, place));
            let share = drawn.iter().filter(|blanked| **blanked).count() as f64 / drawn.len() as f64;
            let largest = settings.longest * settings.longest;
            assert!((settings.covered..settings.covered + largest).contains(&share), "{share}");
        }
    }

    #[test]
    fn the_same_place_gets_the_same_rectangles_and_another_place_others() {
        let settings = InpaintingSettings::default();
        let draw = |place| blanked(64, 32, &settings, &mut random(1, Purpose::Augmentation, place));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
