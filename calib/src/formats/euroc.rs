//! EuRoC's `sensor.yaml`, one file a camera, as many visual-inertial data sets have it.
//!
//! ```yaml
//! sensor_type: camera
//! T_BS: {rows: 4, cols: 4, data: [...]}       # body from sensor, metres
//! resolution: [752, 480]
//! camera_model: pinhole
//! intrinsics: [fu, fv, cu, cv]
//! distortion_model: radial-tangential
//! distortion_coefficients: [k1, k2, p1, p2]
//! ```
//!
//! Two files with `T_BS` are a pair: `x_right = T_BS_right⁻¹ T_BS_left x_left`.
//!
//! Reference: Burri et al., *The EuRoC micro aerial vehicle datasets*, IJRR 2016.

use super::found::{Found, FoundCamera, rigid};
use super::refusal::unknown_key;
use super::unsaid::Unsaid;
use parallax_core::camera::{CalibrationNode, CameraNumbers, is_harmless};
use parallax_core::{Error, Result};
use std::path::Path;

const KEYS: &[&str] = &[
    "sensor_type",
    "comment",
    "T_BS",
    "rate_hz",
    "resolution",
    "camera_model",
    "intrinsics",
    "distortion_model",
    "distortion_coefficients",
    "distortion_coeffs",
    "rostopic",
    "sensor_id",
];

pub(super) fn parse(text: &str, path: &Path, unsaid: &Unsaid) -> Result<Found> {
    let malformed = |what: String| Error::Malformed {
        what: format!("not EuRoC's sensor.yaml: {what}"),
        path: path.to_path_buf(),
        hint: "it has resolution, camera_model, intrinsics, distortion_model and distortion_coefficients",
    };
    let root = CalibrationNode::from_yaml(text).map_err(malformed)?;
    for (key, value) in root.entries() {
        if !KEYS.contains(&key.as_str()) && !is_harmless(key, value) && !unsaid.ignores(key) {
            return Err(unknown_key(key, path));
        }
    }
    let numbers = numbers_of(&root).map_err(malformed)?;
    let from_rig = match root.get("T_BS") {
        None => None,
        Some(node) => {
            let body_from_sensor = node.numbers().and_then(|numbers| rigid(&numbers));
            let what = || malformed("T_BS is no rotation with a translation (4x4)".into());
            Some(body_from_sensor.ok_or_else(what)?.inverse())
        }
    };
    Ok(Found { cameras: vec![FoundCamera { numbers, from_rig, ..FoundCamera::default() }], right_from_left: None })
}

/// Resolution, intrinsics and lens, as EuRoC and Kalibr have them.
pub(super) fn numbers_of(root: &CalibrationNode) -> std::result::Result<CameraNumbers, String> {
    let text = |name: &str| root.get(name).and_then(CalibrationNode::text).unwrap_or_default();
    let list = |name: &str| match root.get(name) {
        None => Ok(None),
        Some(node @ CalibrationNode::List(items)) if items.is_empty() => Ok(node.numbers()),
        Some(node) => node.numbers().map(Some).ok_or_else(|| format!("{name} is no list of finite numbers")),
    };
    match text("camera_model").to_lowercase().as_str() {
        "pinhole" | "" => {}
        other => return Err(format!("expected the camera model pinhole, found {other}")),
    }
    let intrinsics = list("intrinsics")?.unwrap_or_default();
    let &[fx, fy, cx, cy] = intrinsics.as_slice() else {
        return Err(format!("expected 4 intrinsics, found {}", intrinsics.len()));
    };
    let size = list("resolution")?.unwrap_or_default();
    let is_pixels = |number: f64| number.fract() == 0.0 && (1.0..=1e6).contains(&number);
    let (width, height) = match size.as_slice() {
        &[width, height] if is_pixels(width) && is_pixels(height) => (width as u32, height as u32),
        other => return Err(format!("expected a resolution of width and height, found {other:?}")),
    };
    let d = match (list("distortion_coefficients")?, list("distortion_coeffs")?) {
        (Some(_), Some(_)) => return Err("it has both distortion_coefficients and distortion_coeffs".into()),
        (one, other) => one.or(other).unwrap_or_default(),
    };
    let model = text("distortion_model");
    if model.is_empty() && !d.is_empty() {
        return Err("it has distortion coefficients, but no distortion_model".into());
    }
    if !model.is_empty() && d.is_empty() && !model.eq_ignore_ascii_case("none") {
        return Err(format!("its distortion_model is {model}, but it has no distortion coefficients"));
    }
    Ok(CameraNumbers {
        name: String::new(),
        width,
        height,
        k: vec![fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        model,
        d,
        r: Vec::new(),
        p: Vec::new(),
    })
}
