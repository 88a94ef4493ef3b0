//! The focal length and the distortion that the tracks of a window ask for.
//!
//! Bundle adjustment of a few views: poses, one inverse depth per point and two numbers of the lens, found together.
//!
//! ```text
//! ray of a pixel p in the first view      n = undistort((p − c) / (s f)),   distort(m) = m (1 + k |m|²)
//! the same point in view j                X = Rⱼ [n; 1] + ρ tⱼ
//! its pixel there                         c + s f · distort(X.xy / X.z)
//! ```
//!
//! `s` = 1 and `k` = 0 for a camera file that is right and pictures without distortion. The sum of squared errors over
//! 0.3 px, with a Geman-McClure weight, is minimised by Levenberg-Marquardt steps in which the inverse depths are
//! eliminated (Schur complement). What is left of the normal equations for (ln s, k) says how well a window determines
//! them; windows are added up by it.
//!
//! Why several views: from two, the focal length of a wheeled robot is not determined at all, because the optical axes
//! of a camera that drives an arc meet at equal distances from both (Sturm, *On Focal Length Calibration from Two
//! Views*, CVPR 2001). Several views of a turn do determine it (Fitzgibbon, Cross, Zisserman, *Automatic 3D Model
//! Construction for Turn-Table Sequences*, SMILE 1998); straight driving does not, and then the answer is "cannot
//! tell".

mod bundle;
mod lens;

use nalgebra::{Matrix2, Vector2};
use parallax_core::camera::Intrinsics;

use super::windows::Window;
use bundle::Bundle;
use parallax_vision::footage::statistics::median;

/// What is believed before looking: ln s and k are 0 ± 0.5. It keeps a window that says nothing from running away.
const PRIOR_DEVIATION: f64 = 0.5;
/// Errors of neighbouring tracks and views are alike (a drifting corner drifts in all views), so that
/// deviations from counting residuals are too small. The factor is measured: windows of one drive scatter by 2 to 4
/// of them.
const CORRELATION: f64 = 3.0;
/// A window that turns less says nothing about the focal length, and false minima lie near: KITTI's windows that
/// turn by more than 15° agree to 5 %, those that turn by less than 4° to nothing.
const LEAST_TURN_RAD: f64 = 0.1;
/// A window whose points do not fit better than this was followed wrongly, pixels.
const MOST_RESIDUAL_PX: f64 = 1.0;

/// Focal lengths that an adjustment starts from, as ln s: neighbours are apart by a quarter, and from half of the file's to
/// twice it. From one start alone only the nearest minimum is found.
const STARTS: [f64; 7] = [-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75];
/// Minima this near in ln s are one, and as far as they lie apart the window does not tell.
const LEAST_APART: f64 = 0.1;
/// A minimum elsewhere is as good when it fits worse by less than this, in squares of what tracks err: three deviations.
const AS_GOOD: f64 = 9.0;

/// What one or several windows say about the lens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LensEstimate {
    /// ln s and k.
    pub value: Vector2<f64>,
    /// Inverse covariance of them.
    pub information: Matrix2<f64>,
}

impl LensEstimate {
    /// Standard deviations of ln s and k, each with the other unknown.
    #[must_use]
    pub fn deviations(&self) -> [f64; 2] {
        let covariance =
            self.information.try_inverse().unwrap_or_else(|| Matrix2::identity() * PRIOR_DEVIATION.powi(2));
        [covariance[(0, 0)].max(0.0).sqrt(), covariance[(1, 1)].max(0.0).sqrt()]
    }

    /// The same, less certain: `spread` more deviation of ln s, and of k in proportion.
    fn widened(self, spread: f64) -> Self {
        let deviation = self.deviations()[0];
        Self { information: self.information / (1.0 + (spread / deviation).powi(2)), ..self }
    }

