//! The worst frames as a sheet of pictures: numbers say how bad, pictures say why.

use burn::module::Module as _;
use image::RgbImage;
use parallax_core::depth::DepthMap;
use parallax_core::recording::Eye;

use super::depth::{DepthEvaluation, FrameError, Predictor, TruePixel, read_inverse, true_pixels, truth};
use super::depth_score::{Pairs, Scaling, scale_of};
use crate::Error;

/// The worst frames of a report as a sheet: frame, predicted depth, truth, and the relative error, white at a half or more.
///
/// # Errors
/// When a frame cannot be read.
pub fn draw_worst(
    predictor: &Predictor<'_>,
    settings: &DepthEvaluation,
    worst: &[FrameError],
) -> Result<RgbImage, Error> {
    let model = predictor.model.valid();
    let predictor = Predictor { model: &model, ..*predictor };
    let mut rows = Vec::new();
    for FrameError { frame, abs_rel, drive, .. } in worst {
        let place = (*drive, *frame);
        let Some(truth) = truth(predictor.footage, place, settings.truth)? else { continue };
        let picture = predictor.footage.frame(*drive, *frame, Eye::Left)?;
        let prediction = predictor.depth(*drive, *frame)?;
        let pixels = true_pixels(predictor.footage, place, settings)?;
        rows.push(vec![
            (format!("frame {frame}: Abs Rel {abs_rel:.3}"), picture),
            ("prediction".to_owned(), parallax_core::picture::depth_in_colors(&prediction)),
            ("truth".to_owned(), parallax_core::picture::depth_in_colors(&truth)),
            ("relative error, white: 0.5 and more".to_owned(), error_map(&prediction, &truth, &pixels, settings)),
        ]);
    }
    let cell = (predictor.footage.width() as u32, predictor.footage.height() as u32);
    Ok(parallax_core::picture::sheet(&rows, cell))
}

/// The relative error at each pixel with truth; gray elsewhere.
fn error_map(prediction: &DepthMap, truth: &DepthMap, pixels: &[TruePixel], settings: &DepthEvaluation) -> RgbImage {
    let depth = |pixel: &TruePixel| read_inverse(prediction, pixel.u, pixel.v) * settings.metres_per_unit;
    let pairs: Pairs = pixels.iter().map(|pixel| [depth(pixel), pixel.metres]).collect();
    let factor = if settings.scaling == Scaling::Median && !pairs.is_empty() { scale_of(&pairs) as f32 } else { 1.0 };
    let mut picture = RgbImage::from_pixel(truth.width, truth.height, image::Rgb([96; 3]));
    for (pixel, [depth, metres]) in pixels.iter().zip(pairs) {
        let (x, y) = ((pixel.u * truth.width as f32) as u32, (pixel.v * truth.height as f32) as u32);
        let error = ((depth * factor).clamp(settings.nearest, settings.farthest) - metres).abs() / metres;
        picture.put_pixel(x, y, image::Rgb(parallax_core::picture::magma(2.0 * error)));
    }
    picture
}
