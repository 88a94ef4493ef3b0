//! Places where two dark and two light sectors meet: the corners of a board, and some that are none.
//!
//! Reference: Bennett and Lasenby, *ChESS*, CVIU 2014, by the crate `chess-corners`.

use chess_corners::{Detector, DetectorConfig, UpscaleConfig};
use image::GrayImage;
use nalgebra::{Point2, Vector2};

/// A place where four sectors meet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Junction {
    pub(super) pixel: Point2<f64>,
    /// Unit vectors along its four edges, each clockwise of the one before (y points down). The sectors from edge 0 to 1
    /// and from 2 to 3 are dark.
    pub(super) edges: [Vector2<f64>; 4],
}

/// At which size a picture is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// As it is: sharp corners of squares from about 10 pixels on.
    Full,
    /// Half: corners that blur or defocus has widened.
    Half,
    /// Enlarged twice: squares of 6 to 12 pixels.
    Double,
}

impl Scale {
    /// In the order in which they are tried.
    pub(super) const ALL: [Self; 3] = [Self::Full, Self::Half, Self::Double];
}

pub(super) fn find(picture: &GrayImage, scale: Scale) -> Vec<Junction> {
    match scale {
        Scale::Full => search(picture, UpscaleConfig::Disabled),
        Scale::Double => search(picture, UpscaleConfig::Fixed(2)),
        Scale::Half => {
            let mut found = search(&halved(picture), UpscaleConfig::Disabled);
            for junction in &mut found {
                junction.pixel = Point2::from(junction.pixel.coords * 2.0 + Vector2::new(0.5, 0.5));
            }
            found
        }
    }
}

/// A corner is looked for on a ring of radius 5 around a pixel; the crate panics where a picture has no room for one.
const LEAST_SIDE_PX: u32 = 11;

fn search(picture: &GrayImage, upscale: UpscaleConfig) -> Vec<Junction> {
    if picture.width().min(picture.height()) < LEAST_SIDE_PX {
        return Vec::new();
    }
    // 15 is half the crate's floor: dim boards count, and false junctions fall out at the next step.
    let config = DetectorConfig::chess().with_threshold(15.0).with_upscale(upscale);
    let found = Detector::new(config)
        .and_then(|mut detector| detector.detect_u8(picture.as_raw(), picture.width(), picture.height()));
    let junction = |corner: chess_corners::CornerDescriptor| {
        let [first, second] = corner.axes?.map(|axis| {
            let (sin, cos) = f64::from(axis.angle).sin_cos();
            Vector2::new(cos, sin)
        });
        let pixel = Point2::new(f64::from(corner.x), f64::from(corner.y));
        Some(Junction { pixel, edges: [first, second, -first, -second] })
    };
    match found {
        Ok(corners) => corners.into_iter().filter_map(junction).collect(),
        Err(error) => {
            tracing::debug!("no corners: {error}");
            Vec::new()
        }
    }
}

/// The mean of each 2×2 pixels; pixel (x, y) has its centre at (2x + ½, 2y + ½) of the whole picture.
fn halved(picture: &GrayImage) -> GrayImage {
    GrayImage::from_fn(picture.width() / 2, picture.height() / 2, |x, y| {
        let at = |dx, dy| u16::from(picture.get_pixel(2 * x + dx, 2 * y + dy).0[0]);
        image::Luma([((at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4) as u8])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_any_size_is_searched() {
        let sides = [0, 1, 2, 4, 9, 10, 11, 12, 20, 21, 22, 25, 70];
        for (width, height) in sides.iter().flat_map(|&width| sides.map(|height| (width, height))) {
            let board = GrayImage::from_fn(width, height, |x, y| image::Luma([255 * ((x / 10 + y / 10) % 2) as u8]));
            for scale in Scale::ALL {
                let found = find(&board, scale);
                assert!(width.min(height) >= LEAST_SIDE_PX || found.is_empty(), "{width}x{height}, {scale:?}");
            }
        }
    }
}
