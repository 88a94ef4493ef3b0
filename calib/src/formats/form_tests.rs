//! The files that everybody has, each with its right value, and their siblings that may not be read as something else.

use super::*;
use crate::rectification;
use nalgebra::{Rotation3, Vector3};
use parallax_core::camera::{Distortion, Intrinsics};
use proptest::prelude::*;

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
fn names_that_people_give_their_matrices_keep_the_lens() {
    for (k, d) in [
        ("camera_matrix", "D"),
        ("Camera_Matrix", "Distortion_Coefficients"),
        ("mtx", "dist"),
        ("camera_matrix", "distortion"),
        ("K", "D"),
        ("CameraMat", "DistCoeff"),
        ("cameraMatrix", "distortionCoefficients"),
        ("camera_matrix", "dist_coeff"),
        ("camera_matrix", "distortion_coefficients"),
        ("intrinsic_matrix", "distortion_vector"),
        ("cam_mtx", "cam_dist"),
        ("M1", "D1"),
        ("camera_matrix_left", "dist_coeffs_left"),
    ] {
        let yaml = file_storage(k, d).replace("image_width", "image_Width");
        let pair = read_text("camera.yml", &yaml).unwrap_or_else(|error| panic!("{k} {d}: {error}"));
        assert_eq!((pair.left.intrinsics, pair.left.distortion), (K, Distortion::PlumbBob(FIVE)), "{k} {d}");
        let xml = format!(
            "<?xml version=\"1.0\"?>\n<opencv_storage>\n<{k} type_id=\"opencv-matrix\"><rows>3</rows><cols>3</cols><dt>d</dt><data>\n\
             520.25 0. 318.5 0. 519.75 241.25 0. 0. 1.</data></{k}>\n<{d} type_id=\"opencv-matrix\"><rows>1</rows><cols>5</cols>\
             <dt>d</dt><data>-0.21 0.08 0.0011 -0.0007 -0.012</data></{d}>\n</opencv_storage>"
        );
        let json = format!(
            "{{\"{k}\": {{\"type_id\": \"opencv-matrix\", \"rows\": 3, \"cols\": 3, \"dt\": \"d\", \"data\": [520.25, 0.0, 318.5, 0.0, 519.75, \
             241.25, 0.0, 0.0, 1.0]}}, \"{d}\": [[-0.21, 0.08, 0.0011, -0.0007, -0.012]]}}"
        );
        let nested = format!(
            "{k}:\n- - 520.25\n  - 0.0\n  - 318.5\n- - 0.0\n  - 519.75\n  - 241.25\n- - 0.0\n  - 0.0\n  - 1.0\n{d}:\n- - -0.21\n  - 0.08\n  - 0.0011\n  - -0.0007\n  - -0.012\n"
        );
        for (name, text) in [("a.xml", xml), ("a.json", json), ("a.yaml", nested)] {
            let pair = read_files(&[(name, &text)], &sized()).unwrap_or_else(|error| panic!("{k} {d} {name}: {error}"));
            assert_eq!((pair.left.intrinsics, pair.left.distortion), (K, Distortion::PlumbBob(FIVE)), "{k} {d} {name}");
        }
    }
    let autoware = file_storage("CameraMat", "DistCoeff")
        .replace("image_width: 640\nimage_height: 480\n", "CameraExtrinsicMat_error: 0.1\nImageSize: [ 640, 480 ]\n");
    assert_eq!(read_text("autoware.yml", &autoware).unwrap().left.distortion, Distortion::PlumbBob(FIVE));
}

