//! The ways in which other tools write the same integers, and what is said of what is not read.

use parallax_onnx::{GraphProto, NodeProto};

use super::*;

/// What a file writes differently.
#[derive(Clone, Copy)]
struct Form {
    /// s8 in the place of u8 for pictures.
    signed: bool,
    /// Zero points of 0 are left out.
    zero_points: bool,
    weights: Weights,
}

#[derive(Clone, Copy, PartialEq)]
enum Weights {
    Signed,
    Unsigned,
    /// One scale for all.
    PerTensor,
    /// Floats with a QuantizeLinear behind them.
    Float,
}

const PLAIN: Form = Form { signed: false, zero_points: true, weights: Weights::Signed };

impl Writer {
    /// Quantises and dequantises a float tensor on the grid of `scale` and the u8 zero point `zero_point`.
    fn quantized_as(&mut self, form: Form, name: &str, scale: f32, zero_point: u8) -> String {
        let scale = self.floats(&format!("{name}_scale"), &[], &[scale]);
        let (data_type, byte) =
            if form.signed { (DataType::Int8, zero_point ^ 128) } else { (DataType::Uint8, zero_point) };
        let (quantized, dequantized) = (format!("{name}_q"), format!("{name}_dq"));
        if byte == 0 && !form.zero_points {
            let output_type = if form.signed {
                vec![AttributeProto::integer("output_dtype", DataType::Int8 as i64)]
            } else {
                Vec::new()
            };
            self.node("QuantizeLinear", &[name, &scale], &quantized, output_type);
            return self.node("DequantizeLinear", &[&quantized, &scale], &dequantized, Vec::new());
        }
        let zero_point = self.constant(&format!("{name}_zero"), &[], data_type, vec![byte]);
        self.node("QuantizeLinear", &[name, &scale, &zero_point], &quantized, Vec::new());
        self.node("DequantizeLinear", &[&quantized, &scale, &zero_point], &dequantized, Vec::new())
    }

    /// Writes the weights of the convolution `name` in another form; they mean the same.
    fn rewrite_weights(&mut self, name: &str, weights: Weights) {
        let tensor = |writer: &Self, name: String| {
            writer.graph.initializer.iter().position(|tensor| tensor.name == name).unwrap()
        };
        let (integers, zeros) = (tensor(self, format!("{name}_w")), tensor(self, format!("{name}_wz")));
        let dequantize = self.graph.node.iter().position(|node| node.output[0] == format!("{name}_wdq")).unwrap();
        match weights {
            Weights::Signed => {}
            Weights::Unsigned => {
                for index in [integers, zeros] {
                    let tensor = &mut self.graph.initializer[index];
                    tensor.data_type = DataType::Uint8 as i32;
                    tensor.raw_data.iter_mut().for_each(|byte| *byte ^= 128);
                }
            }
            Weights::PerTensor => {
                let scale = 0.004_f32;
                self.graph.node[dequantize].input.truncate(2);
                self.graph.node[dequantize].attribute.clear();
                for (suffix, value) in [("ws", scale), ("bs", scale * 0.02)] {
                    let index = tensor(self, format!("{name}_{suffix}"));
                    self.graph.initializer[index].dims.clear();
                    self.graph.initializer[index].raw_data = value.to_le_bytes().to_vec();
                }
            }
            Weights::Float => {
                let scales = tensor(self, format!("{name}_ws"));
                let scales = self.graph.initializer[scales].floats().unwrap();
                let tensor = &mut self.graph.initializer[integers];
                let run = tensor.raw_data.len() / scales.len();
                let float = |(at, byte): (usize, &u8)| f32::from(*byte as i8) * scales[at / run];
                let floats: Vec<f32> = tensor.raw_data.iter().enumerate().map(float).collect();
                tensor.data_type = DataType::Float as i32;
                tensor.raw_data = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
                let mut quantize = self.graph.node[dequantize].clone();
                quantize.op_type = "QuantizeLinear".to_owned();
                quantize.output = vec![format!("{name}_w8")];
                self.graph.node[dequantize].input[0] = format!("{name}_w8");
                self.graph.node.insert(dequantize, quantize);
            }
        }
    }
}

/// A convolution, a function and a sum, written in a form.
fn written(form: Form) -> ModelProto {
    let mut writer = Writer::with_image([1, 3, 12, 16], 5);
    let image = writer.quantized_as(form, "image", 0.02, 128);
    writer.convolution((&image, 0.02), "conv", [3, 3, 3, 3], flat(1, 1));
    writer.rewrite_weights("conv", form.weights);
    let conv = writer.quantized_as(form, "conv", 0.05, 120);
    let tanh = writer.node("Tanh", &[&conv], "tanh", Vec::new());
    let tanh = writer.quantized_as(form, &tanh, 1.0 / 127.0, 128);
    let sum = writer.node("Add", &[&tanh, &image], "sum", Vec::new());
    let sum = writer.quantized_as(form, &sum, 0.03, 0);
    let mut proto = writer.finish(&sum, [1, 3, 12, 16]);
    proto.opset_import[0].version = 21;
    proto
}

