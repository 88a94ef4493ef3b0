//! What the training loop asks of a task.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use image::RgbImage;

use crate::Error;

/// One thing to learn: where its batches come from and what its loss is.
///
/// A task is shared with the loader threads, so it holds data and settings, never the model.
pub trait Task: Sync {
    /// The weights that are trained.
    type Model: Module;
    /// What one step needs, as plain numbers: made on a loader thread, turned into tensors by [`Task::loss`].
    type Batch: Send;

    /// The batch of step `step` (counted from 0).
    ///
    /// Invariant: a pure function of the task and `step`, whichever thread calls it and in whatever order. Resuming
    /// bit for bit rests on it.
    ///
    /// # Errors
    /// When a frame or label cannot be read.
    fn batch(&self, step: u64) -> Result<Self::Batch, Error>;

    /// Names what is in a batch, for the error that stops a run whose loss is not a number.
    fn describe(&self, batch: &Self::Batch) -> String;

    /// The loss of `model` on a batch. `step` is there to seed whatever randomness the loss has.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    fn loss(&self, model: &Self::Model, batch: &Self::Batch, step: u64, device: &Device) -> Result<StepLoss, Error>;

    /// The loss of `model` on data that are kept out of training; none where there are none. `model` is the validation form (no
    /// gradients, frozen statistics).
    ///
    /// Invariant: a function of the weights alone, so that a resumed run finds the same best checkpoint.
    ///
    /// # Errors
    /// When a frame cannot be read.
    fn validation_loss(&self, _model: &Self::Model, _device: &Device) -> Result<Option<f64>, Error> {
        Ok(None)
    }

    /// Writes the weights into `folder`, under final names (`model.safetensors`): the folder is put in place as a whole.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save(&self, model: &Self::Model, folder: &Path) -> Result<(), Error>;

    /// Reads what [`Task::save`] wrote, ready to train on `device`.
    ///
    /// # Errors
    /// When a file is missing or does not fit.
    fn load(&self, folder: &Path, device: &Device) -> Result<Self::Model, Error>;

    /// A few pictures of what the model does now; `model` is the validation form (no gradients, frozen statistics).
    ///
    /// # Errors
    /// When a sample cannot be read or drawn.
    fn samples(&self, model: &Self::Model, device: &Device) -> Result<Vec<Sample>, Error>;
}

/// A picture for the run folder's `samples/`.
#[derive(Debug, Clone)]
pub struct Sample {
    /// File name without extension, e.g. `depth_left_000120`.
    pub name: String,
    /// The picture.
    pub picture: RgbImage,
}

/// One named part of a loss, as it is logged.
#[derive(Debug, Clone, PartialEq)]
pub struct LossTerm {
    /// e.g. `photometric`.
    pub name: &'static str,
    /// Its share of the total, weights included.
    pub value: f64,
}

/// The loss of one step.
pub struct StepLoss {
    /// What is differentiated. Only its gradient matters: it may differ from the loss by a constant.
    pub objective: Tensor<1>,
    /// The parts of the loss; their sum is the loss that is shown and logged.
    pub terms: Vec<LossTerm>,
}

impl StepLoss {
    /// The loss: the sum of its terms.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.terms.iter().map(|term| term.value).sum()
    }
}