#[test]
fn what_may_be_the_lens_and_is_not_understood_is_refused_by_name() {
    for d in ["bent", "lut", "thin_prism", "radial", "undistortion", "Unknown_Vector"] {
        refused(&[("a.yml", &file_storage("K", d))], &Unsaid::default(), d);
        refused(&[("a.yml", &file_storage("K", &format!("{d}: {{x: 1}}\n{d}2")))], &Unsaid::default(), d);
    }
    let ignoring = Unsaid { ignored: vec!["Unknown_Vector".into()], ..Unsaid::default() };
    let pair = read_files(&[("a.yml", &file_storage("K", "Unknown_Vector"))], &ignoring).unwrap();
    assert_eq!(pair.left.distortion, Distortion::None);
    // Two that may be meant.
    let two = file_storage("K", "D") + "dist: [ -0.3, 0.1, 0., 0., 0. ]\n";
    refused(&[("a.yml", &two)], &Unsaid::default(), "D and dist may both be meant");
    let two = file_storage("K", "D") + "mtx: [ 600., 0., 318.5, 0., 600., 241.25, 0., 0., 1. ]\n";
    refused(&[("a.yml", &two)], &Unsaid::default(), "K and mtx may both be meant");
    let new = file_storage("mtx", "dist") + "newcameramtx: [ 400., 0., 318.5, 0., 400., 241.25, 0., 0., 1. ]\n";
    refused(&[("a.yml", &new)], &Unsaid::default(), "newcameramtx");
    // One of two, of a pair.
    let half = file_storage("M1", "D")
        + "M2: [ 520., 0., 318.5, 0., 520., 241.25, 0., 0., 1. ]\nR: [1., 0., 0., 0., 1., 0., 0., 0., 1.]\nT: [-0.1, 0., 0.]\n";
    refused(&[("a.yml", &half)], &Unsaid::default(), "which camera D belongs to");
    // There, but empty or no numbers.
    for value in [
        "",
        " ~",
        " {}",
        " [a, b]",
        " \"see lens.yml\"",
        " [-0.21, .Nan, 0, 0, 0]",
        " [-0,21, 0,08, 0,001, 0,0007, 0,012]",
    ] {
        let text = file_storage("K", "x").split("x: ").next().unwrap().to_owned() + &format!("dist_coeffs:{value}\n");
        assert!(read_text("a.yml", &text).is_err(), "{value}");
    }
    for text in [
        file_storage("K", "D").replace("rows: 5", "rows: 4"),
        file_storage("K", "D").replace("image_height: 480\n", ""),
        file_storage("K", "D").replace("image_height: 480\n", "image_height: 480\nD: [1]\n"),
        file_storage("K", "D") + "roi: {x_offset: 10, y_offset: 0, width: 600, height: 480}\n",
    ] {
        assert!(read_text("a.yml", &text).is_err(), "{text}");
    }
}

#[test]
fn what_calibration_programs_add_changes_nothing() {
    let text = file_storage("camera_matrix", "distortion_coefficients")
        + "calibration_time: \"Fri 01 Dec 2023\"\nnframes: 13\nboard_width: 9\nboard_height: 6\nsquare_size: 25.\naspectRatio: 1.\nflags: 2\n\
           avg_reprojection_error: 0.21\nper_view_reprojection_errors: !!opencv-matrix\n   rows: 2\n   cols: 1\n   dt: f\n   data: [ 0.2, 0.3 ]\n\
           extrinsic_parameters: !!opencv-matrix\n   rows: 1\n   cols: 6\n   dt: d\n   data: [ 1., 2., 3., 4., 5., 6. ]\n\
           image_points: !!opencv-matrix\n   rows: 1\n   cols: 2\n   dt: \"2f\"\n   data: [ 1., 2., 3., 4. ]\nfisheye_model: 0\n";
    assert_eq!(read_text("out_camera_data.yml", &text).unwrap().left.distortion, Distortion::PlumbBob(FIVE));
}

#[test]
fn four_coefficients_are_a_lens_only_where_the_file_says_which() {
    let four = file_storage("K", "D").replace("rows: 5", "rows: 4").replace(", -0.012 ]", " ]");
    let [k1, k2, k3, k4, _] = FIVE;
    refused(&[("a.yml", &four)], &Unsaid::default(), "four coefficients");
    let (bent, fisheye) = (Distortion::PlumbBob([k1, k2, k3, k4, 0.0]), Distortion::Equidistant([k1, k2, k3, k4]));
    for (added, lens) in [
        ("fisheye_model: 1\n", fisheye),
        ("fisheye: true\n", fisheye),
        ("fisheye_model: 0\n", bent),
        ("distortion_model: equidistant\n", fisheye),
        ("distortion_model: plumb_bob\n", bent),
        ("camera_model: fisheye\n", fisheye),
        ("model: KANNALA_BRANDT\n", fisheye),
    ] {
        let found = read_text("a.yml", &(four.clone() + added)).unwrap_or_else(|error| panic!("{added}: {error}"));
        assert_eq!(found.left.distortion, lens, "{added}");
    }
    let named = four.replace("D: ", "D_fisheye: ");
    assert_eq!(read_text("a.yml", &named).unwrap().left.distortion, fisheye);
    for (model, lens) in [("plumb_bob", bent), ("equidistant", fisheye)] {
        let unsaid = Unsaid { model: Some(model), ..Unsaid::default() };
        assert_eq!(read_files(&[("a.yml", &four)], &unsaid).unwrap().left.distortion, lens);
        refused(&[("a.yml", &(four.clone() + "distortion_model: omni\n"))], &unsaid, "omni");
    }
    let contrary = Unsaid { model: Some("plumb_bob"), ..Unsaid::default() };
    refused(&[("a.yml", &(four.clone() + "fisheye_model: 1\n"))], &contrary, "--model says plumb_bob");
    refused(
        &[("a.yml", &(four.clone() + "fisheye_model: 1\ndistortion_model: plumb_bob\n"))],
        &Unsaid::default(),
        "fisheye flag",
    );
    refused(&[("a.yml", &(four + "xi: 1.2\n"))], &contrary, "xi");
}

