//! Points that can be followed: where brightness changes in two directions.
//!
//! The quality of a pixel is the smaller eigenvalue of its structure tensor Σ ∇I ∇Iᵀ over a 7×7 window, per pixel of
//! the window. The best pixel of each cell of a grid is taken, so that the points cover the picture and not its busiest
//! corner: geometry is only as well determined as its points are spread.
//!
//! Reference: Shi, Tomasi, *Good Features to Track*, CVPR 1994.

use super::lucas_kanade;
use super::pyramid::{Level, Pyramid};

/// Half the window of the structure tensor.
const RADIUS: usize = 3;

/// Least quality, grey levels squared: a gradient of 2 per pixel in the weaker direction, just above the noise of an
/// 8-bit camera (σ 1.5 gives a central difference of σ 1.1).
const LEAST_QUALITY: f32 = 4.0;

/// At most one point per cell of `cell_px × cell_px`, strongest first within its cell; none where there is no texture.
///
/// # Panics
/// `cell_px` is 0.
pub fn corners(pyramid: &Pyramid, cell_px: usize) -> Vec<[f32; 2]> {
    assert!(cell_px > 0, "a cell has a size");
    let level = &pyramid.levels[0];
    let quality = quality(level);
    let (width, height) = (level.width, level.height);
    let mut points = Vec::new();
    for top in (0..height).step_by(cell_px) {
        for left in (0..width).step_by(cell_px) {
            let pixels =
                (top..height.min(top + cell_px)).flat_map(|y| (left..width.min(left + cell_px)).map(move |x| (x, y)));
            let best = pixels.max_by(|a, b| quality[a.1 * width + a.0].total_cmp(&quality[b.1 * width + b.0]));
            if let Some((x, y)) = best
                && quality[y * width + x] >= LEAST_QUALITY
            {
                points.push([x as f32, y as f32]);
            }
        }
    }
    points
}

/// The smaller eigenvalue of the mean structure tensor around each pixel; 0 along the border, where a
/// tracking window would be cut.
fn quality(level: &Level) -> Vec<f32> {
    let (width, height) = (level.width, level.height);
    let mut tensors = vec![[0.0_f32; 3]; width * height];
    for y in 0..height {
        for x in 0..width {
            let (column, row) = (x as isize, y as isize);
            let across = 0.5 * (level.at(column + 1, row) - level.at(column - 1, row));
            let down = 0.5 * (level.at(column, row + 1) - level.at(column, row - 1));
            tensors[y * width + x] = [across * across, across * down, down * down];
        }
    }
    let sums = window_sums(&tensors, width, height);
    let area = ((2 * RADIUS + 1) * (2 * RADIUS + 1)) as f32;
    let inside = |x: usize, y: usize| {
        let margin = lucas_kanade::RADIUS;
        x >= margin && y >= margin && x + margin < width && y + margin < height
    };
    let smaller = |index: usize| {
        if !inside(index % width, index / width) {
            return 0.0;
        }
        let [xx, xy, yy] = sums[index].map(|sum| sum / area);
        0.5 * (xx + yy - ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt())
    };
    (0..width * height).map(smaller).collect()
}

/// Sums over the window around each pixel; along the border over the part of it that is there.
fn window_sums(tensors: &[[f32; 3]], width: usize, height: usize) -> Vec<[f32; 3]> {
    let add = |sum: &mut [f32; 3], value: &[f32; 3]| (0..3).for_each(|part| sum[part] += value[part]);
    let mut across = vec![[0.0; 3]; tensors.len()];
    for (sums, row) in across.chunks_exact_mut(width).zip(tensors.chunks_exact(width)) {
        for (x, sum) in sums.iter_mut().enumerate() {
            let window = &row[x.saturating_sub(RADIUS)..(x + RADIUS + 1).min(width)];
            window.iter().for_each(|value| add(sum, value));
        }
    }
    let mut sums = vec![[0.0; 3]; tensors.len()];
    for (y, line) in sums.chunks_exact_mut(width).enumerate() {
        for row in y.saturating_sub(RADIUS)..(y + RADIUS + 1).min(height) {
            line.iter_mut().zip(&across[row * width..]).for_each(|(sum, value)| add(sum, value));
        }
    }
    sums
}
