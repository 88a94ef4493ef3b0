//! The program and the library on a bundle whose right answers are known by construction.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use parallax_camera::Source;
use parallax_core::bundle::Bundle;
use parallax_core::camera::{Camera, CameraIdentity, Intrinsics, ros_yaml};
use parallax_core::labels::{IGNORE, LabelMap, LabelledSetWriter};
use parallax_edge::drive::{DriveConfig, Models, Outputs, Overlays, drive};
use parallax_edge::inspection::inspect;
use parallax_edge::{EdgeError, Engine, EngineConfig};
use serde_json::json;

use common::{HEIGHT, WIDTH, classes, model, picture, write_bundle};
use parallax_onnx::{ModelProto, NodeProto, TensorProto};

/// Frames of another size than the network: the mask must come back at theirs.
const FRAME: (u32, u32) = (64, 32);

fn bundle_in(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("bundle");
    write_bundle(&path, model("Conv", WIDTH, HEIGHT), |_| {});
    path
}

/// Frame `i` is red from column `8 i` on.
fn frames_in(folder: &Path, count: u32) -> std::path::PathBuf {
    let path = folder.join("frames_in");
    std::fs::create_dir(&path).unwrap();
    for index in 0..count {
        picture(FRAME.0, FRAME.1, 8 * index).save(path.join(format!("{index}.png"))).unwrap();
    }
    path
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parallax-edge")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn check_mask(path: &Path, split: u32) {
    let mask = image::open(path).unwrap().to_luma8();
    assert_eq!(mask.dimensions(), FRAME);
    for (x, y, value) in mask.enumerate_pixels() {
        // The border is blurred over one network pixel, four frame pixels.
        if x.abs_diff(split) > 4 {
            assert_eq!(value.0[0], if x < split { 0 } else { 7 }, "{} at {x}, {y}", path.display());
        }
    }
}

#[test]
fn every_frame_gets_a_mask_an_overlay_and_a_line_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, frames) = (bundle_in(folder.path()), frames_in(folder.path(), 7));
    for threads in ["1", "3"] {
        let out = folder.path().join(format!("out{threads}"));
        let arguments = [
            "run",
            "--from",
            text(&frames),
            "--bundle",
            text(&bundle),
            "--out",
            text(&out),
            "--json",
            "--threads",
            threads,
        ];
        let output = program(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(stdout, std::fs::read_to_string(out.join("frames.jsonl")).unwrap());
        for (index, line) in stdout.lines().enumerate() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["frame"], index);
            assert_eq!(line["dropped"], 0);
            assert!(line["age_ms"].as_f64().unwrap() > 0.0);
            for stage in ["decode", "prepare", "infer", "postprocess", "write"] {
                assert!(line["stages_ms"][stage].is_f64(), "{stage}");
            }
            assert_eq!(
                (&line["picture"], &line["mask"]),
                (&json!(format!("{index}.png")), &json!(format!("masks/{index}.png")))
            );
            check_mask(&out.join(format!("masks/{index}.png")), 8 * index as u32);
            assert_eq!(image::open(out.join(format!("overlays/{index}.png"))).unwrap().width(), FRAME.0);
        }
        assert_eq!(stdout.lines().count(), 7);
        let summary: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["frames"], 7);
        assert!(summary["stages"]["infer"]["p95_ms"].is_f64());
    }
}

