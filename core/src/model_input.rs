//! The one path from a picture to the numbers a network sees, used by training and by the board alike.
//!
//! 1. resize to the network's size (the whole picture, aspect ratio given up), by bilinear filtering that averages when
//!    it shrinks, in 8-bit fixed-point arithmetic, so that every machine gets the same bytes;
//! 2. `(value / 255 - mean) / std` per channel, red, green, blue;
//! 3. channels first: `[3, height, width]`.

use crate::{Error, Result};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
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
    /// Order of the channels.
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
            let table = self.table(channel);
            for (value, pixel) in values.iter_mut().zip(picture.as_raw().chunks_exact(3)) {
                *value = table[usize::from(pixel[channel])];
            }
        }
    }

    /// The normalised value of each of the 256 byte values of a channel.
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

impl std::fmt::Debug for Preparer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preparer").field("input", &self.input).finish_non_exhaustive()
    }
}

/// The resize of the contract, alone: for training, which augments pictures between resizing and normalising.
#[derive(Default)]
pub struct PictureResizer(Resizer);

impl PictureResizer {
    /// `picture` at another size.
    ///
    /// # Panics
    /// When a size is zero.
    pub fn resize(&mut self, picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let mut resized = RgbImage::new(width, height);
        self.resize_into(picture, &mut resized);
        resized
    }

    /// `picture` at the size of `resized`.
    ///
    /// # Panics
    /// When a size is zero.
    pub fn resize_into(&mut self, picture: &RgbImage, resized: &mut RgbImage) {
        let (width, height) = resized.dimensions();
        // Typed, so that only the code for this pixel type is compiled.
        let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.as_raw())
            .expect("an RgbImage holds three bytes a pixel");
        let mut target =
            TypedImage::<U8x3>::from_buffer(width, height, resized).expect("an RgbImage holds three bytes a pixel");
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.0.resize_typed(&source, &mut target, &options).expect("both pictures cover their whole buffers");
    }
}

impl std::fmt::Debug for PictureResizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PictureResizer")
    }
}

/// Nearest neighbour with pixel centres at half: target x reads source `⌊(x + ½) · source / target⌋`.
/// For label maps, masks and depth, whose values must not be mixed. For many pictures keep a [`NearestResizer`].
///
/// # Panics
/// When `values` is not of the source's size.
pub fn resize_nearest<T: Copy>(values: &[T], source: (u32, u32), target: (u32, u32)) -> Vec<T> {
    let mut resized = Vec::new();
    NearestResizer::default().resize_into(values, source, target, &mut resized);
    resized
}

/// [`resize_nearest`] with its table and the caller's memory kept: nothing is allocated once the sizes are known.
#[derive(Clone, Debug, Default)]
pub struct NearestResizer {
    widths: (u32, u32),
    /// The source column of each target column.
    columns: Vec<usize>,
}

impl NearestResizer {
    /// `values`, which fill `source`, at the size `target`.
    ///
    /// # Panics
    /// When `values` is not of the source's size.
    pub fn resize_into<T: Copy>(&mut self, values: &[T], source: (u32, u32), target: (u32, u32), resized: &mut Vec<T>) {
        assert_eq!(values.len(), source.0 as usize * source.1 as usize, "values fill the source");
        resized.clear();
        if source == target {
            resized.extend_from_slice(values);
            return;
        }
        let place = |at: u32, source: u32, target: u32| {
            ((2 * u64::from(at) + 1) * u64::from(source) / (2 * u64::from(target))) as usize
        };
        if self.widths != (source.0, target.0) {
            self.widths = (source.0, target.0);
            self.columns.clear();
            self.columns.extend((0..target.0).map(|x| place(x, source.0, target.0)));
        }
        let (from_width, width) = (source.0 as usize, target.0 as usize);
        let mut last = None;
        for y in 0..target.1 {
            let row = place(y, source.1, target.1);
            if last.replace(row) == Some(row) {
                resized.extend_from_within(resized.len() - width..);
            } else {
                let row = &values[row * from_width..][..from_width];
                resized.extend(self.columns.iter().map(|&column| row[column]));
            }
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
    fn shrinking_averages_so_that_fine_texture_does_not_alias() {
        let stripes = RgbImage::from_fn(64, 64, |x, _| if x % 2 == 0 { Rgb([0; 3]) } else { Rgb([200; 3]) });
        let small = PictureResizer::default().resize(&stripes, 16, 16);
        let inner = small.enumerate_pixels().filter(|(x, ..)| (1..15).contains(x));
        inner.for_each(|(x, y, pixel)| assert!(pixel.0[0].abs_diff(100) <= 4, "{x} {y} {pixel:?}"));
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
    fn nearest_neighbour_takes_the_middle_and_inverts_whole_factors() {
        assert_eq!(resize_nearest(&[1, 2, 3, 4, 5, 6], (6, 1), (2, 1)), [2, 5]);
        let doubled = resize_nearest(&[1, 2, 3, 4], (2, 2), (4, 4));
        assert_eq!(doubled, [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
        assert_eq!(resize_nearest(&doubled, (4, 4), (2, 2)), [1, 2, 3, 4]);
    }

    #[test]
    fn a_kept_resizer_gives_the_same_as_a_fresh_one_whatever_came_before() {
        let (mut kept, mut resized) = (NearestResizer::default(), Vec::new());
        for (source, target) in
            [((4, 3), (9, 7)), ((4, 3), (2, 2)), ((9, 2), (4, 3)), ((4, 3), (4, 9)), ((5, 5), (5, 5))]
        {
            let values: Vec<u32> = (0..source.0 * source.1).collect();
            kept.resize_into(&values, source, target, &mut resized);
            let at = |at: u32, source: u32, target: u32| (2 * at + 1) * source / (2 * target);
            let expected: Vec<u32> = (0..target.0 * target.1)
                .map(|index| (index % target.0, index / target.0))
                .map(|(x, y)| at(y, source.1, target.1) * source.0 + at(x, source.0, target.0))
                .collect();
            assert_eq!(resized, expected, "{source:?} to {target:?}");
        }
    }

    #[test]
    fn a_contract_with_impossible_numbers_is_refused() {
        assert!(ModelInput::imagenet(0, 4).validate().is_err());
        assert!(ModelInput { std: [0.0, 1.0, 1.0], ..ModelInput::imagenet(4, 4) }.validate().is_err());
        assert!(ModelInput::imagenet(4, 4).validate().is_ok());
    }
}
