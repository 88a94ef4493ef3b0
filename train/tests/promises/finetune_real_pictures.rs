//! The programs on the real KITTI excerpt: a few steps of fine-tuning and a score, as a user would run them.
//!
//! The excerpt lies outside the repository (`../shared/data/kitti_mini`, or `PARALLAX_KITTI_MINI`); without it the test
//! says so and passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn kitti() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/kitti_mini");
    let path = std::env::var_os("PARALLAX_KITTI_MINI").map_or(beside, PathBuf::from);
    path.is_dir().then_some(path)
}

fn parallax_train(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parallax-train")).args(arguments).output().unwrap()
}

#[test]
fn a_few_steps_on_real_pictures_end_in_a_score_over_all_others() {
    let Some(kitti) = kitti() else {
        eprintln!("SKIPPED: no KITTI excerpt in ../shared/data/kitti_mini or PARALLAX_KITTI_MINI");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let labels = kitti.join("labelled");
    let classes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/kitti_classes.toml");
    let run = folder.path().join("run");
    let (labels, classes, run) = (labels.to_str().unwrap(), classes.to_str().unwrap(), run.to_str().unwrap());
    let arguments = ["finetune", "--labels", labels, "--classes", classes, "--out", run, "--device", "cpu"];
    let small = ["--count", "8", "--steps", "3", "--batch", "2", "--size", "128x64", "--network", "slim"];
    let output = parallax_train(&[&arguments[..], &small[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let output = parallax_train(&["evaluate", run, "--labels", labels, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["images"], 110);
    assert_eq!(report["per_class"].as_array().unwrap().len(), 7);
    let prior = report["location_prior"]["miou"].as_f64().unwrap();
    assert!((0.2..0.35).contains(&prior), "the location prior of this set is near 0.27, got {prior}");
}

#[test]
fn a_label_value_without_a_class_ends_the_program_with_the_file_and_a_remedy() {
    let Some(kitti) = kitti() else {
        eprintln!("SKIPPED: no KITTI excerpt in ../shared/data/kitti_mini or PARALLAX_KITTI_MINI");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let classes = folder.path().join("two.toml");
    let two = "schema = 1\nclass = [{ id = 7, name = \"road\", color = [1, 2, 3] }, { id = 23, name = \"sky\", color = [4, 5, 6] }]\n";
    std::fs::write(&classes, two).unwrap();
    let (labels, run) = (kitti.join("labelled"), folder.path().join("run"));
    let output = parallax_train(&[
        "finetune",
        "--labels",
        labels.to_str().unwrap(),
        "--classes",
        classes.to_str().unwrap(),
        "--out",
        run.to_str().unwrap(),
        "--device",
        "cpu",
    ]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("is no class") && complaint.contains(".png") && complaint.contains("hint:"),
        "{complaint}"
    );
    assert!(!run.exists());
}
