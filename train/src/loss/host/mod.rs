//! The whole loss and its gradient in plain loops, for training on a CPU.
//!
//! On tensors the loss is a hundred passes over full-resolution maps, forward and back, and costs several times what the
//! networks do. Here it is one pass per image, scale and source; the gradient is written by hand. It is taken to the
//! networks' outputs (disparities, poses, learned intrinsics), from where automatic differentiation goes on: [`HostLoss`]
//! holds the gradients and the objective is `Σ output · gradient`. Same numbers as [`super::reprojection`], which the tests hold it to.
//!
//! With `q` the inverse depth and `r` a pixel's ray, the source camera has the pixel's point at `R r + q t` up to a factor,
//! so that no division by `q` is needed.
//!
//! Images are worked on independently and summed in order: the result does not depend on the number of threads. Each thread
//! keeps its working space from step to step: making it anew cost as much as the arithmetic.

mod bilinear;
pub mod flow;
mod intrinsics;
mod local_mean;
mod range;
mod smoothness;
pub(crate) mod structure;
mod warp;

use std::cell::RefCell;

use parallax_core::camera::Intrinsics;
use rayon::prelude::*;

use super::depth::{INVERSE_DEPTH_OFFSET, INVERSE_DEPTH_SLOPE};
use super::photometric::{OutOfView, tie_breaking_noise};
use crate::geometry::RigidMotion;
use structure::{Comparison, Target};
use warp::{SourceFrame, Warped};

/// A rigid motion `source_from_target`.
pub type Motion = RigidMotion;

/// The frames of a batch, planes of values in `[0, 1]`.
#[derive(Debug)]
pub struct Frames<'a> {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
    /// `[batch, 3, height, width]`.
    pub target: &'a [f32],
    /// The target at the size of each disparity map, `[batch, 3, h, w]`.
    pub pyramid: &'a [Vec<f32>],
    /// One per image.
    pub intrinsics: &'a [Intrinsics],
    /// One per photometric term.
    pub terms: Vec<Term<'a>>,
    /// What a range sensor measured.
    pub ranges: Option<Ranges<'a>>,
}

/// One way to supervise depth.
#[derive(Debug)]
pub struct Term<'a> {
    /// Factor λ.
    pub weight: f32,
    /// At least one.
    pub sources: Vec<Source<'a>>,
    /// What is learned from places outside a source's picture.
    pub out_of_view: OutOfView,
}

/// Depth that was measured.
#[derive(Debug)]
pub struct Ranges<'a> {
    /// Factor λ.
    pub weight: f32,
    /// `[batch, 1, height, width]`, depth units, 0 where nothing was measured.
    pub depth: &'a [f32],
}

/// One source frame per target.
#[derive(Debug)]
pub struct Source<'a> {
    /// `[batch, 3, height, width]`, cut as the target is.
    pub image: &'a [f32],
    /// What is read where depth and motion say; none: the image.
    pub around: Option<Around<'a>>,
    /// One per image.
    pub motions: Vec<Motion>,
}

/// Larger cuts of the source frames.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Width, pixels.
    pub width: usize,
    /// `[batch, 3, height, width]`.
    pub image: &'a [f32],
    /// Column and row of the image's first pixel in each.
    pub places: &'a [[f32; 2]],
}

/// The loss and its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct HostLoss {
    /// One per term, weight included.
    pub photometric: Vec<f64>,
    /// The range term, weight included.
    pub range: f64,
    /// Weights included.
    pub smoothness: f64,
    /// Gradient to each disparity map, in the map's shape.
    pub disparities: Vec<Vec<f32>>,
    /// Gradient to each motion: per term, source and image.
    pub motions: Vec<Vec<Vec<Motion>>>,
    /// Gradient to each image's `fx, fy, cx, cy`.
    pub intrinsics: Vec<[f32; 4]>,
}

/// Full-resolution maps that one thread works with.
#[derive(Default)]
struct Workspace {
    /// One per source of a term.
    sources: Vec<SourceSpace>,
    /// Gradient of the inverse depth.
    gradient: Vec<f32>,
    /// Smallest error so far and whose it is.
    least: Vec<f32>,
    chosen: Vec<u8>,
    mask: Vec<f32>,
}

