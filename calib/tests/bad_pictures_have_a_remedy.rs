//! Pictures that cannot be calibrated from: each has a clear message that says what was found and what to do.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says loudly what it skips")]

use image::GrayImage;
use parallax_core::board::Board;
use parallax_world::boards::{self, BoardsConfig};
use parallax_world::dataset::{Existing, Watch};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

const CHESSBOARD: &str = "chessboard:7x5:30mm";

/// Rendered views in `folder/NAME/left`.
fn render(folder: &Path, name: &str, config: &BoardsConfig) -> PathBuf {
    let watch = Watch { on_picture: &mut || (), stop: &AtomicBool::new(false) };
    boards::write(config, &folder.join(name), Existing::Keep, watch).unwrap();
    folder.join(name).join("left")
}

fn config(seed: u64, board: &str, views: usize) -> BoardsConfig {
    BoardsConfig::new(seed, &board.parse::<Board>().unwrap(), views, (320, 240))
}

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    has_written: bool,
}

fn solve(folder: &Path, arguments: &[&str]) -> Said {
    let out = folder.join("camera.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax-calib"));
    let output = command.current_dir(folder).arg("solve").args(arguments).arg("--out").arg(&out).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        has_written: out.exists(),
    };
    let _ = std::fs::remove_file(out);
    said
}

/// The command fails, names what was found, gives a remedy and writes nothing.
fn refused(folder: &Path, arguments: &[&str], says: &str, remedy: &str) {
    let said = solve(folder, arguments);
    assert_eq!(said.code, Some(1), "{arguments:?}: {}", said.stderr);
    assert!(said.stderr.contains(says), "{arguments:?}: {}", said.stderr);
    let hint = said.stderr.split("hint: ").nth(1).unwrap_or_default();
    assert!(hint.contains(remedy), "{arguments:?}: {}", said.stderr);
    assert!(said.stdout.is_empty() && !said.has_written, "{arguments:?}");
}

fn each_picture(folder: &Path, change: impl Fn(GrayImage) -> GrayImage) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        change(image::open(&path).unwrap().to_luma8()).save(&path).unwrap();
    }
}

#[test]
fn pictures_without_the_board() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::create_dir(here.join("gray")).unwrap();
    for name in ["gray/0.png", "gray/1.png", "gray/2.png"] {
        GrayImage::from_pixel(320, 240, image::Luma([90])).save(here.join(name)).unwrap();
    }
    std::fs::create_dir(here.join("empty")).unwrap();
    std::fs::write(here.join("thesis.txt"), "no picture").unwrap();
    refused(here, &["gray", "--board", CHESSBOARD], "is in none of 3 pictures", "whole, sharp");
    refused(here, &["empty", "--board", CHESSBOARD], "empty", "folder");
    refused(here, &["nowhere", "--board", CHESSBOARD], "nowhere", "check the path");
    refused(here, &["gray/left*.png", "--board", CHESSBOARD], "fits the pattern", "quoted pattern");
    refused(here, &["thesis.txt", "--board", CHESSBOARD], "thesis.txt", "");
}

#[test]
fn a_board_that_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    render(here, "chess", &config(1, CHESSBOARD, 5));
    let squares = ["chess/left", "--board", "chessboard:8x6:30mm"];
    refused(
        here,
        &squares,
        "one of 7x5 in",
        "did you mean --board chessboard:7x5:30mm?; the size counts inner corners",
    );
    refused(here, &["chess/left", "--board", "chessboard:6x5:30mm"], "one of 7x5 in", "chessboard:7x5:30mm");
    refused(here, &["chess/left", "--board", "chessboard:9x6:30mm"], "one of 7x5 in", "chessboard:7x5:30mm");
    refused(here, &["chess/left", "--board", "charuco:8x6:30mm:22mm"], "none of its markers belong", "dictionary");
    render(here, "charuco", &BoardsConfig { width: 640, height: 480, ..config(2, "charuco:6x5:40mm:30mm:4x4_50", 4) });
    let other = ["charuco/left", "--board", "charuco:6x5:40mm:30mm:6x6_250"];
    refused(here, &other, "none of its markers belong", "dictionary");
    each_picture(&here.join("charuco/left"), |picture| image::imageops::flip_horizontal(&picture));
    let mirrored = ["charuco/left", "--board", "charuco:6x5:40mm:30mm:4x4_50"];
    refused(here, &mirrored, "mirrored", "mirror image");
}

