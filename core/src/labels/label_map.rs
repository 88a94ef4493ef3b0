//! One label picture as dense class indices.

use super::Classes;
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
    /// Reads an 8-bit index picture (gray or palette) and turns its values into dense indices.
    ///
    /// # Errors
    /// The file is unreadable or of another form, or holds a value that is no class: the error names value and place.
    pub fn read(path: &Path, classes: &Classes) -> Result<Self> {
        let (width, height, values) = read_index_picture(path)?;
        let table = classes.index_of_value();
        let dense = |(at, &value): (usize, &u8)| {
            table[usize::from(value)].ok_or_else(|| Error::Labels {
                what: format!(
                    "label value {value} at column {}, row {} is no class",
                    at % width as usize,
                    at / width as usize
                ),
                path: path.to_path_buf(),
                hint: "add the value to classes.toml as a [[class]] or to its `ignore` list, or set `unlisted = \"ignore\"`",
            })
        };
        let indices = values.iter().enumerate().map(dense).collect::<Result<_>>()?;
        Ok(Self { width, height, indices })
    }

    /// Writes an 8-bit gray PNG that holds the classes' ids.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path, classes: &Classes) -> Result<()> {
        let values = self.indices.iter().map(|&index| classes.picture_value(index)).collect();
        let picture =
            image::GrayImage::from_raw(self.width, self.height, values).expect("a label map has width x height values");
        crate::files::write_picture(path, &image::DynamicImage::ImageLuma8(picture))
    }

    /// The map at another size by nearest neighbour.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let indices = crate::model_input::resize_nearest(&self.indices, (self.width, self.height), (width, height));
        Self { width, height, indices }
    }
}

/// Width, height and the raw values; a palette's colours are left aside.
fn read_index_picture(path: &Path) -> Result<(u32, u32, Vec<u8>)> {
    let fault = |reason: String| Error::Picture { path: path.to_path_buf(), reason };
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().map_err(|e| fault(e.to_string()))?;
    let (color, bits) = reader.output_color_type();
    if !matches!(color, png::ColorType::Grayscale | png::ColorType::Indexed) || bits != png::BitDepth::Eight {
        return Err(Error::Labels {
            what: format!("a label picture has one 8-bit channel of class values, found {color:?} of {bits:?} bits"),
            path: path.to_path_buf(),
            hint: "export labels as 8-bit index or gray PNG, not as colours",
        });
    }
    let bytes = reader.output_buffer_size().ok_or_else(|| fault("the picture is too large".to_owned()))?;
    let mut values = vec![0; bytes];
    let info = reader.next_frame(&mut values).map_err(|e| fault(e.to_string()))?;
    values.truncate(info.buffer_size());
    Ok((info.width, info.height, values))
}
