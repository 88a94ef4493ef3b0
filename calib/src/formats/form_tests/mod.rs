//! The files that everybody has, each with its right value, and their siblings that may not be read as something else.

mod named_matrices;
mod other_tools;
mod pairs;

use super::*;
use crate::{CameraPair, rectification};
use nalgebra::{Isometry3, Rotation3, Vector3};
use parallax_core::Result;
use parallax_core::camera::{Camera, Distortion, Intrinsics, ros_yaml};
use proptest::prelude::*;
use std::path::PathBuf;

const FIVE: [f64; 5] = [-0.21, 0.08, 0.0011, -0.0007, -0.012];
const K: Intrinsics = Intrinsics { fx: 520.25, fy: 519.75, cx: 318.5, cy: 241.25 };

/// Writes files into a folder and reads the first one.
fn read_files(files: &[(&str, &str)], unsaid: &Unsaid) -> Result<CameraPair> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let inside = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.path().join(path));
    let unsaid = Unsaid { right: inside(&unsaid.right), extrinsics: inside(&unsaid.extrinsics), ..unsaid.clone() };
    read(&folder.path().join(files[0].0), &unsaid)
}

fn read_text(name: &str, text: &str) -> Result<CameraPair> {
    read_files(&[(name, text)], &Unsaid::default())
}

fn sized() -> Unsaid {
    Unsaid { size: Some((640, 480)), ..Unsaid::default() }
}

fn refused(files: &[(&str, &str)], unsaid: &Unsaid, says: &str) {
    match read_files(files, unsaid) {
        Ok(pair) => panic!("{} was read as {pair:?}, expected: {says}", files[0].1),
        Err(error) => {
            assert!(error.to_string().contains(says), "{error}, expected: {says}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}

fn file_storage(k: &str, d: &str) -> String {
    format!(
        "%YAML:1.0\n---\nimage_width: 640\nimage_height: 480\n{k}: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n   data: [ \
         520.25, 0., 318.5, 0., 519.75,\n       241.25, 0., 0., 1. ]\n{d}: !!opencv-matrix\n   rows: 5\n   cols: 1\n   dt: d\n   \
         data: [ -0.21, 0.08, 0.0011, -0.0007, -0.012 ]\n"
    )
}

#[test]
fn files_that_are_no_text_or_too_deep_are_clear_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera.yaml");
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("image_width: 640".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let deep_xml = format!("{}1{}", "<a>".repeat(5000), "</a>".repeat(5000)).into_bytes();
    let deep_yaml = format!("K: {}1{}", "[".repeat(5000), "]".repeat(5000)).into_bytes();
    let twice = file_storage("K", "D") + "K: [1]\n";
    let twice_in_xml = b"<opencv_storage><K>1</K><K>2</K></opencv_storage>".to_vec();
    for bytes in
        [utf16, deep_xml, deep_yaml, twice.into_bytes(), twice_in_xml, b"PK\x03\x04npz".to_vec(), vec![0xff; 40]]
    {
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path, &Unsaid::default()).unwrap_err();
        assert!(error.hint().is_some() && error.to_string().contains("camera.yaml"), "{error}");
    }
}
