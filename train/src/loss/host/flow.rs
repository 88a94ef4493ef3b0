//! The flow loss and its gradient in plain loops, for training on a CPU: the same numbers as [`crate::loss::flow`].
//!
//! The gradient goes to the flow alone. Pictures and scales are worked on independently and summed in order.

use std::cell::RefCell;

use rayon::prelude::*;

use super::bilinear;
use super::smoothness::{direction, for_each_pair};
use super::structure::{Comparison, Target};
use super::warp::{Color, colors};
use crate::loss::flow::{EDGE, OUTSIDE_COST, SMOOTHNESS};

/// The pictures of a batch at one scale, planes of values in `[0, 1]`: all first pictures, then all second ones.
#[derive(Debug, Clone)]
pub struct Pairs {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
    /// `[2 * pairs, 3, height, width]`.
    pub pictures: Vec<f32>,
}

/// The loss and its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowLoss {
    /// Photometric part.
    pub photometric: f64,
    /// Smoothness, weights included.
    pub smoothness: f64,
    /// Gradient to each flow, in its shape.
    pub flows: Vec<Vec<f32>>,
}

/// A picture in the two forms that it is used in, and its flow at its size, right and down.
struct Prepared {
    target: Target,
    colors: Vec<Color>,
    flow: [Vec<f32>; 2],
}

