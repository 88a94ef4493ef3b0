//! Edits of a model that leave it a protobuf and make it something nobody exports.

use arbitrary::{Result, Unstructured};
use parallax_onnx::{AttributeProto, DimensionValue, GraphProto, ModelProto, NodeProto};

use super::wild;

/// Operators that a model may be made of.
const OPERATORS: [&str; 60] = [
    "Abs",
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvInteger",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Expand",
    "EyeLike",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GridSample",
    "HardSwish",
    "Identity",
    "If",
    "InstanceNormalization",
    "LayerNormalization",
    "LeakyRelu",
    "Loop",
    "MatMul",
    "MaxPool",
    "Mul",
    "NonZero",
    "OneHot",
    "Pad",
    "QLinearConv",
    "QuantizeLinear",
    "RandomNormal",
    "Range",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Resize",
    "Scan",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
];

const ATTRIBUTES: [&str; 22] = [
    "pads",
    "strides",
    "dilations",
    "kernel_shape",
    "group",
    "axis",
    "axes",
    "perm",
    "auto_pad",
    "mode",
    "ceil_mode",
    "count_include_pad",
    "output_padding",
    "output_shape",
    "blocksize",
    "keepdims",
    "shape",
    "alpha",
    "epsilon",
    "to",
    "coordinate_transformation_mode",
    "nearest_mode",
];

const TEXTS: [&str; 14] = [
    "SAME_UPPER",
    "SAME_LOWER",
    "VALID",
    "NOTSET",
    "linear",
    "nearest",
    "cubic",
    "reflect",
    "edge",
    "constant",
    "align_corners",
    "tf_crop_and_resize",
    "floor",
    "",
];

const FLOATS: [f32; 8] = [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-45, 1e30, -0.0, 0.5];

/// Makes some edits.
pub fn edit(bytes: &mut Unstructured<'_>, model: &mut ModelProto) -> Result<()> {
    for _ in 0..bytes.int_in_range(1..=4)? {
        if bytes.ratio(1, 20)? {
            let version = wild(bytes)?;
            model.opset_import.iter_mut().for_each(|opset| opset.version = version);
        }
        let Some(graph) = model.graph.as_mut() else { return Ok(()) };
        match bytes.int_in_range(0..=2)? {
            0 => edit_constant(bytes, graph)?,
            1 => edit_node(bytes, graph)?,
            _ => edit_graph(bytes, graph)?,
        }
    }
    Ok(())
}

fn edit_constant(bytes: &mut Unstructured<'_>, graph: &mut GraphProto) -> Result<()> {
    if graph.initializer.is_empty() {
        return Ok(());
    }
    let at = bytes.choose_index(graph.initializer.len())?;
    let tensor = &mut graph.initializer[at];
    match bytes.int_in_range(0..=7)? {
        0 => {
            graph.initializer.remove(at);
        }
        1 if !tensor.dims.is_empty() => {
            let axis = bytes.choose_index(tensor.dims.len())?;
            tensor.dims[axis] = wild(bytes)?;
        }
        2 => tensor.dims.push(wild(bytes)?),
        3 => tensor.raw_data.truncate(bytes.int_in_range(0..=tensor.raw_data.len())?),
        4 => tensor.data_type = bytes.int_in_range(0..=22)?,
        5 => {
            let value = *bytes.choose(&FLOATS)?;
            tensor.raw_data.as_chunks_mut::<4>().0.iter_mut().for_each(|four| *four = value.to_le_bytes());
        }
        6 => {
            let value = wild(bytes)?;
            tensor.raw_data.as_chunks_mut::<8>().0.iter_mut().for_each(|eight| *eight = value.to_le_bytes());
        }
        _ => {
            // A tensor that is as it says and still of another shape.
            tensor.dims = vec![tensor.dims.iter().product()];
        }
    }
    Ok(())
}