const ROS_LAYOUT: &str = "distortion_model: rational_polynomial
camera_name: right
rectification_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 0.9998, -0.02, 0., 0.02, 0.9998, 0., 0., 0., 1. ]
projection_matrix: !!opencv-matrix
   rows: 3
   cols: 4
   dt: d
   data: [ 500., 0., 320., -60., 0., 500., 240., 0., 0., 0., 1., 0. ]
";

#[test]
fn file_storage_in_the_layout_of_ros_keeps_rectification_and_baseline() {
    let text = file_storage("camera_matrix", "distortion_coefficients") + ROS_LAYOUT;
    let camera = read_text("camera.yml", &text).unwrap().left;
    assert_eq!(camera.rectification[(1, 0)], 0.02);
    assert_eq!((camera.projection[(0, 0)], camera.baseline_m()), (500.0, Some(0.12)));
    assert_eq!(camera.distortion, Distortion::PlumbBob(FIVE));
    refused(&[("a.yml", &text.replace("rational_polynomial", "fov"))], &Unsaid::default(), "fov");
}

/// OpenCV's intrinsics.yml and extrinsics.yml of a pair, the right camera `place` units to the right of the left one.
fn two_files(place: f64) -> (String, String) {
    let matrix = |name: &str, rows: usize, numbers: &[f64]| {
        format!(
            "{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {}\n   dt: d\n   data: {numbers:?}\n",
            numbers.len() / rows
        )
    };
    let (k, d) = ([520.25, 0.0, 318.5, 0.0, 519.75, 241.25, 0.0, 0.0, 1.0], FIVE);
    let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let p = |shift: f64| [500.0, 0.0, 320.0, shift, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let intrinsics =
        ["M1", "M2"].map(|name| matrix(name, 3, &k)).concat() + &["D1", "D2"].map(|name| matrix(name, 1, &d)).concat();
    let extrinsics = [
        matrix("R", 3, &identity),
        matrix("T", 3, &[-place, 0.0, 0.0]),
        matrix("R1", 3, &identity),
        matrix("R2", 3, &identity),
        matrix("P1", 3, &p(0.0)),
        matrix("P2", 3, &p(-500.0 * place)),
        matrix("Q", 4, &[1.0; 16]),
    ];
    ("%YAML:1.0\n---\n".to_owned() + &intrinsics, "%YAML:1.0\n---\n".to_owned() + &extrinsics.concat())
}

#[test]
fn a_pair_of_opencv_is_read_from_two_files_and_never_the_wrong_way_round() {
    let unsaid = |unit| Unsaid { metres_per_unit: unit, extrinsics: Some("extrinsics.yml".into()), ..sized() };
    let files = |place: f64| {
        let (intrinsics, extrinsics) = two_files(place);
        (intrinsics.clone(), extrinsics.clone(), intrinsics + extrinsics.split("---\n").nth(1).unwrap())
    };
    for (place, unit) in [(90.0, Some(1e-3)), (9.0, Some(1e-2)), (0.09, None)] {
        let (intrinsics, extrinsics, joined) = files(place);
        let pair = read_files(&[("i.yml", &intrinsics), ("extrinsics.yml", &extrinsics)], &unsaid(unit)).unwrap();
        assert!((pair.right.as_ref().unwrap().baseline_m().unwrap() - 0.09).abs() < 1e-12);
        assert_eq!(pair.right.as_ref().unwrap().projection[(0, 0)], 500.0);
        let alone = Unsaid { extrinsics: None, ..unsaid(unit) };
        assert_eq!(read_files(&[("joined.yml", &joined)], &alone).unwrap(), pair);
    }
    // Swapped, in millimetres, without the place, with P and T of two calibrations.
    let alone = |unit| Unsaid { extrinsics: None, ..unsaid(unit) };
    let swapped = files(-90.0).2;
    refused(&[("joined.yml", &swapped)], &alone(Some(1e-3)), "to the left of the left one");
    refused(
        &[("joined.yml", swapped.split("R1:").next().unwrap())],
        &alone(Some(1e-3)),
        "to the right of the left one",
    );
    refused(&[("joined.yml", &files(90.0).2)], &alone(None), "not believed");
    refused(&[("joined.yml", files(90.0).2.split("R1:").next().unwrap())], &alone(None), "not believed");
    refused(&[("i.yml", &files(0.09).0)], &alone(None), "expected R with 9 numbers");
    refused(
        &[("joined.yml", &files(0.09).2.replace("[-0.09, 0.0, 0.0]", "[-0.12, 0.0, 0.0]"))],
        &alone(None),
        "elsewhere",
    );
    refused(
        &[(
            "joined.yml",
            &files(0.09).2.replace("[-0.09, 0.0, 0.0]", "[0.0, -0.09, 0.0]").split("R1:").next().unwrap().to_owned(),
        )],
        &alone(None),
        "to the right",
    );
}

#[test]
fn each_camera_of_a_pair_may_have_its_own_file() {
    let (left, right) = (file_storage("K", "D"), file_storage("mtx", "dist"));
    let relation = "%YAML:1.0\n---\nR: [1., 0., 0., 0., 1., 0., 0., 0., 1.]\nT: [-120., 0., 0.]\n";
    let unsaid = Unsaid {
        right: Some("right.yml".into()),
        extrinsics: Some("stereo.yml".into()),
        metres_per_unit: Some(1e-3),
        ..Unsaid::default()
    };
    let pair = read_files(&[("left.yml", &left), ("right.yml", &right), ("stereo.yml", relation)], &unsaid).unwrap();
    let baseline_m = pair.right.unwrap().baseline_m().unwrap();
    assert!((baseline_m - 0.12).abs() < 1e-12 && pair.left.distortion == Distortion::PlumbBob(FIVE));
    let unsaid = Unsaid { extrinsics: None, ..unsaid };
    refused(&[("left.yml", &left), ("right.yml", &right)], &unsaid, "where the right camera is");
    // ROS's left.yaml and right.yaml say it themselves.
    let left = Camera { distortion: Distortion::PlumbBob(FIVE), ..Camera::pinhole("l", 640, 480, K) };
    let right = left.clone().with_baseline(0.12);
    let [left_text, right_text] = [&left, &right].map(ros_yaml::to_text);
    let unsaid = Unsaid { right: Some("right.yaml".into()), ..Unsaid::default() };
    let pair = read_files(&[("left.yaml", &left_text), ("right.yaml", &right_text)], &unsaid).unwrap();
    assert_eq!((&pair.left, pair.right.as_ref()), (&left, Some(&right)));
    refused(&[("left.yaml", &right_text), ("right.yaml", &left_text)], &unsaid, "swapped");
    // Of KITTI in ROS both have a place to the right of a third camera.
    let third = left.clone().with_baseline(-0.06);
    let pair = read_files(&[("left.yaml", &ros_yaml::to_text(&third)), ("right.yaml", &right_text)], &unsaid).unwrap();
    assert!((pair.right.unwrap().baseline_m().unwrap() - 0.18).abs() < 1e-12);
}

const CAMCHAIN: &str = "%YAML:1.0 # need to specify the file type at the top!

cam0:
  T_imu_cam: #rotation from camera to IMU R_CtoI, position of camera in IMU p_CinI
    - [0.0148655429818, -0.999880929698, 0.00414029679422, -0.0216401454975]
    - [0.999557249008, 0.0149672133247, 0.025715529948, -0.064676986768]
    - [-0.0257744366974, 0.00375618835797, 0.999660727178, 0.00981073058949]
    - [0.0, 0.0, 0.0, 1.0]
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]
  distortion_model: radtan
  intrinsics: [458.654, 457.296, 367.215, 248.375] #fu, fv, cu, cv
  resolution: [752, 480]
  rostopic: /cam0/image_raw
