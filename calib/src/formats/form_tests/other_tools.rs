//! Files as OpenVINS, EuRoC, ROS, mrcal and NumPy write them.

use super::*;

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
