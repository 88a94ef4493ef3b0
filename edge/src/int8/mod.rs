//! int8 files in integers: QDQ patterns of an ONNX graph become fused operators inside tract's plan.
//!
//! | module | what it does |
//! |---|---|
//! | [`graph`] | reads the ONNX graph: constants, who writes and who reads a tensor |
//! | [`constants`] | weights that the file quantises when it is run, quantised once |
//! | [`recognition`] | finds the patterns and plans the fused operators |
//! | [`convolution`], [`elementwise`], [`activation`], [`pooling`], [`resampling`], [`rearrangement`] | what the patterns' middles are |
//! | [`left`] | what is not recognised, with the reason |
//! | [`operator`] | a fused operator as an operator of tract |
//! | [`linear`] | QuantizeLinear and DequantizeLinear around what stays with tract |
//!
//! What is not recognised stays with tract, in float, and is listed with the reason. Between the two worlds pictures are
//! converted: u8 `[1, height, width, channels]` here, f32 `[1, channels, height, width]` there.

mod activation;
mod constants;
mod convolution;
mod elementwise;
mod graph;
mod left;
mod linear;
mod operator;
mod pooling;
mod rearrangement;
mod recognition;
mod resampling;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parallax_kernels::Isa;
use parallax_kernels::boundary::Boundary;
use parallax_kernels::shape::PictureShape;
use parallax_kernels::team::Team;
use parallax_onnx::{ModelProto, NodeProto, model_file};
use tract_onnx::Onnx;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid as _;
use tract_onnx::tract_hir::internal::DimLike as _;

use graph::Graph;
pub(crate) use left::{Left, takes_integers};
pub(crate) use linear::onnx;
pub(crate) use operator::Int8Operator;
use operator::Kernel;
use recognition::{Planned, Quantized, Recognition, Shapes};

/// The operator type of a fused operator in the rewritten graph; tract does not know it and leaves the place to us.
const FUSED: &str = "ParallaxInt8";

/// Bytes of the results that the fused operators of a worker keep from frame to frame. Those of ResNet-50 with an ASPP head
/// at 1024×512 are a quarter of it.
const MOST_KEPT_BYTES: usize = 1 << 31;

/// A model with fused operators, ready to be typed.
#[derive(Debug)]
pub(crate) struct Fused {
    pub(crate) model: InferenceModel,
    /// What the file quantises and tract computes all the same.
    pub(crate) left: Vec<Left>,
    /// The convolutions that the file itself keeps in float.
    pub(crate) kept: Vec<String>,
    /// The pictures that fused operators turn back into float, by the name of the operator in the model.
    dequantized: HashMap<String, PictureShape>,
}

impl Fused {
    fn nothing(model: InferenceModel) -> Self {
        Self { model, left: Vec::new(), kept: Vec::new(), dequantized: HashMap::new() }
    }

    /// Makes the model give its only output as u8 `[1, height, width, channels]`, if the last thing that it does is to turn
    /// that back into float; the shape of the picture then. The largest integer stands for the largest number, so that a
    /// mask does not need the float.
    ///
    /// # Errors
    /// tract does not find its own output.
    pub(crate) fn give_integers(&mut self) -> TractResult<Option<PictureShape>> {
        let [output] = self.model.output_outlets()? else { return Ok(None) };
        let node = self.model.node(output.node);
        let (Some(shape), [integers]) = (self.dequantized.get(&node.name), node.inputs.as_slice()) else {
            return Ok(None);
        };
        let (shape, integers) = (*shape, *integers);
        self.model.select_output_outlets(&[integers])?;
        Ok(Some(shape))
    }
}

/// Loads a model, with its QDQ patterns fused.
///
/// # Errors
/// A model that tract cannot load.
pub(crate) fn load(proto: &ModelProto, isa: Isa, team: &Arc<Team>) -> TractResult<Fused> {
    let onnx = onnx();
    let proto = &*constants::with_quantized_constants(proto);
    let model = analysed(&onnx, proto)?;
    let Some(graph) = &proto.graph else { return Ok(Fused::nothing(model)) };
    let quantized = |node: &NodeProto| {
        matches!(node.op_type.as_str(), "QuantizeLinear" | "DequantizeLinear") || takes_integers(&node.op_type)
    };
    if !graph.node.iter().any(quantized) {
        return Ok(Fused::nothing(model));
    }
    let shapes = fixed_shapes(&model)?;
    let recognition = Recognition::new(Graph::new(graph), &shapes, isa, Arc::clone(team));
    let (nodes, mut operators) = rewrite(&recognition);
    let kept = recognition.kept_in_float();
    let left = recognition.left;
    if operators.is_empty() {
        return Ok(Fused { left, kept, ..Fused::nothing(model) });
    }
    let kept_bytes: usize = operators.values().map(Int8Operator::kept_bytes).sum();
    if kept_bytes > MOST_KEPT_BYTES {
        let what = format!("the results of its int8 operators take {kept_bytes} bytes, more than {MOST_KEPT_BYTES}");
        return Err(TractError::msg(what));
    }
    let mut rewritten = proto.clone();
    if let Some(graph) = rewritten.graph.as_mut() {
        graph.node = nodes;
        // Old exporters list constants among the inputs: one that is gone must not stay behind as an input that nobody gives.
        let constants: HashSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
        graph.input.retain(|input| !constants.contains(&input.name));
        let read: HashSet<&str> = graph.node.iter().flat_map(|node| node.input.iter().map(String::as_str)).collect();
        graph.initializer.retain(|tensor| read.contains(tensor.name.as_str()));
    }
    let mut model = in_tract(&onnx, &rewritten)?;
    let mut dequantized = HashMap::new();
    for node in model.nodes_mut() {
        if let Some(operator) = operators.remove(&node.name) {
            if let Some(picture) = operator.dequantized_picture() {
                dequantized.insert(node.name.clone(), picture);
            }
            node.op = operator.into_inference();
        }
    }
    Ok(Fused { model, left, kept, dequantized })
}

