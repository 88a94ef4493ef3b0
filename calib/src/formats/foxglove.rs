//! Foxglove's message `CameraCalibration` as JSON: what its tools show and copy.
//!
//! Reference: Foxglove, *Message schemas*, `CameraCalibration`: `timestamp`, `frame_id`, `width`, `height`,
//! `distortion_model`, `D`, `K`, `R`, `P`, matrices row by row.

use super::first_line;
use parallax_core::camera::{Camera, CameraNumbers};
use parallax_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Default, Serialize, Deserialize)]
struct Message {
    #[serde(default)]
    timestamp: Time,
    #[serde(default)]
    frame_id: String,
    width: u32,
    height: u32,
    #[serde(default)]
    distortion_model: String,
    #[serde(rename = "D", alias = "d", default)]
    d: Vec<f64>,
    #[serde(rename = "K", alias = "k")]
    k: Vec<f64>,
    #[serde(rename = "R", alias = "r", default)]
    r: Vec<f64>,
    #[serde(rename = "P", alias = "p", default)]
    p: Vec<f64>,
}

#[derive(Default, Serialize, Deserialize)]
struct Time {
    sec: u64,
    #[serde(alias = "nanosec")]
    nsec: u32,
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Camera> {
    let message: Message = serde_json::from_str(text).map_err(|error| Error::Malformed {
        what: format!("not a CameraCalibration message: {}", first_line(&error.to_string())),
        path: path.to_path_buf(),
        hint: "Foxglove's form has width, height, distortion_model, D, K, R and P",
    })?;
    let numbers = CameraNumbers {
        name: message.frame_id,
        width: message.width,
        height: message.height,
        k: message.k,
        model: message.distortion_model,
        d: message.d,
        r: message.r,
        p: message.p,
    };
    numbers.into_camera().map_err(|what| Error::Camera { what, path: Some(path.to_path_buf()) })
}

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
