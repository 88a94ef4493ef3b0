//! ROS `camera_info` YAML, in and out.
//!
//! ```yaml
//! image_width: 640
//! image_height: 480
//! camera_name: left
//! camera_matrix: {rows: 3, cols: 3, data: [fx, 0, cx, 0, fy, cy, 0, 0, 1]}
//! distortion_model: plumb_bob
//! distortion_coefficients: {rows: 1, cols: 5, data: [k1, k2, p1, p2, k3]}
//! rectification_matrix: {rows: 3, cols: 3, data: [...]}
//! projection_matrix: {rows: 3, cols: 4, data: [fx', 0, cx', Tx, 0, fy', cy', 0, 0, 0, 1, 0]}
//! ```
//!
//! Tx is `-fx' · baseline` in the file of the right camera of a pair, else 0. Files in the wild leave out the last two
//! matrices: then R is the identity and P = [K | 0].
//!
//! Reference: ROS `camera_calibration_parsers` and `sensor_msgs/CameraInfo`.

use super::{
    CalibrationForm, CalibrationNode, Camera, CameraNumbers, is_harmless, part_of_the_sensor, read_calibration_text,
};
use crate::{Error, Result};
use std::fmt::Write;
use std::path::Path;

/// Reads a camera file.
///
/// # Errors
/// The file cannot be read, is not ROS `camera_info` YAML, or holds numbers that no camera has.
pub fn read(path: &Path) -> Result<Camera> {
    from_text(&read_calibration_text(path)?, path)
}

/// Writes a camera file, as a whole or not at all. [`read`] gives back the same numbers to the last bit, but an ideal
/// pinhole and a `plumb_bob` lens with zero coefficients are the same file.
///
/// # Errors
/// The camera's numbers cannot be right, or the file cannot be written.
pub fn write(path: &Path, camera: &Camera) -> Result<()> {
    camera.validate()?;
    crate::files::write_bytes(path, to_text(camera).as_bytes())
}

/// The text of a camera file.
pub fn to_text(camera: &Camera) -> String {
    let k = camera.intrinsics.matrix();
    let d = camera.distortion.coefficients();
    let mut text = format!("image_width: {}\nimage_height: {}\n", camera.width, camera.height);
    let name = serde_json::to_string(&camera.name).unwrap_or_default(); // a JSON string is a YAML string
    let _ = writeln!(text, "camera_name: {name}");
    write_matrix(&mut text, "camera_matrix", 3, &row_major(&k.transpose()));
    let _ = writeln!(text, "distortion_model: {}", camera.distortion.ros_name());
    write_matrix(&mut text, "distortion_coefficients", 1, d);
    write_matrix(&mut text, "rectification_matrix", 3, &row_major(&camera.rectification.transpose()));
    write_matrix(&mut text, "projection_matrix", 3, &row_major(&camera.projection.transpose()));
    text
}

/// What to do with a file of another form.
const CONVERT: &str = "make a camera file of it: `parallax-calib convert FILE --out camera.yaml` reads the forms of Kalibr, OpenCV, \
                       Foxglove, EuRoC, mrcal, KITTI and others";

/// Begins the comment in which `parallax-calib` says how far a calibration can be trusted.
const TRUST: &str = "# calibration: ";
/// The verdict of a calibration whose views do not say what the camera is like.
const OPEN: &str = "not determined";

/// A comment for the head of a camera file: YAML readers pass over it, so that the file stays ROS's.
pub fn trust_comment<'a>(verdict: &str, reasons: impl Iterator<Item = &'a str>) -> String {
    let mut text = format!("{TRUST}{verdict}\n");
    for line in reasons.flat_map(str::lines) {
        let _ = writeln!(text, "#   {line}");
    }
    text
}

/// What the comment of a camera file says of its calibration: the verdict; none of a file without such a comment.
pub fn trust_of(text: &str) -> Option<&str> {
    text.lines().take_while(|line| line.starts_with('#')).find_map(|line| line.strip_prefix(TRUST))
}

/// Reads the text of a camera file; `path` is named in errors.
///
/// # Errors
/// The text is not ROS `camera_info` YAML, it has a key that is not understood, or it holds numbers that no camera has.
pub fn from_text(text: &str, path: &Path) -> Result<Camera> {
    let numbers = numbers_from_text(text, path)?;
    numbers.into_camera().map_err(|what| Error::Camera { what, path: Some(path.to_path_buf()) })
}