cam1:
  T_imu_cam:
    - [0.0125552670891, -0.999755099723, 0.0182237714554, -0.0198435579556]
    - [0.999598781151, 0.0130119051815, 0.0251588363115, 0.0453689425024]
    - [-0.0253898008918, 0.0179005838253, 0.999517347078, 0.00786212447038]
    - [0.0, 0.0, 0.0, 1.0]
  cam_overlaps: [0]
  camera_model: pinhole
  distortion_coeffs: [-0.28368365, 0.07451284, -0.00010473, -3.55590700e-05]
  distortion_model: radtan
  intrinsics: [457.587, 456.134, 379.999, 255.238]
  resolution: [752, 480]
  rostopic: /cam1/image_raw
";

#[test]
fn a_camchain_of_openvins_is_a_pair_of_the_published_baseline() {
    for text in [
        CAMCHAIN.to_owned(),
        format!("\u{feff}{}", CAMCHAIN.split_once('\n').unwrap().1),
        format!("# of my robot\n{CAMCHAIN}").replace("%YAML", "# YAML"),
        CAMCHAIN.replace("%YAML:1.0 # need to specify the file type at the top!\n", "%YAML:1.0\n---\n"),
        CAMCHAIN.replace('\n', "\r\n"),
    ] {
        let pair = read_text("kalibr_imucam_chain.yaml", &text).unwrap();
        assert!((pair.right.unwrap().baseline_m().unwrap() - 0.11007).abs() < 1e-4);
        assert_eq!(pair.left.intrinsics.fx, 458.654);
    }
    // Kalibr's T_cam_imu are their inverses: the numbers are read the other way round, so the right camera is to the left.
    refused(&[("a.yaml", &CAMCHAIN.replace("T_imu_cam", "T_cam_imu"))], &Unsaid::default(), "to the right");
    refused(
        &[("a.yaml", &CAMCHAIN.replacen("  T_imu_cam", "  T_imu_camera", 1))],
        &Unsaid::default(),
        "cam0.T_imu_camera",
    );
    refused(&[("a.yaml", &CAMCHAIN.replace("radtan", "none"))], &Unsaid::default(), "got \"none\"");
    refused(
        &[("a.yaml", &CAMCHAIN.replace("  distortion_model: radtan\n", ""))],
        &Unsaid::default(),
        "no distortion_model",
    );
    refused(&[("a.yaml", &CAMCHAIN.replace("cam1:", "cam2:"))], &Unsaid::default(), "cam0, cam2");
    refused(
        &[(
            "a.yaml",
            &CAMCHAIN.replace("intrinsics: [458.654, 457.296, 367.215", "intrinsics: [458.654, 457.296, 867.215"),
        )],
        &Unsaid::default(),
        "cam0: the principal point",
    );
    let contrary = CAMCHAIN.replace(
        "cam1:\n",
        "cam1:\n  T_cn_cnm1:\n  - [1, 0, 0, -0.3]\n  - [0, 1, 0, 0]\n  - [0, 0, 1, 0]\n  - [0, 0, 0, 1]\n",
    );
    refused(&[("a.yaml", &contrary)], &Unsaid::default(), "not the same");
}

