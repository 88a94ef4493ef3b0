//! What is recorded in the field outlives the program's death, a full disk and a small budget.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parallax_core::recording::{Eye, NOTES_TOPIC, Recording};
use serde_json::Value;

use common::{HEIGHT, WIDTH, model, write_bundle};

const KILLS: u64 = 30;
/// Later than this before its death nothing may be missing.
const MOST_LOST: Duration = Duration::from_secs(1);

/// A camera that shows noise, about 30 frames a second, each of `width × height` bytes and about as many as a JPEG.
fn noise(width: u32, height: u32) -> String {
    let bytes = width * height;
    format!("cmd:while :; do head -c {bytes} /dev/urandom; sleep 0.03; done?format=gray8&size={width}x{height}")
}

fn record(from: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax-edge"));
    command.args(["record", "--from", from, "--all", "--json", "--out"]).arg(out).args(more);
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The files of a folder that a recorder has finished.
fn finished(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "mcap")).collect();
    files.sort();
    files
}

/// Opens a file as whole, reads its last picture, and says when its first and last frames were taken by the wall clock.
fn span(file: &Path) -> (Duration, Duration) {
    let recording = Recording::open(file).unwrap();
    assert_eq!(recording.damage(), None, "{} is torn", file.display());
    recording.frame(recording.len() - 1, Eye::Left).unwrap();
    let notes = recording.json_messages(NOTES_TOPIC).unwrap();
    assert_eq!(notes.len(), recording.len(), "every frame has its note");
    let wall = |note: &Value| Duration::from_nanos(note["wall_ns"].as_u64().unwrap());
    (wall(&notes[0].1), wall(&notes[notes.len() - 1].1))
}

fn frames_in(out: &Path) -> usize {
    finished(out).iter().map(|file| Recording::open(file).unwrap().len()).sum()
}

