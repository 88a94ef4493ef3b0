//! Bad input gives a clear error that names the file and the remedy, a failing exit code, and nothing under the final name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_core::camera::{Camera, Intrinsics, ros_yaml};
use parallax_core::labels::{Classes, LabelMap, LabelledSetWriter};
use parallax_tests::programs::{argument, program, run};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A folder of `count` noise frames of 64x32, with a camera file.
fn frames(folder: &Path, count: u32) -> PathBuf {
    let path = folder.join("frames");
    std::fs::create_dir(&path).unwrap();
    for index in 0..count {
        let shade = |x: u32, y: u32| image::Rgb([(x * 7 + y * 13 + index * 5) as u8, (x * 3) as u8, (y * 5) as u8]);
        image::RgbImage::from_fn(64, 32, shade).save(path.join(format!("{index:03}.png"))).unwrap();
    }
    let intrinsics = Intrinsics { fx: 50.0, fy: 50.0, cx: 31.5, cy: 15.5 };
    ros_yaml::write(&path.join("camera.yaml"), &Camera::pinhole("left", 64, 32, intrinsics)).unwrap();
    path
}

/// A labelled set of 18 pictures of 64x32.
fn labelled(folder: &Path) -> PathBuf {
    let path = folder.join("labelled");
    let classes = Classes::dense(&[("a", [200, 0, 0]), ("b", [0, 200, 0])]);
    let writer = LabelledSetWriter::create(&path, classes).unwrap();
    for index in 0..18u8 {
        let picture = image::RgbImage::from_pixel(64, 32, image::Rgb([index; 3]));
        let labels = LabelMap { width: 64, height: 32, indices: vec![index % 2; 64 * 32] };
        writer.add(&format!("{index:02}"), &picture, &labels).unwrap();
    }
    writer.finish().unwrap()
}

/// Runs a program that must fail with `code`, say each of `expected` and a hint on stderr, and leave no `out`.
fn refuses(program: &str, arguments: &[&str], out: &Path, code: i32, expected: &[&str]) {
    let output = run(program, arguments).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{program} {arguments:?} said: {said}");
    for part in expected {
        assert!(said.contains(part), "{program} {arguments:?} does not say {part:?} but: {said}");
    }
    assert!(said.contains("hint:"), "{program} {arguments:?} gives no hint: {said}");
    assert!(!said.contains("panicked"), "{program} panicked: {said}");
    assert!(!out.exists(), "{program} {arguments:?} left {}", out.display());
}

fn pretrain_refuses(data: &Path, out: &Path, code: i32, expected: &[&str]) {
    let (data, run) = (argument(data), argument(out));
    let arguments = [
        "pretrain", "--from", "video", "--data", &data, "--size", "64x32", "--steps", "1", "--device", "cpu", "--out",
        &run,
    ];
    refuses("parallax-train", &arguments, out, code, expected);
}

fn finetune_refuses(labels: &Path, out: &Path, expected: &[&str]) {
    let (labels, run) = (argument(labels), argument(out));
    let arguments =
        ["finetune", "--labels", &labels, "--size", "64x32", "--steps", "1", "--device", "cpu", "--out", &run];
    refuses("parallax-train", &arguments, out, 1, expected);
}

#[test]
fn footage_that_cannot_be_trained_on_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    pretrain_refuses(&folder.path().join("nowhere"), &out, 1, &["nowhere"]);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    pretrain_refuses(&empty, &out, 1, &["empty"]);
    let path = frames(folder.path(), 4);
    std::fs::write(path.join("002.png"), b"no picture").unwrap();
    pretrain_refuses(&path, &out, 1, &["002.png"]);
    image::RgbImage::new(30, 30).save(path.join("002.png")).unwrap();
    pretrain_refuses(&path, &out, 1, &["002.png"]);
    for name in ["001.png", "002.png", "003.png"] {
        std::fs::remove_file(path.join(name)).unwrap();
    }
    pretrain_refuses(&path, &out, 1, &["frames"]);
}

#[test]
fn cameras_that_are_missing_or_absurd_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = frames(folder.path(), 4);
    let camera = path.join("camera.yaml");
    let text = std::fs::read_to_string(&camera).unwrap();
    std::fs::remove_file(&camera).unwrap();
    pretrain_refuses(&path, &out, 1, &["camera"]);
    std::fs::write(&camera, text.replace("50", "-50")).unwrap();
    pretrain_refuses(&path, &out, 1, &["camera.yaml", "-50"]);
    std::fs::write(&camera, &text[..text.len() / 2]).unwrap();
    pretrain_refuses(&path, &out, 1, &["camera.yaml"]);
    std::fs::write(&camera, text.replace("50", ".nan")).unwrap();
    pretrain_refuses(&path, &out, 1, &["camera.yaml"]);
    std::fs::write(&camera, text.replace("31.5", "64.5")).unwrap();
    pretrain_refuses(&path, &out, 1, &["camera.yaml", "outside of the 64x32 picture"]);
    std::fs::write(&camera, text.replace("distortion_coefficients", "dist_coeffs")).unwrap();
    pretrain_refuses(&path, &out, 1, &["camera.yaml", "dist_coeffs is not understood"]);
    std::fs::write(&camera, "cam0:\n  camera_model: pinhole\n").unwrap();
    pretrain_refuses(&path, &out, 1, &["camera.yaml", "Kalibr", "parallax-calib convert"]);
}

