//! What the names in calibration files are worth: which say nothing about the camera and may be passed over.
//!
//! Files hold more than a camera: errors, times, boards. A name that is neither understood nor known to be harmless is an
//! error of whoever reads the file, because it may be the lens. The rules, in this order:
//!
//! 1. A name of [`HARMLESS`] is.
//! 2. A name with a word for how good a number is (`error`, `std`, …) is.
//! 3. A name with a word for a lens or for geometry is not.
//! 4. A name with a word for something else (`time`, `board`, `topic`, …) is, and so is any that holds a text, a flag or
//!    nothing: no lens is written so.

use super::CalibrationNode;

/// Names that say nothing about how a camera sees, as words without anything between.
const HARMLESS: &[&str] = &[
    "header",
    "timestamp",
    "stamp",
    "frameid",
    "camoverlaps",
    "camoverlap",
    "timeshiftcamimu",
    "timeoffset",
    "extrinsicparameters",
    "essentialmatrix",
    "fundamentalmatrix",
    "disparitytodepth",
    "disparitytodepthmatrix",
    "typeid",
    "e",
    "f",
    "q",
    "fs",
    "hfov",
    "vfov",
    "dfov",
    "fov",
    "fovx",
    "fovy",
    "rvecs",
    "tvecs",
    "objpoints",
    "imgpoints",
    "nframes",
    "nimages",
];
/// Words for how good a number is.
const OF_ERRORS: &[&str] = &[
    "error",
    "errors",
    "err",
    "rms",
    "rmse",
    "reprojection",
    "reproj",
    "std",
    "stddev",
    "sigma",
    "uncertainty",
    "covariance",
    "variance",
    "deviations",
];
/// Words for lenses and geometry, or their beginnings.
const OF_GEOMETRY: &[&str] = &[
    "dist",
    "coef",
    "lens",
    "fish",
    "model",
    "intrin",
    "matri",
    "mtx",
    "mat",
    "rot",
    "trans",
    "extrin",
    "base",
    "rect",
    "proj",
    "skew",
    "radial",
    "tangential",
    "omni",
    "equi",
    "kannala",
    "xi",
    "alpha",
    "focal",
    "princip",
    "center",
    "centre",
    "scale",
    "offset",
    "roi",
    "crop",
    "binning",
    "resol",
    "width",
    "height",
    "size",
];
/// Words for what is no geometry.
const OF_SOMETHING_ELSE: &[&str] = &[
    "time",
    "timeshift",
    "date",
    "day",
    "month",
    "year",
    "count",
    "num",
    "nr",
    "number",
    "frames",
    "images",
    "board",
    "square",
    "squares",
    "pattern",
    "chessboard",
    "checkerboard",
    "charuco",
    "aruco",
    "marker",
    "markers",
    "tag",
    "tags",
    "views",
    "points",
    "corners",
    "grid",
    "quality",
    "score",
    "serial",
    "version",
    "id",
    "index",
    "seed",
    "fps",
    "rate",
    "hz",
    "exposure",
    "gain",
    "temperature",
    "flags",
    "iterations",
    "criteria",
    "epsilon",
    "eps",
    "aspect",
    "comment",
    "comments",
    "description",
    "note",
    "notes",
    "author",
    "program",
    "tool",
    "driver",
    "vendor",
    "product",
    "device",
    "url",
    "uri",
    "topic",
    "rostopic",
    "hash",
    "uuid",
    "seq",
];

