//! mrcal's `.cameramodel`: a dictionary as Python writes it, with comments.
//!
//! ```python
//! {
//!     'lensmodel':  'LENSMODEL_OPENCV8',
//!     # intrinsics are fx,fy,cx,cy,distortion0,distortion1,....
//!     'intrinsics': [ 1761.18, 1761.25, 1965.7, 1087.5, -0.0127, ... ],
//!     'extrinsics': [ r, r, r, t, t, t ],      # the camera from the reference: a Rodrigues vector and metres
//!     'imagersize': [ 3904, 2160 ],
//! }
//! ```
//!
//! `LENSMODEL_PINHOLE` and `LENSMODEL_OPENCV4` to `OPENCV8` are read, `OPENCV12` where what is beyond is zero; the splined,
//! CAHVOR and projection models are refused by name. The two files of a pair are related by their `extrinsics`
//! (`rt_cam_ref` in newer files).
//!
//! Reference: mrcal documentation, *Camera model files* and *Lens models*.

use super::found::{Found, FoundCamera};
use super::refusal::unknown_key;
use super::unsaid::Unsaid;
use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use parallax_core::camera::{CalibrationNode, CameraNumbers};
use parallax_core::{Error, Result};
use std::path::Path;

const KEYS: &[&str] = &[
    "lensmodel",
    "intrinsics",
    "extrinsics",
    "rt_cam_ref",
    "imagersize",
    "valid_intrinsics_region",
    "icam_intrinsics",
    "optimization_inputs",
];

pub(super) fn parse(text: &str, path: &Path, unsaid: &Unsaid) -> Result<Found> {
    let malformed = |what: String| Error::Malformed {
        what: format!("not a cameramodel of mrcal: {what}"),
        path: path.to_path_buf(),
        hint: "it has lensmodel, intrinsics and imagersize; `mrcal-convert-lensmodel` makes LENSMODEL_OPENCV8 of other lens models",
    };
    let root = CalibrationNode::from_yaml(&without_bytes(text)).map_err(malformed)?;
    if let Some((key, _)) = root.entries().iter().find(|(key, _)| !KEYS.contains(&key.as_str()) && !unsaid.ignores(key))
    {
        return Err(unknown_key(key, path));
    }
    let list = |name: &str| root.get(name).and_then(CalibrationNode::numbers);
    let model = root.get("lensmodel").and_then(CalibrationNode::text).unwrap_or_default();
    let distortions = match model.as_str() {
        "LENSMODEL_PINHOLE" => 0,
        "LENSMODEL_OPENCV4" => 4,
        "LENSMODEL_OPENCV5" => 5,
        "LENSMODEL_OPENCV8" => 8,
        "LENSMODEL_OPENCV12" => 12,
        other => return Err(malformed(format!("the lens model {other:?} is not supported"))),
    };
    let intrinsics = list("intrinsics").unwrap_or_default();
    if intrinsics.len() != 4 + distortions {
        return Err(malformed(format!(
            "expected {} intrinsics of {model}, found {}",
            4 + distortions,
            intrinsics.len()
        )));
    }
    let size: Option<Vec<u32>> =
        list("imagersize").and_then(|size| size.iter().map(|&side| CalibrationNode::Number(side).pixels()).collect());
    let Some(&[width, height]) = size.as_deref() else {
        return Err(malformed("imagersize is no width and height".into()));
    };
    let from_rig =
        match root.get("rt_cam_ref").or_else(|| root.get("extrinsics")) {
            None => None,
            Some(node) => Some(node.numbers().and_then(|rt| place(&rt)).ok_or_else(|| {
                malformed("extrinsics are not the six numbers of a rotation and a translation".into())
            })?),
        };
    let numbers = CameraNumbers {
        width,
        height,
        k: vec![intrinsics[0], 0.0, intrinsics[2], 0.0, intrinsics[1], intrinsics[3], 0.0, 0.0, 1.0],
        model: "opencv".into(),
        d: intrinsics[4..].to_vec(),
        ..CameraNumbers::default()
    };
    Ok(Found { cameras: vec![FoundCamera { numbers, from_rig, ..FoundCamera::default() }], right_from_left: None })
}

fn place(rt: &[f64]) -> Option<Isometry3<f64>> {
    let &[rx, ry, rz, tx, ty, tz] = rt else { return None };
    let rotation = UnitQuaternion::from_scaled_axis(Vector3::new(rx, ry, rz));
    Some(Isometry3::from_parts(Translation3::new(tx, ty, tz), rotation))
}

/// The text without `b'…'`: the optimization's inputs, which are no YAML. Base 85 has no quotes.
fn without_bytes(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find("b'") {
        let (before, after) = rest.split_at(begin);
        kept.push_str(before);
        let is_literal = before.trim_end().ends_with(':');
        match after[2..].find('\'') {
            Some(end) if is_literal => {
                kept.push_str("''");
                rest = &after[2 + end + 1..];
            }
            _ => {
                kept.push_str("b'");
                rest = &after[2..];
            }
        }
    }
    kept + rest
}
