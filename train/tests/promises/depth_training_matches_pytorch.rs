//! Three training steps give the losses, gradients and weights that PyTorch gives.
//!
//! `golden/depth_step.py` holds the same small network, pictures and loss, written from the papers; tolerance 1e-4 relative
//! to the largest value, a hundred times what rounding makes of three steps in f32. Both ways to compute the loss are held
//! to it: on tensors and in loops on the host.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::module::{avg_pool2d, conv2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions};
use burn::tensor::{Device, Tensor, TensorData};
use parallax_core::camera::Intrinsics;
use parallax_train::geometry::{Pinholes, Poses};
use parallax_train::loss::host;
use parallax_train::loss::photometric::OutOfView;
use parallax_train::loss::reprojection::{Source, Term, reprojection_loss};
use parallax_train::training::adam;

const BATCH: usize = 2;
const HEIGHT: usize = 32;
const WIDTH: usize = 64;
const STEPS: usize = 3;
const LEARNING_RATE: f64 = 1e-3;
const TOLERANCE: f64 = 1e-4;
const INTRINSICS: Intrinsics = Intrinsics { fx: 50.0, fy: 52.0, cx: 31.0, cy: 15.5 };

#[derive(serde::Deserialize)]
struct Golden {
    losses: Vec<BTreeMap<String, f64>>,
    first_gradients: BTreeMap<String, Vec<f64>>,
    weights_after: BTreeMap<String, Vec<f64>>,
}

#[derive(Module, Debug)]
struct Network {
    features: Param<Tensor<4>>,
    disparity: Vec<Param<Tensor<4>>>,
    motion: Param<Tensor<4>>,
    pose: Param<Tensor<4>>,
}

impl Network {
    fn new(device: &Device) -> Self {
        let weight = |dims: [usize; 4], scale: f64, phase: f64| {
            let count = dims.iter().product::<usize>();
            let values: Vec<f32> = (0..count).map(|i| (scale * (1.7 * i as f64 + phase).sin()) as f32).collect();
            Param::from_data(TensorData::new(values, dims), device)
        };
        Self {
            features: weight([8, 3, 3, 3], 0.3, 0.1),
            disparity: (0..4).map(|scale| weight([1, 8, 3, 3], 0.2, 0.2 + 0.1 * f64::from(scale))).collect(),
            motion: weight([6, 6, 3, 3], 0.3, 0.6),
            pose: weight([6, 6, 1, 1], 0.5, 0.7),
        }
    }

    fn disparities(&self, image: &Tensor<4>) -> Vec<Tensor<4>> {
        let features = relu(convolve(image.clone(), &self.features));
        let level = |(scale, weight): (usize, &Param<Tensor<4>>)| {
            sigmoid(convolve(shrink(features.clone(), 1 << scale), weight).sub_scalar(2.5))
        };
        self.disparity.iter().enumerate().map(level).collect()
    }

    /// Motion from the first to the second frame.
    fn pose(&self, first: &Tensor<4>, second: &Tensor<4>) -> Poses {
        let hidden = relu(convolve(Tensor::cat(vec![first.clone(), second.clone()], 1), &self.motion));
        let motion = convolve(hidden, &self.pose).mean_dim(3).mean_dim(2).reshape([BATCH, 6]).mul_scalar(0.01);
        Poses::from_axis_angle(motion.clone().narrow(1, 0, 3), motion.narrow(1, 3, 3))
    }

    fn named(&self) -> Vec<(String, &Param<Tensor<4>>)> {
        let disparity = self.disparity.iter().enumerate().map(|(scale, weight)| (format!("disparity{scale}"), weight));
        let others = [("features", &self.features), ("motion", &self.motion), ("pose", &self.pose)];
        disparity.chain(others.map(|(name, weight)| (name.to_owned(), weight))).collect()
    }
}

fn convolve(image: Tensor<4>, weight: &Param<Tensor<4>>) -> Tensor<4> {
    let padding = weight.dims()[2] / 2;
    conv2d(image, weight.val(), None, ConvOptions::new([1, 1], [padding, padding], [1, 1], 1))
}

fn shrink(image: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 { image } else { avg_pool2d(image, AvgPoolOptions::new([factor; 2])) }
}

fn picture(shift: f32, phase: f32) -> Vec<f32> {
    let mut values = Vec::new();
    for (b, c) in (0..BATCH).flat_map(|b| (0..3).map(move |c| (b as f32, c as f32))) {
        for (y, x) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (y as f32, x as f32 + shift))) {
            values
                .push(0.5 + 0.4 * (0.31 * x + 0.7 * c + 0.5 * b + phase).sin() * (0.23 * y - 0.4 * c + 0.05 * x).cos());
        }
    }
    values
}

struct Frames {
    target: Vec<f32>,
    earlier: Vec<f32>,
    later: Vec<f32>,
    other: Vec<f32>,
}

fn frames() -> Frames {
    Frames {
        target: picture(0.0, 0.0),
        earlier: picture(-0.8, 0.02),
        later: picture(0.9, -0.02),
        other: picture(2.0, 0.01),
    }
}

fn image(values: &[f32], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), [BATCH, 3, HEIGHT, WIDTH]), device)
}

/// Values of video, stereo and smoothness, and what to differentiate.
type Loss = ([f64; 3], Tensor<1>);

