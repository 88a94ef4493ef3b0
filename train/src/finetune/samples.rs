//! The drawn pictures in the form the network sees, kept in memory, and how batches are made of them.
//!
//! Sixteen pictures of 640×192 are 24 MB as numbers: they are read, resized and normalised once. A batch is a copy of
//! some of them, each flipped left to right or not.
//!
//! Order and flips follow from the seed and the place in the run alone, so batch `s` is the same whoever makes it.

use parallax_core::labels::{LabelMap, LabelledSet};
use parallax_core::model_input::{ModelInput, Preparer};

use rand::RngExt as _;

use crate::Error;
use crate::data::augmentation::Mirroring;
use crate::data::order::{Purpose, random, samples_of_step};

/// One labelled picture at the network's size.
#[derive(Debug, Clone)]
pub struct PreparedSample {
    /// Its name in the labelled set.
    pub name: String,
    /// Normalised picture, `[3, height, width]`.
    pub image: Vec<f32>,
    /// Class of every pixel (nearest neighbour), `[height, width]`.
    pub truth: LabelMap,
}

/// Reads and prepares pictures of a labelled set.
///
/// # Errors
/// When a picture or its labels cannot be read, differ in size, or hold a value that is no class.
pub fn prepare(set: &LabelledSet, indices: &[usize], input: ModelInput) -> Result<Vec<PreparedSample>, Error> {
    let mut preparer = Preparer::new(input);
    let prepare_one = |&index: &usize| {
        let (picture, labels) = set.pair(index)?;
        let mut image = vec![0.0; input.len()];
        preparer.prepare(&picture, &mut image);
        let truth = labels.resized(input.width, input.height);
        Ok(PreparedSample { name: set.name(index).to_owned(), image, truth })
    };
    indices.iter().map(prepare_one).collect()
}

/// Some samples, as one training step sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentationBatch {
    /// Names of the pictures, for messages.
    pub names: Vec<String>,
    /// `[batch, 3, height, width]`.
    pub images: Vec<f32>,
    /// `[batch, height, width]`.
    pub truth: Vec<u8>,
}

/// Makes the batches of a run.
#[derive(Debug)]
pub struct Batches {
    samples: Vec<PreparedSample>,
    batch: usize,
    seed: u64,
}

impl Batches {
    /// Batches of `batch` samples. `samples` must not be empty.
    pub fn new(samples: Vec<PreparedSample>, batch: usize, seed: u64) -> Self {
        Self { samples, batch, seed }
    }

    /// The samples.
    pub fn samples(&self) -> &[PreparedSample] {
        &self.samples
    }

    /// Batch `step`, the same at every call.
    pub fn batch(&self, step: u64) -> SegmentationBatch {
        let mut batch = SegmentationBatch { names: Vec::new(), images: Vec::new(), truth: Vec::new() };
        let drawn = samples_of_step(self.seed, step, self.batch, self.samples.len());
        for (place, index) in (step * self.batch as u64..).zip(drawn) {
            let sample = &self.samples[index];
            let mirrored = random(self.seed, Purpose::Augmentation, place).random_bool(0.5);
            let mirroring = if mirrored { Mirroring::Yes } else { Mirroring::No };
            let width = sample.truth.width as usize;
            batch.names.push(sample.name.clone());
            append_rows(&mut batch.images, &sample.image, width, mirroring);
            append_rows(&mut batch.truth, &sample.truth.indices, width, mirroring);
        }
        batch
    }
}

fn append_rows<T: Copy>(target: &mut Vec<T>, source: &[T], width: usize, mirroring: Mirroring) {
    match mirroring {
        Mirroring::No => target.extend_from_slice(source),
        Mirroring::Yes => source.chunks_exact(width).for_each(|row| target.extend(row.iter().rev())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures of 3×1 whose first channel and truth are 10 i, 10 i + 1, 10 i + 2.
    fn batches(count: u8, batch: usize, seed: u64) -> Batches {
        let sample = |i: u8| {
            let row = [10 * i, 10 * i + 1, 10 * i + 2];
            let image = [row; 3].concat().iter().map(|&value| f32::from(value)).collect();
            let truth = LabelMap { width: 3, height: 1, indices: row.to_vec() };
            PreparedSample { name: i.to_string(), image, truth }
        };
        Batches::new((0..count).map(sample).collect(), batch, seed)
    }

    #[test]
    fn every_round_shows_every_picture_once_in_another_order() {
        let batches = batches(6, 4, 7);
        let names: Vec<String> = (0..6).flat_map(|step| batches.batch(step).names).collect();
        let rounds: Vec<&[String]> = names.chunks(6).collect();
        for round in &rounds {
            let mut sorted = round.to_vec();
            sorted.sort();
            assert_eq!(sorted, ["0", "1", "2", "3", "4", "5"]);
        }
        assert!(rounds.windows(2).any(|pair| pair[0] != pair[1]), "{rounds:?}");
    }

    #[test]
    fn a_flip_turns_picture_and_labels_together_and_happens_half_of_the_time() {
        let batches = batches(3, 8, 1);
        let (mut flipped, mut all) = (0, 0);
        for step in 0..100 {
            let batch = batches.batch(step);
            for (place, row) in batch.truth.chunks(3).enumerate() {
                let image: Vec<u8> = batch.images[place * 9..place * 9 + 3].iter().map(|&value| value as u8).collect();
                assert_eq!(image, row);
                flipped += u32::from(row[0] > row[2]);
                all += 1;
            }
        }
        assert!((all * 2 / 5..all * 3 / 5).contains(&flipped), "{flipped} of {all}");
    }

    #[test]
    fn a_batch_depends_on_seed_and_step_alone() {
        assert_eq!(batches(5, 4, 3).batch(17), batches(5, 4, 3).batch(17));
        assert_ne!(batches(5, 4, 3).batch(17), batches(5, 4, 4).batch(17));
        assert_ne!(batches(5, 4, 3).batch(17), batches(5, 4, 3).batch(18));
    }
}
