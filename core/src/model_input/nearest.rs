//! Resizing of what must not be mixed: label maps, masks and depth.

/// Nearest neighbour with pixel centres at half: target x reads source `⌊(x + ½) · source / target⌋`.
/// For label maps, masks and depth, whose values must not be mixed. For many pictures keep a [`NearestResizer`].
///
/// # Panics
/// When `values` is not of the source's size.
pub fn resize_nearest<T: Copy>(values: &[T], source: (u32, u32), target: (u32, u32)) -> Vec<T> {
    let mut resized = Vec::new();
    NearestResizer::default().resize_into(values, source, target, &mut resized);
    resized
}

/// [`resize_nearest`] with its table and the caller's memory kept: nothing is allocated once the sizes are known.
#[derive(Clone, Debug, Default)]
pub struct NearestResizer {
    widths: (u32, u32),
    /// The source column of each target column.
    columns: Vec<usize>,
}

impl NearestResizer {
    /// `values`, which fill `source`, at the size `target`.
    ///
    /// # Panics
    /// When `values` is not of the source's size.
    pub fn resize_into<T: Copy>(&mut self, values: &[T], source: (u32, u32), target: (u32, u32), resized: &mut Vec<T>) {
        assert_eq!(values.len(), source.0 as usize * source.1 as usize, "values fill the source");
        resized.clear();
        if source == target {
            resized.extend_from_slice(values);
            return;
        }
        let place = |at: u32, source: u32, target: u32| {
            ((2 * u64::from(at) + 1) * u64::from(source) / (2 * u64::from(target))) as usize
        };
        if self.widths != (source.0, target.0) {
            self.widths = (source.0, target.0);
            self.columns.clear();
            self.columns.extend((0..target.0).map(|x| place(x, source.0, target.0)));
        }
        let (from_width, width) = (source.0 as usize, target.0 as usize);
        let mut last = None;
        for y in 0..target.1 {
            let row = place(y, source.1, target.1);
            if last.replace(row) == Some(row) {
                resized.extend_from_within(resized.len() - width..);
            } else {
                let row = &values[row * from_width..][..from_width];
                resized.extend(self.columns.iter().map(|&column| row[column]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_neighbour_takes_the_middle_and_inverts_whole_factors() {
        assert_eq!(resize_nearest(&[1, 2, 3, 4, 5, 6], (6, 1), (2, 1)), [2, 5]);
        let doubled = resize_nearest(&[1, 2, 3, 4], (2, 2), (4, 4));
        assert_eq!(doubled, [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
        assert_eq!(resize_nearest(&doubled, (4, 4), (2, 2)), [1, 2, 3, 4]);
    }

    #[test]
    fn a_kept_resizer_gives_the_same_as_a_fresh_one_whatever_came_before() {
        let (mut kept, mut resized) = (NearestResizer::default(), Vec::new());
        for (source, target) in
            [((4, 3), (9, 7)), ((4, 3), (2, 2)), ((9, 2), (4, 3)), ((4, 3), (4, 9)), ((5, 5), (5, 5))]
        {
            let values: Vec<u32> = (0..source.0 * source.1).collect();
            kept.resize_into(&values, source, target, &mut resized);
            let at = |at: u32, source: u32, target: u32| (2 * at + 1) * source / (2 * target);
            let expected: Vec<u32> = (0..target.0 * target.1)
                .map(|index| (index % target.0, index / target.0))
                .map(|(x, y)| at(y, source.1, target.1) * source.0 + at(x, source.0, target.0))
                .collect();
            assert_eq!(resized, expected, "{source:?} to {target:?}");
        }
    }
}
