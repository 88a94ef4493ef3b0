//! The model made by hand in QDQ form.

use prost::Message as _;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, TensorProto};

use super::common::{HEIGHT, WIDTH, model};

fn constant(name: &str, dims: &[i64], data_type: DataType, raw_data: Vec<u8>) -> TensorProto {
    let (name, dims, data_type) = (name.to_owned(), dims.to_vec(), data_type as i32);
    TensorProto { name, dims, data_type, raw_data, ..Default::default() }
}

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.to_owned(),
        name: format!("{output}_node"),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    }
}

/// The model that says red where red is, in QDQ form. Weights that have a zero point are not symmetric: our kernels leave
/// those to tract.
pub(crate) fn quantized(weight_zero_point: i8) -> Vec<u8> {
    let mut proto = ModelProto::decode(model("Conv", WIDTH, HEIGHT).as_slice()).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    let step = (1.0_f32 / 127.0).to_le_bytes();
    let mut weights = node("DequantizeLinear", &["weights", "weight_scale", "weight_zero"], "weights_dq");
    weights.attribute = vec![AttributeProto { name: "axis".to_owned(), r#type: 2, ..Default::default() }];
    graph.node = vec![
        node("QuantizeLinear", &["image", "scale", "zero"], "image_q"),
        node("DequantizeLinear", &["image_q", "scale", "zero"], "image_dq"),
        weights,
        node("Conv", &["image_dq", "weights_dq"], "classified"),
        node("QuantizeLinear", &["classified", "scale", "zero"], "logits_q"),
        node("DequantizeLinear", &["logits_q", "scale", "zero"], "logits"),
    ];
    let integers = [-127, 0, 0, 127, 0, 0].map(|weight: i8| weight.saturating_add(weight_zero_point) as u8);
    graph.initializer = vec![
        constant("scale", &[], DataType::Float, step.to_vec()),
        constant("zero", &[], DataType::Uint8, vec![128]),
        constant("weights", &[2, 3, 1, 1], DataType::Int8, integers.to_vec()),
        constant("weight_scale", &[2], DataType::Float, step.repeat(2)),
        constant("weight_zero", &[2], DataType::Int8, vec![weight_zero_point as u8; 2]),
    ];
    proto.encode_to_vec()
}
