//! What goes into a model and what comes out of it: one picture `[1, 3, height, width]` of float32, one output.
//!
//! - Constants that are listed among the inputs, as old PyTorch did, are no inputs.
//! - A batch that is a symbol or unknown becomes 1; a height and width that are, become what `--size` says.
//! - Of several outputs one is chosen by name, and what only the others need is dropped.

use std::collections::HashSet;

use parallax_onnx::{DataType, DimensionValue, GraphProto, ModelProto, ValueInfoProto};

use super::edit;
use super::error::{ForeignError, Result};

/// The first version of the IR in which constants need not be inputs as well.
const CONSTANTS_ARE_NO_INPUTS: i64 = 4;

/// Takes constants out of the list of inputs.
pub(super) fn drop_constant_inputs(model: &mut ModelProto) {
    let Some(graph) = model.graph.as_mut() else { return };
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let before = graph.input.len();
    graph.input.retain(|input| !constants.contains(input.name.as_str()));
    if graph.input.len() < before {
        model.ir_version = model.ir_version.max(CONSTANTS_ARE_NO_INPUTS);
    }
}

/// Keeps one output: the one called `chosen`, else the only one there is.
pub(super) fn choose_output(graph: &mut GraphProto, chosen: Option<&str>) -> Result<()> {
    let names = || graph.output.iter().map(|output| output.name.clone()).collect::<Vec<_>>();
    match chosen {
        Some(name) if !graph.output.iter().any(|output| output.name == name) => {
            return Err(ForeignError::NoSuchOutput { name: name.to_owned(), known: names() });
        }
        Some(name) => graph.output.retain(|output| output.name == name),
        None if graph.output.len() != 1 => return Err(ForeignError::Outputs { names: names() }),
        None => {}
    }
    edit::drop_unneeded(graph);
    Ok(())
}

/// Refuses constants and casts of 16-bit floats.
pub(super) fn check_types(graph: &GraphProto) -> Result<()> {
    let narrow = |data_type: i64| match i32::try_from(data_type).ok().and_then(|number| DataType::try_from(number).ok())
    {
        Some(DataType::Float16) => Some("float16"),
        Some(DataType::Bfloat16) => Some("bfloat16"),
        _ => None,
    };
    let constants = graph.initializer.iter().map(|tensor| (tensor.name.clone(), i64::from(tensor.data_type)));
    let casts = graph.node.iter().filter(|node| node.op_type == "Cast");
    let casts = casts.map(|node| (format!("Cast {}", node.label()), node.integer("to", 1)));
    match constants.chain(casts).find_map(|(tensor, data_type)| Some((tensor, narrow(data_type)?))) {
        Some((tensor, found)) => Err(ForeignError::Narrow { tensor, found }),
        None => Ok(()),
    }
}

/// Fixes the input's shape: `[1, 3, height, width]`, of the size asked for or the one in the file. Gives width and height.
pub(super) fn fix_input(graph: &mut GraphProto, asked: Option<(u32, u32)>) -> Result<(u32, u32)> {
    if graph.input.len() != 1 {
        return Err(ForeignError::Inputs { names: graph.input.iter().map(|input| input.name.clone()).collect() });
    }
    let input = &mut graph.input[0];
    let found = shape_of(input);
    let text = shape_text(found.as_deref());
    let wrong = |input: &str, hint| ForeignError::InputShape { input: input.to_owned(), found: text.clone(), hint };
    let sizes = found.unwrap_or_else(|| vec![None; 4]);
    let [batch, channels, height, width] = sizes[..] else {
        let hint = "export it with a picture of four axes: batch 1, three channels, height, width";
        return Err(wrong(&input.name, hint));
    };
    if width == Some(3) && channels != Some(3) {
        let hint =
            "it takes channels last; export it channels first: tf2onnx --inputs-as-nchw NAME --outputs-as-nchw NAME";
        return Err(wrong(&input.name, hint));
    }
    if channels.is_some_and(|channels| channels != 3) {
        return Err(wrong(&input.name, "only networks for colour pictures, three channels, are run"));
    }
    if batch.is_some_and(|batch| batch != 1) {
        return Err(wrong(&input.name, "export it with a batch of one picture, or a dynamic batch"));
    }
    let size = match (fixed(width, height), asked) {
        (Some(found), Some(asked)) if found != asked => return Err(ForeignError::OtherSize { asked, found }),
        (Some(size), _) | (None, Some(size)) => size,
        (None, None) => return Err(ForeignError::NoSize { input: input.name.clone(), found: text }),
    };
    for (found, asked) in [(width, size.0), (height, size.1)] {
        if found.is_some_and(|found| found != i64::from(asked)) {
            return Err(wrong(&input.name, "give --size with the side that is fixed"));
        }
    }
    // What graph readers do not know they take for float.
    let data_type = element_type(input).unwrap_or(DataType::Float as i32);
    if data_type != DataType::Float as i32 {
        let found = DataType::try_from(data_type).map_or_else(|_| format!("ONNX type {data_type}"), type_name);
        return Err(ForeignError::InputType { input: input.name.clone(), found });
    }
    let wanted = [1, 3, size.1 as usize, size.0 as usize];
    if shape_of(input) != Some(wanted.map(|size| Some(size as i64)).to_vec()) {
        *input = ValueInfoProto::of_floats(&input.name.clone(), &wanted);
    }
    Ok(size)
}

fn fixed(width: Option<i64>, height: Option<i64>) -> Option<(u32, u32)> {
    Some((u32::try_from(width?).ok()?, u32::try_from(height?).ok()?))
}

fn type_name(data_type: DataType) -> String {
    format!("{data_type:?}").to_lowercase()
}

fn element_type(value: &ValueInfoProto) -> Option<i32> {
    Some(value.tensor()?.elem_type)
}

/// The sizes of an input or output as far as they are fixed; none where the file says nothing.
pub(super) fn shape_of(value: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let size = |size: &Option<DimensionValue>| match size {
        Some(DimensionValue::Fixed(size)) if *size > 0 => Some(*size),
        _ => None,
    };
    Some(value.dimensions()?.iter().map(|dimension| size(&dimension.value)).collect())
}

/// `[1, 3, ?, ?]`.
pub(super) fn shape_text(shape: Option<&[Option<i64>]>) -> String {
    let Some(shape) = shape else { return "a shape that the file does not say".to_owned() };
    let sizes = shape.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string()));
    format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
}
