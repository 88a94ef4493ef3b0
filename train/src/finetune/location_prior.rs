//! The location prior: what can be known about a pixel's class without looking at the picture.
//!
//! For every place of the frame, the class that the training labels show most often around it: counts per class and
//! pixel, blurred with a Gaussian, then the largest. A network that does not beat it has learned nothing from pictures.

use parallax_core::labels::LabelMap;

/// Standard deviation of the blur, as a part of the frame's width: about the size of a small object. With 16 pictures
/// a narrower one copies single pictures, a much wider one loses the horizon.
const BLUR_OF_WIDTH: f32 = 1.0 / 40.0;

/// The class expected at each pixel, of the size of the given maps, from labels alone.
///
/// # Panics
/// When `truths` is empty or its maps differ in size.
pub fn location_prior(truths: &[LabelMap], classes: usize) -> LabelMap {
    let (width, height) = (truths[0].width as usize, truths[0].height as usize);
    let kernel = gaussian(BLUR_OF_WIDTH * width as f32);
    let mut best = vec![f32::NEG_INFINITY; width * height];
    let mut indices = vec![0_u8; width * height];
    for class in 0..classes as u8 {
        let counts = blurred(&counts(truths, class, width * height), width, &kernel);
        for (at, &count) in counts.iter().enumerate() {
            if count > best[at] {
                (best[at], indices[at]) = (count, class);
            }
        }
    }
    LabelMap { width: width as u32, height: height as u32, indices }
}

fn counts(truths: &[LabelMap], class: u8, pixels: usize) -> Vec<f32> {
    let mut counts = vec![0.0; pixels];
    for truth in truths {
        assert_eq!(truth.indices.len(), pixels, "label maps of one size");
        for (count, &index) in counts.iter_mut().zip(&truth.indices) {
            *count += f32::from(u8::from(index == class));
        }
    }
    counts
}

/// Half of a Gaussian up to three standard deviations, its middle first.
fn gaussian(sigma: f32) -> Vec<f32> {
    let sigma = sigma.max(0.1);
    (0..=(3.0 * sigma).ceil() as i32).map(|at| (-0.5 * (at as f32 / sigma).powi(2)).exp()).collect()
}

/// Rows, then columns. Outside the frame there is nothing, for every class alike, so the largest stays the largest.
fn blurred(values: &[f32], width: usize, kernel: &[f32]) -> Vec<f32> {
    let height = values.len() / width;
    let along = |values: &[f32], length: usize, stride: usize, start: usize, at: usize| -> f32 {
        let reach = kernel.len() - 1;
        (at.saturating_sub(reach)..=(at + reach).min(length - 1))
            .map(|other| kernel[at.abs_diff(other)] * values[start + other * stride])
            .sum()
    };
    let rows: Vec<f32> =
        (0..values.len()).map(|place| along(values, width, 1, place - place % width, place % width)).collect();
    (0..values.len()).map(|place| along(&rows, height, width, place % width, place / width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_core::labels::IGNORE;

    fn map(width: u32, height: u32, class: impl Fn(u32, u32) -> u8) -> LabelMap {
        let indices = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| class(x, y)).collect();
        LabelMap { width, height, indices }
    }

    #[test]
    fn sky_above_and_road_below_come_back_as_they_are() {
        let truth = map(40, 20, |_, y| u8::from(y >= 10));
        assert_eq!(location_prior(&[truth.clone(), truth.clone()], 2), truth);
    }

    #[test]
    fn the_majority_of_the_pictures_decides() {
        let (one, other) = (map(40, 20, |_, _| 1), map(40, 20, |_, _| 2));
        assert_eq!(location_prior(&[one.clone(), other.clone(), one.clone()], 3), one);
    }

    #[test]
    fn a_pixel_that_is_ignored_everywhere_takes_its_neighbours_class() {
        let truth = map(80, 20, |x, _| if x == 30 { IGNORE } else { 1 });
        assert_eq!(location_prior(&[truth], 2), map(80, 20, |_, _| 1));
    }
}
