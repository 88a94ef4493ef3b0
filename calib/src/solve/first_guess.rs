//! A camera and poses near enough to the truth for least squares.
//!
//! Focal lengths from 0.25 to 4 picture widths are tried. For each, pixels become rays as if the lens had no
//! coefficients, each view's homography from the board to the rays gives its pose, and the focal length whose poses
//! explain the corners best is kept. Zhang's closed form adds its own candidate; the sweep alone also serves fisheye
//! lenses, for which there is no closed form.
//!
//! Reference: Zhang, *A flexible new technique for camera calibration*, PAMI 2000, sections 3.1 and appendix C.

use super::least_squares::{Problem, minimise};
use super::lens::Lens;
use super::rig::{Layout, Observation, Rig, RigCamera, Target};
use crate::detect::Homography;
use nalgebra::{Isometry3, Matrix3, Point2, Rotation3, Translation3, UnitQuaternion, Vector3};

/// The focal lengths that are tried, as parts of the picture's width; neighbours differ by a quarter, and least squares
/// converges from twice as far.
const FOCAL_PARTS: [f64; 14] = [0.25, 0.3, 0.37, 0.46, 0.57, 0.7, 0.87, 1.1, 1.35, 1.7, 2.1, 2.6, 3.2, 4.0];
/// Views that take part in the choice; more cost time and change nothing.
const MOST_VIEWS: usize = 24;
/// Candidates that are followed to their minimum.
const FINALISTS: usize = 4;

/// The camera, without the poses; none when no view can be explained.
pub(crate) fn camera(lens: Lens, size: (u32, u32), target: &Target, views: &[Vec<Observation>]) -> Option<Vec<f64>> {
    let step = views.len().div_ceil(MOST_VIEWS).max(1);
    let chosen: Vec<Vec<Observation>> = views.iter().step_by(step).cloned().collect();
    let width = f64::from(size.0.max(size.1));
    let closed_form = (lens != Lens::Equidistant).then(|| zhang_focal(size, target, &chosen)).flatten();
    let focals = FOCAL_PARTS.iter().map(|part| part * width).chain(closed_form);
    let mut candidates: Vec<(f64, Vec<f64>)> = focals
        .filter_map(|focal| {
            let numbers = plain(lens, size, focal);
            let poses: Vec<Isometry3<f64>> =
                chosen.iter().filter_map(|seen| pose(lens, &numbers, target, seen)).collect();
            let cost = median_error(lens, &numbers, target, &chosen)?;
            (2 * poses.len() > chosen.len()).then_some((cost, numbers))
        })
        .collect();
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let refined = candidates.into_iter().take(FINALISTS).filter_map(|(_, numbers)| {
        let numbers = refine(lens, numbers, target, &chosen)?;
        let is_possible = numbers[0] > 0.0 && numbers[1] > 0.0 && lens.camera("", size, &numbers).validate().is_ok();
        Some((is_possible.then(|| median_error(lens, &numbers, target, &chosen))??, numbers))
    });
    refined.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, numbers)| numbers)
}

/// A camera without distortion that looks through the middle of its picture.
fn plain(lens: Lens, size: (u32, u32), focal: f64) -> Vec<f64> {
    let mut numbers = vec![0.0; lens.parameter_count()];
    let center = |length: u32| (f64::from(length) - 1.0) / 2.0;
    numbers[..4].copy_from_slice(&[focal, focal, center(size.0), center(size.1)]);
    numbers
}

/// Focal lengths and the first coefficients free, the rest held: so few unknowns find their way from afar.
fn refine(lens: Lens, numbers: Vec<f64>, target: &Target, views: &[Vec<Observation>]) -> Option<Vec<f64>> {
    let posed: Vec<(Isometry3<f64>, Vec<Observation>)> =
        views.iter().filter_map(|seen| Some((pose(lens, &numbers, target, seen)?, seen.clone()))).collect();
    let (rig_from_board, views): (Vec<_>, Vec<_>) = posed.into_iter().unzip();
    let camera = RigCamera { lens, numbers, camera_from_rig: Isometry3::identity() };
    let mut rig = Rig { cameras: vec![camera], rig_from_board, warp_m: [0.0; 2] };
    let layout = Layout::of(&rig);
    // fx, fy and k1 first, then the principal point and k2 as well.
    for free in [&[0, 1, 4][..], &[0, 1, 2, 3, 4, 5][..]] {
        let is_free: Vec<bool> = (0..layout.count).map(|index| free.contains(&index)).collect();
        let problem = Problem { target, views: &views, is_free: &is_free, linear_beyond_px: 2.0 };
        minimise(&mut rig, &problem)?;
    }
    Some(rig.cameras.remove(0).numbers)
}

/// The median over views of the rms error with each view's best pose.
fn median_error(lens: Lens, numbers: &[f64], target: &Target, views: &[Vec<Observation>]) -> Option<f64> {
    let error = |seen: &Vec<Observation>| {
        let posed = pose(lens, numbers, target, seen)?;
        let camera = RigCamera { lens, numbers: numbers.to_vec(), camera_from_rig: Isometry3::identity() };
        let rig = Rig { cameras: vec![camera], rig_from_board: vec![posed], warp_m: [0.0; 2] };
        let squares: Option<f64> =
            seen.iter().map(|o| Some((o.pixel - rig.pixel(target, 0, 0, o.number)?).norm_squared())).sum();
        Some((squares? / seen.len() as f64).sqrt())
    };
    let mut errors: Vec<f64> = views.iter().map(|seen| error(seen).unwrap_or(f64::INFINITY)).collect();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() / 2).copied().filter(|error| error.is_finite())
}