fn edit_node(bytes: &mut Unstructured<'_>, graph: &mut GraphProto) -> Result<()> {
    if graph.node.is_empty() {
        return Ok(());
    }
    let names = names(graph);
    let at = bytes.choose_index(graph.node.len())?;
    let node = &mut graph.node[at];
    match bytes.int_in_range(0..=5)? {
        0 => (*bytes.choose(&OPERATORS)?).clone_into(&mut node.op_type),
        1 if !node.input.is_empty() => {
            let input = bytes.choose_index(node.input.len())?;
            node.input[input].clone_from(bytes.choose(&names)?);
        }
        2 => node.input.push(bytes.choose(&names)?.clone()),
        3 => {
            node.input.pop();
        }
        4 if !node.attribute.is_empty() => {
            let attribute = bytes.choose_index(node.attribute.len())?;
            edit_attribute(bytes, &mut node.attribute[attribute])?;
        }
        _ => node.attribute.push(attribute(bytes)?),
    }
    Ok(())
}

fn edit_graph(bytes: &mut Unstructured<'_>, graph: &mut GraphProto) -> Result<()> {
    let count = graph.node.len();
    if count == 0 {
        return Ok(());
    }
    let (one, two) = (bytes.choose_index(count)?, bytes.choose_index(count)?);
    match bytes.int_in_range(0..=4)? {
        0 => {
            graph.node.remove(one);
        }
        1 => graph.node.swap(one, two),
        2 => graph.node.push(graph.node[one].clone()),
        3 => {
            let (axis, size) = (bytes.int_in_range(0..=3)?, wild(bytes)?);
            for input in &mut graph.input {
                if let Some(tensor) = input.tensor_mut()
                    && let Some(dim) = tensor.shape.as_mut().and_then(|shape| shape.dim.get_mut(axis))
                {
                    dim.value = Some(DimensionValue::Fixed(size));
                }
            }
        }
        _ => {
            // An operator in the middle of a connection.
            let names = names(graph);
            let written = graph.node[one].output.first().cloned().unwrap_or_default();
            let fresh = format!("{written}_fresh");
            let mut input = vec![written.clone()];
            for _ in 0..bytes.int_in_range(0..=3)? {
                input.push(bytes.choose(&names)?.clone());
            }
            let op_type = (*bytes.choose(&OPERATORS)?).to_owned();
            let mut node = NodeProto { op_type, input, output: vec![fresh.clone()], ..Default::default() };
            for _ in 0..bytes.int_in_range(0..=2)? {
                node.attribute.push(attribute(bytes)?);
            }
            let readers = graph.node.iter_mut().skip(one + 1).flat_map(|node| &mut node.input);
            readers.filter(|name| **name == written).for_each(|name| name.clone_from(&fresh));
            graph.node.insert(one + 1, node);
        }
    }
    Ok(())
}

/// Every tensor there is.
fn names(graph: &GraphProto) -> Vec<String> {
    let results = graph.node.iter().flat_map(|node| node.output.iter());
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    results.chain(constants).cloned().chain(["image".to_owned(), String::new()]).collect()
}

fn attribute(bytes: &mut Unstructured<'_>) -> Result<AttributeProto> {
    let name = *bytes.choose(&ATTRIBUTES)?;
    Ok(match bytes.int_in_range(0..=3)? {
        0 => AttributeProto::integer(name, wild(bytes)?),
        1 => AttributeProto::text(name, bytes.choose(&TEXTS)?),
        2 => AttributeProto::float(name, *bytes.choose(&FLOATS)?),
        _ => {
            let count = bytes.int_in_range(0..=5)?;
            let values = (0..count).map(|_| wild(bytes)).collect::<Result<Vec<i64>>>()?;
            AttributeProto::integers(name, &values)
        }
    })
}

fn edit_attribute(bytes: &mut Unstructured<'_>, attribute: &mut AttributeProto) -> Result<()> {
    match bytes.int_in_range(0..=3)? {
        0 => attribute.i = wild(bytes)?,
        1 if !attribute.ints.is_empty() => {
            let at = bytes.choose_index(attribute.ints.len())?;
            attribute.ints[at] = wild(bytes)?;
        }
        2 => attribute.ints.push(wild(bytes)?),
        _ => attribute.s = bytes.choose(&TEXTS)?.as_bytes().to_vec(),
    }
    Ok(())
}
