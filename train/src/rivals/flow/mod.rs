//! Optical flow: where every pixel of a frame goes in the next one.
//!
//! Batches are pairs of frames of one camera, mirrored and jittered in colour together as for depth; both directions are
//! learned. Loss: [`crate::loss::flow`], on the CPU in loops ([`crate::loss::host::flow`]).

pub mod colors;

use std::path::Path;

use burn::tensor::{Device, Tensor};
use parallax_core::model_input::ModelInput;
use parallax_models::decoder::SCALES;
use parallax_models::flow::LARGEST_FLOW;
use parallax_models::{FlowNetwork, Network};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::pictures::{Order, Pictures};
use super::run::{RivalTask, model_input};
use super::{Method, RivalConfig, number, numbers, picture_dims, spread, stacked, tensor};
use crate::Error;
use crate::data::augmentation::{ColorChange, Mirroring, append_input, append_planes, shrink};
use crate::data::order::{Purpose, random, samples_of_step};
use crate::device::{ChosenDevice, DeviceKind};
use crate::inheritance::Beginning;
use crate::lesson::{Lesson, Look, TARGETS};
use crate::loss::flow::flow_loss;
use crate::loss::host;
use crate::pretraining::LossPlace;
use crate::training::{LossTerm, Sample, StepLoss, Task};

/// Pairs of which sample pictures are drawn.
const SAMPLES: usize = 4;

/// Settings of optical flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSettings {
    /// Frames from one to the other.
    pub frame_gap: usize,
}

impl FlowSettings {
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.frame_gap > 0 {
            return Ok(());
        }
        Err(Error::Settings { what: "--frame-gap must be at least 1".into(), hint: "leave it out for the default" })
    }
}

/// A batch, as plain numbers: all first frames, then all second ones.
#[derive(Debug, Clone)]
pub struct FlowBatch {
    /// Names of the first frames.
    names: Vec<String>,
    /// The frames as the network sees them, `[2 * pairs, 3, height, width]`.
    input: Vec<f32>,
    /// The frames themselves, values in 0..1, at full size and shrunk by 2, 4, ... for each scale of flow.
    pyramid: Vec<host::flow::Pairs>,
}

/// Optical-flow pre-training.
#[derive(Debug)]
pub struct FlowTask {
    settings: FlowSettings,
    pictures: Pictures,
    pairs: Vec<[usize; 2]>,
    network: Network,
    input: ModelInput,
    batch: usize,
    seed: u64,
    place: LossPlace,
}

impl FlowTask {
    /// Flow in pixels of each scale's pictures, finest scale first.
    fn flows(&self, model: &FlowNetwork, input: Tensor<4>) -> Vec<Tensor<4>> {
        let largest_px = |scale: usize| LARGEST_FLOW * f64::from(self.input.width >> scale);
        model.forward(input).into_iter().enumerate().map(|(scale, flow)| flow * largest_px(scale)).collect()
    }
}

impl Task for FlowTask {
    type Model = FlowNetwork;
    type Batch = FlowBatch;

    fn batch(&self, step: u64) -> Result<FlowBatch, Error> {
        let drawn = samples_of_step(self.seed, step, self.batch, self.pairs.len());
        let (mut frames, mut input) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        let mut names = Vec::new();
        for (place, sample) in (step * self.batch as u64..).zip(drawn) {
            let mut random = random(self.seed, Purpose::Augmentation, place);
            let mirroring = if random.random_bool(0.5) { Mirroring::Yes } else { Mirroring::No };
            let mut color = None;
            for (half, number) in self.pairs[sample].into_iter().enumerate() {
                let picture = self.pictures.picture(number)?;
                let color = color.get_or_insert_with(|| ColorChange::random(&picture, &mut random));
                append_planes(&picture, mirroring, &mut frames[half]);
                append_input(&picture, mirroring, color, &self.input, &mut input[half]);
            }
            names.push(self.pictures.name(self.pairs[sample][0]));
        }
        let frames = frames.concat();
        let (width, height) = (self.input.width as usize, self.input.height as usize);
        let scale = |scale: usize| host::flow::Pairs {
            width: width >> scale,
            height: height >> scale,
            pictures: shrink(&frames, width, 1 << scale),
        };
        Ok(FlowBatch { names, input: input.concat(), pyramid: (0..SCALES).map(scale).collect() })
    }

    fn describe(&self, batch: &FlowBatch) -> String {
        batch.names.join(", ")
    }

