//! OpenCV's sample pictures of a chessboard: a real pair of cameras.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says loudly what it skips")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn pictures() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/opencv_chessboard");
    if !path.is_dir() {
        eprintln!("SKIPPED: OpenCV's chessboard pictures are not here ({} is missing)", path.display());
        return None;
    }
    Some(path)
}

fn solve(pictures: &Path, out: &Path, right: bool) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax-calib"));
    command.args(["solve", "--board", "chessboard:9x6:25mm", "--json", "--out"]).arg(out);
    if right {
        command.arg("--right").arg(pictures.join("right*.jpg")).arg("--");
    }
    let output = command.arg(pictures.join("left*.jpg")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_left_camera_of_opencvs_sample() {
    let Some(pictures) = pictures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let result = solve(&pictures, &folder.path().join("camera.yaml"), false);
    assert_eq!((&result["views_used"], &result["views_given"]), (&13.into(), &13.into()));
    let number = |name: &str| result[name].as_f64().unwrap();
    assert!(number("rms_px") <= 0.25, "{}", number("rms_px"));
    assert!((530.5..536.5).contains(&number("fx")), "{}", number("fx"));
    let camera = parallax_core::camera::ros_yaml::read(&folder.path().join("camera.yaml")).unwrap();
    assert_eq!(camera.intrinsics.fx, number("fx"));
}

#[test]
fn the_pair_of_opencvs_sample() {
    let Some(pictures) = pictures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let result = solve(&pictures, &folder.path().join("camera.yaml"), true);
    assert!(result["rms_px"].as_f64().unwrap() <= 0.25);
    let stereo = &result["stereo"];
    let baseline = stereo["baseline_m"].as_f64().unwrap();
    assert!((baseline - 0.0832).abs() <= 0.0005, "{baseline}");
    assert!(stereo["epipolar_after_px"]["rms"].as_f64().unwrap() <= 0.3);
    let right = parallax_core::camera::ros_yaml::read(&folder.path().join("camera_right.yaml")).unwrap();
    assert!((right.baseline_m().unwrap() - baseline).abs() < 1e-9 && right.needs_rectification());
}
