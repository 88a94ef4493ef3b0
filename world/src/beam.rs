//! A pixel's line of sight, as wide as what the pixel sees.

use parry3d::glamx::Vec3;

/// A ray with the angle that its pixel sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beam {
    pub(crate) origin: Vec3,
    /// Unit length.
    pub(crate) direction: Vec3,
    pub(crate) pixel_angle: f32,
    /// Width of the beam at its origin.
    pub(crate) width: f32,
}
