//! Pictures of calibration boards by cameras that are known exactly.
//!
//! ```text
//! OUT/left/0000.png        what the (left) camera saw; right/ for a pair
//! OUT/camera.yaml          the true camera; camera_right.yaml
//! OUT/truth.json           the board, where it was in every view, and the true pixel of every corner in the picture
//! OUT/boards.toml          every setting these came from
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `views` | which camera, and where the board is held |
//! | `print` | what is printed where, looked up fast |
//! | `picture` | what a pixel sees: print, paper, light, blur, noise |

mod picture;
mod print;
mod views;

pub use picture::PictureConfig;
pub use views::{BoardView, Lens};

use crate::dataset::{Existing, Watch, replace_folder, target_folder};
use crate::{Error, Result};
use image::GrayImage;
use parallax_core::board::Board;
use parallax_core::camera::{Camera, ros_yaml};
use parallax_core::files::{AtomicFolder, write_bytes, write_picture};
use picture::Painter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Name of the file of settings in an output folder.
const SETTINGS: &str = "boards.toml";
/// Everything that an output folder may hold, so that only such a folder is ever replaced.
const OURS: [&str; 6] = ["left", "right", "camera.yaml", "camera_right.yaml", "truth.json", SETTINGS];

/// Everything that decides what is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardsConfig {
    /// Version of this form; 1.
    pub schema: u32,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// The board as text, such as `chessboard:9x6:25mm`.
    pub board: String,
    /// Number of views.
    pub views: usize,
    /// Width of every picture.
    pub width: u32,
    /// Height of every picture.
    pub height: u32,
    /// Model of the lens; its numbers follow from the seed.
    pub lens: Lens,
    /// Distance of a right camera in metres; none renders one camera. The right one is turned a little, as real ones are.
    pub baseline_m: Option<f64>,
    /// The farthest that the board is tilted away from facing the camera, degrees.
    pub tilt_degrees: f64,
    /// Whether the board may reach out of the picture; two fifths of its corners stay inside.
    pub partial: bool,
    /// How the pictures are taken.
    pub picture: PictureConfig,
}

impl BoardsConfig {
    /// Whole boards tilted by up to 45 degrees in front of an ordinary lens.
    pub fn new(seed: u64, board: &Board, views: usize, (width, height): (u32, u32)) -> Self {
        Self {
            schema: 1,
            seed,
            board: board.to_string(),
            views,
            width,
            height,
            lens: Lens::PlumbBob,
            baseline_m: None,
            tilt_degrees: 45.0,
            partial: false,
            picture: PictureConfig::default(),
        }
    }

    /// Checks the numbers and reads the board.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first number out of range.
    pub fn check(&self) -> Result<Board> {
        let wrong = |what: String| Err(Error::Setting { what });
        if self.views == 0 {
            return wrong("views must be at least 1, got 0".into());
        }
        if !(64..=8192).contains(&self.width) || !(64..=8192).contains(&self.height) {
            return wrong(format!("width and height must be 64 to 8192 pixels, got {}x{}", self.width, self.height));
        }
        if !(0.0..=70.0).contains(&self.tilt_degrees) {
            return wrong(format!("the tilt must be 0 to 70 degrees, got {}", self.tilt_degrees));
        }
        if let Some(baseline) = self.baseline_m.filter(|baseline| !(0.01..=2.0).contains(baseline)) {
            return wrong(format!("the baseline must be 0.01 to 2 metres, got {baseline}"));
        }
        if self.seed > i64::MAX as u64 {
            return wrong(format!("the seed must be below 2^63, got {}", self.seed));
        }
        self.picture.check()?;
        self.board.parse().map_err(|what| Error::Setting { what })
    }
}

/// What was written, under its final names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrittenBoards {
    /// The output folder.
    pub out: PathBuf,
    /// The folder of left pictures.
    pub left: PathBuf,
    /// The folder of right pictures.
    pub right: Option<PathBuf>,
    /// The true camera.
    pub camera: PathBuf,
    /// Poses and corners.
    pub truth: PathBuf,
    /// Number of views.
    pub views: usize,
}

