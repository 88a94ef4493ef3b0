//! OpenCV's FileStorage, as its samples and most programs around it write calibrations, and YAML or JSON of named matrices.
//!
//! | what | names, for instance |
//! |---|---|
//! | K | `camera_matrix`, `Camera_Matrix`, `CameraMat`, `K`, `mtx`; of a pair `M1` and `M2`, `K_left`, `cameraMatrixR` |
//! | the lens | `distortion_coefficients`, `dist_coeff`, `DistCoeff`, `dist`, `D`; of a pair `D1` and `D2`, … |
//! | `R`, `T` | `x_right = R x_left + T`, in the unit of the board's squares |
//! | `R1`, `R2`, `P1`, `P2` | rectification; computed from R and T where missing; `rectification_matrix` and `projection_matrix` as ROS |
//! | the size | `image_width` and `image_height`, `image_size`, `ImageSize`; not in the `stereo_calib` sample: `--size` says it |
//! | the lens model | `fisheye_model` (1: `equidistant`), `distortion_model`, `camera_model` |
//! | `fx`, `fy`, `cx`, `cy`, `k1`, `k2`, `p1`, `p2`, … | numbers one by one, as settings of visual odometry have them |
//!
//! Coefficients are k1 k2 p1 p2 \[k3 \[k4 k5 k6\]\]; those of thin prisms and tilted sensors are refused unless zero, and four
//! of them without a lens model are. [`names`] tells what a name means; one that is not understood is refused, and so are two
//! candidates for the same thing.
//!
//! Reference: OpenCV documentation, *File Input and Output using XML and YAML files*; *Camera Calibration and 3D Reconstruction*.

mod gathered;
mod names;
mod write;

pub(super) use write::to_text;

use super::found::{Found, is_rotation};
use super::{FORMS, Unsaid};
use crate::rectification;
use gathered::Gathered;
use nalgebra::{Isometry3, Matrix3, Vector3};
use parallax_core::camera::{CalibrationForm, CalibrationNode, read_calibration_text};
use parallax_core::{Error, Result};
use std::path::Path;

/// Whether a text is YAML or JSON with names.
pub(super) fn has_names(text: &str) -> bool {
    match CalibrationNode::from_yaml(text) {
        Ok(CalibrationNode::Map(_)) => true,
        // Broken YAML: its reader tells more about it than one of numbers would.
        Err(_) => text.contains(':') || text.trim_start().starts_with('{'),
        Ok(_) => false,
    }
}

pub(super) fn parse(text: &str, path: &Path, unsaid: &Unsaid) -> Result<Found> {
    let mut gathered = Gathered::of(&tree(text, path)?, path, unsaid)?;
    if let Some(extrinsics) = unsaid.extrinsics.as_deref().filter(|_| unsaid.right.is_none()) {
        gathered.join(
            Gathered::of(&tree(&read_calibration_text(extrinsics)?, extrinsics)?, extrinsics, unsaid)?,
            extrinsics,
        )?;
    }
    gathered.into_found(path, unsaid)
}

/// What a file says of two cameras together.
pub(super) struct Extrinsics {
    pub(super) right_from_left: Isometry3<f64>,
    /// R and P of the left and the right camera; empty where there are none.
    pub(super) rectified: [[Vec<f64>; 2]; 2],
}

/// Where the right camera is, from a file of R and T.
pub(super) fn extrinsics(path: &Path, unsaid: &Unsaid) -> Result<Extrinsics> {
    let gathered = Gathered::of(&tree(&read_calibration_text(path)?, path)?, path, unsaid)?;
    let right_from_left = gathered.relation(path, unsaid)?.ok_or_else(|| Error::Malformed {
        what: "it holds no R and T".into(),
        path: path.to_path_buf(),
        hint: "name the file that says where the right camera is: x_right = R x_left + T",
    })?;
    Ok(Extrinsics { right_from_left, rectified: gathered.rectified(path, unsaid)? })
}

/// `x_right = R x_left + T`.
fn right_from_left(r: &[f64], t: &[f64], metres_per_unit: f64) -> std::result::Result<Isometry3<f64>, String> {
    if r.len() != 9 || t.len() != 3 {
        return Err(format!("expected R with 9 numbers and T with 3, found {} and {}", r.len(), t.len()));
    }
    let rotation = Matrix3::from_row_slice(r);
    if !is_rotation(&rotation) {
        return Err("R is no rotation".into());
    }
    Ok(rectification::isometry(&rotation, Vector3::from_row_slice(t) * metres_per_unit))
}

/// The file as a tree, whichever of FileStorage's three forms it has.
fn tree(text: &str, path: &Path) -> Result<CalibrationNode> {
    let is_file_storage = CalibrationForm::of(text) == CalibrationForm::FileStorage;
    let malformed = |what: String| Error::Malformed {
        what: format!("{}: {what}", if is_file_storage { "not an OpenCV file" } else { "not a calibration" }),
        path: path.to_path_buf(),
        hint: if is_file_storage {
            "cv::FileStorage writes YAML, XML and JSON; this is none of them, or it is cut short"
        } else {
            FORMS
        },
    };
    if text.trim_start().starts_with('<') {
        let document = roxmltree::Document::parse(text).map_err(|error| malformed(error.to_string()))?;
        return tree_of_xml(document.root_element(), 0).map_err(malformed);
    }
    CalibrationNode::from_yaml(text).map_err(malformed)
}

/// Deepest nesting that is read, the same as of YAML.
const DEEPEST: usize = 64;

fn tree_of_xml(node: roxmltree::Node, depth: usize) -> std::result::Result<CalibrationNode, String> {
    if depth > DEEPEST {
        return Err(format!("its elements are nested deeper than {DEEPEST}"));
    }
    if !node.children().any(|child| child.is_element()) {
        let text: String = node.children().filter_map(|child| child.text()).collect();
        return Ok(if text.trim().is_empty() {
            CalibrationNode::Nothing
        } else {
            CalibrationNode::Text(text.trim().to_owned())
        });
    }
    let mut entries: Vec<(String, CalibrationNode)> = Vec::new();
    for child in node.children().filter(roxmltree::Node::is_element) {
        let name = child.tag_name().name();
        // `_` are the items of a list.
        if name != "_" && entries.iter().any(|(known, _)| known == name) {
            return Err(format!("{name} is there twice"));
        }
        entries.push((name.to_owned(), tree_of_xml(child, depth + 1)?));
    }
    if entries.iter().all(|(name, _)| name == "_") {
        return Ok(CalibrationNode::List(entries.into_iter().map(|(_, item)| item).collect()));
    }
    Ok(CalibrationNode::Map(entries))
}
