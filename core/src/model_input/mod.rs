//! The one path from a picture to the numbers a network sees, used by training and by the board alike.
//!
//! 1. resize to the network's size (the whole picture, aspect ratio given up), by bilinear filtering that averages when
//!    it shrinks, in 8-bit fixed-point arithmetic, so that every machine gets the same bytes;
//! 2. `(value / 255 - mean) / std` per channel, red, green, blue, or blue, green, red where the network wants that;
//! 3. channels first: `[3, height, width]`.

mod bilinear;
mod nearest;

pub use bilinear::PictureResizer;
pub use nearest::{NearestResizer, resize_nearest};

use crate::{Error, Result};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// What a network expects of its input. Part of every checkpoint and bundle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelInput {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How pictures of another size are brought to it.
    pub resize: Resize,
    /// Order of the channels, in the network's input and in `mean` and `std`.
    pub channels: Channels,
    /// Mean of each channel, for values in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, for values in 0..1.
    pub std: [f32; 3],
}

/// How a picture is brought to the network's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The whole picture, stretched; bilinear, averaging when it shrinks.
    StretchBilinear,
}

/// Order of the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl Channels {
    /// `rgb` or `bgr`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        }
    }

    /// Which channel of a picture, red, green, blue from 0, the network takes as its channel `index`.
    #[must_use]
    pub const fn of_picture(self, index: usize) -> usize {
        match self {
            Self::Rgb => index,
            Self::Bgr => 2 - index,
        }
    }
}

impl ModelInput {
    /// The usual statistics of ImageNet pictures, as torchvision's networks expect them.
    pub const fn imagenet(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            resize: Resize::StretchBilinear,
            channels: Channels::Rgb,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }

    /// Numbers in one prepared picture.
    pub const fn len(&self) -> usize {
        3 * self.width as usize * self.height as usize
    }

    /// Whether the size is zero.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// The size is zero, or a standard deviation is not positive.
    pub fn validate(&self) -> Result<(), String> {
        if self.is_empty() {
            return Err(format!("expected a network input size above zero, found {}x{}", self.width, self.height));
        }
        let finite = self.mean.iter().chain(&self.std).all(|value| value.is_finite());
        if !finite || self.std.iter().any(|&std| std <= 0.0) {
            return Err(format!("expected finite mean and positive std, found {:?} and {:?}", self.mean, self.std));
        }
        Ok(())
    }

    /// Normalises a picture that already has the network's size.
    ///
    /// # Shapes
    /// - `picture`: `height × width` pixels
    /// - `input`: `[3, height, width]`
    ///
    /// # Panics
    /// When `input` or `picture` is not of the network's size.
    pub fn normalize(&self, picture: &RgbImage, input: &mut [f32]) {
        assert_eq!(picture.dimensions(), (self.width, self.height), "the picture has the network's size");
        assert_eq!(input.len(), self.len(), "the input has the network's size");
        let plane = input.len() / 3;
        for (channel, values) in input.chunks_exact_mut(plane).enumerate() {
            let (table, of_picture) = (self.table(channel), self.channels.of_picture(channel));
            for (value, pixel) in values.iter_mut().zip(picture.as_raw().chunks_exact(3)) {
                *value = table[usize::from(pixel[of_picture])];
            }
        }
    }

    /// The normalised value of each of the 256 byte values of a channel of the network's input.
    pub fn table(&self, channel: usize) -> [f32; 256] {
        std::array::from_fn(|byte| (byte as f32 / 255.0 - self.mean[channel]) / self.std[channel])
    }

    /// Resizes and normalises. For many pictures keep a [`Preparer`].
    ///
    /// # Panics
    /// When `input` is not of the network's size.
    pub fn prepare(&self, picture: &RgbImage, input: &mut [f32]) {
        Preparer::new(*self).prepare(picture, input);
    }
}

/// A [`ModelInput`] with the buffers its work needs: nothing is allocated per frame once the camera's size is known.
#[derive(Debug)]
pub struct Preparer {
    input: ModelInput,
    resizer: PictureResizer,
    resized: RgbImage,
}