#[test]
fn masks_are_called_as_their_pictures_and_every_line_names_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path());
    let drive = folder.path().join("drive");
    for eye in ["left", "right"] {
        std::fs::create_dir_all(drive.join(eye)).unwrap();
        // Later in the alphabet is earlier by its number, two names differ in their extension alone.
        for (split, name) in [(8, "ride 2 (ü).png"), (16, "ride 10.png"), (24, "same.bmp"), (32, "same.png")] {
            picture(FRAME.0, FRAME.1, split).save(drive.join(eye).join(name)).unwrap();
        }
    }
    let run = |from: &str, out: &Path| {
        let output = program(&["run", "--from", from, "--bundle", text(&bundle), "--out", text(out), "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        let named = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("picture"), text("mask"))
        };
        lines.lines().map(named).collect::<Vec<_>>()
    };
    let out = folder.path().join("stereo");
    let expected = [
        (8, "left/ride 2 (ü).png", "masks/ride 2 (ü).png"),
        (16, "left/ride 10.png", "masks/ride 10.png"),
        (24, "left/same.bmp", "masks/same.bmp.png"),
        (32, "left/same.png", "masks/same.png.png"),
    ];
    let found = run(text(&drive), &out);
    assert_eq!(found, expected.map(|(_, picture, mask)| (picture.to_owned(), mask.to_owned())));
    for (split, _, mask) in expected {
        check_mask(&out.join(mask), split);
    }
    let (alone, out) = (drive.join("right/ride 10.png"), folder.path().join("alone"));
    assert_eq!(run(text(&alone), &out), [("ride 10.png".to_owned(), "masks/ride 10.png".to_owned())]);
    check_mask(&out.join("masks/ride 10.png"), 16);
    // Played twice, a name does not say which round it was.
    let repeated = run(&format!("file:{}?repeat=2", text(&alone)), &folder.path().join("twice"));
    let masks: Vec<&str> = repeated.iter().map(|(_, mask)| mask.as_str()).collect();
    assert_eq!(masks, ["masks/000000.png", "masks/000001.png"]);
    assert!(repeated.iter().all(|(picture, _)| picture == "ride 10.png"));
}

#[test]
fn a_damaged_frame_is_reported_and_skipped_with_exit_code_three() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, frames) = (bundle_in(folder.path()), frames_in(folder.path(), 4));
    let bytes = std::fs::read(frames.join("2.png")).unwrap();
    std::fs::write(frames.join("2.png"), &bytes[..bytes.len() / 2]).unwrap();
    let out = folder.path().join("out");
    let output =
        program(&["run", "--from", text(&frames), "--bundle", text(&bundle), "--out", text(&out), "--no-overlays"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = std::fs::read_to_string(out.join("frames.jsonl")).unwrap();
    let lost: serde_json::Value = serde_json::from_str(lines.lines().nth(2).unwrap()).unwrap();
    assert!(lost["error"].as_str().unwrap().contains("2.png"), "{lost}");
    assert!(lost["mask"].is_null() && lost["picture"] == "2.png");
    assert!(!out.join("masks/2.png").exists() && out.join("masks/3.png").exists());
    assert!(!out.join("overlays").exists());
}

/// The network of the other tests plus the root of what is left of blue: no number where a picture is very blue.
fn model_without_blue() -> Vec<u8> {
    let mut file = ModelProto::from_bytes(&model("Conv", WIDTH, HEIGHT)).unwrap();
    let graph = file.graph.as_mut().unwrap();
    graph.node[0].output = vec!["red".to_owned()];
    graph.initializer.push(TensorProto::of_floats("blue", &[1, 3, 1, 1], &[0.0, 0.0, -1.0]));
    graph.initializer.push(TensorProto::of_floats("rest", &[1], &[0.5]));
    for (operator, inputs, output) in [
        ("Conv", &["image", "blue", "rest"][..], "left"),
        ("Sqrt", &["left"], "root"),
        ("Add", &["red", "root"], "logits"),
    ] {
        graph.node.push(NodeProto::new(operator, output, inputs, output));
    }
    file.to_bytes()
}

#[test]
fn a_frame_for_which_the_network_gives_no_numbers_has_an_error_and_no_mask() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, frames) = (folder.path().join("bundle"), frames_in(folder.path(), 4));
    write_bundle(&bundle, model_without_blue(), |_| {});
    let blue = |index: u32| {
        let picture = image::RgbImage::from_pixel(FRAME.0, FRAME.1, image::Rgb([0, 0, 255]));
        picture.save(frames.join(format!("{index}.png"))).unwrap();
    };
    blue(2);
    let run = |out: &Path, more: &[&str]| {
        let arguments = ["run", "--from", text(&frames), "--bundle", text(&bundle), "--out", text(out), "--json"];
        let output = program(&[&arguments, more].concat());
        let lines = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lines, std::fs::read_to_string(out.join("frames.jsonl")).unwrap());
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let summary: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
        (output.status.code(), lines, summary, String::from_utf8(output.stderr).unwrap())
    };
    for smooth in [&[][..], &["--smooth", "3"]] {
        let out = folder.path().join(format!("out{}", smooth.len()));
        let (code, lines, summary, said) = run(&out, smooth);
        assert_eq!(code, Some(3), "{said}");
        let errors: Vec<bool> = lines.iter().map(|line| line["error"].is_string()).collect();
        assert_eq!(errors, [false, false, true, false]);
        assert!(lines[2]["error"].as_str().unwrap().contains("NaN") && lines[2]["mask"].is_null(), "{}", lines[2]);
        assert_eq!((&summary["frames"], &summary["lost"], &summary["not_finite"]), (&3.into(), &1.into(), &1.into()));
        assert_eq!(std::fs::read_dir(out.join("masks")).unwrap().count(), 3);
        assert!(said.contains("gave no numbers"), "{said}");
    }
    (0..4).for_each(blue);
    let (code, lines, summary, said) = run(&folder.path().join("none"), &[]);
    assert_eq!((code, lines.len(), &summary["frames"], &summary["not_finite"]), (Some(3), 4, &0.into(), &4.into()));
    assert_eq!(said.matches("WARN").count(), 1, "thirty a second would fill a log: {said}");
}

