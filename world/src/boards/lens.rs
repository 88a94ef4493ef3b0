//! Which lens the camera has.

use crate::random::Dice;
use parallax_core::camera::{Camera, Distortion, Intrinsics};
use serde::{Deserialize, Serialize};

/// Model of a lens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lens {
    /// An ordinary lens of about 65 degrees.
    PlumbBob,
    /// A wide one of about 95 degrees.
    RationalPolynomial,
    /// A fisheye of about 140 degrees.
    Equidistant,
}

impl Lens {
    /// A camera with a lens of this model, a little different for every seed.
    pub(super) fn camera(self, name: &str, size: (u32, u32), dice: &mut Dice) -> Camera {
        let (width, height) = (f64::from(size.0), f64::from(size.1));
        let mut about = |value: f64, part: f32| value * (1.0 + f64::from(dice.between(-part, part)));
        let (focal, distortion) = match self {
            Self::PlumbBob => (
                0.78,
                Distortion::PlumbBob([
                    about(-0.26, 0.2),
                    about(0.09, 0.2),
                    about(4e-4, 1.0),
                    about(-3e-4, 1.0),
                    about(-0.012, 0.2),
                ]),
            ),
            Self::RationalPolynomial => (
                0.48,
                Distortion::RationalPolynomial([
                    about(0.55, 0.1),
                    about(0.06, 0.1),
                    about(2e-4, 1.0),
                    about(-2e-4, 1.0),
                    about(0.002, 0.1),
                    about(0.88, 0.1),
                    about(0.18, 0.1),
                    about(0.012, 0.1),
                ]),
            ),
            Self::Equidistant => (
                0.38,
                Distortion::Equidistant([about(-0.02, 0.3), about(0.006, 0.3), about(-0.004, 0.3), about(0.0006, 0.3)]),
            ),
        };
        let fx = about(focal * width, 0.05);
        let intrinsics = Intrinsics {
            fx,
            fy: about(fx, 0.003),
            cx: about((width - 1.0) / 2.0, 0.03),
            cy: about((height - 1.0) / 2.0, 0.03),
        };
        Camera { distortion, ..Camera::pinhole(name, size.0, size.1, intrinsics) }
    }
}
