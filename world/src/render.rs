//! A camera's picture of a place at a moment, with the exact depth and class of every pixel.
//!
//! Depth and class are those of the ray through the pixel's centre. Colour is the light over the pixel: textures are averaged
//! over it, and pixels that differ visibly from a neighbour in what they see or in whether the sun reaches it get
//! [`RenderConfig::edge_samples`] more rays.

use crate::beam::Beam;
use crate::class::Class;
use crate::config::RenderConfig;
use crate::material::Finish;
use crate::sensor::Sensor;
use crate::solid::{Form, Meeting, Solid};
use crate::tile::Footprint;
use crate::world::{Hit, Moment, World};
use image::RgbImage;
use nalgebra::{Isometry3, Point2, Vector3};
use parallax_core::camera::Camera;
use parallax_core::depth::DepthMap;
use parallax_core::labels::LabelMap;
use parry3d::glamx::{Vec2, Vec3};
use rayon::prelude::*;

/// Offsets of the extra rays of a pixel on an edge: a rotated grid, no two in one row or column.
const OFFSETS: [[f64; 2]; 8] = [
    [-0.375, -0.125],
    [0.125, -0.375],
    [0.375, 0.125],
    [-0.125, 0.375],
    [-0.25, -0.4375],
    [0.4375, -0.25],
    [0.25, 0.4375],
    [-0.4375, 0.25],
];

/// The longest a patch may be against its width: ground at 4°.
const MOST_SLANTED: f32 = 14.0;

/// Neighbours on different surfaces whose light differs by less than this part need no smoothing: about three steps of 8 bits.
const VISIBLE: f32 = 0.04;

/// The same among leaves, which are full of small shadows that a camera blurs anyway.
const VISIBLE_AMONG_LEAVES: f32 = 0.15;

/// A picture with its truth.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// What the camera gives.
    pub rgb: RgbImage,
    /// Metres along the optical axis; 0 in the sky.
    pub depth: DepthMap,
    /// [`Class`] indices.
    pub classes: LabelMap,
}

/// What one ray brings.
#[derive(Clone, Copy)]
struct Sample {
    radiance: Vec3,
    distance: f32,
    class: Class,
    /// Equal for rays that meet the same smooth piece of surface in the same light.
    surface: u64,
}

impl World {
    /// The picture a camera takes at a pose and time (seconds since the place's beginning).
    pub fn render(
        &self,
        camera: &Camera,
        world_from_camera: &Isometry3<f64>,
        time_secs: f64,
        config: &RenderConfig,
    ) -> Rendered {
        let moment = self.moment(time_secs, config.movers);
        let view = View::new(camera, world_from_camera);
        let painter = Painter { moment: &moment, config };
        let width = camera.width as usize;
        let mut samples = Vec::with_capacity(width * camera.height as usize);
        let at_centre = |index: usize| painter.sample(&view, [(index % width) as f64, (index / width) as f64]);
        (0..width * camera.height as usize)
            .into_par_iter()
            .with_min_len(256)
            .map(at_centre)
            .collect_into_vec(&mut samples);
        let sensor = Sensor::new(self, camera, time_secs, config);
        let color = |index: usize| {
            let radiance = if config.edge_samples > 0 && on_edge(&samples, index, width) {
                painter.refined(&view, [(index % width) as f64, (index / width) as f64], samples[index].radiance)
            } else {
                samples[index].radiance
            };
            sensor.read(radiance, index)
        };
        let mut colors = Vec::with_capacity(samples.len());
        (0..samples.len()).into_par_iter().with_min_len(256).map(color).collect_into_vec(&mut colors);
        let metres = samples.iter().enumerate().map(|(index, sample)| view.depth(sample, index, width)).collect();
        Rendered {
            rgb: RgbImage::from_raw(camera.width, camera.height, colors.concat()).expect("three bytes a pixel"),
            depth: DepthMap { width: camera.width, height: camera.height, metres },
            classes: LabelMap {
                width: camera.width,
                height: camera.height,
                indices: samples.iter().map(|sample| sample.class.index()).collect(),
            },
        }
    }
}