/// What the networks say, and the frames.
struct Step<'a> {
    frames: &'a Frames,
    disparities: Vec<Tensor<4>>,
    earlier: Poses,
    later: Poses,
    other: Poses,
}

impl<'a> Step<'a> {
    fn new(network: &Network, frames: &'a Frames, device: &Device) -> Self {
        let [target, earlier, later] =
            [&frames.target, &frames.earlier, &frames.later].map(|frame| image(frame, device));
        Self {
            disparities: network.disparities(&target),
            earlier: network.pose(&earlier, &target).inverse(),
            later: network.pose(&target, &later),
            other: Poses::shifts(&[-0.1, 0.1], device),
            frames,
        }
    }

    fn pyramid(&self) -> Vec<Tensor<4>> {
        (0..4).map(|scale| shrink(image(&self.frames.target, &Device::flex()), 1 << scale)).collect()
    }
}

fn on_tensors(step: &Step<'_>) -> Loss {
    let device = Device::flex();
    let source =
        |frame: &[f32], pose: &Poses| Source { image: image(frame, &device), around: None, pose: pose.clone() };
    let terms = [
        Term {
            weight: 1.0,
            sources: vec![source(&step.frames.earlier, &step.earlier), source(&step.frames.later, &step.later)],
            out_of_view: OutOfView::Border,
        },
        Term { weight: 1.0, sources: vec![source(&step.frames.other, &step.other)], out_of_view: OutOfView::Border },
    ];
    let cameras = Pinholes::new(&[INTRINSICS; BATCH], &device);
    let target = image(&step.frames.target, &device);
    let parts = reprojection_loss(target, &cameras, &terms, &step.disparities, &step.pyramid());
    let [video, stereo, smooth] = [&parts.photometric[0], &parts.photometric[1], &parts.smoothness].map(Clone::clone);
    let value = |part: &Tensor<1>| f64::from(part.clone().into_scalar::<f32>());
    ([value(&video), value(&stereo), value(&smooth)], video + stereo + smooth)
}

fn in_loops(step: &Step<'_>) -> Loss {
    let host_values = |tensor: Tensor<4>| tensor.into_data().try_into_vec::<f32>().unwrap();
    let pyramid: Vec<Vec<f32>> = step.pyramid().into_iter().map(host_values).collect();
    let source = |image, poses: &Poses| host::Source { image, around: None, motions: poses.motions() };
    let frames = host::Frames {
        width: WIDTH,
        height: HEIGHT,
        target: &step.frames.target,
        pyramid: &pyramid,
        intrinsics: &[INTRINSICS; BATCH],
        terms: vec![
            host::Term {
                weight: 1.0,
                sources: vec![source(&step.frames.earlier, &step.earlier), source(&step.frames.later, &step.later)],
                out_of_view: OutOfView::Border,
            },
            host::Term {
                weight: 1.0,
                sources: vec![source(&step.frames.other, &step.other)],
                out_of_view: OutOfView::Border,
            },
        ],
        ranges: None,
    };
    let disparities: Vec<Vec<f32>> = step.disparities.iter().cloned().map(host_values).collect();
    let loss = host::host_loss(&frames, &disparities);
    let maps = step.disparities.iter().zip(&loss.disparities).map(|(map, gradient)| {
        let gradient = Tensor::<4>::from_data(TensorData::new(gradient.clone(), map.dims()), &Device::flex());
        (map.clone() * gradient).sum()
    });
    let motions = step.earlier.dot(&loss.motions[0][0]) + step.later.dot(&loss.motions[0][1]);
    let objective = maps.fold(motions, |sum, part| sum + part);
    ([loss.photometric[0], loss.photometric[1], loss.smoothness], objective)
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let worst = found.iter().zip(expected).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst <= TOLERANCE * largest, "{what}: differs by {worst:e}, largest value {largest:e}");
}

fn assert_training_matches(loss: impl Fn(&Step<'_>) -> Loss) {
    let golden: Golden = serde_json::from_str(include_str!("../golden/depth_step.json")).unwrap();
    let device = Device::flex().autodiff();
    let (frames, mut network, mut optimizer) = (frames(), Network::new(&device), adam());
    for (number, expected) in golden.losses.iter().take(STEPS).enumerate() {
        let (values, objective) = loss(&Step::new(&network, &frames, &device));
        for (value, name) in values.into_iter().zip(["video", "stereo", "smoothness"]) {
            assert_close(&format!("{name} at step {number}"), &[value], &[expected[name]]);
        }
        let gradients = GradientsParams::from_grads(objective.backward(), &network);
        if number == 0 {
            for (name, weight) in network.named() {
                let gradient = gradients.get::<4>(weight.id).unwrap();
                assert_close(&format!("gradient of {name}"), &doubles(gradient), &golden.first_gradients[&name]);
            }
        }
        network = optimizer.step(LEARNING_RATE, network, gradients);
    }
    for (name, weight) in network.named() {
        assert_close(&format!("{name} after three steps"), &doubles(weight.val()), &golden.weights_after[&name]);
    }
}

fn doubles(tensor: Tensor<4>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[test]
fn three_steps_with_the_loss_on_tensors() {
    assert_training_matches(on_tensors);
}

#[test]
fn three_steps_with_the_loss_in_loops() {
    assert_training_matches(in_loops);
}
