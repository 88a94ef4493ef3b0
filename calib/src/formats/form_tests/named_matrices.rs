//! Matrices under the names that people give them: the lens is found, or refused by name.

use super::*;

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
