//! Pictures of a board and their truth, on disk.

use super::config::BoardsConfig;
use super::picture::Painter;
use super::scene::BoardScene;
use super::views::scene;
use crate::dataset::{Existing, Watch, replace_folder, target_folder};
use crate::{Error, Result};
use parallax_core::camera::ros_yaml;
use parallax_core::files::{AtomicFolder, write_bytes, write_picture};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Name of the file of settings in an output folder.
const SETTINGS: &str = "boards.toml";
/// Everything that an output folder may hold, so that only such a folder is ever replaced.
const OURS: [&str; 6] = ["left", "right", "camera.yaml", "camera_right.yaml", "truth.json", SETTINGS];

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
