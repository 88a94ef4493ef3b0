//! What optical-flow pre-training minimises: depth's photometric error, with flow in the place of depth and motion.
//!
//! ```text
//! loss = mean over scales, pixels, both directions of  { pe(here, there warped by F)  where p + F(p) lies inside;  0.3  outside }
//!      + mean over scales of  0.03 · mean |∂F| e^−10 |∂I|
//! ```
//!
//! `F` is the flow from a picture to its partner. A pixel that leaves the picture matches nothing and teaches nothing; its cost
//! is a constant, dearer than what fits, so that leaving does not pay. What is merely hidden by something else counts like any
//! other pixel: `pe` is bounded, and between neighbouring frames little is hidden. A forward-backward check (as of Sundaram,
//! Brox, Keutzer, ECCV 2010) was tried and is a trap for a network that starts from nothing: flows that contradict each other
//! count as hidden and teach nothing, so they stay as they are. From random first flows everything was hidden for 60 steps.
//! There is no auto-mask and no minimum over frames: a standing object has flow zero, which is right.
//!
//! Depth compares all scales at full resolution (Monodepth2). Flow compares scale `s` with pictures shrunk by `2^s`, and in
//! their pixels: the error at full resolution sees a pixel or two, and nothing else tells flow where to go, while depth is
//! held together by one camera motion.
//!
//! References: Godard et al., *Digging Into Self-Supervised Monocular Depth Estimation*, ICCV 2019, section 3.1
//! (photometric error); Yin, Shi, *GeoNet*, CVPR 2018 (photometric flow on a pyramid).

use burn::tensor::Tensor;
use parallax_models::flow::partners;

use super::photometric::photometric_error;
use super::ssim::Reference;
use crate::geometry::{Pixels, sample, upsample};

/// Cost of a pixel that leaves the picture: about what two unrelated pieces of texture cost, and several times what fits.
pub(super) const OUTSIDE_COST: f32 = 0.3;

/// Weight of smoothness: pixels of flow per pixel of way.
pub(super) const SMOOTHNESS: f32 = 0.03;

/// How steeply an edge of the picture allows an edge of flow: a step of 0.1 in brightness lets two thirds of a jump pass.
pub(super) const EDGE: f32 = 10.0;

/// The loss on tensors, for any device: photometric and smoothness parts, each `[1]`.
///
/// # Shapes
/// - `pyramid`: per scale `[2 * pairs, 3, height, width]`, values in `[0, 1]`: all first pictures, then all second ones
/// - `flows`: per scale `[2 * pairs, 2, height / f, width / f]` for a whole factor f; pixels of that scale's pictures, right
///   and down, from every picture to its partner
#[must_use]
pub fn flow_loss(pyramid: &[Tensor<4>], flows: &[Tensor<4>]) -> (Tensor<1>, Tensor<1>) {
    let share = 1.0 / flows.len() as f32;
    let zero = Tensor::zeros([1], &pyramid[0].device());
    let parts = pyramid.iter().zip(flows).map(|(pictures, flow)| scale_loss(pictures, flow));
    parts.fold((zero.clone(), zero), |(photometric, smoothness), (error, roughness)| {
        (photometric + error.mul_scalar(share), smoothness + roughness.mul_scalar(SMOOTHNESS * share))
    })
}

/// Photometric error and roughness at one scale.
fn scale_loss(pictures: &Tensor<4>, flow: &Tensor<4>) -> (Tensor<1>, Tensor<1>) {
    let flow = upsample(flow.clone(), pictures.dims()[3] / flow.dims()[3]);
    let inside = inside(&flow.clone().inner());
    let warped = sample(partners(pictures.clone()), places(&flow));
    let error = photometric_error(&Reference::new(pictures.clone()), warped) * inside.clone();
    let outside = inside.neg().add_scalar(1.0).mul_scalar(OUTSIDE_COST);
    (error.mean() + outside.mean(), roughness(&flow, pictures, 3) + roughness(&flow, pictures, 2))
}

/// Where every pixel goes.
fn places(flow: &Tensor<4>) -> Pixels {
    let [batch, _, height, width] = flow.dims();
    let device = flow.device().inner();
    let count = |size: usize| Tensor::<1, burn::tensor::Int>::arange(0..size as i64, &device).float();
    let columns = count(width).reshape([1, 1, 1, width]).expand([batch, 1, height, width]);
    let rows = count(height).reshape([1, 1, height, 1]).expand([batch, 1, height, width]);
    Pixels { u: flow.clone().narrow(1, 0, 1) + columns, v: flow.clone().narrow(1, 1, 1) + rows }
}

/// 1 where a pixel stays in the picture, else 0: `[2 * pairs, 1, height, width]`.
fn inside(flow: &Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = flow.dims();
    let Pixels { u, v } = places(flow);
    let within = |place: Tensor<4>, size: usize| {
        place.clone().greater_equal_elem(0.0).float() * place.lower_equal_elem(size as f32 - 1.0).float()
    };
    within(u, width) * within(v, height)
}

/// Mean steps of flow along one dimension, both components, cheaper on edges of the image.
fn roughness(flow: &Tensor<4>, image: &Tensor<4>, dim: usize) -> Tensor<1> {
    let steps = |map: &Tensor<4>| {
        let last = map.dims()[dim] - 1;
        (map.clone().narrow(dim, 0, last) - map.clone().narrow(dim, 1, last)).abs()
    };
    let edges = steps(image).mean_dim(1).mul_scalar(-EDGE).exp();
    (steps(flow) * edges).mean()
}