#[test]
fn flags_that_hints_name_are_there() {
    let mut flags = BTreeMap::new();
    for program in ["parallax-world", "parallax-calib", "parallax-train", "parallax-edge"] {
        for command in commands_of(program) {
            let help = run(program, &[command.as_str(), "--help"]).unwrap();
            flags.insert((program, command), flags_in_help(&String::from_utf8_lossy(&help.stdout)));
        }
    }
    assert!(flags.len() > 15, "{:?}", flags.keys());
    let anywhere: BTreeSet<&String> = flags.values().flatten().collect();
    let mut looked_at = 0;
    for room in ["onnx", "core", "vision", "world", "camera", "calib", "doctor", "quantize", "train", "edge"] {
        for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(room).join("src")) {
            let text = std::fs::read_to_string(&source).unwrap();
            // Text of tests is no hint, and what tells clap of a flag is none either.
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in program.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for (place, flag) in flags_in(line) {
                    looked_at += 1;
                    let known = command_before(&line[..place], &flags);
                    let is_there = known.map_or(anywhere.contains(&flag), |of_command| of_command.contains(&flag));
                    assert!(is_there || OF_OTHERS.contains(&flag.as_str()), "{flag} in {}: {line}", source.display());
                }
            }
        }
    }
    assert!(looked_at > 100, "{looked_at}");
}

/// Flags of cargo, rpicam-vid, ros2, mcap and tf2onnx, of which ours speak.
const OF_OTHERS: &[&str] = &[
    "--release",
    "--features",
    "--workspace",
    "--path",
    "--codec",
    "--once",
    "--chunk-size",
    "--end",
    "--inputs-as-nchw",
    "--outputs-as-nchw",
];

fn commands_of(program: &str) -> Vec<String> {
    let help = run(program, &["--help"]).unwrap();
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    let listed = text.split("Commands:").nth(1).unwrap_or_default().lines().skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn flags_in_help(help: &str) -> BTreeSet<String> {
    let options = help.lines().filter(|line| line.trim_start().starts_with('-'));
    options.flat_map(|line| flags_in(line).into_iter().take(1)).map(|(_, flag)| flag).collect()
}

/// Long flags of a line and where they begin.
fn flags_in(line: &str) -> Vec<(usize, String)> {
    let begins = line.match_indices("--").filter(|(place, _)| {
        !line[..*place].ends_with(|before: char| before.is_alphanumeric() || before == '-' || before == '{')
    });
    let name = |place: usize| -> String {
        let rest = line[place + 2..]
            .chars()
            .take_while(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || *letter == '-');
        rest.collect()
    };
    begins
        .map(|(place, _)| (place, name(place)))
        .filter(|(_, name)| name.starts_with(|first: char| first.is_ascii_lowercase()))
        .map(|(place, name)| (place, format!("--{}", name.trim_end_matches('-'))))
        .collect()
}

/// The flags of the command whose call a text ends in, such as `parallax-calib convert FILE `.
fn command_before<'a>(
    text: &str,
    flags: &'a BTreeMap<(&str, String), BTreeSet<String>>,
) -> Option<&'a BTreeSet<String>> {
    let call = text.rsplit('`').next()?;
    let start = call.rfind("parallax-")?;
    let mut words = call[start..].split_whitespace();
    let (program, command) = (words.next()?, words.next()?);
    flags.iter().find(|((name, of), _)| *name == program && of == command).map(|(_, flags)| flags)
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn labelled_sets_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let set = labelled(folder.path());
    for index in 0..18 {
        let label = set.join(format!("labels/{index:02}.png"));
        image::GrayImage::from_pixel(64, 32, image::Luma([9])).save(label).unwrap();
    }
    finetune_refuses(&set, &out, &["value 9", "labels/"]);
    for index in 0..18 {
        image::GrayImage::new(60, 32).save(set.join(format!("labels/{index:02}.png"))).unwrap();
    }
    finetune_refuses(&set, &out, &["60x32", "64x32"]);
    std::fs::remove_dir_all(set.join("labels")).unwrap();
    finetune_refuses(&set, &out, &["labels"]);
    std::fs::remove_file(set.join("classes.toml")).unwrap();
    finetune_refuses(&set, &out, &["classes.toml"]);
}

