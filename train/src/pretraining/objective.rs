//! The loss of what the networks said, on the device or on the host.
//!
//! On the device the loss is a tensor and differentiated as one. On the host it is computed with its gradient to the networks'
//! outputs, and what is differentiated is `Σ output · gradient`.

use burn::tensor::{Device, Tensor};

use super::LossPlace;
use super::task::{host_values, tensor};
use crate::data::{DepthBatch, Motion, RangeBatch, Surroundings, TermBatch};
use crate::geometry::{Pinholes, Poses};
use crate::loss::range::range_loss;
use crate::loss::speed::speed_loss;
use crate::loss::{host, reprojection};
use crate::training::{LossTerm, StepLoss};

/// What the networks said about a batch.
pub(super) struct Outputs {
    /// Finest first.
    pub(super) disparities: Vec<Tensor<4>>,
    /// Per term and source, `source_from_target`.
    pub(super) poses: Vec<Vec<Poses>>,
    /// Where intrinsics are learned.
    pub(super) cameras: Option<Pinholes>,
}

/// The parts of the loss, weights included.
struct Parts {
    photometric: Vec<f64>,
    range: f64,
    smoothness: f64,
}

/// The loss of a batch; `speed_weight` is λ of the speed term.
pub(super) fn loss(
    place: LossPlace,
    batch: &DepthBatch,
    outputs: &Outputs,
    speed_weight: f32,
    device: &Device,
) -> StepLoss {
    let (objective, parts) = match place {
        LossPlace::Host => on_host(batch, outputs),
        LossPlace::Device => on_device(batch, outputs, device),
    };
    let mut terms = loss_terms(batch, &parts);
    let Some(speed) = speed(batch, outputs, speed_weight) else { return StepLoss { objective, terms } };
    terms.push(LossTerm { name: "speed", value: value(&speed) });
    StepLoss { objective: objective + speed, terms }
}

/// The speed term over all learned motions, where the speed is known.
fn speed(batch: &DepthBatch, outputs: &Outputs, weight: f32) -> Option<Tensor<1>> {
    let sources = batch.terms.iter().zip(&outputs.poses).flat_map(|(term, poses)| term.sources.iter().zip(poses));
    let learned: Vec<(&Poses, &[f32])> = sources
        .filter_map(|(source, poses)| match &source.motion {
            Motion::Learned { ways } if !ways.is_empty() => Some((poses, ways.as_slice())),
            _ => None,
        })
        .collect();
    let share = weight / learned.len().max(1) as f32;
    learned.iter().map(|(poses, ways)| speed_loss(poses, ways, share)).reduce(|sum, part| sum + part)
}

fn on_device(batch: &DepthBatch, outputs: &Outputs, device: &Device) -> (Tensor<1>, Parts) {
    // Frames are constants: without autodiff no graph is kept for what is computed from them alone.
    let constants = device.clone().inner();
    let dims = [batch.names.len(), 3, batch.height, batch.width];
    let image = |values: &[f32]| tensor(values, dims, &constants);
    let terms: Vec<reprojection::Term> = batch
        .terms
        .iter()
        .zip(&outputs.poses)
        .map(|(term, poses)| {
            let sources = term.sources.iter().zip(poses);
            let sources = sources.map(|(source, pose)| reprojection::Source {
                image: image(&source.image),
                around: source.surroundings.as_ref().map(|around| on_tensors(around, &constants)),
                pose: pose.clone(),
            });
            reprojection::Term { weight: term.weight, sources: sources.collect(), out_of_view: term.out_of_view }
        })
        .collect();
    let pyramid: Vec<Tensor<4>> = batch
        .pyramid
        .iter()
        .zip(&outputs.disparities)
        .map(|(values, disparity)| tensor(values, [dims[0], 3, disparity.dims()[2], disparity.dims()[3]], &constants))
        .collect();
    let given = || Pinholes::new(&batch.intrinsics, &constants);
    let cameras = outputs.cameras.clone().unwrap_or_else(given);
    let parts = reprojection::reprojection_loss(image(&batch.target), &cameras, &terms, &outputs.disparities, &pyramid);
    let range = batch.ranges.as_ref().map(|RangeBatch { weight, depth }| {
        let measured = tensor(depth, [dims[0], 1, dims[2], dims[3]], &constants);
        range_loss(&outputs.disparities, measured, *weight)
    });
    let values = Parts {
        photometric: parts.photometric.iter().map(value).collect(),
        range: range.as_ref().map_or(0.0, value),
        smoothness: value(&parts.smoothness),
    };
    let terms = parts.photometric.into_iter().chain(range);
    (terms.fold(parts.smoothness, |sum, part| sum + part), values)
}