#[test]
fn an_occupied_output_folder_and_a_missing_recording_fail_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, frames) = (bundle_in(folder.path()), frames_in(folder.path(), 1));
    let output = program(&["run", "--from", text(&frames), "--bundle", text(&bundle), "--out", text(&frames)]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("not empty") && stderr.contains("hint: "), "{stderr}");
    let nowhere = folder.path().join("nowhere");
    let out = folder.path().join("out");
    let output = program(&["run", "--from", text(&nowhere), "--bundle", text(&bundle), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!out.exists() && !folder.path().join("out.partial").exists());
    assert_eq!(program(&["run", "--bundle", text(&bundle)]).status.code(), Some(2));
}

#[test]
fn a_run_that_is_stopped_keeps_what_is_done_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = Bundle::open(&bundle_in(folder.path())).unwrap();
    // More than the 64 lines that a thread may be ahead of the one that stops it.
    let source = Source::open(text(&frames_in(folder.path(), 80))).unwrap();
    let engine = Engine::load(&bundle, None).unwrap();
    let out = folder.path().join("out");
    let config = DriveConfig { out: Some(out.clone()), threads: 1, overlays: Overlays::Skip, ..DriveConfig::default() };
    let stop = AtomicBool::new(false);
    let summary = drive(&Models::one(engine), source, &config, &Outputs::none(1), &stop, |line| {
        if line.frame == 1 {
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    })
    .unwrap();
    assert!(summary.interrupted && summary.frames >= 2 && summary.frames < 80, "{summary:?}");
    let lines = std::fs::read_to_string(out.join("frames.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), summary.frames);
}

/// The masks of a folder, each of which must be whole, and its lines, each of which must be one.
fn whole_masks_and_lines(out: &Path) -> (usize, Vec<serde_json::Value>) {
    let masks: Vec<_> = std::fs::read_dir(out.join("masks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for mask in &masks {
        assert_eq!(image::open(mask).unwrap().to_luma8().dimensions(), FRAME, "{}", mask.display());
    }
    let text = std::fs::read_to_string(out.join("frames.jsonl")).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for mask in lines.iter().filter_map(|line| line["mask"].as_str()) {
        assert!(out.join(mask).is_file(), "{mask} is promised and not there");
    }
    (masks.len(), lines)
}

/// Runs a command with a limit of 1024-byte blocks for the size of each file.
fn with_file_limit(blocks: u32, arguments: &[&str]) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut shell = Command::new("bash");
    shell.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_parallax-edge")]).args(arguments).output().unwrap()
}

#[test]
fn a_folder_that_may_not_grow_keeps_what_is_whole_and_makes_exit_code_three() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, frames) = (bundle_in(folder.path()), frames_in(folder.path(), 8));
    let from = format!("{}?repeat=40", text(&frames));
    let run = |out: &str, more: &[&str]| {
        let out = folder.path().join(out);
        let arguments = ["run", "--from", &from, "--bundle", text(&bundle), "--out", text(&out)];
        (with_file_limit(8, &[&arguments[..], more].concat()), out)
    };
    // `frames.jsonl` meets the limit of 8 kB after some forty lines.
    let (output, out) = run("alone", &[]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("File too large") && !folder.path().join("alone.partial").exists(), "{stderr}");
    let (masks, lines) = whole_masks_and_lines(&out);
    assert!(lines.len() > 10 && masks >= lines.len() && masks < 320, "{masks} masks, {} lines", lines.len());
    let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["masks"], &summary["interrupted"]), (&masks.into(), &true.into()));
    assert!(summary["full"].as_str().unwrap().contains("File too large"), "{summary}");
    assert!(out.join("run.toml").is_file());

    // With a log beside it the robot still sees when the folder is full.
    let log = folder.path().join("log");
    let (output, out) = run("beside", &["--log", text(&log), "--no-overlays"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("320 masks, ") && whole_masks_and_lines(&out).0 < 320, "{said}");
    // Its own files met the limit too; what it says of them is what they hold.
    let logged: u64 = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let counts = mcap::Summary::read(&bytes).unwrap().unwrap();
            let channel = counts.channels.values().find(|channel| channel.topic == "/parallax/mask").unwrap().id;
            counts.stats.unwrap().channel_message_counts.get(&channel).copied().unwrap_or(0)
        })
        .sum();
    assert!(said.contains(&format!("logged {logged} masks in ")), "{logged} in the files: {said}");
    assert!(said.contains(&format!("{} missed", 320 - logged)), "{said}");
}