const SENSOR: &str = "# General sensor definitions.
sensor_type: camera
comment: VI-Sensor cam0 (MT9M034)

# Sensor extrinsics wrt. the body-frame.
T_BS:
  cols: 4
  rows: 4
  data: [0.0148655429818, -0.999880929698, 0.00414029679422, -0.0216401454975,
         0.999557249008, 0.0149672133247, 0.025715529948, -0.064676986768,
        -0.0257744366974, 0.00375618835797, 0.999660727178, 0.00981073058949,
         0.0, 0.0, 0.0, 1.0]

# Camera specific definitions.
rate_hz: 20
resolution: [752, 480]
camera_model: pinhole
intrinsics: [458.654, 457.296, 367.215, 248.375] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]
";

#[test]
fn sensor_files_of_euroc_are_read_alone_and_as_a_pair() {
    let left = read_text("sensor.yaml", SENSOR).unwrap().left;
    assert_eq!(left.distortion, Distortion::PlumbBob([-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05, 0.0]));
    assert_eq!((left.width, left.intrinsics.cy), (752, 248.375));
    let right = SENSOR
        .replace(
            "0.0148655429818, -0.999880929698, 0.00414029679422, -0.0216401454975",
            "0.0125552670891, -0.999755099723, 0.0182237714554, -0.0198435579556",
        )
        .replace(
            "0.999557249008, 0.0149672133247, 0.025715529948, -0.064676986768",
            "0.999598781151, 0.0130119051815, 0.0251588363115, 0.0453689425024",
        )
        .replace(
            "-0.0257744366974, 0.00375618835797, 0.999660727178, 0.00981073058949",
            "-0.0253898008918, 0.0179005838253, 0.999517347078, 0.00786212447038",
        );
    let unsaid = Unsaid { right: Some("right.yaml".into()), ..Unsaid::default() };
    let pair = read_files(&[("sensor.yaml", SENSOR), ("right.yaml", &right)], &unsaid).unwrap();
    assert!((pair.right.unwrap().baseline_m().unwrap() - 0.11007).abs() < 1e-4);
    refused(&[("sensor.yaml", &right), ("right.yaml", SENSOR)], &unsaid, "to the right");
    for (from, to, says) in [
        ("radial-tangential", "fov", "fov"),
        ("radial-tangential", "none", "none"),
        ("camera_model: pinhole", "camera_model: omni", "omni"),
        ("rate_hz: 20", "line_delay: [1, 2]", "line_delay"),
        ("resolution: [752, 480]", "resolution: [752]", "resolution"),
        ("distortion_coefficients:", "distortion_coefs:", "distortion_coefs"),
    ] {
        refused(&[("sensor.yaml", &SENSOR.replace(from, to))], &Unsaid::default(), says);
    }
}