    /// ln s and its deviation for a lens that is known to have no distortion: k = 0.
    #[must_use]
    pub fn without_distortion(&self) -> (f64, f64) {
        let [s, sk] = [self.information[(0, 0)], self.information[(0, 1)]];
        (self.value[0] + sk / s * self.value[1], 1.0 / s.sqrt())
    }
}

/// Adds windows up; their deviations grow where they disagree. None of no windows.
#[must_use]
pub fn combine(windows: &[LensEstimate]) -> Option<LensEstimate> {
    let prior = prior();
    let mut information = prior;
    let mut pull = Vector2::zeros();
    for window in windows {
        // Each window held the prior; it counts once.
        information += window.information - prior;
        pull += window.information * window.value;
    }
    let value = information.try_inverse()? * pull;
    let scatter = |window: &LensEstimate| {
        let difference = window.value - value;
        (difference.transpose() * window.information * difference)[0]
    };
    let freedom = 2.0 * (windows.len() as f64 - 1.0);
    let excess = if freedom > 0.0 { windows.iter().map(scatter).sum::<f64>() / freedom } else { 1.0 };
    (!windows.is_empty()).then(|| LensEstimate { value, information: information / excess.max(1.0) })
}

fn prior() -> Matrix2<f64> {
    Matrix2::identity() / (PRIOR_DEVIATION * PRIOR_DEVIATION)
}

/// What a window says; none when it hardly turns, when its points do not fit one rigid scene, or when they fit as well with
/// another focal length.
#[must_use]
pub fn calibrate(window: &Window, intrinsics: &Intrinsics) -> Option<LensEstimate> {
    let minima: Vec<Minimum> =
        STARTS.into_iter().filter_map(|start| Minimum::from(window, intrinsics, start)).collect();
    let best = minima.iter().min_by(|a, b| a.cost.total_cmp(&b.cost))?;
    for minimum in &minima {
        tracing::debug!(
            "frames {:?}: {} points, cost {:.1}, turn {:.3} rad, residual {:.2} px, lens {:.3} {:.3} ± {:.3}",
            window.frames,
            window.views[0].len(),
            minimum.cost,
            minimum.turn_rad,
            minimum.residual_px,
            minimum.ln_scale,
            minimum.estimate.value[0],
            minimum.estimate.deviations()[0],
        );
    }
    // A focal length that came out too short makes the turn too large: it counts as the given one would see it.
    let turn_rad = best.turn_rad * best.ln_scale.exp().min(1.0);
    if best.residual_px > MOST_RESIDUAL_PX || turn_rad < LEAST_TURN_RAD {
        return None;
    }
    let reach = LEAST_APART.max(4.0 * best.estimate.deviations()[0]);
    let is_rival = |other: &Minimum| {
        (other.ln_scale - best.ln_scale).abs() > reach && other.cost - best.cost < AS_GOOD * best.noise.powi(2)
    };
    if minima.iter().any(is_rival) {
        return None;
    }
    let as_good = minima.iter().filter(|other| other.cost - best.cost < AS_GOOD * best.noise.powi(2));
    let spread = as_good.map(|other| (other.ln_scale - best.ln_scale).abs()).fold(0.0, f64::max);
    Some(best.estimate.widened(spread))
}

/// Where an adjustment of a window ended.
struct Minimum {
    estimate: LensEstimate,
    ln_scale: f64,
    cost: f64,
    noise: f64,
    turn_rad: f64,
    residual_px: f64,
}

impl Minimum {
    fn from(window: &Window, intrinsics: &Intrinsics, start: f64) -> Option<Self> {
        let mut bundle = Bundle::start(window, intrinsics, start)?;
        bundle.optimize();
        Some(Self {
            estimate: bundle.estimate()?,
            ln_scale: bundle.lens()[0],
            cost: bundle.cost(),
            noise: bundle.noise()?,
            turn_rad: bundle.turn_rad(),
            residual_px: median(bundle.residuals_px())?,
        })
    }
}

#[cfg(test)]
mod tests;
