//! One label picture as dense class indices.

use super::Classes;
use super::label_picture::{self, LabelFault};
use crate::picture_file::{self, PictureHeader};
use crate::{Error, Result};
use std::path::Path;

/// The class of every pixel as a dense index, or [`IGNORE`](super::IGNORE).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelMap {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Row by row, `width * height` values.
    pub indices: Vec<u8>,
}

impl LabelMap {
    /// Reads a label picture and turns its ids or colours into dense indices (the forms are in `docs/formats.md`).
    ///
    /// # Errors
    /// The file is unreadable or no PNG, or holds a value or colour that is no class: the error names it and its place.
    pub fn read(path: &Path, classes: &Classes) -> Result<Self> {
        Self::read_for(path, classes, None)
    }

    /// As [`LabelMap::read`], for a picture: labels that were drawn on its pixels as they are stored are turned as EXIF
    /// turns the picture, where their size says that they were.
    pub(super) fn read_for(path: &Path, classes: &Classes, picture: Option<PictureHeader>) -> Result<Self> {
        let bytes = picture_file::read_bytes(path)?;
        let other = match bytes.as_slice() {
            [0xff, 0xd8, ..] => Some("a JPEG, which smears classes into each other"),
            [b'B', b'M', ..] => Some("a BMP"),
            _ => None,
        };
        if let Some(other) = other {
            return Err(Error::Labels {
                what: format!("labels must be a PNG, found {other}"),
                path: path.to_path_buf(),
                hint: "export labels as 8-bit index PNG",
            });
        }
        let raw = picture_file::raw_png(&bytes).map_err(|fault| fault.at(path))?;
        let indices = label_picture::classes_of(&raw, classes).map_err(|LabelFault { what, hint }| Error::Labels {
            what,
            path: path.to_path_buf(),
            hint,
        })?;
        let own = raw.header;
        let turn = match picture {
            // Drawn on the stored pixels: only where nothing else fits.
            Some(picture) if !own.is_turned() && own.stored == picture.stored && own.stored != picture.size() => {
                picture.orientation
            }
            _ => own.orientation,
        };
        let (indices, (width, height)) = picture_file::turn_values::<u8, 1>(&indices, own.stored, turn);
        Ok(Self { width, height, indices })
    }

    /// Writes an 8-bit gray PNG that holds the classes' ids.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path, classes: &Classes) -> Result<()> {
        crate::files::write_bytes(path, &self.to_png(classes).map_err(Error::picture(path))?)
    }

    /// The bytes of such a PNG.
    ///
    /// # Errors
    /// The map is larger than a PNG can be.
    pub fn to_png(&self, classes: &Classes) -> image::ImageResult<Vec<u8>> {
        let values = self.indices.iter().map(|&index| classes.picture_value(index)).collect();
        let picture =
            image::GrayImage::from_raw(self.width, self.height, values).expect("a label map has width x height values");
        crate::files::png_bytes(&image::DynamicImage::ImageLuma8(picture))
    }

    /// The map at another size by nearest neighbour.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let indices = crate::model_input::resize_nearest(&self.indices, (self.width, self.height), (width, height));
        Self { width, height, indices }
    }
}
