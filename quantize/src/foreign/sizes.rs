//! Sizes that a model computes from its own shapes (Shape, Slice, Concat, …) become the constants that they are once the
//! input's size is fixed.
//!
//! Shapes come from tract, in rounds: each round gives it the part of the graph that depends on no size still unknown, checked as
//! every file is, and works out the sizes that its shapes give. So tract never makes what nobody has checked the size of.

use std::collections::{HashMap, HashSet};

use parallax_onnx::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

use super::edit;
use super::error::{ForeignError, Result};
use super::numbers::{Numbers, evaluate};
use crate::{graph, runner};

/// Shapes of tensors by name, where they are fixed.
pub(super) type Shapes = HashMap<String, Vec<usize>>;

/// Folds what computes sizes into constants.
///
/// # Errors
/// A size that stays unknown, or a part that tract cannot load.
pub(super) fn fold(model: &mut ModelProto, size: (u32, u32)) -> Result<()> {
    let graph = graph::graph(model)?;
    let picture = vec![1, 3, size.1 as usize, size.0 as usize];
    let mut shapes: Shapes = graph.input.iter().map(|input| (input.name.clone(), picture.clone())).collect();
    loop {
        fold_known(graph::graph_mut(model)?, &shapes);
        let graph = graph::graph(model)?;
        let asks = |node: &NodeProto| matches!(node.op_type.as_str(), "Shape" | "Size");
        let open: Vec<usize> = (0..graph.node.len()).filter(|place| asks(&graph.node[*place])).collect();
        let Some(first) = open.first().map(|place| &graph.node[*place]) else { break };
        let (part, wanted) = known_part(model, &open)?;
        let before = shapes.len();
        if !wanted.is_empty() {
            shapes.extend(runner::facts(&part)?.shapes);
        }
        if shapes.len() == before {
            let tensor = first.input_at(0).unwrap_or_default().to_owned();
            let (operator, node) = (first.op_type.clone(), first.label().to_owned());
            return Err(ForeignError::Sizes { tensor, operator, node });
        }
    }
    edit::drop_unneeded(graph::graph_mut(model)?);
    Ok(())
}

/// Replaces every operator whose result is known by that result.
fn fold_known(graph: &mut GraphProto, shapes: &Shapes) {
    let mut known: HashMap<String, Numbers> = HashMap::new();
    for tensor in &graph.initializer {
        known.extend(Numbers::read(tensor).map(|numbers| (tensor.name.clone(), numbers)));
    }
    let outputs: HashSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    let mut folded = Vec::new();
    graph.node.retain(|node| {
        let Some(output) = edit::only_output(node).filter(|output| !outputs.contains(*output)) else { return true };
        let inputs: Vec<Option<Numbers>> = node.input.iter().map(|name| known.get(name).cloned()).collect();
        let shape = node.input_at(0).and_then(|name| shapes.get(name)).map(Vec::as_slice);
        let Some(numbers) = evaluate(node, &inputs, shape) else { return true };
        folded.push(numbers.tensor(output));
        known.insert(output.to_owned(), numbers);
        false
    });
    graph.initializer.extend(folded);
}

/// The part of a model that depends on none of the operators at `open`, and those tensors in it that they ask the shape of.
fn known_part(model: &ModelProto, open: &[usize]) -> Result<(ModelProto, Vec<String>)> {
    let graph = graph::graph(model)?;
    let mut unknown: HashSet<&str> = HashSet::new();
    let mut free = Vec::new();
    for (place, node) in graph.node.iter().enumerate() {
        if open.contains(&place) || node.input.iter().any(|name| unknown.contains(name.as_str())) {
            unknown.extend(node.output.iter().map(String::as_str));
        } else {
            free.push(node.clone());
        }
    }
    let written: HashSet<&str> = free.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
    let asked = open.iter().filter_map(|place| graph.node[*place].input_at(0));
    let mut wanted: Vec<String> = asked.filter(|name| written.contains(name)).map(str::to_owned).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut part = model.clone();
    let output = |name: &String| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() };
    let part_graph = graph::graph_mut(&mut part)?;
    part_graph.node = free;
    part_graph.output = wanted.iter().map(output).collect();
    edit::drop_unneeded(part_graph);
    Ok((part, wanted))
}