/// A set of views with its truth, before anything is drawn.
#[derive(Clone, Debug)]
pub struct BoardScene {
    /// The board.
    pub board: Board,
    /// The true cameras: one, or left and right.
    pub cameras: Vec<Camera>,
    /// Takes a point of the left camera's frame to the right one's; none for one camera.
    pub right_from_left: Option<nalgebra::Isometry3<f64>>,
    /// Where the board is held.
    pub views: Vec<BoardView>,
}

impl BoardScene {
    /// What camera `eye` (0: left, 1: right) sees of the board held as in `view`; `number` tells noise and background of
    /// pictures apart.
    pub fn picture(&self, config: &BoardsConfig, eye: usize, view: &BoardView, number: usize) -> GrayImage {
        let painter = Painter::new(&self.board, &self.cameras[eye], &config.picture);
        painter.paint(&view.camera_from_board(self, eye), config.seed, number)
    }
}

/// Cameras and poses of a configuration.
///
/// # Errors
/// A setting is out of range, or no pose of the board fits the picture.
pub fn scene(config: &BoardsConfig) -> Result<BoardScene> {
    views::scene(config, config.check()?)
}

/// Renders and writes everything that `config` asks for; `out` appears when it is whole.
///
/// # Errors
/// A setting is out of range, `out` is in use, the work was stopped, or a file cannot be written. Nothing is left then.
pub fn write(config: &BoardsConfig, out: &Path, existing: Existing, watch: Watch) -> Result<WrittenBoards> {
    let scene = scene(config)?;
    let (target, replaces) = target_folder(out, existing, &OURS)?;
    let folder = AtomicFolder::create(&target)?;
    let names = ["left", "right"];
    for (camera, name) in scene.cameras.iter().zip(names) {
        let pictures = folder.partial().join(name);
        std::fs::create_dir_all(&pictures).map_err(parallax_core::Error::io("create", &pictures))?;
        let file = if name == "left" { "camera.yaml" } else { "camera_right.yaml" };
        ros_yaml::write(&folder.partial().join(file), camera)?;
    }
    let painters: Vec<Painter> =
        scene.cameras.iter().map(|camera| Painter::new(&scene.board, camera, &config.picture)).collect();
    for (index, view) in scene.views.iter().enumerate() {
        for (eye, painter) in painters.iter().enumerate() {
            if watch.stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped { path: out.to_path_buf() });
            }
            let picture = painter.paint(&view.camera_from_board(&scene, eye), config.seed, index * 2 + eye);
            let path = folder.partial().join(names[eye]).join(format!("{index:04}.png"));
            write_picture(&path, &picture.into())?;
        }
        (watch.on_picture)();
    }
    let truth =
        serde_json::to_vec_pretty(&truth(&scene)).map_err(|error| Error::Setting { what: error.to_string() })?;
    write_bytes(&folder.partial().join("truth.json"), &truth)?;
    let settings = toml::to_string(config).map_err(|error| Error::Setting { what: error.to_string() })?;
    write_bytes(&folder.partial().join(SETTINGS), settings.as_bytes())?;
    let finished = folder.finish()?;
    if replaces {
        replace_folder(&finished, out, &OURS)?;
    }
    Ok(WrittenBoards {
        out: out.to_path_buf(),
        left: out.join("left"),
        right: config.baseline_m.map(|_| out.join("right")),
        camera: out.join("camera.yaml"),
        truth: out.join("truth.json"),
        views: scene.views.len(),
    })
}

fn truth(scene: &BoardScene) -> Value {
    let pose = |pose: &nalgebra::Isometry3<f64>| -> Vec<f64> {
        let matrix = pose.to_homogeneous();
        (0..12).map(|index| matrix[(index / 4, index % 4)]).collect()
    };
    let views: Vec<Value> = scene
        .views
        .iter()
        .map(|view| {
            let corners: Vec<Value> = (0..scene.cameras.len())
                .map(|eye| {
                    let seen = view.corners(scene, eye).into_iter();
                    seen.map(|(number, pixel)| json!([number, pixel.x, pixel.y])).collect()
                })
                .collect();
            json!({ "camera_from_board": pose(&view.left_from_board), "corners": corners })
        })
        .collect();
    json!({
        "board": scene.board.to_string(),
        "right_from_left": scene.right_from_left.as_ref().map(pose),
        "views": views,
    })
}
