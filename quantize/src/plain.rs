//! DequantizeLinear in plain operators, for tract.
//!
//! ```text
//! DequantizeLinear(q) = (Cast(q) − Cast(zero_point)) · scale
//! ```
//!
//! tract has the operator, and an optimisation with it: everything from there to the next QuantizeLinear whose axes stay in
//! place becomes a table of 256 entries. A softmax has such axes, and no such table: what it gives depends on the other
//! classes. Plain operators are what tract cannot take for one end of a table, and their answers are onnxruntime's.

use std::collections::HashMap;

use parallax_onnx::{AttributeProto, DataType, ModelProto, NodeProto, TensorProto};

use super::{QuantizeError, Result, graph};

/// Writes each DequantizeLinear of one scale as Cast, Sub and Mul; those of several scales, which are those of weights, are
/// so computed by tract itself. A QuantizeLinear to s8 that says so by an attribute alone is given the zero point that tract
/// goes by.
///
/// # Errors
/// A scale that is not constant.
pub(super) fn with_plain_dequantization(model: &mut ModelProto) -> Result<()> {
    let is_linear = |node: &NodeProto| matches!(node.op_type.as_str(), "QuantizeLinear" | "DequantizeLinear");
    if !graph::graph(model)?.node.iter().any(is_linear) {
        return Ok(());
    }
    graph::lift_constants(model)?;
    let graph = graph::graph_mut(model)?;
    let lengths: HashMap<String, i64> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.dims.iter().product())).collect();
    let mut nodes = Vec::with_capacity(graph.node.len());
    let mut signed = false;
    for mut node in std::mem::take(&mut graph.node) {
        let zero_point = node.input.get(2).filter(|name| !name.is_empty()).cloned();
        match node.op_type.as_str() {
            "DequantizeLinear" => {
                let scale = node.input.get(1).cloned().unwrap_or_default();
                let length = |name: &String| {
                    let unsupported =
                        || QuantizeError::Unsupported(format!("the scale or zero point {name} is not constant"));
                    lengths.get(name).copied().ok_or_else(unsupported)
                };
                let scales = length(&scale)?.max(zero_point.as_ref().map_or(Ok(1), length)?);
                if scales == 1 { nodes.extend(plain(&node, &scale, zero_point)) } else { nodes.push(node) }
            }
            "QuantizeLinear" if zero_point.is_none() && output_type(&node) == Some(DataType::Int8) => {
                node.input.resize(2, String::new());
                node.input.push(SIGNED_ZERO.to_owned());
                signed = true;
                nodes.push(node);
            }
            _ => nodes.push(node),
        }
    }
    graph.node = nodes;
    if signed {
        graph.initializer.push(TensorProto::of_signed_bytes(SIGNED_ZERO, &[], &[0]));
    }
    Ok(())
}

/// The initializer that stands for a zero point of s8 that is not given.
const SIGNED_ZERO: &str = "parallax_signed_zero";

fn output_type(node: &NodeProto) -> Option<DataType> {
    let attribute = node.attribute.iter().find(|attribute| attribute.name == "output_dtype")?;
    DataType::try_from(i32::try_from(attribute.i).ok()?).ok()
}

fn plain(node: &NodeProto, scale: &str, zero_point: Option<String>) -> Vec<NodeProto> {
    let (name, result) = (node.label().to_owned(), node.output.first().map_or("", String::as_str));
    let part = |what: &str| format!("{result}.{what}");
    let step = |operator: &str, inputs: &[&str], output: &str| {
        NodeProto::new(operator, &format!("{name}.{operator}.{output}"), inputs, output)
    };
    let cast = |integers: &str, output: &str| {
        let to_float = AttributeProto::integer("to", DataType::Float as i64);
        NodeProto { attribute: vec![to_float], ..step("Cast", &[integers], output) }
    };
    let (float, zero, shifted) = (part("float"), part("zero"), part("shifted"));
    let integers = node.input.first().map_or("", String::as_str);
    match zero_point {
        Some(zero_point) => vec![
            cast(integers, &float),
            cast(&zero_point, &zero),
            step("Sub", &[&float, &zero], &shifted),
            step("Mul", &[&shifted, scale], result),
        ],
        None => vec![cast(integers, &float), step("Mul", &[&float, scale], result)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::runner::Runner;
    use super::*;
    use parallax_onnx::{GraphProto, ValueInfoProto};

    const SHAPE: [usize; 4] = [1, 5, 3, 4];

    /// A softmax along the classes, alone or between quantised tensors.
    fn softmax(quantized: Option<DataType>) -> ModelProto {
        let mut along = NodeProto::new("Softmax", "softmax", &["image"], "out");
        along.attribute = vec![AttributeProto::integer("axis", 1)];
        let mut graph = GraphProto {
            input: vec![ValueInfoProto::of_floats("image", &SHAPE)],
            output: vec![ValueInfoProto::of_floats("out", &SHAPE)],
            ..GraphProto::default()
        };
        match quantized {
            None => graph.node = vec![along],
            Some(data_type) => {
                (along.input, along.output) = (vec!["in".to_owned()], vec!["soft".to_owned()]);
                let zero_point = match data_type {
                    DataType::Int8 => TensorProto::of_signed_bytes("zero", &[], &[-28]),
                    _ => TensorProto::of_unsigned_bytes("zero", &[], &[100]),
                };
                graph.initializer = vec![TensorProto::of_floats("scale", &[], &[STEP]), zero_point];
                let node = |operator: &str, read: &str, written: &str| {
                    NodeProto::new(operator, written, &[read, "scale", "zero"], written)
                };
                graph.node = vec![
                    node("QuantizeLinear", "image", "in8"),
                    node("DequantizeLinear", "in8", "in"),
                    along,
                    node("QuantizeLinear", "soft", "out8"),
                    node("DequantizeLinear", "out8", "out"),
                ];
            }
        }
        ModelProto::new(graph, 18)
    }

    const STEP: f32 = 0.02;

    #[test]
    fn a_softmax_between_quantised_tensors_is_no_table() {
        let image: Vec<f32> = (0..60).map(|at| (at as f32 * 0.7).sin() * 1.5).collect();
        let round = |value: &f32| ((value / STEP).round_ties_even().clamp(-100.0, 155.0)) * STEP;
        let rounded: Vec<f32> = image.iter().map(round).collect();
        let float = Runner::new(&softmax(None)).unwrap().run(&rounded).unwrap();
        let expected: Vec<f32> = float[0].values().unwrap().iter().map(round).collect();
        for data_type in [DataType::Uint8, DataType::Int8] {
            let found = Runner::new(&softmax(Some(data_type))).unwrap().run(&image).unwrap();
            for (found, expected) in found[0].values().unwrap().iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-5, "{data_type:?}: {found} for {expected}");
            }
        }
        assert!(expected.iter().any(|value| *value > 0.3), "the answer says something");
    }

    #[test]
    fn a_model_without_quantisation_stays_as_it_is() {
        let mut model = softmax(None);
        with_plain_dequantization(&mut model).unwrap();
        assert_eq!(model, softmax(None));
    }
}
