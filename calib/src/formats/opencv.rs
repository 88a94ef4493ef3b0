//! OpenCV's FileStorage, as its samples and most programs around it write calibrations; YAML, XML and JSON are read.
//!
//! | name | what |
//! |---|---|
//! | `camera_matrix`, `distortion_coefficients` | K and the lens of one camera (`calibration` sample) |
//! | `M1`, `D1`, `M2`, `D2` | the same of a pair (`stereo_calib` sample); also `K1`, `K2` |
//! | `R`, `T` | `x_right = R x_left + T`, in the unit of the board's squares |
//! | `R1`, `R2`, `P1`, `P2` | rectification; computed from R and T where missing |
//! | `image_width`, `image_height` | not in the `stereo_calib` sample: `--size` says them |
//! | `fisheye_model` | 1: the four coefficients are those of an `equidistant` lens |
//!
//! Coefficients are k1 k2 p1 p2 \[k3 \[k4 k5 k6\]\]; those of thin prisms and tilted sensors are refused unless zero.
//!
//! Reference: OpenCV documentation, *File Input and Output using XML and YAML files*; *Camera Calibration and 3D Reconstruction*.

use super::{Unsaid, first_line};
use crate::{CameraPair, check_size, rectification};
use nalgebra::{Isometry3, Matrix3, Vector3};
use parallax_core::camera::{Camera, CameraNumbers, Distortion};
use parallax_core::{Error, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Longest baseline in metres that is believed without being told the unit.
const LONGEST_BASELINE_M: f64 = 5.0;

pub(super) fn is_file_storage(text: &str) -> bool {
    text.starts_with("%YAML:1.0")
        || text.starts_with("<?xml")
        || text.starts_with("<opencv_storage")
        || text.contains("opencv-matrix")
}

pub(super) fn parse(text: &str, path: &Path, unsaid: &Unsaid) -> Result<CameraPair> {
    let stored = Stored { root: tree(text, path)?, path };
    if stored.first(&["camera_matrix", "cameraMatrix", "K"]).is_some() {
        let left = stored.camera("camera", unsaid, ["camera_matrix", "cameraMatrix", "K"], "1")?;
        return Ok(CameraPair { left, right: None });
    }
    if stored.first(&["M1", "K1", "camera_matrix_1"]).is_none() {
        return Err(stored.malformed(
            "it holds neither camera_matrix nor M1".into(),
            "OpenCV's samples write camera_matrix (one camera) or M1, D1, M2, D2, R and T (a pair)",
        ));
    }
    let left = stored.camera("left", unsaid, ["M1", "K1", "camera_matrix_1"], "1")?;
    if stored.first(&["M2", "K2", "camera_matrix_2"]).is_none() {
        return Ok(CameraPair { left, right: None });
    }
    let right = stored.camera("right", unsaid, ["M2", "K2", "camera_matrix_2"], "2")?;
    stored.pair(left, right, unsaid)
}

struct Stored<'a> {
    root: Value,
    path: &'a Path,
}