#[test]
fn too_few_or_too_similar_views() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    render(here, "views", &config(3, CHESSBOARD, 2));
    refused(here, &["views/left/0000.png", "--board", CHESSBOARD], "found in 1", "10 to 20 pictures");
    refused(here, &["views/left", "--board", CHESSBOARD], "found in 2", "10 to 20 pictures");
    render(here, "parallel", &BoardsConfig { tilt_degrees: 0.0, ..config(4, CHESSBOARD, 10) });
    let said = solve(here, &["parallel/left", "--board", CHESSBOARD]);
    // Facing the camera from different places still turns the board a little; it must be said either way.
    assert!(said.stderr.contains("tilt") || said.stdout.contains("tilt"), "{} {}", said.stdout, said.stderr);
}

#[test]
fn a_camera_that_is_not_determined_is_written_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    render(here, "three", &config(3, CHESSBOARD, 3));
    let file = here.join("kept.yaml");
    let program = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_parallax-calib")).current_dir(here).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let solve = |images: &str, more: &[&str]| {
        let arguments = ["solve", images, "--board", CHESSBOARD, "--out", "kept.yaml", "--json"];
        let (code, stdout, stderr) = program(&[&arguments[..], more].concat());
        let object: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout} {stderr}"));
        (code, object, stderr)
    };
    let (code, said, stderr) = solve("three/left", &["--report", "report.html"]);
    assert_eq!((code, &said["verdict"]), (Some(3), &"not determined".into()), "{stderr}");
    assert!(stderr.contains("not determined") && said["reasons"][0]["allows"] == "not determined", "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# calibration: not determined\n#   "), "{text}");
    assert!(std::fs::read_to_string(here.join("report.html")).unwrap().contains("not determined"));
    // Still a file that ROS reads, and whoever reads it here is warned.
    let (code, shown, warned) = program(&["show", "kept.yaml"]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("calibration: not determined") && warned.contains("do not determine"), "{shown} {warned}");
    // Twelve views, a good one or not: --require says whether that is enough.
    render(here, "twelve", &config(5, CHESSBOARD, 12));
    for (require, enough) in [("usable", &["usable", "good"][..]), ("good", &["good"])] {
        let (code, said, stderr) = solve("twelve/left", &["--require", require]);
        let verdict = said["verdict"].as_str().unwrap();
        let expected = if enough.contains(&verdict) { 0 } else { 3 };
        assert_eq!(code, Some(expected), "{require}, {verdict}: {stderr}");
        assert!(std::fs::read_to_string(&file).unwrap().starts_with(&format!("# calibration: {verdict}\n")));
    }
    // No camera at all: the object says why.
    let (code, said, stderr) = solve("three/left/0000.png", &[]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(said["error"].as_str().unwrap().contains("found in 1") && said["hint"].is_string(), "{said}");
}

