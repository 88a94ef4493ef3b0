//! Logits to classes, without leaving the integers: the largest u8 stands for the largest logit.

use crate::shape::PictureShape;
use crate::team::Team;

/// The class with the largest logit for each pixel; of equal ones the first.
///
/// # Shapes
/// - `logits`: `[height, width, classes]`, at most 256 classes
/// - `classes`: `[height, width]`
///
/// # Panics
/// Slices of other lengths, or more than 256 classes.
pub fn argmax(logits: &[u8], shape: PictureShape, classes: &mut [u8], team: &Team) {
    assert_eq!(logits.len(), shape.len(), "logits");
    assert_eq!(classes.len(), shape.pixels(), "pixels");
    assert!((1..=256).contains(&shape.channels), "classes");
    team.for_each_part(classes, shape.width, &mut [], 0, |y, row, _scratch| {
        let logits = &logits[y * shape.width * shape.channels..];
        for (class, pixel) in row.iter_mut().zip(logits.chunks_exact(shape.channels)) {
            // The logit above, the complement of the class below: the largest is the first class of the largest logit.
            let keys = pixel.iter().zip(0_u16..).map(|(logit, class)| u16::from(*logit) << 8 | (255 - class));
            *class = 255 - keys.fold(0, u16::max) as u8;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_first_wins() {
        let shape = PictureShape { height: 2, width: 2, channels: 3 };
        let mut classes = [9; 4];
        argmax(&[1, 5, 2, 7, 7, 7, 0, 0, 1, 0, 0, 0], shape, &mut classes, &Team::new(2).unwrap());
        assert_eq!(classes, [1, 0, 2, 0]);
    }
}