/// The pose of the board in front of one camera: from the homography of its rays, then refined. Of the two poses that a
/// flat board far away allows (its normal tilted to either side), the better one.
pub(crate) fn pose(lens: Lens, numbers: &[f64], target: &Target, seen: &[Observation]) -> Option<Isometry3<f64>> {
    let camera = lens.camera("", (1, 1), numbers);
    let ray = |o: &Observation| Some((target.on_print(o.number), Point2::from(camera.unproject(o.pixel)?.xy())));
    let pairs: Vec<_> = seen.iter().filter_map(ray).collect();
    if pairs.len() < 6 {
        return None;
    }
    let start = from_homography(&Homography::fit(&pairs)?)?;
    let mut best: Option<(f64, Isometry3<f64>)> = None;
    for start in [start, flipped(&start, target)] {
        if let Some((cost, pose)) = refined_pose(lens, numbers, target, seen, start)
            && best.is_none_or(|(least, _)| cost < least)
        {
            best = Some((cost, pose));
        }
    }
    best.map(|(_, pose)| pose)
}

/// The pose refined with everything else held, and its cost.
fn refined_pose(
    lens: Lens,
    numbers: &[f64],
    target: &Target,
    seen: &[Observation],
    start: Isometry3<f64>,
) -> Option<(f64, Isometry3<f64>)> {
    let camera = RigCamera { lens, numbers: numbers.to_vec(), camera_from_rig: Isometry3::identity() };
    let mut rig = Rig { cameras: vec![camera], rig_from_board: vec![start], warp_m: [0.0; 2] };
    let is_free = vec![false; Layout::of(&rig).count];
    let seen: Vec<Observation> = seen.iter().map(|o| Observation { camera: 0, ..*o }).collect();
    let views = [seen];
    let fit = minimise(&mut rig, &Problem { target, views: &views, is_free: &is_free, linear_beyond_px: 3.0 })?;
    Some((fit.cost, rig.rig_from_board[0]))
}

/// `H = λ [r1 r2 t]` for normalised rays.
fn from_homography(homography: &Homography) -> Option<Isometry3<f64>> {
    let h = homography.0;
    let scale = (h.column(0).norm() * h.column(1).norm()).sqrt();
    // In front of the camera.
    let h = h / if h[(2, 2)] < 0.0 { -scale } else { scale };
    let (r1, r2, t) = (h.column(0).into_owned(), h.column(1).into_owned(), h.column(2).into_owned());
    let nearly = Matrix3::from_columns(&[r1, r2, r1.cross(&r2)]);
    let svd = nearly.svd(true, true);
    let rotation = svd.u? * svd.v_t?;
    let is_rotation = rotation.determinant() > 0.0 && t.iter().all(|value| value.is_finite());
    let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation));
    is_rotation.then(|| Isometry3::from_parts(Translation3::from(t), rotation))
}

/// The pose whose normal is mirrored about the line of sight to the board's middle.
fn flipped(pose: &Isometry3<f64>, target: &Target) -> Isometry3<f64> {
    let middle = target.middle();
    let middle_in_camera = pose * nalgebra::Point3::from(middle);
    let sight = middle_in_camera.coords.normalize();
    let normal = pose.rotation * Vector3::z();
    // The turn by twice the angle from the normal to the line of sight.
    let turn = UnitQuaternion::rotation_between(&normal, &sight).unwrap_or_default();
    let rotation = turn * turn * pose.rotation;
    let translation = middle_in_camera.coords - rotation * middle;
    Isometry3::from_parts(Translation3::from(translation), rotation)
}

/// One focal length from the homographies of all views: with pixels counted from the picture's middle, the two columns
/// of each are at right angles and equally long under diag(w, w, 1), w = 1/f².
fn zhang_focal(size: (u32, u32), target: &Target, views: &[Vec<Observation>]) -> Option<f64> {
    let center = nalgebra::Vector2::new((f64::from(size.0) - 1.0) / 2.0, (f64::from(size.1) - 1.0) / 2.0);
    let (mut top, mut bottom) = (0.0, 0.0);
    for seen in views {
        let pairs: Vec<_> = seen.iter().map(|o| (target.on_print(o.number), o.pixel - center)).collect();
        let Some(Homography(h)) = Homography::fit(&pairs) else { continue };
        let h = h / h.column(0).norm();
        for (a, b) in [
            (h[(0, 0)] * h[(0, 1)] + h[(1, 0)] * h[(1, 1)], h[(2, 0)] * h[(2, 1)]),
            (
                h[(0, 0)].powi(2) + h[(1, 0)].powi(2) - h[(0, 1)].powi(2) - h[(1, 1)].powi(2),
                h[(2, 0)].powi(2) - h[(2, 1)].powi(2),
            ),
        ] {
            top -= a * b;
            bottom += a * a;
        }
    }
    let w = top / bottom;
    let focal = w.sqrt().recip();
    let width = f64::from(size.0.max(size.1));
    (w > 0.0 && (0.2 * width..10.0 * width).contains(&focal)).then_some(focal)
}