#[test]
fn every_form_of_the_same_file_is_fused_to_the_same_integers() {
    let image = picture(&[1, 3, 12, 16]);
    let expected = run(load(&written(PLAIN), Isa::best(), &team(1)).unwrap().model, &image);
    let distinct: HashSet<u32> = expected.iter().map(|value| value.to_bits()).collect();
    assert!(distinct.len() > 50, "the answer says something: {} values", distinct.len());
    for weights in [Weights::Signed, Weights::Unsigned, Weights::Float, Weights::PerTensor] {
        for (signed, zero_points) in [(false, true), (false, false), (true, true), (true, false)] {
            let proto = written(Form { signed, zero_points, weights });
            let (labels, left) = fused(&proto);
            assert_eq!(left, [], "signed {signed}, zero points {zero_points}");
            assert_eq!(labels, ["QuantizeLinear", "Conv+Tanh", "Add", "DequantizeLinear"]);
            let ours = run(load(&proto, Isa::best(), &team(1)).unwrap().model, &image);
            if weights != Weights::PerTensor {
                assert_eq!(ours, expected, "signed {signed}, zero points {zero_points}");
            }
            // The same file operator by operator, in float between its quantisations.
            let float = run(in_tract(&onnx(), &proto).unwrap(), &image);
            let apart = ours.iter().zip(&float).filter(|(ours, float)| (*ours - *float).abs() > 0.031).count();
            assert_eq!(apart, 0, "signed {signed}, zero points {zero_points}");
        }
    }
}

/// What is said of a model: operator and reason.
fn said(proto: &ModelProto) -> Vec<(String, String)> {
    fused(proto).1.into_iter().map(|left| (left.operator, left.reason)).collect()
}

/// A convolution between quantised pictures whose parts `change` changes, and what is said of it.
fn said_after(change: impl Fn(&mut GraphProto)) -> Vec<(String, String)> {
    let (mut writer, image) = Writer::new([1, 4, 8, 8]);
    writer.convolution((&image, 0.02), "conv", [4, 4, 3, 3], flat(1, 1));
    let conv = writer.quantized("conv", 0.05, 128);
    let mut proto = writer.finish(&conv, [1, 4, 8, 8]);
    proto.opset_import[0].version = 21;
    change(proto.graph.as_mut().unwrap());
    said(&proto)
}

fn node_of<'a>(graph: &'a mut GraphProto, output: &str) -> &'a mut NodeProto {
    graph.node.iter_mut().find(|node| node.output[0] == output).unwrap()
}

fn insert(graph: &mut GraphProto, after: &str, operator: &str, inputs: &[&str], output: &str) {
    let at = graph.node.iter().position(|node| node.output[0] == after).unwrap() + 1;
    let node = NodeProto::new(operator, &format!("{output}_node"), inputs, output);
    graph.node.insert(at, node);
}

#[test]
fn nothing_that_a_file_quantises_runs_in_float_in_silence() {
    type Case = (&'static str, fn(&mut GraphProto), &'static [(&'static str, &'static str)]);
    let cases: [Case; 6] = [
        ("nothing changed", |_| {}, &[]),
        (
            "16-bit pictures",
            |graph| {
                for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.name == "image_zero") {
                    tensor.data_type = DataType::Uint16 as i32;
                    tensor.raw_data = vec![0, 128];
                }
            },
            &[("Conv", "its input image_dq is quantized neither to u8 nor to s8, or its scale is no number")],
        ),
        (
            "several scales of a picture",
            |graph| {
                for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.name.starts_with("image_")) {
                    tensor.dims = vec![4];
                    tensor.raw_data = tensor.raw_data.repeat(4);
                }
            },
            &[("Conv", "its input image_dq has several scales")],
        ),
        (
            "an operator between the convolution and its quantisation",
            |graph| {
                insert(graph, "conv", "Softsign", &["conv"], "soft");
                node_of(graph, "conv_q").input[0] = "soft".to_owned();
            },
            &[
                ("Conv", "its result is not quantized: Softsign soft_node reads it in float"),
                ("Softsign", "what it reads is in float in the file: Conv conv_node is before it"),
            ],
        ),
        (
            "a result in float",
            |graph| {
                graph.node.retain(|node| !node.output[0].starts_with("conv_q") && node.output[0] != "conv_dq");
                graph.output[0].name = "conv".to_owned();
            },
            &[("Conv", "its result is not quantized")],
        ),
        (
            "weights alone",
            |graph| {
                node_of(graph, "conv").input[0] = "image".to_owned();
                graph.node.retain(|node| !node.output[0].starts_with("image_"));
            },
            &[("Conv", "its input image is in float")],
        ),
    ];
    for (what, change, expected) in cases {
        let found = said_after(change);
        let found: Vec<_> = found.iter().map(|(operator, reason)| (operator.as_str(), reason.as_str())).collect();
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn integers_that_others_read_are_named() {
    let reshaped = said_after(|graph| {
        insert(graph, "image_q", "Identity", &["image_q"], "copied");
        node_of(graph, "image_dq").input[0] = "copied".to_owned();
    });
    let reason = "its input image_dq comes as integers from Identity copied_node".to_owned();
    assert_eq!(reshaped, [("Conv".to_owned(), reason)]);
}

#[test]
fn the_older_form_of_integers_is_named() {
    let (mut writer, _image) = Writer::new([1, 2, 8, 8]);
    let weights = writer.constant("w", &[2, 2, 1, 1], DataType::Int8, vec![3, 1, 2, 4]);
    let scale = writer.floats("ws", &[], &[0.01]);
    let zero = writer.constant("wz", &[], DataType::Int8, vec![0]);
    let inputs = ["image_q", "image_scale", "image_zero", &weights, &scale, &zero, "image_scale", "image_zero"];
    writer.node("QLinearConv", &inputs, "conv_q", Vec::new());
    writer.node("DequantizeLinear", &["conv_q", "image_scale", "image_zero"], "conv", Vec::new());
    let found = said(&writer.finish("conv", [1, 2, 8, 8]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "QLinearConv");
    assert!(found[0].1.contains("takes and gives integers itself"), "{found:?}");
}
