//! `kill -9` at ten random moments: every resume finds a whole checkpoint, and the run ends as if it had never been stopped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, program, run_to_end};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STEPS: usize = 40;
const KILLS: usize = 10;

/// How long after a step was logged a kill may come: a step with its checkpoint takes about as long.
const AFTER_A_STEP: u64 = 60_000;

fn rendered(folder: &Path) -> PathBuf {
    let out = folder.join("world");
    run_to_end("parallax-world", &["render", "--frames", "10", "--size", "64x32", "--out", &argument(&out)]).unwrap();
    out.join("drive.mcap")
}

/// A run that saves in every step, so that many kills hit a checkpoint in the making, and learns its motion too.
fn pretraining(data: &Path, out: &Path) -> Command {
    let mut command = program("parallax-train").unwrap();
    command.args(["pretrain", "--from", "video", "--size", "64x32", "--batch", "1", "--accumulate", "2"]);
    command.args(["--device", "cpu", "--save-every", "1", "--patience", "50", "--check-every", "3"]);
    command.args(["--steps", &STEPS.to_string()]).arg("--data").arg(data).arg("--out").arg(out);
    command
}

fn resuming(out: &Path) -> Command {
    let mut command = program("parallax-train").unwrap();
    command.args(["pretrain", "--resume", "--device", "cpu", "--out"]).arg(out);
    command
}

fn logged(run: &Path) -> usize {
    std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default().lines().count()
}

/// Kills the run at a random moment after it has logged `steps` steps; `false` when it ended before.
fn kill_after(mut child: Child, run: &Path, steps: usize, random: &mut ChaCha8Rng) -> bool {
    let start = Instant::now();
    while logged(run) < steps {
        assert!(start.elapsed() < Duration::from_secs(240), "step {steps} was not logged in {}", run.display());
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_micros(random.random_range(0..AFTER_A_STEP)));
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// Names, shapes and bytes of a weight file. The `__metadata__` is left out: its entries have no order.
fn weights(path: &Path) -> (Value, Vec<u8>) {
    let mut file = std::fs::read(path).unwrap();
    let header_length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let values = file.split_off(8 + header_length);
    let mut header: Value = serde_json::from_slice(&file[8..]).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__");
    (header, values)
}

/// The log but for the seconds that each step took.
fn log(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("seconds");
        line
    });
    lines.collect()
}

#[test]
fn ten_kills_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = rendered(folder.path());
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    assert!(pretraining(&data, &whole).output().unwrap().status.success());

    let mut random = ChaCha8Rng::seed_from_u64(9);
    // The first kill comes while the program starts, the others anywhere in the run.
    let mut places: Vec<usize> = (1..KILLS).map(|_| random.random_range(0..STEPS - 2)).chain([0]).collect();
    places.sort_unstable();
    let mut kills = 0;
    for place in places {
        let mut command = if killed.join("run.toml").is_file() {
            resuming(&killed)
        } else {
            // Killed before there was a run: `pretrain` starts it again, over what an empty folder holds.
            pretraining(&data, &killed)
        };
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        kills += usize::from(kill_after(child, &killed, place, &mut random));
    }
    assert_eq!(kills, KILLS, "every kill found the run alive");
    run_to_end("parallax-train", &["pretrain", "--resume", "--device", "cpu", "--out", &argument(&killed)]).unwrap();

    for name in ["model.safetensors", "pose.safetensors", "best/model.safetensors"] {
        assert!(weights(&killed.join(name)) == weights(&whole.join(name)), "{name} differs");
    }
    assert_eq!(log(&killed), log(&whole));
    let left: Vec<_> = std::fs::read_dir(&killed).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let left = left.iter().map(|name| name.to_string_lossy());
    assert_eq!(left.filter(|name| name.contains("partial") || *name == "saving").count(), 0);
}
