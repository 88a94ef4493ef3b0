//! Corners and views that do not belong: found with a robust scale, named with their reason.
//!
//! The scale is the median absolute error of a coordinate times 1.4826, the standard deviation if errors are normal.

use super::rig::{Observation, Rig, Target};
use nalgebra::Vector2;

/// A corner is left out when its error is this many standard deviations. Of a thousand corners with normal errors one in
/// 270 such sets has one: exp(-5²/2) · 1000.
const CORNER_SIGMAS: f64 = 5.0;
/// Below this no corner is an outlier: detectors are not better than that, and rendered pictures have no noise.
const CORNER_LEAST_PX: f64 = 0.1;
/// A view is left out when its rms is this many times the median view's. In real sets, far and near views differ by two.
const VIEW_FACTOR: f64 = 4.0;
/// Or when more than this part of its corners are outliers.
const VIEW_PART: f64 = 0.3;

/// Robust standard deviation of one coordinate; none without errors.
pub(crate) fn robust_sigma(errors: impl Iterator<Item = Vector2<f64>>) -> Option<f64> {
    let mut sizes: Vec<f64> = errors.flat_map(|error| [error.x.abs(), error.y.abs()]).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() / 2).map(|median| 1.4826 * median)
}

/// The error of a corner, seen minus expected; none behind the camera.
pub(crate) fn error(rig: &Rig, target: &Target, view: usize, seen: &Observation) -> Option<Vector2<f64>> {
    Some(seen.pixel - rig.pixel(target, view, seen.camera, seen.number)?)
}

/// The largest error that a corner may have.
pub(crate) fn corner_limit_px(sigma_px: f64) -> f64 {
    (CORNER_SIGMAS * sigma_px).max(CORNER_LEAST_PX)
}

/// What is wrong with a view as a whole, if anything is; `errors` are those of all its corners.
pub(crate) fn view_fault(errors: &[Option<Vector2<f64>>], limit_px: f64, median_rms_px: f64) -> Option<String> {
    let behind = errors.iter().filter(|error| error.is_none()).count();
    if behind > 0 {
        return Some("the board does not fit in front of the camera".to_owned());
    }
    let sizes: Vec<f64> = errors.iter().flatten().map(nalgebra::Matrix::norm).collect();
    let far = sizes.iter().filter(|&&size| size > limit_px).count();
    let rms = (sizes.iter().map(|size| size * size).sum::<f64>() / sizes.len().max(1) as f64).sqrt();
    let cause = "the board moved or bent, the picture is blurred, or it is another camera's";
    if far as f64 > VIEW_PART * sizes.len() as f64 {
        let whole = sizes.len();
        return Some(format!("{far} of its {whole} corners are more than {limit_px:.2} px off: {cause}"));
    }
    // The corners that are left out on their own do not count against the view.
    let near: Vec<f64> = sizes.iter().copied().filter(|&size| size <= limit_px).collect();
    let near_rms = (near.iter().map(|size| size * size).sum::<f64>() / near.len().max(1) as f64).sqrt();
    (near_rms > VIEW_FACTOR * median_rms_px && near_rms > CORNER_LEAST_PX)
        .then(|| format!("its rms of {rms:.2} px is {:.0} times the other views': {cause}", rms / median_rms_px))
}
