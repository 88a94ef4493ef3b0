//! Contrastive pre-training, MoCo v2: two altered views of a picture should be described alike, and unlike all others.
//!
//! ```text
//! view 1 ── encoder, projection ────────────── query q ─┐
//!               │ momentum update, before each step     ├─ InfoNCE(q, k, queue) ── gradient to the query network alone
//! view 2 ── momentum encoder, projection ───── key k ───┘
//!                                                └──────▶ queue of the last batches' keys
//! ```
//!
//! | | the papers | here | because |
//! |---|---|---|---|
//! | queue | 65 536 keys of 1.28 million pictures | half of the pictures, at most 4096, whole batches | a longer one would hold other views of the very pictures in the batch and push them apart |
//! | momentum | 0.999 over a million steps | 0.99 | runs here have thousands of steps: the keys would not leave their random start |
//! | first queue | random vectors | keys of the untrained network | the loss starts where chance has it, near ln(queue + 1), and then falls; random vectors are too easy to tell apart |
//! | batch norm of the keys | batches shuffled between GPUs | running statistics that follow the query's | one device is enough; see [`parallax_models::Keys`] |
//! | optimizer | SGD, 0.03 | Adam, as everything here | one loop |
//!
//! Neighbouring frames of a drive are nearly alike and yet are pushed apart: a weakness of the method on video that the queue
//! cannot mend. Momentum network and queue are part of the checkpoint (`keys.safetensors`).
//!
//! References: He et al., *Momentum Contrast for Unsupervised Visual Representation Learning*, CVPR 2020; Chen et al.,
//! *Improved Baselines with Momentum Contrastive Learning*, 2020; Cai et al., *Exponential Moving Average Normalization for
//! Self-supervised and Semi-supervised Learning*, CVPR 2021.

pub mod info_nce;
pub mod model;
pub mod neighbours;
pub mod views;

use std::path::Path;

use burn::tensor::Device;
use parallax_core::model_input::ModelInput;
use parallax_models::{ContrastiveNetwork, Network};
use serde::{Deserialize, Serialize};

use self::info_nce::info_nce;
use self::model::ContrastiveModel;
use super::pictures::{Order, Pictures};
use super::run::{RivalTask, model_input};
use super::{Method, RivalConfig, number, picture_dims, tensor};
use crate::Error;
use crate::data::order::{Purpose, random, samples_of_step};
use crate::device::ChosenDevice;
use crate::inheritance::Beginning;
use crate::lesson::Lesson;
use crate::training::{LossTerm, Sample, StepLoss, Task};

/// The longest queue that is chosen by itself: MoCo's own ablation loses little from 65 536 down to 4096.
const LONGEST_QUEUE: usize = 4096;

/// The first of the steps whose batches fill the queue: far beyond any run's own steps.
const FILLING_STEPS: u64 = 1 << 40;

/// Settings of contrastive pre-training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveSettings {
    /// τ: how sharply alike and unlike are told apart.
    pub temperature: f64,
    /// Part of the momentum network that stays from step to step.
    pub momentum: f64,
    /// Keys in the queue; found from the number of pictures when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue: Option<usize>,
}

impl Default for ContrastiveSettings {
    fn default() -> Self {
        Self { temperature: 0.2, momentum: 0.99, queue: None }
    }
}

impl ContrastiveSettings {
    pub(super) fn check(&self, batch: usize) -> Result<(), Error> {
        let fault = |what: String, hint| Err(Error::Settings { what, hint });
        if batch < 2 {
            return fault(
                "contrastive pre-training compares pictures, got a batch of 1".into(),
                "give --batch 8 or more",
            );
        }
        let temperature = self.temperature > 0.0 && self.temperature.is_finite();
        if !temperature || !(0.0..=1.0).contains(&self.momentum) || self.queue.is_some_and(|queue| queue < batch) {
            let hint = "the temperature must be above 0, the momentum in 0..1 and the queue at least a batch";
            return fault(format!("the contrastive settings make no sense: {self:?}"), hint);
        }
        Ok(())
    }
}

/// Half of the pictures, at most [`LONGEST_QUEUE`], in whole batches, at least one.
fn queue_length(pictures: usize, batch: usize) -> usize {
    let half = (pictures / 2).min(LONGEST_QUEUE);
    (half / batch).max(1) * batch
}

/// A batch, as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastiveBatch {
    names: Vec<String>,
    /// First views as the network sees them, `[batch, 3, height, width]`.
    queries: Vec<f32>,
    /// Second views.
    keys: Vec<f32>,
}

/// Contrastive pre-training.
#[derive(Debug)]
pub struct ContrastiveTask {
    /// The settings, with the queue's length found.
    settings: ContrastiveSettings,
    pictures: Pictures,
    queue: usize,
    network: Network,
    input: ModelInput,
    batch: usize,
    seed: u64,
}

