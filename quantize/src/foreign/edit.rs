//! Small edits of an ONNX graph: attributes, who reads what, a tensor in place of another, what nobody needs.

use std::collections::{HashMap, HashSet};

use parallax_onnx::{AttributeProto, GraphProto, NodeProto};

use crate::graph;

/// Takes an attribute out of a node.
pub(super) fn take_attribute(node: &mut NodeProto, name: &str) -> Option<AttributeProto> {
    let at = node.attribute.iter().position(|attribute| attribute.name == name)?;
    Some(node.attribute.remove(at))
}

/// The only output of a node that has one.
pub(super) fn only_output(node: &NodeProto) -> Option<&str> {
    match node.output.as_slice() {
        [name] if !name.is_empty() => Some(name),
        _ => None,
    }
}

/// The floats of an initializer.
pub(super) fn floats(graph: &GraphProto, name: &str) -> Option<Vec<f32>> {
    graph::floats(graph.constant(name)?).ok()
}

/// The 64-bit integers of an initializer.
pub(super) fn longs(graph: &GraphProto, name: &str) -> Option<Vec<i64>> {
    graph.constant(name)?.longs()
}

/// Lets every operator that reads a tensor read another one.
pub(super) fn read_instead(graph: &mut GraphProto, tensor: &str, other: &str) {
    let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input).filter(|name| *name == tensor);
    inputs.for_each(|name| other.clone_into(name));
}

/// Takes the operator at `place` out: who reads its result reads what it reads. An output keeps its name, which then goes to the
/// operator before.
///
/// False where it has to stay: the model's output would be the model's input or a constant.
pub(super) fn bypass(graph: &mut GraphProto, place: usize) -> bool {
    let node = &graph.node[place];
    let (Some(before), Some(after)) = (node.input_at(0).map(str::to_owned), node.output.first().cloned()) else {
        return false;
    };
    if graph.is_output(&after) {
        let Some(writer) = graph.writer(&before).filter(|_| !graph.is_output(&before)) else { return false };
        graph.node.remove(place);
        graph.node[writer].output.iter_mut().filter(|name| **name == before).for_each(|name| name.clone_from(&after));
        read_instead(graph, &before, &after);
        return true;
    }
    graph.node.remove(place);
    read_instead(graph, &after, &before);
    true
}

/// The names of all tensors.
pub(super) fn names(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let outputs = graph.node.iter().flat_map(|node| &node.output);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    outputs.chain(constants).chain(graph.input.iter().map(|input| &input.name)).map(String::as_str)
}

/// A name that no tensor of the graph has.
pub(super) fn fresh(graph: &GraphProto, wish: &str) -> String {
    let taken: HashSet<&str> = names(graph).collect();
    fresh_among(|name| taken.contains(name), wish)
}

/// `wish`, or the first of `wish_2`, `wish_3`, … that is not taken.
pub(super) fn fresh_among(taken: impl Fn(&str) -> bool, wish: &str) -> String {
    let mut names = std::iter::once(wish.to_owned()).chain((2..).map(|number: u64| format!("{wish}_{number}")));
    names.find(|name| !taken(name)).unwrap_or_default()
}

/// Drops operators, constants and descriptions that no output needs.
pub(super) fn drop_unneeded(graph: &mut GraphProto) {
    let mut needed: HashSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    // Not in one pass from the end: the order has not been checked yet.
    let writers: HashMap<&str, usize> = graph.producers();
    let mut open: Vec<String> = needed.iter().cloned().collect();
    let mut kept = HashSet::new();
    while let Some(name) = open.pop() {
        let Some(place) = writers.get(name.as_str()).copied().filter(|place| kept.insert(*place)) else { continue };
        for name in &graph.node[place].input {
            if needed.insert(name.clone()) {
                open.push(name.clone());
            }
        }
    }
    let mut place = 0;
    graph.node.retain(|_| {
        place += 1;
        kept.contains(&(place - 1))
    });
    graph.initializer.retain(|tensor| needed.contains(&tensor.name));
    graph.value_info.clear();
}