/// Full-resolution maps that one thread works with, kept from step to step.
#[derive(Default)]
struct Workspace {
    comparison: Comparison,
    warped: Vec<f32>,
    /// Derivative of the warped picture to the place it is read at, per pixel and channel: right and down.
    slopes: Vec<[[f32; 3]; 2]>,
    mask: Vec<f32>,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// Loss and gradient of a batch of pairs.
///
/// # Shapes
/// - `flows`: per scale `[2 * pairs, 2, height / f, width / f]` for a whole factor f; pixels of that scale's pictures, right
///   and down, from every picture to its partner
///
/// # Panics
/// When a length does not fit.
#[must_use]
pub fn flow_loss(pyramid: &[Pairs], flows: &[Vec<f32>]) -> FlowLoss {
    let mut total = FlowLoss { photometric: 0.0, smoothness: 0.0, flows: Vec::with_capacity(flows.len()) };
    let share = 1.0 / flows.len() as f32;
    for (pairs, flow) in pyramid.iter().zip(flows) {
        let mut gradient = Vec::with_capacity(flow.len());
        for part in pairs.loss(flow, share) {
            total.photometric += part.photometric;
            total.smoothness += part.smoothness;
            gradient.extend(part.gradient);
        }
        total.flows.push(gradient);
    }
    total
}

/// What one picture at one scale contributes.
struct Share {
    photometric: f64,
    smoothness: f64,
    /// To the flow as it was given, `[2, height / f, width / f]`.
    gradient: Vec<f32>,
}

impl Pairs {
    /// The contribution of every picture, weighted by `share`.
    fn loss(&self, flow: &[f32], share: f32) -> Vec<Share> {
        let pixels = self.width * self.height;
        let count = self.pictures.len() / 3 / pixels;
        let plane = flow.len() / count / 2;
        // plane · factor² = width · height
        let factor = (1..=self.width).find(|factor| plane * factor * factor >= pixels).unwrap_or(1);
        let pictures: Vec<Prepared> = self
            .pictures
            .par_chunks_exact(3 * pixels)
            .zip(flow.par_chunks_exact(2 * plane))
            .map(|(picture, flow)| Prepared {
                target: Target::new(picture, self.width),
                colors: colors(picture),
                flow: [0, 1].map(|component| {
                    bilinear::enlarge(&flow[component * plane..][..plane], self.width / factor, factor)
                }),
            })
            .collect();
        let partner = |picture: usize| &pictures[(picture + count / 2) % count];
        (0..count)
            .into_par_iter()
            .map(|picture| {
                let image = &self.pictures[3 * picture * pixels..][..3 * pixels];
                let (photometric, smoothness, [right, down]) =
                    pictures[picture].loss(partner(picture), image, self.width, share / count as f32);
                let mut gradient = bilinear::enlarge_adjoint(&right, self.width / factor, factor);
                gradient.extend(bilinear::enlarge_adjoint(&down, self.width / factor, factor));
                Share { photometric, smoothness, gradient }
            })
            .collect()
    }
}

impl Prepared {
    /// Photometric part, smoothness and the gradient of the enlarged flow.
    fn loss(&self, there: &Self, image: &[f32], width: usize, share: f32) -> (f64, f64, [Vec<f32>; 2]) {
        let inside = inside(&self.flow, width);
        let weight = share / inside.len() as f32;
        let (photometric, mut gradient) = WORKSPACE.with_borrow_mut(|space| {
            let Workspace { comparison, warped, slopes, mask } = space;
            warp(&there.colors, &self.flow, width, warped, slopes);
            comparison.compare(&self.target, warped);
            let cost = |(error, inside): (&f32, &bool)| f64::from(if *inside { *error } else { OUTSIDE_COST });
            let loss: f64 = comparison.error().iter().zip(&inside).map(cost).sum();
            mask.clear();
            mask.extend(inside.iter().map(|inside| if *inside { weight } else { 0.0 }));
            let of_warped = comparison.gradient(&self.target, warped, mask);
            (loss * f64::from(weight), pull_back(of_warped, slopes))
        });
        let smoothness = add_roughness(&self.flow, image, width, SMOOTHNESS * share, &mut gradient);
        (photometric, smoothness, gradient)
    }
}

/// Where and how to read a map between its pixels; places outside read the border.
struct Place {
    corner: usize,
    right: f32,
    down: f32,
    /// 1 where moving the place changes what is read, else 0.
    moves: [f32; 2],
}

impl Place {
    fn new(u: f32, v: f32, width: usize, height: usize) -> Self {
        let (last_u, last_v) = ((width - 1) as f32, (height - 1) as f32);
        let moves = [u > 0.0 && u < last_u, v > 0.0 && v < last_v].map(|inside| f32::from(u8::from(inside)));
        let (u, v) = (u.clamp(0.0, last_u), v.clamp(0.0, last_v));
        let (left, top) = ((u as usize).min(width - 2), (v as usize).min(height - 2));
        Self { corner: top * width + left, right: u - left as f32, down: v - top as f32, moves }
    }
}

/// Whether each pixel stays in the picture.
fn inside(flow: &[Vec<f32>; 2], width: usize) -> Vec<bool> {
    let (last_u, last_v) = ((width - 1) as f32, (flow[0].len() / width - 1) as f32);
    let stays = |(pixel, (right, down)): (usize, (&f32, &f32))| {
        let (u, v) = ((pixel % width) as f32 + right, (pixel / width) as f32 + down);
        (0.0..=last_u).contains(&u) && (0.0..=last_v).contains(&v)
    };
    flow[0].iter().zip(&flow[1]).enumerate().map(stays).collect()
}

/// Reads the partner where each pixel goes: `[3, height, width]`.
fn warp(there: &[Color], flow: &[Vec<f32>; 2], width: usize, warped: &mut Vec<f32>, slopes: &mut Vec<[[f32; 3]; 2]>) {
    let pixels = there.len();
    warped.resize(3 * pixels, 0.0);
    slopes.clear();
    for pixel in 0..pixels {
        let (u, v) = ((pixel % width) as f32 + flow[0][pixel], (pixel / width) as f32 + flow[1][pixel]);
        let Place { corner, right, down, moves } = Place::new(u, v, width, pixels / width);
        let (upper, lower) = (&there[corner..corner + 2], &there[corner + width..corner + width + 2]);
        let mut slope = [[0.0; 3]; 2];
        for channel in 0..3 {
            let (a, b, c, d) = (upper[0][channel], upper[1][channel], lower[0][channel], lower[1][channel]);
            let (above, below) = (a + right * (b - a), c + right * (d - c));
            warped[channel * pixels + pixel] = above + down * (below - above);
            slope[0][channel] = ((b - a) + down * ((d - c) - (b - a))) * moves[0];
            slope[1][channel] = (below - above) * moves[1];
        }
        slopes.push(slope);
    }
}

/// Gradient of the warped picture taken to the flow, right and down.
fn pull_back(of_warped: &[f32], slopes: &[[[f32; 3]; 2]]) -> [Vec<f32>; 2] {
    let pixels = slopes.len();
    [0, 1].map(|direction: usize| {
        let of_pixel = |(pixel, slope): (usize, &[[f32; 3]; 2])| {
            (0..3).map(|channel| of_warped[channel * pixels + pixel] * slope[direction][channel]).sum()
        };
        slopes.iter().enumerate().map(of_pixel).collect()
    })
}

/// Adds the gradient of `weight` times the roughness of a flow and returns that roughness.
fn add_roughness(flow: &[Vec<f32>; 2], image: &[f32], width: usize, weight: f32, gradient: &mut [Vec<f32>; 2]) -> f64 {
    let mut loss = 0.0;
    for_each_pair(image, width, EDGE, |a, b, share| {
        // Half for each direction of the flow.
        let scale = weight * share / 2.0;
        for (flow, gradient) in flow.iter().zip(gradient.iter_mut()) {
            let step = flow[a] - flow[b];
            loss += f64::from(scale * step.abs());
            let slope = scale * direction(step);
            gradient[a] += slope;
            gradient[b] -= slope;
        }
    });
    loss
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;
    use crate::data::augmentation::shrink;
    use crate::loss::flow;

    const WIDTH: usize = 32;
    const HEIGHT: usize = 16;
    /// As the slim network has it: flow at half of each scale's pictures.
    const FACTOR: usize = 2;

    /// Two pairs at two scales; some of their flow leaves the pictures.
    fn example() -> (Vec<Pairs>, Vec<Vec<f32>>) {
        let value = |i: usize| {
            let (x, y, picture) = ((i % WIDTH) as f32, (i / WIDTH % HEIGHT) as f32, (i / WIDTH / HEIGHT) as f32);
            0.5 + 0.4 * (0.45 * x + 0.7 * picture).sin() * (0.37 * y - 0.2 * picture + 0.03 * x).cos()
        };
        let pictures: Vec<f32> = (0..4 * 3 * WIDTH * HEIGHT).map(value).collect();
        let scale = |stride: usize| {
            let plane = WIDTH * HEIGHT / (FACTOR * stride).pow(2);
            let flow = |i: usize| {
                let (picture, component, at) = (i / plane / 2, i / plane % 2, (i % plane) as f32);
                let sign = if picture < 2 { 1.0 } else { -1.0 };
                let wobble = if picture % 2 == 0 { 0.1 } else { 0.8 };
                sign * (1.3 - 0.8 * component as f32) + wobble * (0.61 * at + picture as f32).sin()
            };
            let pictures = shrink(&pictures, WIDTH, stride);
            (Pairs { width: WIDTH / stride, height: HEIGHT / stride, pictures }, (0..4 * 2 * plane).map(flow).collect())
        };
        [1, 2].into_iter().map(scale).unzip()
    }

    #[test]
    fn loss_and_gradients_are_those_of_the_tensors() {
        let (pyramid, flows) = example();
        let found = flow_loss(&pyramid, &flows);
        let device = Device::flex().autodiff();
        let tensor =
            |values: &[f32], dims: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), dims), &device);
        let pictures: Vec<Tensor<4>> =
            pyramid.iter().map(|pairs| tensor(&pairs.pictures, [4, 3, pairs.height, pairs.width])).collect();
        let leaf = |(pairs, flow): (&Pairs, &Vec<f32>)| {
            tensor(flow, [4, 2, pairs.height / FACTOR, pairs.width / FACTOR]).require_grad()
        };
        let leaves: Vec<Tensor<4>> = pyramid.iter().zip(&flows).map(leaf).collect();
        let (photometric, smoothness) = flow::flow_loss(&pictures, &leaves);
        let value = |part: &Tensor<1>| f64::from(part.clone().into_scalar::<f32>());
        assert!((value(&photometric) - found.photometric).abs() < 1e-5, "{} {found:?}", value(&photometric));
        assert!((value(&smoothness) - found.smoothness).abs() < 1e-6, "{} {found:?}", value(&smoothness));
        let gradients = (photometric + smoothness).backward();
        for (leaf, ours) in leaves.iter().zip(&found.flows) {
            let theirs: Vec<f32> = leaf.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
            let largest = theirs.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            assert!(largest > 0.0);
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs() < 1e-3 * largest, "{a} {b} of {largest}");
            }
        }
    }

    #[test]
    fn what_leaves_the_picture_costs_a_constant_and_teaches_nothing() {
        let flat = |right: f32| [vec![right; WIDTH * HEIGHT], vec![0.0; WIDTH * HEIGHT]];
        let leaving = inside(&flat(3.0), WIDTH).iter().filter(|inside| !**inside).count();
        assert_eq!(leaving, 3 * HEIGHT, "what leaves on the right");
        let (pyramid, _) = example();
        let far = vec![[0; 4].map(|_| flat(2.0 * WIDTH as f32).concat()).concat()];
        let loss = flow_loss(&pyramid[..1], &far);
        assert!((loss.photometric - f64::from(OUTSIDE_COST)).abs() < 1e-6, "{}", loss.photometric);
        assert!(loss.flows[0].iter().all(|value| *value == 0.0));
    }
}
