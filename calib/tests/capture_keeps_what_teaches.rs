//! `capture` on rendered films of a board: what it keeps, what it says of the rest, and that nothing kept is ever lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod board_film;

use board_film::{BOARD, Film, Held, STILL};
use parallax_core::camera::{Camera, ros_yaml};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_parallax-calib");
const PLACES: usize = 18;

/// The film, and where its pictures are; rendered once.
fn film() -> (&'static Film, PathBuf) {
    static FILM: OnceLock<Film> = OnceLock::new();
    // Not a temporary folder: statics are never dropped.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("board_film");
    let film = FILM.get_or_init(|| {
        let film = Film::new(PLACES, None);
        let _ = std::fs::remove_dir_all(&folder);
        film.write(&folder);
        film
    });
    (film, folder)
}

fn capture(from: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["capture", "--from", from, "--board", BOARD, "--out"]).arg(out).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end; exit status, events, what was said on stderr.
fn run(mut command: Command) -> (Option<i32>, Vec<Value>, String) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    (output.status.code(), events, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

fn close(found: &Camera, truth: &Camera) -> bool {
    let part = |found: f64, truth: f64| (found - truth).abs() / truth;
    part(found.intrinsics.fx, truth.intrinsics.fx) < 0.005 && part(found.intrinsics.fy, truth.intrinsics.fy) < 0.005
}

fn pictures(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.strip_suffix(".png").is_some()).collect()
}

#[test]
fn only_still_sharp_new_views_are_kept_and_every_other_picture_has_its_reason() {
    let (film, from) = film();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("views");
    let (code, events, said) = run(capture(from.to_str().unwrap(), &out, &["--json", "--views", "40"]));
    assert_eq!(code, Some(0), "{said}");
    let mut kept = BTreeSet::new();
    for event in events.iter().filter(|event| event["frame"].is_u64()) {
        let index = event["frame"].as_u64().unwrap() as usize - 1;
        let (held, reason) = (film.frames[index].0, event["reason"].as_str());
        match held {
            Held::Still(place) => {
                if reason.is_none() {
                    assert!(kept.insert(place), "place {place} was kept twice");
                }
            }
            Held::Moving => assert!(matches!(reason, Some("moving" | "appeared")), "{event}"),
            // The first pictures after a way are told for the way.
            Held::Blurred => assert!(matches!(reason, Some("blurred" | "moving" | "appeared")), "{event}"),
            Held::Again(_) => assert!(matches!(reason, Some("repeated" | "moving" | "appeared")), "{event}"),
            Held::Cut => assert!(matches!(reason, Some("other_board" | "no_board")), "{event}"),
            Held::Gone => assert_eq!(reason, Some("no_board"), "{event}"),
        }
        assert_eq!(event["event"] == "kept", reason.is_none(), "{event}");
        assert!(reason.is_none() || !event["why"].as_str().unwrap().is_empty(), "{event}");
    }
    // Some places are much alike, and late ones add little.
    assert!(kept.len() * 4 >= PLACES * 3, "only {} of {PLACES} places were kept: {kept:?}", kept.len());
    let done = named(&events, "done")[0];
    let refused: BTreeMap<String, u64> = serde_json::from_value(done["refused"].clone()).unwrap();
    for reason in ["no_board", "other_board", "appeared", "moving", "blurred", "repeated", "adds_little"] {
        assert!(refused.contains_key(reason), "{reason}: {refused:?}");
    }
    let decided = refused.values().sum::<u64>() + kept.len() as u64;
    assert_eq!((decided, film.frames.len() as u64), (done["frames"].as_u64().unwrap(), decided));
    // Two of three still pictures of a place come after it was kept.
    assert!(refused["repeated"] >= kept.len() as u64 * (STILL as u64 - 2), "{refused:?}");
    let solved = named(&events, "solved");
    assert_eq!(solved.len(), kept.len() - 2, "one solution for every view from the third on");
    assert!(solved.last().unwrap()["sigma"]["fx"].as_f64().unwrap() < solved[1]["sigma"]["fx"].as_f64().unwrap());
    // The camera, and the same one again from the pictures alone.
    let camera = std::fs::read(out.join("camera.yaml")).unwrap();
    let found = ros_yaml::read(&out.join("camera.yaml")).unwrap();
    assert!(close(&found, film.truth()), "{:?} for {:?}", found.intrinsics, film.truth().intrinsics);
    let again = folder.path().join("again.yaml");
    let mut solve = Command::new(PROGRAM);
    solve.arg("solve").arg(out.join("left")).args(["--board", BOARD, "--out"]).arg(&again);
    assert!(solve.output().unwrap().status.success());
    assert_eq!(std::fs::read(again).unwrap(), camera);
}

