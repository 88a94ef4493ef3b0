//! A rendered place with known truth, for tests and for the demonstration.
//!
//! ```
//! use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, robot_camera};
//!
//! let world = World::generate(7, &WorldConfig::default());
//! let camera = robot_camera("left", 64, 32);
//! let drive = world.drive(&DriveConfig::default());
//! let taken = world.render(&camera, &drive.world_from_camera(0), drive.time_secs(0), &RenderConfig::clean());
//! assert_eq!(taken.rgb.dimensions(), (64, 32));
//! ```
//!
//! In reading order:
//!
//! | module | what it holds |
//! |---|---|
//! | `config`, `class` | what can be chosen; what a pixel can be of |
//! | `random`, `tile`, `tiles`, `material`, `palette` | chance that repeats; textures and colours |
//! | `route`, `ground`, `solid`, `parts`, `things`, `movers`, `layout` | what there is and where |
//! | `light`, `beam`, `world`, `render`, `sensor`, `lidar` | how it looks and how far it is |
//! | `drive` | the robot's camera and its way |
//! | `dataset` | drives and labelled sets on disk |
//! | `boards` | calibration boards before known cameras |
//!
//! The same seed and configuration give the same bytes on any number of threads. (Across machines the last bit may differ,
//! because sine and cosine come from the system.)
//!
//! *Invariant:* this crate knows `parallax-core` and no other room.

mod beam;
pub mod boards;
mod class;
mod config;
pub mod dataset;
mod drive;
mod error;
mod ground;
mod layout;
mod lidar;
mod light;
mod material;
mod movers;
mod palette;
mod parts;
mod random;
mod render;
mod route;
mod sensor;
mod solid;
mod things;
mod tile;
mod tiles;
mod world;

pub use class::Class;
pub use config::{DriveConfig, Heading, LidarConfig, RenderConfig, WorldConfig};
pub use drive::{Drive, right_from_left_pose, robot_camera};
pub use error::{Error, Result};
pub use render::Rendered;
pub use world::World;
