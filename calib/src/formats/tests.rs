use super::*;
use crate::CameraPair;
use nalgebra::{Isometry3, Rotation3, Vector3};
use parallax_core::Result;
use parallax_core::camera::{Camera, Distortion, Intrinsics};
use proptest::prelude::*;
use std::process::Command;

fn unsaid() -> Unsaid {
    Unsaid::default()
}

fn camera(lens: Distortion, fx: f64) -> Camera {
    let k = Intrinsics { fx, fy: fx * 1.0123456789, cx: 321.123456789012, cy: 239.1 };
    let mut camera = Camera { distortion: lens, ..Camera::pinhole("left", 640, 480, k) };
    camera.rectification = Rotation3::from_euler_angles(0.011, -0.021, 0.003).into_inner();
    camera
}

fn lens(number: usize, k: [f64; 8]) -> Distortion {
    match number {
        0 => Distortion::None,
        1 => Distortion::PlumbBob([k[0], k[1], k[2] * 1e-2, k[3] * 1e-2, k[4]]),
        2 => Distortion::RationalPolynomial(k),
        _ => Distortion::Equidistant([k[0], k[1], k[2], k[3]]),
    }
}

fn written_and_read(cameras: &CameraPair, name: &str, format: Format) -> CameraPair {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&path, cameras, format).unwrap();
    read(&path, &unsaid()).unwrap()
}

/// The names of cameras are not in OpenCV's and Kalibr's forms.
fn numbers(pair: &CameraPair) -> CameraPair {
    let unnamed = |camera: &Camera| Camera { name: String::new(), ..camera.clone() };
    CameraPair { left: unnamed(&pair.left), right: pair.right.as_ref().map(unnamed) }
}

proptest! {
    #[test]
    fn every_form_gives_back_the_same_bits(
        which in 0usize..4, k in prop::array::uniform8(-0.9f64..0.9), fx in 100.0f64..3000.0, pair in any::<bool>(),
    ) {
        let left = camera(lens(which, k), fx);
        let right = pair.then(|| camera(lens(which, k.map(|k| k * 0.9)), fx * 1.01).with_baseline(0.1234567));
        let cameras = CameraPair { left, right };
        for (name, format) in [
            ("camera.yaml", Format::Ros),
            ("camera.json", Format::Foxglove),
            ("camera.yml", Format::OpenCv),
            ("camera.xml", Format::OpenCv),
        ] {
            let found = written_and_read(&cameras, name, format);
            prop_assert_eq!(numbers(&found), numbers(&cameras), "{}", name);
        }
    }

    #[test]
    fn kalibr_gives_back_lens_intrinsics_and_the_place_of_the_right_camera(
        fisheye in any::<bool>(), k in prop::array::uniform4(-0.05f64..0.05), fx in 400.0f64..900.0,
        turn in prop::array::uniform3(-0.05f64..0.05),
    ) {
        let lens = if fisheye { Distortion::Equidistant(k) } else { Distortion::PlumbBob([k[0], 0.0, k[2] * 0.1, 0.0, 0.0]) };
        let known = Isometry3::new(Vector3::new(-0.2, 0.003, 0.001), Vector3::from(turn));
        let plain = |fx| Camera { rectification: nalgebra::Matrix3::identity(), ..camera(lens, fx) };
        let cameras = crate::rectification::of_pair(plain(fx), plain(fx * 1.1), &known).unwrap();
        let found = written_and_read(&cameras, "chain.yaml", Format::Kalibr);
        let right = (found.right.clone().unwrap(), cameras.right.clone().unwrap());
        prop_assert_eq!((found.left.intrinsics, found.left.distortion), (cameras.left.intrinsics, lens));
        prop_assert_eq!((right.0.intrinsics, right.0.distortion), (right.1.intrinsics, right.1.distortion));
        let place = found.right_from_left().unwrap();
        prop_assert!((place.to_homogeneous() - known.to_homogeneous()).amax() < 1e-12);
        // The rectified focal length is found by bisection, to a ten-thousandth of a pixel.
        prop_assert!((right.0.projection - right.1.projection).amax() < 1e-3);
    }
}

