//! What a file may not say of itself.

use crate::Pair;
use std::path::PathBuf;

/// What a file may not say of itself.
#[derive(Clone, Debug, Default)]
pub struct Unsaid {
    /// Width and height of the pictures.
    pub size: Option<(u32, u32)>,
    /// Which of KITTI's pairs.
    pub pair: Pair,
    /// Metres in the unit of OpenCV's translations, which is that of the board's squares.
    pub metres_per_unit: Option<f64>,
    /// ROS's name of the lens model, for files that leave it open.
    pub model: Option<&'static str>,
    /// The file of the right camera, for forms of one camera a file.
    pub right: Option<PathBuf>,
    /// The file that says where the right camera is, as OpenCV's `extrinsics.yml` beside `intrinsics.yml`.
    pub extrinsics: Option<PathBuf>,
    /// Keys that the caller knows to say nothing about the camera.
    pub ignored: Vec<String>,
}

impl Unsaid {
    pub(super) fn ignores(&self, key: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored == key)
    }
}
