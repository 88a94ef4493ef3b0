//! `parallax-edge run` on live sources: child processes stand in for cameras (`scripts/test_v4l2` has the real device).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{HEIGHT, WIDTH, model, picture, write_bundle};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder with a bundle and a picture that is red from column 24 of 64 on.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bundle(&folder.path().join("bundle"), model("Conv", WIDTH, HEIGHT), |_| {});
        picture(64, 32, 24).save(folder.path().join("view.jpg")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, uri: &str, out: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parallax-edge"));
        command.args(["run", "--from", uri, "--json"]).args(more);
        command.arg("--bundle").arg(self.path("bundle")).arg("--out").arg(out);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, uri: &str, more: &[&str]) -> (Output, PathBuf) {
        let out = self.path("out");
        (self.command(uri, &out, more).output().unwrap(), out)
    }

    /// A command that shows the view 20 times a second, `count` times.
    fn camera(&self, count: u32) -> String {
        format!("for i in $(seq {count}); do cat {}; sleep 0.05; done", self.path("view.jpg").display())
    }
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

fn summary(out: &Path) -> serde_json::Value {
    json(&std::fs::read(out.join("summary.json")).unwrap())
}

fn check_mask(path: &Path) {
    let mask = image::open(path).unwrap().to_luma8();
    assert_eq!(mask.dimensions(), (64, 32));
    for (x, y, value) in mask.enumerate_pixels().filter(|(x, ..)| x.abs_diff(24) > 4) {
        assert_eq!(value.0[0], if x < 24 { 0 } else { 7 }, "{} at {x}, {y}", path.display());
    }
}

