//! Rectification: what a plain pinhole would have seen from the same place.
//!
//! For each pixel of the rectified picture, `K'⁻¹` gives the ray in the rectified frame, `Rᵀ` turns it into the
//! camera's frame, and the lens says where it fell: `raw = project(Rᵀ K'⁻¹ [u v 1]ᵀ)`. The raw picture is read there
//! bilinearly.
//!
//! Training, the doctor, calibration and the board rectify with the same integers, so that a network sees on the board
//! what it saw in training.

use super::{Camera, Intrinsics};
use crate::{Error, Result};
use image::RgbImage;
use nalgebra::{Point3, Vector3};

/// Rectifies the pictures of one camera: places and weights as integers, made once.
///
/// Weights are multiples of 1/256: a value is within two steps of 255 of what real numbers would give.
#[derive(Clone, Debug)]
pub struct Rectifier {
    width: u32,
    height: u32,
    places: Vec<Place>,
}

/// Where a rectified pixel is read.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Number of the upper left one of the four raw pixels; [`NOWHERE`] if the raw picture shows nothing.
    pixel: u32,
    /// Weight of the right and of the lower pixels, in 1/256.
    weights: [u16; 2],
}

const NOWHERE: u32 = u32::MAX;

impl Rectifier {
    /// From `camera` to [`Camera::rectified`].
    pub fn new(camera: &Camera) -> Self {
        let (width, height) = (camera.width, camera.height);
        // The upper left pixel has a right and a lower neighbour, so that all four are read without a question.
        let place = |at: f32, size: u32| {
            let at = at.clamp(0.0, (size - 1) as f32);
            let first = (at as u32).min(size.saturating_sub(2));
            (first, ((at - first as f32) * 256.0).round() as u16)
        };
        let places = raw_pixels(camera).map(|raw| {
            let inside =
                |[u, v]: &[f32; 2]| (-0.5..width as f32 - 0.5).contains(u) && (-0.5..height as f32 - 0.5).contains(v);
            raw.filter(inside).map_or(Place { pixel: NOWHERE, weights: [0; 2] }, |[u, v]| {
                let ((x, right), (y, below)) = (place(u, width), place(v, height));
                Place { pixel: y * width + x, weights: [right, below] }
            })
        });
        Self { width, height, places: places.collect() }
    }

    /// Width and height of the pictures it is for.
    pub const fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The rectified picture; black where the raw picture shows nothing.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] when the picture is not of the camera's size.
    pub fn rectify(&self, raw: &RgbImage) -> Result<RgbImage> {
        let mut rectified = RgbImage::default();
        self.rectify_into(raw, &mut rectified)?;
        Ok(rectified)
    }

    /// As [`Rectifier::rectify`], without memory of its own: writes the rectified picture into `rectified`, which
    /// takes the camera's size.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] when the picture is not of the camera's size.
    pub fn rectify_into(&self, raw: &RgbImage, rectified: &mut RgbImage) -> Result<()> {
        if raw.dimensions() != self.size() {
            return Err(Error::SizeMismatch {
                what: "picture to rectify and its camera",
                expected: self.size(),
                found: raw.dimensions(),
            });
        }
        if rectified.dimensions() != self.size() {
            *rectified = RgbImage::new(self.width, self.height);
        }
        let raw = raw.as_raw();
        // A picture of one column or row has no neighbours; their weights are 0.
        let right = if self.width > 1 { 3 } else { 0 };
        let below = if self.height > 1 { self.width as usize * 3 } else { 0 };
        for (pixel, Place { pixel: from, weights: [a, b] }) in rectified.chunks_exact_mut(3).zip(&self.places) {
            if *from == NOWHERE {
                pixel.fill(0);
                continue;
            }
            let (at, a, b) = (*from as usize * 3, u32::from(*a), u32::from(*b));
            let [above, under] = [&raw[at..at + right + 3], &raw[at + below..at + below + right + 3]];
            for channel in 0..3 {
                let mix = |row: &[u8]| u32::from(row[channel]) * (256 - a) + u32::from(row[channel + right]) * a;
                pixel[channel] = ((mix(above) * (256 - b) + mix(under) * b + (1 << 15)) >> 16) as u8;
            }
        }
        Ok(())
    }
}

