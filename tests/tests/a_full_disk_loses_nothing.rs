//! A disk that fills while something is written gives an error that says so, and no half-written file under the final name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, program, run, run_to_end};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A small file system of its own; needs root to mount.
struct SmallDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&path).output();
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
    let Some(disk) = SmallDisk::mount("size=1m") else { return };
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

fn pretrain(data: &Path, out: &Path) -> Command {
    let mut command = program("parallax-train").unwrap();
    command.args(["pretrain", "--from", "stereo", "--size", "64x32", "--batch", "1", "--device", "cpu"]);
    command.args(["--steps", "300", "--save-every", "10"]).arg("--data").arg(data).arg("--out").arg(out);
    command
}

fn steps_logged(run: &Path) -> usize {
    std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default().lines().count()
}

/// Names, shapes and bytes of the weights, in whatever order the header has them.
fn weights(run: &Path) -> Vec<u8> {
    let file = std::fs::read(run.join("model.safetensors")).unwrap();
    let header_length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[8 + header_length..].to_vec()
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_run_ends_it_and_the_run_goes_on_when_there_is_room() {
    // A checkpoint is 9 MB, and the one before it stays until it is whole.
    let Some(disk) = SmallDisk::mount("size=32m") else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let world = elsewhere.path().join("world");
    let render = ["render", "--stereo", "--frames", "6", "--size", "64x32", "--out", &argument(&world)];
    run_to_end("parallax-world", &render).unwrap();
    let (data, stopped, whole) = (world.join("drive.mcap"), disk.path.join("run"), elsewhere.path().join("whole"));

    let child = pretrain(&data, &stopped).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while steps_logged(&stopped) < 12 {
        assert!(start.elapsed() < Duration::from_secs(120), "no step was logged in {}", stopped.display());
        std::thread::sleep(Duration::from_millis(2));
    }
    let filler = disk.path.join("somebody_elses_file");
    let mut fills = std::fs::File::create(&filler).unwrap();
    while fills.write_all(&[1; 4096]).is_ok() {}
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left") && said.contains("hint:") && said.contains("space"), "{said}");
    assert!(stopped.join("state.json").is_file() && steps_logged(&stopped) < 300, "{said}");

    drop(fills);
    std::fs::remove_file(&filler).unwrap();
    run_to_end("parallax-train", &["pretrain", "--resume", "--device", "cpu", "--out", &argument(&stopped)]).unwrap();
    assert!(pretrain(&data, &whole).output().unwrap().status.success());
    assert!(weights(&stopped) == weights(&whole), "the resumed run has other weights");
}
