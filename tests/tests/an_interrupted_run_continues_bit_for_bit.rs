//! Ctrl-C saves, and `--resume` ends with the weights of a run that was never stopped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, program, run_to_end};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STEPS: &str = "24";

fn rendered(folder: &Path) -> PathBuf {
    let out = folder.join("world");
    run_to_end(
        "parallax-world",
        &["render", "--frames", "10", "--size", "64x32", "--labels", "16", "--out", &argument(&out)],
    )
    .unwrap();
    out
}

fn pretraining(data: &Path, out: &Path) -> Command {
    let mut command = program("parallax-train").unwrap();
    command
        .args(["pretrain", "--from", "video", "--size", "64x32", "--batch", "2", "--device", "cpu", "--steps", STEPS]);
    command.arg("--data").arg(data).arg("--out").arg(out);
    command
}

fn finetuning(labels: &Path, out: &Path) -> Command {
    let mut command = program("parallax-train").unwrap();
    command.args(["finetune", "--size", "64x32", "--batch", "2", "--count", "8", "--device", "cpu", "--steps", STEPS]);
    command.arg("--labels").arg(labels).arg("--out").arg(out);
    command
}

/// Sends the signal of Ctrl-C once the run has logged a few steps.
fn interrupt(mut child: Child, out: &Path) {
    let log = out.join("log.jsonl");
    let start = Instant::now();
    while std::fs::read_to_string(&log).unwrap_or_default().lines().count() < 3 {
        assert!(start.elapsed() < Duration::from_secs(240), "no step was logged in {}", log.display());
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be interrupted");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(130), "an interrupted run saves, and what was to come after it does not begin");
}

/// Names, shapes and bytes of a run's weights. The file's `__metadata__` is left out: its entries have no order.
fn weights(run: &Path) -> (serde_json::Value, Vec<u8>) {
    let mut file = std::fs::read(run.join("model.safetensors")).unwrap();
    let header_length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let values = file.split_off(8 + header_length);
    let mut header: serde_json::Value = serde_json::from_slice(&file[8..]).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__");
    (header, values)
}

fn continues_bit_for_bit(folder: &Path, subcommand: &str, start: impl Fn(&Path) -> Command) {
    let (whole, stopped) = (folder.join(format!("{subcommand}_whole")), folder.join(format!("{subcommand}_stopped")));
    assert!(start(&whole).stderr(Stdio::null()).status().unwrap().success());
    interrupt(start(&stopped).stderr(Stdio::null()).spawn().unwrap(), &stopped);
    assert_ne!(weights(&stopped), weights(&whole), "the run was stopped before its end");
    run_to_end("parallax-train", &[subcommand, "--resume", "--device", "cpu", "--out", &argument(&stopped)]).unwrap();
    assert!(weights(&stopped) == weights(&whole), "{subcommand}: the resumed run has other weights");
}

#[test]
fn pretraining_resumes_where_ctrl_c_stopped_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = rendered(folder.path());
    continues_bit_for_bit(folder.path(), "pretrain", |out| pretraining(&world.join("drive.mcap"), out));
}

#[test]
fn finetuning_resumes_where_ctrl_c_stopped_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = rendered(folder.path());
    continues_bit_for_bit(folder.path(), "finetune", |out| finetuning(&world.join("labelled"), out));
}
