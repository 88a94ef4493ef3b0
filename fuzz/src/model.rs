//! A sound int8 (QDQ) model with one of each operator that our kernels compute.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::{self, Value};
use tract_onnx::pb::*;

/// Width of the input.
pub const WIDTH: u32 = 16;
/// Height of the input.
pub const HEIGHT: u32 = 8;
/// Channels of the output.
pub const CLASSES: i64 = 3;

#[derive(Default)]
struct Writer(GraphProto);

impl Writer {
    fn constant(&mut self, name: &str, dims: &[i64], data_type: DataType, raw_data: Vec<u8>) -> String {
        let (name, dims, data_type) = (name.to_owned(), dims.to_vec(), data_type as i32);
        self.0.initializer.push(TensorProto { name: name.clone(), dims, data_type, raw_data, ..Default::default() });
        name
    }

    fn floats(&mut self, name: &str, dims: &[i64], values: &[f32]) -> String {
        self.constant(name, dims, DataType::Float, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> String {
        let input = inputs.iter().map(|name| (*name).to_owned()).collect();
        let (op_type, output) = (operator.to_owned(), vec![output.to_owned()]);
        let name = output[0].clone();
        self.0.node.push(NodeProto { op_type, name: name.clone(), input, output, attribute, ..Default::default() });
        name
    }

    fn quantized(&mut self, name: &str, scale: f32, zero_point: u8) -> String {
        let scale = self.floats(&format!("{name}_scale"), &[], &[scale]);
        let zero_point = self.constant(&format!("{name}_zero"), &[], DataType::Uint8, vec![zero_point]);
        let integers = self.node("QuantizeLinear", &[name, &scale, &zero_point], &format!("{name}_q"), Vec::new());
        self.node("DequantizeLinear", &[&integers, &scale, &zero_point], &format!("{name}_dq"), Vec::new())
    }

    fn convolution(
        &mut self,
        input: (&str, f32),
        name: &str,
        shape: [i64; 4],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let count = shape.iter().product::<i64>();
        let weights = (0..count).map(|at| (at * 37 % 251) as u8).collect();
        let weights = self.constant(&format!("{name}_w"), &shape, DataType::Int8, weights);
        let scales = self.floats(&format!("{name}_ws"), &[shape[0]], &vec![0.01; shape[0] as usize]);
        let bias = self.constant(&format!("{name}_b"), &[shape[0]], DataType::Int32, vec![5; 4 * shape[0] as usize]);
        let bias_scales = self.floats(&format!("{name}_bs"), &[shape[0]], &vec![0.01 * input.1; shape[0] as usize]);
        let axis = || vec![integer("axis", 0)];
        let weights = self.node("DequantizeLinear", &[&weights, &scales], &format!("{name}_wdq"), axis());
        let bias = self.node("DequantizeLinear", &[&bias, &bias_scales], &format!("{name}_bdq"), axis());
        self.node("Conv", &[input.0, &weights, &bias], name, attributes);
        self.quantized(name, 0.05, 128)
    }
}

pub(crate) fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: name.to_owned(), ints: values.to_vec(), r#type: 7, ..Default::default() }
}

pub(crate) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i: value, r#type: 2, ..Default::default() }
}

pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { name: name.to_owned(), s: value.as_bytes().to_vec(), r#type: 3, ..Default::default() }
}

fn value_info(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |size: &i64| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(*size)),
        ..Default::default()
    };
    let shape = Some(TensorShapeProto { dim: shape.iter().map(dim).collect() });
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape };
    let r#type = Some(TypeProto { value: Some(Value::TensorType(tensor)), ..Default::default() });
    ValueInfoProto { name: name.to_owned(), r#type, ..Default::default() }
}

/// The model.
pub fn network() -> ModelProto {
    let mut writer = Writer::default();
    let (width, height) = (i64::from(WIDTH), i64::from(HEIGHT));
    let image = writer.quantized("image", 0.02, 120);
    let first = writer.convolution((&image, 0.02), "first", [8, 3, 3, 3], vec![integers("pads", &[1; 4])]);
    let windows = || vec![integers("kernel_shape", &[2, 2]), integers("strides", &[2, 2])];
    let largest = writer.node("MaxPool", &[&first], "largest", windows());
    let largest = writer.quantized(&largest, 0.05, 128);
    let mean = writer.node("AveragePool", &[&first], "mean", windows());
    let mean = writer.quantized(&mean, 0.05, 128);
    let sum = writer.node("Add", &[&largest, &mean], "sum", Vec::new());
    let sum = writer.node("Relu", &[&sum], "sum_relu", Vec::new());
    let sum = writer.quantized(&sum, 0.06, 0);
    let pads = [0, 0, 1, 1, 0, 0, 1, 1_i64].iter().flat_map(|size| size.to_le_bytes()).collect();
    let pads = writer.constant("pads", &[8], DataType::Int64, pads);
    let padded = writer.node("Pad", &[&sum, &pads], "padded", vec![text("mode", "reflect")]);
    // Its padding is the border before it.
    let deep = writer.convolution((&padded, 0.06), "deep", [8, 1, 3, 3], vec![integer("group", 8)]);
    let elu = writer.node("Elu", &[&deep], "elu", Vec::new());
    let elu = writer.quantized(&elu, 0.05, 20);
    let product = writer.node("Mul", &[&elu, &sum], "product", Vec::new());
    let product = writer.quantized(&product, 0.05, 20);
    let twice = writer.floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]);
    let up = writer.node("Resize", &[&product, "", &twice], "up", vec![text("mode", "linear")]);
    let up = writer.quantized(&up, 0.05, 20);
    let joined = writer.node("Concat", &[&up, &first], "joined", vec![integer("axis", 1)]);
    let joined = writer.quantized(&joined, 0.05, 100);
    let last = writer.convolution((&joined, 0.05), "last", [CLASSES, 16, 1, 1], Vec::new());
    let mut graph = writer.0;
    "fuzzed".clone_into(&mut graph.name);
    graph.input = vec![value_info("image", &[1, 3, height, width])];
    graph.output = vec![value_info(&last, &[1, CLASSES, height, width])];
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 18 }],
        graph: Some(graph),
        ..Default::default()
    }
}
