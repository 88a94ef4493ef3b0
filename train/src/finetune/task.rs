//! Few-shot segmentation as a task for the training loop.

use std::path::Path;

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use image::RgbImage;
use parallax_core::labels::{Classes, LabelMap};
use parallax_core::model_input::{ModelInput, Preparer};
use parallax_core::model_output::mask_from_logits;
use parallax_core::picture;
use parallax_core::run::Transfer;
use parallax_models::SegmentationNetwork;

use super::cross_entropy::cross_entropy;
use super::run::TrainedOn;
use super::samples::{Batches, SegmentationBatch};
use super::transfer::frozen_as;
use crate::Error;
use crate::training::{LossTerm, Sample, StepLoss, Task};

/// Learning masks from a few labelled pictures.
#[derive(Debug)]
pub struct SegmentationTask {
    /// The pictures to learn.
    pub batches: Batches,
    /// Which pictures those are.
    pub learned: Vec<TrainedOn>,
    /// The contract between a picture and the network.
    pub input: ModelInput,
    /// What the masks say.
    pub classes: Classes,
    /// What stays frozen.
    pub transfer: Transfer,
    /// Pictures to draw masks of while training, mostly unseen ones.
    pub previews: Vec<Preview>,
}

/// A labelled picture to draw a mask of.
#[derive(Debug, Clone)]
pub struct Preview {
    /// File name of the drawing, without extension.
    pub name: String,
    /// The picture, of any size.
    pub picture: RgbImage,
    /// Its labels.
    pub truth: LabelMap,
}

impl Task for SegmentationTask {
    type Model = SegmentationNetwork;
    type Batch = SegmentationBatch;

    fn batch(&self, step: u64) -> Result<SegmentationBatch, Error> {
        Ok(self.batches.batch(step))
    }

    fn describe(&self, batch: &SegmentationBatch) -> String {
        format!("the pictures {}", batch.names.join(", "))
    }

    fn loss(
        &self,
        model: &SegmentationNetwork,
        batch: &SegmentationBatch,
        _: u64,
        device: &Device,
    ) -> Result<StepLoss, Error> {
        let shape = [batch.names.len(), 3, self.input.height as usize, self.input.width as usize];
        let images = Tensor::from_data(TensorData::new(batch.images.clone(), shape), device);
        let objective = cross_entropy(model.forward(images), &batch.truth);
        let value = f64::from(numbers(objective.clone())?.first().copied().unwrap_or(f32::NAN));
        Ok(StepLoss { objective, terms: vec![LossTerm { name: "cross_entropy", value }] })
    }

    fn save(&self, model: &SegmentationNetwork, folder: &Path) -> Result<(), Error> {
        Ok(model.save(&folder.join("model.safetensors"))?)
    }

    fn load(&self, folder: &Path, device: &Device) -> Result<SegmentationNetwork, Error> {
        let model = SegmentationNetwork::load(&folder.join("model.safetensors"), device)?;
        Ok(frozen_as(self.transfer, model))
    }

    fn samples(&self, model: &SegmentationNetwork, device: &Device) -> Result<Vec<Sample>, Error> {
        let mut masks = MaskMaker::new(self.input, device);
        let drawn = self.previews.iter().map(|preview| {
            let mask = masks.mask(model, &preview.picture)?;
            let picture = three_pictures(preview, &mask, &self.classes);
            Ok(Sample { name: preview.name.clone(), picture })
        });
        drawn.collect()
    }
}

/// Makes masks one picture at a time, exactly as the board does: prepare, logits, arg max, at the network's size.
#[derive(Debug)]
pub struct MaskMaker {
    preparer: Preparer,
    input: ModelInput,
    device: Device,
}

impl MaskMaker {
    /// `device` has no autodiff: nothing is learned here.
    pub fn new(input: ModelInput, device: &Device) -> Self {
        Self { preparer: Preparer::new(input), input, device: device.clone() }
    }

    /// The mask of a picture of any size, at the network's size.
    ///
    /// # Errors
    /// When the device fails.
    pub fn mask(&mut self, model: &SegmentationNetwork, picture: &RgbImage) -> Result<LabelMap, Error> {
        let (width, height) = (self.input.width, self.input.height);
        let mut values = vec![0.0; self.input.len()];
        self.preparer.prepare(picture, &mut values);
        let data = TensorData::new(values, [1, 3, height as usize, width as usize]);
        let logits = model.forward(Tensor::from_data(data, &self.device));
        let classes = logits.dims()[1];
        let mut mask = LabelMap { width, height, indices: vec![0; (width * height) as usize] };
        mask_from_logits(&numbers(logits)?, classes, &mut mask)?;
        Ok(mask)
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Error> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Device {
        what: format!("the device gave no result: {error}"),
        hint: "try --device cpu",
    })
}

/// Picture, truth and prediction side by side.
fn three_pictures(preview: &Preview, mask: &LabelMap, classes: &Classes) -> RgbImage {
    let cell = preview.picture.dimensions();
    let row = vec![
        (preview.name.clone(), preview.picture.clone()),
        ("truth".to_owned(), picture::overlay(&preview.picture, &preview.truth, classes)),
        ("prediction".to_owned(), picture::overlay(&preview.picture, mask, classes)),
    ];
    picture::sheet(&[row], cell)
}
