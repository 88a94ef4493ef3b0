//! Sun, sky and haze of a place.

use crate::random::Dice;
use crate::tile::Footprint;
use crate::tiles::{Kind, tile};
use parry3d::glamx::{Vec2, Vec3};

/// Contrast halves about every 350 m: a clear day.
const HAZE_PER_M: f32 = 1.0 / 500.0;

/// Where light comes from. Radiances are in units in which a white wall in full sun is about 1.
#[derive(Clone, Debug)]
pub(crate) struct Light {
    /// Unit direction towards the sun.
    pub(crate) to_sun: Vec3,
    sun: Vec3,
    zenith: Vec3,
    horizon: Vec3,
    clouds: f32,
    cloud_shift: Vec2,
}

impl Light {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let (azimuth, elevation) = (dice.angle(), dice.between(0.42, 1.0));
        let low = 1.0 - elevation; // a low sun is warmer
        let to_sun = Vec3::new(azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin());
        let strength = dice.between(1.1, 1.8);
        Self {
            to_sun,
            sun: Vec3::new(1.0, 0.95 - 0.10 * low, 0.88 - 0.28 * low) * strength,
            zenith: Vec3::new(0.22, 0.38, 0.72) * dice.between(0.8, 1.2),
            horizon: Vec3::new(0.70, 0.78, 0.88) * dice.between(0.85, 1.15),
            clouds: dice.between(0.1, 1.0),
            cloud_shift: Vec2::new(dice.between(0.0, 9.0), dice.between(0.0, 9.0)),
        }
    }

    /// Light reaching a surface: `sunlit` in 0..1, `openness` is the share of sky that neighbours leave free.
    pub(crate) fn on(&self, normal: Vec3, facing_sun: f32, sunlit: f32, openness: f32) -> Vec3 {
        let up = 0.5 + 0.5 * normal.z;
        // Light from below is light from the sky that the ground (reflectance about 0.2) sent back.
        let sky = (self.zenith + self.horizon) * 0.21;
        let ambient = sky * (0.35 + 0.65 * up) * openness;
        ambient + self.sun * (facing_sun * sunlit)
    }

    /// The sun's own colour.
    pub(crate) fn sun(&self) -> Vec3 {
        self.sun
    }

    /// Radiance of the sky in a direction.
    pub(crate) fn sky(&self, direction: Vec3, pixel_angle: f32) -> Vec3 {
        let up = direction.z.max(0.0);
        let mut color = self.horizon.lerp(self.zenith, 1.0 - (1.0 - up).powi(3));
        let slant = 1.0 / (up + 0.12);
        let at = Vec2::new(direction.x, direction.y) * slant + self.cloud_shift;
        // Twice the short side instead of the true slant: clouds are soft, and one sample then is enough.
        let width = 2.0 * pixel_angle * slant;
        let patch = Footprint { across: width, along: Vec2::new(width, 0.0) };
        let cloud = tile(Kind::Cloud).mean_over(at, patch, Vec2::splat(7.0))
            + 0.5 * tile(Kind::Cloud).mean_over(at, patch, Vec2::splat(2.3));
        let cover = ((cloud + self.clouds - 0.5) * 1.6).clamp(0.0, 1.0);
        let bright = Vec3::splat(0.92) + 0.25 * self.sun * (0.5 - cloud).clamp(0.0, 1.0);
        color = color.lerp(bright, cover * 0.85);
        let near_sun = direction.dot(self.to_sun).max(0.0);
        color + self.sun * 0.5 * near_sun.powi(48)
    }

    /// What a surface's radiance looks like through the air.
    pub(crate) fn through_haze(&self, color: Vec3, distance_m: f32) -> Vec3 {
        color.lerp(self.horizon * 0.8, 1.0 - (-distance_m * HAZE_PER_M).exp())
    }
}