const ECHO: &str = "header:
  stamp:
    sec: 1700000000
    nanosec: 5
  frame_id: camera_optical
height: 480
width: 640
distortion_model: plumb_bob
d:
- -0.21
- 0.08
- 0.0011
- -0.0007
- -0.012
k:
- 520.25
- 0.0
- 318.5
- 0.0
- 519.75
- 241.25
- 0.0
- 0.0
- 1.0
r:
- 1.0
- 0.0
- 0.0
- 0.0
- 1.0
- 0.0
- 0.0
- 0.0
- 1.0
p: [500.0, 0.0, 320.0, -60.0, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 0
binning_y: 0
roi:
  x_offset: 0
  y_offset: 0
  height: 0
  width: 0
  do_rectify: false
---
";

#[test]
fn what_ros2_topic_echo_says_is_a_camera() {
    let again = ECHO.to_owned() + &ECHO.replace("nanosec: 5", "nanosec: 6");
    for text in
        [ECHO.to_owned(), again, ECHO.replace("\nd:", "\nD:").replace("\nk:", "\nK:"), ECHO.replace("---\n", "")]
    {
        let camera = read_text("info.txt", &text).unwrap().left;
        assert_eq!((camera.intrinsics, camera.distortion), (K, Distortion::PlumbBob(FIVE)));
        assert_eq!((camera.baseline_m(), camera.name.as_str()), (Some(0.12), "camera_optical"));
    }
    for (from, to, says) in [
        ("binning_x: 0", "binning_x: 2", "binning_x"),
        ("  x_offset: 0", "  x_offset: 12", "roi"),
        ("- 520.25", "- 0.0", "not calibrated"),
        ("plumb_bob", "", "without a distortion_model"),
        ("binning_x: 0", "rolling_shutter_skew_matrix: [1, 2]", "rolling_shutter"),
    ] {
        let text = if says.contains("without") { ECHO.replace("- -0.012\n", "") } else { ECHO.to_owned() };
        let error = read_text("info.yaml", &text.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(says) || error.to_string().contains("four coefficients"), "{to}: {error}");
    }
    let other = ECHO.to_owned() + &ECHO.replace("520.25", "530.25");
    refused(&[("info.yaml", &other)], &Unsaid::default(), "several documents");
}

const OST: &str = "# oST version 5.0 parameters


[image]

width
640

height
480

[narrow_stereo/left]

camera matrix
520.25 0.000000 318.5
0.000000 519.75 241.25
0.000000 0.000000 1.000000

distortion
-0.21 0.08 0.0011 -0.0007 -0.012

rectification
1.000000 0.000000 0.000000
0.000000 1.000000 0.000000
0.000000 0.000000 1.000000

projection
500.0 0.000000 320.0 0.000000
0.000000 500.0 240.0 0.000000
0.000000 0.000000 1.000000 0.000000

";

#[test]
fn ost_files_hold_a_camera_or_a_pair() {
    let pair = read_text("ost.txt", OST).unwrap();
    assert_eq!((pair.left.intrinsics, pair.left.distortion, pair.right), (K, Distortion::PlumbBob(FIVE), None));
    let section = OST.split("[narrow").nth(1).unwrap().replace("_stereo/left", "_stereo/right");
    let both = format!("{OST}[narrow{}", section.replace("320.0 0.000000", "320.0 -60.0"));
    let pair = read_text("ost.ini", &both).unwrap();
    assert!((pair.right.unwrap().baseline_m().unwrap() - 0.12).abs() < 1e-12);
    refused(&[("ost.txt", &OST.replace(" -0.012", ""))], &Unsaid::default(), "four coefficients");
    refused(&[("ost.txt", &OST.replace("distortion", "distorsion"))], &Unsaid::default(), "distorsion");
    refused(&[("ost.txt", &OST.replace("width\n640", "width\n"))], &Unsaid::default(), "width");
    refused(&[("ost.txt", &both.replace("-60.0", "60.0"))], &Unsaid::default(), "left of the left one");
}

const MRCAL: &str = "# generated on 2021-01-01 with   ./mrcal-calibrate-cameras
# a comment
{
    'lensmodel':  'LENSMODEL_OPENCV5',

    # intrinsics are fx,fy,cx,cy,distortion0,distortion1,....
    'intrinsics': [ 520.25, 519.75, 318.5, 241.25, -0.21, 0.08, 0.0011, -0.0007, -0.012,],

    'valid_intrinsics_region': [
    [ 29, 10 ],
    [ 600, 470 ],
     ],

    # extrinsics are rt_fromref
    'extrinsics': [ 0, 0, 0, 0, 0, 0,],

    'imagersize': [ 640, 480,],

    'icam_intrinsics': 0,

    # The optimization inputs contain all the data used to compute this model.
    'optimization_inputs':
    b'P)h>@6aWAK2mnS!{}[],:\"#0Km%m00000000',
}
";

#[test]
fn camera_models_of_mrcal_are_read() {
    assert_eq!(read_text("a.cameramodel", MRCAL).unwrap().left.distortion, Distortion::PlumbBob(FIVE));
    let right = MRCAL.replace("[ 0, 0, 0, 0, 0, 0,]", "[ 0, 0, 0, -0.25, 0, 0,]");
    let unsaid = Unsaid { right: Some("right.cameramodel".into()), ..Unsaid::default() };
    let pair = read_files(&[("left.cameramodel", MRCAL), ("right.cameramodel", &right)], &unsaid).unwrap();
    assert!((pair.right.unwrap().baseline_m().unwrap() - 0.25).abs() < 1e-12);
    for model in ["LENSMODEL_SPLINED_STEREOGRAPHIC_order=3_Nx=30_Ny=18_fov_x_deg=150", "LENSMODEL_CAHVOR"] {
        refused(&[("a.cameramodel", &MRCAL.replace("LENSMODEL_OPENCV5", model))], &Unsaid::default(), model);
    }
    refused(&[("a.cameramodel", &MRCAL.replace("OPENCV5", "OPENCV8"))], &Unsaid::default(), "expected 12 intrinsics");
    let eight = MRCAL.replace("OPENCV5", "OPENCV8").replace("-0.012,]", "-0.012, 0.1, 0.02, 0.003 ]");
    let lens = Distortion::RationalPolynomial([-0.21, 0.08, 0.0011, -0.0007, -0.012, 0.1, 0.02, 0.003]);
    assert_eq!(read_text("a.cameramodel", &eight).unwrap().left.distortion, lens);
}

#[test]
fn a_bare_matrix_is_a_camera_without_distortion() {
    for (name, text) in [
        ("K.txt", "520.25 0 318.5\n0 519.75 241.25\n0 0 1\n"),
        ("K.csv", "520.25,0.0,318.5\r\n0.0,519.75,241.25\r\n0.0,0.0,1.0\r\n"),
        ("K.txt", "[[520.25   0.   318.5 ]\n [  0.   519.75 241.25]\n [  0.     0.     1.  ]]\n"),
        ("K.txt", "array([[520.25, 0., 318.5],\n       [0., 519.75, 241.25],\n       [0., 0., 1.]])\n"),
        ("K.yaml", "- [520.25, 0, 318.5]\n- [0, 519.75, 241.25]\n- [0, 0, 1]\n"),
        ("K.yaml", "- - 520.25\n  - 0.0\n  - 318.5\n- - 0.0\n  - 519.75\n  - 241.25\n- - 0.0\n  - 0.0\n  - 1.0\n"),
        (
            "K.txt",
            "# np.savetxt\n5.2025e+02 0.0e+00 3.185e+02\n0.0e+00 5.1975e+02 2.4125e+02\n0.0e+00 0.0e+00 1.0e+00\n",
        ),
        ("K.json", "[[520.25, 0, 318.5], [0, 519.75, 241.25], [0, 0, 1]]"),
    ] {
        let camera = read_files(&[(name, text)], &sized()).unwrap_or_else(|error| panic!("{text}: {error}")).left;
        assert_eq!((camera.intrinsics, camera.distortion), (K, Distortion::None), "{text}");
    }
    refused(&[("K.txt", "520.25 0 318.5\n0 519.75 241.25\n0 0 1\n")], &Unsaid::default(), "size");
    for text in [
        "520,25 0,0 318,5\n0,0 519,75 241,25\n0,0 0,0 1,0\n",
        "520.25 0 318.5\n0 519.75 241.25\n0 0 nan\n",
        "520.25 0 318.5\n0 1e400 241.25\n0 0 1\n",
        "520.25 0 0\n0 519.75 0\n318.5 241.25 1\n",
        "520,25 519,75 318,5 241,25\n",
        "520.25 0 318.5\n0 519.75 241.25\n",
    ] {
        assert!(read_files(&[("K.txt", text)], &sized()).is_err(), "{text}");
    }
}

#[test]
fn numbers_one_by_one_are_a_camera() {
    let vins = "%YAML:1.0\n---\nmodel_type: PINHOLE\ncamera_name: camera\nimage_width: 640\nimage_height: 480\ndistortion_parameters:\n   k1: -0.21\n   k2: 0.08\n   \
                p1: 0.0011\n   p2: -0.0007\nprojection_parameters:\n   fx: 520.25\n   fy: 519.75\n   cx: 318.5\n   cy: 241.25\n";
    let lens = Distortion::PlumbBob([-0.21, 0.08, 0.0011, -0.0007, 0.0]);
    assert_eq!(read_text("camera.yaml", vins).unwrap().left.distortion, lens);
    for (from, to, says) in [
        ("PINHOLE", "MEI", "MEI"),
        ("   p1: 0.0011\n   p2: -0.0007\n", "", "plumb_bob"),
        ("   fy: 519.75\n", "", "all of fx"),
    ] {
        refused(&[("camera.yaml", &vins.replace(from, to))], &Unsaid::default(), says);
    }
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

#[test]
fn a_right_file_that_says_no_place_is_left_out() {
    let camera = Camera::pinhole("l", 640, 480, K);
    let text = ros_yaml::to_text(&camera);
    let pair = read_files(&[("camera.yaml", &text), ("camera_right.yaml", &text)], &Unsaid::default()).unwrap();
    assert_eq!(pair.right, None);
    let swapped = ros_yaml::to_text(&camera.with_baseline(-0.09));
    refused(&[("camera.yaml", &text), ("camera_right.yaml", &swapped)], &Unsaid::default(), "to the left");
}

proptest! {
    #[test]
    fn kalibr_s_form_carries_rectification_of_any_kind(
        fx in 400.0f64..900.0, focal in 300.0f64..900.0, k in prop::array::uniform4(-0.05f64..0.05), fisheye in any::<bool>(),
        turn in prop::array::uniform3(-0.05f64..0.05), baseline_m in 0.02f64..1.0, pair in any::<bool>(),
    ) {
        let lens = if fisheye { Distortion::Equidistant(k) } else { Distortion::PlumbBob([k[0], k[1], k[2], k[3], 0.0]) };
        let camera = |turn: Vector3<f64>| {
            let plain = Camera::pinhole("", 640, 480, Intrinsics { fx, fy: fx, cx: 311.7, cy: 244.1 });
            let mut camera = Camera { distortion: lens, rectification: Rotation3::new(turn).into_inner(), ..plain };
            camera.projection = Camera::pinhole("", 640, 480, Intrinsics { fx: focal, fy: focal, cx: 330.2, cy: 250.9 }).projection;
            camera
        };
        let turn = Vector3::from(turn);
        let cameras = CameraPair { left: camera(turn), right: pair.then(|| camera(-turn).with_baseline(baseline_m)) };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.yaml");
        write(&path, &cameras, Format::Kalibr).unwrap();
        let found = read(&path, &Unsaid::default()).unwrap();
        let unnamed = |camera: &Camera| Camera { name: String::new(), ..camera.clone() };
        prop_assert_eq!(unnamed(&found.left), cameras.left);
        prop_assert_eq!(found.right.as_ref().map(unnamed), cameras.right);
    }
}

proptest! {
    // Rectifying takes milliseconds.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_relation_is_the_same_by_body_poses_and_between_the_cameras(
        turn in prop::array::uniform3(-0.05f64..0.05), place in prop::array::uniform2(-0.01f64..0.01),
        body in prop::array::uniform3(-1.0f64..1.0),
    ) {
        let relation = Isometry3::new(Vector3::new(-0.12, place[0], place[1]), Vector3::from(turn));
        let left_from_body = Isometry3::new(Vector3::from(body), Vector3::from(body));
        let rows = |isometry: &Isometry3<f64>| {
            let matrix = isometry.to_homogeneous();
            let rows: Vec<String> = matrix.row_iter().map(|row| format!("{:?}", row.iter().collect::<Vec<_>>())).collect();
            format!("[{}]", rows.join(", "))
        };
        let cam = "camera_model: pinhole, intrinsics: [500, 500, 320, 240], distortion_model: radtan, distortion_coeffs: [0.1, 0, 0, 0], resolution: [640, 480]";
        let right_from_body = relation * left_from_body;
        let by_body = format!(
            "cam0: {{{cam}, T_cam_imu: {}}}\ncam1: {{{cam}, T_cam_imu: {}}}\n", rows(&left_from_body), rows(&right_from_body)
        );
        let between = format!("cam0: {{{cam}}}\ncam1: {{{cam}, T_cn_cnm1: {}}}\n", rows(&relation));
        let pairs = [by_body, between].map(|text| read_text("chain.yaml", &text).unwrap());
        let difference = (pairs[0].right.as_ref().unwrap().projection - pairs[1].right.as_ref().unwrap().projection).amax();
        prop_assert!(difference < 1e-3, "{difference}");
        let known = rectification::of_pair(pairs[0].left.clone(), pairs[0].right.clone().unwrap(), &relation);
        prop_assert!(known.is_ok());
    }
}
