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

use super::{Camera, CameraNumbers};
use crate::{Error, Result};
use serde::Deserialize;
use std::fmt::Write;
use std::path::Path;

/// Reads a camera file.
///
/// # Errors
/// The file cannot be read, is not ROS `camera_info` YAML, or holds numbers that no camera has.
pub fn read(path: &Path) -> Result<Camera> {
    from_text(&crate::files::read_text(path)?, path)
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

/// Reads the text of a camera file; `path` is named in errors.
///
/// # Errors
/// The text is not ROS `camera_info` YAML, or holds numbers that no camera has.
pub fn from_text(text: &str, path: &Path) -> Result<Camera> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| Error::Malformed {
        what: format!("not a ROS camera_info file: {}", first_line(&error.to_string())),
        path: path.to_path_buf(),
        hint: "a camera file has image_width, image_height, camera_matrix, distortion_model and distortion_coefficients; \
               `parallax-calib convert --help` makes one",
    })?;
    let numbers = CameraNumbers {
        name: file.camera_name,
        width: file.image_width,
        height: file.image_height,
        k: file.camera_matrix.data,
        model: file.distortion_model,
        d: file.distortion_coefficients.map(|matrix| matrix.data).unwrap_or_default(),
        r: file.rectification_matrix.map(|matrix| matrix.data).unwrap_or_default(),
        p: file.projection_matrix.map(|matrix| matrix.data).unwrap_or_default(),
    };
    numbers.into_camera().map_err(|what| Error::Camera { what, path: Some(path.to_path_buf()) })
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

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[derive(Deserialize)]
struct File {
    image_width: u32,
    image_height: u32,
    #[serde(default)]
    camera_name: String,
    camera_matrix: Matrix,
    #[serde(default)]
    distortion_model: String,
    distortion_coefficients: Option<Matrix>,
    rectification_matrix: Option<Matrix>,
    projection_matrix: Option<Matrix>,
}

/// `rows` and `cols` are not read: the name of the matrix says them, and files with wrong ones work in ROS.
#[derive(Deserialize)]
struct Matrix {
    data: Vec<f64>,
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
            ("[535.91573,", "[.nan,", "finite"),
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