#[test]
fn what_a_form_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.yaml");
    for (lens, says) in [
        (Distortion::PlumbBob([-0.2, 0.1, 0.0, 0.0, 0.03]), "k3"),
        (Distortion::RationalPolynomial([0.1; 8]), "rational_polynomial"),
    ] {
        let cameras = CameraPair { left: camera(lens, 500.0), right: None };
        let error = write(&path, &cameras, Format::Kalibr).unwrap_err();
        assert!(error.to_string().contains(says) && error.hint().unwrap().contains("--format"), "{error}");
        assert!(!path.exists());
    }
}

fn read_text(name: &str, text: &str, unsaid: &Unsaid) -> Result<CameraPair> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    read(&path, unsaid)
}

const KALIBR: &str = "\
cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]
  distortion_model: radtan
  intrinsics: [458.654, 457.296, 367.215, 248.375]
  resolution: [752, 480]
  rostopic: /cam0/image_raw
cam1:
  T_cn_cnm1:
  - [0.9999970, -0.0023160, -0.0007610, -0.1100740]
  - [0.0023120, 0.9999880, -0.0041590, 0.0003990]
  - [0.0007710, 0.0041570, 0.9999910, -0.0008530]
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
fn a_camchain_of_a_pair_becomes_a_rectified_pair() {
    let pair = read_text("chain.yaml", KALIBR, &unsaid()).unwrap();
    assert_eq!(pair.left.distortion, Distortion::PlumbBob([-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05, 0.0]));
    let right = pair.right.unwrap();
    assert!((right.baseline_m().unwrap() - 0.11008).abs() < 1e-4);
    assert_eq!(pair.left.projection[(1, 1)], right.projection[(1, 1)]);
    for (from, to, says) in [
        ("pinhole", "omni", "found omni"),
        ("radtan", "fov", "found fov"),
        ("[0.0, 0.0, 0.0, 1.0]", "[0.0, 0.0, 1.0, 1.0]", "no rotation"),
        ("-0.1100740", "0.1100740", "to the right"),
        ("T_cn_cnm1", "T_cn", "cam1.T_cn is not understood"),
        ("458.654", "-458.654", "cam0: focal lengths"),
        ("intrinsics: [458.654, ", "intrinsics: [", "found 3"),
        ("cam1:", "cam2:\n  x: [", "camchain"),
    ] {
        let error = read_text("chain.yaml", &KALIBR.replacen(from, to, 1), &unsaid()).unwrap_err();
        assert!(error.to_string().contains(says), "{from} -> {to}: {error}");
    }
}

const OPENCV: &str = "%YAML:1.0
---
M1: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 5.3480326845051309e+02, 0., 3.3568643204394891e+02, 0.,
       5.3480326845051309e+02, 2.4066183054066337e+02, 0., 0., 1. ]
D1: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -2.9e-01, 1.0e-01, 0., 0., 0. ]
M2: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 5.3e+02, 0., 3.3e+02, 0., 5.3e+02, 2.4e+02, 0., 0., 1. ]
D2: !!opencv-matrix
   rows: 1
   cols: 14
   dt: d
   data: [ -1.7e-01, -1.1e-01, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0. ]
R: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]
T: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ -83.2, 0., 0. ]
";

