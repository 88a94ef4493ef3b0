//! What a depth network says of a picture, and how it is looked at.

use burn::tensor::Device;
use image::RgbImage;
use parallax_core::depth::DepthMap;
use parallax_core::picture::depth_in_colors;
use serde::Serialize;

use super::DepthModel;
use super::task::{host_values, tensor};
use crate::loss::depth_from_disparity;

/// What a prediction is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Views {
    /// The picture: what a board does.
    #[default]
    Picture,
    /// The picture and its mirror image, the mean of both disparities: twice the work, and what tells left from right by
    /// chance cancels out. Depth networks are often scored so (Godard et al. 2017, there with other weights at the borders).
    WithMirrored,
}

/// The depth of one normalised picture, in depth units, at the finest disparity's size.
#[must_use]
pub fn predict(model: &DepthModel, input: &[f32], dims: [usize; 4], views: Views, device: &Device) -> DepthMap {
    let picture = tensor(input, dims, device);
    let disparity = match views {
        Views::Picture => model.depth.finest_disparity(picture),
        Views::WithMirrored => {
            let mirrored = model.depth.finest_disparity(picture.clone().flip([3])).flip([3]);
            (model.depth.finest_disparity(picture) + mirrored).div_scalar(2.0)
        }
    };
    let [_, _, height, width] = disparity.dims();
    let metres = host_values(depth_from_disparity(disparity));
    DepthMap { width: width as u32, height: height as u32, metres }
}

/// The frame with its depth in colours, brought to the frame's size, below it.
#[must_use]
pub fn above_its_depth(frame: &RgbImage, depth: &DepthMap) -> RgbImage {
    let (width, height) = frame.dimensions();
    let depth = image::imageops::resize(&depth_in_colors(depth), width, height, image::imageops::FilterType::Nearest);
    let mut picture = RgbImage::new(width, 2 * height);
    image::imageops::replace(&mut picture, frame, 0, 0);
    image::imageops::replace(&mut picture, &depth, 0, i64::from(height));
    picture
}

#[cfg(test)]
mod tests {
    use parallax_models::Network;

    use super::*;

    #[test]
    fn with_its_mirror_image_a_mirrored_picture_has_the_mirrored_depth() {
        const WIDTH: usize = 64;
        let dims = [1, 3, 32, WIDTH];
        let device = Device::flex();
        let model = DepthModel::new(Network::Slim, false, 1, &device);
        let picture: Vec<f32> = (0..3 * 32 * WIDTH).map(|place| (place as f32 * 0.37).sin()).collect();
        let mirror = |values: &[f32], width: usize| -> Vec<f32> {
            values.chunks_exact(width).flat_map(|row| row.iter().rev().copied()).collect()
        };
        let largest_difference = |views| {
            let depth = predict(&model, &picture, dims, views, &device);
            let of_mirrored = predict(&model, &mirror(&picture, WIDTH), dims, views, &device);
            let back = mirror(&of_mirrored.metres, of_mirrored.width as usize);
            depth.metres.iter().zip(back).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f32::max)
        };
        assert!(largest_difference(Views::WithMirrored) < 1e-5);
        assert!(largest_difference(Views::Picture) > 1e-3);
    }
}