#[test]
fn a_capture_ends_by_itself_when_the_verdict_is_good() {
    let (film, from) = film();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("views");
    let (code, events, said) = run(capture(from.to_str().unwrap(), &out, &["--json", "--views", "10"]));
    assert_eq!(code, Some(0), "{said}");
    let done = named(&events, "done")[0];
    assert!(done["frames"].as_u64().unwrap() < film.frames.len() as u64, "{}", done["frames"]);
    assert!(done["views"].as_u64().unwrap() >= 10 && done["solution"]["verdict"] == "good", "{}", done["solution"]);
    assert!(said.contains("the verdict is good"), "{said}");
}

#[test]
fn killed_at_any_moment_the_folder_is_whole_and_the_capture_goes_on() {
    let (film, from) = film();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("views");
    let mut before = BTreeSet::new();
    for round in 0..8u64 {
        let mut command = capture(from.to_str().unwrap(), &out, &["--views", "40", "--resume"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(60 + (round * 7919) % 900));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = pictures(&out.join("left"));
        assert!(now.is_superset(&before), "{before:?}, then {now:?}");
        for name in &now {
            image::open(out.join("left").join(name)).unwrap();
        }
        before = now;
    }
    let refused = run(capture(from.to_str().unwrap(), &out, &[]));
    assert!(before.is_empty() || refused.2.contains("--resume"), "{}", refused.2);
    let (code, events, said) = run(capture(from.to_str().unwrap(), &out, &["--views", "40", "--resume", "--json"]));
    assert_eq!(code, Some(0), "{said}");
    let after = pictures(&out.join("left"));
    assert!(after.is_superset(&before));
    assert_eq!(named(&events, "done")[0]["views"].as_u64().unwrap() as usize, after.len());
    let leftovers = std::fs::read_dir(out.join("left")).unwrap().count();
    assert_eq!(leftovers, after.len(), "nothing half-written is left");
    assert!(close(&ros_yaml::read(&out.join("camera.yaml")).unwrap(), film.truth()));
}

#[test]
fn a_signal_ends_a_live_capture_and_the_camera_is_solved() {
    let (film, from) = film();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("views");
    let live = format!("{}?pace=recorded&repeat=100", from.display());
    let child = capture(&live, &out, &["--json", "--views", "400"]).spawn().unwrap();
    // The film takes ten seconds; half of it must do.
    while pictures(&out.join("left")).len() < 8 {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let last: Value = serde_json::from_str(String::from_utf8(output.stdout).unwrap().lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], last["views"].as_u64().unwrap() >= 8), (&Value::from("done"), true));
    let fx = ros_yaml::read(&out.join("camera.yaml")).unwrap().intrinsics.fx;
    assert!((fx / film.truth().intrinsics.fx - 1.0).abs() < 0.02, "{fx}");
}

#[test]
fn a_camera_that_is_faster_than_the_detector_is_followed_at_its_newest_picture() {
    let (film, from) = film();
    let folder = tempfile::tempdir().unwrap();
    let jpeg = |index: usize| {
        let path = folder.path().join(format!("{index}.jpg"));
        image::open(from.join(format!("{index:04}.png"))).unwrap().save(&path).unwrap();
        path.display().to_string()
    };
    let still = film.frames.iter().position(|(held, _)| *held == Held::Still(0)).unwrap();
    // Some hundred pictures a second.
    let flood = format!("cmd:while :; do cat {0} {0} {0} {0} {0} {0} {0} {0}; done", jpeg(still));
    let out = folder.path().join("views");
    let child = capture(&flood, &out, &["--json"]).spawn().unwrap();
    while pictures(&out.join("left")).is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(2));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    // One view is no camera; it is kept all the same.
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("1 view is kept in") && said.contains("hint: "), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["sequence"].as_u64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let passed = numbers.last().unwrap() - numbers[0];
    assert!(passed > 2 * numbers.len() as u64, "{} of {passed} pictures were looked at", numbers.len());
}