fn on_edge(samples: &[Sample], index: usize, width: usize) -> bool {
    let here = &samples[index];
    let differs = |other: usize| {
        let there = &samples[other];
        let among_leaves = here.class == Class::Vegetation && there.class == Class::Vegetation;
        let visible = if among_leaves { VISIBLE_AMONG_LEAVES } else { VISIBLE };
        let contrast = (here.radiance - there.radiance).abs();
        here.surface != there.surface && contrast.cmpgt((here.radiance + there.radiance) * (0.5 * visible)).any()
    };
    let column = index % width;
    (column > 0 && differs(index - 1))
        || (column + 1 < width && differs(index + 1))
        || (index >= width && differs(index - width))
        || (index + width < samples.len() && differs(index + width))
}

/// A camera somewhere.
struct View<'a> {
    camera: &'a Camera,
    world_from_camera: &'a Isometry3<f64>,
    origin: Vec3,
    pixel_angle: f32,
}

impl<'a> View<'a> {
    fn new(camera: &'a Camera, world_from_camera: &'a Isometry3<f64>) -> Self {
        let at = &world_from_camera.translation;
        let origin = Vec3::new(at.x as f32, at.y as f32, at.z as f32);
        Self { camera, world_from_camera, origin, pixel_angle: (1.0 / camera.intrinsics.fx) as f32 }
    }

    /// The ray through a pixel with z = 1; outside the lens model's reach, straight ahead.
    fn ray_in_camera(&self, pixel: [f64; 2]) -> Vector3<f64> {
        self.camera.unproject(Point2::new(pixel[0], pixel[1])).unwrap_or_else(Vector3::z)
    }

    fn beam(&self, pixel: [f64; 2]) -> Beam {
        let ray = self.world_from_camera.rotation * self.ray_in_camera(pixel).normalize();
        let direction = Vec3::new(ray.x as f32, ray.y as f32, ray.z as f32);
        Beam { origin: self.origin, direction, pixel_angle: self.pixel_angle, width: 0.0 }
    }

    /// Distance along the ray to depth along the optical axis.
    fn depth(&self, sample: &Sample, index: usize, width: usize) -> f32 {
        if sample.class == Class::Sky {
            return 0.0;
        }
        let ray = self.ray_in_camera([(index % width) as f64, (index / width) as f64]);
        (f64::from(sample.distance) / ray.norm()) as f32
    }
}

struct Painter<'a> {
    moment: &'a Moment<'a>,
    config: &'a RenderConfig,
}

