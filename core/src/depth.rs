//! Depth maps: metres along the optical axis (z, not the length of the ray), one value a pixel.
//!
//! On disk depth is a 16-bit picture in one of two units ([`DepthUnit`]); zero always means "not measured".

use crate::picture_file::{self, Orientation, turn_values};
use crate::{Error, Result};
use image::{ImageBuffer, Luma};
use std::path::Path;

/// What one step of a 16-bit depth picture is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepthUnit {
    /// ROS REP 118 and our recordings: one step is a millimetre, the farthest depth 65.535 m.
    Millimetre,
    /// KITTI's PNG files: metres × 256, the farthest depth 255.996 m.
    KittiStep,
}

impl DepthUnit {
    /// Steps per metre.
    pub const fn steps_per_metre(self) -> f32 {
        match self {
            Self::Millimetre => 1000.0,
            Self::KittiStep => 256.0,
        }
    }
}

/// Depth of every pixel in metres; `0.0` where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthMap {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Row by row, `width * height` values.
    pub metres: Vec<f32>,
}

impl DepthMap {
    /// A map in which nothing is measured.
    pub fn unmeasured(width: u32, height: u32) -> Self {
        Self { width, height, metres: vec![0.0; width as usize * height as usize] }
    }

    /// From 16-bit steps.
    pub fn from_steps(width: u32, height: u32, steps: &[u16], unit: DepthUnit) -> Self {
        let metres = steps.iter().map(|&step| f32::from(step) / unit.steps_per_metre()).collect();
        Self { width, height, metres }
    }

    /// To 16-bit steps, rounded to nearest. A depth beyond the unit's range becomes "not measured".
    pub fn to_steps(&self, unit: DepthUnit) -> Vec<u16> {
        let to_step = |&metres: &f32| {
            let step = (metres * unit.steps_per_metre()).round();
            if step >= 1.0 && step <= f32::from(u16::MAX) { step as u16 } else { 0 }
        };
        self.metres.iter().map(to_step).collect()
    }

    /// Reads a 16-bit PNG.
    ///
    /// # Errors
    /// The file is unreadable, or is not 16-bit gray.
    pub fn read_png(path: &Path, unit: DepthUnit) -> Result<Self> {
        match picture_file::decode(&picture_file::read_bytes(path)?).map_err(|fault| fault.at(path))? {
            image::DynamicImage::ImageLuma16(picture) => {
                let (width, height) = picture.dimensions();
                Ok(Self::from_steps(width, height, picture.as_raw(), unit))
            }
            other => Err(Error::Malformed {
                what: format!("a depth picture has one 16-bit channel, found {:?}", other.color()),
                path: path.to_path_buf(),
                hint: "store depth as 16-bit gray PNG",
            }),
        }
    }

    /// Writes a 16-bit PNG.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_png(&self, path: &Path, unit: DepthUnit) -> Result<()> {
        let picture = ImageBuffer::<Luma<u16>, _>::from_raw(self.width, self.height, self.to_steps(unit))
            .expect("a depth map has width x height values");
        crate::files::write_picture(path, &image::DynamicImage::ImageLuma16(picture))
    }

    /// The depth at a pixel, where one was measured.
    pub fn at(&self, x: u32, y: u32) -> Option<f32> {
        let metres = self.metres[y as usize * self.width as usize + x as usize];
        (metres > 0.0).then_some(metres)
    }

    /// The map turned as EXIF turns a picture.
    pub(crate) fn turned(&self, orientation: Orientation) -> Self {
        let (metres, (width, height)) = turn_values::<f32, 1>(&self.metres, (self.width, self.height), orientation);
        Self { width, height, metres }
    }

    /// The map at another size by nearest neighbour, which keeps depths true and holes holes.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let metres = crate::model_input::resize_nearest(&self.metres, (self.width, self.height), (width, height));
        Self { width, height, metres }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_round_to_nearest_and_out_of_range_is_unmeasured() {
        let map = DepthMap { width: 4, height: 1, metres: vec![0.0, 1.2344, 65.535, 70.0] };
        assert_eq!(map.to_steps(DepthUnit::Millimetre), [0, 1234, 65535, 0]);
        assert_eq!(map.to_steps(DepthUnit::KittiStep), [0, 316, 16777, 17920]);
    }

    #[test]
    fn a_png_gives_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("depth.png");
        let map = DepthMap { width: 2, height: 2, metres: vec![0.0, 1.5, 2.25, 100.0] };
        map.write_png(&path, DepthUnit::KittiStep).unwrap();
        assert_eq!(DepthMap::read_png(&path, DepthUnit::KittiStep).unwrap(), map);
    }

    #[test]
    fn eight_bit_pictures_are_refused_as_depth() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gray.png");
        image::GrayImage::new(2, 2).save(&path).unwrap();
        let error = DepthMap::read_png(&path, DepthUnit::Millimetre).unwrap_err();
        assert!(error.to_string().contains("16-bit"), "{error}");
    }
}
