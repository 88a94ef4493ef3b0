//! Edge-aware smoothness of one image at one scale, and its gradient.

/// Visits all neighbouring pixels `a`, `b` (side by side, one above the other) with the weight of their difference:
/// `exp(−sharpness · |I(a) − I(b)|)`, the mean over the colours, divided by the number of such pairs.
///
/// `image` is `[3, height, width]`.
pub(super) fn for_each_pair(image: &[f32], width: usize, sharpness: f32, mut visit: impl FnMut(usize, usize, f32)) {
    let (pixels, height) = (image.len() / 3, image.len() / 3 / width);
    let mut pair = |a: usize, b: usize, count: usize| {
        let edge: f32 = (0..3).map(|channel| (image[channel * pixels + a] - image[channel * pixels + b]).abs()).sum();
        visit(a, b, (-sharpness * edge / 3.0).exp() / count as f32);
    };
    for row in 0..height {
        for column in 0..width {
            let at = row * width + column;
            if column + 1 < width {
                pair(at, at + 1, height * (width - 1));
            }
            if row + 1 < height {
                pair(at, at + width, (height - 1) * width);
            }
        }
    }
}

/// −1, 0 or 1: the derivative of the magnitude of a step.
pub(super) fn direction(step: f32) -> f32 {
    f32::from(i8::from(step > 0.0) - i8::from(step < 0.0))
}

/// Adds `weight` times the gradient to `gradient` and returns `weight` times the smoothness.
///
/// `disparity` is `[height, width]`, `image` `[3, height, width]`.
pub(super) fn add(disparity: &[f32], image: &[f32], width: usize, weight: f32, gradient: &mut [f32]) -> f64 {
    let pixels = disparity.len();
    let mean = disparity.iter().sum::<f32>() / pixels as f32 + 1e-7;
    let mut of_normalised = vec![0.0; pixels];
    let mut loss = 0.0;
    for_each_pair(image, width, 1.0, |a, b, share| {
        let step = (disparity[a] - disparity[b]) / mean;
        loss += f64::from(weight * share * step.abs());
        let slope = weight * share * direction(step);
        of_normalised[a] += slope;
        of_normalised[b] -= slope;
    });
    // d* = d / mean(d): the mean takes part of the gradient.
    let through_mean = of_normalised.iter().zip(disparity).map(|(slope, value)| slope * value).sum::<f32>();
    let shared = through_mean / (mean * mean * pixels as f32);
    gradient.iter_mut().zip(of_normalised).for_each(|(sum, slope)| *sum += slope / mean - shared);
    loss
}
