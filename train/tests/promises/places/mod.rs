//! Short walks through a place of `parallax-world`, as folders of pictures without a camera file.

use std::path::{Path, PathBuf};

use nalgebra::{Isometry3, Vector3};
use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, robot_camera};

/// Size of the pictures.
pub(crate) const SIZE: (u32, u32) = (128, 64);

/// How the camera moves from one frame to the next.
pub(crate) struct Walk {
    /// Metres along the camera's axes.
    pub(crate) step_m: Vector3<f64>,
    /// The most it turns to the side in a frame, radians.
    pub(crate) yaw: f64,
    /// The most it nods in a frame, radians.
    pub(crate) pitch: f64,
}

/// Writes `walks` walks of `frames` frames that begin at different places, each a folder with `frames/` and `poses.txt`.
pub(crate) fn write_walks(parent: &Path, walk: &Walk, walks: usize, frames: usize) -> Vec<PathBuf> {
    let world = World::generate(4, &WorldConfig::default());
    let camera = robot_camera("left", SIZE.0, SIZE.1);
    let start = world.drive(&DriveConfig { shake: 0.0, ..DriveConfig::default() });
    let one = |number: usize| {
        let folder = parent.join(format!("walk_{number}"));
        std::fs::create_dir_all(folder.join("frames")).unwrap();
        let mut pose = start.world_from_camera(70 * number);
        let mut poses = Vec::new();
        for frame in 0..frames {
            // Weaves with another rhythm in each walk, so that turns say nothing about the place.
            let phase = 0.9 * frame as f64 + 2.1 * number as f64;
            let turn = Vector3::new(walk.pitch * (1.7 * phase).sin(), walk.yaw * phase.sin(), 0.0);
            pose *= Isometry3::new(walk.step_m, turn);
            let picture = world.render(&camera, &pose, 0.0, &RenderConfig::clean()).rgb;
            picture.save(folder.join(format!("frames/{frame:06}.png"))).unwrap();
            poses.push(pose);
        }
        parallax_core::recording::write_kitti_poses(&folder.join("poses.txt"), &poses).unwrap();
        folder
    };
    (0..walks).map(one).collect()
}
