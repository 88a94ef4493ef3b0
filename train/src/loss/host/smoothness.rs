//! Edge-aware smoothness of one image at one scale, and its gradient.

/// Adds `weight` times the gradient to `gradient` and returns `weight` times the smoothness.
///
/// `disparity` is `[height, width]`, `image` `[3, height, width]`.
pub(super) fn add(disparity: &[f32], image: &[f32], width: usize, weight: f32, gradient: &mut [f32]) -> f64 {
    let (pixels, height) = (disparity.len(), disparity.len() / width);
    let mean = disparity.iter().sum::<f32>() / pixels as f32 + 1e-7;
    let mut of_normalised = vec![0.0; pixels];
    let mut loss = 0.0;
    let mut pair = |a: usize, b: usize, count: usize| {
        let edge: f32 = (0..3).map(|channel| (image[channel * pixels + a] - image[channel * pixels + b]).abs()).sum();
        let scale = weight * (-edge / 3.0).exp() / count as f32;
        let step = (disparity[a] - disparity[b]) / mean;
        loss += f64::from(scale * step.abs());
        let slope = scale * f32::from(i8::from(step > 0.0) - i8::from(step < 0.0));
        of_normalised[a] += slope;
        of_normalised[b] -= slope;
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
    // d* = d / mean(d): the mean takes part of the gradient.
    let through_mean = of_normalised.iter().zip(disparity).map(|(slope, value)| slope * value).sum::<f32>();
    let shared = through_mean / (mean * mean * pixels as f32);
    gradient.iter_mut().zip(of_normalised).for_each(|(sum, slope)| *sum += slope / mean - shared);
    loss
}
