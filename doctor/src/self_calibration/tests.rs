use super::lens::projected;
use super::*;
use nalgebra::{Rotation3, Vector3};

const K: Intrinsics = Intrinsics { fx: 320.0, fy: 320.0, cx: 255.5, cy: 95.5 };

/// What a camera sees that drives an arc of `turn_rad` in seven steps, its axis along the path, among points that
/// stand; to within 0.1 px.
fn drive(turn_rad: f64, lens: Vector2<f64>) -> Window {
    let at = |part: f64| {
        let heading = turn_rad * part;
        let radius = if turn_rad == 0.0 { 0.0 } else { 6.0 / turn_rad };
        let along = if turn_rad == 0.0 { 6.0 * part } else { radius * heading.sin() };
        let centre = Vector3::new(radius * (1.0 - heading.cos()), 0.0, along);
        (Rotation3::from_axis_angle(&Vector3::y_axis(), heading).inverse(), centre)
    };
    // An even spread that does not repeat: multiples of irrational numbers.
    let spread = |index: usize, step: f64| (index as f64 * step).fract();
    let points: Vec<Vector3<f64>> = (0..400)
        .map(|index| {
            let depth = 8.0 + 30.0 * spread(index, 0.618);
            let (across, down) = (spread(index, 0.414) * 2.4 - 1.0, spread(index, 0.732) * 0.5 - 0.25);
            Vector3::new(across * depth, down * depth, depth)
        })
        .collect();
    let mut views = vec![Vec::new(); 8];
    for (number, point) in points.iter().enumerate() {
        let seen: Vec<[f32; 2]> = (0..8)
            .filter_map(|view| {
                let (rotation, centre) = at(view as f64 / 7.0);
                let place = rotation * (point - centre);
                let noise = |step: f64| 0.2 * (spread(number * 8 + view, step) - 0.5);
                let pixel = projected(&place, &K, lens) + Vector2::new(noise(0.236), noise(0.645));
                let inside = (0.0..511.0).contains(&pixel.x) && (0.0..191.0).contains(&pixel.y) && place.z > 1.0;
                inside.then_some([pixel.x as f32, pixel.y as f32])
            })
            .collect();
        if seen.len() == 8 {
            views.iter_mut().zip(seen).for_each(|(view, pixel)| view.push(pixel));
        }
    }
    Window { frames: [0, 7], views }
}

#[test]
fn a_focal_length_wrong_by_a_fifth_is_found_on_an_arc() {
    for scale in [1.0_f64, 1.25, 0.8] {
        let window = drive(0.5, Vector2::new(scale.ln(), 0.0));
        assert!(window.views[0].len() > 50, "{} points", window.views[0].len());
        let (found, deviation) = calibrate(&window, &K).unwrap().without_distortion();
        assert!((found - scale.ln()).abs() < 0.04 && deviation < 0.06, "{} ± {deviation} for {scale}", found.exp());
    }
}

#[test]
fn distortion_left_in_is_found_and_told_from_a_wrong_focal_length() {
    let found = calibrate(&drive(0.5, Vector2::new(0.0, -0.12)), &K).unwrap();
    let deviations = found.deviations();
    assert!((found.value[1] + 0.12).abs() < 0.03 && deviations[1] < 0.04, "{found:?}");
    assert!(found.value[0].abs() < 0.05, "{found:?}");
}

#[test]
fn straight_driving_says_nothing() {
    assert_eq!(calibrate(&drive(0.0, Vector2::zeros()), &K), None);
}

#[test]
fn windows_that_disagree_make_each_other_less_certain() {
    let window = |value: f64| LensEstimate {
        value: Vector2::new(value, 0.0),
        information: Matrix2::new(2500.0, 0.0, 0.0, 2500.0) + prior(),
    };
    let agreed = combine(&[window(0.1), window(0.1)]).unwrap();
    let torn = combine(&[window(0.3), window(-0.1)]).unwrap();
    assert!((agreed.value[0] - 0.1).abs() < 1e-3 && (torn.value[0] - 0.1).abs() < 1e-3);
    assert!(torn.deviations()[0] > 3.0 * agreed.deviations()[0]);
    assert_eq!(combine(&[]), None);
}
