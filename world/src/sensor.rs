//! From light to the bytes of a picture: exposure that wanders, a film curve, noise.

use crate::config::RenderConfig;
use crate::random::{gaussian_from_hash, hash};
use crate::world::World;
use parallax_core::camera::Camera;
use parry3d::glamx::Vec3;
use std::f64::consts::TAU;

/// One camera at one moment.
pub(crate) struct Sensor {
    exposure: f32,
    noise: f32,
    seed: u64,
}

impl Sensor {
    pub(crate) fn new(world: &World, camera: &Camera, time_secs: f64, config: &RenderConfig) -> Self {
        // A clear mid-day scene has mean radiance near 0.25; a brighter sun is exposed for.
        let base = 1.9 / (0.55 + 0.45 * world.light.sun().max_element());
        let phase = (world.seed % 97) as f64;
        // Both eyes of a pair share one exposure, as hardware-synchronised cameras do. Periods of 17 s and 5.3 s: under 1 % from frame to frame.
        let wander = 0.7 * (TAU * time_secs / 17.0 + phase).sin() + 0.3 * (TAU * time_secs / 5.3 + 2.0 * phase).sin();
        let eye = camera.name.bytes().fold(0, |key, byte| hash(key, u64::from(byte)));
        Self {
            exposure: base * (f64::from(config.exposure_drift) * wander).exp() as f32,
            noise: config.noise,
            seed: hash(hash(world.seed, time_secs.to_bits()), eye),
        }
    }

    /// The three bytes of a pixel.
    pub(crate) fn read(&self, radiance: Vec3, index: usize) -> [u8; 3] {
        let seen = Vec3::ONE - (radiance * -self.exposure).exp();
        let level = seen.clamp(Vec3::ZERO, Vec3::ONE).powf(1.0 / 1.8) * 255.0; // a little under 2.2: cameras add contrast
        let key = hash(self.seed, index as u64);
        let noise = |channel: u64, level: f32| {
            if self.noise == 0.0 {
                return 0.0;
            }
            // Shot noise in linear light is roughly even after the gamma curve, but stronger in the dark.
            let size = self.noise * (1.3 - 0.5 * level / 255.0);
            size * gaussian_from_hash(hash(key, channel))
        };
        [level.x + noise(0, level.x), level.y + noise(1, level.y), level.z + noise(2, level.z)]
            .map(|value| value.round() as u8)
    }
}