#[test]
fn sizes_that_the_network_cannot_take_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (data, run) = (argument(&frames(folder.path(), 4)), argument(&out));
    for size in ["65x32", "0x32"] {
        let arguments =
            ["pretrain", "--from", "video", "--data", &data, "--size", size, "--device", "cpu", "--out", &run];
        let output = parallax_tests::programs::run("parallax-train", &arguments).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("32") && !said.contains("panicked") && !out.exists(), "{said}");
    }
}

#[test]
fn things_that_are_no_bundle_or_no_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = frames(folder.path(), 2);
    let (from, masks) = (argument(&path), folder.path().join("masks"));
    let out = argument(&masks);
    refuses("parallax-edge", &["run", "--from", &from, "--bundle", &from, "--out", &out], &masks, 1, &["not a bundle"]);
    let tar = folder.path().join("cut.tar");
    std::fs::write(&tar, [7u8; 700]).unwrap();
    let bundle = argument(&tar);
    refuses("parallax-edge", &["run", "--from", &from, "--bundle", &bundle, "--out", &out], &masks, 1, &["cut.tar"]);
    let model = folder.path().join("model.int8.onnx");
    let (bad, int8) = (argument(&tar), argument(&model));
    refuses("parallax-train", &["quantize", &bad, "--data", &from, "--out", &int8], &model, 1, &["cut.tar"]);
}

/// Exit code and stderr of a program whose stdout is this.
fn with_stdout(name: &str, arguments: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let mut command = program(name).unwrap();
    let child = command.args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn full() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_reader_that_goes_ends_nothing_and_a_full_disk_is_an_error_and_neither_is_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = argument(&frames(folder.path(), 6));
    let place = |name: &str| argument(&folder.path().join(name));
    let camera = format!("{path}/camera.yaml");
    let commands: [(&str, Vec<&str>); 12] = [
        ("parallax-world", vec!["--help"]),
        ("parallax-calib", vec!["--help"]),
        ("parallax-train", vec!["pretrain", "--help"]),
        ("parallax-edge", vec!["--version"]),
        ("parallax-calib", vec!["show", &camera]),
        ("parallax-calib", vec!["show", &camera, "--json"]),
        ("parallax-edge", vec!["devices"]),
        ("parallax-edge", vec!["devices", "--json"]),
        ("parallax-train", vec!["doctor", &path]),
        ("parallax-train", vec!["doctor", &path, "--json"]),
        ("parallax-train", vec!["check-device"]),
        ("parallax-calib", vec!["convert", &camera, "--format", "opencv", "--out"]),
    ];
    for (index, (name, arguments)) in commands.iter().enumerate() {
        // Commands that write files need another one each time.
        let with_out = |arguments: &[&str], out: &str| {
            let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
            if arguments.last().is_some_and(|last| last == "--out") {
                arguments.push(place(&format!("{index}{out}.yaml")));
            }
            arguments
        };
        let run = |out: &str, stdout: Stdio| {
            let arguments = with_out(arguments, out);
            with_stdout(name, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), stdout)
        };
        let (usual, _) = run("a", Stdio::null());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, said) = run("b", writer.into());
        assert!(
            code == usual && !said.contains("panicked"),
            "{name} {arguments:?} into a closed pipe: {code:?} {said}"
        );
        let (code, said) = run("c", full());
        assert_eq!(code, Some(1), "{name} {arguments:?} onto a full disk: {said}");
        assert!(said.contains("cannot write the result") && !said.contains("panicked"), "{name} {arguments:?}: {said}");
    }
    // Nor does a stderr that takes nothing.
    for (name, arguments, code) in [
        ("parallax-calib", vec!["show", "/nowhere"], 1),
        ("parallax-edge", vec!["inspect", "/nowhere"], 1),
        ("parallax-world", vec!["render"], 2),
        ("parallax-train", vec!["doctor", "/nowhere"], 1),
        ("parallax-edge", vec!["devices"], 0),
    ] {
        let mut command = program(name).unwrap();
        let status = command.args(&arguments).stdout(Stdio::null()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{name} {arguments:?}");
    }
}