#[test]
fn a_budget_ends_the_masks_before_it_is_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path());
    let frames = folder.path().join("large");
    std::fs::create_dir(&frames).unwrap();
    // Overlays of noise: 230 kB each.
    let noise = |x: u32, y: u32, at: u32| {
        (x.wrapping_mul(31).wrapping_add(y.wrapping_mul(1_973) ^ at).wrapping_mul(2_654_435_761) >> 24) as u8
    };
    for index in 0..12 {
        let picture =
            image::RgbImage::from_fn(320, 240, |x, y| image::Rgb([0, 1, 2].map(|c| noise(x, y, 3 * index + c))));
        picture.save(frames.join(format!("{index:02}.png"))).unwrap();
    }
    let out = folder.path().join("out");
    let arguments = ["run", "--from", text(&frames), "--bundle", text(&bundle), "--out", text(&out)];
    let output = program(&[&arguments[..], &["--budget", "1MB"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("budget of 1.0 MB is used up") && stderr.contains("hint: "), "{stderr}");
    let files = |folder: &Path| -> Vec<_> { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect() };
    let bytes: u64 = ["masks", "overlays", "."]
        .iter()
        .flat_map(|part| files(&out.join(part)))
        .map(|entry| if entry.path().is_dir() { 0 } else { entry.metadata().unwrap().len() })
        .sum();
    assert!(bytes <= 1_000_000 && bytes > 600_000, "{bytes} bytes");
    let lines = std::fs::read_to_string(out.join("frames.jsonl")).unwrap();
    assert_eq!(
        lines.lines().filter(|line| line.contains("\"mask\":\"masks/")).count(),
        files(&out.join("masks")).len()
    );
    for (more, code) in [(&["--budget", "10kB"][..], 2), (&["--budget", "many"], 2)] {
        let output = program(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(code), "{more:?}");
    }
}

#[test]
fn a_full_disk_keeps_the_masks_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, frames, disk) = (bundle_in(folder.path()), frames_in(folder.path(), 8), folder.path().join("disk"));
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: a small file system could not be mounted (needs root): the full-disk test did not run");
        return;
    }
    let from = format!("{}?repeat=100", text(&frames));
    let out = disk.join("out");
    let output = program(&["run", "--from", &from, "--bundle", text(&bundle), "--out", text(&out)]);
    let kept = folder.path().join("kept");
    let copied = Command::new("cp").arg("-r").arg(&out).arg(&kept).status();
    let left: Vec<_> = std::fs::read_dir(&disk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let _ = Command::new("umount").arg(&disk).status();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(copied.unwrap().success() && left == ["out"], "{left:?}");
    let (masks, lines) = whole_masks_and_lines(&kept);
    assert!(masks > 50 && masks < 800, "{masks} masks");
    assert_eq!(lines.iter().filter(|line| line["mask"].is_string()).count(), masks);
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(kept.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["masks"], masks);
}

