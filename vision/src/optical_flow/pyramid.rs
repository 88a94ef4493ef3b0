//! A picture's brightness at halving sizes, for motions larger than a window.
//!
//! Each level is the one below it smoothed with the binomial filter [1 4 6 4 1]/16 and read at every second pixel, so
//! that pixel `x` of a level is pixel `2x` of the finer one.
//!
//! Reference: Burt, Adelson, *The Laplacian Pyramid as a Compact Image Code*, IEEE Trans. Communications 1983.

use image::RgbImage;

/// Pixels by which each level is continued past its borders: half a tracking window and what bilinear reading adds.
pub(super) const BORDER: usize = super::lucas_kanade::RADIUS + 3;

/// The coarsest level is not lower or narrower than this: below it a window would see the whole picture.
const SMALLEST_SIDE: usize = 20;

/// Halvings at most: a pixel of the coarsest level stands for 8, which with a window of 15 reaches motions of 60.
const MOST_LEVELS: usize = 4;

/// Brightness of a picture, 0 to 255, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct GrayPicture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height × width` values.
    pub values: Vec<f32>,
}

impl GrayPicture {
    /// The luma of a picture, ITU-R BT.601.
    pub fn from_rgb(picture: &RgbImage) -> Self {
        let luma = |rgb: &[u8]| 0.299 * f32::from(rgb[0]) + 0.587 * f32::from(rgb[1]) + 0.114 * f32::from(rgb[2]);
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            values: picture.as_raw().chunks_exact(3).map(luma).collect(),
        }
    }
}

/// A picture at halving sizes, finest first.
#[derive(Clone, Debug)]
pub struct Pyramid {
    pub(super) levels: Vec<Level>,
}

/// One size, continued past its borders by its outermost pixels.
#[derive(Clone, Debug)]
pub(super) struct Level {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Values per stored row: the width and a border on either side.
    pub(super) stride: usize,
    pub(super) values: Vec<f32>,
}

impl Pyramid {
    /// As many levels as the picture's size allows, at most four.
    pub fn new(picture: &GrayPicture) -> Self {
        let mut levels = vec![Level::new(picture.width, picture.height, &picture.values)];
        let mut finer = picture.clone();
        while levels.len() < MOST_LEVELS && finer.width.min(finer.height).div_ceil(2) >= SMALLEST_SIDE {
            finer = halved(&finer);
            levels.push(Level::new(finer.width, finer.height, &finer.values));
        }
        Self { levels }
    }

    /// Width of the picture.
    pub fn width(&self) -> usize {
        self.levels[0].width
    }

    /// Height of the picture.
    pub fn height(&self) -> usize {
        self.levels[0].height
    }
}

impl Level {
    fn new(width: usize, height: usize, values: &[f32]) -> Self {
        let stride = width + 2 * BORDER;
        let mut padded = Vec::with_capacity(stride * (height + 2 * BORDER));
        for row in 0..height + 2 * BORDER {
            let row = row.saturating_sub(BORDER).min(height - 1);
            let line = &values[row * width..][..width];
            padded.extend(std::iter::repeat_n(line[0], BORDER));
            padded.extend_from_slice(line);
            padded.extend(std::iter::repeat_n(line[width - 1], BORDER));
        }
        Self { width, height, stride, values: padded }
    }

    /// The value at a pixel, which may lie up to [`BORDER`] outside.
    pub(super) fn at(&self, x: isize, y: isize) -> f32 {
        let (column, row) = (x + BORDER as isize, y + BORDER as isize);
        self.values[row as usize * self.stride + column as usize]
    }
}

fn halved(picture: &GrayPicture) -> GrayPicture {
    let (width, height) = (picture.width.div_ceil(2), picture.height.div_ceil(2));
    let mut across = Vec::with_capacity(width * picture.height);
    for row in picture.values.chunks_exact(picture.width) {
        let at = |x: usize, offset: usize| row[(2 * x + offset).saturating_sub(2).min(row.len() - 1)];
        across.extend((0..width).map(|x| binomial(|offset| at(x, offset))));
    }
    let mut values = Vec::with_capacity(width * height);
    for y in 0..height {
        let rows: [&[f32]; 5] = std::array::from_fn(|offset| {
            let row = (2 * y + offset).saturating_sub(2).min(picture.height - 1);
            &across[row * width..][..width]
        });
        values.extend((0..width).map(|x| binomial(|offset| rows[offset][x])));
    }
    GrayPicture { width, height, values }
}

fn binomial(at: impl Fn(usize) -> f32) -> f32 {
    (at(0) + at(4) + 4.0 * (at(1) + at(3)) + 6.0 * at(2)) / 16.0
}
