//! Where the source cameras of a term stand: known, or said by the pose network.

use burn::tensor::{Device, Tensor};
use parallax_models::PoseNetwork;

use super::task::tensor;
use crate::data::{Motion, Partner, SourceBatch, TermBatch};
use crate::geometry::{NO_MOTION, Poses};

/// Motions of a term's sources, `source_from_target`.
pub(super) fn term_poses(
    network: Option<&PoseNetwork>,
    term: &TermBatch,
    target: &Tensor<4>,
    device: &Device,
) -> Vec<Poses> {
    let dims = target.dims();
    let learned: Vec<&SourceBatch> =
        term.sources.iter().filter(|source| matches!(source.motion, Motion::Learned { .. })).collect();
    let mut motions = match network {
        Some(network) if !learned.is_empty() => {
            let sources: Vec<_> =
                learned.iter().map(|source| (tensor(&source.input, dims, device), source.partner)).collect();
            learned_poses(network, &sources, target)
        }
        _ => Vec::new(),
    }
    .into_iter();
    let constants = device.clone().inner();
    let no_motion = || Poses::known(&vec![NO_MOTION; dims[0]], &constants);
    term.sources
        .iter()
        .map(|source| match &source.motion {
            Motion::Known(motions) => Poses::known(motions, &constants),
            Motion::Learned { .. } => motions.next().unwrap_or_else(no_motion),
        })
        .collect()
}

/// The pose network sees every pair in the order of time, all pairs in one batch; the motion from an earlier source is
/// turned around.
fn learned_poses(network: &PoseNetwork, sources: &[(Tensor<4>, Partner)], target: &Tensor<4>) -> Vec<Poses> {
    let [batch, ..] = target.dims();
    let pairs = sources.iter().map(|(source, partner)| match partner {
        Partner::Earlier => (source.clone(), target.clone()),
        _ => (target.clone(), source.clone()),
    });
    let (first, second): (Vec<_>, Vec<_>) = pairs.unzip();
    let motion = network.forward(Tensor::cat(first, 0), Tensor::cat(second, 0));
    sources
        .iter()
        .enumerate()
        .map(|(i, (_, partner))| {
            let rows = motion.clone().narrow(0, i * batch, batch);
            let later_from_earlier = Poses::from_axis_angle(rows.clone().narrow(1, 0, 3), rows.narrow(1, 3, 3));
            match partner {
                Partner::Earlier => later_from_earlier.inverse(),
                _ => later_from_earlier,
            }
        })
        .collect()
}
