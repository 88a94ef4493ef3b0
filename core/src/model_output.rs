//! The one path from a network's logits to a mask: the class with the largest logit, the first one where several tie.
//!
//! A pixel has a class only where its largest logit is a number: after a NaN no comparison holds, and every pixel would
//! be of the first class.

use crate::labels::LabelMap;
use crate::{Error, Result};

/// Share of a mask's pixels that may be ties which rounding does not explain. A network that is worth anything tells its
/// classes apart; one that gives the same number for all of them makes a mask of the first class, whatever it sees.
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

/// How often the two largest logits of a pixel are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ties {
    /// Share of the pixels.
    pub share: f64,
    /// What is left of `share` when as many pixels are taken off as have two largest logits that differ by little.
    ///
    /// Rounding makes ties of pixels between two classes: of numbers in steps, half as many as differ by one step. A network
    /// whose integers are right can have 5 % of them (docs/decisions/0005). One that saturates or computes constants
    /// has ties and few pixels beside them.
    pub unexplained: f64,
}

impl Ties {
    /// Of logits laid out `[classes, height, width]`.
    ///
    /// # Panics
    /// When there are no classes, or not one number of each for every pixel.
    pub fn of_planes(logits: &[f32], classes: usize) -> Self {
        assert!(classes > 0 && logits.len().is_multiple_of(classes), "logits hold one plane a class");
        let plane = logits.len() / classes;
        Self::of_pixels((0..plane).map(|at| (0..classes).map(move |class| logits[class * plane + at])))
    }

    /// Of the logits of one pixel after the other.
    pub fn of_pixels<Pixel: IntoIterator<Item = f32>>(pixels: impl Iterator<Item = Pixel>) -> Self {
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        let mut gaps = Vec::new();
        for pixel in pixels {
            let mut largest = [f32::NEG_INFINITY; 2];
            for logit in pixel {
                if logit > largest[0] {
                    largest = [logit, largest[0]];
                } else {
                    largest[1] = largest[1].max(logit);
                }
                least = if logit.is_finite() { least.min(logit) } else { least };
            }
            most = most.max(largest[0]);
            gaps.push(largest[0] - largest[1]);
        }
        let step = gaps.iter().copied().filter(|gap| *gap > 0.0).fold(f32::INFINITY, f32::min);
        // Two of 256 steps, or one where the steps are larger.
        let little = (1.5 * step).max((most - least) / 128.0);
        let share = |count: usize| count as f64 / gaps.len().max(1) as f64;
        let ties = share(gaps.iter().filter(|gap| **gap == 0.0).count());
        let close = share(gaps.iter().filter(|gap| **gap > 0.0 && **gap <= little).count());
        Self { share: ties, unexplained: (ties - close).max(0.0) }
    }
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
        let share = |logits: &[f32]| Ties::of_planes(logits, 3).share;
        assert_eq!([share(&[3.0, 1.0, 3.0]), share(&[1.0, 1.0, 2.0])], [1.0, 0.0]);
        assert_eq!(share(&[f32::NEG_INFINITY, 0.0, 1.0]), 0.0);
        assert!((Ties::of_planes(&[0.0, 2.0, 1.0, 1.0, 2.0, -1.0], 2).share - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn ties_of_rounding_are_explained_and_those_of_saturation_are_not() {
        // Two classes whose difference runs through zero, in steps of 0.25.
        let real = |at: usize| [(at % 101) as f32 / 20.0, 2.5];
        let rounded = |at: usize| real(at).map(|logit| (logit * 4.0).round() / 4.0);
        let ties = Ties::of_pixels((0..1010).map(rounded));
        assert!(ties.share > 0.03 && ties.unexplained == 0.0, "{ties:?}");
        // The same where everything above 3 is cut off, and a network that says one number everywhere.
        let saturated = |at: usize| real(at).map(|logit| (100.0 * (logit - 1.0)).clamp(0.0, 1.0));
        assert!(Ties::of_pixels((0..1010).map(saturated)).unexplained > 0.5);
        assert_eq!(Ties::of_planes(&[0.5; 20], 2), Ties { share: 1.0, unexplained: 1.0 });
    }
}
