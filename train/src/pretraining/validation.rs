//! Footage that is kept out of training: its loss tells when a run begins to learn its own footage by heart.
//!
//! The same terms as in training, on whole frames as they are: neither cut, mirrored nor changed in colour.

use burn::tensor::Device;

use super::task::outputs;
use super::{DepthModel, LossPlace, objective};
use crate::Error;
use crate::data::{DepthBatches, DepthBatchesConfig, Footage};

/// Frames that are looked at in one check, at most.
const FRAMES: usize = 64;

/// Fixed, so that runs of different seeds are judged by the same frames.
const SEED: u64 = 0;

/// The footage and the frames that are looked at.
#[derive(Debug)]
pub struct Validation {
    batches: DepthBatches,
}

impl Validation {
    /// Takes up to 64 frames of `footage`, the same for every run; `trained` says what teaches and how, `unit` what a depth unit
    /// is, metres.
    ///
    /// # Errors
    /// When the footage lacks what the terms need.
    pub fn new(footage: Footage, trained: &DepthBatchesConfig, unit: Option<f64>) -> Result<Self, Error> {
        let config = DepthBatchesConfig { seed: SEED, crop: None, augmentation: None, ..trained.clone() };
        Ok(Self { batches: DepthBatches::new(footage, config)?.in_unit(unit) })
    }

    /// Where the frames come from.
    #[must_use]
    pub fn footage(&self) -> &Footage {
        &self.batches.footage
    }

    /// The mean loss of `model`, which is in its validation form.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub fn loss(&self, model: &DepthModel, place: LossPlace, device: &Device) -> Result<f64, Error> {
        let batches = (self.batches.samples().min(FRAMES) / self.batches.config.batch).max(1);
        let speed_weight = self.batches.config.terms.weights.speed as f32;
        let mut sum = 0.0;
        for number in 0..batches {
            let batch = self.batches.batch(number as u64)?;
            let outputs = outputs(model, &batch, device);
            sum += objective::loss(place, &batch, &outputs, speed_weight, device).total();
        }
        Ok(sum / batches as f64)
    }
}