/// A model with its shapes found, none of them beyond what memory holds.
///
/// # Errors
/// A model that tract cannot load, or that asks for too much.
pub(crate) fn analysed(onnx: &Onnx, proto: &ModelProto) -> TractResult<InferenceModel> {
    let mut model = in_tract(onnx, proto)?;
    model.analyse(false)?;
    check_shapes(&model)?;
    let shapes = fixed_shapes(&model)?;
    model_file::check_work(proto, |name| shapes.get(name).cloned()).map_err(TractError::msg)?;
    Ok(model)
}

/// A model as tract reads it.
fn in_tract(onnx: &Onnx, proto: &ModelProto) -> TractResult<InferenceModel> {
    onnx.model_for_proto_model(&onnx.proto_model_for_read(&mut proto.to_bytes().as_slice())?)
}

/// # Errors
/// A tensor that the model will compute and that does not fit into memory.
fn check_shapes(model: &InferenceModel) -> TractResult<()> {
    for node in model.nodes() {
        for output in &node.outputs {
            let Some(shape) = output.fact.shape.concretize() else { continue };
            let sizes: Vec<i64> = shape.iter().map(|size| size.to_i64().unwrap_or(1)).collect();
            let fault = |fault| TractError::msg(format!("{} gives a tensor that {fault}", node.name));
            model_file::count(&sizes).map_err(fault)?;
        }
    }
    Ok(())
}

fn fixed_shapes(model: &InferenceModel) -> TractResult<Shapes> {
    let mut shapes = Shapes::new();
    // Results carry the names of their tensors, inputs are operators of that name.
    let inputs = model.input_outlets()?.iter().map(|outlet| (outlet, &model.node(outlet.node).name));
    for (outlet, label) in model.outlet_labels.iter().chain(inputs) {
        let shape = model.outlet_fact(*outlet)?.shape.concretize();
        let sizes = shape.and_then(|sizes| sizes.iter().map(|size| size.to_usize().ok()).collect());
        if let Some(sizes) = sizes {
            shapes.insert(label.clone(), sizes);
        }
    }
    Ok(shapes)
}

/// The graph's operators with fused ones in the places of what they stand for, and the fused ones by name.
fn rewrite(recognition: &Recognition<'_>) -> (Vec<NodeProto>, HashMap<String, Int8Operator>) {
    let planned = recognition.planned.values();
    let held: HashSet<&str> =
        planned.flat_map(|planned| planned.inputs.iter().chain([&planned.output])).map(String::as_str).collect();
    let mut operators = HashMap::new();
    let mut nodes = Vec::new();
    for (place, node) in recognition.graph.nodes.iter().enumerate() {
        let planned = recognition.planned.get(&place).cloned().or_else(|| boundary(recognition, &held, place, node));
        let Some(planned) = planned else {
            nodes.push(node.clone());
            continue;
        };
        let (input, output) = (planned.inputs.clone(), planned.output.clone());
        // Names of ONNX operators need not be unique, tensors' names must be.
        let unique = format!("{output}.int8");
        let operator = Int8Operator::new(planned, recognition.isa, Arc::clone(&recognition.team));
        operators.insert(unique.clone(), operator);
        let (op_type, output) = (FUSED.to_owned(), vec![output]);
        nodes.push(NodeProto { op_type, name: unique, input, output, ..NodeProto::default() });
    }
    (without_unread(nodes, recognition), operators)
}

/// A QuantizeLinear or DequantizeLinear between tract's pictures and ours.
fn boundary(recognition: &Recognition<'_>, held: &HashSet<&str>, place: usize, node: &NodeProto) -> Option<Planned> {
    let (input, output) = (node.input_at(0)?, node.output.first()?);
    let isa = recognition.isa;
    let kernel = match node.op_type.as_str() {
        "QuantizeLinear" if held.contains(output.as_str()) => {
            Kernel::Quantize(Boundary::new(recognition.picture(input)?, recognition.grid(node)?, isa).ok()?)
        }
        "DequantizeLinear" if held.contains(input) => {
            let Quantized { grid, shape, .. } = recognition.dequantized_by(place, node)?;
            Kernel::Dequantize(Boundary::new(shape, grid, isa).ok()?)
        }
        _ => return None,
    };
    let mut planned = Planned::new(&node.op_type, vec![input.to_owned()], kernel);
    planned.output.clone_from(output);
    node.label().clone_into(&mut planned.name);
    Some(planned)
}

/// Leaves out operators whose results nobody reads any more.
fn without_unread(mut nodes: Vec<NodeProto>, recognition: &Recognition<'_>) -> Vec<NodeProto> {
    let mut read: HashSet<String> = HashSet::new();
    let mut kept = Vec::with_capacity(nodes.len());
    // Operators come in the order in which they are computed, so that readers are seen before writers here.
    while let Some(node) = nodes.pop() {
        if node.output.iter().any(|name| read.contains(name) || recognition.graph.is_output(name)) {
            read.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    kept
}