#[test]
fn a_camera_gives_masks_with_ages_and_a_summary_that_says_what_it_was() {
    let stage = Stage::new();
    for threads in ["1", "3"] {
        let (output, out) = stage.run(&format!("cmd:{}", stage.camera(1000)), &["--limit", "10", "--threads", threads]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<_> =
            output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(json).collect();
        assert_eq!(lines.len(), 10);
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(line["frame"], index);
            assert!((0.0..1000.0).contains(&line["age_ms"].as_f64().unwrap()), "{line}");
            check_mask(&out.join(line["mask"].as_str().unwrap()));
        }
        let stamps: Vec<_> = lines.iter().map(|line| line["timestamp_ns"].as_u64().unwrap()).collect();
        assert!(stamps.is_sorted_by(|a, b| a < b), "no frame comes twice: {stamps:?}");
        let summary = summary(&out);
        assert_eq!((&summary["frames"], &summary["interrupted"]), (&10.into(), &false.into()));
        assert_eq!(
            (&summary["camera"]["stamps"], &summary["camera"]["layout"]["format"]),
            (&"arrival".into(), &"mjpeg".into())
        );
        assert!(summary["counters"]["captured"].as_u64().unwrap() >= 10 && summary["recorded"].is_null());
        std::fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn a_camera_that_dies_is_told_in_a_line_comes_back_and_makes_exit_code_three() {
    let stage = Stage::new();
    let (output, out) =
        stage.run(&format!("cmd:{}; echo lens cap on >&2; exit 1", stage.camera(6)), &["--limit", "15"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("lost the camera") && stderr.contains("lens cap on"), "{stderr}");
    assert!(stderr.contains("the camera is back after"), "{stderr}");
    let lines = std::fs::read_to_string(out.join("frames.jsonl")).unwrap();
    let lines: Vec<_> = lines.lines().map(|line| json(line.as_bytes())).collect();
    let lost = lines.iter().position(|line| line["error"].is_string()).unwrap();
    assert!(lines[lost]["mask"].is_null());
    assert!(lines[lost + 1]["away_ms"].as_f64().unwrap() < 2000.0, "{}", lines[lost + 1]);
    assert!(summary(&out)["counters"]["losses"].as_u64().unwrap() >= 1);
}

/// Whether these tests run under `nohup`, which the program then keeps to.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    let is_ignored = u64::from_str_radix(mask, 16).unwrap() & 1 == 1;
    if is_ignored {
        eprintln!("SKIPPED: SIGHUP is ignored here: what a program does at the end of its terminal was not tested");
    }
    is_ignored
}

#[test]
fn a_camera_goes_on_until_it_is_told_to_stop_and_what_was_done_is_kept() {
    // A service manager's signal is how a service ends well; Ctrl-C and a terminal that goes are interruptions.
    let signals = [("-TERM", 0), ("-INT", 130), ("-HUP", 129)];
    for (signal, code) in signals.into_iter().filter(|(signal, _)| *signal != "-HUP" || !hang_up_is_ignored()) {
        let stage = Stage::new();
        let out = stage.path("out");
        let mut running = stage.command(&format!("cmd:{}", stage.camera(10_000)), &out, &[]).spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let mut count = (&mut lines).take(5).map(Result::unwrap).count();
        assert!(Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap().success());
        let start = Instant::now();
        count += lines.map(Result::unwrap).count();
        assert_eq!(running.wait().unwrap().code(), Some(code), "{signal}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let written = std::fs::read_to_string(out.join("frames.jsonl")).unwrap();
        assert_eq!(written.lines().count(), count);
        assert_eq!((&summary(&out)["frames"], &summary(&out)["interrupted"]), (&count.into(), &false.into()));
        assert!(!stage.path("out.partial").exists());
    }
}

#[test]
fn a_run_for_a_reader_ends_when_the_reader_goes_and_fails_when_it_cannot_take_the_lines() {
    let stage = Stage::new();
    let from = format!("cmd:{}", stage.camera(10_000));
    let run = |stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parallax-edge"));
        command.args(["run", "--from", &from, "--json", "--bundle"]).arg(stage.path("bundle"));
        let output = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, said) = run(writer.into());
    assert!(code == Some(0) && !said.contains("error"), "{code:?}: {said}");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, said) = run(full.into());
    assert!(code == Some(1) && said.contains("cannot write the result"), "{code:?}: {said}");
}

#[test]
fn a_killed_run_leaves_its_masks_and_the_next_one_does_not_take_them() {
    let stage = Stage::new();
    let (out, aside) = (stage.path("out"), stage.path("out.interrupted"));
    let camera = format!("cmd:{}", stage.camera(10_000));
    let mut running = stage.command(&camera, &out, &[]).spawn().unwrap();
    let lines = BufReader::new(running.stdout.take().unwrap()).lines();
    // A line is printed before it is written: of the last two it is not sure.
    let count = lines.take(7).map(Result::unwrap).count();
    // Whoever starts beside it is refused, and takes nothing.
    let (second, _) = stage.run(&camera, &["--limit", "1"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another program"), "{second:?}");
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(!out.exists() && stage.path("out.partial/masks/000006.png").is_file());

    let (next, _) = stage.run(&camera, &["--limit", "3"]);
    let said = String::from_utf8_lossy(&next.stderr).into_owned();
    assert_eq!(next.status.code(), Some(0), "{said}");
    assert!(said.contains("out.interrupted"), "{said}");
    assert_eq!(std::fs::read_dir(out.join("masks")).unwrap().count(), 3);
    let written = std::fs::read_to_string(aside.join("frames.jsonl")).unwrap();
    assert!(written.lines().count() >= count - 2 && written.ends_with('\n'), "{written}");
    for line in written.lines().map(|line| json(line.as_bytes())) {
        check_mask(&aside.join(line["mask"].as_str().unwrap()));
    }
}

#[test]
fn a_camera_whose_command_ends_well_does_not_end_the_run() {
    let stage = Stage::new();
    let (output, out) = stage.run(&format!("cmd:{}", stage.camera(4)), &["--limit", "12"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = summary(&out);
    assert!(summary["counters"]["losses"].as_u64().unwrap() >= 1, "{summary}");
    std::fs::remove_dir_all(out).unwrap();
    let (output, _) = stage.run(&format!("cmd:{}?finite=yes", stage.camera(4)), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_camera_that_is_not_there_is_an_error_before_anything_is_written() {
    let stage = Stage::new();
    for (uri, said, code) in [
        ("/dev/video4711", "No such file", 1),
        ("/dev/null", "expected a V4L2 device", 1),
        ("cmd:exit 7", "exit status: 7", 1),
        ("http://127.0.0.1:1/", "refused", 1),
        ("v4l2:/dev/video0?siez=640x480", "siez", 2),
        ("http://user:word@camera/", "curl", 2),
        ("rtsp://camera/1", "ffmpeg", 2),
    ] {
        let (output, out) = stage.run(uri, &[]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{uri}: {stderr}");
        assert!(stderr.contains(said) && stderr.contains("hint: "), "{uri}: {stderr}");
        assert!(output.stdout.is_empty() && !out.exists() && !stage.path("out.partial").exists());
    }
}

#[test]
fn the_list_of_cameras_is_a_list_even_where_there_are_none() {
    let output = Command::new(env!("CARGO_BIN_EXE_parallax-edge")).args(["devices", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(json(&output.stdout)["devices"].is_array());
}