    fn loss(&self, model: &FlowNetwork, batch: &FlowBatch, _: u64, device: &Device) -> Result<StepLoss, Error> {
        let dims = picture_dims(&batch.input, &self.input);
        let flows = self.flows(model, tensor(&batch.input, dims, device));
        let terms = |photometric, smoothness| {
            vec![
                LossTerm { name: "photometric", value: photometric },
                LossTerm { name: "smoothness", value: smoothness },
            ]
        };
        if self.place == LossPlace::Device {
            let of_scale = |pairs: &host::flow::Pairs| {
                tensor(&pairs.pictures, [dims[0], 3, pairs.height, pairs.width], &device.clone().inner())
            };
            let pyramid: Vec<Tensor<4>> = batch.pyramid.iter().map(of_scale).collect();
            let (photometric, smoothness) = flow_loss(&pyramid, &flows);
            let terms = terms(number(&photometric), number(&smoothness));
            return Ok(StepLoss { objective: photometric + smoothness, terms });
        }
        let values = flows.iter().cloned().map(numbers).collect::<Result<Vec<_>, _>>()?;
        let loss = host::flow::flow_loss(&batch.pyramid, &values);
        // Σ flow · gradient: its derivative to the flow is the gradient found on the host.
        let objective = flows.into_iter().zip(&loss.flows).map(|(flow, gradient)| {
            let gradient = tensor(gradient, flow.dims(), &flow.device().inner());
            (flow * gradient).sum()
        });
        let zero = Tensor::zeros([1], &device.clone().inner());
        Ok(StepLoss {
            objective: objective.fold(zero, |sum, part| sum + part),
            terms: terms(loss.photometric, loss.smoothness),
        })
    }

    fn save(&self, model: &FlowNetwork, folder: &Path) -> Result<(), Error> {
        Ok(model.save(&folder.join("model.safetensors"))?)
    }

    fn load(&self, folder: &Path, device: &Device) -> Result<FlowNetwork, Error> {
        Ok(FlowNetwork::load(&folder.join("model.safetensors"), device)?)
    }

    /// A frame, and below it its flow to the partner in colours.
    fn samples(&self, model: &FlowNetwork, device: &Device) -> Result<Vec<Sample>, Error> {
        spread(SAMPLES, self.pairs.len())
            .map(|number| {
                let [first, second] = self.pairs[number];
                let frames = [self.pictures.picture(first)?, self.pictures.picture(second)?];
                let mut input = vec![0.0; 2 * self.input.len()];
                for (frame, values) in frames.iter().zip(input.chunks_exact_mut(self.input.len())) {
                    self.input.normalize(frame, values);
                }
                let dims = picture_dims(&input, &self.input);
                let flow = self.flows(model, tensor(&input, dims, device)).swap_remove(0).narrow(0, 0, 1);
                let width = flow.dims()[3];
                let drawn = colors::flow_in_colors(&numbers(flow)?, width);
                let filter = image::imageops::FilterType::Nearest;
                let drawn = image::imageops::resize(&drawn, self.input.width, self.input.height, filter);
                let [frame, _] = frames;
                Ok(Sample { name: format!("flow_{number:06}"), picture: stacked(&[frame, drawn]) })
            })
            .collect()
    }
}

impl RivalTask for FlowTask {
    type Settings = FlowSettings;

    const ORDER: Order = Order::Frames;

    fn new(
        config: &RivalConfig,
        settings: FlowSettings,
        pictures: Pictures,
        device: &ChosenDevice,
    ) -> Result<Self, Error> {
        let pairs = pictures.pairs(settings.frame_gap);
        if pairs.is_empty() {
            return Err(Error::Data {
                what: format!(
                    "flow needs two frames {} apart, found none among {}",
                    settings.frame_gap,
                    pictures.count()
                ),
                path: pictures.path().to_path_buf(),
                hint: "give a recording or a folder of consecutive frames, or lower --frame-gap",
            });
        }
        let place = match device.kind {
            DeviceKind::Gpu => LossPlace::Device,
            DeviceKind::Cpu => LossPlace::Host,
        };
        let (network, input) = (config.network, model_input(config));
        Ok(Self { settings, pictures, pairs, network, input, batch: config.batch, seed: config.seed, place })
    }

    fn method(&self) -> Method {
        Method::Flow(self.settings.clone())
    }

    fn lesson(&self) -> Result<Lesson, Error> {
        let mut lesson = Lesson::of("flow");
        for pair in spread(TARGETS, self.pairs.len()) {
            let [earlier, later] = self.pairs[pair];
            let look = |number| Ok::<_, Error>(Look::of_picture(&self.pictures.picture(number)?));
            lesson.add(look(earlier)?.beside(&look(later)?, None));
        }
        Ok(lesson)
    }

    fn begin(&self, beginning: Beginning, device: &Device) -> Result<FlowNetwork, Error> {
        let fresh = || self.network.flow(self.seed, device);
        Ok(match beginning {
            Beginning::Fresh => fresh(),
            Beginning::Same(weights) => FlowNetwork::load(&weights, device)?,
            Beginning::Backbone(backbone) => fresh().with_backbone(&backbone)?,
        })
    }
}
