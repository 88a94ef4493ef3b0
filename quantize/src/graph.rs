//! What the quantizer asks of a model, each with an error that names what is missing: a graph, one input, finite weights, order.

use std::collections::HashSet;
use std::path::Path;

use parallax_core::bundle::MOST_FILE_BYTES;
use parallax_core::model_input::ModelInput;
use parallax_core::reading;
use parallax_onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, is_quantization, metadata};

use super::{QuantizeError, Result};

/// The oldest operator set with per-axis QuantizeLinear.
const OLDEST_OPSET: i64 = 13;

/// Reads an ONNX file.
///
/// # Errors
/// An unreadable file, or one that is not an ONNX model with a graph.
pub fn read_model(path: &Path) -> Result<ModelProto> {
    let bytes = reading::read_bytes(path, MOST_FILE_BYTES).map_err(|error| match error {
        parallax_core::Error::Io { source, .. } => QuantizeError::Unreadable { path: path.to_path_buf(), source },
        no_file => no_file.into(),
    })?;
    let not_onnx = |reason: String| QuantizeError::NotOnnx { path: path.to_path_buf(), reason };
    let model = ModelProto::from_bytes(&bytes).map_err(not_onnx)?;
    let nodes = model.graph.as_ref().map_or(0, |graph| graph.node.len());
    if nodes == 0 {
        return Err(not_onnx("it has no operators; the file may be truncated".to_owned()));
    }
    Ok(model)
}

/// Decodes a model that is in memory.
///
/// # Errors
/// Bytes that are no ONNX model.
pub fn decode(bytes: &[u8]) -> Result<ModelProto> {
    ModelProto::from_bytes(bytes).map_err(QuantizeError::Unsupported)
}

/// The model's graph.
///
/// # Errors
/// A model without one.
pub fn graph(model: &ModelProto) -> Result<&GraphProto> {
    model.graph.as_ref().ok_or_else(|| QuantizeError::Unsupported("the model has no graph".to_owned()))
}

pub(crate) fn graph_mut(model: &mut ModelProto) -> Result<&mut GraphProto> {
    model.graph.as_mut().ok_or_else(|| QuantizeError::Unsupported("the model has no graph".to_owned()))
}

/// The input contract in the metadata entry `key`, if there is one.
///
/// # Errors
/// An entry that makes no sense.
pub(crate) fn stated_input(model: &ModelProto, key: &str) -> Result<Option<ModelInput>> {
    let Some(text) = model.metadata(key) else { return Ok(None) };
    let bad = |reason: String| QuantizeError::BadMetadata { key: key.to_owned(), reason };
    let input: ModelInput = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    input.validate().map_err(bad)?;
    Ok(Some(input))
}

/// The names of the classes that the model gives, in its order, from its metadata; none for a model that does not say.
///
/// # Errors
/// An entry that is no list of names.
pub fn class_names(model: &ModelProto) -> Result<Option<Vec<String>>> {
    let Some(text) = model.metadata(metadata::CLASSES) else { return Ok(None) };
    let bad = |error: serde_json::Error| QuantizeError::BadMetadata {
        key: metadata::CLASSES.to_owned(),
        reason: error.to_string(),
    };
    serde_json::from_str(text).map(Some).map_err(bad)
}

/// The same model without what is only said of its tensors.
pub(crate) fn without_descriptions(model: &ModelProto) -> ModelProto {
    let mut model = model.clone();
    if let Some(graph) = model.graph.as_mut() {
        graph.value_info.clear();
    }
    model
}

/// Turns `Constant` nodes into initializers, so that every constant is found in one place.
///
/// # Errors
/// A `Constant` node without a tensor value.
pub fn lift_constants(model: &mut ModelProto) -> Result<()> {
    let graph = graph_mut(model)?;
    let (constants, nodes): (Vec<_>, Vec<_>) =
        std::mem::take(&mut graph.node).into_iter().partition(|node| node.op_type == "Constant");
    graph.node = nodes;
    for node in constants {
        let name = node.output.first().cloned().unwrap_or_default();
        let unsupported = || QuantizeError::BadTensor { tensor: name.clone(), reason: "no tensor value".to_owned() };
        let attribute = node.attribute.first().ok_or_else(unsupported)?;
        let mut tensor = match attribute.name.as_str() {
            "value" => attribute.t.clone().ok_or_else(unsupported)?,
            "value_float" => TensorProto::of_floats(&name, &[], &[attribute.f]),
            "value_floats" => TensorProto::of_floats(&name, &[attribute.floats.len()], &attribute.floats),
            "value_int" => TensorProto::of_longs(&name, &[], &[attribute.i]),
            "value_ints" => TensorProto::of_longs(&name, &[attribute.ints.len()], &attribute.ints),
            _ => return Err(unsupported()),
        };
        tensor.name.clone_from(&name);
        graph.initializer.push(tensor);
    }
    Ok(())
}

/// Checks that a model can be quantized at all: a recent operator set, one input, no quantization yet, finite weights, and
/// operators that read only what is there before them.
///
/// # Errors
/// The first of these that does not hold.
pub fn check_float(model: &ModelProto) -> Result<()> {
    let opset = model.opset_import.iter().find(|set| set.domain.is_empty()).map_or(0, |set| set.version);
    if opset < OLDEST_OPSET {
        return Err(QuantizeError::Unsupported(format!("expected operator set {OLDEST_OPSET} or newer, got {opset}")));
    }
    let graph = graph(model)?;
    if let Some(node) = graph.node.iter().find(|node| is_quantization(&node.op_type)) {
        return Err(QuantizeError::AlreadyQuantized { node: node.label().to_owned(), operator: node.op_type.clone() });
    }
    check_finite(model)?;
    check_order(graph)?;
    graph.node.iter().filter(|node| node.op_type == "Conv").try_for_each(|node| check_convolution(graph, node))?;
    inputs(graph).map(|_| ())
}