/// What a recorder says it has kept is in its files, and what it looked at is accounted for.
fn says_what_is_in_the_files(report: &[u8], frames: usize) {
    let report: Value = serde_json::from_slice(report).unwrap();
    let number = |key: &str| report[key].as_u64().unwrap();
    assert_eq!(number("kept"), frames as u64, "{report}");
    assert_eq!(number("kept") + number("unwritten"), number("seen"), "{report}");
    assert!(number("unwritten") > 0 && frames > 0, "{report}");
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Waits until the file of this number has its first bytes on the disk.
fn await_bytes(child: &mut Child, out: &Path, number: u64) {
    let start = Instant::now();
    let partial = out.join(format!("{number:06}.mcap.partial"));
    loop {
        if std::fs::metadata(&partial).is_ok_and(|facts| facts.len() > 0) {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(),
            "nothing is recorded"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A number that looks random, from a seed (Steele et al., *Fast Splittable Pseudorandom Number Generators*, 2014).
fn shuffled(seed: u64) -> u64 {
    let mixed = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn python_with_mcap() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let probe = Command::new(&python).args(["-c", "import mcap"]).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!(
        "SKIPPED: no Python package `mcap` here; `scripts/test` makes .venv with it where there is a package index"
    );
    None
}

#[test]
fn thirty_kills_lose_a_second_each_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("field");
    let mut kills = Vec::new();
    for number in 0..KILLS {
        let mut child = record(&noise(96, 64), &out, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        await_bytes(&mut child, &out, number);
        std::thread::sleep(Duration::from_millis(shuffled(number) % 1500));
        let killed = now();
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was killed while it recorded");
        kills.push(killed);
    }
    // The next start makes the last one whole too, as each start before has done.
    let ended = record(&noise(96, 64), &out, &["--limit", "3"]).output().unwrap();
    assert!(ended.status.success(), "{}", said(&ended));
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report["recovered"].as_array().unwrap().len(), 1, "{report}");
    let files = finished(&out);
    assert_eq!(files.len() as u64, KILLS + 1, "one file of each run");
    for (file, killed) in files.iter().zip(&kills) {
        let (first, last) = span(file);
        assert!(first < *killed && last < *killed);
        let lost = killed.saturating_sub(last);
        assert!(lost <= MOST_LOST, "{} lost {lost:?}", file.display());
    }
    let left = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(left, files.len() + 1, "beside the files only recorder.json");

    let Some(python) = python_with_mcap() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scripts/read_mcap.py");
    let read = Command::new(python).arg(script).args(&files).output().unwrap();
    assert!(read.status.success(), "{}", said(&read));
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    for file in &files {
        let counted = &read[file.to_str().unwrap()];
        let frames = Recording::open(file).unwrap().len();
        assert_eq!(counted["promised"]["/camera/left/image"], frames, "{counted}");
        assert_eq!(counted["indexed"], counted["promised"]);
        assert_eq!(counted["streamed"], counted["promised"]);
    }
}

#[test]
fn ctrl_c_ends_with_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("field");
    for (number, signal, code) in [(0, "INT", 130), (1, "TERM", 0)] {
        let child = record(&noise(96, 64), &out, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        await_bytes(&mut child, &out, number);
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["recovered"].as_array().unwrap().is_empty() && report["stopped"].is_null(), "{report}");
    }
    assert_eq!(finished(&out).len(), 2);
    for file in finished(&out) {
        span(&file);
    }
}

/// All bytes in a folder; files may come and go meanwhile.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).map(|facts| facts.len()).sum()
}

#[test]
fn a_budget_is_kept_at_every_moment() {
    const BUDGET: u64 = 9_000_000;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("field");
    let (most, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                most.fetch_max(bytes_in(&out), Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        // Frames of 115 kB: the budget is full after less than a hundred.
        let limits = ["--budget", "9MB", "--limit", "250", "--keep-free", "0"];
        let output = record(&noise(480, 240), &out, &limits).output().unwrap();
        ended.store(true, Ordering::Relaxed);
        output
    });
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let most = most.load(Ordering::Relaxed);
    assert!(most <= BUDGET && most > BUDGET / 2, "{most} bytes of {BUDGET}: {report}");
    assert!(report["evicted"]["files"].as_u64().unwrap() > 3 && report["kept"] == 250, "{report}");
    let frames: u64 = finished(&out).iter().map(|file| Recording::open(file).unwrap().len() as u64).sum();
    assert_eq!(frames + report["evicted"]["frames"].as_u64().unwrap(), 250, "{report}");
    assert_eq!(bytes_in(&out), report["bytes"], "it knows what it has");
    // A smaller budget holds from the start.
    let less = record(&noise(480, 240), &out, &["--budget", "8MB", "--limit", "1"]).output().unwrap();
    assert!(less.status.success() && bytes_in(&out) <= 8_000_000, "{}", said(&less));
    let none = record(&noise(96, 64), &out, &["--budget", "1MB"]).output().unwrap();
    assert!(none.status.code() == Some(1) && said(&none).contains("too small"), "{}", said(&none));
}

#[test]
fn a_file_that_may_not_grow_is_ended_whole_and_inference_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (out, bundle, masks) = (folder.path().join("field"), folder.path().join("bundle"), folder.path().join("masks"));
    // 600 blocks of 1024 bytes at most for each file; the signal that goes with it is left to be an error.
    let limited = |program: &Command| {
        let words = std::iter::once(program.get_program()).chain(program.get_args());
        let mut shell = Command::new("bash");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$@\"", "bash"]).args(words);
        shell.output().unwrap()
    };
    let output = limited(&record(&noise(240, 160), &out, &["--limit", "400"]));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!report["stopped"].is_null() && said(&output).contains("hint"), "{}", said(&output));
    assert_eq!(finished(&out).len(), 1);
    span(&finished(&out)[0]);
    says_what_is_in_the_files(&output.stdout, frames_in(&out));

    write_bundle(&bundle, model("Conv", WIDTH, HEIGHT), |_| {});
    let recorded = folder.path().join("beside");
    let mut run = Command::new(env!("CARGO_BIN_EXE_parallax-edge"));
    run.args(["run", "--from", &noise(240, 160), "--no-overlays", "--limit", "150", "--record-all"]);
    run.arg("--bundle").arg(&bundle).arg("--out").arg(&masks).arg("--record").arg(&recorded);
    let output = limited(&run);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("everything else goes on"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(masks.join("masks")).unwrap().count(), 150, "inference went on");
    let frames = Recording::open(&finished(&recorded)[0]).unwrap().len();
    assert!((1..150).contains(&frames), "recording stopped at frame {frames}");
    span(&finished(&recorded)[0]);
}

#[test]
fn a_disk_that_is_full_ends_the_recording_with_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: a small file system could not be mounted (needs root): the full-disk test did not run");
        return;
    }
    let full = record(&noise(240, 160), &disk.join("field"), &["--limit", "400", "--keep-free", "0"]).output().unwrap();
    let kept = finished(&disk.join("field"));
    let spans: Vec<_> = kept.iter().map(|file| span(file)).collect();
    let frames = frames_in(&disk.join("field"));
    std::fs::remove_dir_all(disk.join("field")).unwrap();
    let reserve = record(&noise(240, 160), &disk.join("field"), &["--limit", "400", "--keep-free", "1MB"]).output();
    let free = Command::new("df").args(["--output=avail", "-B1"]).arg(&disk).output().unwrap();
    let _ = Command::new("umount").arg(&disk).status();
    assert_eq!(full.status.code(), Some(3), "{}", said(&full));
    assert!(said(&full).contains("No space left") && spans.len() == 1, "{}", said(&full));
    says_what_is_in_the_files(&full.stdout, frames);
    let reserve = reserve.unwrap();
    assert_eq!(reserve.status.code(), Some(3), "{}", said(&reserve));
    assert!(said(&reserve).contains("are to stay free"), "{}", said(&reserve));
    let free = said(&free).lines().nth(1).unwrap().trim().parse::<u64>().unwrap();
    assert!(free >= 900_000, "{free} bytes are left");
}