#[test]
fn bad_pictures_among_good_ones_are_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let left = render(here, "views", &config(5, CHESSBOARD, 12));
    // A JPEG that ends early, an empty file, a picture of another size, one without a board.
    let jpeg = here.join("whole.jpg");
    image::open(left.join("0000.png")).unwrap().to_luma8().save(&jpeg).unwrap();
    let bytes = std::fs::read(&jpeg).unwrap();
    std::fs::write(left.join("1000.jpg"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(left.join("1001.png"), b"").unwrap();
    GrayImage::new(640, 480).save(left.join("1002.png")).unwrap();
    GrayImage::new(320, 240).save(left.join("1003.png")).unwrap();
    let said = solve(here, &["views/left", "--board", CHESSBOARD]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    for line in [
        "1000.jpg: cannot decode picture: it ends before its end marker",
        "1001.png: cannot",
        "1002.png: it has 640x480 pixels",
        "1003.png: no board in it",
    ] {
        assert!(said.stdout.contains(line), "{line}: {}", said.stdout);
    }
    assert!(said.has_written && said.stdout.contains("12 of 16 views used"), "{}", said.stdout);
}

#[test]
fn sizes_that_are_mixed_and_files_that_are_all_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let left = render(here, "views", &config(6, CHESSBOARD, 4));
    for index in 0..4 {
        let large = image::imageops::resize(
            &image::open(left.join(format!("{index:04}.png"))).unwrap().to_luma8(),
            640,
            480,
            image::imageops::FilterType::Triangle,
        );
        large.save(left.join(format!("large{index}.png"))).unwrap();
    }
    refused(here, &["views/left", "--board", CHESSBOARD], "4 of 320x240, 4 of 640x480", "one size");
    std::fs::create_dir(here.join("damaged")).unwrap();
    for index in 0..3 {
        std::fs::write(here.join(format!("damaged/{index}.jpg")), [0xff, 0xd8, 0xff, 0xe0]).unwrap();
    }
    refused(here, &["damaged", "--board", CHESSBOARD], "cannot decode", "damaged");
}

#[test]
fn two_cameras_that_were_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (one, other) =
        (render(here, "one", &config(21, CHESSBOARD, 9)), render(here, "other", &config(22, CHESSBOARD, 7)));
    for entry in std::fs::read_dir(other).unwrap() {
        let path = entry.unwrap().path();
        std::fs::rename(&path, one.join(format!("b{}", path.file_name().unwrap().display()))).unwrap();
    }
    refused(
        here,
        &["one/left", "--board", CHESSBOARD],
        "of two cameras: 7 are of another one, such as b00",
        "by itself",
    );
}

#[test]
fn the_two_cameras_of_opencvs_sample_mixed() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/opencv_chessboard");
    if !pictures.is_dir() {
        eprintln!("SKIPPED: OpenCV's chessboard pictures are not here ({} is missing)", pictures.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let both = ["left*.jpg", "right*.jpg"].map(|pattern| pictures.join(pattern).display().to_string());
    let board = ["--board", "chessboard:9x6:25mm"];
    let arguments: Vec<&str> = both.iter().map(String::as_str).chain(board).collect();
    refused(folder.path(), &arguments, "of two cameras: 13 are of another one, such as right01.jpg", "by itself");
}

#[test]
fn pairs_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let pair = BoardsConfig { baseline_m: Some(0.08), ..config(7, CHESSBOARD, 10) };
    render(here, "pair", &pair);
    let board = ["--board", CHESSBOARD];
    let with = |left: &'static str, right: &'static str| [&[left, "--right", right][..], &board].concat();
    refused(here, &with("pair/right", "pair/left"), "left and right are swapped", "exchange");
    refused(here, &with("pair/left", "pair/left"), "are of one camera", "after --right");
    // The first right picture is missing, and so is the last left one.
    std::fs::remove_file(here.join("pair/right/0000.png")).unwrap();
    refused(here, &with("pair/left", "pair/right"), "10 left pictures and 9 right ones", "as many right pictures");
    std::fs::remove_file(here.join("pair/left/0009.png")).unwrap();
    refused(here, &with("pair/left", "pair/right"), "did not see the same scene", "1 earlier");
    // Another set altogether.
    render(here, "other", &BoardsConfig { baseline_m: Some(0.08), ..config(8, CHESSBOARD, 9) });
    refused(here, &with("pair/left", "other/right"), "did not see the same scene", "trigger both cameras together");
}

#[test]
fn arguments_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, says) in [
        (&["x.png"][..], "--board"),
        (&["x.png", "--board", "chessboard:9x6"][..], "the forms are"),
        (&["x.png", "--board", "chessboard:9x6:25"][..], "with its unit"),
        (&["x.png", "--board", CHESSBOARD, "--model", "pinhole"][..], "plumb_bob"),
        (&["--board", CHESSBOARD][..], "required"),
    ] {
        let said = solve(folder.path(), arguments);
        assert_eq!((said.code, said.stderr.contains(says)), (Some(2), true), "{arguments:?}: {}", said.stderr);
    }
}
