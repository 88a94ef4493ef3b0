//! What people mean by the names they give to matrices.
//!
//! A name is taken apart into words (`cameraMatrixL`: camera, matrix, l). Words that say whose it is (`left`, `r`, 2) are
//! set aside, then those that add nothing (`camera`, `cv`); what is left is looked up. What is not found is unknown, never
//! guessed from a part of the name.

use parallax_core::camera::{CalibrationNode, lens_family, words_of};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// K: nine numbers, or fx, fy, cx, cy.
    CameraMatrix,
    /// The coefficients of the lens.
    Coefficients,
    /// One of fx, fy, cx, cy.
    Intrinsic(usize),
    /// A radial coefficient: k1 is 0.
    Radial(usize),
    /// A tangential coefficient: p1 is 0.
    Tangential(usize),
    /// The name of the lens model.
    Model,
    /// Whether the lens is a fisheye.
    IsFisheye,
    /// R of rectification.
    Rectification,
    /// P of rectification.
    Projection,
    /// R between the cameras of a pair, or of ROS where there is one camera.
    Rotation,
    /// T between the cameras of a pair.
    Translation,
    /// Width of the pictures.
    Width,
    /// Height of the pictures.
    Height,
    /// Width and height of the pictures.
    Size,
}

/// Whose a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    /// Not said.
    Any,
    /// Of the camera with this number, from 0 or from 1.
    Number(u32),
    /// Of the left camera.
    Left,
    /// Of the right camera.
    Right,
}

/// A name that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) meaning: Meaning,
    pub(super) whose: Whose,
    /// The name itself says that the lens is a fisheye.
    pub(super) is_fisheye: bool,
}

/// Words that add nothing.
const FILLERS: &[&str] = &[
    "camera",
    "cam",
    "cameras",
    "opencv",
    "cv",
    "calib",
    "calibration",
    "param",
    "params",
    "parameters",
    "the",
    "storage",
];
const FISHEYE: &[&str] = &["fisheye", "equidistant", "equi"];
const CAMERA_MATRIX: &[&str] = &[
    "k",
    "m",
    "mtx",
    "mat",
    "matrix",
    "kmat",
    "kmtx",
    "kmatrix",
    "matrixk",
    "intrinsic",
    "intrinsics",
    "intrinsicmatrix",
    "intrinsicsmatrix",
    "intrinsicmat",
    "intrinsicmtx",
    "matrixintrinsic",
    "matrixintrinsics",
    "cameramatrix",
    "cameramat",
    "cammatrix",
    "cammtx",
    "projectionparameters",
];
const COEFFICIENTS: &[&str] = &[
    "d",
    "dist",
    "distortion",
    "distortions",
    "distcoeffs",
    "distcoeff",
    "distcoefs",
    "distcoef",
    "distcoefficients",
    "coeffs",
    "coeff",
    "coefs",
    "coefficients",
    "kc",
    "disto",
    "distvec",
];
/// Words that may follow `dist` and `distortion`.
const OF_COEFFICIENTS: &[&str] = &[
    "coeff",
    "coeffs",
    "coef",
    "coefs",
    "coefficient",
    "coefficients",
    "vector",
    "vec",
    "array",
    "mat",
    "mtx",
    "matrix",
    "values",
    "lens",
    "dist",
    "distortion",
    "d",
    "k",
    "model",
    "distortions",
];
const RECTIFICATION: &[&str] = &[
    "rectification",
    "rectificationmatrix",
    "rectificationrotation",
    "rectificationtransform",
    "rect",
    "rectmatrix",
    "rectr",
    "rrect",
    "rectrotation",
    "rectify",
    "rectifiedrotation",
];
const PROJECTION: &[&str] = &[
    "p",
    "projection",
    "projectionmatrix",
    "proj",
    "projmat",
    "projmatrix",
    "projmtx",
    "prect",
    "rectprojection",
    "rectifiedprojectionmatrix",
];
const ROTATION: &[&str] = &["r", "rot", "rotation", "rotationmatrix", "rotmatrix", "rotmat", "rotmtx"];
const TRANSLATION: &[&str] = &[
    "t",
    "trans",
    "translation",
    "translationvector",
    "translationvec",
    "transvec",
    "transvector",
    "translationmatrix",
];
const WIDTH: &[&str] = &[
    "width",
    "imagewidth",
    "imgwidth",
    "framewidth",
    "picturewidth",
    "imagesizewidth",
    "resolutionwidth",
    "sizewidth",
    "imgw",
];
const HEIGHT: &[&str] = &[
    "height",
    "imageheight",
    "imgheight",
    "frameheight",
    "pictureheight",
    "imagesizeheight",
    "resolutionheight",
    "sizeheight",
    "imgh",
];
const SIZE: &[&str] =
    &["size", "imagesize", "imgsize", "framesize", "picturesize", "resolution", "imageresolution", "sizeimage"];
