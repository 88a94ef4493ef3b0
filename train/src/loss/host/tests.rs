//! The loops against the tensors: same loss, same gradients.

use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::geometry::{Pinholes, Poses};
use crate::loss::range::range_loss;
use crate::loss::reprojection::{self, reprojection_loss};

const BATCH: usize = 2;
const WIDTH: usize = 32;
const HEIGHT: usize = 16;
/// As the slim network has them: the finest map is half the image.
const STRIDES: [usize; 3] = [2, 4, 8];

/// Smooth formula-made values in 0.1..0.9.
fn picture(count: usize, phase: f32) -> Vec<f32> {
    (0..count)
        .map(|i| {
            let (x, y) = ((i % WIDTH) as f32, (i / WIDTH) as f32);
            0.5 + 0.4 * (0.45 * x + phase).sin() * (0.37 * y - 0.2 * phase + 0.03 * x).cos()
        })
        .collect()
}

struct Example {
    target: Vec<f32>,
    earlier: Vec<f32>,
    right: Vec<f32>,
    pyramid: Vec<Vec<f32>>,
    disparities: Vec<Vec<f32>>,
    intrinsics: Vec<Intrinsics>,
    axis_angle: Vec<f32>,
    translation: Vec<f32>,
    shifts: Vec<f32>,
    /// Sparse, in depth units.
    ranges: Vec<f32>,
}

fn example() -> Example {
    let size = BATCH * 3 * WIDTH * HEIGHT;
    let target = picture(size, 0.0);
    let map = |stride: usize| {
        let count = BATCH * WIDTH * HEIGHT / stride / stride;
        (0..count).map(|i| 0.08 + 0.03 * (i as f32 * 0.7 + stride as f32).sin()).collect()
    };
    Example {
        pyramid: STRIDES.iter().map(|stride| crate::data::augmentation::shrink(&target, WIDTH, *stride)).collect(),
        target,
        earlier: picture(size, 0.5),
        right: picture(size, -0.8),
        disparities: STRIDES.map(map).to_vec(),
        intrinsics: vec![
            Intrinsics { fx: 25.0, fy: 26.0, cx: 15.2, cy: 7.7 },
            Intrinsics { fx: 24.0, fy: 25.5, cx: 16.1, cy: 7.1 },
        ],
        axis_angle: vec![0.01, -0.02, 0.005, -0.013, 0.008, 0.011],
        translation: vec![0.02, 0.01, 0.06, -0.01, 0.02, -0.05],
        shifts: vec![-0.1, 0.1],
        ranges: (0..BATCH * WIDTH * HEIGHT)
            .map(|i| if i % 5 == 2 { 0.9 + 0.4 * (i as f32).cos() } else { 0.0 })
            .collect(),
    }
}

/// Loss parts and gradients.
struct Numbers {
    /// Two photometric terms, range, smoothness.
    parts: Vec<f64>,
    disparities: Vec<Vec<f32>>,
    axis_angle: Vec<f32>,
    translation: Vec<f32>,
    /// fx, fy, cx, cy of the first image, then of the second.
    intrinsics: Vec<f32>,
}

/// λ of the range term.
const RANGE_WEIGHT: f32 = 0.3;