#[test]
fn what_a_terminal_would_obey_is_shown_and_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "a\u{1b}[2J\u{9b}31m\u{7}\r\u{202e}b";
    let path = frames(folder.path(), 4);
    let camera = std::fs::read_to_string(path.join("camera.yaml")).unwrap();
    // In YAML's own escapes, as somebody would send it.
    let named = camera.replace("camera_name: \"left\"", "camera_name: \"a\\e[2J\\x9b31m\\a\\r\\u202eb\"");
    assert_ne!(named, camera);
    std::fs::write(path.join("camera.yaml"), named).unwrap();
    let (camera, nowhere) = (argument(&path.join("camera.yaml")), folder.path().join(evil));
    std::fs::create_dir(&nowhere).unwrap();
    std::fs::write(nowhere.join("x.png"), b"no picture").unwrap();
    let (nowhere, out) = (argument(&nowhere), argument(&folder.path().join("out")));
    for (name, arguments) in [
        ("parallax-calib", vec!["show", camera.as_str()]),
        ("parallax-calib", vec!["show", &camera, "--json"]),
        ("parallax-calib", vec!["show", &nowhere]),
        ("parallax-train", vec!["doctor", &nowhere]),
        ("parallax-edge", vec!["inspect", &nowhere]),
        ("parallax-edge", vec!["run", "--from", &nowhere, "--bundle", &nowhere, "--out", &out]),
        ("parallax-edge", vec!["inspect", &camera, &nowhere]),
        ("parallax-world", vec!["render", "--config", &nowhere, "--out", &out]),
    ] {
        let output = run(name, &arguments).unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let obeyed: Vec<char> =
            said.chars().filter(|c| (c.is_control() && *c != '\n' && *c != '\t') || *c == '\u{202e}').collect();
        assert!(obeyed.is_empty() && said.contains("\\u001b[2J"), "{name} {arguments:?}: {obeyed:?} in {said:?}");
    }
}

/// A stereo drive of eight frames of 64x32, each eye's frame from `picture(eye, frame)`.
fn stereo_drive(folder: &Path, name: &str, picture: impl Fn(u32, u32) -> image::RgbImage) -> PathBuf {
    let path = folder.join(name);
    for (eye, frames) in ["left", "right"].iter().enumerate() {
        std::fs::create_dir_all(path.join(frames)).unwrap();
        for index in 0..8 {
            picture(eye as u32, index).save(path.join(frames).join(format!("{index:03}.png"))).unwrap();
        }
    }
    let intrinsics = Intrinsics { fx: 50.0, fy: 50.0, cx: 31.5, cy: 15.5 };
    let camera = Camera::pinhole("left", 64, 32, intrinsics);
    ros_yaml::write(&path.join("camera.yaml"), &camera).unwrap();
    ros_yaml::write(&path.join("camera_right.yaml"), &camera.with_baseline(0.2)).unwrap();
    path
}

/// A textured wall, moved by `shift` pixels.
fn wall(shift: f32) -> image::RgbImage {
    image::RgbImage::from_fn(64, 32, |x, y| {
        let (x, y) = (x as f32 + shift, y as f32);
        image::Rgb(
            [0.0, 0.8, 1.9]
                .map(|phase: f32| (128.0 + 90.0 * (0.4 * x + phase).sin() * (0.33 * y + 0.07 * x - phase).cos()) as u8),
        )
    })
}

#[test]
fn a_run_that_could_learn_nothing_ends_with_3_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let black = stereo_drive(folder.path(), "black", |_, _| image::RgbImage::new(64, 32));
    let standing = stereo_drive(folder.path(), "standing", |eye, _| wall(2.0 * eye as f32));
    let one_eye = stereo_drive(folder.path(), "one_eye", |_, frame| wall(1.3 * frame as f32));
    let good = stereo_drive(folder.path(), "good", |eye, frame| wall(2.0 * eye as f32 + 1.3 * frame as f32));
    let cases: [(&str, &Path, i32, &str); 10] = [
        ("video", &black, 3, "black"),
        ("stereo", &black, 3, "black"),
        ("inpainting", &black, 3, "black"),
        ("video", &standing, 3, "the camera stood"),
        ("flow", &standing, 3, "the camera stood"),
        ("stereo", &one_eye, 3, "both eyes are one"),
        ("stereo,video", &one_eye, 3, "stereo can teach nothing"),
        ("stereo", &standing, 0, ""),
        ("video", &good, 0, ""),
        ("stereo,video", &good, 0, ""),
    ];
    for (number, (from, data, code, said)) in cases.into_iter().enumerate() {
        let (data, out) = (argument(data), argument(&folder.path().join(number.to_string())));
        let given = ["pretrain", "--from", from, "--data", &data, "--size", "64x32", "--batch", "2", "--steps", "2"];
        let output = run("parallax-train", &[&given[..], &["--device", "cpu", "--out", &out]].concat()).unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{from} on {data}: {told}");
        assert!(told.contains(said) && told.contains("missed its purpose") == (code == 3), "{from} on {data}: {told}");
        assert!(Path::new(&out).join("model.safetensors").is_file(), "{from} on {data}");
    }
}
