//! Writes OpenCV's FileStorage, YAML or XML by the name's ending.

use crate::CameraPair;
use nalgebra::{Isometry3, Matrix3};
use parallax_core::camera::{Camera, Distortion};
use parallax_core::{Error, Result};
use std::fmt::Write as _;
use std::path::Path;

pub(in crate::formats) fn to_text(cameras: &CameraPair, path: &Path) -> Result<String> {
    let left = &cameras.left;
    let fisheye = |camera: &Camera| matches!(camera.distortion, Distortion::Equidistant(_));
    if cameras.right.as_ref().is_some_and(|right| fisheye(right) != fisheye(left)) {
        return Err(Error::Malformed {
            what: "OpenCV's file has one fisheye_model for both cameras, but only one of them is equidistant".into(),
            path: path.to_path_buf(),
            hint: "write another form with --format",
        });
    }
    let mut items = vec![Item::Whole("image_width", left.width), Item::Whole("image_height", left.height)];
    if fisheye(left) {
        items.push(Item::Whole("fisheye_model", 1));
    }
    match &cameras.right {
        None => items.extend(of_camera(left, ["camera_matrix", "distortion_coefficients", "R1", "P1"], false)),
        Some(right) => {
            items.extend(of_camera(left, ["M1", "D1", "R1", "P1"], true));
            items.extend(of_camera(right, ["M2", "D2", "R2", "P2"], true));
            let right_from_left = cameras.right_from_left().unwrap_or_else(Isometry3::identity);
            let rotation = right_from_left.rotation.to_rotation_matrix().into_inner();
            items.push(Item::Matrix("R", 3, row_major(&rotation)));
            items.push(Item::Matrix("T", 3, right_from_left.translation.vector.iter().copied().collect()));
        }
    }
    let is_xml = path.extension().is_some_and(|extension| extension == "xml");
    Ok(if is_xml { xml(&items) } else { yaml(&items) })
}

/// One entry of a file: a whole number, or a matrix with so many rows.
enum Item {
    Whole(&'static str, u32),
    Matrix(&'static str, usize, Vec<f64>),
}

/// K and lens; R and P where they say something, or always (a pair).
fn of_camera(camera: &Camera, [k, d, r, p]: [&'static str; 4], always: bool) -> Vec<Item> {
    let plain = Camera::pinhole("", camera.width, camera.height, camera.intrinsics);
    let rectified = always || camera.rectification != plain.rectification || camera.projection != plain.projection;
    let lens = camera.distortion.coefficients();
    let mut items = vec![
        Item::Matrix(k, 3, row_major(&camera.intrinsics.matrix())),
        Item::Matrix(
            d,
            if matches!(camera.distortion, Distortion::Equidistant(_)) { lens.len() } else { 1 },
            lens.to_vec(),
        ),
    ];
    if rectified {
        items.push(Item::Matrix(r, 3, row_major(&camera.rectification)));
        items.push(Item::Matrix(p, 3, camera.projection.transpose().iter().copied().collect()));
    }
    items
}

fn row_major(matrix: &Matrix3<f64>) -> Vec<f64> {
    matrix.transpose().iter().copied().collect()
}

fn yaml(items: &[Item]) -> String {
    let mut text = "%YAML:1.0\n---\n".to_owned();
    for item in items {
        let _ = match item {
            Item::Whole(name, value) => writeln!(text, "{name}: {value}"),
            Item::Matrix(name, rows, data) => writeln!(
                text,
                "{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {}\n   dt: d\n   data: {data:?}",
                data.len() / rows
            ),
        };
    }
    text
}

fn xml(items: &[Item]) -> String {
    let mut text = "<?xml version=\"1.0\"?>\n<opencv_storage>\n".to_owned();
    for item in items {
        let _ = match item {
            Item::Whole(name, value) => writeln!(text, "<{name}>{value}</{name}>"),
            Item::Matrix(name, rows, data) => {
                let numbers: Vec<String> = data.iter().map(|number| format!("{number:?}")).collect();
                writeln!(
                    text,
                    "<{name} type_id=\"opencv-matrix\">\n  <rows>{rows}</rows>\n  <cols>{}</cols>\n  <dt>d</dt>\n  \
                     <data>\n    {}</data></{name}>",
                    data.len() / rows,
                    numbers.join(" ")
                )
            }
        };
    }
    text + "</opencv_storage>\n"
}