const MODEL: &[&str] =
    &["model", "distortionmodel", "lensmodel", "modeltype", "distortiontype", "distmodel", "lenstype"];
const IS_FISHEYE: &[&str] = &["model", "", "is", "use"];

/// What a name means; none when that is not known. `path` are the names on the way to the value, the outermost first.
pub(super) fn meaning_of(path: &[&str], value: &CalibrationNode) -> Option<Named> {
    let mut words: Vec<String> = path.iter().flat_map(|name| words_of(name)).collect();
    words.retain(|word| word != "stereo");
    if let Some(named) = scalar(&words, value) {
        return Some(named);
    }
    let is_fisheye = words.iter().any(|word| FISHEYE.contains(&word.as_str()));
    words.retain(|word| !FISHEYE.contains(&word.as_str()));
    let whose = set_aside(&mut words)?;
    // `camera_matrix` is one word for them, but `camera` alone adds nothing.
    words.retain(|word| !FILLERS.contains(&word.as_str()));
    let name = words.concat();
    let named = |meaning| Some(Named { meaning, whose, is_fisheye });
    let is = |list: &[&str]| list.contains(&name.as_str());
    if is_fisheye && IS_FISHEYE.contains(&name.as_str()) && is_flag(value) {
        return named(Meaning::IsFisheye);
    }
    // A lens model is a lens model under any name.
    let is_model = value.text().is_some_and(|text| lens_family(&text).is_some());
    if matches!(value, CalibrationNode::Text(_)) && (is(MODEL) || is_model) {
        return named(Meaning::Model);
    }
    let begins_with_distortion =
        words.first().is_some_and(|word| matches!(word.as_str(), "dist" | "distortion" | "lens"))
            && words.iter().skip(1).all(|word| OF_COEFFICIENTS.contains(&word.as_str()));
    let meaning = if is(CAMERA_MATRIX) {
        Meaning::CameraMatrix
    } else if is(COEFFICIENTS) || (begins_with_distortion && name != "lens" && !is(MODEL)) {
        Meaning::Coefficients
    } else if is(RECTIFICATION) || (is(ROTATION) && whose != Whose::Any) {
        Meaning::Rectification
    } else if is(PROJECTION) {
        Meaning::Projection
    } else if is(ROTATION) {
        Meaning::Rotation
    } else if is(TRANSLATION) && whose == Whose::Any {
        Meaning::Translation
    } else if is(WIDTH) {
        Meaning::Width
    } else if is(HEIGHT) {
        Meaning::Height
    } else if is(SIZE) {
        Meaning::Size
    } else {
        return None;
    };
    named(meaning)
}

fn is_flag(value: &CalibrationNode) -> bool {
    matches!(value, CalibrationNode::Flag(_)) || value.number().is_some_and(|number| number == 0.0 || number == 1.0)
}

/// Numbers one by one: `fx`, `Camera.k1`.
fn scalar(words: &[String], value: &CalibrationNode) -> Option<Named> {
    value.number()?;
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.retain(|word| {
        !FILLERS.contains(word) && !matches!(*word, "projection" | "distortion" | "intrinsics" | "pinhole")
    });
    let whose = match words.first() {
        Some(&"left") => Whose::Left,
        Some(&"right") => Whose::Right,
        _ => Whose::Any,
    };
    let name = words[usize::from(whose != Whose::Any)..].concat();
    let meaning = match name.as_str() {
        "fx" | "fu" => Meaning::Intrinsic(0),
        "fy" | "fv" => Meaning::Intrinsic(1),
        "cx" | "cu" | "ppx" => Meaning::Intrinsic(2),
        "cy" | "cv" | "ppy" => Meaning::Intrinsic(3),
        _ => {
            let number = name.get(1..)?.parse::<usize>().ok().filter(|number| (1..=6).contains(number))? - 1;
            match name.get(..1)? {
                "k" => Meaning::Radial(number),
                "p" if number < 2 => Meaning::Tangential(number),
                _ => return None,
            }
        }
    };
    Some(Named { meaning, whose, is_fisheye: false })
}