fn on_tensors(example: &Example, out_of_view: OutOfView) -> Numbers {
    let device = Device::flex().autodiff();
    let image = |values: &[f32], stride: usize| {
        let dims = [BATCH, values.len() * stride * stride / (BATCH * WIDTH * HEIGHT), HEIGHT / stride, WIDTH / stride];
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), dims), &device)
    };
    let vector =
        |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [BATCH, 3]), &device).require_grad();
    let maps = || example.disparities.iter().zip(STRIDES);
    let disparities: Vec<Tensor<4>> = maps().map(|(values, stride)| image(values, stride).require_grad()).collect();
    let pyramid: Vec<Tensor<4>> =
        example.pyramid.iter().zip(STRIDES).map(|(values, stride)| image(values, stride)).collect();
    let (axis_angle, translation) = (vector(&example.axis_angle), vector(&example.translation));
    let source = |values: &[f32], pose| reprojection::Source { image: image(values, 1), around: None, pose };
    let learned = Poses::from_axis_angle(axis_angle.clone(), translation.clone());
    let terms = [
        reprojection::Term {
            weight: 1.0,
            sources: vec![source(&example.earlier, learned.clone()), source(&example.right, learned.inverse())],
            out_of_view,
        },
        reprojection::Term {
            weight: 0.5,
            sources: vec![source(&example.right, Poses::shifts(&example.shifts, &device))],
            out_of_view,
        },
    ];
    let Pinholes { fx, fy, cx, cy } = Pinholes::new(&example.intrinsics, &device);
    let leaves = [fx, fy, cx, cy].map(Tensor::require_grad);
    let [fx, fy, cx, cy] = leaves.clone();
    let cameras = Pinholes { fx, fy, cx, cy };
    let range = range_loss(&disparities, image(&example.ranges, 1), RANGE_WEIGHT);
    let parts = reprojection_loss(image(&example.target, 1), &cameras, &terms, &disparities, &pyramid);
    let mut total = parts.smoothness.clone() + range.clone();
    let mut values = Vec::new();
    for part in parts.photometric {
        values.push(f64::from(part.clone().into_scalar::<f32>()));
        total = total + part;
    }
    values.push(f64::from(range.into_scalar::<f32>()));
    values.push(f64::from(parts.smoothness.into_scalar::<f32>()));
    let gradients = total.backward();
    let of = |tensor: &Tensor<4>| tensor.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
    let of_vector = |tensor: &Tensor<2>| tensor.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
    let by_entry: Vec<Vec<f32>> = leaves.iter().map(of).collect();
    Numbers {
        parts: values,
        disparities: disparities.iter().map(of).collect(),
        axis_angle: of_vector(&axis_angle),
        translation: of_vector(&translation),
        intrinsics: (0..BATCH).flat_map(|image| by_entry.iter().map(move |entry| entry[image])).collect(),
    }
}

fn in_loops(example: &Example, out_of_view: OutOfView) -> Numbers {
    let device = Device::flex().autodiff();
    let vector =
        |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [BATCH, 3]), &device).require_grad();
    let (axis_angle, translation) = (vector(&example.axis_angle), vector(&example.translation));
    let learned = Poses::from_axis_angle(axis_angle.clone(), translation.clone());
    let poses = [learned.clone(), learned.inverse(), Poses::shifts(&example.shifts, &device)];
    let source = |image, poses: &Poses| Source { image, around: None, motions: poses.motions() };
    let frames = Frames {
        width: WIDTH,
        height: HEIGHT,
        target: &example.target,
        pyramid: &example.pyramid,
        intrinsics: &example.intrinsics,
        terms: vec![
            Term {
                weight: 1.0,
                sources: vec![source(&example.earlier, &poses[0]), source(&example.right, &poses[1])],
                out_of_view,
            },
            Term { weight: 0.5, sources: vec![source(&example.right, &poses[2])], out_of_view },
        ],
        ranges: Some(Ranges { weight: RANGE_WEIGHT, depth: &example.ranges }),
    };
    let loss = host_loss(&frames, &example.disparities);
    let objective = poses[0].dot(&loss.motions[0][0]) + poses[1].dot(&loss.motions[0][1]);
    let gradients = objective.backward();
    let of_vector = |tensor: &Tensor<2>| tensor.grad(&gradients).unwrap().into_data().try_into_vec().unwrap();
    let mut values = loss.photometric.clone();
    values.extend([loss.range, loss.smoothness]);
    Numbers {
        parts: values,
        disparities: loss.disparities,
        axis_angle: of_vector(&axis_angle),
        translation: of_vector(&translation),
        intrinsics: loss.intrinsics.concat(),
    }
}

/// Largest difference, relative to the largest value.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(1e-12_f32, |largest, value| largest.max(value.abs()));
    a.iter().zip(b).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
}

