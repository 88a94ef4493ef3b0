//! The message `CameraInfo` of ROS or `CameraCalibration` of Foxglove, as text: `ros2 topic echo`, `rostopic echo`, JSON.
//!
//! `height`, `width`, `distortion_model`, D, K, R and P (ROS 2 in small letters), matrices row by row; `header`, `binning_x`,
//! `binning_y` and `roi` of ROS, `timestamp` and `frame_id` of Foxglove.
//!
//! References: ROS, `sensor_msgs/CameraInfo`; Foxglove, *Message schemas*, `CameraCalibration`.

use super::found::Found;
use super::refusal::unknown_key;
use super::unsaid::Unsaid;
use parallax_core::camera::{CalibrationNode, Camera, CameraNumbers, is_harmless, part_of_the_sensor};
use parallax_core::{Error, Result};
use serde::Serialize;
use std::path::Path;

const KEYS: &[&str] = &[
    "header",
    "timestamp",
    "frame_id",
    "height",
    "width",
    "distortion_model",
    "D",
    "K",
    "R",
    "P",
    "d",
    "k",
    "r",
    "p",
    "binning_x",
    "binning_y",
    "roi",
];

pub(super) fn parse(text: &str, path: &Path, unsaid: &Unsaid) -> Result<Found> {
    let malformed = |what: String| Error::Malformed {
        what: format!("not a CameraCalibration or CameraInfo message: {what}"),
        path: path.to_path_buf(),
        hint: "it has width, height, distortion_model, D, K, R and P",
    };
    let root = CalibrationNode::from_yaml(text).map_err(malformed)?;
    for (key, value) in root.entries() {
        if !KEYS.contains(&key.as_str()) && !is_harmless(key, value) && !unsaid.ignores(key) {
            return Err(unknown_key(key, path));
        }
    }
    let pixels = |name: &str| {
        let node = root.get(name).and_then(CalibrationNode::pixels);
        node.ok_or_else(|| malformed(format!("{name} is no whole number of pixels")))
    };
    let matrix = |name: &str| match root.get(name).or_else(|| root.get(&name.to_lowercase())) {
        None => Ok(Vec::new()),
        Some(node) => node.numbers().ok_or_else(|| malformed(format!("{name} is no matrix of numbers"))),
    };
    let numbers = CameraNumbers {
        name: frame_of(&root),
        width: pixels("width")?,
        height: pixels("height")?,
        k: matrix("K")?,
        model: root.get("distortion_model").and_then(CalibrationNode::text).unwrap_or_default(),
        d: matrix("D")?,
        r: matrix("R")?,
        p: matrix("P")?,
    };
    if numbers.k.first().is_none_or(|&fx| fx == 0.0) {
        return Err(malformed("K is zero, which says that the camera is not calibrated".into()));
    }
    match part_of_the_sensor(&root, (numbers.width, numbers.height)) {
        Some(what) => Err(malformed(what)),
        None => Ok(Found::one(numbers)),
    }
}

fn frame_of(root: &CalibrationNode) -> String {
    let frame = root.get("frame_id").or_else(|| root.get("header")?.get("frame_id"));
    frame.and_then(CalibrationNode::text).unwrap_or_default()
}

#[derive(Default, Serialize)]
struct Message {
    timestamp: Time,
    frame_id: String,
    width: u32,
    height: u32,
    distortion_model: String,
    #[serde(rename = "D")]
    d: Vec<f64>,
    #[serde(rename = "K")]
    k: Vec<f64>,
    #[serde(rename = "R")]
    r: Vec<f64>,
    #[serde(rename = "P")]
    p: Vec<f64>,
}

#[derive(Default, Serialize)]
struct Time {
    sec: u64,
    nsec: u32,
}

/// As JSON, with Foxglove's names.
pub(super) fn to_text(camera: &Camera) -> String {
    let CameraNumbers { name, width, height, k, d, r, p, .. } = CameraNumbers::of(camera);
    let message = Message {
        timestamp: Time::default(),
        frame_id: name,
        width,
        height,
        distortion_model: camera.distortion.foxglove_name().to_owned(),
        d,
        k,
        r,
        p,
    };
    serde_json::to_string_pretty(&message).unwrap_or_default() + "\n"
}