/// Maps of one source.
#[derive(Default)]
struct SourceSpace {
    warped: Warped,
    comparison: Comparison,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// What one image at one scale contributes.
struct Share {
    photometric: Vec<f64>,
    range: f64,
    smoothness: f64,
    disparity: Vec<f32>,
    /// Gradient to each motion: per term and source.
    motions: Vec<Vec<[f64; 12]>>,
}

/// Loss and gradients of a batch.
///
/// # Shapes
/// - `disparities`: `[batch, 1, height / f, width / f]` each, for whole factors f
///
/// # Panics
/// When a term has no source or a length does not fit.
#[must_use]
pub fn host_loss(frames: &Frames<'_>, disparities: &[Vec<f32>]) -> HostLoss {
    let batch = frames.intrinsics.len();
    let noise = tie_breaking_noise(batch * frames.width * frames.height);
    let targets: Vec<PreparedTarget> = (0..batch).into_par_iter().map(|image| frames.prepare(image, &noise)).collect();
    let scales = disparities.len();
    let range_share = frames.range_share(scales);
    let shares: Vec<Share> = (0..batch * scales)
        .into_par_iter()
        .map(|task| frames.share(&targets[task / scales], task / scales, task % scales, disparities, range_share))
        .collect();
    sum(frames, scales, shares)
}

fn sum(frames: &Frames<'_>, scales: usize, shares: Vec<Share>) -> HostLoss {
    let zero_motions = |term: &Term<'_>| vec![vec![[0.0; 12]; frames.intrinsics.len()]; term.sources.len()];
    let mut total = HostLoss {
        photometric: vec![0.0; frames.terms.len()],
        range: 0.0,
        smoothness: 0.0,
        disparities: vec![Vec::new(); scales],
        motions: frames.terms.iter().map(zero_motions).collect(),
        intrinsics: vec![[0.0; 4]; frames.intrinsics.len()],
    };
    for (task, share) in shares.into_iter().enumerate() {
        let (image, scale) = (task / scales, task % scales);
        total.disparities[scale].extend(share.disparity);
        total.range += share.range;
        total.smoothness += share.smoothness;
        for (term, loss) in share.photometric.into_iter().enumerate() {
            total.photometric[term] += loss;
        }
        for (term, sources) in share.motions.into_iter().enumerate() {
            for (source, gradient) in sources.into_iter().enumerate() {
                let motion = &frames.terms[term].sources[source].motions[image];
                let of_intrinsics = intrinsics::gradient(&frames.intrinsics[image], motion, &gradient);
                add(&mut total.intrinsics[image], &of_intrinsics);
                add(&mut total.motions[term][source][image], &gradient);
            }
        }
    }
    total
}

fn add(sum: &mut [f32], gradient: &[f64]) {
    sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += *gradient as f32);
}

/// What all scales need of a target image.
struct PreparedTarget {
    target: Target,
    /// Smallest error of the unwarped sources with the tie-breaking noise, per term.
    unwarped: Vec<Vec<f32>>,
    /// The source frames, per term.
    sources: Vec<Vec<SourceFrame>>,
}

