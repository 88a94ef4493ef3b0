//! Kalibr's camchain: what its calibrations give and many visual-inertial programs (OpenVINS, …) take.
//!
//! ```yaml
//! cam0:
//!   camera_model: pinhole
//!   intrinsics: [fu, fv, pu, pv]
//!   distortion_model: radtan            # k1 k2 p1 p2; or equidistant: k1 k2 k3 k4; or none
//!   distortion_coeffs: [..]
//!   resolution: [width, height]
//!   rostopic: /cam0/image_raw
//! cam1:
//!   T_cn_cnm1: [[4 numbers] × 4]        # camera 1 from camera 0, metres
//! ```
//!
//! Where both cameras have `T_cam_imu` (Kalibr) or `T_imu_cam` (OpenVINS, its inverse) instead, the pair follows from them.
//!
//! The form knows no rectification: a pair's is computed from its relation ([`crate::rectification`]). So that nothing is
//! lost, R and P of a camera are written beside it as `rectification_matrix` and `projection_matrix`, in ROS's order, which
//! Kalibr's other readers pass over and this one reads.
//!
//! Reference: Kalibr wiki, *yaml formats* and *supported models*.

use super::euroc::numbers_of;
use super::found::{Found, FoundCamera, rigid};
use super::refusal::unknown_key;
use super::unsaid::Unsaid;
use crate::CameraPair;
use nalgebra::Isometry3;
use parallax_core::camera::{CalibrationNode, Camera, CameraNumbers, Distortion, is_harmless};
use parallax_core::{Error, Result};
use std::fmt::Write as _;
use std::path::Path;

const KEYS: &[&str] = &[
    "cam_overlaps",
    "camera_model",
    "distortion_coeffs",
    "distortion_coefficients",
    "distortion_model",
    "intrinsics",
    "resolution",
    "rostopic",
    "timeshift_cam_imu",
    "T_cn_cnm1",
    "T_cam_imu",
    "T_imu_cam",
    "rectification_matrix",
    "projection_matrix",
];

pub(super) fn parse(text: &str, path: &Path, unsaid: &Unsaid) -> Result<Found> {
    let malformed = |what: String, hint| Error::Malformed { what, path: path.to_path_buf(), hint };
    let root = CalibrationNode::from_yaml(text).map_err(|what| {
        malformed(
            format!("not a Kalibr camchain: {what}"),
            "each camera has camera_model, intrinsics, distortion_model, distortion_coeffs and resolution",
        )
    })?;
    let is_camera = |key: &str| key.strip_prefix("cam").is_some_and(|rest| rest.parse::<u8>().is_ok());
    let (cameras, others): (Vec<_>, Vec<_>) = root.entries().iter().partition(|(key, _)| is_camera(key));
    if let Some((key, _)) = others.iter().find(|(key, value)| !is_harmless(key, value) && !unsaid.ignores(key)) {
        return Err(unknown_key(key, path));
    }
    let Some(left) = root.get("cam0") else {
        return Err(malformed("there is no cam0".into(), "a camchain begins with cam0"));
    };
    if cameras.len() > 2 || cameras.iter().any(|(key, _)| key != "cam0" && key != "cam1") {
        let names: Vec<&str> = cameras.iter().map(|(key, _)| key.as_str()).collect();
        let what = format!("expected one camera or two, cam0 and cam1, found {}", names.join(", "));
        return Err(malformed(what, "keep the cameras of a pair as cam0 and cam1 in a file of their own"));
    }
    let camera = |key: &str, node: &CalibrationNode| -> Result<FoundCamera> {
        check_keys(key, node, path, unsaid)?;
        let found = camera_of(node).map_err(|what| malformed(format!("{key}: {what}"), "convert or solve it anew"))?;
        Ok(FoundCamera { label: key.to_owned(), ..found })
    };
    let mut found = Found { cameras: vec![camera("cam0", left)?], right_from_left: None };
    if let Some(right) = root.get("cam1") {
        found.cameras.push(camera("cam1", right)?);
        found.right_from_left = transform(right, "T_cn_cnm1").map_err(|what| {
            malformed(format!("cam1: {what}"), "its last row is 0 0 0 1 and its rotation has determinant 1")
        })?;
        if found.right_from_left.is_none() && found.cameras.iter().any(|camera| camera.from_rig.is_none()) {
            return Err(malformed(
                "cam1 has no T_cn_cnm1, and not both cameras have T_cam_imu".into(),
                "Kalibr writes T_cn_cnm1 when it calibrates both cameras together",
            ));
        }
    }
    Ok(found)
}