#[test]
fn loss_and_gradients_are_those_of_the_tensors() {
    assert_alike(OutOfView::Border);
}

#[test]
fn they_are_where_places_outside_a_source_are_masked_too() {
    assert_alike(OutOfView::Masked);
    let [border, masked] = [OutOfView::Border, OutOfView::Masked].map(|choice| in_loops(&example(), choice).parts);
    assert!(masked[0] > border[0] + 1e-6 && masked[1] > border[1] + 1e-6, "{border:?} {masked:?}");
}

fn assert_alike(out_of_view: OutOfView) {
    let example = example();
    let (tensors, loops) = (on_tensors(&example, out_of_view), in_loops(&example, out_of_view));
    for (a, b) in tensors.parts.iter().zip(&loops.parts) {
        assert!((a - b).abs() < 1e-5 * a.abs(), "{:?} {:?}", tensors.parts, loops.parts);
    }
    for (a, b) in tensors.disparities.iter().zip(&loops.disparities) {
        assert!(difference(a, b) < 1e-3, "disparity gradients differ by {}", difference(a, b));
    }
    assert!(difference(&tensors.axis_angle, &loops.axis_angle) < 1e-3);
    assert!(difference(&tensors.translation, &loops.translation) < 1e-3);
    assert!(
        difference(&tensors.intrinsics, &loops.intrinsics) < 1e-3,
        "{:?} {:?}",
        tensors.intrinsics,
        loops.intrinsics
    );
}

#[test]
fn the_adjoints_are_adjoint() {
    let small: Vec<f32> = (0..8 * 4).map(|i| (i as f32 * 0.7).sin()).collect();
    let large: Vec<f32> = (0..32 * 16).map(|i| (i as f32 * 0.3).cos()).collect();
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let there = product(&bilinear::enlarge(&small, 8, 4), &large);
    let back = product(&small, &bilinear::enlarge_adjoint(&large, 8, 4));
    assert!((there - back).abs() < 1e-4);

    let (mut rows, mut mean, mut adjoint) = (Vec::new(), Vec::new(), Vec::new());
    let other: Vec<f32> = (0..32 * 16).map(|i| (i as f32 * 1.3).sin()).collect();
    local_mean::local_mean(&large, 32, &mut rows, &mut mean);
    local_mean::local_mean_adjoint(&other, 32, &mut rows, &mut adjoint);
    assert!((product(&mean, &other) - product(&large, &adjoint)).abs() < 1e-4);
}

#[test]
fn the_gradient_to_the_intrinsics_is_that_of_finite_differences() {
    let example = example();
    let loss = |change: [f64; 4]| {
        let mut example = Example { disparities: example.disparities.clone(), ..self::example() };
        for intrinsics in &mut example.intrinsics {
            let [fx, fy, cx, cy] = change;
            *intrinsics = Intrinsics {
                fx: intrinsics.fx + fx,
                fy: intrinsics.fy + fy,
                cx: intrinsics.cx + cx,
                cy: intrinsics.cy + cy,
            };
        }
        let parts = in_loops(&example, OutOfView::Border).parts;
        parts[0] + parts[1]
    };
    let gradient = in_loops(&example, OutOfView::Border).intrinsics;
    // A hundredth of a pixel: rounding of f32 sums stays far below, and few pixels change the source they believe.
    let step = 1e-2;
    for entry in 0..4 {
        let moved = |by: f64| loss(std::array::from_fn(|at| if at == entry { by } else { 0.0 }));
        let numeric = (moved(step) - moved(-step)) / (2.0 * step);
        let ours = f64::from(gradient[entry] + gradient[4 + entry]);
        assert!((ours - numeric).abs() < 0.02 * numeric.abs() + 1e-6, "entry {entry}: {ours} against {numeric}");
    }
}

