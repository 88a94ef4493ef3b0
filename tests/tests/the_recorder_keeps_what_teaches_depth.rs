//! On drives with standing, turning, blurred and dazzled stretches the gate keeps the pairs that teach depth and leaves the
//! others, by the true poses and depths; what it keeps goes straight into the doctor and pre-training.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_core::recording::{Eye, Recording, recordings_in};
use parallax_tests::field::{Field, FieldConfig, Stretch};
use parallax_tests::programs::{argument, run_for_json, run_to_end};
use parallax_vision::footage::TARGET_PARALLAX_PX;
use std::path::Path;
use std::sync::OnceLock;

const SIZE: (u32, u32) = (320, 128);

/// Less parallax than this teaches nothing: a photometric loss cannot tell it from noise (docs/doctor.md).
const LEAST_PX: f64 = 0.3;

/// Two days; the second is stereo.
fn day(number: usize) -> &'static Field {
    static DAYS: [OnceLock<Field>; 2] = [OnceLock::new(), OnceLock::new()];
    DAYS[number].get_or_init(|| {
        let stretches = match number {
            0 => vec![
                Stretch::Stand(10),
                Stretch::Drive(30),
                Stretch::LookAround(24, 0.08),
                Stretch::Drive(30),
                Stretch::Blurred(10, 2.5),
                Stretch::Drive(20),
                Stretch::Stand(15),
                Stretch::Drive(24),
                Stretch::Dazzled(8, 4.0),
                Stretch::Drive(20),
            ],
            _ => vec![Stretch::Drive(8), Stretch::Stand(8), Stretch::LookAround(16, 0.1), Stretch::Drive(12)],
        };
        let stereo = number == 1;
        Field::render(&FieldConfig { seed: number as u64, size: SIZE, speed_m_per_s: 3.0, stereo, stretches })
    })
}

/// The kept frames of a day by their numbers, snippet by snippet.
fn snippets(folder: &Path) -> Vec<Vec<usize>> {
    let mut snippets = Vec::new();
    for file in recordings_in(folder).unwrap() {
        let recording = Recording::open(file).unwrap();
        assert_eq!(recording.damage(), None);
        let mut last = None;
        for index in 0..recording.len() {
            if last != Some(recording.stretch(index)) {
                snippets.push(Vec::new());
                last = Some(recording.stretch(index));
            }
            snippets.last_mut().unwrap().push(Field::index(recording.timestamp(index)));
        }
    }
    snippets
}

/// Share of the useful steps from frame to frame that lie within a kept pair, and of the useless ones that are a kept pair;
/// useless ones among the kept pairs.
fn scores(field: &Field, snippets: &[Vec<usize>]) -> [f64; 3] {
    let pairs: Vec<[usize; 2]> =
        snippets.iter().flat_map(|frames| frames.windows(2).map(|it| [it[0], it[1]])).collect();
    let good = |first: usize, second: usize| field.frames[first].good && field.frames[second].good;
    let useless = |first: usize, second: usize| !good(first, second) || field.parallax_px(first, second) < LEAST_PX;
    let steps: Vec<(usize, usize)> = (1..field.frames.len()).map(|index| (index - 1, index)).collect();
    // Steps are a part of a pair where the camera is slow: on its way, it has a tenth of what is aimed at in each.
    let way = |&&(from, to): &&(usize, usize)| good(from, to) && field.parallax_px(from, to) > 0.1 * TARGET_PARALLAX_PX;
    let stands =
        |&&(from, to): &&(usize, usize)| !good(from, to) || field.parallax_px(from, to) < 0.02 * TARGET_PARALLAX_PX;
    let within = |&&(from, to): &&(usize, usize)| pairs.iter().any(|pair| pair[0] <= from && to <= pair[1]);
    let taken = |&&(from, to): &&(usize, usize)| pairs.contains(&[from, to]);
    let (on_the_way, standing) = (steps.iter().filter(way).count(), steps.iter().filter(stands).count());
    let covered = steps.iter().filter(way).filter(within).count();
    let kept_standing = steps.iter().filter(stands).filter(taken).count();
    let bad = pairs.iter().filter(|pair| useless(pair[0], pair[1])).count();
    assert!(on_the_way > 10 && standing > 10, "the day has both: {on_the_way}, {standing}");
    [covered as f64 / on_the_way as f64, kept_standing as f64 / standing as f64, bad as f64 / pairs.len().max(1) as f64]
}

