//! Masked reconstruction: rectangles of a picture are blanked, and the network says what was there.
//!
//! ```text
//! loss = mean over blanked pixels |prediction − picture|  +  0.1 · mean over the others |prediction − picture|
//! ```
//!
//! Both means are over pixels and colours. The small second term keeps the decoder's skip connections at work, as a U-Net
//! that segments needs them, and stops seams at the rectangles' borders; a network that copies what it sees makes it zero
//! and learns nothing from it. Mirroring is the only augmentation: colours are the target.
//!
//! Reference: Pathak et al., *Context Encoders: Feature Learning by Inpainting*, CVPR 2016 (there with an adversary and L2;
//! here L1 alone, as Lao et al. compare it with depth).

pub mod rectangles;

use std::path::Path;

use burn::tensor::{Device, Tensor};
use parallax_core::model_input::ModelInput;
use parallax_models::{InpaintingNetwork, Network};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::pictures::{Order, Pictures};
use super::run::{RivalTask, model_input};
use super::{Method, RivalConfig, number, numbers, picture_dims, picture_of, spread, stacked, tensor};
use crate::Error;
use crate::data::augmentation::{ColorChange, Mirroring, append_input, append_planes};
use crate::data::order::{Purpose, random, samples_of_step};
use crate::device::ChosenDevice;
use crate::geometry::upsample;
use crate::inheritance::Beginning;
use crate::lesson::Lesson;
use crate::training::{LossTerm, Sample, StepLoss, Task};

/// Pictures of which samples are drawn.
const SAMPLES: usize = 4;

/// Settings of masked reconstruction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InpaintingSettings {
    /// Rectangles are blanked until they cover this part of the picture.
    pub covered: f64,
    /// Shortest side of a rectangle, as a part of the picture's side.
    pub shortest: f64,
    /// Longest side of a rectangle, as a part of the picture's side.
    pub longest: f64,
    /// Weight of the pixels that were not blanked.
    pub kept_weight: f64,
}

impl Default for InpaintingSettings {
    /// A quarter of the picture, as the paper's region masks at most cover; rectangles from the size of a pedestrian to that
    /// of a near car, five or six a picture.
    fn default() -> Self {
        Self { covered: 0.25, shortest: 0.125, longest: 0.375, kept_weight: 0.1 }
    }
}

impl InpaintingSettings {
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self { covered, shortest, longest, kept_weight } = *self;
        let sides = shortest > 0.0 && shortest <= longest && longest <= 1.0;
        if sides && covered > 0.0 && covered < 1.0 && kept_weight >= 0.0 && kept_weight.is_finite() {
            return Ok(());
        }
        let hint = "0 < covered < 1, 0 < shortest <= longest <= 1, kept_weight >= 0";
        Err(Error::Settings { what: format!("the inpainting settings make no sense: {self:?}"), hint })
    }
}

/// A batch, as plain numbers.
#[derive(Debug, Clone)]
pub struct InpaintingBatch {
    names: Vec<String>,
    /// `[batch, 3, height, width]`, values in 0..1.
    target: Vec<f32>,
    /// The same as the network sees it, zero (the mean colour) where blanked.
    input: Vec<f32>,
    /// 1 where blanked, else 0: `[batch, 1, height, width]`.
    blanked: Vec<f32>,
}

/// Pre-training by inpainting.
#[derive(Debug)]
pub struct InpaintingTask {
    pictures: Pictures,
    settings: InpaintingSettings,
    network: Network,
    input: ModelInput,
    batch: usize,
    seed: u64,
}

impl InpaintingTask {
    /// Adds a picture with its own rectangles to a batch.
    fn append(&self, number: usize, place: u64, batch: &mut InpaintingBatch) -> Result<(), Error> {
        let mut random = random(self.seed, Purpose::Augmentation, place);
        let mirroring = if random.random_bool(0.5) { Mirroring::Yes } else { Mirroring::No };
        let (width, height) = (self.input.width as usize, self.input.height as usize);
        let blanked = rectangles::blanked(width, height, &self.settings, &mut random);
        let picture = self.pictures.picture(number)?;
        batch.names.push(self.pictures.name(number));
        append_planes(&picture, mirroring, &mut batch.target);
        let start = batch.input.len();
        append_input(&picture, mirroring, &ColorChange::none(), &self.input, &mut batch.input);
        for (value, blanked) in batch.input[start..].iter_mut().zip(blanked.iter().cycle()) {
            *value *= f32::from(u8::from(!blanked));
        }
        batch.blanked.extend(blanked.iter().map(|blanked| f32::from(u8::from(*blanked))));
        Ok(())
    }

