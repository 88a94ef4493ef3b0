//! Graph passes that turn a recorded forward pass into the graph an inference engine wants.

use std::collections::BTreeSet;

use parallax_onnx::{AttributeType, NodeProto};

use super::graph::Graph;
use super::names::spatial_sizes;
use crate::error::{ModelError, Result};
use crate::layers::BATCH_NORM_EPSILON;

/// Folds every batch norm into the convolution before it.
///
/// ```text
/// w' = w * s,  b' = (b - mean) * s + offset,  s = scale / sqrt(variance + eps)
/// ```
///
/// # Errors
/// [`ModelError::Export`] where a batch norm does not follow a convolution of its own.
pub fn fold_batch_norm(graph: &mut Graph) -> Result<()> {
    while let Some(index) = graph.nodes.iter().position(|node| node.op_type == "BatchNormalization") {
        // With the batch norm taken out, a convolution of its own has no reader left.
        let norm = graph.nodes.remove(index);
        let conv = graph
            .producer(&norm.input[0])
            .filter(|conv| graph.nodes[*conv].op_type == "Conv" && graph.readers(&norm.input[0]) == 0)
            .ok_or_else(|| ModelError::Export(format!("batch norm `{}` follows no convolution", norm.input[1])))?;
        fold_into(graph, conv, &norm)?;
        graph.nodes[conv].output.clone_from(&norm.output);
    }
    Ok(())
}

fn fold_into(graph: &mut Graph, conv: usize, norm: &NodeProto) -> Result<()> {
    let epsilon = norm.attribute_named("epsilon").map_or(BATCH_NORM_EPSILON, |attribute| f64::from(attribute.f));
    let [scale, offset, mean, variance] = [1, 2, 3, 4].map(|input| graph.floats(&norm.input[input]));
    let (scale, offset, mean, variance) = (scale?, offset?, mean?, variance?);
    let factors: Vec<f64> =
        scale.iter().zip(&variance).map(|(s, v)| f64::from(*s) / (f64::from(*v) + epsilon).sqrt()).collect();

    let weight_name = graph.nodes[conv].input[1].clone();
    let mut weight = graph.floats(&weight_name)?;
    let per_output = weight.len() / factors.len().max(1);
    for (kernel, factor) in weight.chunks_mut(per_output.max(1)).zip(&factors) {
        for value in kernel {
            *value = (f64::from(*value) * factor) as f32;
        }
    }
    let bias_name = weight_name.replace(".weight", ".bias");
    let old_bias = match graph.nodes[conv].input.get(2) {
        Some(name) => graph.floats(name)?,
        None => vec![0.0; factors.len()],
    };
    let bias: Vec<f32> = (0..factors.len())
        .map(|c| ((f64::from(old_bias[c]) - f64::from(mean[c])) * factors[c] + f64::from(offset[c])) as f32)
        .collect();
    let dims = graph.constants[&weight_name].dims.clone();
    graph.set_floats(&bias_name, vec![dims[0]], &bias);
    graph.set_floats(&weight_name, dims, &weight);
    graph.nodes[conv].input.truncate(2);
    graph.nodes[conv].input.push(bias_name);
    Ok(())
}

/// Writes `relu(x) + exp(-relu(-x)) - 1` as `Elu(x)`; see [`crate::layers::elu`].
pub fn restore_elu(graph: &mut Graph) {
    for last in 0..graph.nodes.len() {
        if let Some(input) = elu_input(graph, last) {
            let node = &mut graph.nodes[last];
            node.op_type = "Elu".into();
            node.input = vec![input];
            node.attribute.clear();
        }
    }
    drop_unused(graph);
}

/// The `x` of an ELU that ends in node `last`.
fn elu_input(graph: &Graph, last: usize) -> Option<String> {
    let minus_one = operation(graph, last, "Sub")?;
    if graph.floats(minus_one.get(1)?).ok()? != [1.0] {
        return None;
    }
    let sum = operation(graph, graph.producer(&minus_one[0])?, "Add")?;
    let positive = operation(graph, graph.producer(&sum[0])?, "Relu")?;
    let exponential = operation(graph, graph.producer(&sum[1])?, "Exp")?;
    let negated = operation(graph, graph.producer(&exponential[0])?, "Neg")?;
    let clipped = operation(graph, graph.producer(&negated[0])?, "Relu")?;
    let mirrored = operation(graph, graph.producer(&clipped[0])?, "Neg")?;
    (mirrored[0] == positive[0]).then(|| positive[0].clone())
}

fn operation<'graph>(graph: &'graph Graph, index: usize, op_type: &str) -> Option<&'graph [String]> {
    let node = graph.nodes.get(index)?;
    (node.op_type == op_type).then_some(node.input.as_slice())
}

/// Gives every resize its factors (`scales`) in place of its output size: integer engines recognise those.
///
/// # Errors
/// [`ModelError::Export`] for a resize by anything but a whole factor.
pub fn scale_resizes(graph: &mut Graph) -> Result<()> {
    let sizes = spatial_sizes(graph)?;
    for index in 0..graph.nodes.len() {
        if graph.nodes[index].op_type != "Resize" {
            continue;
        }
        let node = &graph.nodes[index];
        let ([from_height, from_width], [to_height, to_width]) = (sizes[&node.input[0]], sizes[&node.output[0]]);
        if to_height % from_height != 0 || to_width % from_width != 0 {
            return Err(ModelError::Export(format!("resize to {to_width}x{to_height} is by no whole factor")));
        }
        let factors = [1.0, 1.0, (to_height / from_height) as f32, (to_width / from_width) as f32];
        let name = format!("upsample_by_{}", to_height / from_height);
        graph.set_floats(&name, vec![4], &factors);
        let node = &mut graph.nodes[index];
        node.input = vec![node.input[0].clone(), String::new(), name];
        node.attribute.retain(|attribute| attribute.name != "axes");
    }
    Ok(())
}

/// Drops nodes and constants nobody reads, and attributes that only repeat a default.
pub fn drop_unused(graph: &mut Graph) {
    let mut needed: BTreeSet<String> = graph.outputs.iter().map(|output| output.name.clone()).collect();
    for node in graph.nodes.iter().rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            needed.extend(node.input.iter().cloned());
        }
    }
    graph.nodes.retain(|node| node.output.iter().any(|output| needed.contains(output)));
    graph.constants.retain(|name, _| needed.contains(name));
    for node in &mut graph.nodes {
        // A zero is not written at all in protobuf's third version; some readers then miss the attribute's value.
        node.attribute.retain(|attribute| attribute.r#type != AttributeType::Int as i32 || attribute.i != 0);
    }
}
