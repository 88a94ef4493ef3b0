//! What a place holds, how it is photographed and how the robot drives; what is not given has these defaults.

use serde::{Deserialize, Serialize};

/// What stands and moves in a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Houses and sheds.
    pub buildings: usize,
    /// Cars and vans beside the road.
    pub parked_vehicles: usize,
    /// Cars and vans on the road.
    pub moving_vehicles: usize,
    /// People who stand.
    pub standing_people: usize,
    /// People who walk along the path.
    pub walking_people: usize,
    /// Stretches of fence.
    pub fences: usize,
    /// Stretches of hedge.
    pub hedges: usize,
    /// Metres of path from one lamp, sign or bollard to the next.
    pub pole_spacing_m: f32,
    /// Trees near the path; a forest around the place comes on top.
    pub trees: usize,
    /// Bushes.
    pub bushes: usize,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            buildings: 17,
            parked_vehicles: 22,
            moving_vehicles: 4,
            standing_people: 22,
            walking_people: 12,
            fences: 9,
            hedges: 4,
            pole_spacing_m: 7.0,
            trees: 100,
            bushes: 70,
        }
    }
}

/// How a picture is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RenderConfig {
    /// Rays added to a pixel on an edge; 0 leaves edges jagged.
    pub edge_samples: u8,
    /// Whether things cast shadows.
    pub shadows: bool,
    /// Whether the sun, sky and materials are answered by shading at all, or every surface shows its plain reflectance.
    pub shading: bool,
    /// Whether people and moving cars are there.
    pub movers: bool,
    /// Slow wandering of the exposure: largest change as a part of the whole.
    pub exposure_drift: f32,
    /// Standard deviation of the sensor's noise at mid-grey, in steps of 8 bits.
    pub noise: f32,
}

impl Default for RenderConfig {
    fn default() -> Self {
        Self { edge_samples: 3, shadows: true, shading: true, movers: true, exposure_drift: 0.15, noise: 1.5 }
    }
}

impl RenderConfig {
    /// Nothing that breaks brightness constancy: no movers, no drift, no noise. For tests of losses against truth.
    pub fn clean() -> Self {
        Self { movers: false, exposure_drift: 0.0, noise: 0.0, ..Self::default() }
    }
}

/// Which way round the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heading {
    /// Counter-clockwise, with the road on the right.
    Forward,
    /// Clockwise.
    Backward,
}

/// How the robot drives and carries its camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriveConfig {
    /// Which way round.
    pub heading: Heading,
    /// Metres along the path before the first frame.
    pub start_m: f64,
    /// Mean speed; it wanders by a quarter.
    pub speed_m_per_s: f64,
    /// Frames per second.
    pub fps: f64,
    /// Seconds since the place's beginning at the first frame: where people and cars are.
    pub start_secs: f64,
    /// Height of the camera over the ground.
    pub camera_height_m: f64,
    /// How far the camera looks down.
    pub pitch_down_rad: f64,
    /// Size of the camera's shaking: 1 is a robot on rough ground, 0 none.
    pub shake: f64,
}

impl Default for DriveConfig {
    fn default() -> Self {
        Self {
            heading: Heading::Forward,
            start_m: 0.0,
            speed_m_per_s: 2.0,
            fps: 10.0,
            start_secs: 0.0,
            camera_height_m: 0.65,
            pitch_down_rad: 0.03,
            shake: 1.0,
        }
    }
}

/// A rotating range sensor above the camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LidarConfig {
    /// Rings of beams.
    pub rings: u16,
    /// Lowest and highest ring, radians above the horizon.
    pub elevation_rad: [f32; 2],
    /// Angle from beam to beam along a ring.
    pub azimuth_step_rad: f32,
    /// Farthest return.
    pub range_m: f32,
    /// Standard deviation of a return's distance.
    pub noise_m: f32,
    /// Part of the beams that bring nothing back.
    pub dropout: f32,
    /// Height over the camera: it sees a little past what the camera sees.
    pub above_camera_m: f32,
}

impl Default for LidarConfig {
    fn default() -> Self {
        Self {
            rings: 32,
            elevation_rad: [-0.42, 0.19],
            azimuth_step_rad: 0.007,
            range_m: 40.0,
            noise_m: 0.015,
            dropout: 0.05,
            above_camera_m: 0.08,
        }
    }
}