/// For each rectified pixel, row by row, the place `(u, v)` in the raw picture; nothing behind the camera.
fn raw_pixels(camera: &Camera) -> impl Iterator<Item = Option<[f32; 2]>> + '_ {
    let k = camera.projection.fixed_view::<3, 3>(0, 0).into_owned();
    let Intrinsics { fx, fy, cx, cy } = Intrinsics::from_matrix(&k);
    let camera_from_rectified = camera.rectification.transpose();
    (0..camera.width * camera.height).map(move |index| {
        let (u, v) = (f64::from(index % camera.width), f64::from(index / camera.width));
        let ray = camera_from_rectified * Vector3::new((u - cx) / fx, (v - cy) / fy, 1.0);
        camera.project(&Point3::from(ray)).map(|pixel| [pixel.x as f32, pixel.y as f32])
    })
}

#[cfg(test)]
mod tests {
    use super::super::Distortion;
    use super::*;
    use image::Rgb;
    use nalgebra::Rotation3;

    fn camera() -> Camera {
        Camera::pinhole("test", 64, 48, Intrinsics { fx: 40.0, fy: 41.0, cx: 31.0, cy: 24.0 })
    }

    #[test]
    fn a_rectified_picture_needs_no_rectification_and_stays_as_it_is() {
        let camera = camera();
        assert!(!camera.needs_rectification());
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([x as u8 * 3, y as u8 * 5, 7]));
        assert_eq!(Rectifier::new(&camera).rectify(&picture).unwrap(), picture);
    }

    #[test]
    fn a_point_appears_rectified_where_the_rectified_camera_says() {
        let rotation = Rotation3::from_euler_angles(0.02, -0.03, 0.01);
        let raw = Camera {
            distortion: Distortion::PlumbBob([-0.2, 0.03, 1e-3, 0.0, 0.0]),
            rectification: rotation.into_inner(),
            ..camera()
        };
        assert!(raw.needs_rectification() && !raw.rectified().needs_rectification());
        let ray_in_rectified = raw.rectified().unproject([20.0, 30.0].into()).unwrap();
        let expected = raw.project(&Point3::from(rotation.inverse() * ray_in_rectified)).unwrap();
        let [u, v] = raw_pixels(&raw).nth(30 * 64 + 20).unwrap().unwrap();
        assert!((f64::from(u) - expected.x).abs() < 1e-4 && (f64::from(v) - expected.y).abs() < 1e-4);
    }

    #[test]
    fn a_picture_of_another_size_is_refused() {
        assert!(Rectifier::new(&camera()).rectify(&RgbImage::new(10, 10)).is_err());
    }

    /// The same with real numbers.
    fn rectified_with_floats(camera: &Camera, raw: &RgbImage) -> RgbImage {
        let pixels =
            raw_pixels(camera).flat_map(|at| at.and_then(|[u, v]| read_bilinear(raw, u, v)).unwrap_or(Rgb([0; 3])).0);
        RgbImage::from_vec(camera.width, camera.height, pixels.collect()).unwrap()
    }

    fn read_bilinear(picture: &RgbImage, u: f32, v: f32) -> Option<Rgb<u8>> {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        if !(-0.5..width - 0.5).contains(&u) || !(-0.5..height - 0.5).contains(&v) {
            return None;
        }
        let (u, v) = (u.clamp(0.0, width - 1.0), v.clamp(0.0, height - 1.0));
        let (x, y) = (u as u32, v as u32);
        let (right, below) = ((x + 1).min(picture.width() - 1), (y + 1).min(picture.height() - 1));
        let (a, b) = (u - x as f32, v - y as f32);
        let at = |x, y, channel| f32::from(picture.get_pixel(x, y).0[channel]);
        Some(Rgb(std::array::from_fn(|channel| {
            let above = at(x, y, channel) * (1.0 - a) + at(right, y, channel) * a;
            let under = at(x, below, channel) * (1.0 - a) + at(right, below, channel) * a;
            (above * (1.0 - b) + under * b).round() as u8
        })))
    }

    #[test]
    fn integers_rectify_like_floats() {
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([(x * 4) as u8, (y * 5) as u8, ((x * 7) ^ (y * 13)) as u8]));
        let bent = Camera { distortion: Distortion::PlumbBob([-0.3, 0.1, 2e-3, 1e-3, 0.0]), ..camera() };
        let wide = Camera { distortion: Distortion::PlumbBob([0.6, 0.0, 0.0, 0.0, 0.0]), ..camera() };
        for camera in [camera(), bent, wide] {
            let expected = rectified_with_floats(&camera, &picture);
            let found = Rectifier::new(&camera).rectify(&picture).unwrap();
            // Two weights wrong by 1/512 of a difference of 255, and the rounding.
            let far = expected.iter().zip(found.iter()).filter(|(a, b)| a.abs_diff(**b) > 2).count();
            assert_eq!(far, 0);
        }
    }
}