/// Takes the words that say whose a value is out of a name; none when they contradict each other.
fn set_aside(words: &mut Vec<String>) -> Option<Whose> {
    let mut found = Vec::new();
    let alone = words.len() == 1;
    let is_clear = |word: &String| matches!(word.as_str(), "left" | "right") || word.parse::<u32>().is_ok();
    // Beside a clear word `r` is a rotation: LEFT.R, R1.
    let letters_count = !words.iter().any(is_clear);
    let (last, mut index) = (words.len().saturating_sub(1), 0);
    words.retain(|word| {
        let at_an_end = index == 0 || index == last;
        index += 1;
        let whose = match word.as_str() {
            _ if alone => None,
            "left" => Some(Whose::Left),
            "right" => Some(Whose::Right),
            // `R_l` is the left one's, but `l` and `r` within a name may be anything, and R first is a rotation.
            "l" if at_an_end && letters_count => Some(Whose::Left),
            "r" if index == last + 1 && letters_count => Some(Whose::Right),
            digits => digits.parse().ok().map(Whose::Number),
        };
        found.extend(whose);
        whose.is_none()
    });
    if let ([word], true) = (words.as_mut_slice(), found.is_empty()) {
        // `mtxL` has words, `mtxl` and `KL` have not.
        let lists: [&[&str]; 3] = [CAMERA_MATRIX, COEFFICIENTS, PROJECTION];
        let is_known = |name: &str| lists.iter().any(|list| list.contains(&name)) || name == "r";
        let side = match word.chars().last() {
            Some('l') => Some(Whose::Left),
            Some('r') => Some(Whose::Right),
            _ => None,
        };
        if let Some(side) = side.filter(|_| word.len() > 1 && is_known(&word[..word.len() - 1]) && !is_known(word)) {
            word.pop();
            found.push(side);
        }
    }
    found.dedup();
    match found.as_slice() {
        [] => Some(Whose::Any),
        [whose] => Some(*whose),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Option<(Meaning, Whose)> {
        let path: Vec<&str> = name.split('/').collect();
        let value = CalibrationNode::List(vec![CalibrationNode::Number(1.0); 9]);
        meaning_of(&path, &value).map(|named| (named.meaning, named.whose))
    }

    #[test]
    fn what_people_write_is_understood() {
        use Meaning::{CameraMatrix, Coefficients, Projection, Rectification, Rotation, Translation};
        use Whose::{Any, Left, Number, Right};
        for (names, meaning, whose) in [
            (
                "camera_matrix Camera_Matrix cameraMatrix CameraMat K mtx M intrinsics intrinsic_matrix cam_mtx",
                CameraMatrix,
                Any,
            ),
            (
                "distortion_coefficients Distortion_Coefficients distCoeffs dist_coeff dist_coeffs DistCoeff dist D",
                Coefficients,
                Any,
            ),
            (
                "distortion camera_distortion distortion_coeffs distortionCoefficients lens_distortion kc distCoef",
                Coefficients,
                Any,
            ),
            (
                "distortion_vector distortion_parameters calib/dist camera/distortion_matrix dist_params",
                Coefficients,
                Any,
            ),
            ("M1 K1 camera_matrix_1 cameraMatrix1 camera1/camera_matrix cam1/K mtx1", CameraMatrix, Number(1)),
            ("D2 dist_coeffs_2 distCoeffs2 cam2/dist", Coefficients, Number(2)),
            (
                "K_left left_K LEFT.K cameraMatrixL left_camera_matrix mtxL mtxl KL camera_matrix_left left/mtx",
                CameraMatrix,
                Left,
            ),
            (
                "D_right RIGHT.D distCoeffsR right_dist distR distr DR right/distortion_coefficients",
                Coefficients,
                Right,
            ),
            ("R rotation rotation_matrix stereo_R", Rotation, Any),
            ("T translation translation_vector stereo_T", Translation, Any),
            ("R1 rectification_matrix_1", Rectification, Number(1)),
            ("rectification_matrix rectification R_rect", Rectification, Any),
            ("R_left R_l LEFT.R", Rectification, Left),
            ("P projection_matrix proj_mat", Projection, Any),
            ("P2", Projection, Number(2)),
        ] {
            for name in names.split_whitespace() {
                assert_eq!(named(name), Some((meaning, whose)), "{name}");
            }
        }
    }

    #[test]
    fn what_may_be_anything_is_not_guessed() {
        for name in [
            "newcameramtx",
            "new_camera_matrix",
            "optimal_K",
            "undistorted_mtx",
            "map1",
            "R_1_2",
            "T_12",
            "homography",
            "om",
            "lut",
            "distances",
            "left_right_K",
            "vignetting",
            "scale",
            "whatever",
            "rectified_camera_matrix",
            "T_left",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_one_by_one_are_understood() {
        let number = CalibrationNode::Number(0.1);
        for (path, meaning) in [
            ("Camera.fx", Meaning::Intrinsic(0)),
            ("projection_parameters/cy", Meaning::Intrinsic(3)),
            ("k1", Meaning::Radial(0)),
            ("distortion_parameters/p2", Meaning::Tangential(1)),
            ("Camera.k3", Meaning::Radial(2)),
        ] {
            let names: Vec<&str> = path.split('/').collect();
            assert_eq!(meaning_of(&names, &number).map(|named| named.meaning), Some(meaning), "{path}");
        }
        for name in ["d", "k", "k9", "xi", "bf"] {
            let meaning = meaning_of(&[name], &number).map(|named| named.meaning);
            assert!(
                !matches!(meaning, Some(Meaning::Intrinsic(_) | Meaning::Radial(_) | Meaning::Tangential(_))),
                "{name}"
            );
        }
    }
}