/// The numbers in the text of a camera file, yet to be checked; `path` is named in errors, and in a warning where the file
/// says of itself that its numbers are not determined.
///
/// # Errors
/// The text is not ROS `camera_info` YAML, or it has a key that is not understood.
pub fn numbers_from_text(text: &str, path: &Path) -> Result<CameraNumbers> {
    if trust_of(text) == Some(OPEN) {
        tracing::warn!("{}: the pictures it was made from do not determine this camera", path.display());
    }
    let malformed = |what: String, hint| Error::Malformed { what, path: path.to_path_buf(), hint };
    let form = CalibrationForm::of(text);
    if !matches!(form, CalibrationForm::Ros | CalibrationForm::Other) {
        return Err(malformed(format!("expected a ROS camera_info file, found {form}"), CONVERT));
    }
    CalibrationNode::from_yaml(text).and_then(|root| numbers_in(&root)).map_err(|what| {
        malformed(
            format!("not a ROS camera_info file: {what}"),
            "a camera file has image_width, image_height, camera_matrix, distortion_model and distortion_coefficients; \
             `parallax-calib convert FILE --out camera.yaml` makes one from other forms",
        )
    })
}

/// The keys that are understood; `camera_model` is what some tools call the model of the lens.
const KEYS: &[&str] = &[
    "image_width",
    "image_height",
    "camera_name",
    "camera_matrix",
    "distortion_model",
    "camera_model",
    "distortion_coefficients",
    "rectification_matrix",
    "projection_matrix",
];

/// Whether every key is one of ROS's, or harmless, and the indispensable ones are there in ROS's notation.
pub(super) fn has_its_keys(root: &CalibrationNode) -> bool {
    let is_known = |(key, value): &(String, CalibrationNode)| {
        KEYS.contains(&key.as_str()) || is_binning(key) || is_harmless(key, value)
    };
    root.get("image_width").is_some()
        && root.get("camera_matrix").is_some_and(|matrix| matrix.get("data").is_some())
        && root.entries().iter().all(is_known)
}

fn is_binning(key: &str) -> bool {
    matches!(key, "binning_x" | "binning_y" | "roi")
}

fn numbers_in(root: &CalibrationNode) -> Result<CameraNumbers, String> {
    let unknown = root
        .entries()
        .iter()
        .find(|(key, value)| !KEYS.contains(&key.as_str()) && !is_binning(key) && !is_harmless(key, value));
    let pixels = |name: &str| {
        let node = root.get(name).ok_or_else(|| format!("missing field `{name}`"))?;
        node.pixels().ok_or_else(|| format!("{name} must be a whole number of pixels"))
    };
    // `rows` and `cols` are not read: the name of the matrix says them, and files with wrong ones work in ROS.
    let matrix = |name: &str| match root.get(name) {
        None => Ok(Vec::new()),
        Some(node) => node.numbers().ok_or_else(|| format!("{name} holds no matrix of finite numbers")),
    };
    let text = |name: &str| match root.get(name) {
        None | Some(CalibrationNode::Nothing) => Ok(String::new()),
        Some(node) => node.text().ok_or_else(|| format!("{name} must be text")),
    };
    let (width, height) = (pixels("image_width")?, pixels("image_height")?);
    if root.get("camera_matrix").is_none() {
        return Err("missing field `camera_matrix`".into());
    }
    if let Some((key, _)) = unknown {
        return Err(format!("the key {key} is not understood"));
    }
    match part_of_the_sensor(root, (width, height)) {
        Some(what) => Err(what),
        None => Ok(CameraNumbers {
            name: text("camera_name")?,
            width,
            height,
            k: matrix("camera_matrix")?,
            model: model(text("distortion_model")?, text("camera_model")?)?,
            d: matrix("distortion_coefficients")?,
            r: matrix("rectification_matrix")?,
            p: matrix("projection_matrix")?,
        }),
    }
}

/// The lens model of `distortion_model` and `camera_model`; the latter may also say `pinhole`, of the rays.
fn model(distortion: String, camera: String) -> Result<String, String> {
    use super::{LensFamily, lens_family};
    let says = |name: &str| lens_family(name).filter(|family| *family != LensFamily::Plain);
    match (distortion.is_empty(), says(&camera)) {
        (true, Some(_)) => Ok(camera),
        (false, Some(other)) if lens_family(&distortion) != Some(other) => {
            Err(format!("distortion_model is {distortion}, but camera_model is {camera}"))
        }
        _ if says(&camera).is_none() && !camera.is_empty() && lens_family(&camera).is_none() => {
            Err(format!("the camera_model {camera} is not understood"))
        }
        _ => Ok(distortion),
    }
}

/// The values of a matrix given transposed: nalgebra stores by column.
fn row_major<const R: usize, const C: usize>(transposed: &nalgebra::SMatrix<f64, R, C>) -> Vec<f64> {
    transposed.iter().copied().collect()
}

