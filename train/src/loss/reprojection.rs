//! The whole loss on tensors, for any device.

use burn::tensor::Tensor;

use super::depth::depth_from_disparity;
use super::photometric::{OutOfView, masked_out_of_view, photometric_error, smallest, unwarped_error};
use super::smoothness::{self, smoothness};
use super::ssim::Reference;
use crate::geometry::{Pinholes, Pixels, Poses, back_project, project, sample, upsample};

/// A frame that sees what the target sees, and where its camera stands.
#[derive(Debug, Clone)]
pub struct Source {
    /// The frame, `[batch, 3, height, width]`, values in `[0, 1]`; cut as the target is.
    pub image: Tensor<4>,
    /// What is read where depth and motion say; none: the image.
    pub around: Option<Around>,
    /// Motion of the camera, `source_from_target`.
    pub pose: Poses,
}

/// A larger cut of the frame.
#[derive(Debug, Clone)]
pub struct Around {
    /// `[batch, 3, height, width]`.
    pub image: Tensor<4>,
    /// Column and row of the image's first pixel in it, `[batch, 1, 1, 1]` each.
    pub place: [Tensor<4>; 2],
}

/// One way to supervise depth.
#[derive(Debug, Clone)]
pub struct Term {
    /// Factor λ of the term.
    pub weight: f32,
    /// Its source frames; at least one.
    pub sources: Vec<Source>,
    /// What is learned from places outside a source's picture.
    pub out_of_view: OutOfView,
}

/// Photometric and smoothness parts of the loss, each `[1]`; their sum is the loss.
#[derive(Debug, Clone)]
pub struct Parts {
    /// One per term, weight included.
    pub photometric: Vec<Tensor<1>>,
    /// Smoothness, weights included.
    pub smoothness: Tensor<1>,
}

/// The loss of a batch.
///
/// # Shapes
/// - `target`: `[batch, 3, height, width]`
/// - `disparities`: `[batch, 1, height / f, width / f]` for whole factors f, finest first
/// - `pyramid`: the target at each disparity's size
///
/// # Panics
/// When a term has no source.
#[must_use]
pub fn reprojection_loss(
    target: Tensor<4>,
    cameras: &Pinholes,
    terms: &[Term],
    disparities: &[Tensor<4>],
    pyramid: &[Tensor<4>],
) -> Parts {
    let width = target.dims()[3];
    let target = Reference::new(target);
    let unwarped: Vec<Tensor<4>> = terms.iter().map(|term| unwarped(&target, term)).collect();
    let share = 1.0 / disparities.len() as f32;
    let mut photometric: Vec<Option<Tensor<1>>> = vec![None; terms.len()];
    let mut smooth = None;
    for (scale, (disparity, image)) in disparities.iter().zip(pyramid).enumerate() {
        let factor = width / disparity.dims()[3];
        let depth = depth_from_disparity(upsample(disparity.clone(), factor));
        for ((term, unwarped), total) in terms.iter().zip(&unwarped).zip(&mut photometric) {
            let error = term_error(&target, cameras, term, &depth, unwarped).mul_scalar(share * term.weight);
            add(total, error);
        }
        let weight = smoothness::WEIGHT / (1 << scale) as f32 * share;
        add(&mut smooth, smoothness(disparity.clone(), image.clone()).mul_scalar(weight));
    }
    let zero = || Tensor::zeros([1], &target.image().device());
    Parts {
        photometric: photometric.into_iter().map(|part| part.unwrap_or_else(zero)).collect(),
        smoothness: smooth.unwrap_or_else(zero),
    }
}

fn unwarped(target: &Reference, term: &Term) -> Tensor<4> {
    let images: Vec<Tensor<4>> = term.sources.iter().map(|source| source.image.clone()).collect();
    unwarped_error(target, &images)
}

fn term_error(
    target: &Reference,
    cameras: &Pinholes,
    term: &Term,
    depth: &Tensor<4>,
    unwarped: &Tensor<4>,
) -> Tensor<1> {
    let points = back_project(depth.clone(), cameras);
    let warped = term.sources.iter().map(|source| {
        let pixels = project(source.pose.apply(&points), cameras);
        let (image, pixels) = match &source.around {
            None => (source.image.clone(), pixels),
            Some(Around { image, place: [column, row] }) => {
                (image.clone(), Pixels { u: pixels.u + column.clone(), v: pixels.v + row.clone() })
            }
        };
        let [_, _, height, width] = image.dims();
        let error = photometric_error(target, sample(image, pixels.clone()));
        match term.out_of_view {
            OutOfView::Border => error,
            OutOfView::Masked => masked_out_of_view(error, &pixels, (width, height)),
        }
    });
    smallest(warped).min_pair(unwarped.clone()).mean()
}

fn add(total: &mut Option<Tensor<1>>, part: Tensor<1>) {
    *total = Some(match total.take() {
        None => part,
        Some(total) => total + part,
    });
}
