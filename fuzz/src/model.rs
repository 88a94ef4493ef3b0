//! A sound int8 (QDQ) model with one of each operator that our kernels compute.

use parallax_onnx::writer::{ConvolutionNumbers, GraphWriter};
use parallax_onnx::{AttributeProto, DataType, ModelProto};

/// Width of the input.
pub const WIDTH: u32 = 16;
/// Height of the input.
pub const HEIGHT: u32 = 8;
/// Channels of the output.
pub const CLASSES: usize = 3;

/// A quantised convolution: the name of its quantised result.
fn convolution(
    writer: &mut GraphWriter,
    input: (&str, f32),
    name: &str,
    shape: [usize; 4],
    attributes: Vec<AttributeProto>,
) -> String {
    let outputs = shape[0];
    let numbers = ConvolutionNumbers {
        shape,
        weights: (0..shape.iter().product()).map(|at: usize| (at * 37 % 251) as u8 as i8).collect(),
        scales: vec![0.01; outputs],
        zero_points: None,
        bias: vec![i32::from_le_bytes([5; 4]); outputs],
    };
    writer.convolution(input, name, &numbers, attributes);
    writer.quantized(name, 0.05, 128)
}

/// The model.
pub fn network() -> ModelProto {
    let mut writer = GraphWriter::new("fuzzed");
    writer.input("image", &[1, 3, HEIGHT as usize, WIDTH as usize]);
    let image = writer.quantized("image", 0.02, 120);
    let first = convolution(
        &mut writer,
        (&image, 0.02),
        "first",
        [8, 3, 3, 3],
        vec![AttributeProto::integers("pads", &[1; 4])],
    );
    let windows =
        || vec![AttributeProto::integers("kernel_shape", &[2, 2]), AttributeProto::integers("strides", &[2, 2])];
    let largest = writer.node("MaxPool", &[&first], "largest", windows());
    let largest = writer.quantized(&largest, 0.05, 128);
    let mean = writer.node("AveragePool", &[&first], "mean", windows());
    let mean = writer.quantized(&mean, 0.05, 128);
    let sum = writer.node("Add", &[&largest, &mean], "sum", Vec::new());
    let sum = writer.node("Relu", &[&sum], "sum_relu", Vec::new());
    let sum = writer.quantized(&sum, 0.06, 0);
    let pads = [0, 0, 1, 1, 0, 0, 1, 1_i64].iter().flat_map(|size| size.to_le_bytes()).collect();
    let pads = writer.constant("pads", &[8], DataType::Int64, pads);
    let padded = writer.node("Pad", &[&sum, &pads], "padded", vec![AttributeProto::text("mode", "reflect")]);
    // Its padding is the border before it.
    let deep =
        convolution(&mut writer, (&padded, 0.06), "deep", [8, 1, 3, 3], vec![AttributeProto::integer("group", 8)]);
    let elu = writer.node("Elu", &[&deep], "elu", Vec::new());
    let elu = writer.quantized(&elu, 0.05, 20);
    let product = writer.node("Mul", &[&elu, &sum], "product", Vec::new());
    let product = writer.quantized(&product, 0.05, 20);
    let twice = writer.floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]);
    let up = writer.node("Resize", &[&product, "", &twice], "up", vec![AttributeProto::text("mode", "linear")]);
    let up = writer.quantized(&up, 0.05, 20);
    let joined = writer.node("Concat", &[&up, &first], "joined", vec![AttributeProto::integer("axis", 1)]);
    let joined = writer.quantized(&joined, 0.05, 100);
    let last = convolution(&mut writer, (&joined, 0.05), "last", [CLASSES, 16, 1, 1], Vec::new());
    writer.finish(&last, &[1, CLASSES, HEIGHT as usize, WIDTH as usize])
}
