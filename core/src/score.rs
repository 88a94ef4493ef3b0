//! How good masks are, over a whole set: the confusion matrix and what follows from it.
//!
//! With `n[t][p]` pixels of true class t predicted as p, summed over **all** pictures:
//!
//! ```text
//! IoU of class c = n[c][c] / (Σp n[c][p] + Σt n[t][c] - n[c][c])
//! mIoU           = mean over the classes that occur in truth or prediction
//! pixel accuracy = Σc n[c][c] / Σ n
//! ```
//!
//! Pixels whose truth is [`IGNORE`] count nowhere. Reference: Everingham et al., *The PASCAL Visual Object Classes
//! Challenge: A Retrospective*, IJCV 2015 (the matrix is of the dataset, never an average over pictures).

use crate::labels::{Classes, IGNORE, LabelMap};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Pixel counts by true and predicted class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row by row: truth, then prediction; the last column counts predictions that are no class.
    counts: Vec<u64>,
    images: usize,
}

impl ConfusionMatrix {
    /// An empty matrix for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * (classes + 1)], images: 0 }
    }

    /// Adds one picture. A predicted [`IGNORE`] (or any other non-class) counts as wrong, not as left out.
    ///
    /// # Errors
    /// The two maps differ in size.
    pub fn add(&mut self, truth: &LabelMap, prediction: &LabelMap) -> Result<()> {
        if (truth.width, truth.height) != (prediction.width, prediction.height) {
            return Err(Error::SizeMismatch {
                what: "predicted mask and its truth",
                expected: (truth.width, truth.height),
                found: (prediction.width, prediction.height),
            });
        }
        for (&truth, &prediction) in truth.indices.iter().zip(&prediction.indices) {
            let truth = usize::from(truth);
            if truth < self.classes {
                self.counts[truth * (self.classes + 1) + usize::from(prediction).min(self.classes)] += 1;
            }
        }
        self.images += 1;
        Ok(())
    }

    /// Pixels of class `truth` that were predicted as `prediction`.
    pub fn count(&self, truth: usize, prediction: usize) -> u64 {
        self.counts[truth * (self.classes + 1) + prediction]
    }

    /// Pictures added.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Pixels whose truth is `class`.
    pub fn true_pixels(&self, class: usize) -> u64 {
        let row = class * (self.classes + 1);
        self.counts[row..=row + self.classes].iter().sum()
    }

    /// Intersection over union of a class; none when it occurs neither in truth nor in prediction.
    pub fn iou(&self, class: usize) -> Option<f64> {
        let hits = self.count(class, class);
        let predicted: u64 = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        let union = self.true_pixels(class) + predicted - hits;
        (union > 0).then(|| hits as f64 / union as f64)
    }

    /// Mean IoU over the classes that occur; NaN when nothing was added.
    pub fn mean_iou(&self) -> f64 {
        let ious: Vec<f64> = (0..self.classes).filter_map(|class| self.iou(class)).collect();
        ious.iter().sum::<f64>() / ious.len() as f64
    }

    /// Share of the labelled pixels that were predicted right; NaN when nothing was added.
    pub fn pixel_accuracy(&self) -> f64 {
        let hits: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        hits as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Everything together, with the classes' names.
    pub fn score(&self, classes: &Classes) -> Score {
        let per_class = classes.names().enumerate().map(|(class, name)| ClassScore {
            name: name.to_owned(),
            iou: self.iou(class),
            true_pixels: self.true_pixels(class),
        });
        Score {
            miou: self.mean_iou(),
            pixel_accuracy: self.pixel_accuracy(),
            per_class: per_class.collect(),
            images: self.images,
        }
    }
}

/// The score of masks over a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean IoU, 0 to 1.
    pub miou: f64,
    /// Pixel accuracy, 0 to 1.
    pub pixel_accuracy: f64,
    /// One entry a class, in network order.
    pub per_class: Vec<ClassScore>,
    /// Pictures scored.
    pub images: usize,
}

/// The score of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Name of the class.
    pub name: String,
    /// IoU; none when the class occurs neither in truth nor in prediction.
    pub iou: Option<f64>,
    /// Pixels of this class in the truth.
    pub true_pixels: u64,
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.per_class.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(14);
        for class in &self.per_class {
            match class.iou {
                Some(iou) => writeln!(f, "{:width$}  {:6.2} %", class.name, 100.0 * iou)?,
                None => writeln!(f, "{:width$}    does not occur", class.name)?,
            }
        }
        writeln!(f, "{:width$}  {:6.2} %", "mIoU", 100.0 * self.miou)?;
        write!(f, "{:width$}  {:6.2} %  ({} pictures)", "pixel accuracy", 100.0 * self.pixel_accuracy, self.images)
    }
}

/// Share of pixels on which two masks agree; pixels that are [`IGNORE`] in the first are left out.
pub fn agreement(one: &LabelMap, other: &LabelMap) -> f64 {
    let counted = one.indices.iter().zip(&other.indices).filter(|(one, _)| **one != IGNORE);
    let (same, all) = counted.fold((0u64, 0u64), |(same, all), (one, other)| (same + u64::from(one == other), all + 1));
    same as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(indices: &[u8]) -> LabelMap {
        LabelMap { width: indices.len() as u32, height: 1, indices: indices.to_vec() }
    }

    #[test]
    fn a_small_case_comes_out_as_by_hand() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.add(&map(&[0, 0, 1, 1, IGNORE]), &map(&[0, 1, 1, 1, 0])).unwrap();
        assert_eq!(matrix.iou(0), Some(0.5));
        assert_eq!(matrix.iou(1), Some(2.0 / 3.0));
        assert_eq!(matrix.iou(2), None);
        assert!((matrix.mean_iou() - (0.5 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!(matrix.pixel_accuracy(), 0.75);
    }

    #[test]
    fn the_matrix_is_of_the_set_and_not_an_average_over_pictures() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(&map(&[0, 0, 0, 0]), &map(&[0, 0, 0, 0])).unwrap();
        matrix.add(&map(&[0, 1]), &map(&[1, 1])).unwrap();
        assert_eq!(matrix.iou(0), Some(0.8));
        assert_eq!(matrix.images(), 2);
    }

    #[test]
    fn a_predicted_non_class_is_wrong_rather_than_left_out() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(&map(&[0, 0]), &map(&[0, IGNORE])).unwrap();
        assert_eq!((matrix.iou(0), matrix.pixel_accuracy()), (Some(0.5), 0.5));
    }

    #[test]
    fn masks_of_another_size_are_refused() {
        assert!(ConfusionMatrix::new(2).add(&map(&[0, 1]), &map(&[0])).is_err());
    }

    #[test]
    fn agreement_counts_equal_pixels() {
        assert_eq!(agreement(&map(&[0, 1, IGNORE, 2]), &map(&[0, 1, 1, 1])), 2.0 / 3.0);
    }
}
