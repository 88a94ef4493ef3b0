//! Which tool's form a calibration file has, told by its text.
//!
//! Camera files of training and of the board are ROS's; `parallax-calib convert` reads all of these. Both ask here, so that a
//! refusal names what was found.

use super::{CalibrationNode, ros_yaml};
use std::fmt;

/// The form of a calibration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalibrationForm {
    /// ROS `camera_info` YAML, the form of camera files.
    Ros,
    /// The message `CameraInfo` or `CameraCalibration` as `ros2 topic echo` and Foxglove print it.
    Message,
    /// Kalibr's camchain, also as OpenVINS has it.
    Camchain,
    /// OpenCV's FileStorage: YAML, XML or JSON.
    FileStorage,
    /// EuRoC's `sensor.yaml`.
    Euroc,
    /// `ost.txt` of ROS's calibration.
    Ost,
    /// mrcal's `.cameramodel`.
    Mrcal,
    /// KITTI's `calib.txt` or `calib_cam_to_cam.txt`.
    Kitti,
    /// Nothing but numbers: a 3×3 matrix, or focal lengths and centre.
    Numbers,
    /// None of these, or YAML of other names.
    Other,
}

impl fmt::Display for CalibrationForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ros => "ROS's camera_info",
            Self::Message => "a CameraInfo message",
            Self::Camchain => "Kalibr's camchain",
            Self::FileStorage => "OpenCV's FileStorage",
            Self::Euroc => "EuRoC's sensor.yaml",
            Self::Ost => "ROS's ost.txt",
            Self::Mrcal => "mrcal's cameramodel",
            Self::Kitti => "KITTI's calibration",
            Self::Numbers => "bare numbers",
            Self::Other => "another form",
        })
    }
}

impl CalibrationForm {
    /// The form of a text.
    pub fn of(text: &str) -> Self {
        let start = text.trim_start();
        let has_line = |is: &dyn Fn(&str) -> bool| text.lines().any(is);
        if start.starts_with('<') {
            Self::FileStorage
        } else if has_line(&|line| line.trim() == "[image]") {
            Self::Ost
        } else if text.contains("lensmodel") && text.contains("intrinsics") {
            Self::Mrcal
        } else if has_line(&is_projection) {
            Self::Kitti
        } else if is_numbers(text) {
            Self::Numbers
        } else {
            Self::of_tree(text, &CalibrationNode::from_yaml(text).unwrap_or_else(|_| keys_of(text)))
        }
    }

    fn of_tree(text: &str, root: &CalibrationNode) -> Self {
        let has = |key: &str| root.get(key).is_some();
        let is_camera = |key: &str| key.strip_prefix("cam").is_some_and(|rest| rest.parse::<u8>().is_ok());
        // The lists of a message are plain, those of FileStorage carry their counts.
        let is_list = |key: &str| matches!(root.get(key), Some(CalibrationNode::List(_) | CalibrationNode::Nothing));
        if root.entries().iter().any(|(key, _)| is_camera(key)) {
            Self::Camchain
        } else if has("T_BS") || (has("intrinsics") && has("resolution") && has("camera_model")) {
            Self::Euroc
        } else if has("width") && has("height") && (is_list("k") || is_list("K")) && !text.starts_with("%YAML:1.0") {
            Self::Message
        } else if text.trim_start().starts_with("%YAML:1.0") || text.contains("opencv-matrix") {
            Self::FileStorage
        } else if ros_yaml::has_its_keys(root) {
            Self::Ros
        } else {
            Self::Other
        }
    }
}

/// A line such as `P2: 7.2e+02 0 …` or `P_rect_02: …`, whose numbers stand without brackets.
fn is_projection(line: &str) -> bool {
    let Some((key, numbers)) = line.split_once(':') else { return false };
    let is_key = matches!(key, "P0" | "P1" | "P2" | "P3") || key.starts_with("P_rect_0");
    is_key
        && numbers.split_whitespace().count() > 2
        && numbers.split_whitespace().all(|word| word.parse::<f64>().is_ok())
}

/// Whether a text is numbers with what stands between numbers, and at least four of them.
fn is_numbers(text: &str) -> bool {
    let without_comments = text.lines().map(|line| line.split(['#', '%']).next().unwrap_or_default());
    let between = |letter: char| letter.is_whitespace() || ",;[]()".contains(letter);
    let mut words = without_comments.flat_map(|line| line.split(between)).filter(|word| !word.is_empty()).peekable();
    words.peek().is_some() && words.all(|word| word.parse::<f64>().is_ok() || word == "-" || word == "array")
}

/// The names at the beginning of lines, of a text that is no YAML: enough to tell what it was meant to be.
fn keys_of(text: &str) -> CalibrationNode {
    let mut entries: Vec<(String, CalibrationNode)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(char::is_alphabetic)) {
        let Some((key, _)) = line.split_once(':') else { continue };
        if !entries.iter().any(|(known, _)| known == key) {
            entries.push((key.trim().to_owned(), CalibrationNode::Nothing));
        }
    }
    CalibrationNode::Map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_by_its_text() {
        for (text, form) in [
            ("image_width: 640\ncamera_matrix: {data: [1]}\ndistortion_model: plumb_bob\n", CalibrationForm::Ros),
            ("header:\n  stamp: 1\nheight: 480\nwidth: 640\nd:\n- 0.1\nk:\n- 500.0\n---\n", CalibrationForm::Message),
            ("{\"width\": 640, \"height\": 480, \"K\": [1, 2]}", CalibrationForm::Message),
            ("%YAML:1.0\n# chain\ncam0:\n  intrinsics: [1]\n", CalibrationForm::Camchain),
            ("cam0: {intrinsics: [1]}\n", CalibrationForm::Camchain),
            ("%YAML:1.0\n---\nK: !!opencv-matrix\n   data: [1]\n", CalibrationForm::FileStorage),
            ("%YAML:1.0\n---\nP1: !!opencv-matrix\n   data: [1]\n", CalibrationForm::FileStorage),
            ("<?xml version=\"1.0\"?><opencv_storage></opencv_storage>", CalibrationForm::FileStorage),
            ("sensor_type: camera\nT_BS:\n  data: [1]\nintrinsics: [1]\n", CalibrationForm::Euroc),
            ("# oST version 5.0 parameters\n\n[image]\n\nwidth\n640\n", CalibrationForm::Ost),
            ("{\n 'lensmodel': 'LENSMODEL_OPENCV5',\n 'intrinsics': [1],\n}", CalibrationForm::Mrcal),
            ("P0: 1 2 3\n", CalibrationForm::Kitti),
            ("calib_time: x\nS_00: 1 2\nP_rect_00: 1 2 3\n", CalibrationForm::Kitti),
            ("520.25 0 318.5\n0 519 241\n0 0 1\n", CalibrationForm::Numbers),
            ("[[520.25, 0., 318.5],\n [0., 519., 241.],\n [0., 0., 1.]]\n", CalibrationForm::Numbers),
            ("mtx: [[1, 2, 3]]\n", CalibrationForm::Other),
            ("P1: [1, 2, 3]\nP2: [1, 2, 3]\n", CalibrationForm::Other),
            ("hello", CalibrationForm::Other),
            ("", CalibrationForm::Other),
        ] {
            assert_eq!(CalibrationForm::of(text), form, "{text}");
        }
    }
}
