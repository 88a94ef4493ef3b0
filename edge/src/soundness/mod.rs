//! What a model file must fulfil before tract sees it.
//!
//! A bundle may come from anywhere. tract trusts what it loads: a size of zero may divide, a scale of zero gives pictures of
//! infinities, a shape of billions is allocated. So a file is read through once first, and the first fault is an error that
//! names the operator or tensor:
//!
//! | module | what it looks at |
//! |---|---|
//! | `tensors` | constants: sizes that multiply to something that fits into memory, and as many numbers as they say |
//! | `operators` | attributes within bounds, scales that are positive numbers, sizes that operators are asked to make |
//!
//! and here the graph: every tensor read is an input, a constant or the result of an operator before (so that there is no
//! cycle), and no two operators write the same.

mod operators;
mod tensors;

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_shape_proto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid as _;

/// Why a file is refused.
pub(crate) type Fault = String;

/// Numbers of a tensor: half a GiB as 32-bit floats. The largest of a network for a board have a hundredth of that.
pub(crate) const MOST_NUMBERS: u64 = 1 << 27;

/// Axes of a tensor.
const MOST_AXES: usize = 8;

/// Operators of a file. Large networks have some thousands.
const MOST_OPERATORS: usize = 100_000;

/// The constants of a graph by name: initialisers and what Constant operators hold.
type Constants<'a> = HashMap<&'a str, &'a TensorProto>;

/// Reads a file through.
///
/// # Errors
/// The first fault.
pub(crate) fn check(proto: &ModelProto) -> Result<(), Fault> {
    let graph = proto.graph.as_ref().ok_or("it has no graph")?;
    if graph.node.is_empty() {
        return Err("it has no operators".to_owned());
    }
    if graph.node.len() > MOST_OPERATORS {
        return Err(format!("it has {} operators, more than {MOST_OPERATORS}", graph.node.len()));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err("it has sparse constants".to_owned());
    }
    graph.initializer.iter().try_for_each(tensors::check)?;
    for input in &graph.input {
        let shape = fixed_shape(input).ok_or_else(|| format!("its input {} is no tensor", input.name))?;
        tensors::count(&shape).map_err(|fault| format!("its input {} {fault}", input.name))?;
    }
    let constants = constants(graph)?;
    check_order(graph)?;
    for node in &graph.node {
        operators::check(node, &constants).map_err(|fault| format!("{} {}: {fault}", node.op_type, name(node)))?;
    }
    Ok(())
}

/// Whether everything that a model will compute fits into memory, once tract has found the shapes.
///
/// # Errors
/// The first tensor that is too large.
pub(crate) fn check_shapes(model: &InferenceModel) -> Result<(), Fault> {
    for node in model.nodes() {
        for output in &node.outputs {
            let Some(shape) = output.fact.shape.concretize() else { continue };
            let sizes: Vec<i64> = shape.iter().map(|size| size.to_i64().unwrap_or(1)).collect();
            tensors::count(&sizes).map_err(|fault| format!("{} gives a tensor that {fault}", node.name))?;
        }
    }
    Ok(())
}

/// The name of an operator for messages: its own, else its first output's.
fn name(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}

/// The sizes of an input; those that are not fixed count as one.
fn fixed_shape(input: &ValueInfoProto) -> Option<Vec<i64>> {
    let Some(Value::TensorType(tensor)) = input.r#type.as_ref()?.value.as_ref() else { return None };
    let size = |dim: &tensor_shape_proto::Dimension| match dim.value {
        Some(tensor_shape_proto::dimension::Value::DimValue(size)) => size,
        _ => 1,
    };
    Some(tensor.shape.as_ref()?.dim.iter().map(size).collect())
}

fn constants(graph: &GraphProto) -> Result<Constants<'_>, Fault> {
    let mut constants = Constants::new();
    for tensor in &graph.initializer {
        if constants.insert(&tensor.name, tensor).is_some() {
            return Err(format!("it has two constants called {}", tensor.name));
        }
    }
    for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
        let value = node.attribute.iter().find(|attribute| attribute.name == "value");
        if let (Some(name), Some(tensor)) = (node.output.first(), value.and_then(|value| value.t.as_ref())) {
            constants.insert(name, tensor);
        }
    }
    Ok(constants)
}

/// # Errors
/// A tensor that is read and that nothing before gives, or that two operators write.
fn check_order(graph: &GraphProto) -> Result<(), Fault> {
    let initialisers = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let mut known: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).chain(initialisers).collect();
    for node in &graph.node {
        if let Some(read) = node.input.iter().find(|name| !name.is_empty() && !known.contains(name.as_str())) {
            let later = graph.node.iter().any(|node| node.output.contains(read));
            let fault = if later { "is computed only after it: a cycle" } else { "is neither an input nor a constant" };
            return Err(format!("{} {} reads {read}, which {fault}", node.op_type, name(node)));
        }
        for written in node.output.iter().filter(|name| !name.is_empty()) {
            if !known.insert(written) {
                return Err(format!("{} {} writes {written}, which is there already", node.op_type, name(node)));
            }
        }
    }
    match graph.output.iter().find(|output| !known.contains(output.name.as_str())) {
        Some(output) => Err(format!("nothing gives its output {}", output.name)),
        None if graph.output.is_empty() => Err("it has no output".to_owned()),
        None => Ok(()),
    }
}