    /// The whole picture, `[batch, 3, height, width]`.
    fn prediction(&self, model: &InpaintingNetwork, input: Tensor<4>) -> Tensor<4> {
        upsample(model.forward(input), self.network.finest_stride())
    }
}

/// The loss: the blanked pixels' part and, weighted, the others', each `[1]`.
///
/// # Shapes
/// - `prediction`, `target`: `[batch, 3, height, width]`, values in 0..1
/// - `blanked`: `[batch, 1, height, width]`, 1 or 0; neither all the one nor all the other
#[must_use]
pub fn inpainting_loss(
    prediction: Tensor<4>,
    target: Tensor<4>,
    blanked: Tensor<4>,
    kept_weight: f64,
) -> (Tensor<1>, Tensor<1>) {
    let difference = (prediction - target).abs().mean_dim(1);
    let mean_over = |mask: Tensor<4>| (difference.clone() * mask.clone()).sum() / mask.sum();
    let kept = blanked.clone().neg().add_scalar(1.0);
    (mean_over(blanked), mean_over(kept) * kept_weight)
}

impl Task for InpaintingTask {
    type Model = InpaintingNetwork;
    type Batch = InpaintingBatch;

    fn batch(&self, step: u64) -> Result<InpaintingBatch, Error> {
        let drawn = samples_of_step(self.seed, step, self.batch, self.pictures.count());
        let mut batch = InpaintingBatch { names: vec![], target: vec![], input: vec![], blanked: vec![] };
        for (place, number) in (step * self.batch as u64..).zip(drawn) {
            self.append(number, place, &mut batch)?;
        }
        Ok(batch)
    }

    fn describe(&self, batch: &InpaintingBatch) -> String {
        batch.names.join(", ")
    }

    fn loss(
        &self,
        model: &InpaintingNetwork,
        batch: &InpaintingBatch,
        _: u64,
        device: &Device,
    ) -> Result<StepLoss, Error> {
        let dims = picture_dims(&batch.input, &self.input);
        let constants = device.clone().inner();
        let prediction = self.prediction(model, tensor(&batch.input, dims, device));
        let blanked = tensor(&batch.blanked, [dims[0], 1, dims[2], dims[3]], &constants);
        let target = tensor(&batch.target, dims, &constants);
        let (inside, outside) = inpainting_loss(prediction, target, blanked, self.settings.kept_weight);
        let terms = vec![
            LossTerm { name: "blanked", value: number(&inside) },
            LossTerm { name: "kept", value: number(&outside) },
        ];
        Ok(StepLoss { objective: inside + outside, terms })
    }

    fn save(&self, model: &InpaintingNetwork, folder: &Path) -> Result<(), Error> {
        Ok(model.save(&folder.join("model.safetensors"))?)
    }

    fn load(&self, folder: &Path, device: &Device) -> Result<InpaintingNetwork, Error> {
        Ok(InpaintingNetwork::load(&folder.join("model.safetensors"), device)?)
    }

    /// What the network sees, and below it what it makes of it.
    fn samples(&self, model: &InpaintingNetwork, device: &Device) -> Result<Vec<Sample>, Error> {
        spread(SAMPLES, self.pictures.count())
            .map(|number| {
                let mut batch = InpaintingBatch { names: vec![], target: vec![], input: vec![], blanked: vec![] };
                // Places of no step of any run: the rectangles stay where they are from one round of samples to the next.
                self.append(number, u64::MAX - number as u64, &mut batch)?;
                let dims = picture_dims(&batch.input, &self.input);
                let predicted = numbers(self.prediction(model, tensor(&batch.input, dims, device)))?;
                let seen: Vec<f32> = (batch.target.iter().zip(batch.blanked.iter().cycle()))
                    .map(|(value, blanked)| if *blanked > 0.0 { 0.5 } else { *value })
                    .collect();
                let pictures = [seen, predicted].map(|planes| picture_of(&planes, dims[3]));
                Ok(Sample { name: format!("inpainting_{number:06}"), picture: stacked(&pictures) })
            })
            .collect()
    }
}

