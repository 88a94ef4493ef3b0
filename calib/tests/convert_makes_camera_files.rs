//! The program from the outside: files, numbers, exit codes and what is said on which stream.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_core::camera::ros_yaml;
use std::path::Path;
use std::process::{Command, Output};

fn calib(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax-calib"));
    command.current_dir(folder).args(arguments.split_whitespace()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_intrinsics_file_becomes_a_pair_of_the_images_size() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("intrinsics.txt"), "# fx fy cx cy baseline_m\n52.0 51.0 31.0 11.5 0.25\n")
        .unwrap();
    std::fs::create_dir(folder.path().join("left")).unwrap();
    image::GrayImage::new(64, 24).save(folder.path().join("left/0.png")).unwrap();
    let output = calib(folder.path(), "convert intrinsics.txt --images . --out camera.yaml --json");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["wrote"], serde_json::json!(["camera.yaml", "camera_right.yaml"]));
    assert_eq!((&json["left"]["fx"], &json["left"]["height"]), (&52.0.into(), &24.into()));
    let right = ros_yaml::read(&folder.path().join("camera_right.yaml")).unwrap();
    assert!((right.baseline_m().unwrap() - 0.25).abs() < 1e-12);
    let shown = calib(folder.path(), "show camera_right.yaml");
    assert!(text(&shown.stdout).contains("0.2500 m to the right"), "{}", text(&shown.stdout));
}

/// Each flag of `convert` that says what a file does not.
#[test]
fn what_a_file_does_not_say_is_said_by_flags() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "left.yml",
        "%YAML:1.0\n---\nK: [500., 0., 320., 0., 500., 240., 0., 0., 1.]\nD: [0.1, 0.02, 0.003, 0.004]\nnote_of_lens: 3\n",
    );
    write(
        "right.yml",
        "%YAML:1.0\n---\nK: [500., 0., 320., 0., 500., 240., 0., 0., 1.]\nD: [0.1, 0.02, 0.003, 0.004]\n",
    );
    write("pair.yml", "%YAML:1.0\n---\nR: [1., 0., 0., 0., 1., 0., 0., 0., 1.]\nT: [-90., 0., 0.]\n");
    let whole = "convert left.yml --right right.yml --extrinsics pair.yml --unit mm --model equidistant --ignore note_of_lens \
                 --size 640x480 --out c.yaml";
    for (without, says) in [
        ("--ignore note_of_lens ", "note_of_lens is not understood"),
        ("--model equidistant ", "four coefficients"),
        ("--unit mm ", "not believed"),
        ("--extrinsics pair.yml ", "where the right camera is"),
        ("--size 640x480 ", "size is not in this file"),
    ] {
        let output = calib(folder.path(), &whole.replace(without, ""));
        assert_eq!(output.status.code(), Some(1), "{without}");
        assert!(
            text(&output.stderr).contains(says) && text(&output.stderr).contains("hint: "),
            "{}",
            text(&output.stderr)
        );
        assert!(!folder.path().join("c.yaml").exists(), "{without}");
    }
    let output = calib(folder.path(), whole);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let right = ros_yaml::read(&folder.path().join("c_right.yaml")).unwrap();
    assert!((right.baseline_m().unwrap() - 0.09).abs() < 1e-12);
    assert_eq!(right.distortion, parallax_core::camera::Distortion::Equidistant([0.1, 0.02, 0.003, 0.004]));
}

#[test]
fn numbers_and_resizing_give_the_half_pixel_shift() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "convert --fx 500 --fy 510 --cx 319.5 --cy 239.5 --size 640x480 --resize 320x240 --out c.yaml";
    let output = calib(folder.path(), arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("wrote c.yaml\n"));
    let camera = ros_yaml::read(&folder.path().join("c.yaml")).unwrap();
    assert_eq!((camera.width, camera.intrinsics.fx, camera.intrinsics.cx), (320, 250.0, 159.5));
}

#[test]
fn bad_input_has_an_error_a_hint_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("intrinsics.txt"), "0 51.0 31.0 11.5\n").unwrap();
    for (arguments, code, says) in [
        ("convert intrinsics.txt --size 64x24 --out c.yaml", 1, "got fx = 0"),
        ("convert intrinsics.txt --out c.yaml", 1, "size is not in this file"),
        ("convert nothing.txt --size 64x24 --out c.yaml", 1, "nothing.txt"),
        ("convert intrinsics.txt --size 64x24 --out no/such/folder/c.yaml", 1, "fx = 0"),
        ("convert --fx 500 --size 64x24 --out c.yaml", 2, "--fy"),
        ("convert intrinsics.txt --fx 500 --size 64x24 --out c.yaml", 2, "cannot be used with"),
        ("convert --size 64x24 --out c.yaml", 2, "required"),
        ("convert intrinsics.txt --size 64 --out c.yaml", 2, "640x480"),
    ] {
        let output = calib(folder.path(), arguments);
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), stderr.contains(says)), (Some(code), true), "{arguments}: {stderr}");
        assert!(code == 2 || stderr.contains("hint: "), "{stderr}");
        assert!(output.stdout.is_empty() && !folder.path().join("c.yaml").exists(), "{arguments}");
    }
}
