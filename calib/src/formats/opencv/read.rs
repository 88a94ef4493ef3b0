//! Reading such a file, alone or with the one that says where the right camera is.

use super::gathered::Gathered;
use super::tree::tree;
use crate::formats::found::Found;
use crate::formats::unsaid::Unsaid;
use nalgebra::Isometry3;
use parallax_core::camera::{CalibrationNode, read_calibration_text};
use parallax_core::{Error, Result};
use std::path::Path;

/// Whether a text is YAML or JSON with names.
pub(in crate::formats) fn has_names(text: &str) -> bool {
    match CalibrationNode::from_yaml(text) {
        Ok(CalibrationNode::Map(_)) => true,
        // Broken YAML: its reader tells more about it than one of numbers would.
        Err(_) => text.contains(':') || text.trim_start().starts_with('{'),
        Ok(_) => false,
    }
}

pub(in crate::formats) fn parse(text: &str, path: &Path, unsaid: &Unsaid) -> Result<Found> {
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
pub(in crate::formats) struct Extrinsics {
    pub(in crate::formats) right_from_left: Isometry3<f64>,
    /// R and P of the left and the right camera; empty where there are none.
    pub(in crate::formats) rectified: [[Vec<f64>; 2]; 2],
}

/// Where the right camera is, from a file of R and T.
pub(in crate::formats) fn extrinsics(path: &Path, unsaid: &Unsaid) -> Result<Extrinsics> {
    let gathered = Gathered::of(&tree(&read_calibration_text(path)?, path)?, path, unsaid)?;
    let right_from_left = gathered.relation(path, unsaid)?.ok_or_else(|| Error::Malformed {
        what: "it holds no R and T".into(),
        path: path.to_path_buf(),
        hint: "name the file that says where the right camera is: x_right = R x_left + T",
    })?;
    Ok(Extrinsics { right_from_left, rectified: gathered.rectified(path, unsaid)? })
}
