//! What of a camera's picture the network sees, and where its mask belongs.
//!
//! ```text
//! picture ─▶ undistorted ─▶ region ─▶ the network's size ─▶ mask ─▶ the region's size ─▶ mask of the whole picture
//!            (optional)     (optional)
//! ```
//! Masks belong to the undistorted picture. Outside the region they say [`IGNORE`]: nothing was looked at there.

use std::str::FromStr;
use std::sync::Arc;

use image::RgbImage;
use parallax_core::camera::Camera;
use parallax_core::camera::rectify::Rectifier;
use parallax_core::labels::{IGNORE, LabelMap};
use parallax_core::model_input::NearestResizer;

use crate::{EdgeError, Result};

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Its first column.
    pub x: u32,
    /// Its first row.
    pub y: u32,
    /// Its width.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

impl FromStr for Region {
    type Err = String;

    /// `x,y,width,height`.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[x, y, width, height]) if width > 0 && height > 0 => Ok(Self { x, y, width, height }),
            _ => Err(format!("expected x,y,width,height in pixels such as 0,100,640,380, got {text:?}")),
        }
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{},{},{},{}", self.x, self.y, self.width, self.height)
    }
}

/// How the pictures of one source are framed; checked against their size, and shared by all threads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames {
    rectifier: Option<Arc<Rectifier>>,
    region: Option<Region>,
}

impl Frames {
    /// # Errors
    /// The region reaches out of the pictures, or the camera file is for another size.
    pub(crate) fn new(undistort: Option<&Camera>, region: Option<Region>, size: (u32, u32)) -> Result<Self> {
        if let Some(camera) = undistort.filter(|camera| (camera.width, camera.height) != size) {
            return Err(EdgeError::OtherCamera { camera: (camera.width, camera.height), picture: size });
        }
        let reaches_out = |region: &Region| {
            let end = |start: u32, length: u32| u64::from(start) + u64::from(length);
            end(region.x, region.width) > u64::from(size.0) || end(region.y, region.height) > u64::from(size.1)
        };
        if let Some(region) = region.filter(reaches_out) {
            return Err(EdgeError::RegionOutside { region, picture: size });
        }
        Ok(Self { rectifier: undistort.map(|camera| Arc::new(Rectifier::new(camera))), region })
    }
}

/// One thread's framing: what is shared, and buffers that are used again for every picture.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    frames: Frames,
    straight: RgbImage,
    cropped: RgbImage,
    resizer: NearestResizer,
    part: Vec<u8>,
}

impl Framing {
    pub(crate) fn new(frames: Frames) -> Self {
        Self { frames, ..Self::default() }
    }

    /// Undistorts `picture` in place and gives what of it the network sees.
    ///
    /// # Errors
    /// The picture has another size than those before.
    pub(crate) fn frame<'a>(&'a mut self, picture: &'a mut RgbImage) -> Result<&'a RgbImage> {
        if let Some(rectifier) = &self.frames.rectifier {
            rectifier.rectify_into(picture, &mut self.straight)?;
            std::mem::swap(picture, &mut self.straight);
        }
        let Some(region) = self.frames.region else { return Ok(picture) };
        let (width, height) = picture.dimensions();
        if region.x + region.width > width || region.y + region.height > height {
            return Err(EdgeError::RegionOutside { region, picture: (width, height) });
        }
        if self.cropped.dimensions() != (region.width, region.height) {
            self.cropped = RgbImage::new(region.width, region.height);
        }
        let row = region.width as usize * 3;
        for (y, target) in self.cropped.chunks_exact_mut(row).enumerate() {
            let start = ((region.y as usize + y) * width as usize + region.x as usize) * 3;
            target.copy_from_slice(&picture.as_raw()[start..start + row]);
        }
        Ok(&self.cropped)
    }