#[test]
fn a_pair_is_kept_only_when_both_cameras_see_the_board() {
    let film = Film::new(8, Some(0.08));
    let folder = tempfile::tempdir().unwrap();
    let (from, out) = (folder.path().join("film"), folder.path().join("views"));
    film.write(&from);
    // In one picture of place 0 the right camera is covered; one of place 3 has no right picture.
    let of_place = |place| film.frames.iter().position(|(held, _)| *held == Held::Still(place)).unwrap();
    let (covered, missing) = (of_place(0) + 1, of_place(4));
    let right = |index: usize| from.join(format!("right/{index:04}.png"));
    image::GrayImage::new(480, 360).save(right(covered)).unwrap();
    std::fs::remove_file(right(missing)).unwrap();
    let (code, events, said) = run(capture(from.to_str().unwrap(), &out, &["--json", "--views", "40"]));
    assert_eq!(code, Some(0), "{said}");
    let reason_of = |index: usize| {
        let event = events.iter().find(|event| event["frame"].as_u64() == Some(index as u64 + 1)).unwrap();
        event["reason"].as_str().unwrap_or("kept").to_owned()
    };
    assert_eq!((reason_of(covered), reason_of(missing)), ("one_eye".to_owned(), "unreadable".to_owned()));
    let names = pictures(&out.join("left"));
    assert!(names.len() >= 5 && names == pictures(&out.join("right")), "{names:?}");
    let baseline = named(&events, "done")[0]["solution"]["stereo"]["baseline_m"].as_f64().unwrap();
    assert!((baseline - 0.08).abs() < 0.002, "{baseline}");
    assert!(out.join("camera_right.yaml").exists());
    let facts = std::fs::read_to_string(out.join("capture.json")).unwrap();
    assert!(facts.contains("--right"), "{facts}");
}

#[test]
fn what_is_missing_is_said_with_the_remedy() {
    let (_, from) = film();
    let from = from.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("mine")).unwrap();
    std::fs::write(at("mine/thesis.txt"), "").unwrap();
    std::fs::create_dir(at("gray")).unwrap();
    (0..4).for_each(|index| image::GrayImage::new(480, 360).save(at(&format!("gray/{index}.png"))).unwrap());
    let gray = at("gray").to_str().unwrap().to_owned();
    for (command, code, says, hint) in [
        (capture("/dev/video99", &at("a"), &[]), 1, "/dev/video99", "devices"),
        (capture("nowhere", &at("a"), &[]), 1, "nowhere", "check the path"),
        (capture(from, &at("mine"), &[]), 1, "not empty", "another --out"),
        (capture(&gray, &at("b"), &[]), 1, "none of 4 pictures was kept: 4 no board", "check --board"),
        (capture(from, &at("a"), &["--http", "0.0.0.0:0"]), 1, "expected a token file", "urandom"),
        (capture(from, &at("a"), &["--views", "2"]), 2, "2", ""),
        (capture(from, &at("a"), &["--edge-width", "wide"]), 2, "pixels", ""),
        (capture(from, &at("a"), &["--token-file", "x"]), 2, "--http", ""),
    ] {
        let arguments = format!("{command:?}");
        let (found, _, said) = run(command);
        assert_eq!(found, Some(code), "{arguments}: {said}");
        assert!(said.contains(says) && said.contains(hint), "{arguments}: {said}");
        assert!(code == 2 || said.contains("hint: "), "{arguments}: {said}");
    }
    assert!(!at("a").exists(), "nothing is made before the source is open");
    let mut without_board = Command::new(PROGRAM);
    let output = without_board.args(["capture", "--from", from, "--out", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--board"));
}

#[test]
fn a_full_disk_ends_the_capture_and_keeps_the_views_that_are_there() {
    let (_, from) = film();
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=500k", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: a small file system could not be mounted (needs root)");
        return;
    }
    let out = disk.join("views");
    let (code, events, said) = run(capture(from.to_str().unwrap(), &out, &["--json"]));
    let kept = named(&events, "kept").len();
    let found = pictures(&out.join("left"));
    let are_whole = found.iter().all(|name| image::open(out.join("left").join(name)).is_ok());
    let _ = Command::new("umount").arg(&disk).status();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("views are kept in") && said.contains("the disk is full"), "{said}");
    assert!(kept > 0 && found.len() == kept && are_whole, "{kept} {found:?}");
}
