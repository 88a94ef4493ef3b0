//! The demonstration runs from a place to masks and reports everything it promises, at a size where numbers mean nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::demo::{DemoConfig, tell};
use serde_json::Value;

#[test]
fn every_stage_runs_and_every_number_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    std::fs::create_dir(&out).unwrap();
    tell(&DemoConfig::quick(out.clone())).unwrap();
    let summary: Value = serde_json::from_str(&std::fs::read_to_string(out.join("summary.json")).unwrap()).unwrap();
    for pointer in [
        "/seconds/total",
        "/miou/location_prior",
        "/miou/none",
        "/miou/depth",
        "/miou/depth_encoder",
        "/miou/int8",
        "/depth/abs_rel",
        "/depth/abs_rel_ground_plane",
        "/depth/delta1",
        "/ms_per_frame/float",
        "/ms_per_frame/int8",
        "/bytes/float",
        "/bytes/int8",
        "/steps/stereo",
        "/steps/video",
        "/steps/finetune",
    ] {
        let value = summary.pointer(pointer).and_then(Value::as_f64);
        assert!(value.is_some_and(|value| value.is_finite() && value >= 0.0), "{pointer} is {value:?}");
    }
    assert_eq!(summary["seed"], 1);
    let [float, int8] = ["float", "int8"].map(|form| summary["bytes"][form].as_u64().unwrap());
    assert!(2 * int8 < float, "int8 weights take a quarter of float ones: {int8} of {float} bytes");
    assert!(image::open(out.join("sheet.png")).unwrap().width() > 1000);
    let masks = std::fs::read_dir(out.join("masks/masks")).unwrap().count();
    assert_eq!(masks, 6, "one mask a frame of the unseen drive");
    let lines = std::fs::read_to_string(out.join("masks/frames.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 6);
    for line in lines.lines() {
        let frame: Value = serde_json::from_str(line).unwrap();
        assert!(frame["stages_ms"].is_object() && frame["frame"].is_number(), "{line}");
    }
}