    /// Writes the mask of what [`Self::frame`] gave, of any size, as the mask of the whole picture of `size`.
    pub(crate) fn place(&mut self, mask: &LabelMap, size: (u32, u32), whole: &mut LabelMap) {
        (whole.width, whole.height) = size;
        let from = (mask.width, mask.height);
        let Some(region) = self.frames.region else {
            self.resizer.resize_into(&mask.indices, from, size, &mut whole.indices);
            return;
        };
        self.resizer.resize_into(&mask.indices, from, (region.width, region.height), &mut self.part);
        whole.indices.clear();
        whole.indices.resize(size.0 as usize * size.1 as usize, IGNORE);
        for (y, part) in self.part.chunks_exact(region.width as usize).enumerate() {
            let start = (region.y as usize + y) * size.0 as usize + region.x as usize;
            whole.indices[start..start + part.len()].copy_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use parallax_core::camera::{Distortion, Intrinsics};

    fn picture() -> RgbImage {
        RgbImage::from_fn(16, 8, |x, y| Rgb([x as u8, y as u8, 0]))
    }

    #[test]
    fn the_network_sees_the_region_and_its_mask_lands_there() {
        let region: Region = "4, 2,8,4".parse().unwrap();
        let mut framing = Framing::new(Frames::new(None, Some(region), (16, 8)).unwrap());
        let mut picture = picture();
        let seen = framing.frame(&mut picture).unwrap();
        assert_eq!(
            (seen.dimensions(), seen.get_pixel(0, 0).0, seen.get_pixel(7, 3).0),
            ((8, 4), [4, 2, 0], [11, 5, 0])
        );
        let mut whole = LabelMap { width: 0, height: 0, indices: Vec::new() };
        framing.place(&LabelMap { width: 2, height: 1, indices: vec![3, 5] }, (16, 8), &mut whole);
        for (at, index) in whole.indices.iter().enumerate() {
            let (x, y) = (at % 16, at / 16);
            let inside = (4..12).contains(&x) && (2..6).contains(&y);
            let expected = if !inside {
                IGNORE
            } else if x < 8 {
                3
            } else {
                5
            };
            assert_eq!(*index, expected, "{x}, {y}");
        }
    }

    #[test]
    fn the_whole_picture_is_undistorted_before_the_region_is_cut_out() {
        let intrinsics = Intrinsics { fx: 12.0, fy: 12.0, cx: 7.5, cy: 3.5 };
        let camera = Camera {
            distortion: Distortion::PlumbBob([-0.2, 0.0, 0.0, 0.0, 0.0]),
            ..Camera::pinhole("test", 16, 8, intrinsics)
        };
        let mut expected = RgbImage::default();
        Rectifier::new(&camera).rectify_into(&picture(), &mut expected).unwrap();
        let region = Region { x: 1, y: 0, width: 3, height: 2 };
        let mut framing = Framing::new(Frames::new(Some(&camera), Some(region), (16, 8)).unwrap());
        let mut straightened = picture();
        assert_eq!(framing.frame(&mut straightened).unwrap().get_pixel(0, 1), expected.get_pixel(1, 1));
        assert_eq!(straightened, expected);
        assert_ne!(straightened, picture());
    }

    #[test]
    fn what_does_not_fit_the_pictures_is_refused() {
        let region = |text: &str| text.parse::<Region>().unwrap();
        assert!(Frames::new(None, Some(region("0,0,16,8")), (16, 8)).is_ok());
        assert!(Frames::new(None, Some(region("1,0,16,8")), (16, 8)).is_err());
        assert!(Frames::new(None, Some(region("4294967295,0,4294967295,8")), (16, 8)).is_err());
        let camera = Camera::pinhole("test", 8, 8, Intrinsics { fx: 8.0, fy: 8.0, cx: 4.0, cy: 4.0 });
        assert!(Frames::new(Some(&camera), None, (16, 8)).is_err());
        for text in ["", "1,2,3", "1,2,3,0", "1,2,-3,4", "a,b,c,d", "1,2,3,4,5"] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
