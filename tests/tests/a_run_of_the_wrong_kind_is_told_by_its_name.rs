//! Every command says which kind of run it needs and which it got; rivals of depth go through the program as depth does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, program, run_to_end};
use std::path::{Path, PathBuf};

/// Exit code and stderr.
fn outcome(arguments: &[&str]) -> (i32, String) {
    let output = program("parallax-train").unwrap().args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A rendered drive without its cameras, and its labelled set.
fn rendered(folder: &Path) -> (PathBuf, PathBuf) {
    let out = folder.join("world");
    let arguments = ["render", "--frames", "8", "--size", "64x32", "--labels", "16", "--out", &argument(&out)];
    run_to_end("parallax-world", &arguments).unwrap();
    (out.join("drive.mcap"), out.join("labelled"))
}

const SMALL: [&str; 8] = ["--size", "64x32", "--batch", "4", "--device", "cpu", "--steps", "2"];

fn pretrained(from: &str, data: &Path, out: &Path) {
    let given = ["pretrain", "--from", from, "--data", &argument(data), "--out", &argument(out)];
    run_to_end("parallax-train", &[&given[..], &SMALL].concat()).unwrap();
}

#[test]
fn commands_name_the_kind_that_they_need_and_the_kind_that_they_got() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, labels) = rendered(folder.path());
    let (drive, labels) = (argument(&drive), argument(&labels));
    let out = argument(&folder.path().join("out"));
    for (from, kind) in [
        ("flow", "optical-flow pre-training"),
        ("inpainting", "inpainting pre-training"),
        ("contrastive", "contrastive pre-training"),
    ] {
        let run = folder.path().join(from);
        pretrained(from, Path::new(&drive), &run);
        let run = argument(&run);
        for (needed, arguments) in [
            ("depth pre-training or segmentation", vec!["export", &run, "--out", &out]),
            ("depth pre-training", vec!["evaluate", &run, "--depth", "--data", &drive]),
            ("segmentation", vec!["evaluate", &run, "--labels", &labels]),
            ("segmentation", vec!["pack", &drive, "--run", &run, "--out", &out]),
            ("segmentation", vec!["finetune", "--resume", "--out", &run]),
        ] {
            let (code, message) = outcome(&arguments);
            let expected = format!("expected a run of {needed}, found one of {kind}");
            assert!(code == 1 && message.contains(&expected) && message.contains("hint:"), "{arguments:?}: {message}");
        }
        // The same run goes on and hands its encoder on.
        run_to_end("parallax-train", &["pretrain", "--resume", "--steps", "3", "--device", "cpu", "--out", &run])
            .unwrap();
        let masks = argument(&folder.path().join(format!("{from}_masks")));
        let given = ["finetune", "--labels", &labels, "--init", &run, "--transfer", "encoder", "--out", &masks];
        run_to_end("parallax-train", &[&given[..], &["--steps", "1", "--device", "cpu"]].concat()).unwrap();
        let (code, message) = outcome(&["pretrain", "--resume", "--out", &masks]);
        assert!(code == 1 && message.contains("found one of segmentation"), "{message}");
    }
}

#[test]
fn rivals_stand_alone_and_need_no_camera() {
    let folder = tempfile::tempdir().unwrap();
    let out = argument(&folder.path().join("out"));
    let with = |from: &str, more: &[&str]| {
        outcome(&[&["pretrain", "--from", from, "--data", "drive.mcap", "--out", &out], more].concat())
    };
    for from in ["flow,video", "flow,contrastive", "inpainting,inpainting"] {
        let (code, message) = with(from, &[]);
        assert!(code == 2 && message.contains("stand alone"), "{from}: {message}");
    }
    let (code, message) = with("colours", &[]);
    assert!(code == 2 && message.contains("video") && message.contains("contrastive"), "{message}");
    let (code, message) = with("flow", &["--camera", "camera.yaml"]);
    assert!(code == 2 && message.contains("camera files have no use"), "{message}");
    let (code, message) = with("contrastive", &["--batch", "1"]);
    assert!(code == 2 && message.contains("batch of 1"), "{message}");
    let (code, message) = with("flow", &["--size", "100x64"]);
    assert!(code == 2 && message.contains("100x64"), "{message}");
    let weights = folder.path().join("resnet18.pth");
    std::fs::write(&weights, "").unwrap();
    let init = argument(&weights);
    let (code, message) = outcome(&["finetune", "--labels", "mine", "--init", &init, "--out", &out]);
    assert!(code == 2 && message.contains("--network resnet18"), "{message}");
}