fn check_keys(camera: &str, node: &CalibrationNode, path: &Path, unsaid: &Unsaid) -> Result<()> {
    let unknown = node
        .entries()
        .iter()
        .find(|(key, value)| !KEYS.contains(&key.as_str()) && !is_harmless(key, value) && !unsaid.ignores(key));
    unknown.map_or(Ok(()), |(key, _)| Err(unknown_key(&format!("{camera}.{key}"), path)))
}

fn camera_of(node: &CalibrationNode) -> std::result::Result<FoundCamera, String> {
    let matrix = |name: &str| match node.get(name) {
        None => Ok(Vec::new()),
        Some(node) => node.numbers().ok_or_else(|| format!("{name} is no matrix of numbers")),
    };
    let mut numbers = numbers_of(node)?;
    (numbers.r, numbers.p) = (matrix("rectification_matrix")?, matrix("projection_matrix")?);
    let model = numbers.model.to_lowercase();
    if !matches!(model.as_str(), "radtan" | "equidistant" | "equi" | "none" | "") {
        return Err(format!("expected the distortion model radtan, equidistant or none, found {model}"));
    }
    let mut from_rig = transform(node, "T_cam_imu")?;
    if let Some(imu_from_camera) = transform(node, "T_imu_cam")? {
        if from_rig.is_some() {
            return Err("it has both T_cam_imu and T_imu_cam".into());
        }
        from_rig = Some(imu_from_camera.inverse());
    }
    Ok(FoundCamera { label: String::new(), numbers, from_rig })
}

fn transform(node: &CalibrationNode, name: &str) -> std::result::Result<Option<Isometry3<f64>>, String> {
    let Some(matrix) = node.get(name) else { return Ok(None) };
    let found = matrix.numbers().and_then(|numbers| rigid(&numbers));
    found.map(Some).ok_or_else(|| format!("{name} is no rotation with a translation"))
}

pub(super) fn to_text(cameras: &CameraPair, path: &Path) -> Result<String> {
    let mut text = String::new();
    let overlaps = if cameras.right.is_some() { "1" } else { "" };
    write_cam(&mut text, 0, &cameras.left, overlaps, path)?;
    if let Some(right) = &cameras.right {
        write_cam(&mut text, 1, right, "0", path)?;
        let relation = cameras.right_from_left().ok_or_else(|| Error::Malformed {
            what: "the right camera's P holds no baseline, which Kalibr's form needs".into(),
            path: path.to_path_buf(),
            hint: "write each camera to a file of its own, or calibrate the pair together",
        })?;
        text.push_str("  T_cn_cnm1:\n");
        for row in relation.to_homogeneous().row_iter() {
            let numbers: Vec<String> = row.iter().map(|number| format!("{number:?}")).collect();
            let _ = writeln!(text, "  - [{}]", numbers.join(", "));
        }
    }
    Ok(text)
}

fn write_cam(text: &mut String, number: usize, camera: &Camera, overlaps: &str, path: &Path) -> Result<()> {
    let cannot = |what: String| Error::Malformed {
        what,
        path: path.to_path_buf(),
        hint: "write another form with --format: ros, opencv and foxglove hold this lens",
    };
    let (model, coefficients) = match camera.distortion {
        Distortion::None => ("radtan", vec![0.0; 4]),
        Distortion::PlumbBob([k1, k2, p1, p2, 0.0]) => ("radtan", vec![k1, k2, p1, p2]),
        Distortion::PlumbBob([.., k3]) => {
            return Err(cannot(format!("Kalibr's radtan lens has no k3, but this camera's is {k3}")));
        }
        Distortion::RationalPolynomial(_) => {
            return Err(cannot("Kalibr has no rational_polynomial lens".into()));
        }
        Distortion::Equidistant(coefficients) => ("equidistant", coefficients.to_vec()),
    };
    let k = camera.intrinsics;
    let _ = writeln!(
        text,
        "cam{number}:\n  cam_overlaps: [{overlaps}]\n  camera_model: pinhole\n  distortion_coeffs: {coefficients:?}\n  \
         distortion_model: {model}\n  intrinsics: {:?}\n  resolution: [{}, {}]\n  rostopic: /cam{number}/image_raw",
        [k.fx, k.fy, k.cx, k.cy],
        camera.width,
        camera.height,
    );
    let plain = Camera::pinhole("", camera.width, camera.height, k);
    if camera.rectification != plain.rectification || camera.projection != plain.projection {
        let CameraNumbers { r, p, .. } = CameraNumbers::of(camera);
        let _ = writeln!(text, "  rectification_matrix: {r:?}\n  projection_matrix: {p:?}");
    }
    Ok(())
}
