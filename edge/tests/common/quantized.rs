//! The model made by hand in QDQ form.

use parallax_onnx::writer::GraphWriter;
use parallax_onnx::{AttributeProto, ModelProto, TensorProto};

use super::common::{HEIGHT, WIDTH, model};

/// The model that says red where red is, in QDQ form. Weights that have a zero point are not symmetric: our kernels leave
/// those to tract.
pub(crate) fn quantized(weight_zero_point: i8) -> Vec<u8> {
    let mut proto = ModelProto::from_bytes(&model("Conv", WIDTH, HEIGHT)).unwrap();
    let step = 1.0_f32 / 127.0;
    let mut writer = GraphWriter::default();
    let axis = vec![AttributeProto::integer("axis", 0)];
    writer.node("QuantizeLinear", &["image", "scale", "zero"], "image_q", Vec::new());
    writer.node("DequantizeLinear", &["image_q", "scale", "zero"], "image_dq", Vec::new());
    writer.node("DequantizeLinear", &["weights", "weight_scale", "weight_zero"], "weights_dq", axis);
    writer.node("Conv", &["image_dq", "weights_dq"], "classified", Vec::new());
    writer.node("QuantizeLinear", &["classified", "scale", "zero"], "logits_q", Vec::new());
    writer.node("DequantizeLinear", &["logits_q", "scale", "zero"], "logits", Vec::new());
    let integers = [-127, 0, 0, 127, 0, 0].map(|weight: i8| weight.saturating_add(weight_zero_point));
    let graph = proto.graph.as_mut().unwrap();
    graph.node = writer.graph.node;
    graph.initializer = vec![
        TensorProto::of_floats("scale", &[], &[step]),
        TensorProto::of_unsigned_bytes("zero", &[], &[128]),
        TensorProto::of_signed_bytes("weights", &[2, 3, 1, 1], &integers),
        TensorProto::of_floats("weight_scale", &[2], &[step; 2]),
        TensorProto::of_signed_bytes("weight_zero", &[2], &[weight_zero_point; 2]),
    ];
    proto.to_bytes()
}