impl Frames<'_> {
    fn pixels(&self) -> usize {
        self.width * self.height
    }

    fn image<'b>(&self, images: &'b [f32], image: usize) -> &'b [f32] {
        let size = 3 * self.pixels();
        &images[image * size..(image + 1) * size]
    }

    fn prepare(&self, image: usize, noise: &[f32]) -> PreparedTarget {
        let target = Target::new(self.image(self.target, image), self.width);
        let noise = &noise[image * self.pixels()..(image + 1) * self.pixels()];
        let smallest = |term: &Term<'_>, comparison: &mut Comparison| {
            let mut smallest = vec![f32::INFINITY; self.pixels()];
            for source in &term.sources {
                comparison.compare(&target, self.image(source.image, image));
                smallest.iter_mut().zip(comparison.error()).for_each(|(least, error)| *least = least.min(*error));
            }
            smallest.iter_mut().zip(noise).for_each(|(error, noise)| *error += noise);
            smallest
        };
        let unwarped = WORKSPACE.with_borrow_mut(|space| {
            space.sources.resize_with(space.sources.len().max(1), SourceSpace::default);
            let comparison = &mut space.sources[0].comparison;
            self.terms.iter().map(|term| smallest(term, comparison)).collect()
        });
        let frame = |source: &Source<'_>| match source.around {
            None => SourceFrame::new(self.image(source.image, image), self.width, [0.0; 2]),
            Some(Around { width, image: images, places }) => {
                let size = images.len() / places.len();
                SourceFrame::new(&images[image * size..(image + 1) * size], width, places[image])
            }
        };
        let frames = |term: &Term<'_>| term.sources.iter().map(frame).collect();
        PreparedTarget { target, unwarped, sources: self.terms.iter().map(frames).collect() }
    }

    /// What a measured pixel counts at each scale.
    fn range_share(&self, scales: usize) -> f32 {
        self.ranges.as_ref().map_or(0.0, |ranges| {
            let measured = ranges.depth.iter().filter(|depth| **depth > 0.0).count();
            ranges.weight / (measured.max(1) * scales) as f32
        })
    }

    fn share(
        &self,
        prepared: &PreparedTarget,
        image: usize,
        scale: usize,
        disparities: &[Vec<f32>],
        range_share: f32,
    ) -> Share {
        let (batch, scales) = (self.intrinsics.len(), disparities.len());
        let small = disparities[scale].len() / batch;
        // small · factor² = width · height
        let factor = (1..=self.width).find(|factor| small * factor * factor >= self.pixels()).unwrap_or(1);
        let disparity = &disparities[scale][image * small..(image + 1) * small];
        let mut inverse_depth = bilinear::enlarge(disparity, self.width / factor, factor);
        inverse_depth.iter_mut().for_each(|value| *value = *value * INVERSE_DEPTH_SLOPE + INVERSE_DEPTH_OFFSET);

        let (photometric, motions, range, mut disparity_gradient) = WORKSPACE.with_borrow_mut(|space| {
            space.gradient.clear();
            space.gradient.resize(self.pixels(), 0.0);
            let (losses, motions) = (0..self.terms.len())
                .map(|term| {
                    let weight = self.terms[term].weight / (batch * self.pixels() * scales) as f32;
                    self.term_share(prepared, image, term, &inverse_depth, weight, space)
                })
                .unzip();
            let range = self.ranges.as_ref().map_or(0.0, |ranges| {
                let measured = &ranges.depth[image * self.pixels()..(image + 1) * self.pixels()];
                range::add(&inverse_depth, measured, range_share, &mut space.gradient)
            });
            space.gradient.iter_mut().for_each(|value| *value *= INVERSE_DEPTH_SLOPE);
            (losses, motions, range, bilinear::enlarge_adjoint(&space.gradient, self.width / factor, factor))
        });
        let smoothness = smoothness::add(
            disparity,
            &self.pyramid[scale][3 * image * small..3 * (image + 1) * small],
            self.width / factor,
            smoothness_weight(scale, scales, batch),
            &mut disparity_gradient,
        );
        Share { photometric, range, smoothness, disparity: disparity_gradient, motions }
    }

    /// Loss of one term on one image at one scale; adds to the gradient of the inverse depth.
    fn term_share(
        &self,
        prepared: &PreparedTarget,
        image: usize,
        term: usize,
        inverse_depth: &[f32],
        weight: f32,
        space: &mut Workspace,
    ) -> (f64, Vec<[f64; 12]>) {
        let (target, unwarped) = (&prepared.target, &prepared.unwarped[term]);
        let Workspace { sources, gradient, least, chosen, mask } = space;
        let given = self.terms[term].sources.iter().zip(&prepared.sources[term]);
        // Never shrinks: the maps are kept for the next term.
        sources.resize_with(sources.len().max(given.len()), SourceSpace::default);
        let sources = &mut sources[..given.len()];
        for ((source, frame), maps) in given.zip(sources.iter_mut()) {
            maps.warped.warp(frame, inverse_depth, &self.intrinsics[image], &source.motions[image], self.width);
            maps.comparison.compare(target, maps.warped.image());
        }
        let loss = choose(unwarped, sources, self.terms[term].out_of_view, least, chosen);
        let motions = sources.iter_mut().enumerate().map(|(source, maps)| {
            mask.clear();
            mask.extend(chosen.iter().map(|chosen| if *chosen == source as u8 { weight } else { 0.0 }));
            let of_image = maps.comparison.gradient(target, maps.warped.image(), mask);
            maps.warped.pull_back(of_image, inverse_depth, gradient)
        });
        (loss * f64::from(weight), motions.collect())
    }
}

fn smoothness_weight(scale: usize, scales: usize, batch: usize) -> f32 {
    super::smoothness::WEIGHT / ((1 << scale) * scales * batch) as f32
}

/// Marks a pixel at which no warped source is best.
const NONE: u8 = u8::MAX;

/// The sum over pixels of the smallest error, and whose it was.
fn choose(
    unwarped: &[f32],
    sources: &[SourceSpace],
    out_of_view: OutOfView,
    least: &mut Vec<f32>,
    chosen: &mut Vec<u8>,
) -> f64 {
    least.clear();
    least.extend_from_slice(unwarped);
    chosen.clear();
    chosen.resize(unwarped.len(), NONE);
    for (number, source) in sources.iter().enumerate() {
        let errors = source.comparison.error().iter().zip(source.warped.in_view());
        for ((least, chosen), (error, in_view)) in least.iter_mut().zip(chosen.iter_mut()).zip(errors) {
            if *error < *least && (*in_view || out_of_view == OutOfView::Border) {
                (*least, *chosen) = (*error, number as u8);
            }
        }
    }
    least.iter().map(|error| f64::from(*error)).sum()
}

#[cfg(test)]
mod tests;
