//! A robot's day as its camera sees it: stretches that teach depth, and stretches that do not, with the truth of each frame.

use anyhow::Result;
use image::RgbImage;
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};
use parallax_core::camera::Camera;
use parallax_core::depth::DepthMap;
use parallax_core::frame::{Frame, Timestamp};
use parallax_core::recording::{Encoding, Eye, RecordingHeader, RecordingWriter};
use parallax_vision::footage::statistics::median;
use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, right_from_left_pose, robot_camera};
use std::path::Path;

/// Seconds from frame to frame.
pub const PERIOD_SECS: f64 = 0.1;
/// Distance between the cameras of a pair, metres.
pub const BASELINE_M: f64 = 0.16;
/// Pixels between the points of a frame whose motion is computed.
const GRID_PX: usize = 8;

/// What the robot does for some frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stretch {
    /// Drives on.
    Drive(usize),
    /// Stands; noise and exposure wander on.
    Stand(usize),
    /// Turns on the spot by so many radians per frame, and half way turns back.
    LookAround(usize, f64),
    /// Drives on with pictures blurred by a Gaussian of this many pixels.
    Blurred(usize, f32),
    /// Drives on with pictures this much brighter.
    Dazzled(usize, f32),
}

/// One frame and its truth.
#[derive(Clone, Debug)]
pub struct FieldFrame {
    /// What the left camera saw.
    pub left: RgbImage,
    /// What the right one saw, where there is one.
    pub right: Option<RgbImage>,
    /// Whether it is sharp and well exposed.
    pub good: bool,
    /// Where the left camera was.
    pub world_from_camera: Isometry3<f64>,
    depth: DepthMap,
}

/// How a day is rendered.
#[derive(Clone, Debug)]
pub struct FieldConfig {
    /// Which place.
    pub seed: u64,
    /// Width and height.
    pub size: (u32, u32),
    /// Speed where the robot drives, metres per second.
    pub speed_m_per_s: f64,
    /// Whether there is a right camera.
    pub stereo: bool,
    /// What happens.
    pub stretches: Vec<Stretch>,
}

/// A rendered day.
#[derive(Clone, Debug)]
pub struct Field {
    /// The left camera.
    pub camera: Camera,
    /// The frames in order.
    pub frames: Vec<FieldFrame>,
}

impl Field {
    /// Renders a day; nobody else moves.
    pub fn render(config: &FieldConfig) -> Self {
        let world = World::generate(config.seed, &WorldConfig::default());
        let drive = world.drive(&DriveConfig { speed_m_per_s: config.speed_m_per_s, ..DriveConfig::default() });
        let camera = robot_camera("left", config.size.0, config.size.1);
        let look = RenderConfig { movers: false, noise: 1.0, ..RenderConfig::default() };
        let (mut driven, mut frames) = (0, Vec::new());
        for stretch in &config.stretches {
            let (count, drives) = match *stretch {
                Stretch::Drive(count) | Stretch::Blurred(count, _) | Stretch::Dazzled(count, _) => (count, true),
                Stretch::Stand(count) | Stretch::LookAround(count, _) => (count, false),
            };
            for place in 0..count {
                let mut pose = drive.world_from_camera(driven);
                if let Stretch::LookAround(_, step) = stretch {
                    let angle = step * (place + 1).min(count - 1 - place) as f64;
                    pose *= UnitQuaternion::from_euler_angles(0.0, angle, 0.0);
                }
                driven += usize::from(drives);
                let secs = frames.len() as f64 * PERIOD_SECS;
                let taken = world.render(&camera, &pose, secs, &look);
                let right = config.stereo.then(|| {
                    let camera = robot_camera("right", config.size.0, config.size.1);
                    spoilt(world.render(&camera, &right_from_left_pose(&pose, BASELINE_M), secs, &look).rgb, *stretch)
                });
                frames.push(FieldFrame {
                    left: spoilt(taken.rgb, *stretch),
                    right,
                    good: !matches!(stretch, Stretch::Blurred(..) | Stretch::Dazzled(..)),
                    world_from_camera: pose,
                    depth: taken.depth,
                });
            }
        }
        Self { camera, frames }
    }

    /// When a frame was taken.
    pub fn timestamp(index: usize) -> Timestamp {
        Timestamp::from_secs_f64(index as f64 * PERIOD_SECS)
    }

    /// The frame that was taken then.
    pub fn index(timestamp: Timestamp) -> usize {
        (timestamp.secs() / PERIOD_SECS).round() as usize
    }

    /// Median parallax between two frames, pixels: what moves beyond the rotation of the camera.
    pub fn parallax_px(&self, first: usize, second: usize) -> f64 {
        let frame = &self.frames[first];
        let second_from_first = self.frames[second].world_from_camera.inverse() * frame.world_from_camera;
        let (width, height) = (frame.depth.width as usize, frame.depth.height as usize);
        let places = (0..height).step_by(GRID_PX).flat_map(|y| (0..width).step_by(GRID_PX).map(move |x| (x, y)));
        let moved = places.filter_map(|(x, y)| {
            let depth = f64::from(frame.depth.metres[y * width + x]);
            let k = &self.camera.intrinsics;
            let ray = Vector3::new((x as f64 - k.cx) / k.fx, (y as f64 - k.cy) / k.fy, 1.0);
            let turned = Point3::from(second_from_first.rotation * ray);
            if depth <= 0.0 {
                return Some(0.0); // the sky is at infinity
            }
            let there = self.camera.project(&(second_from_first * Point3::from(ray * depth)))?;
            Some((there - self.camera.project(&turned)?).norm())
        });
        median(moved).unwrap_or(0.0)
    }

    /// Writes the day as a recording.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let right = self.frames[0].right.as_ref().map(|_| self.camera.clone().with_baseline(BASELINE_M));
        let mut writer = RecordingWriter::create(path, &RecordingHeader { left: self.camera.clone(), right })?;
        for (index, frame) in self.frames.iter().enumerate() {
            for (eye, picture) in [(Eye::Left, Some(&frame.left)), (Eye::Right, frame.right.as_ref())] {
                let Some(picture) = picture else { continue };
                let frame = Frame::from_rgb(picture.clone(), Self::timestamp(index), index as u64 + 1);
                writer.write_frame(eye, &frame, Encoding::Png)?;
            }
        }
        writer.finish()?;
        Ok(())
    }
}

impl Field {
    /// Writes where the camera was, as a TUM pose file: `timestamp tx ty tz qx qy qz qw`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_poses(&self, path: &Path) -> Result<()> {
        let lines = self.frames.iter().enumerate().map(|(index, frame)| {
            let (t, q) = (frame.world_from_camera.translation, frame.world_from_camera.rotation);
            let secs = Self::timestamp(index).secs();
            format!("{secs:.6} {:.9} {:.9} {:.9} {:.9} {:.9} {:.9} {:.9}\n", t.x, t.y, t.z, q.i, q.j, q.k, q.w)
        });
        Ok(parallax_core::files::write_bytes(path, lines.collect::<String>().as_bytes())?)
    }
}

fn spoilt(picture: RgbImage, stretch: Stretch) -> RgbImage {
    match stretch {
        Stretch::Blurred(_, sigma) => image::imageops::blur(&picture, sigma),
        Stretch::Dazzled(_, gain) => {
            let mut picture = picture;
            picture.iter_mut().for_each(|value| *value = (f32::from(*value) * gain).min(255.0) as u8);
            picture
        }
        _ => picture,
    }
}
