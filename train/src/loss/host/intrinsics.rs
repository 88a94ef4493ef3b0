//! The gradient of the loss to a camera's intrinsics, from that of a motion.
//!
//! A pixel's ray is `r = ((u − cx) / fx, (v − cy) / fy, 1)`, its point in the source camera `p = R r + q t`, and it is seen at
//! `u' = fx · x / z + cx`. So fx and cx act through the ray and through the projection:
//!
//! ```text
//! ∂L/∂fx = 1/fx · ( Σ ∂L/∂x · x  −  Σ ∂L/∂p · R₀ rx )        ∂L/∂cx = 1/fx · ( Σ ∂L/∂x · z  −  Σ ∂L/∂p · R₀ )
//! ```
//!
//! with `R₀` the first column of R, and alike for fy and cy with `y` and the second column. `Σ ∂L/∂p rᵀ` and `Σ ∂L/∂p q` are
//! the entries of the motion's gradient G, and x and z are linear in r and q: every sum over pixels that is needed is in G
//! already, and the intrinsics cost nothing.

use parallax_core::camera::Intrinsics;

use super::Motion;

/// Gradient to `fx, fy, cx, cy` of what has the gradient `gradient` to the motion.
///
/// The two parts of each sum nearly cancel (without rotation and sideways motion they do so exactly: such a motion says
/// nothing about the focal length), so the sums are taken in f64.
pub(super) fn gradient(intrinsics: &Intrinsics, motion: &Motion, gradient: &[f64; 12]) -> [f64; 4] {
    // Σ ∂L/∂p[of] · p[along] over pixels: row `along` of [R | t] times row `of` of G.
    let projected = |of: usize, along: usize| -> f64 {
        (0..4).map(|j| f64::from(motion[4 * along + j]) * gradient[4 * of + j]).sum()
    };
    // Σ ∂L/∂p · R[column] · (ray's entry `by`) over pixels.
    let through_ray = |column: usize, by: usize| -> f64 {
        (0..3).map(|row| f64::from(motion[4 * row + column]) * gradient[4 * row + by]).sum()
    };
    [
        (projected(0, 0) - through_ray(0, 0)) / intrinsics.fx,
        (projected(1, 1) - through_ray(1, 1)) / intrinsics.fy,
        (projected(0, 2) - through_ray(0, 2)) / intrinsics.fx,
        (projected(1, 2) - through_ray(1, 2)) / intrinsics.fy,
    ]
}
