//! A step's loss: the networks on a batch, then the loss of what they said.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use parallax_core::recording::Eye;

use super::focal::FocalCourse;
use super::motions::term_poses;
use super::objective::{self, Outputs};
use super::prediction::{Views, above_its_depth, predict};
use super::validation::Validation;
use super::{DepthModel, LearnedCameras, LossPlace};
use crate::Error;
use crate::data::{DepthBatch, DepthBatches, IntrinsicsSource, Supervision};
use crate::training::{Sample, StepLoss, Task};

/// Frames of which sample pictures are drawn.
const SAMPLES: usize = 4;

/// Depth pre-training.
#[derive(Debug)]
pub struct DepthTask {
    /// Where batches come from.
    pub batches: DepthBatches,
    /// Where the loss is computed.
    pub place: LossPlace,
    /// Where intrinsics come from.
    pub intrinsics: IntrinsicsSource,
    /// What is kept out of training.
    pub validation: Option<Validation>,
    /// Focal lengths of the learned cameras at each step of this sitting, for the report at its end.
    pub focal_course: FocalCourse,
}

impl Task for DepthTask {
    type Model = DepthModel;
    type Batch = DepthBatch;

    fn batch(&self, step: u64) -> Result<DepthBatch, Error> {
        self.batches.batch(step)
    }

    fn describe(&self, batch: &DepthBatch) -> String {
        batch.names.join(", ")
    }

    fn loss(&self, model: &DepthModel, batch: &DepthBatch, _step: u64, device: &Device) -> Result<StepLoss, Error> {
        let speed_weight = self.batches.config.terms.weights.speed as f32;
        self.focal_course.note(model);
        Ok(objective::loss(self.place, batch, &outputs(model, batch, device), speed_weight, device))
    }

    fn validation_loss(&self, model: &DepthModel, device: &Device) -> Result<Option<f64>, Error> {
        self.validation.as_ref().map(|validation| validation.loss(model, self.place, device)).transpose()
    }

    fn save(&self, model: &DepthModel, folder: &Path) -> Result<(), Error> {
        model.save(folder)
    }

    fn load(&self, folder: &Path, device: &Device) -> Result<DepthModel, Error> {
        let mut model = DepthModel::load(folder, self.learns_motion(), device)?;
        if self.intrinsics == IntrinsicsSource::Learn {
            model.cameras = Some(LearnedCameras::load(folder, &self.batches.footage, device)?);
        }
        Ok(model)
    }

    fn samples(&self, model: &DepthModel, device: &Device) -> Result<Vec<Sample>, Error> {
        let footage = &self.batches.footage;
        (0..SAMPLES.min(footage.recording(0).len()))
            .map(|sample| {
                let index = sample * footage.recording(0).len() / SAMPLES;
                let frame = footage.frame(0, index, Eye::Left)?;
                let contract = &self.batches.config.input;
                let mut input = vec![0.0; contract.len()];
                contract.prepare(&frame, &mut input);
                let dims = [1, 3, contract.height as usize, contract.width as usize];
                let depth = predict(model, &input, dims, Views::Picture, device);
                Ok(Sample { name: format!("depth_{index:06}"), picture: above_its_depth(&frame, &depth) })
            })
            .collect()
    }
}

impl DepthTask {
    /// Whether a pose network is needed.
    #[must_use]
    pub fn learns_motion(&self) -> bool {
        let config = &self.batches.config;
        config.supervisions.contains(&Supervision::Video) && config.terms.poses.is_learned()
    }
}

/// What the networks say about a batch.
pub(super) fn outputs(model: &DepthModel, batch: &DepthBatch, device: &Device) -> Outputs {
    let dims = [batch.names.len(), 3, batch.height, batch.width];
    let input = tensor(&batch.input, dims, device);
    let terms = batch.terms.iter();
    Outputs {
        disparities: model.depth.forward(input.clone()).into(),
        poses: terms.map(|term| term_poses(model.pose.as_ref(), term, &input, device)).collect(),
        cameras: model.cameras.as_ref().map(|cameras| cameras.pinholes(&batch.views, device)),
    }
}

/// The numbers of a tensor, row by row.
pub(super) fn host_values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("a float tensor can be read as f32")
}

pub(super) fn tensor(values: &[f32], dims: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), device)
}
