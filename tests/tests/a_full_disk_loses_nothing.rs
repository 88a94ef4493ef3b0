//! A disk that fills while something is written gives an error that says so, and no half-written file under the final name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own with room for a megabyte; needs root to mount.
struct SmallDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { _folder: folder, path });
        }
        eprintln!("SKIPPED: a small file system could not be mounted (needs root): the full-disk test did not run");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

fn says_that_the_disk_is_full(program: &str, arguments: &[&str], finals: &[&Path]) {
    let output = run(program, arguments).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{program} said: {said}");
    assert!(said.contains("disk is full") || said.contains("No space left"), "{program} said: {said}");
    assert!(said.contains("hint:") && !said.contains("panicked"), "{program} said: {said}");
    for path in finals {
        assert!(!path.exists(), "{program} left {} behind", path.display());
    }
}

#[test]
fn recordings_runs_and_masks_are_whole_or_absent() {
    let Some(disk) = SmallDisk::mount() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| disk.path.join(name);
    let world = at("world");
    let render = ["render", "--frames", "60", "--size", "256x128", "--no-noise", "--out", &argument(&world)];
    says_that_the_disk_is_full("parallax-world", &render, &[&world.join("drive.mcap"), &world.join("camera.yaml")]);
    let good = elsewhere.path().join("world");
    let render = ["render", "--frames", "6", "--size", "64x32", "--labels", "16", "--out", &argument(&good)];
    assert!(run("parallax-world", &render).unwrap().status.success());
    let (data, labels, runs) = (argument(&good.join("drive.mcap")), argument(&good.join("labelled")), at("run"));
    let out = argument(&runs);
    let pretrain = [
        "pretrain", "--from", "video", "--data", &data, "--size", "64x32", "--steps", "2", "--device", "cpu", "--out",
        &out,
    ];
    says_that_the_disk_is_full(
        "parallax-train",
        &pretrain,
        &[&runs.join("model.safetensors"), &runs.join("state.json")],
    );
    let finetune =
        ["finetune", "--labels", &labels, "--size", "64x32", "--steps", "2", "--device", "cpu", "--out", &out];
    let _ = std::fs::remove_dir_all(&runs);
    says_that_the_disk_is_full(
        "parallax-train",
        &finetune,
        &[&runs.join("model.safetensors"), &runs.join("state.json")],
    );
}
