//! Networks as other programs write them, made here; what they compute stays the same.

mod answers;
mod refusals;
mod whole;

use parallax_core::model_input::Channels;
use parallax_onnx::{DimensionValue, ModelProto, NodeProto};

use tract_onnx::prelude::*;

use super::*;
use crate::runner::Runner;
use crate::tests::{Builder, HEIGHT, WIDTH, numbers};

const SIZE: (u32, u32) = (WIDTH as u32, HEIGHT as u32);
const PLAIN: Normalisation = Normalisation { mean: [0.0; 3], std: [1.0; 3], channels: Channels::Rgb };
const PICTURE: [usize; 4] = [1, 3, HEIGHT, WIDTH];

fn adopted(model: &ModelProto, purpose: Purpose) -> Adopted {
    adopt(model, &PLAIN, Some(SIZE), None, purpose).unwrap()
}

fn nodes<'a>(model: &'a ModelProto, operator: &str) -> Vec<&'a NodeProto> {
    model.graph.iter().flat_map(|graph| &graph.node).filter(|node| node.op_type == operator).collect()
}

/// What a model makes of a picture.
fn run(model: &ModelProto, picture: &[f32]) -> Vec<f32> {
    Runner::new(model).unwrap().run(picture).unwrap()[0].values().unwrap().to_vec()
}

/// The same of a model whose sizes are not constant yet.
fn run_as_it_is(model: &ModelProto, picture: &[f32]) -> Vec<f32> {
    let read = tract_onnx::onnx().model_for_read(&mut model.to_bytes().as_slice()).unwrap();
    let plan = read.into_optimized().unwrap().into_runnable().unwrap();
    let input = Tensor::from_shape(&PICTURE, picture).unwrap();
    let outputs = plan.run(tvec!(input.into())).unwrap();
    outputs[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest > 0.1 && difference <= 1e-4 * largest, "{difference} of {largest}");
}

fn with_opset(mut model: ModelProto, opset: i64) -> ModelProto {
    model.opset_import[0].version = opset;
    model
}

/// Batch, height and width of the input as symbols.
fn dynamic(mut model: ModelProto) -> ModelProto {
    let input = &mut model.graph.as_mut().unwrap().input[0];
    let shape = input.tensor_mut().unwrap().shape.as_mut().unwrap();
    for (axis, name) in [(0, "batch"), (2, "height"), (3, "width")] {
        shape.dim[axis].value = Some(DimensionValue::Named(name.to_owned()));
    }
    model
}

/// Four batch norm statistics and their operator.
fn batch_norm(builder: Builder, input: &str, output: &str, channels: usize) -> Builder {
    let name = |part: &str| format!("{output}_{part}");
    let builder = ["scale", "bias", "mean"].into_iter().enumerate().fold(builder, |builder, (seed, part)| {
        builder.floats(&name(part), &[channels], &numbers(channels, 40 + seed as u64))
    });
    let variance: Vec<f32> = numbers(channels, 50).iter().map(|value| value.abs() + 0.2).collect();
    let inputs = [input, &name("scale"), &name("bias"), &name("mean"), &name("variance")];
    builder.floats(&name("variance"), &[channels], &variance).node("BatchNormalization", &inputs, output, &[])
}

/// `[classes, height, width]` into the class of each pixel.
fn mask(logits: &[f32], classes: usize) -> Vec<u8> {
    let plane = logits.len() / classes;
    let best =
        |pixel: usize| {
            (0..classes).fold(0, |best, class| {
                if logits[class * plane + pixel] > logits[best * plane + pixel] { class } else { best }
            })
        };
    (0..plane).map(|pixel| best(pixel) as u8).collect()
}