/// The words of a name in lower case: `distCoeffsL`, `dist_coeffs_l` and `Dist-Coeffs.L` have the same, and digits are a word.
pub fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = (letter.is_uppercase() && before.is_lowercase())
            || (letter.is_ascii_digit() != before.is_ascii_digit() && before.is_alphanumeric());
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value of that name says nothing about how the camera sees, by the rules above.
pub fn is_harmless(name: &str, value: &CalibrationNode) -> bool {
    let words = words_of(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if HARMLESS.contains(&words.concat().as_str()) || has(OF_ERRORS) {
        return true;
    }
    if words.iter().any(|word| OF_GEOMETRY.iter().any(|beginning| word.starts_with(beginning)))
        && !is_of_a_board(&words)
    {
        return false;
    }
    let holds_no_number = match value {
        CalibrationNode::Nothing | CalibrationNode::Flag(_) => true,
        CalibrationNode::Text(_) => value.numbers().is_none(),
        CalibrationNode::List(items) => items.is_empty(),
        CalibrationNode::Map(entries) => entries.is_empty(),
        CalibrationNode::Number(_) => false,
    };
    holds_no_number || has(OF_SOMETHING_ELSE)
}

/// `board_width`, `square_size` and the like: a size, but of paper.
fn is_of_a_board(words: &[String]) -> bool {
    let of_paper =
        ["board", "square", "squares", "pattern", "chessboard", "checkerboard", "charuco", "aruco", "marker", "tag"];
    let of_size = ["size", "width", "height", "length"];
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    words.iter().any(|word| is(&of_paper, word)) && words.iter().all(|word| is(&of_paper, word) || is(&of_size, word))
}

/// What is wrong with a region of interest or binning, if the file has one: its K is not that of the pictures then.
pub fn part_of_the_sensor(root: &CalibrationNode, size: (u32, u32)) -> Option<String> {
    for name in ["binning_x", "binning_y"] {
        let binning = root.get(name).and_then(CalibrationNode::number).unwrap_or(0.0);
        if binning > 1.0 {
            return Some(format!(
                "{name} is {binning}: the numbers belong to larger pictures than those that are taken"
            ));
        }
    }
    let roi = root.get("roi")?;
    let of = |name: &str| roi.get(name).and_then(CalibrationNode::number).unwrap_or(0.0);
    let (x, y, width, height) = (of("x_offset"), of("y_offset"), of("width"), of("height"));
    let is_all = [width, height] == [0.0, 0.0] || [width, height] == [f64::from(size.0), f64::from(size.1)];
    (x != 0.0 || y != 0.0 || !is_all).then(|| {
        format!(
            "its roi is {width}x{height} at ({x}, {y}): the numbers belong to larger pictures than those that are taken"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(yaml: &str) -> CalibrationNode {
        CalibrationNode::from_yaml(yaml).unwrap()
    }

    #[test]
    fn words_begin_where_people_see_them_begin() {
        for (name, words) in [
            ("distCoeffsL", "dist coeffs l"),
            ("camera_matrix_1", "camera matrix 1"),
            ("M1", "m 1"),
            ("image_Width", "image width"),
            ("LEFT.K", "left k"),
            ("DistCoeff", "dist coeff"),
        ] {
            assert_eq!(words_of(name).join(" "), words);
        }
    }

    #[test]
    fn what_may_be_a_lens_is_never_harmless() {
        for name in [
            "dist",
            "D",
            "lensParams",
            "coeffs",
            "fisheye",
            "k1",
            "xi",
            "distortion_time",
            "cx",
            "rectification",
            "T_BS",
            "skew",
            "newcameramtx",
            "kc",
            "model_parameters",
            "roi",
            "whatever",
        ] {
            assert!(!is_harmless(name, &node("[-0.2, 0.1, 0, 0]")), "{name}");
        }
        assert!(!is_harmless("lens_type", &node("kannala")));
        assert!(!is_harmless("distortion_coefficients", &CalibrationNode::Nothing));
    }

    #[test]
    fn what_calibration_programs_tell_besides_is_harmless() {
        for (name, value) in [
            ("calibration_time", "Fri 1 Dec 2023"),
            ("avg_reprojection_error", "0.21"),
            ("per_view_reprojection_errors", "[0.1, 0.2]"),
            ("board_width", "9"),
            ("square_size", "25."),
            ("nframes", "13"),
            ("flags", "0"),
            ("image_points", "[1, 2]"),
            ("rostopic", "/cam0/image_raw"),
            ("comment", "mounted on the left fender"),
            ("owner", "me"),
            ("std_deviation_intrinsics", "[1, 2, 3, 4]"),
        ] {
            assert!(is_harmless(name, &node(value)), "{name}");
        }
    }

    #[test]
    fn a_part_of_the_sensor_is_told() {
        let size = (640, 480);
        let wrong = |text: &str| part_of_the_sensor(&node(text), size);
        assert_eq!(
            wrong("binning_x: 0\nroi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}"),
            None
        );
        assert_eq!(wrong("binning_x: 1\nroi: {x_offset: 0, y_offset: 0, height: 480, width: 640}"), None);
        assert!(wrong("binning_y: 2").unwrap().contains("binning_y"));
        assert!(wrong("roi: {x_offset: 8, y_offset: 0, height: 0, width: 0}").unwrap().contains("roi"));
    }
}
