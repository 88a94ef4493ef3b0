//! Enlarged frames: pictures of a world pressed together along the optical axis.
//!
//! A point at `(X, Y, Z)` is seen at `u = f X / Z + cx`. In a frame enlarged `z` times about its principal point it is seen
//! where the same camera would see it at `(X, Y, Z / z)`: as wide and as high above the road as before, only nearer. So what
//! a network knows about rows and widths still holds, while every thing has another size.
//!
//! The loss projects with the enlarged frame's camera, `z f`, and all lengths along with depth are divided by `z`, because
//! `K (R Z K⁻¹ p + t)` and `K (R (Z / z) K⁻¹ p + t / z)` are one pixel: a depth unit of such a window is `z` times as long.
//! Rotations stay rotations, which those of a pressed world are not.
//!
//! Reference: Yin et al., *Metric3D*, ICCV 2023, the canonical camera: depth times the ratio of a canonical focal length to the
//! picture's own (there on the labels).

use parallax_core::camera::{Camera, Intrinsics};
use rand::RngExt as _;

/// The largest factor that `--zoom` takes: beyond it a window holds a handful of things.
pub const MOST_ZOOM: f64 = 4.0;

/// A frame enlarged, sizes in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zoom {
    /// Width and height before.
    pub from: (usize, usize),
    /// Width and height after.
    pub to: (usize, usize),
}

impl Zoom {
    /// A frame as it is.
    #[must_use]
    pub const fn none(frame: (usize, usize)) -> Self {
        Self { from: frame, to: frame }
    }

    /// A frame enlarged by 1 to `most`, evenly in the logarithm.
    pub fn random(frame: (usize, usize), most: f64, random: &mut impl rand::Rng) -> Self {
        let factor = most.powf(random.random_range(0.0..=1.0));
        let enlarged = |side: usize| (side as f64 * factor).round() as usize;
        Self { from: frame, to: (enlarged(frame.0), enlarged(frame.1)) }
    }

    /// How many times larger it is.
    #[must_use]
    pub fn factor(&self) -> f64 {
        // Sides are whole pixels: along x and y the factor differs by less than a pixel in a side.
        ((self.to.0 * self.to.1) as f64 / (self.from.0 * self.from.1) as f64).sqrt()
    }

    /// The camera of the enlarged frame; pixel centres are integers.
    #[must_use]
    pub fn camera(&self, frame: Intrinsics) -> Intrinsics {
        let [from, to] = [self.from, self.to].map(|(width, height)| (width as u32, height as u32));
        Camera::pinhole("frame", from.0, from.1, frame).resized(to.0, to.1).intrinsics
    }

    /// The first row of a window `height` rows high, in the enlarged frame, that has the principal point in the same of its rows
    /// as the window that begins at row `top` of the frame; `frame` is the frame's camera.
    #[must_use]
    pub fn first_row(&self, top: usize, height: usize, frame: Intrinsics) -> usize {
        let moved = top as f64 + self.camera(frame).cy - frame.cy;
        (moved.round().max(0.0) as usize).min(self.to.1 - height)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: (usize, usize) = (320, 96);
    const CAMERA: Intrinsics = Intrinsics { fx: 185.0, fy: 184.0, cx: 157.0, cy: 44.5 };

    fn row([_, y, z]: [f64; 3], camera: Intrinsics) -> f64 {
        camera.fy * y / z + camera.cy
    }

    proptest! {
        #[test]
        fn things_stay_as_wide_and_as_high_above_the_road(
            point in (-5.0..5.0, -2.0..2.0, 4.0..40.0), seed in 0_u64..1000, top in 0_usize..32,
        ) {
            let mut random = super::super::order::random(seed, super::super::order::Purpose::Augmentation, 0);
            let zoom = Zoom::random(FRAME, 2.0, &mut random);
            prop_assert!((1.0..=2.005).contains(&zoom.factor()));
            let point = [point.0, point.1, point.2];
            let nearer = [point[0], point[1], point[2] / zoom.factor()];
            // In windows of 64 rows: a whole row is what a window is moved by, and sides are whole pixels.
            let in_window = row(point, zoom.camera(CAMERA)) - zoom.first_row(top, 64, CAMERA) as f64;
            let expected = row(nearer, CAMERA) - top as f64;
            let slack = 0.5 + 0.01 * (expected - CAMERA.cy).abs();
            prop_assert!((in_window - expected).abs() <= slack, "{in_window} {expected} {zoom:?}");
        }
    }

    #[test]
    fn a_frame_as_it_is_changes_nothing() {
        let zoom = Zoom::none(FRAME);
        assert_eq!(zoom.factor(), 1.0);
        assert_eq!(zoom.camera(CAMERA), CAMERA);
        assert_eq!(zoom.first_row(7, 64, CAMERA), 7);
    }
}