#[test]
fn a_straight_way_ahead_says_nothing_about_the_focal_length() {
    let example = example();
    let motion = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.07];
    let frames = Frames {
        width: WIDTH,
        height: HEIGHT,
        target: &example.target,
        pyramid: &example.pyramid,
        intrinsics: &example.intrinsics,
        terms: vec![Term {
            weight: 1.0,
            sources: vec![Source { image: &example.earlier, around: None, motions: vec![motion; BATCH] }],
            out_of_view: OutOfView::Border,
        }],
        ranges: None,
    };
    let loss = host_loss(&frames, &example.disparities);
    for [fx, fy, cx, _] in &loss.intrinsics {
        assert!(fx.abs() < 1e-6 && fy.abs() < 1e-6 && cx.abs() > 1e-5, "{:?}", loss.intrinsics);
    }
}

/// A pair whose eyes stand so far apart that the left quarter of the one lies outside the other's picture.
fn wide_pair(example: &Example, motion: Motion, out_of_view: OutOfView) -> Frames<'_> {
    Frames {
        width: WIDTH,
        height: HEIGHT,
        target: &example.target,
        pyramid: &example.pyramid,
        intrinsics: &example.intrinsics,
        terms: vec![Term {
            weight: 1.0,
            sources: vec![Source { image: &example.right, around: None, motions: vec![motion; BATCH] }],
            out_of_view,
        }],
        ranges: None,
    }
}

#[test]
fn what_a_source_does_not_show_teaches_nothing_when_masked() {
    let mut example = example();
    // One inverse depth everywhere, about 0.81: 8 pixels to the left of where they are, for a shift of 0.4 units.
    example.disparities = vec![vec![0.08; BATCH * WIDTH * HEIGHT / 4]];
    example.pyramid.truncate(1);
    let motion = [1.0, 0.0, 0.0, -0.4, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let border = host_loss(&wide_pair(&example, motion, OutOfView::Border), &example.disparities);
    let masked = host_loss(&wide_pair(&example, motion, OutOfView::Masked), &example.disparities);
    // The smoothness term knows no sources: what differs is of the pair. Half-size columns 0 to 2 lie outside with all
    // pixels around them.
    let pull = |loss: &HostLoss, columns: std::ops::Range<usize>| -> f32 {
        let row = loss.disparities[0].chunks_exact(WIDTH / 2);
        row.map(|row| row[columns.clone()].iter().map(|value| value.abs()).sum::<f32>()).sum()
    };
    let flat = host_loss(&wide_pair(&example, identity(), OutOfView::Masked), &example.disparities);
    assert!(pull(&flat, 0..16) < 1e-9, "nothing moves, and a flat map is smooth");
    assert!(pull(&masked, 0..3) < 1e-9 && pull(&masked, 5..16) > 1e-4, "{}", pull(&masked, 0..3));
    assert!((pull(&masked, 6..16) - pull(&border, 6..16)).abs() < 1e-6, "what is in view is taught alike");
}

fn identity() -> Motion {
    [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
}

#[test]
fn the_gradient_to_the_depth_is_that_of_finite_differences_when_masked() {
    let mut example = example();
    example.pyramid.truncate(1);
    example.disparities.truncate(1);
    let motion = [1.0, 0.0, 0.0, -0.3, 0.0, 1.0, 0.0, 0.02, 0.0, 0.0, 1.0, 0.03];
    let loss = |disparities: &[Vec<f32>]| host_loss(&wide_pair(&example, motion, OutOfView::Masked), disparities);
    let gradient = &loss(&example.disparities).disparities[0];
    // Along the gradient itself, so short a way that few pixels change whether they are seen.
    let length = gradient.iter().map(|value| f64::from(value * value)).sum::<f64>().sqrt();
    let step = 2e-5;
    let moved = |by: f64| {
        let along = gradient.iter().map(|value| (f64::from(*value) / length * by) as f32);
        let map = example.disparities[0].iter().zip(along).map(|(value, change)| value + change).collect();
        let loss = loss(&[map]);
        loss.photometric[0] + loss.smoothness
    };
    let numeric = (moved(step) - moved(-step)) / (2.0 * step);
    assert!((numeric - length).abs() < 0.05 * length, "{numeric} against {length}");
}