impl Stored<'_> {
    fn malformed(&self, what: String, hint: &'static str) -> Error {
        Error::Malformed { what, path: self.path.to_path_buf(), hint }
    }

    fn first(&self, names: &[&str]) -> Option<&Value> {
        names.iter().find_map(|name| self.root.get(name))
    }

    /// The numbers of a matrix; empty when there is none of these names.
    fn numbers(&self, names: &[&str]) -> Result<Vec<f64>> {
        let Some(value) = self.first(names) else { return Ok(Vec::new()) };
        let data = value.get("data").unwrap_or(value);
        let read = match data {
            Value::Array(items) => items.iter().map(Value::as_f64).collect(),
            // XML keeps the numbers as one text.
            Value::String(text) => text.split_whitespace().map(|word| word.parse().ok()).collect(),
            _ => None,
        };
        read.ok_or_else(|| self.malformed(format!("{} is no matrix of numbers", names[0]), "write the file anew"))
    }

    fn whole(&self, name: &str) -> Option<u32> {
        let value = self.root.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok()).map(|number| number as u32)
    }

    fn camera(&self, name: &str, unsaid: &Unsaid, k: [&str; 3], which: &str) -> Result<Camera> {
        let own = self.whole("image_width").zip(self.whole("image_height"));
        let (width, height) = check_size(own, unsaid.size, self.path)?;
        let distortion_names = [format!("D{which}"), format!("dist_coeffs_{which}")];
        let lens = self.numbers(&[
            "distortion_coefficients",
            "distCoeffs",
            "dist_coeffs",
            &distortion_names[0],
            &distortion_names[1],
        ])?;
        let fisheye = self.whole("fisheye_model") == Some(1);
        let (model, d) = lens_of(fisheye, lens)
            .map_err(|what| self.malformed(what, "solve again with a lens of 5 or 8 coefficients"))?;
        let numbers = CameraNumbers {
            name: name.into(),
            width,
            height,
            k: self.numbers(&k)?,
            model: model.into(),
            d,
            r: self.numbers(&[&format!("R{which}")])?,
            p: in_metres(self.numbers(&[&format!("P{which}")])?, unsaid),
        };
        numbers.into_camera().map_err(|what| Error::Camera { what, path: Some(self.path.to_path_buf()) })
    }

    fn pair(&self, left: Camera, right: Camera, unsaid: &Unsaid) -> Result<CameraPair> {
        let pair = if right.baseline_m().is_some() {
            CameraPair { left, right: Some(right) }
        } else {
            let right_from_left = self.right_from_left(unsaid.metres_per_unit.unwrap_or(1.0))?;
            rectification::of_pair(left, right, &right_from_left)
                .map_err(|what| self.malformed(what, "swap the cameras, or calibrate the pair again"))?
        };
        let baseline_m = pair.right.as_ref().and_then(Camera::baseline_m).unwrap_or_default();
        if unsaid.metres_per_unit.is_none() && baseline_m.abs() > LONGEST_BASELINE_M {
            return Err(self.malformed(
                format!("a baseline of {baseline_m} m is not believed"),
                "OpenCV's lengths are in the unit of the board's squares: name it, such as --unit mm",
            ));
        }
        Ok(pair)
    }

    fn right_from_left(&self, metres_per_unit: f64) -> Result<Isometry3<f64>> {
        let (r, t) = (self.numbers(&["R"])?, self.numbers(&["T"])?);
        if r.len() != 9 || t.len() != 3 {
            return Err(self.malformed(
                format!("expected R with 9 numbers and T with 3, found {} and {}", r.len(), t.len()),
                "a pair's file needs R and T: put OpenCV's intrinsics.yml and extrinsics.yml into one file",
            ));
        }
        let rotation = Matrix3::from_row_slice(&r);
        let off = (rotation * rotation.transpose() - Matrix3::identity()).amax();
        if off.is_nan() || off > 1e-3 || rotation.determinant() < 0.0 {
            return Err(self.malformed("R is no rotation".into(), "write the file anew"));
        }
        Ok(rectification::isometry(&rotation, Vector3::from_row_slice(&t) * metres_per_unit))
    }
}

/// A 3×4 projection whose fourth column is in the board's unit.
fn in_metres(mut projection: Vec<f64>, unsaid: &Unsaid) -> Vec<f64> {
    for number in projection.iter_mut().skip(3).step_by(4) {
        *number *= unsaid.metres_per_unit.unwrap_or(1.0);
    }
    projection
}

/// ROS's model for OpenCV's coefficients.
fn lens_of(fisheye: bool, mut d: Vec<f64>) -> std::result::Result<(&'static str, Vec<f64>), String> {
    if fisheye {
        return Ok(("equidistant", d));
    }
    if d.len() > 8 {
        if d[8..].iter().any(|&number| number != 0.0) {
            return Err(format!("lenses with {} coefficients (thin prism, tilted sensor) are not supported", d.len()));
        }
        d.truncate(8);
    }
    if d.len() == 8 && d[5..].iter().all(|&number| number == 0.0) {
        d.truncate(5);
    }
    Ok((if d.len() == 8 { "rational_polynomial" } else { "plumb_bob" }, d))
}

/// The file as a tree, whichever of FileStorage's three forms it has.
fn tree(text: &str, path: &Path) -> Result<Value> {
    let malformed = |what: String| Error::Malformed {
        what: format!("not an OpenCV file: {}", first_line(&what)),
        path: path.to_path_buf(),
        hint: "cv::FileStorage writes YAML, XML and JSON; this is none of them, or it is cut short",
    };
    if text.trim_start().starts_with('<') {
        let document = roxmltree::Document::parse(text).map_err(|error| malformed(error.to_string()))?;
        return Ok(tree_of_xml(document.root_element()));
    }
    // JSON is YAML; and "%YAML:1.0" is not the directive that YAML knows.
    let body: String = text.lines().filter(|line| !line.starts_with("%YAML")).fold(String::new(), |mut body, line| {
        body.push_str(line);
        body.push('\n');
        body
    });
    serde_saphyr::from_str(&body).map_err(|error| malformed(error.to_string()))
}

fn tree_of_xml(node: roxmltree::Node) -> Value {
    let mut children = node.children().filter(roxmltree::Node::is_element).peekable();
    if children.peek().is_none() {
        return Value::String(node.text().unwrap_or_default().to_owned());
    }
    children
        .map(|child| (child.tag_name().name().to_owned(), tree_of_xml(child)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(super) fn to_text(cameras: &CameraPair, path: &Path) -> Result<String> {
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