#[test]
fn opencv_s_lengths_need_their_unit_and_its_files_their_size() {
    let with = |size, metres_per_unit| Unsaid { size, metres_per_unit, ..unsaid() };
    let size = Some((640, 480));
    let pair = read_text("stereo.yml", OPENCV, &with(size, Some(1e-3))).unwrap();
    assert!((pair.right.unwrap().baseline_m().unwrap() - 0.0832).abs() < 1e-9);
    assert_eq!(pair.left.distortion, Distortion::PlumbBob([-0.29, 0.1, 0.0, 0.0, 0.0]));
    let error = read_text("stereo.yml", OPENCV, &with(size, None)).unwrap_err();
    assert!(error.hint().unwrap().contains("--unit mm"), "{error}");
    let error = read_text("stereo.yml", OPENCV, &with(None, None)).unwrap_err();
    assert!(error.hint().unwrap().contains("--size"), "{error}");
    let prism = OPENCV.replace(
        "0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0. ]",
        "0., 0., 0., 0., 0., 0., 0.1, 0., 0., 0., 0., 0. ]",
    );
    let error = read_text("stereo.yml", &prism, &with(size, Some(1e-3))).unwrap_err();
    assert!(error.to_string().contains("14 coefficients"), "{error}");
    let error = read_text("stereo.yml", &OPENCV.replace("R:", "Rx:"), &with(size, Some(1e-3))).unwrap_err();
    assert!(error.to_string().contains("Rx is not understood"), "{error}");
    let without = OPENCV.split("R: ").next().unwrap();
    let error = read_text("stereo.yml", without, &with(size, Some(1e-3))).unwrap_err();
    assert!(
        error.to_string().contains("expected R with 9") && error.hint().unwrap().contains("--extrinsics"),
        "{error}"
    );
}

#[test]
fn a_file_of_none_of_the_forms_is_refused_by_what_it_lacks() {
    for (name, text, says) in [
        ("a.xml", "<?xml version=\"1.0\"?><opencv_storage><x>1</x></opencv_storage>", "neither camera_matrix nor M1"),
        ("a.xml", "<?xml version=\"1.0\"?><opencv_storage>", "not an OpenCV file"),
        ("a.json", "{\"width\": 640}", "neither camera_matrix nor M1"),
        ("a.json", "{\"width\": 640, \"height\": 480, \"K\": []}", "not a CameraCalibration"),
        ("a.yaml", "hello: world", "neither camera_matrix nor M1"),
        ("a.txt", "hello world", "expected a number"),
        ("a.txt", "", "found 0"),
    ] {
        let error = read_text(name, text, &unsaid()).unwrap_err();
        assert!(error.to_string().contains(says) && error.hint().is_some(), "{name}: {error}");
    }
}

/// OpenCV itself reads what we write, and we read what it writes: with Python's `cv2`, where it is.
#[test]
fn opencv_reads_what_we_write() {
    let Some(python) = std::env::var_os("PARALLAX_PYTHON") else {
        println!("SKIPPED: PARALLAX_PYTHON names no Python");
        return;
    };
    let has = Command::new(&python).args(["-c", "import cv2"]).output().is_ok_and(|output| output.status.success());
    if !has {
        println!("SKIPPED: no OpenCV in {}", python.to_string_lossy());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lens = Distortion::PlumbBob([-0.2, 0.05, 1e-3, -1e-3, 0.01]);
    let cameras = CameraPair { left: camera(lens, 500.0), right: Some(camera(lens, 505.0).with_baseline(0.1)) };
    for name in ["a.yml", "a.xml"] {
        let path = folder.path().join(name);
        let copy = folder.path().join(format!("copy_{name}"));
        write(&path, &cameras, Format::OpenCv).unwrap();
        let script = "import cv2, sys
f = cv2.FileStorage(sys.argv[1], cv2.FILE_STORAGE_READ)
g = cv2.FileStorage(sys.argv[2], cv2.FILE_STORAGE_WRITE)
for n in ['M1', 'D1', 'M2', 'D2', 'R', 'T', 'R1', 'R2', 'P1', 'P2']: g.write(n, f.getNode(n).mat())
for n in ['image_width', 'image_height']: g.write(n, int(f.getNode(n).real()))
g.release()";
        let output = Command::new(&python).arg("-c").arg(script).args([&path, &copy]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(numbers(&read(&copy, &unsaid()).unwrap()), numbers(&cameras), "{name}");
    }
}