#[test]
fn somebody_elses_partial_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, frames) = (bundle_in(folder.path()), frames_in(folder.path(), 2));
    let (out, mine) = (folder.path().join("out"), folder.path().join("out.partial"));
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("thesis.txt"), "years").unwrap();
    let output = program(&["run", "--from", text(&frames), "--bundle", text(&bundle), "--out", text(&out)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(whole_masks_and_lines(&out).0, 2);
    assert_eq!(std::fs::read(mine.join("thesis.txt")).unwrap(), b"years");
    assert_eq!(std::fs::read_dir(&mine).unwrap().count(), 1);
}

#[test]
fn a_recording_without_one_readable_frame_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = Bundle::open(&bundle_in(folder.path())).unwrap();
    let frames = frames_in(folder.path(), 2);
    let source = Source::open(text(&frames)).unwrap();
    for index in 0..2 {
        std::fs::write(frames.join(format!("{index}.png")), "gone").unwrap();
    }
    let engine = Engine::load(&bundle, None).unwrap();
    let out = folder.path().join("out");
    let config = DriveConfig { out: Some(out.clone()), threads: 2, ..DriveConfig::default() };
    let (models, outputs) = (Models::one(engine), Outputs::none(2));
    let error = drive(&models, source, &config, &outputs, &AtomicBool::new(false), |_| {}).unwrap_err();
    assert!(matches!(error, EdgeError::AllFramesLost { frames: 2, .. }), "{error}");
    assert!(!out.exists());
}

#[test]
fn the_golden_frame_comes_out_as_stored_and_a_wrong_one_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path());
    let inspection = inspect(&Bundle::open(&bundle).unwrap(), EngineConfig::default()).unwrap();
    assert_eq!(inspection.golden.agreement, 1.0);
    let found = &inspection.models[0];
    // 2 × 3 weights for each of 16 × 8 pixels.
    assert!((found.gmacs * 1e9 - 768.0).abs() < 0.5, "{}", found.gmacs);
    assert_eq!((found.convolutions.in_file, found.convolutions.int8_in_file), (1, 0));
    assert!(program(&["inspect", text(&bundle)]).status.success());

    // Another mean moves the border between the classes: the bundle is whole, but its masks are wrong.
    let shifted = folder.path().join("shifted");
    write_bundle(&shifted, model("Conv", WIDTH, HEIGHT), |manifest| manifest.input.mean = [0.99, 0.5, 0.5]);
    let output = program(&["inspect", text(&shifted), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let inspection: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(inspection["golden"]["reproduced"], false);

    // Nor does a run begin with such a bundle, unless somebody insists.
    let (frames, out) = (frames_in(folder.path(), 2), folder.path().join("out"));
    let arguments = ["run", "--from", text(&frames), "--bundle", text(&shifted), "--out", text(&out)];
    let refused = program(&arguments);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("golden frame") && said.contains("hint: ") && !out.exists(), "{said}");
    let insisted = program(&[&arguments[..], &["--no-golden"]].concat());
    let said = String::from_utf8(insisted.stderr).unwrap();
    assert!(insisted.status.success() && said.contains("--no-golden") && out.exists(), "{said}");
}