/// # Errors
/// A weight that is NaN or infinite, in the initializers or in a `Constant` node: the first, by name.
pub fn check_finite(model: &ModelProto) -> Result<()> {
    let graph = graph(model)?;
    let inside = graph.node.iter().filter(|node| node.op_type == "Constant").flat_map(|node| &node.attribute);
    let tensors = graph.initializer.iter().chain(inside.filter_map(|attribute| attribute.t.as_ref()));
    for tensor in tensors {
        let not_finite = match DataType::try_from(tensor.data_type) {
            Ok(DataType::Float) => floats(tensor)?.into_iter().find(|value| !value.is_finite()),
            Ok(DataType::Double) if tensor.raw_data.is_empty() => {
                tensor.double_data.iter().find(|value| !value.is_finite()).map(|value| *value as f32)
            }
            Ok(DataType::Double) => {
                let values = tensor.raw_data.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
                values.into_iter().find(|value| !value.is_finite()).map(|value| value as f32)
            }
            _ => None,
        };
        if let Some(value) = not_finite {
            return Err(QuantizeError::NonFiniteWeight { tensor: tensor.name.clone(), value });
        }
    }
    Ok(())
}

/// Each operator writes something new and reads what an operator before it, the model's input or an initializer gives.
pub(crate) fn check_order(graph: &GraphProto) -> Result<()> {
    let unsupported = |what: String| Err(QuantizeError::Unsupported(what));
    let producers = graph.producers();
    let mut known: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    known.extend(graph.initializer.iter().map(|tensor| tensor.name.as_str()));
    for node in &graph.node {
        let (name, operator) = (node.label(), &node.op_type);
        let unknown = node.input.iter().find(|input| !input.is_empty() && !known.contains(input.as_str()));
        if let Some(input) = unknown {
            return unsupported(if producers.contains_key(input.as_str()) {
                format!(
                    "{operator} {name} reads {input} before it is computed: the graph has a cycle or is out of order"
                )
            } else {
                format!("{operator} {name} reads {input}, which is nowhere in the file")
            });
        }
        if node.output.iter().all(String::is_empty) {
            return unsupported(format!("{operator} {name} writes nothing"));
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if !known.insert(output) {
                return unsupported(format!("{operator} {name} writes {output}, which is there already"));
            }
        }
    }
    match graph.output.iter().find(|output| !known.contains(output.name.as_str())) {
        Some(output) => unsupported(format!("the model's output {} is computed nowhere", output.name)),
        None if graph.output.is_empty() => unsupported("the model has no output".to_owned()),
        None => Ok(()),
    }
}

/// Constant weights have at least an output and an input channel, and there is one bias for each output channel.
fn check_convolution(graph: &GraphProto, node: &NodeProto) -> Result<()> {
    let constant = |index: usize| graph.constant(node.input.get(index)?);
    let Some(weights) = constant(1) else { return Ok(()) };
    let bad = |tensor: &TensorProto, reason: String| QuantizeError::BadTensor { tensor: tensor.name.clone(), reason };
    if weights.dims.len() < 3 || weights.dims.iter().any(|size| *size < 1) {
        let expected = "expected weights [outputs, channels, height, width] of a convolution";
        return Err(bad(weights, format!("{expected}, got {:?}", weights.dims)));
    }
    floats(weights)?;
    let Some(bias) = constant(2) else { return Ok(()) };
    let (expected, found) = (weights.dims[0], floats(bias)?.len());
    if found as i64 != expected {
        return Err(bad(bias, format!("expected a bias for each of {expected} channels, got {found}")));
    }
    Ok(())
}

/// The graph's one true input (initializers may be listed as inputs too).
///
/// # Errors
/// None, or more than one.
pub fn inputs(graph: &GraphProto) -> Result<&str> {
    let constants = graph.constants();
    let mut names = graph.input.iter().map(|input| input.name.as_str()).filter(|name| !constants.contains_key(name));
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name),
        (first, _) => Err(QuantizeError::Unsupported(format!(
            "expected one input, got {}",
            if first.is_none() { "none" } else { "several" }
        ))),
    }
}

/// The float values of an initializer, in row-major order.
///
/// # Errors
/// Another data type, data in another file, or a length that does not fit the shape.
pub fn floats(tensor: &TensorProto) -> Result<Vec<f32>> {
    let bad = |reason: String| QuantizeError::BadTensor { tensor: tensor.name.clone(), reason };
    let Some(values) = tensor.floats() else {
        return Err(bad(format!("expected 32-bit floats, got ONNX data type {}", tensor.data_type)));
    };
    if !tensor.external_data.is_empty() {
        return Err(bad("its data is in another file".to_owned()));
    }
    let expected = tensor.dims.iter().try_fold(1_i64, |product, size| product.checked_mul(*size));
    if expected != Some(values.len() as i64) {
        return Err(bad(format!("expected the values of a tensor {:?}, got {}", tensor.dims, values.len())));
    }
    Ok(values)
}
