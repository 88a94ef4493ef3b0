//! `evaluate` scores depth against every kind of truth, and without any by how well frames are rebuilt; beside each score stand
//! those of guesses that need no network.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, run, run_for_json, run_to_end};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A rendered drive with stereo, depth, lidar and poses, and a run that has hardly begun to learn.
struct World {
    _folder: tempfile::TempDir,
    drive: String,
    run: String,
    out: PathBuf,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let (world, run_folder) = (folder.path().join("world"), folder.path().join("run"));
    let size = ["--frames", "12", "--size", "96x32"];
    run_to_end("parallax-world", &[&["render", "--stereo", "--lidar", "--out", &argument(&world)][..], &size].concat())
        .unwrap();
    let (drive, run) = (argument(&world.join("drive.mcap")), argument(&run_folder));
    let pretrain = ["pretrain", "--from", "video,stereo", "--data", &drive, "--size", "96x32", "--steps", "2"];
    run_to_end("parallax-train", &[&pretrain[..], &["--batch", "2", "--device", "cpu", "--out", &run]].concat())
        .unwrap();
    World { out: folder.path().join("report"), _folder: folder, drive, run }
}

impl World {
    fn scores(&self, arguments: &[&str]) -> Value {
        run_for_json("parallax-train", &[&["evaluate", &self.run, "--data", &self.drive, "--json"], arguments].concat())
            .unwrap()
    }
}

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} is missing in {report}"))
}

#[test]
fn depth_is_scored_against_dense_and_sparse_truth() {
    let world = world();
    let dense = world.scores(&["--depth"]);
    for score in ["abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3"] {
        for of in ["", "/baselines/constant", "/baselines/ground_plane", "/baselines/row_median"] {
            assert!(number(&dense, &format!("{of}/{score}")) >= 0.0);
        }
    }
    assert!(number(&dense, "/baselines/ground_plane/abs_rel") < number(&dense, "/baselines/constant/abs_rel"));
    let binned: f64 = dense["bins"].as_array().unwrap().iter().map(|bin| number(bin, "/pixels")).sum();
    assert_eq!(binned, number(&dense, "/pixels"));

    let sparse = world.scores(&["--depth", "--truth", "lidar"]);
    assert!(number(&sparse, "/pixels") < number(&dense, "/pixels"));
    let near = world.scores(&["--depth", "--cap", "20", "--min-depth", "2", "--crop", "garg"]);
    assert!(number(&near, "/pixels") < 0.8 * number(&dense, "/pixels"));
    assert!(near["bins"].as_array().unwrap().iter().all(|bin| number(bin, "/to_m") <= 20.0));
    // A run with stereo knows its metres, and says them unscaled.
    assert!(number(&world.scores(&["--depth", "--scaling", "none"]), "/abs_rel") > number(&dense, "/abs_rel"));
}

#[test]
fn learned_motion_and_rebuilt_frames_are_scored_where_poses_are_known() {
    let world = world();
    let depth = world.scores(&["--depth", "--snippet", "3"]);
    assert_eq!(number(&depth, "/trajectory/snippets"), 10.0);
    assert!(number(&depth, "/trajectory/standing_still_m/mean") > number(&depth, "/trajectory/mean_motion_m/mean"));

    let rebuilt = world.scores(&["--reconstruction", "--out", &argument(&world.out)]);
    assert_eq!(number(&rebuilt, "/pairs"), 22.0, "two neighbours, and one at each end");
    let (plane, still) = ("/baselines/ground_plane/photometric", "/baselines/standing_still/photometric");
    assert!(number(&rebuilt, plane) < number(&rebuilt, "/baselines/constant/photometric"));
    assert!(number(&rebuilt, plane) < 0.7 * number(&rebuilt, still));
    let other_eye = world.scores(&["--reconstruction", "--neighbours", "stereo"]);
    assert_eq!(number(&other_eye, "/pairs"), 12.0);
    let farther = world.scores(&["--reconstruction", "--frame-gap", "3"]);
    assert_eq!(
        (number(&farther, "/pairs"), number(&farther, "/frame_gap")),
        (18.0, 3.0),
        "three have one neighbour at each end"
    );
    assert!(number(&farther, still) > number(&rebuilt, still));
    let depth = world.scores(&["--depth", "--snippet", "3", "--frame-gap", "2"]);
    assert_eq!(number(&depth, "/trajectory/snippets"), 8.0);
    for name in ["report.json", "reconstruction.png"] {
        assert!(world.out.join(name).is_file(), "{name} is missing");
    }
    run_to_end(
        "parallax-train",
        &["evaluate", &world.run, "--depth", "--data", &world.drive, "--out", &argument(&world.out)],
    )
    .unwrap();
    assert!(world.out.join("worst.png").is_file());
}

#[test]
fn what_cannot_be_scored_is_said() {
    let world = world();
    let video = argument(&Path::new(&world.run).with_file_name("video"));
    let pretrain = ["pretrain", "--from", "video", "--data", &world.drive, "--size", "96x32", "--steps", "1"];
    run_to_end("parallax-train", &[&pretrain[..], &["--batch", "1", "--device", "cpu", "--out", &video]].concat())
        .unwrap();
    let says = |arguments: &[&str], code: i32, text: &str| {
        let output = run("parallax-train", &[&["evaluate"], arguments].concat()).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(text), "{said}");
    };
    let drive = ["--depth", "--data", &world.drive];
    says(&[&[&*video][..], &drive, &["--scaling", "none"]].concat(), 2, "does not know its scale");
    says(&[&[&*world.run][..], &drive, &["--cap", "0.05"]].concat(), 2, "--min-depth < --cap");
    says(&[&*world.run, "--depth"], 2, "--data");
    says(&[&[&*world.run][..], &drive, &["--frame-gap", "0"]].concat(), 2, "1..");
    says(&[&world.run, "--reconstruction", "--data", &world.drive, "--frame-gap", "12"], 1, "poses");
    let bare = Path::new(&world.run).with_file_name("bare");
    std::fs::create_dir_all(bare.join("frames")).unwrap();
    for frame in 0..3 {
        image::RgbImage::from_pixel(96, 32, image::Rgb([frame * 60, 90, 90]))
            .save(bare.join(format!("frames/{frame}.png")))
            .unwrap();
    }
    let camera = Path::new(&world.drive).with_file_name("camera.yaml");
    std::fs::copy(camera, bare.join("camera.yaml")).unwrap();
    let bare = argument(&bare);
    says(&[&world.run, "--depth", "--data", &bare], 1, "found none");
    says(&[&world.run, "--reconstruction", "--data", &bare], 1, "poses");
}
