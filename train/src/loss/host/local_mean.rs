//! Means over 3×3 pixels with the image reflected at its border, and the adjoint.

const NINTH: f32 = 1.0 / 9.0;

/// `mean[p]` = mean of `plane` around `p`; `rows` is working space. All of one size, at least 2×2.
pub(super) fn local_mean(plane: &[f32], width: usize, rows: &mut Vec<f32>, mean: &mut Vec<f32>) {
    rows.resize(plane.len(), 0.0);
    mean.resize(plane.len(), 0.0);
    for (target, row) in rows.chunks_exact_mut(width).zip(plane.chunks_exact(width)) {
        for (target, window) in target[1..].iter_mut().zip(row.windows(3)) {
            *target = window[0] + window[1] + window[2];
        }
        target[0] = row[0] + 2.0 * row[1];
        target[width - 1] = row[width - 1] + 2.0 * row[width - 2];
    }
    let height = plane.len() / width;
    for (y, target) in mean.chunks_exact_mut(width).enumerate() {
        let above = if y == 0 { 1 } else { y - 1 };
        let below = if y + 1 == height { height - 2 } else { y + 1 };
        let row = |y: usize| &rows[y * width..][..width];
        for (((target, a), b), c) in target.iter_mut().zip(row(above)).zip(row(y)).zip(row(below)) {
            *target = (a + b + c) * NINTH;
        }
    }
}

/// The adjoint of [`local_mean`]: takes a gradient of the means to one of the plane.
pub(super) fn local_mean_adjoint(gradient: &[f32], width: usize, rows: &mut Vec<f32>, plane: &mut Vec<f32>) {
    rows.resize(gradient.len(), 0.0);
    plane.resize(gradient.len(), 0.0);
    for (target, row) in rows.chunks_exact_mut(width).zip(gradient.chunks_exact(width)) {
        for (target, window) in target[1..].iter_mut().zip(row.windows(3)) {
            *target = window[0] + window[1] + window[2];
        }
        target[0] = row[0] + row[1];
        target[width - 1] = row[width - 2] + row[width - 1];
        // The reflected column beyond the border is the second one.
        target[1] += row[0];
        target[width - 2] += row[width - 1];
    }
    let height = gradient.len() / width;
    let row = |y: usize| &rows[y * width..][..width];
    for (y, target) in plane.chunks_exact_mut(width).enumerate() {
        target.copy_from_slice(row(y));
        let mut add = |y: usize| target.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += value);
        if y > 0 {
            add(y - 1);
        }
        if y + 1 < height {
            add(y + 1);
        }
        if y == 1 {
            add(0);
        }
        if y + 2 == height {
            add(height - 1);
        }
        target.iter_mut().for_each(|value| *value *= NINTH);
    }
}
