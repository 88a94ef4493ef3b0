//! The one path from a network's logits to a mask: the class with the largest logit, the first one where several tie.
//!
//! A pixel has a class only where its largest logit is a number: after a NaN no comparison holds, and every pixel would
//! be of the first class.

use crate::labels::LabelMap;
use crate::{Error, Result};

/// Share of a mask's pixels whose largest logit two classes may share. A network that is worth anything tells its classes
/// apart nearly everywhere; one that gives the same number for all of them makes a mask of the first class, whatever it sees.
pub const MOST_TIES: f64 = 0.01;

/// The mask of logits laid out `[classes, height, width]`, written into `mask`.
///
/// # Errors
/// [`Error::NonFiniteLogits`]: a pixel with a NaN among its logits, or whose largest logit is infinite. An infinitely small
/// logit below others is a class that is out of the question, and fine.
///
/// # Panics
/// When `logits` does not hold `classes` planes of the mask's size, or there are no classes.
pub fn mask_from_logits(logits: &[f32], classes: usize, mask: &mut LabelMap) -> Result<()> {
    let plane = mask.indices.len();
    assert!(classes > 0 && logits.len() == classes * plane, "logits hold one plane a class");
    mask.indices.fill(0);
    let (mut without, mut first) = (0, 0.0);
    for (at, index) in mask.indices.iter_mut().enumerate() {
        let mut best = logits[at];
        let mut nan = best.is_nan();
        for class in 1..classes {
            let logit = logits[class * plane + at];
            nan |= logit.is_nan();
            if logit > best {
                (best, *index) = (logit, class as u8);
            }
        }
        if nan || best.is_infinite() {
            if without == 0 {
                first = if nan { f32::NAN } else { best };
            }
            without += 1;
        }
    }
    if without > 0 { Err(Error::NonFiniteLogits { value: first, count: without, of: plane }) } else { Ok(()) }
}

/// Whether two classes share the largest of a pixel's logits.
pub fn is_tie<Logit: PartialOrd>(logits: impl IntoIterator<Item = Logit>) -> bool {
    let (mut largest, mut shared) = (None, false);
    for logit in logits {
        match &largest {
            Some(largest) if logit < *largest => {}
            Some(largest) if logit == *largest => shared = true,
            _ => (largest, shared) = (Some(logit), false),
        }
    }
    shared
}

/// Share of the pixels whose largest logit two classes share; of logits laid out `[classes, height, width]`.
///
/// # Panics
/// When there are no classes, or not one number of each for every pixel.
pub fn share_of_ties(logits: &[f32], classes: usize) -> f64 {
    assert!(classes > 0 && logits.len().is_multiple_of(classes), "logits hold one plane a class");
    let plane = logits.len() / classes;
    let ties = (0..plane).filter(|at| is_tie((0..classes).map(|class| logits[class * plane + at]))).count();
    ties as f64 / plane.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(logits: &[f32], classes: usize) -> Result<Vec<u8>> {
        let width = (logits.len() / classes) as u32;
        let mut mask = LabelMap { width, height: 1, indices: vec![9; width as usize] };
        mask_from_logits(logits, classes, &mut mask).map(|()| mask.indices)
    }

    #[test]
    fn the_largest_logit_wins_and_the_first_of_equals() {
        assert_eq!(mask(&[0.0, 2.0, 1.0, 1.0, 2.0, -1.0, 0.5, 0.0, 3.0], 3).unwrap(), [1, 0, 2]);
    }

    #[test]
    fn a_pixel_without_a_largest_number_is_an_error_and_not_the_first_class() {
        let [nan, infinite] = [f32::NAN, f32::INFINITY];
        for broken in [[nan, 1.0], [1.0, nan], [nan, nan], [infinite, 1.0], [0.0, infinite], [-infinite, -infinite]] {
            let logits = [broken[0], 0.0, 2.0, broken[1], 1.0, 1.0];
            let Err(Error::NonFiniteLogits { value, count, of }) = mask(&logits, 2) else { panic!("{broken:?}") };
            assert_eq!((count, of, value.is_finite()), (1, 3, false), "{broken:?}");
        }
        assert_eq!(mask(&[-infinite, 1.0, 0.5, -infinite], 2).unwrap(), [1, 0], "a class that is out of the question");
    }

    #[test]
    fn a_tie_is_of_the_largest_alone() {
        assert!(is_tie([3, 1, 3]) && is_tie([0, 0]));
        assert!(!is_tie([1, 1, 2]) && !is_tie([5]) && !is_tie([f32::NEG_INFINITY, 0.0]));
        assert!((share_of_ties(&[0.0, 2.0, 1.0, 1.0, 2.0, -1.0], 2) - 1.0 / 3.0).abs() < 1e-12);
    }
}
