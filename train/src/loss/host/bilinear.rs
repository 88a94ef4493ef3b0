//! Bilinear enlargement by a whole factor, as [`crate::geometry::upsample`] does it, and its adjoint.

/// For each place along an enlarged line: the two places it is mixed from, and the weight of the second.
fn mixture(size: usize, factor: usize) -> Vec<(usize, usize, f32)> {
    (0..size * factor)
        .map(|place| {
            let (base, phase) = (place / factor, place % factor);
            let offset = (phase as f32 + 0.5) / factor as f32 - 0.5;
            let neighbour = if offset < 0.0 { base.saturating_sub(1) } else { (base + 1).min(size - 1) };
            (base, neighbour, offset.abs())
        })
        .collect()
}

/// Enlarges a map of `width` columns.
pub(super) fn enlarge(map: &[f32], width: usize, factor: usize) -> Vec<f32> {
    if factor == 1 {
        return map.to_vec();
    }
    let (columns, rows) = (mixture(width, factor), mixture(map.len() / width, factor));
    let wide: Vec<f32> = map
        .chunks_exact(width)
        .flat_map(|row| columns.iter().map(move |(a, b, weight)| row[*a] * (1.0 - weight) + row[*b] * weight))
        .collect();
    let width = width * factor;
    let mut large = vec![0.0; wide.len() * factor];
    for (target, (a, b, weight)) in large.chunks_exact_mut(width).zip(rows) {
        let (first, second) = (&wide[a * width..][..width], &wide[b * width..][..width]);
        for ((target, first), second) in target.iter_mut().zip(first).zip(second) {
            *target = first * (1.0 - weight) + second * weight;
        }
    }
    large
}

/// The adjoint of [`enlarge`]: takes a gradient of the enlarged map to one of the map of `width` columns.
pub(super) fn enlarge_adjoint(gradient: &[f32], width: usize, factor: usize) -> Vec<f32> {
    if factor == 1 {
        return gradient.to_vec();
    }
    let large_width = width * factor;
    let height = gradient.len() / large_width / factor;
    let (columns, rows) = (mixture(width, factor), mixture(height, factor));
    let mut wide = vec![0.0; height * large_width];
    for (source, (a, b, weight)) in gradient.chunks_exact(large_width).zip(rows) {
        for (row, weight) in [(a, 1.0 - weight), (b, weight)] {
            wide[row * large_width..][..large_width]
                .iter_mut()
                .zip(source)
                .for_each(|(sum, value)| *sum += weight * value);
        }
    }
    let mut small = vec![0.0; height * width];
    for (target, source) in small.chunks_exact_mut(width).zip(wide.chunks_exact(large_width)) {
        for (value, (a, b, weight)) in source.iter().zip(&columns) {
            target[*a] += (1.0 - weight) * value;
            target[*b] += weight * value;
        }
    }
    small
}
