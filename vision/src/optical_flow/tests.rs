use super::*;
use nalgebra::{Rotation3, Vector3};
use parallax_core::camera::Intrinsics;

const WIDTH: usize = 160;
const HEIGHT: usize = 96;

/// Smooth texture without repetition, its value at any place.
fn texture(x: f64, y: f64) -> f64 {
    let wave = |fx: f64, fy: f64, phase: f64| (fx * x + fy * y + phase).sin();
    128.0
        + 30.0 * wave(0.31, 0.12, 0.0)
        + 30.0 * wave(-0.17, 0.29, 1.0)
        + 25.0 * wave(0.05, 0.41, 2.0)
        + 25.0 * wave(0.53, -0.23, 0.5)
}

fn picture(value: impl Fn(f64, f64) -> f64) -> Pyramid {
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x as f64, y as f64)));
    let values = pixels.map(|(x, y)| value(x, y) as f32).collect();
    Pyramid::new(&GrayPicture { width: WIDTH, height: HEIGHT, values })
}

fn intrinsics() -> Intrinsics {
    Intrinsics { fx: 110.0, fy: 108.0, cx: 79.0, cy: 48.5 }
}

#[test]
fn a_shifted_picture_moves_every_corner_by_the_shift() {
    // Motion beyond half a wave has more than one answer, so a larger one needs longer waves.
    for (longer, shift) in [(1.0, [0.3, -0.2]), (1.0, [5.4, 2.1]), (2.5, [-12.5, 5.9])] {
        let first = picture(|x, y| texture(x / longer, y / longer));
        let second = picture(|x, y| texture((x - shift[0]) / longer, (y - shift[1]) / longer));
        let points = corners(&first, 16);
        assert!(points.len() > 30, "{} corners", points.len());
        let tracks = track_both_ways(&first, &second, &points);
        // The largest shift takes a quarter of the corners out of the picture.
        assert!(tracks.len() > points.len() / 3, "{} of {} followed", tracks.len(), points.len());
        let inside = |track: &Track| {
            (8.0..WIDTH as f32 - 8.0).contains(&track.to[0]) && (8.0..HEIGHT as f32 - 8.0).contains(&track.to[1])
        };
        let seen: Vec<Track> = tracks.into_iter().filter(inside).collect();
        let is_right = |track: &&Track| {
            let [x, y] = track.flow();
            (f64::from(x) - shift[0]).hypot(f64::from(y) - shift[1]) < 0.05
        };
        let right = seen.iter().filter(is_right).count();
        assert!(10 * right >= 9 * seen.len() && right > 10, "{right} of {} moved by {shift:?}", seen.len());
    }
}

#[test]
fn brighter_is_not_moved() {
    let first = picture(texture);
    let second = picture(|x, y| texture(x, y) + 25.0);
    let points = corners(&first, 16);
    let tracks = track_both_ways(&first, &second, &points);
    assert_eq!(tracks.len(), points.len());
    assert!(tracks.iter().all(|track| track.length_px() < 0.01));
}

#[test]
fn nothing_is_followed_where_nothing_is_seen() {
    assert!(corners(&picture(|_, _| 90.0), 16).is_empty());
    // An edge slides along itself.
    assert!(corners(&picture(|x, _| if x < 80.0 { 20.0 } else { 220.0 }), 16).is_empty());
    let edge = picture(|x, _| 128.0 + 50.0 * (0.3 * x).sin());
    assert!(track(&edge, &edge, &[[50.0, 50.0]])[0].is_none());
}

#[test]
fn what_is_hidden_in_the_second_picture_is_dropped() {
    let first = picture(texture);
    let second = picture(|x, y| if x < 80.0 { texture(x, y) } else { texture(1.7 * y + 300.0, x) });
    let tracks = track_both_ways(&first, &second, &corners(&first, 16));
    let wrong = tracks.iter().filter(|track| track.from[0] > 90.0).count();
    let right = tracks.iter().filter(|track| track.from[0] < 70.0).count();
    assert!(right > 15 && wrong < right / 3, "{right} seen and {wrong} hidden corners followed");
}

fn turned(rotation: &Rotation3<f64>, depth: impl Fn(f64, f64) -> f64, shift: Vector3<f64>) -> Vec<Track> {
    let k = intrinsics();
    let places =
        (0..12).flat_map(|column| (0..8).map(move |row| [10.0 + 12.0 * column as f64, 6.0 + 12.0 * row as f64]));
    let tracks = places.enumerate().map(|(index, [x, y])| {
        let z = depth(x, y);
        let point = rotation * (Vector3::new((x - k.cx) / k.fx, (y - k.cy) / k.fy, 1.0) * z) + shift;
        let to = [k.fx * point.x / point.z + k.cx, k.fy * point.y / point.z + k.cy];
        Track { index, from: [x as f32, y as f32], to: to.map(|part| part as f32) }
    });
    tracks.collect()
}

#[test]
fn a_turn_on_the_spot_has_no_parallax() {
    let rotation = Rotation3::from_euler_angles(0.05, -0.2, 0.08);
    let tracks = turned(&rotation, |x, _| 1.0 + x, Vector3::zeros());
    let fit = RotationFit::new(&tracks, &intrinsics()).unwrap();
    assert!(fit.second_from_first.angle_to(&rotation) < 1e-5);
    assert!(fit.parallax_px().all(|left| left < 1e-3));
}

#[test]
fn a_step_sideways_leaves_the_parallax_of_what_is_near() {
    // Two thirds are far away; the rest, at 2 m, moves by fx · 0.1 / 2 = 5.5 px.
    let depth = |x: f64, _: f64| if x > 95.0 { 2.0 } else { 1e4 };
    let rotation = Rotation3::from_euler_angles(0.0, 0.03, 0.0);
    let tracks = turned(&rotation, depth, Vector3::new(0.1, 0.0, 0.0));
    let fit = RotationFit::new(&tracks, &intrinsics()).unwrap();
    assert!(fit.second_from_first.angle_to(&rotation) < 2e-3, "{}", fit.second_from_first.angle_to(&rotation));
    for (track, left) in tracks.iter().zip(fit.parallax_px()) {
        let expected = if track.from[0] > 95.0 { 5.5 } else { 0.0 };
        assert!((left - expected).abs() < 0.5, "{left} px at {:?}", track.from);
    }
}
