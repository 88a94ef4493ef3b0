//! KITTI's calibration files, of which the rectified cameras are read.
//!
//! `calib.txt` (odometry) has lines `P0:` to `P3:`, `calib_cam_to_cam.txt` (raw) `P_rect_00:` to `P_rect_03:` and the
//! rectified size in `S_rect_00:` and so on. Each P is a 3×4 projection from camera 0's frame; P(0,3) = −fx·b with b
//! the distance from camera 0, so the baseline of a pair is (P_left(0,3) − P_right(0,3)) / fx. Cameras 0 and 1 are gray,
//! 2 and 3 colour; the even one is the left.
//!
//! Reference: Geiger et al., *Vision meets Robotics: The KITTI Dataset*, IJRR 2013.

use crate::CameraPair;
use parallax_core::camera::Intrinsics;
use parallax_core::{Error, Result};
use std::path::Path;

/// Which of KITTI's two stereo pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pair {
    /// Cameras 2 and 3.
    #[default]
    Color,
    /// Cameras 0 and 1.
    Gray,
}

pub(crate) fn parse(text: &str, path: &Path, size: Option<(u32, u32)>, pair: Pair) -> Result<CameraPair> {
    let malformed = |what: String, hint: &'static str| Error::Malformed { what, path: path.to_path_buf(), hint };
    let [left, right] = match pair {
        Pair::Gray => [0, 1],
        Pair::Color => [2, 3],
    };
    let projection = |camera: u32| -> Result<[f64; 12]> {
        let numbers = numbers_of(text, &[&format!("P{camera}:"), &format!("P_rect_0{camera}:")]);
        numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| {
            let what = format!("expected a line P{camera} or P_rect_0{camera} with 12 numbers");
            malformed(what, "give KITTI's calib.txt or calib_cam_to_cam.txt as distributed")
        })
    };
    let (p_left, p_right) = (projection(left)?, projection(right)?);
    let size_in_file = numbers_of(text, &[&format!("S_rect_0{left}:")]).and_then(|numbers| match numbers[..] {
        [width, height] => Some((width as u32, height as u32)),
        _ => None,
    });
    let size = crate::check_size(size_in_file, size, path)?;
    let intrinsics = Intrinsics { fx: p_left[0], fy: p_left[5], cx: p_left[2], cy: p_left[6] };
    CameraPair::pinhole(intrinsics, size, Some((p_left[3] - p_right[3]) / p_left[0]))
}

/// The numbers of the first line that starts with one of `keys`; none when there is no such line or a word is no number.
fn numbers_of(text: &str, keys: &[&str]) -> Option<Vec<f64>> {
    let rest = text.lines().find_map(|line| keys.iter().find_map(|key| line.strip_prefix(key)))?;
    rest.split_whitespace().map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODOMETRY: &str = "\
P0: 7.188560e+02 0 6.071928e+02 0 0 7.188560e+02 1.852157e+02 0 0 0 1 0
P1: 7.188560e+02 0 6.071928e+02 -3.861448e+02 0 7.188560e+02 1.852157e+02 0 0 0 1 0
P2: 7.188560e+02 0 6.071928e+02 4.538225e+01 0 7.188560e+02 1.852157e+02 -1.130887e-01 0 0 1 3.779761e-03
P3: 7.188560e+02 0 6.071928e+02 -3.372877e+02 0 7.188560e+02 1.852157e+02 2.369057e+00 0 0 1 4.915215e-03
";

    fn read(text: &str, size: Option<(u32, u32)>, pair: Pair) -> Result<CameraPair> {
        parse(text, Path::new("calib.txt"), size, pair)
    }

    #[test]
    fn both_pairs_of_the_odometry_set_have_their_published_baselines() {
        for (pair, baseline) in [(Pair::Gray, 0.5372), (Pair::Color, 0.5323)] {
            let cameras = read(ODOMETRY, Some((1241, 376)), pair).unwrap();
            let found = cameras.right.unwrap().baseline_m().unwrap();
            assert!((found - baseline).abs() < 1e-4, "{found}");
            assert_eq!(cameras.left.intrinsics, Intrinsics { fx: 718.856, fy: 718.856, cx: 607.1928, cy: 185.2157 });
        }
    }

    #[test]
    fn the_size_in_the_file_is_taken_and_another_one_refused() {
        let raw =
            ODOMETRY.replace("P2:", "S_rect_02: 1.242000e+03 3.750000e+02\nP_rect_02:").replace("P3:", "P_rect_03:");
        let cameras = read(&raw, None, Pair::Color).unwrap();
        assert_eq!((cameras.left.width, cameras.left.height), (1242, 375));
        let error = read(&raw, Some((640, 192)), Pair::Color).unwrap_err();
        assert!(error.to_string().contains("belong to 1242x375 pictures, got 640x192"), "{error}");
        assert!(error.hint().unwrap().contains("--resize"));
    }

    #[test]
    fn a_missing_line_or_size_is_named() {
        let error = read("P0: 1 2 3", Some((9, 9)), Pair::Color).unwrap_err().to_string();
        assert!(error.contains("P2 or P_rect_02") && error.contains("calib.txt"), "{error}");
        assert!(read(ODOMETRY, None, Pair::Color).unwrap_err().hint().unwrap().contains("--size"));
    }
}
