//! A step's loss: the networks on a batch, then Monodepth2's loss on the device or on the host.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use parallax_core::depth::DepthMap;
use parallax_core::picture::depth_in_colors;
use parallax_core::recording::Eye;

use super::{DepthModel, LossPlace};
use crate::Error;
use crate::data::{DepthBatch, DepthBatches, Motion, Supervision, TermBatch};
use crate::geometry::{Pinholes, Poses};
use crate::loss::{depth_from_disparity, host, reprojection};
use crate::training::{LossTerm, Sample, StepLoss, Task};

/// Frames of which sample pictures are drawn.
const SAMPLES: usize = 4;

/// Depth pre-training.
#[derive(Debug)]
pub struct DepthTask {
    /// Where batches come from.
    pub batches: DepthBatches,
    /// Where the loss is computed.
    pub place: LossPlace,
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
        let dims = [batch.names.len(), 3, self.batches.footage.height(), self.batches.footage.width()];
        let input = tensor(&batch.input, dims, device);
        let disparities = model.depth.forward(input.clone());
        let poses: Vec<Vec<Poses>> =
            batch.terms.iter().map(|term| term_poses(model, term, &input, dims, device)).collect();
        match self.place {
            LossPlace::Host => Ok(on_host(batch, &disparities, &poses, dims)),
            LossPlace::Device => Ok(on_device(batch, &disparities, &poses, dims, device)),
        }
    }

    fn save(&self, model: &DepthModel, folder: &Path) -> Result<(), Error> {
        model.save(folder)
    }

    fn load(&self, folder: &Path, device: &Device) -> Result<DepthModel, Error> {
        DepthModel::load(folder, self.learns_motion(), device)
    }

    fn samples(&self, model: &DepthModel, device: &Device) -> Result<Vec<Sample>, Error> {
        let footage = &self.batches.footage;
        (0..SAMPLES.min(footage.recording(0).len()))
            .map(|sample| {
                let index = sample * footage.recording(0).len() / SAMPLES;
                let frame = footage.frame(0, index, Eye::Left)?;
                let mut input = vec![0.0; self.batches.input.len()];
                self.batches.input.normalize(&frame, &mut input);
                let dims = [1, 3, footage.height(), footage.width()];
                let depth = predict(model, &input, dims, device);
                Ok(Sample { name: format!("depth_{index:06}"), picture: above_its_depth(&frame, &depth) })
            })
            .collect()
    }
}

impl DepthTask {
    /// Whether a pose network is needed.
    #[must_use]
    pub fn learns_motion(&self) -> bool {
        self.batches.supervisions.contains(&Supervision::Video)
    }
}

/// The depth of one normalised picture, in depth units, at the finest disparity's size.
#[must_use]
pub fn predict(model: &DepthModel, input: &[f32], dims: [usize; 4], device: &Device) -> DepthMap {
    let disparity = model.depth.finest_disparity(tensor(input, dims, device));
    let [_, _, height, width] = disparity.dims();
    let metres = host_values(depth_from_disparity(disparity));
    DepthMap { width: width as u32, height: height as u32, metres }
}

/// The frame with its depth in colours, brought to the frame's size, below it.
#[must_use]
pub fn above_its_depth(frame: &RgbImage, depth: &DepthMap) -> RgbImage {
    let (width, height) = frame.dimensions();
    let depth = image::imageops::resize(&depth_in_colors(depth), width, height, image::imageops::FilterType::Nearest);
    let mut picture = RgbImage::new(width, 2 * height);
    image::imageops::replace(&mut picture, frame, 0, 0);
    image::imageops::replace(&mut picture, &depth, 0, i64::from(height));
    picture
}

/// The numbers of a tensor, row by row.
fn host_values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("a float tensor can be read as f32")
}

fn tensor(values: &[f32], dims: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), device)
}

/// Motions of a term's sources, `source_from_target`.
fn term_poses(
    model: &DepthModel,
    term: &TermBatch,
    target: &Tensor<4>,
    dims: [usize; 4],
    device: &Device,
) -> Vec<Poses> {
    let learned: Vec<_> = term.sources.iter().filter(|source| !matches!(source.motion, Motion::Shift(_))).collect();
    let mut motions = match &model.pose {
        Some(pose) if !learned.is_empty() => {
            let sources: Vec<_> =
                learned.iter().map(|source| (tensor(&source.input, dims, device), &source.motion)).collect();
            learned_poses(pose, &sources, target)
        }
        _ => Vec::new(),
    }
    .into_iter();
    let no_motion = || Poses::shifts(&vec![0.0; dims[0]], device);
    term.sources
        .iter()
        .map(|source| match &source.motion {
            Motion::Shift(shifts) => Poses::shifts(shifts, &device.clone().inner()),
            Motion::LearnedEarlier | Motion::LearnedLater => motions.next().unwrap_or_else(no_motion),
        })
        .collect()
}

