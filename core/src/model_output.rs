//! The one path from a network's logits to a mask: the class with the largest logit, the first one where several tie.

use crate::labels::LabelMap;

/// The mask of logits laid out `[classes, height, width]`, written into `mask`.
///
/// # Panics
/// When `logits` does not hold `classes` planes of the mask's size, or there are no classes.
pub fn mask_from_logits(logits: &[f32], classes: usize, mask: &mut LabelMap) {
    let plane = mask.indices.len();
    assert!(classes > 0 && logits.len() == classes * plane, "logits hold one plane a class");
    mask.indices.fill(0);
    for (at, index) in mask.indices.iter_mut().enumerate() {
        let mut best = logits[at];
        for class in 1..classes {
            let logit = logits[class * plane + at];
            if logit > best {
                (best, *index) = (logit, class as u8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_logit_wins_and_the_first_of_equals() {
        let mut mask = LabelMap { width: 3, height: 1, indices: vec![9; 3] };
        mask_from_logits(&[0.0, 2.0, 1.0, 1.0, 2.0, -1.0, 0.5, 0.0, 3.0], 3, &mut mask);
        assert_eq!(mask.indices, [1, 0, 2]);
    }
}
