//! Names for nodes and tensors, after the layers they come from: `encoder.layer1.0.conv1`, `…conv1.relu`.

use std::collections::{BTreeMap, BTreeSet};

use parallax_onnx::{DimensionValue, NodeProto, ValueInfoProto};

use super::graph::Graph;
use crate::error::{ModelError, Result};

/// Names the graph's input and output as given, and every other node and its output after its layer: a convolution
/// after its weights, any other operator after its first input's layer and itself.
pub fn name_after_layers(graph: &mut Graph, input: &str, output: &str) {
    let mut renamed = BTreeMap::from([(graph.inputs[0].name.clone(), input.to_string())]);
    let last = graph.outputs[0].name.clone();
    let mut taken = BTreeSet::from([input.to_string(), output.to_string()]);
    for node in &mut graph.nodes {
        for name in &mut node.input {
            if let Some(new) = renamed.get(name) {
                name.clone_from(new);
            }
        }
        node.name = unused(&layer_name(node), &mut taken);
        let tensor = if node.output[0] == last { output.to_string() } else { node.name.clone() };
        renamed.insert(std::mem::replace(&mut node.output[0], tensor.clone()), tensor);
    }
    graph.inputs[0].name = input.into();
    graph.outputs[0].name = output.into();
}

fn layer_name(node: &NodeProto) -> String {
    if node.op_type == "Conv" {
        return node.input[1].trim_end_matches(".weight").to_string();
    }
    let operator = node.op_type.to_lowercase();
    match node.input.first().map(|input| layer_of(input)) {
        Some(layer) if !layer.is_empty() => format!("{layer}.{operator}"),
        _ => operator,
    }
}

/// `encoder.conv1.relu` belongs to `encoder.conv1`: without the operators already appended.
fn layer_of(tensor: &str) -> &str {
    const OPERATORS: [&str; 7] = ["relu", "elu", "add", "concat", "resize", "maxpool", "sigmoid"];
    let operator = |part: &str| OPERATORS.contains(&part.split('_').next().unwrap_or(part));
    match tensor.rsplit_once('.') {
        Some((layer, last)) if operator(last) => layer,
        _ => tensor,
    }
}

fn unused(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_string();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{name}_{number}");
        number += 1;
    }
    candidate
}

/// Height and width of every four-dimensional tensor in the graph.
///
/// # Errors
/// [`ModelError::Export`] for an operator whose output size is not known here.
pub(super) fn spatial_sizes(graph: &Graph) -> Result<BTreeMap<String, [i64; 2]>> {
    let mut sizes = BTreeMap::new();
    for input in &graph.inputs {
        sizes.insert(input.name.clone(), declared_size(input)?);
    }
    for node in &graph.nodes {
        let from = sizes.get(&node.input[0]).copied();
        let from = from.ok_or_else(|| ModelError::Export(format!("size of `{}` is unknown", node.input[0])))?;
        let to = match node.op_type.as_str() {
            "Conv" | "MaxPool" => strided(node, graph, from),
            "Resize" => resized(node, graph)?,
            "Relu" | "Elu" | "Add" | "Concat" | "Sigmoid" => from,
            other => return Err(ModelError::Export(format!("unexpected operator {other}"))),
        };
        sizes.insert(node.output[0].clone(), to);
    }
    Ok(sizes)
}

fn declared_size(value: &ValueInfoProto) -> Result<[i64; 2]> {
    let unknown = || ModelError::Export(format!("`{}` declares no static shape", value.name));
    let dims = value.dimensions().ok_or_else(unknown)?;
    let side = |axis: usize| match dims.get(axis).and_then(|dim| dim.value.as_ref()) {
        Some(DimensionValue::Fixed(side)) => Ok(*side),
        _ => Err(unknown()),
    };
    Ok([side(2)?, side(3)?])
}

fn strided(node: &NodeProto, graph: &Graph, from: [i64; 2]) -> [i64; 2] {
    let ints = |name: &str| node.integers(name).map(<[i64]>::to_vec);
    let kernel = ints("kernel_shape")
        .or_else(|| graph.constants.get(node.input.get(1)?).map(|weight| weight.dims[2..].to_vec()))
        .unwrap_or_else(|| vec![1, 1]);
    let strides = ints("strides").unwrap_or_else(|| vec![1, 1]);
    let pads = ints("pads").unwrap_or_else(|| vec![0; 4]);
    [0, 1].map(|axis| (from[axis] + pads[axis] + pads[axis + 2] - kernel[axis]) / strides[axis] + 1)
}

fn resized(node: &NodeProto, graph: &Graph) -> Result<[i64; 2]> {
    let sizes = node.input.get(3).and_then(|name| graph.constants.get(name));
    let raw = sizes.map(|tensor| tensor.raw_data.as_chunks::<8>().0).unwrap_or_default();
    match raw {
        [height, width] => Ok([i64::from_le_bytes(*height), i64::from_le_bytes(*width)]),
        _ => Err(ModelError::Export(format!("resize `{}` gives no output size", node.name))),
    }
}
