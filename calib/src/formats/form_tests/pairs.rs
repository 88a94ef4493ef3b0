//! Two cameras from one file, from two and from three: never the wrong way round, never in another unit.

use super::*;

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
        &[("joined.yml", files(0.09).2.replace("[-0.09, 0.0, 0.0]", "[0.0, -0.09, 0.0]").split("R1:").next().unwrap())],
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