impl ContrastiveTask {
    /// A network's model with a queue full of its own keys.
    fn with_full_queue(&self, query: ContrastiveNetwork, device: &Device) -> Result<ContrastiveModel, Error> {
        let model = ContrastiveModel::new(query, self.queue, device);
        for step in 0..self.queue.div_ceil(self.batch) as u64 {
            let batch = self.batch(FILLING_STEPS + step)?;
            let dims = picture_dims(&batch.keys, &self.input);
            model.enqueue(tensor(&batch.keys, dims, &device.clone().inner()));
        }
        Ok(model)
    }
}

impl Task for ContrastiveTask {
    type Model = ContrastiveModel;
    type Batch = ContrastiveBatch;

    fn batch(&self, step: u64) -> Result<ContrastiveBatch, Error> {
        let drawn = samples_of_step(self.seed, step, self.batch, self.pictures.count());
        let mut batch = ContrastiveBatch { names: vec![], queries: vec![], keys: vec![] };
        for (place, number) in (step * self.batch as u64..).zip(drawn) {
            let mut random = random(self.seed, Purpose::Augmentation, place);
            let picture = self.pictures.picture(number)?;
            views::append_view(&picture, &self.input, &mut random, &mut batch.queries);
            views::append_view(&picture, &self.input, &mut random, &mut batch.keys);
            batch.names.push(self.pictures.name(number));
        }
        Ok(batch)
    }

    fn describe(&self, batch: &ContrastiveBatch) -> String {
        batch.names.join(", ")
    }

    fn loss(
        &self,
        model: &ContrastiveModel,
        batch: &ContrastiveBatch,
        _: u64,
        device: &Device,
    ) -> Result<StepLoss, Error> {
        let dims = picture_dims(&batch.queries, &self.input);
        let queue = model.follow(self.settings.momentum as f32);
        let queries = model.query.forward(tensor(&batch.queries, dims, device));
        let keys = model.enqueue(tensor(&batch.keys, dims, &device.clone().inner()));
        let objective = info_nce(queries, keys, queue, self.settings.temperature);
        let terms = vec![LossTerm { name: "info_nce", value: number(&objective) }];
        Ok(StepLoss { objective, terms })
    }

    fn save(&self, model: &ContrastiveModel, folder: &Path) -> Result<(), Error> {
        model.save(folder)
    }

    fn load(&self, folder: &Path, device: &Device) -> Result<ContrastiveModel, Error> {
        ContrastiveModel::load(folder, self.queue, device)
    }

    /// Some pictures with those that the network describes most alike.
    fn samples(&self, model: &ContrastiveModel, device: &Device) -> Result<Vec<Sample>, Error> {
        let picture = neighbours::sheet(&model.query, &self.pictures, &self.input, device)?;
        Ok(vec![Sample { name: "neighbours".into(), picture }])
    }
}

impl RivalTask for ContrastiveTask {
    type Settings = ContrastiveSettings;

    const ORDER: Order = Order::Any;

    fn new(
        config: &RivalConfig,
        settings: ContrastiveSettings,
        pictures: Pictures,
        _: &ChosenDevice,
    ) -> Result<Self, Error> {
        if pictures.count() < 2 {
            return Err(Error::Data {
                what: "contrastive pre-training compares pictures, found only one".into(),
                path: pictures.path().to_path_buf(),
                hint: "give a recording or a folder with more pictures",
            });
        }
        let queue = settings.queue.unwrap_or_else(|| queue_length(pictures.count(), config.batch));
        let settings = ContrastiveSettings { queue: Some(queue), ..settings };
        let (network, input) = (config.network, model_input(config));
        Ok(Self { settings, pictures, queue, network, input, batch: config.batch, seed: config.seed })
    }

    fn method(&self) -> Method {
        Method::Contrastive(self.settings.clone())
    }

    fn lesson(&self) -> Result<Lesson, Error> {
        self.pictures.lesson()
    }

    fn begin(&self, beginning: Beginning, device: &Device) -> Result<ContrastiveModel, Error> {
        let fresh = || self.network.contrastive(self.seed, device);
        let query = match beginning {
            Beginning::Fresh => fresh(),
            Beginning::Same(weights) => ContrastiveNetwork::load(&weights, device)?,
            Beginning::Backbone(backbone) => fresh().with_backbone(&backbone)?,
        };
        self.with_full_queue(query, device)
    }
}

#[cfg(test)]
mod tests {
    use super::queue_length;

    #[test]
    fn the_queue_holds_half_of_the_pictures_in_whole_batches() {
        assert_eq!(queue_length(400, 8), 200);
        assert_eq!(queue_length(405, 8), 200);
        assert_eq!(queue_length(3, 8), 8);
        assert_eq!(queue_length(1_000_000, 8), 4096);
    }
}
