//! The range term of one image at one scale, and its gradient: [`crate::loss::range`] in a loop.

/// Adds the gradient to that of the inverse depth and returns the loss; `share` is weight over scales and measured pixels.
///
/// `measured` holds depth units, 0 where nothing was measured.
pub(super) fn add(inverse_depth: &[f32], measured: &[f32], share: f32, gradient: &mut [f32]) -> f64 {
    let mut sum = 0.0;
    for ((q, measured), gradient) in inverse_depth.iter().zip(measured).zip(gradient) {
        if *measured > 0.0 {
            let depth = q.recip();
            sum += f64::from((depth - measured).abs());
            // ∂depth/∂q = −depth²
            let sign = f32::from(i8::from(depth > *measured) - i8::from(depth < *measured));
            *gradient -= sign * share * depth * depth;
        }
    }
    sum * f64::from(share)
}
