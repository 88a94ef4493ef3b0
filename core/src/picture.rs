//! Pictures for people: masks over frames, depth in colours, and sheets of pictures with captions.

use crate::depth::DepthMap;
use crate::labels::{Classes, LabelMap};
use embedded_graphics::Pixel;
use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_6X13};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Point, Primitive, RgbColor, Size};
use embedded_graphics::primitives::{Line, PrimitiveStyle};
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage};

/// Share of the class colour in an overlay; the rest is the frame, so that its edges can be checked against the mask's.
const OVERLAY_SHARE: f32 = 0.55;
/// Width and height of one character of captions.
const CHARACTER: (u32, u32) = (6, 13);

/// The mask's class colours over the frame. A mask of another size is brought to the frame's by nearest neighbour;
/// pixels without a class show the frame alone.
pub fn overlay(frame: &RgbImage, mask: &LabelMap, classes: &Classes) -> RgbImage {
    let mut picture = frame.clone();
    overlay_onto(&mut picture, mask, classes);
    picture
}

/// As [`overlay`], drawn onto the frame itself.
pub fn overlay_onto(frame: &mut RgbImage, mask: &LabelMap, classes: &Classes) {
    let (width, height) = frame.dimensions();
    for (x, y, pixel) in frame.enumerate_pixels_mut() {
        let (column, row) = (x * mask.width / width, y * mask.height / height);
        let index = mask.indices[(row * mask.width + column) as usize];
        if let Some(class) = classes.entries.get(usize::from(index)) {
            for (value, color) in pixel.0.iter_mut().zip(class.color) {
                let mixed = f32::from(color) * OVERLAY_SHARE + f32::from(*value) * (1.0 - OVERLAY_SHARE);
                *value = mixed.round() as u8;
            }
        }
    }
}

/// The mask alone, in its classes' colours; pixels without a class are black.
pub fn mask_in_colors(mask: &LabelMap, classes: &Classes) -> RgbImage {
    RgbImage::from_fn(mask.width, mask.height, |x, y| {
        let index = mask.indices[(y * mask.width + x) as usize];
        Rgb(classes.entries.get(usize::from(index)).map_or([0; 3], |class| class.color))
    })
}

/// Depth in colours by its inverse, near bright and far dark, between the 2nd and 98th percentile of what was measured;
/// unmeasured pixels are gray.
pub fn depth_in_colors(depth: &DepthMap) -> RgbImage {
    let mut inverse: Vec<f32> =
        depth.metres.iter().filter(|metres| **metres > 0.0).map(|metres| 1.0 / metres).collect();
    inverse.sort_by(f32::total_cmp);
    let at =
        |share: f32| inverse.get((inverse.len().saturating_sub(1) as f32 * share) as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(0.02), at(0.98));
    RgbImage::from_fn(depth.width, depth.height, |x, y| match depth.at(x, y) {
        Some(metres) => Rgb(magma((1.0 / metres - low) / (high - low).max(f32::EPSILON))),
        None => Rgb([96; 3]),
    })
}

/// The colour map *magma* at `value` in 0..1, clamped: dark to bright, even in lightness.
pub fn magma(value: f32) -> [u8; 3] {
    let color = colorous::MAGMA.eval_continuous(f64::from(value.clamp(0.0, 1.0)));
    [color.r, color.g, color.b]
}

/// Writes `text` (ASCII) with its upper left corner at `(x, y)`; a character is 6 by 13 pixels.
pub fn draw_text(picture: &mut RgbImage, (x, y): (u32, u32), text: &str, Rgb([red, green, blue]): Rgb<u8>) {
    let style = MonoTextStyle::new(&FONT_6X13, Rgb888::new(red, green, blue));
    let place = Point::new(x as i32, y as i32);
    match Text::with_baseline(text, place, style, Baseline::Top).draw(&mut Canvas(picture)) {
        Ok(_) => (),
        Err(never) => match never {},
    }
}

struct Canvas<'a>(&'a mut RgbImage);

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(place, color) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(place.x), u32::try_from(place.y))
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

/// Draws a line from one pixel to another, ends included; what lies outside the picture is left out.
pub fn draw_line(picture: &mut RgbImage, from: (i32, i32), to: (i32, i32), Rgb([red, green, blue]): Rgb<u8>) {
    let style = PrimitiveStyle::with_stroke(Rgb888::new(red, green, blue), 1);
    match Line::new(Point::new(from.0, from.1), Point::new(to.0, to.1)).into_styled(style).draw(&mut Canvas(picture)) {
        Ok(()) => (),
        Err(never) => match never {},
    }
}

/// Rows of captioned pictures on one sheet. Every picture is scaled to `cell` (width, height); a caption stands above
/// its picture and is cut where it does not fit.
pub fn sheet(rows: &[Vec<(String, RgbImage)>], cell: (u32, u32)) -> RgbImage {
    const GAP: u32 = 4;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let row_height = cell.1 + CHARACTER.1 + GAP;
    let (width, height) = (columns * (cell.0 + GAP) + GAP, rows.len() as u32 * row_height + GAP);
    let mut sheet = RgbImage::from_pixel(width.max(1), height.max(1), Rgb([24; 3]));
    let mut resizer = crate::model_input::PictureResizer::default();
    for (row, pictures) in rows.iter().enumerate() {
        for (column, (caption, picture)) in pictures.iter().enumerate() {
            let (x, y) = (GAP + column as u32 * (cell.0 + GAP), GAP + row as u32 * row_height);
            let fitting: String = caption.chars().take((cell.0 / CHARACTER.0) as usize).collect();
            draw_text(&mut sheet, (x, y), &fitting, Rgb([255; 3]));
            let scaled = resizer.resize(picture, cell.0, cell.1);
            image::imageops::replace(&mut sheet, &scaled, i64::from(x), i64::from(y + CHARACTER.1));
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_mixes_class_colours_and_leaves_ignored_pixels_alone() {
        let classes = Classes::dense(&[("a", [255, 0, 0]), ("b", [0, 255, 0])]);
        let frame = RgbImage::from_pixel(4, 2, Rgb([100; 3]));
        let mask = LabelMap { width: 2, height: 1, indices: vec![0, crate::labels::IGNORE] };
        let picture = overlay(&frame, &mask, &classes);
        assert_eq!(picture.get_pixel(1, 1).0, [185, 45, 45]);
        assert_eq!(picture.get_pixel(2, 0).0, [100; 3]);
    }

    #[test]
    fn near_is_brighter_than_far() {
        let depth = DepthMap { width: 3, height: 1, metres: vec![1.0, 10.0, 0.0] };
        let picture = depth_in_colors(&depth);
        let brightness = |x| picture.get_pixel(x, 0).0.iter().map(|&value| u32::from(value)).sum::<u32>();
        assert!(brightness(0) > brightness(1));
        assert_eq!(picture.get_pixel(2, 0).0, [96; 3]);
    }

    #[test]
    fn a_sheet_holds_every_picture_and_its_caption() {
        let red = RgbImage::from_pixel(8, 8, Rgb([255, 0, 0]));
        let sheet = sheet(&[vec![("one".to_owned(), red.clone()), ("two".to_owned(), red)]], (40, 20));
        let count = |color: [u8; 3]| sheet.pixels().filter(|pixel| pixel.0 == color).count();
        assert_eq!(count([255, 0, 0]), 2 * 40 * 20);
        assert!(count([255; 3]) > 20, "captions are drawn in white");
    }
}
