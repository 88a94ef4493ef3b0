//! What a network does in training only: dropout, batch norms that look at the batch. Dropout of inference and operators that
//! change nothing are taken out.

use parallax_onnx::{DataType, GraphProto, NodeProto};

use super::edit;
use super::error::{ForeignError, Result};

/// Refuses operators that learn, and takes out those that change nothing.
pub(super) fn settle(graph: &mut GraphProto) -> Result<()> {
    for node in &graph.node {
        if let Some(what) = learns(graph, node) {
            let (operator, node) = (node.op_type.clone(), node.label().to_owned());
            return Err(ForeignError::Training { operator, node, what });
        }
    }
    let mut place = 0;
    while place < graph.node.len() {
        if !(changes_nothing(graph, &graph.node[place]) && edit::bypass(graph, place)) {
            place += 1;
        }
    }
    Ok(())
}

/// What an operator does that only training wants.
fn learns(graph: &GraphProto, node: &NodeProto) -> Option<&'static str> {
    let outputs = node.output.iter().filter(|name| !name.is_empty()).count();
    match node.op_type.as_str() {
        "BatchNormalization" if node.integer("training_mode", 0) != 0 || outputs > 1 => {
            Some("takes mean and variance from the batch")
        }
        "Dropout" => {
            let mode = node.input_at(2)?;
            let off = graph.constant(mode).is_some_and(|tensor| {
                tensor.raw_data.iter().all(|byte| *byte == 0) && tensor.int32_data.iter().all(|value| *value == 0)
            });
            (!off).then_some("drops values at random")
        }
        _ => None,
    }
}

fn changes_nothing(graph: &GraphProto, node: &NodeProto) -> bool {
    match node.op_type.as_str() {
        "Identity" => true,
        // Its second output, the mask of what was kept, must interest nobody.
        "Dropout" => node.output.iter().skip(1).all(|mask| mask.is_empty() || graph.readers(mask) == 0),
        // The input is float32, and so is what floats become.
        "Cast" => {
            let to_float = node.attribute_named("to").is_some_and(|to| to.i == DataType::Float as i64);
            to_float && graph.input.iter().any(|picture| node.input_at(0) == Some(&picture.name))
        }
        _ => false,
    }
}