impl Preparer {
    /// Buffers for one stream of pictures.
    pub fn new(input: ModelInput) -> Self {
        Self { input, resizer: PictureResizer::default(), resized: RgbImage::new(input.width, input.height) }
    }

    /// Resizes and normalises `picture` of any size into `input`, `[3, height, width]`.
    ///
    /// # Panics
    /// When `input` is not of the network's size.
    pub fn prepare(&mut self, picture: &RgbImage, input: &mut [f32]) {
        if picture.dimensions() == (self.input.width, self.input.height) {
            self.input.normalize(picture, input);
        } else {
            self.resizer.resize_into(picture, &mut self.resized);
            self.input.normalize(&self.resized, input);
        }
    }
}

impl From<&ModelInput> for (u32, u32) {
    fn from(input: &ModelInput) -> Self {
        (input.width, input.height)
    }
}

/// Turns a message of [`ModelInput::validate`] into an error that names the file it came from.
pub(crate) fn malformed_input(path: &std::path::Path) -> impl FnOnce(String) -> Error {
    let path = path.to_path_buf();
    move |what| Error::Malformed { what, path, hint: "the input contract is damaged: export or pack the model again" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_picture_of_the_right_size_is_only_normalised() {
        let input = ModelInput::imagenet(2, 1);
        let picture = RgbImage::from_raw(2, 1, vec![0, 128, 255, 255, 0, 64]).unwrap();
        let mut values = vec![0.0; 6];
        input.prepare(&picture, &mut values);
        for (channel, pixel, byte) in [(0, 0, 0.0), (0, 1, 255.0), (1, 0, 128.0), (2, 1, 64.0)] {
            let expected = (byte / 255.0 - input.mean[channel]) / input.std[channel];
            assert!((values[channel * 2 + pixel] - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_network_of_blue_green_red_sees_the_same_picture_with_its_planes_in_reverse() {
        let rgb = ModelInput { mean: [0.1, 0.2, 0.3], std: [0.5, 0.6, 0.7], ..ModelInput::imagenet(2, 1) };
        let bgr = ModelInput { mean: [0.3, 0.2, 0.1], std: [0.7, 0.6, 0.5], channels: Channels::Bgr, ..rgb };
        let picture = RgbImage::from_raw(2, 1, vec![0, 128, 255, 250, 7, 64]).unwrap();
        let (mut planes, mut reversed) = (vec![0.0; 6], vec![0.0; 6]);
        rgb.prepare(&picture, &mut planes);
        bgr.prepare(&picture, &mut reversed);
        let expected: Vec<f32> = planes.chunks_exact(2).rev().flatten().copied().collect();
        assert_eq!(reversed, expected);
        assert_ne!(reversed, planes);
        let written = serde_json::to_string(&bgr).unwrap();
        assert!(written.contains("\"bgr\""), "{written}");
        assert_eq!(serde_json::from_str::<ModelInput>(&written).unwrap(), bgr);
    }

    #[test]
    fn a_preparer_gives_the_same_numbers_as_a_fresh_one() {
        let input = ModelInput::imagenet(8, 6);
        let mut preparer = Preparer::new(input);
        for size in [20u32, 8, 13] {
            let picture = RgbImage::from_fn(size, size, |x, y| Rgb([x as u8 * 9, y as u8 * 7, 50]));
            let (mut kept, mut fresh) = (vec![0.0; input.len()], vec![0.0; input.len()]);
            preparer.prepare(&picture, &mut kept);
            input.prepare(&picture, &mut fresh);
            assert_eq!(kept, fresh);
        }
    }

    #[test]
    fn a_contract_with_impossible_numbers_is_refused() {
        assert!(ModelInput::imagenet(0, 4).validate().is_err());
        assert!(ModelInput { std: [0.0, 1.0, 1.0], ..ModelInput::imagenet(4, 4) }.validate().is_err());
        assert!(ModelInput::imagenet(4, 4).validate().is_ok());
    }
}