fn write_matrix(text: &mut String, name: &str, rows: usize, data: &[f64]) {
    let numbers: Vec<String> = data.iter().map(|value| format!("{value:?}")).collect();
    let columns = data.len() / rows;
    let _ = writeln!(text, "{name}:\n  rows: {rows}\n  cols: {columns}\n  data: [{}]", numbers.join(", "));
}

#[cfg(test)]
mod tests {
    use super::super::{Distortion, Intrinsics};
    use super::*;
    use proptest::prelude::*;

    /// As `camera_calibration` of ROS writes it.
    const FROM_ROS: &str = "\
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [535.91573, 0.        , 342.28315,
           0.      , 535.91573, 235.57082,
           0.      , 0.       ,   1.     ]
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.266, -0.0386, 0.00178, -0.000281, 0.238]}
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0., 0., 1., 0., 0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [500, 0, 342, -60, 0, 500, 235, 0, 0, 0, 1, 0]
";

    fn parse(text: &str) -> Result<Camera> {
        from_text(text, Path::new("camera.yaml"))
    }

    #[test]
    fn a_comment_says_how_far_a_calibration_can_be_trusted_and_changes_nothing_else() {
        let comment = trust_comment("usable", ["corners were seen in 50 %", "two\nlines"].into_iter());
        let text = comment + FROM_ROS;
        assert_eq!(parse(&text).unwrap(), parse(FROM_ROS).unwrap());
        assert_eq!((trust_of(&text), trust_of(FROM_ROS)), (Some("usable"), None));
        assert!(
            text.starts_with("# calibration: usable\n#   corners were seen in 50 %\n#   two\n#   lines\nimage_width")
        );
    }

    #[test]
    fn a_file_of_ros_is_read() {
        let camera = parse(FROM_ROS).unwrap();
        assert_eq!((camera.name.as_str(), camera.width, camera.height), ("narrow_stereo", 640, 480));
        assert_eq!(camera.intrinsics, Intrinsics { fx: 535.91573, fy: 535.91573, cx: 342.28315, cy: 235.57082 });
        assert_eq!(camera.distortion, Distortion::PlumbBob([-0.266, -0.0386, 0.00178, -0.000281, 0.238]));
        assert_eq!(camera.baseline_m(), Some(0.12));
    }

    #[test]
    fn a_file_without_rectification_is_a_camera_of_its_own() {
        let text = FROM_ROS.split("rectification_matrix").next().unwrap();
        let camera = parse(text).unwrap();
        assert_eq!(camera.rectification, nalgebra::Matrix3::identity());
        assert_eq!(camera.projection[(0, 0)], camera.intrinsics.fx);
        assert_eq!(camera.baseline_m(), None);
    }

    #[test]
    fn fisheye_and_rational_lenses_and_short_plumb_bobs_are_read() {
        for (model, data, expected) in [
            ("equidistant", "[0.1, 0, 0, 0]", Distortion::Equidistant([0.1, 0.0, 0.0, 0.0])),
            ("equidistant", "[0, 0, 0, 0]", Distortion::Equidistant([0.0; 4])),
            ("plumb_bob", "[0, 0, 0, 0, 0]", Distortion::None),
            ("plumb_bob", "[0.1, 0, 0, 0]", Distortion::PlumbBob([0.1, 0.0, 0.0, 0.0, 0.0])),
            (
                "rational_polynomial",
                "[1, 2, 3, 4, 5, 6, 7, 8]",
                Distortion::RationalPolynomial([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
            ),
        ] {
            let text =
                FROM_ROS.replace("plumb_bob", model).replace("[-0.266, -0.0386, 0.00178, -0.000281, 0.238]", data);
            assert_eq!(parse(&text).unwrap().distortion, expected);
        }
    }

    #[test]
    fn every_absurd_number_is_named_together_with_the_file_and_a_hint() {
        for (from, to, says) in [
            ("[535.91573,", "[0,", "focal lengths must be positive, got fx = 0"),
            ("[535.91573,", "[-5,", "focal lengths must be positive"),
            ("[535.91573,", "[.nan,", "inite"),
            ("[535.91573,", "[5e9,", "do not fit a 640x480 picture"),
            ("342.28315", "99999", "principal point"),
            ("image_width: 640", "image_width: 0", "size"),
            ("image_width: 640", "width: 640", "image_width"),
            ("image_width: 640", "image_width: -3", "camera_info"),
            ("0.00178, ", "1, 2, 3, ", "must have 5 numbers, got 7"),
            (", 342.28315,", ",", "camera_matrix must have 9 numbers, got 8"),
            ("plumb_bob", "pinhole", "plumb_bob, rational_polynomial or equidistant, got \"pinhole\""),
            ("[1., 0., 0.", "[2., 0., 0.", "rotation"),
            ("data: [500", "data: [0", "projection_matrix"),
            (", -60,", ",", "projection_matrix must have 12 numbers, got 11"),
            ("0.238]", "x]", "camera_info"),
        ] {
            let text = FROM_ROS.replacen(from, to, 1);
            match parse(&text) {
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.contains(says) && message.contains("camera.yaml"), "{to}: {message}");
                    assert!(error.hint().is_some());
                }
                Ok(camera) => panic!("{from} -> {to} was read as {camera:?}"),
            }
        }
    }

    #[test]
    fn a_key_that_is_not_understood_is_an_error_that_names_it() {
        for (added, says) in [
            ("D: [0.1, 0.2]\n", "D is not understood"),
            ("distortion_coeffs: {data: [0.1]}\n", "distortion_coeffs"),
            ("camera_model: omni\n", "omni"),
            ("camera_model: fisheye\n", "camera_model is fisheye"),
            ("binning_x: 2\n", "binning_x"),
            ("roi: {x_offset: 3, y_offset: 0, width: 0, height: 0}\n", "roi"),
            ("camera_name: twice\n", "not a ROS camera_info"),
        ] {
            let error = parse(&(FROM_ROS.to_owned() + added)).unwrap_err();
            assert!(error.to_string().contains(says) && error.hint().is_some(), "{added}: {error}");
        }
        for value in ["", " ~", " {data: }", " {rows: 1}", " {data: [a]}", " none"] {
            let text =
                FROM_ROS.replace(" {rows: 1, cols: 5, data: [-0.266, -0.0386, 0.00178, -0.000281, 0.238]}", value);
            assert!(parse(&text).is_err(), "{value}");
        }
        for harmless in
            ["camera_model: pinhole\n", "rms_px: 0.2\n", "header: {seq: 1}\n", "serial: A1\n", "roi: {x_offset: 0}\n"]
        {
            assert!(parse(&(FROM_ROS.to_owned() + harmless)).is_ok(), "{harmless}");
        }
        // ROS's older files name the lens so.
        let text = FROM_ROS.replace("distortion_model: plumb_bob", "camera_model: plumb_bob");
        assert!(matches!(parse(&text).unwrap().distortion, Distortion::PlumbBob(_)));
    }

    #[test]
    fn other_forms_are_refused_by_their_name_with_the_way_to_convert_them() {
        for (text, form) in [
            ("%YAML:1.0\ncam0:\n  camera_model: pinhole\n", "Kalibr"),
            ("%YAML:1.0\n---\nK: !!opencv-matrix\n   data: [1]\n", "OpenCV"),
            ("<?xml version=\"1.0\"?><opencv_storage/>", "OpenCV"),
            ("width: 640\nheight: 480\nk: [1]\n---\n", "CameraInfo message"),
            ("T_BS: {data: [1]}\nintrinsics: [1]\n", "EuRoC"),
            ("[image]\n\nwidth\n640\n", "ost.txt"),
            ("{'lensmodel': 'LENSMODEL_OPENCV5', 'intrinsics': [1]}", "mrcal"),
            ("P0: 1 2 3\n", "KITTI"),
            ("500 0 320\n0 500 240\n0 0 1\n", "bare numbers"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(form), "{error}");
            assert!(error.hint().unwrap().contains("parallax-calib convert"), "{error}");
        }
    }

    fn any_lens() -> impl Strategy<Value = Distortion> {
        prop_oneof![
            Just(Distortion::None),
            prop::array::uniform5(1e-9..0.5).prop_map(Distortion::PlumbBob),
            prop::array::uniform8(1e-9..0.5).prop_map(Distortion::RationalPolynomial),
            prop::array::uniform4(-0.5..0.5).prop_map(Distortion::Equidistant),
        ]
    }

    proptest! {
        #[test]
        fn writing_and_reading_give_the_camera_back_to_the_last_bit(
            lens in any_lens(), name in "\\PC{0,12}", width in 1u32..9000, height in 1u32..9000,
            focal in 0.2..9.0, center in prop::array::uniform2(0.0..1.0), baseline in 0.0..2.0,
            angles in prop::array::uniform3(-1.0..1.0f64),
        ) {
            let (w, h) = (f64::from(width), f64::from(height));
            let k = Intrinsics { fx: focal * w, fy: focal * h, cx: center[0] * w, cy: center[1] * h };
            let rotation = nalgebra::Rotation3::from_euler_angles(angles[0], angles[1], angles[2]);
            let camera = Camera {
                distortion: lens,
                rectification: rotation.into_inner(),
                ..Camera::pinhole(&name, width, height, k).with_baseline(baseline)
            };
            prop_assert_eq!(parse(&to_text(&camera)).unwrap(), camera);
        }
    }
}