impl RivalTask for InpaintingTask {
    type Settings = InpaintingSettings;

    const ORDER: Order = Order::Any;

    fn new(
        config: &RivalConfig,
        settings: InpaintingSettings,
        pictures: Pictures,
        _: &ChosenDevice,
    ) -> Result<Self, Error> {
        let (network, input) = (config.network, model_input(config));
        Ok(Self { pictures, settings, network, input, batch: config.batch, seed: config.seed })
    }

    fn method(&self) -> Method {
        Method::Inpainting(self.settings.clone())
    }

    fn lesson(&self) -> Result<Lesson, Error> {
        self.pictures.lesson()
    }

    fn begin(&self, beginning: Beginning, device: &Device) -> Result<InpaintingNetwork, Error> {
        let fresh = || self.network.inpainting(self.seed, device);
        Ok(match beginning {
            Beginning::Fresh => fresh(),
            Beginning::Same(weights) => InpaintingNetwork::load(&weights, device)?,
            Beginning::Backbone(backbone) => fresh().with_backbone(&backbone)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMS: [usize; 4] = [1, 3, 4, 8];

    fn target() -> Vec<f32> {
        (0..96).map(|i| 0.5 + 0.4 * (i as f32 * 0.7).sin()).collect()
    }

    /// The two left columns are blanked.
    fn blanked() -> Vec<f32> {
        (0..32).map(|i| f32::from(u8::from(i % 8 < 2))).collect()
    }

    /// Both parts of the loss and the gradient of their sum to the prediction.
    fn loss(prediction: &[f32], kept_weight: f64) -> ([f64; 2], Vec<f32>) {
        let device = Device::flex().autodiff();
        let prediction = tensor(prediction, DIMS, &device).require_grad();
        let mask = tensor(&blanked(), [1, 1, 4, 8], &device);
        let (inside, outside) =
            inpainting_loss(prediction.clone(), tensor(&target(), DIMS, &device), mask, kept_weight);
        let gradients = (inside.clone() + outside.clone()).backward();
        ([number(&inside), number(&outside)], numbers(prediction.grad(&gradients).unwrap()).unwrap())
    }

    #[test]
    fn it_is_zero_at_the_true_picture_and_the_gradient_points_there_from_elsewhere() {
        assert_eq!(loss(&target(), 0.1).0, [0.0, 0.0]);
        let off: Vec<f32> =
            target().iter().enumerate().map(|(i, value)| value + 0.1 * (i as f32 * 1.3).sin()).collect();
        let ([inside, outside], gradient) = loss(&off, 0.1);
        assert!(inside > 0.01 && outside > 0.001);
        let home: f32 = gradient.iter().zip(&off).zip(target()).map(|((slope, off), home)| slope * (home - off)).sum();
        assert!((f64::from(home) + inside + outside).abs() < 1e-6, "an L1 loss falls by itself on the way home");
    }

    #[test]
    fn what_was_not_blanked_counts_by_its_weight_alone() {
        let place = |i: usize| i % 8 < 2;
        let wrong_outside: Vec<f32> =
            target().iter().enumerate().map(|(i, value)| if place(i) { *value } else { value + 0.2 }).collect();
        let ([inside, outside], _) = loss(&wrong_outside, 0.1);
        assert!(inside == 0.0 && (outside - 0.1 * 0.2).abs() < 1e-6, "{inside} {outside}");
        let ([inside, outside], gradient) = loss(&wrong_outside, 0.0);
        assert_eq!((inside, outside), (0.0, 0.0));
        assert!(gradient.iter().all(|value| *value == 0.0));
        let wrong_inside: Vec<f32> =
            target().iter().enumerate().map(|(i, value)| if place(i) { value + 0.2 } else { *value }).collect();
        let ([inside, outside], _) = loss(&wrong_inside, 0.1);
        assert!((inside - 0.2).abs() < 1e-6 && outside == 0.0, "{inside} {outside}");
    }
}
