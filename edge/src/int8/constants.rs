//! Weights that a file keeps in float with a QuantizeLinear behind them, as tools for training with quantization write them:
//! quantised once, when the file is loaded.

use std::borrow::Cow;
use std::collections::HashSet;

use parallax_onnx::{DataType, ModelProto, NodeProto, TensorProto};

use super::graph::Graph;

/// The model with each QuantizeLinear of a constant replaced by its integers. What is unusual is left as it is.
pub(super) fn with_quantized_constants(proto: &ModelProto) -> Cow<'_, ModelProto> {
    let Some(found) = &proto.graph else { return Cow::Borrowed(proto) };
    let read = Graph::new(found);
    let tensors: Vec<TensorProto> = found.node.iter().filter_map(|node| quantized(&read, node)).collect();
    if tensors.is_empty() {
        return Cow::Borrowed(proto);
    }
    let names: HashSet<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut written = proto.clone();
    if let Some(graph) = written.graph.as_mut() {
        graph.node.retain(|node| !node.output.first().is_some_and(|output| names.contains(output.as_str())));
        graph.initializer.extend(tensors.iter().cloned());
    }
    Cow::Owned(written)
}

/// The integers of a QuantizeLinear of a constant.
fn quantized(graph: &Graph<'_>, node: &NodeProto) -> Option<TensorProto> {
    let output = node.output.first().filter(|output| node.op_type == "QuantizeLinear" && !graph.is_output(output))?;
    let constant = node.input_at(0)?;
    let (numbers, shape) = (graph.floats(constant)?, graph.constant_shape(constant)?);
    let scales = graph.floats(node.input_at(1)?)?;
    let integers = match node.input_at(2) {
        Some(zero_points) => DataType::try_from(graph.constant_type(zero_points)?).ok()?,
        None if node.integer("output_dtype", 0) == DataType::Int8 as i64 => DataType::Int8,
        None if matches!(node.integer("output_dtype", 0), 0 | 2) => DataType::Uint8,
        None => return None,
    };
    let (low, high) = match integers {
        DataType::Int8 => (i32::from(i8::MIN), i32::from(i8::MAX)),
        DataType::Uint8 => (0, i32::from(u8::MAX)),
        _ => return None,
    };
    let zero_points: Vec<i32> = match (node.input_at(2), integers) {
        (Some(name), DataType::Int8) => graph.signed_bytes(name)?.into_iter().map(i32::from).collect(),
        (Some(name), _) => graph.unsigned_bytes(name)?.into_iter().map(i32::from).collect(),
        (None, _) => vec![0],
    };
    let (places, run) = if scales.len() == 1 && zero_points.len() == 1 {
        (1, numbers.len().max(1))
    } else {
        let axis = node.integer("axis", 1);
        let axis = if axis < 0 { axis + shape.len() as i64 } else { axis };
        let axis = usize::try_from(axis).ok().filter(|axis| *axis < shape.len())?;
        (shape[axis], shape[axis + 1..].iter().product::<usize>().max(1))
    };
    let fits = |count: usize| count == 1 || count == places;
    if !fits(scales.len()) || !fits(zero_points.len()) || node.integer("block_size", 0) != 0 {
        return None;
    }
    let byte = |(at, number): (usize, &f32)| {
        let place = at / run % places;
        let rounded = (number / scales[place % scales.len()]).round_ties_even() as i32;
        rounded.saturating_add(zero_points[place % zero_points.len()]).clamp(low, high) as u8
    };
    Some(TensorProto {
        name: output.clone(),
        dims: shape.iter().map(|size| *size as i64).collect(),
        data_type: integers as i32,
        raw_data: numbers.iter().enumerate().map(byte).collect(),
        ..TensorProto::default()
    })
}
