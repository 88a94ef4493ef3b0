//! Two cameras as a rectified pair: on which side the right one is, and how far.
//!
//! ROS keeps the distance in `P[0,3] = -fx' · x`, with x the camera's place to the right of the pair's origin. The origin
//! is the left camera as a rule; where it is a third one (KITTI in ROS), both have such a number and the baseline is their
//! difference.

use super::Camera;

/// Shortest baseline that is believed, metres: endoscopes have 4 mm. Below, metres were divided by 1000 once too often.
pub const SHORTEST_BASELINE_M: f64 = 1e-3;
/// Longest baseline that is believed, metres. Above, lengths are in millimetres: boards have squares of 20 to 100.
pub const LONGEST_BASELINE_M: f64 = 20.0;
/// Part of the baseline by which a rectified pair's cameras may lie above each other. KITTI's lie 0.3 % apart.
const MOST_ASIDE: f64 = 0.05;

/// The distance of two cameras in metres, the second one to the right of the first.
///
/// # Errors
/// What is wrong: the second camera says no place, is to the left of the first or above it, or so far or near that the unit
/// of its file must be another one.
pub fn baseline_of_pair(left: &Camera, right: &Camera) -> Result<f64, String> {
    let place = |camera: &Camera| -camera.projection[(0, 3)] / camera.projection[(0, 0)];
    let height = |camera: &Camera| -camera.projection[(1, 3)] / camera.projection[(1, 1)];
    let (baseline_m, down_m) = (place(right) - place(left), height(right) - height(left));
    if down_m.abs() > MOST_ASIDE * baseline_m.abs() && down_m.abs() > SHORTEST_BASELINE_M {
        return Err(format!(
            "the cameras of a pair must lie side by side, the second one is {baseline_m:.4} m to the right of the first and \
             {down_m:.4} m below it"
        ));
    }
    if baseline_m == 0.0 {
        return Err("the right camera's P holds no baseline".into());
    }
    if baseline_m < 0.0 {
        return Err(format!(
            "the right camera's P puts it {:.4} m to the left of the left one: the cameras are swapped, or their distance has \
             the wrong sign",
            -baseline_m
        ));
    }
    if !(SHORTEST_BASELINE_M..=LONGEST_BASELINE_M).contains(&baseline_m) {
        return Err(format!("a baseline of {baseline_m} m is not believed: was it in another unit than metres?"));
    }
    Ok(baseline_m)
}

#[cfg(test)]
mod tests {
    use super::super::Intrinsics;
    use super::*;

    fn at(place: f64) -> Camera {
        Camera::pinhole("c", 640, 480, Intrinsics { fx: 500.0, fy: 500.0, cx: 320.0, cy: 240.0 }).with_baseline(place)
    }

    #[test]
    fn the_baseline_is_what_lies_between_the_places_of_both() {
        assert!((baseline_of_pair(&at(0.0), &at(0.12)).unwrap() - 0.12).abs() < 1e-12);
        // KITTI's colour cameras, whose origin is the left gray one.
        assert!((baseline_of_pair(&at(-0.0597), &at(0.4729)).unwrap() - 0.5326).abs() < 1e-12);
    }

    #[test]
    fn swapped_eyes_other_units_and_cameras_above_each_other_are_named() {
        for (left, right, says) in [
            (at(0.0), at(-0.09), "0.0900 m to the left"),
            (at(0.12), at(0.0), "to the left"),
            (at(0.0), at(83.2), "another unit"),
            (at(0.0), at(8.32e-5), "another unit"),
            (at(0.0), at(0.0), "no baseline"),
        ] {
            let error = baseline_of_pair(&left, &right).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let mut above = at(0.001);
        above.projection[(1, 3)] = -60.0;
        assert!(baseline_of_pair(&at(0.0), &above).unwrap_err().contains("side by side"));
    }
}
