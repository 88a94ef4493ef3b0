//! Sparse range measurements as a rotating sensor above the camera gives them, drawn into the camera's picture.

use crate::beam::Beam;
use crate::config::LidarConfig;
use crate::random::{gaussian_from_hash, hash};
use crate::world::World;
use nalgebra::{Isometry3, Point3, Translation3, Vector3};
use parallax_core::camera::Camera;
use parallax_core::depth::DepthMap;
use parry3d::glamx::Vec3;
use rayon::prelude::*;

impl World {
    /// Depths (z along the optical axis, metres) at the pixels nearest to the returns; 0 elsewhere.
    ///
    /// The sensor sits above the camera, so at depth edges it sees a little of what the camera does not; where two returns
    /// fall on one pixel the nearer stays.
    pub fn lidar(
        &self,
        camera: &Camera,
        world_from_camera: &Isometry3<f64>,
        time_secs: f64,
        config: &LidarConfig,
        with_movers: bool,
    ) -> DepthMap {
        let moment = self.moment(time_secs, with_movers);
        let camera_from_lidar = Translation3::new(0.0, -f64::from(config.above_camera_m), 0.0);
        let world_from_lidar = world_from_camera * camera_from_lidar;
        let seed = hash(hash(self.seed, 0x11da), time_secs.to_bits());
        let half_view = (f64::from(camera.width) / 2.0 / camera.intrinsics.fx).atan() * 1.1;
        let steps = (2.0 * half_view / f64::from(config.azimuth_step_rad)) as usize;
        let ring_step = (config.elevation_rad[1] - config.elevation_rad[0]) / f32::from(config.rings.max(2) - 1);
        let ping = |beam: usize| -> Option<(usize, f32)> {
            let (ring, step) = (beam / steps, beam % steps);
            let chance = hash(seed, beam as u64);
            if ((chance >> 20) & 0xffff) as f32 / 65536.0 < config.dropout {
                return None;
            }
            let elevation = f64::from(config.elevation_rad[0] + ring_step * ring as f32);
            let azimuth = -half_view + step as f64 * f64::from(config.azimuth_step_rad);
            let ray = Vector3::new(azimuth.sin() * elevation.cos(), -elevation.sin(), azimuth.cos() * elevation.cos());
            let direction = world_from_lidar.rotation * ray;
            let at = &world_from_lidar.translation;
            let beam = Beam {
                origin: Vec3::new(at.x as f32, at.y as f32, at.z as f32),
                direction: Vec3::new(direction.x as f32, direction.y as f32, direction.z as f32),
                pixel_angle: 0.003, // a beam's divergence
                width: 0.0,
            };
            let distance = moment.first(&beam).distance().filter(|distance| *distance < config.range_m)?;
            let measured = f64::from(distance + config.noise_m * gaussian_from_hash(hash(chance, 1)));
            let in_camera = camera_from_lidar * Point3::from(ray * measured);
            let pixel = camera.project(&in_camera)?;
            let (x, y) = (pixel.x.round(), pixel.y.round());
            let inside = x >= 0.0 && y >= 0.0 && x < f64::from(camera.width) && y < f64::from(camera.height);
            inside.then(|| (y as usize * camera.width as usize + x as usize, in_camera.z as f32))
        };
        let returns: Vec<_> = (0..steps * config.rings as usize).into_par_iter().filter_map(ping).collect();
        let mut map = DepthMap::unmeasured(camera.width, camera.height);
        for (index, depth) in returns {
            let old = &mut map.metres[index];
            if *old == 0.0 || depth < *old {
                *old = depth;
            }
        }
        map
    }
}
