//! Kalibr's camchain: what its calibrations give and many visual-inertial programs take.
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
//! The form knows no rectification: a pair's is computed from `T_cn_cnm1` ([`crate::rectification`]).
//!
//! Reference: Kalibr wiki, *yaml formats* and *supported models*.

use super::first_line;
use crate::{CameraPair, rectification};
use nalgebra::{Isometry3, Matrix4};
use parallax_core::camera::{Camera, Distortion, Intrinsics};
use parallax_core::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Deserialize)]
struct Cam {
    camera_model: String,
    intrinsics: Vec<f64>,
    #[serde(default)]
    distortion_model: String,
    #[serde(default)]
    distortion_coeffs: Vec<f64>,
    resolution: [u32; 2],
    #[serde(rename = "T_cn_cnm1")]
    from_previous: Option<[[f64; 4]; 4]>,
}

pub(super) fn is_camchain(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == "cam0:")
}

pub(super) fn parse(text: &str, path: &Path) -> Result<CameraPair> {
    let malformed = |what: String, hint| Error::Malformed { what, path: path.to_path_buf(), hint };
    let chain: BTreeMap<String, Cam> = serde_saphyr::from_str(text).map_err(|error| {
        malformed(
            format!("not a Kalibr camchain: {}", first_line(&error.to_string())),
            "each camera has camera_model, intrinsics, distortion_model, distortion_coeffs and resolution",
        )
    })?;
    if chain.len() > 2 {
        let what = format!("expected one camera or two, found {}", chain.len());
        return Err(malformed(what, "keep cam0 and cam1 in a file of their own"));
    }
    let camera = |key: &str, name: &str| -> Result<Option<(Camera, &Cam)>> {
        let Some(cam) = chain.get(key) else { return Ok(None) };
        let camera =
            camera_of(cam, name).map_err(|what| malformed(format!("{key}: {what}"), "convert or solve it anew"))?;
        camera.validate().map_err(|error| match error {
            Error::Camera { what, .. } => {
                Error::Camera { what: format!("{key}: {what}"), path: Some(path.to_path_buf()) }
            }
            other => other,
        })?;
        Ok(Some((camera, cam)))
    };
    let Some((mut left, _)) = camera("cam0", "left")? else {
        return Err(malformed("there is no cam0".into(), "a camchain begins with cam0"));
    };
    let Some((right, cam)) = camera("cam1", "right")? else {
        left.name = "camera".into();
        return Ok(CameraPair { left, right: None });
    };
    let rows = cam.from_previous.ok_or_else(|| {
        malformed("cam1 has no T_cn_cnm1".into(), "Kalibr writes it when it calibrates both cameras together")
    })?;
    let matrix = Matrix4::from_fn(|row, column| rows[row][column]);
    let right_from_left = rigid(&matrix).ok_or_else(|| {
        malformed(
            "cam1: T_cn_cnm1 is no rotation with a translation".into(),
            "its last row is 0 0 0 1 and its rotation has determinant 1",
        )
    })?;
    rectification::of_pair(left, right, &right_from_left)
        .map_err(|what| malformed(what, "the right camera must be to the right of the left one"))
}

fn camera_of(cam: &Cam, name: &str) -> std::result::Result<Camera, String> {
    if cam.camera_model != "pinhole" {
        return Err(format!("expected the camera model pinhole, found {}", cam.camera_model));
    }
    let &[fx, fy, cx, cy] = cam.intrinsics.as_slice() else {
        return Err(format!("expected 4 intrinsics, found {}", cam.intrinsics.len()));
    };
    let lens: std::result::Result<[f64; 4], _> = cam.distortion_coeffs.as_slice().try_into();
    let counted = || lens.map_err(|_| format!("expected 4 distortion_coeffs, found {}", cam.distortion_coeffs.len()));
    let distortion = match cam.distortion_model.as_str() {
        "none" | "" => Distortion::None,
        "radtan" => match counted()? {
            [0.0, 0.0, 0.0, 0.0] => Distortion::None,
            [k1, k2, p1, p2] => Distortion::PlumbBob([k1, k2, p1, p2, 0.0]),
        },
        "equidistant" | "equi" => Distortion::Equidistant(counted()?),
        other => return Err(format!("expected the distortion model radtan, equidistant or none, found {other}")),
    };
    let [width, height] = cam.resolution;
    Ok(Camera { distortion, ..Camera::pinhole(name, width, height, Intrinsics { fx, fy, cx, cy }) })
}

/// The isometry in a 4×4 matrix; none when it is something else. 1e-3: files print rotations with few digits.
fn rigid(matrix: &Matrix4<f64>) -> Option<Isometry3<f64>> {
    let rotation = matrix.fixed_view::<3, 3>(0, 0).into_owned();
    let last = matrix.row(3);
    let orthogonal = (rotation * rotation.transpose() - nalgebra::Matrix3::identity()).amax() < 1e-3;
    let fits = orthogonal && rotation.determinant() > 0.0 && last[3] == 1.0 && last.columns(0, 3).amax() == 0.0;
    fits.then(|| rectification::isometry(&rotation, matrix.fixed_view::<3, 1>(0, 3).into_owned()))
}

pub(super) fn to_text(cameras: &CameraPair, path: &Path) -> Result<String> {
    let mut text = String::new();
    let overlaps = if cameras.right.is_some() { "1" } else { "" };
    write_cam(&mut text, 0, &cameras.left, overlaps, path)?;
    if let Some(right) = &cameras.right {
        write_cam(&mut text, 1, right, "0", path)?;
        let matrix = cameras.right_from_left().unwrap_or_else(Isometry3::identity).to_homogeneous();
        text.push_str("  T_cn_cnm1:\n");
        for row in matrix.row_iter() {
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
        hint: "write another form with --format, or solve again with --lens radtan",
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
    Ok(())
}