fn keeps_what_teaches(field: &Field, folder: &Path) -> Vec<Vec<usize>> {
    let found = snippets(folder);
    let [useful, useless, bad] = scores(field, &found);
    assert!(useful >= 0.95, "only {useful:.3} of the useful way was kept: {found:?}");
    assert!(useless <= 0.05 && bad <= 0.05, "kept {useless:.3} of the useless steps, {bad:.3} of the pairs: {found:?}");
    found
}

/// Two steps of pre-training on what was recorded.
fn pre_trains(from: &str, data: &str, folder: &Path) {
    let out = argument(&folder.join("run"));
    let small = ["--size", "64x32", "--network", "slim", "--steps", "2", "--batch", "2", "--device", "cpu"];
    let command = [&["pretrain", "--from", from, "--data", data, "--out", &out], &small[..]].concat();
    run_to_end("parallax-train", &command).unwrap();
}

#[test]
fn useful_pairs_are_kept_and_useless_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, out) = (folder.path().join("drive.mcap"), folder.path().join("field"));
    let field = day(0);
    field.write(&drive).unwrap();
    let said = run_for_json(
        "parallax-edge",
        &["record", "--from", &argument(&drive), "--out", &argument(&out), "--encoding", "png", "--json"],
    )
    .unwrap();
    let found = keeps_what_teaches(field, &out);
    let kept: usize = found.iter().map(Vec::len).sum();
    assert_eq!(said["kept"], kept);
    assert_eq!(said["snippets"], found.len());
    let refused = &said["refused"];
    let all: u64 = refused.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(all + kept as u64, field.frames.len() as u64, "every frame is kept or refused for a reason: {said}");
    for (reason, least) in [("static", 8), ("rotation_only", 8), ("blurred", 9), ("over_exposed", 7)] {
        assert!(refused[reason].as_u64().unwrap_or(0) >= least, "{reason}: {said}");
    }
    assert!(found.iter().all(|frames| frames.len() >= 3), "every snippet holds a target and its partners: {found:?}");
    // What it kept is what it was given.
    let recording = Recording::open(&recordings_in(&out).unwrap()[0]).unwrap();
    let index = Field::index(recording.timestamp(5));
    assert_eq!(recording.frame(5, Eye::Left).unwrap().to_rgb().unwrap(), field.frames[index].left);
    assert_eq!(recording.camera(Eye::Left), Some(&field.camera));

    // Straight into the doctor, which has nothing to say against it, and into pre-training.
    let data = argument(&out);
    let checked = run_to_end("parallax-train", &["doctor", &data, "--size", "320x128"]).unwrap();
    assert!(checked.contains("chose the frames"), "{checked}");
    pre_trains("video", &data, folder.path());
}

#[test]
fn a_camera_without_calibration_is_served_too() {
    let folder = tempfile::tempdir().unwrap();
    let (frames, out) = (folder.path().join("frames"), folder.path().join("field"));
    std::fs::create_dir(&frames).unwrap();
    for (index, frame) in day(0).frames.iter().enumerate() {
        frame.left.save(frames.join(format!("{index:06}.png"))).unwrap();
    }
    run_to_end("parallax-edge", &["record", "--from", &argument(&frames), "--out", &argument(&out)]).unwrap();
    let found = snippets(&out);
    let [useful, useless, bad] = scores(day(0), &found);
    // A turn that any focal length explains is left out: with an unknown one, so is a little of what is none.
    assert!(useful >= 0.9, "only {useful:.3} of the useful way was kept: {found:?}");
    assert!(useless <= 0.05 && bad <= 0.05, "kept {useless:.3} of the useless steps, {bad:.3} of the pairs: {found:?}");
    assert!(Recording::open(&recordings_in(&out).unwrap()[0]).unwrap().camera(Eye::Left).is_none());
}

#[test]
fn both_eyes_are_kept_and_a_turn_gives_new_views() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, out) = (folder.path().join("drive.mcap"), folder.path().join("field"));
    let field = day(1);
    field.write(&drive).unwrap();
    run_to_end("parallax-edge", &["record", "--from", &argument(&drive), "--out", &argument(&out)]).unwrap();
    let found = keeps_what_teaches(field, &out);
    let turning = 16..32;
    assert!(found.concat().iter().any(|index| turning.contains(index)), "a pair teaches by itself: {found:?}");
    let recording = Recording::open(&recordings_in(&out).unwrap()[0]).unwrap();
    assert!((0..recording.len()).all(|index| recording.has_frame(index, Eye::Right)));
    assert_eq!(recording.camera(Eye::Right).and_then(parallax_core::camera::Camera::baseline_m), Some(0.16));
    pre_trains("video,stereo", &argument(&out), folder.path());
}