impl Painter<'_> {
    fn refined(&self, view: &View, pixel: [f64; 2], centre: Vec3) -> Vec3 {
        let offsets = &OFFSETS[..(self.config.edge_samples as usize).min(OFFSETS.len())];
        let sum: Vec3 = offsets.iter().map(|[dx, dy]| self.sample(view, [pixel[0] + dx, pixel[1] + dy]).radiance).sum();
        (sum + centre) / (offsets.len() + 1) as f32
    }

    fn sample(&self, view: &View, pixel: [f64; 2]) -> Sample {
        let beam = view.beam(pixel);
        let hit = self.moment.first(&beam);
        let (class, light) = (hit.class(), &self.moment.world.light);
        let distance = hit.distance().unwrap_or(0.0);
        let (radiance, surface) = match hit {
            Hit::Sky => (light.sky(beam.direction, beam.pixel_angle), u64::MAX),
            Hit::Ground { place, point, .. } => {
                let ground = &self.moment.world.ground;
                let patch = patch(&beam, distance, Vec3::Z, [Vec3::X, Vec3::Y], beam.direction);
                let albedo = ground.albedo(place, point, patch);
                let openness = ground.openness.at(place);
                let finish = if class == Class::Grass { Finish::Soft } else { Finish::Matte };
                let (color, lit) = self.lit(albedo, finish, Vec3::Z, place.extend(0.0), &beam, (distance, openness));
                (color, (u64::from(class.index()) << 1) | u64::from(lit))
            }
            Hit::Solid { solid, number, meeting } => self.solid(solid, number, &meeting, &beam),
        };
        let radiance = if class == Class::Sky { radiance } else { light.through_haze(radiance, distance) };
        Sample { radiance, distance, class, surface }
    }

    fn solid(&self, solid: &Solid, number: u32, meeting: &Meeting, beam: &Beam) -> (Vec3, u64) {
        let axes = meeting.surface_axes();
        let patch =
            patch(beam, meeting.distance, meeting.normal_in_solid, axes, solid.solid_from_world(beam.direction));
        let material = &self.moment.world.materials[solid.material];
        let albedo = material.albedo(solid.surface_point(meeting), patch);
        let normal = solid.world_from_solid(meeting.normal_in_solid);
        let point = beam.origin + beam.direction * meeting.distance;
        // Inside a crown, and close to the ground, less of the sky is seen.
        let openness = if meeting.inside { 0.35 } else { (0.6 + 0.8 * point.z).clamp(0.6, 1.0) };
        let (color, lit) = self.lit(albedo, material.finish, normal, point, beam, (meeting.distance, openness));
        let face = match solid.form {
            Form::Block { .. } => {
                let n = meeting.normal_in_solid.abs();
                1 + u64::from(n.y > n.x.max(n.z)) + 2 * u64::from(n.z > n.x.max(n.y))
            }
            _ => 0,
        };
        let surface = (u64::from(number) + 16) << 4 | face << 2 | u64::from(meeting.inside) << 1 | u64::from(lit);
        (color, surface)
    }

    /// Reflected light, and whether the sun reaches the point.
    fn lit(
        &self,
        albedo: Vec3,
        finish: Finish,
        normal: Vec3,
        point: Vec3,
        beam: &Beam,
        (distance, openness): (f32, f32),
    ) -> (Vec3, bool) {
        if !self.config.shading {
            return (albedo, false);
        }
        let light = &self.moment.world.light;
        let slope = normal.dot(light.to_sun);
        // Light through leaves: they glow a little from behind.
        let facing = if finish == Finish::Soft { (0.75 * slope + 0.25).max(0.12) } else { slope.max(0.0) };
        let width = distance * beam.pixel_angle;
        let shadowed = || self.moment.in_shadow(point + normal * (2e-3 + 0.2 * width), width);
        let lit = facing > 0.0 && !(self.config.shadows && shadowed());
        let mut color = albedo * light.on(normal, facing, f32::from(lit), openness);
        if let Finish::Glossy(strength) = finish {
            let mirrored = beam.direction - normal * (2.0 * normal.dot(beam.direction));
            let fresnel = 0.05 + 0.5 * (1.0 + normal.dot(beam.direction)).clamp(0.0, 1.0).powi(4);
            color += light.sky(mirrored, 0.05) * (strength * fresnel * openness * f32::from(mirrored.z > 0.0));
            if lit {
                color += light.sun() * (strength * 0.8 * mirrored.dot(light.to_sun).max(0.0).powi(40));
            }
        }
        (color, lit)
    }
}

/// The patch of a surface that a pixel sees, in the coordinates given by `axes`; `normal`, `axes` and `direction` in one frame.
fn patch(beam: &Beam, distance: f32, normal: Vec3, axes: [Vec3; 2], direction: Vec3) -> Footprint {
    // A quarter under the pixel's pitch: bilinear reading widens it again.
    let across = (0.8 * (beam.width + distance * beam.pixel_angle)).max(1e-4);
    let slant = direction.dot(normal).abs().max(1.0 / MOST_SLANTED);
    let along_surface = direction - normal * direction.dot(normal);
    let along = Vec2::new(axes[0].dot(along_surface), axes[1].dot(along_surface));
    let length = along.length();
    let direction = if length > 1e-4 { along / length } else { Vec2::X };
    Footprint { across, along: direction * (across / slant) }
}