#[test]
fn evaluation_leaves_out_what_the_model_was_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path());
    let path = folder.path().join("labelled");
    let writer = LabelledSetWriter::create(&path, classes()).unwrap();
    for (name, split) in [("000", 16), ("001", 32), ("002", 48)] {
        let truth = |x: u32| if x.abs_diff(split) <= 4 { IGNORE } else { u8::from(x >= split) };
        let indices = (0..FRAME.0 * FRAME.1).map(|at| truth(at % FRAME.0)).collect();
        let labels = LabelMap { width: FRAME.0, height: FRAME.1, indices };
        writer.add(name, &picture(FRAME.0, FRAME.1, split), &labels).unwrap();
    }
    writer.finish().unwrap();
    let score = |more: &[&str]| -> serde_json::Value {
        let arguments = [&["evaluate", "--bundle", text(&bundle), "--labels", text(&path), "--json"], more].concat();
        let output = program(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let unseen = score(&[]);
    assert_eq!((&unseen["images"], &unseen["left_out"]), (&2.into(), &1.into()));
    assert_eq!((&unseen["miou"], &unseen["pixel_accuracy"]), (&1.0.into(), &1.0.into()));
    assert_eq!(unseen["per_class"][1]["name"], "red");
    assert_eq!(score(&["--include-training"])["images"], 3);
    let names = folder.path().join("names.txt");
    std::fs::write(&names, "002\n").unwrap();
    assert_eq!(score(&["--only", text(&names)])["images"], 1);

    let others = folder.path().join("classes.toml");
    parallax_core::labels::Classes::dense(&[("other", [0; 3]), ("blue", [0, 0, 255])]).write(&others).unwrap();
    let output = program(&["evaluate", "--bundle", text(&bundle), "--labels", text(&path), "--classes", text(&others)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("red"));
}

#[test]
fn bench_gives_the_promised_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path());
    let output = program(&["bench", "--bundle", text(&bundle), "--runs", "5", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bench: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for key in ["p50_ms", "p95_ms", "p99_ms", "gops"] {
        assert!(bench[key].is_f64(), "{key}");
    }
    assert_eq!(bench["runs"], 5);
}

#[test]
fn pictures_of_another_camera_than_the_bundle_s_are_refused_unless_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let camera = |fx| {
        let k = Intrinsics { fx, fy: 40.0, cx: 31.5, cy: 15.5 };
        Camera::pinhole("camera", FRAME.0, FRAME.1, k)
    };
    let bundle = folder.path().join("known.bundle");
    write_bundle(&bundle, model("Conv", WIDTH, HEIGHT), |manifest| {
        manifest.cameras = vec![CameraIdentity::of(&camera(40.0))];
    });
    let frames = frames_in(folder.path(), 1);
    let run = |out: &str, more: &[&str]| {
        let out = folder.path().join(out);
        let arguments = ["run", "--from", text(&frames), "--bundle", text(&bundle), "--out", text(&out)];
        program(&[&arguments[..], more].concat())
    };
    assert!(run("unknown", &[]).status.success());
    ros_yaml::write(&frames.join("camera.yaml"), &camera(40.0)).unwrap();
    assert!(run("same", &[]).status.success());
    ros_yaml::write(&frames.join("camera.yaml"), &camera(44.0)).unwrap();
    let output = run("other", &[]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("expected camera") && stderr.contains("--any-camera"), "{stderr}");
    assert!(!folder.path().join("other").exists());
    assert!(run("other", &["--any-camera"]).status.success());
}