fn on_tensors(around: &Surroundings, device: &Device) -> reprojection::Around {
    let Surroundings { width, height, image, places } = around;
    let image = tensor(image, [places.len(), 3, *height, *width], device);
    let along = |axis: usize| -> Vec<f32> { places.iter().map(|place| place[axis]).collect() };
    let place = [0, 1].map(|axis| tensor(&along(axis), [places.len(), 1, 1, 1], device));
    reprojection::Around { image, place }
}

fn on_host(batch: &DepthBatch, outputs: &Outputs) -> (Tensor<1>, Parts) {
    let term = |(term, poses): (&TermBatch, &Vec<Poses>)| -> Vec<Vec<host::Motion>> {
        term.sources.iter().zip(poses).map(|(_, poses)| poses.motions()).collect()
    };
    let motions: Vec<Vec<Vec<host::Motion>>> = batch.terms.iter().zip(&outputs.poses).map(term).collect();
    let terms = batch.terms.iter().zip(motions).map(|(term, motions)| {
        let sources = term.sources.iter().zip(motions);
        let sources = sources.map(|(source, motions)| {
            let around = source.surroundings.as_ref();
            let around =
                around.map(|around| host::Around { width: around.width, image: &around.image, places: &around.places });
            host::Source { image: &source.image, around, motions }
        });
        host::Term { weight: term.weight, sources: sources.collect(), out_of_view: term.out_of_view }
    });
    let learned = outputs.cameras.as_ref().map(Pinholes::intrinsics);
    let frames = host::Frames {
        width: batch.width,
        height: batch.height,
        target: &batch.target,
        pyramid: &batch.pyramid,
        intrinsics: learned.as_ref().unwrap_or(&batch.intrinsics),
        terms: terms.collect(),
        ranges: batch.ranges.as_ref().map(|ranges| host::Ranges { weight: ranges.weight, depth: &ranges.depth }),
    };
    let values: Vec<Vec<f32>> = outputs.disparities.iter().cloned().map(host_values).collect();
    let loss = host::host_loss(&frames, &values);
    let objective = objective(batch, outputs, &loss);
    (objective, Parts { photometric: loss.photometric, range: loss.range, smoothness: loss.smoothness })
}

/// `Σ output · gradient`: its derivative to the outputs is the gradient found on the host.
fn objective(batch: &DepthBatch, outputs: &Outputs, loss: &host::HostLoss) -> Tensor<1> {
    let maps = outputs.disparities.iter().zip(&loss.disparities).map(|(disparity, gradient)| {
        let gradient = tensor(gradient, disparity.dims(), &disparity.device().inner());
        (disparity.clone() * gradient).sum()
    });
    let learned = batch.terms.iter().zip(&outputs.poses).zip(&loss.motions).flat_map(|((term, poses), gradients)| {
        let sources = term.sources.iter().zip(poses).zip(gradients);
        sources.filter(|((source, _), _)| matches!(source.motion, Motion::Learned { .. }))
    });
    let motions = learned.map(|((_, poses), gradients)| poses.dot(gradients));
    let cameras = outputs.cameras.iter().map(|cameras| cameras.dot(&loss.intrinsics));
    let zero = Tensor::zeros([1], &outputs.disparities[0].device().inner());
    maps.chain(motions).chain(cameras).fold(zero, |sum, part| sum + part)
}

fn loss_terms(batch: &DepthBatch, parts: &Parts) -> Vec<LossTerm> {
    let terms = batch.terms.iter().zip(&parts.photometric);
    let mut terms: Vec<LossTerm> =
        terms.map(|(term, value)| LossTerm { name: term.supervision.name(), value: *value }).collect();
    if batch.ranges.is_some() {
        terms.push(LossTerm { name: "range", value: parts.range });
    }
    terms.push(LossTerm { name: "smoothness", value: parts.smoothness });
    terms
}

fn value(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}