/// The pose network sees every pair in the order of time, all pairs in one batch; the motion from an earlier source is
/// turned around.
fn learned_poses(
    network: &parallax_models::PoseNetwork,
    sources: &[(Tensor<4>, &Motion)],
    target: &Tensor<4>,
) -> Vec<Poses> {
    let [batch, ..] = target.dims();
    let pairs = sources.iter().map(|(source, motion)| match motion {
        Motion::LearnedEarlier => (source.clone(), target.clone()),
        _ => (target.clone(), source.clone()),
    });
    let (first, second): (Vec<_>, Vec<_>) = pairs.unzip();
    let motion = network.forward(Tensor::cat(first, 0), Tensor::cat(second, 0));
    sources
        .iter()
        .enumerate()
        .map(|(i, (_, direction))| {
            let rows = motion.clone().narrow(0, i * batch, batch);
            let later_from_earlier = Poses::from_axis_angle(rows.clone().narrow(1, 0, 3), rows.narrow(1, 3, 3));
            match direction {
                Motion::LearnedEarlier => later_from_earlier.inverse(),
                _ => later_from_earlier,
            }
        })
        .collect()
}

fn on_device(
    batch: &DepthBatch,
    disparities: &[Tensor<4>],
    poses: &[Vec<Poses>],
    dims: [usize; 4],
    device: &Device,
) -> StepLoss {
    // Frames are constants: without autodiff no graph is kept for what is computed from them alone.
    let constants = device.clone().inner();
    let image = |values: &[f32]| tensor(values, dims, &constants);
    let terms: Vec<reprojection::Term> = batch
        .terms
        .iter()
        .zip(poses)
        .map(|(term, poses)| {
            let sources = term.sources.iter().zip(poses);
            let sources =
                sources.map(|(source, pose)| reprojection::Source { image: image(&source.image), pose: pose.clone() });
            reprojection::Term { weight: 1.0, sources: sources.collect() }
        })
        .collect();
    let pyramid: Vec<Tensor<4>> = batch
        .pyramid
        .iter()
        .zip(disparities)
        .map(|(values, disparity)| tensor(values, [dims[0], 3, disparity.dims()[2], disparity.dims()[3]], &constants))
        .collect();
    let cameras = Pinholes::new(&batch.intrinsics, &constants);
    let parts = reprojection::reprojection_loss(image(&batch.target), &cameras, &terms, disparities, &pyramid);
    let value = |tensor: &Tensor<1>| f64::from(tensor.clone().into_scalar::<f32>());
    let photometric: Vec<f64> = parts.photometric.iter().map(value).collect();
    let terms = loss_terms(batch, &photometric, value(&parts.smoothness));
    let objective = parts.photometric.into_iter().fold(parts.smoothness, |sum, part| sum + part);
    StepLoss { objective, terms }
}

fn on_host(batch: &DepthBatch, disparities: &[Tensor<4>], poses: &[Vec<Poses>], dims: [usize; 4]) -> StepLoss {
    let term = |(term, poses): (&TermBatch, &Vec<Poses>)| -> Vec<Vec<host::Motion>> {
        term.sources.iter().zip(poses).map(|(_, poses)| poses.motions()).collect()
    };
    let motions: Vec<Vec<Vec<host::Motion>>> = batch.terms.iter().zip(poses).map(term).collect();
    let terms = batch.terms.iter().zip(motions).map(|(term, motions)| {
        let sources = term.sources.iter().zip(motions);
        let sources = sources.map(|(source, motions)| host::Source { image: &source.image, motions });
        host::Term { weight: 1.0, sources: sources.collect() }
    });
    let frames = host::Frames {
        width: dims[3],
        height: dims[2],
        target: &batch.target,
        pyramid: &batch.pyramid,
        intrinsics: &batch.intrinsics,
        terms: terms.collect(),
    };
    let values: Vec<Vec<f32>> = disparities.iter().cloned().map(host_values).collect();
    let loss = host::host_loss(&frames, &values);
    StepLoss {
        objective: objective(batch, disparities, poses, &loss),
        terms: loss_terms(batch, &loss.photometric, loss.smoothness),
    }
}

/// `Σ output · gradient`: its derivative to the outputs is the gradient found on the host.
fn objective(batch: &DepthBatch, disparities: &[Tensor<4>], poses: &[Vec<Poses>], loss: &host::HostLoss) -> Tensor<1> {
    let maps = disparities.iter().zip(&loss.disparities).map(|(disparity, gradient)| {
        let gradient = tensor(gradient, disparity.dims(), &disparity.device().inner());
        (disparity.clone() * gradient).sum()
    });
    let learned = batch.terms.iter().zip(poses).zip(&loss.motions).flat_map(|((term, poses), gradients)| {
        let sources = term.sources.iter().zip(poses).zip(gradients);
        sources.filter(|((source, _), _)| !matches!(source.motion, Motion::Shift(_)))
    });
    let motions = learned.map(|((_, poses), gradients)| poses.dot(gradients));
    let zero = Tensor::zeros([1], &disparities[0].device().inner());
    maps.chain(motions).fold(zero, |sum, part| sum + part)
}

fn loss_terms(batch: &DepthBatch, photometric: &[f64], smoothness: f64) -> Vec<LossTerm> {
    let terms = batch.terms.iter().zip(photometric);
    let mut terms: Vec<LossTerm> =
        terms.map(|(term, value)| LossTerm { name: term.supervision.name(), value: *value }).collect();
    terms.push(LossTerm { name: "smoothness", value: smoothness });
    terms
}
