//! Old operator sets raised to 13, the oldest in which QuantizeLinear knows channels.
//!
//! Operators whose meaning is the same in 7 to 13 stay as they are. What was an attribute and is an input since, moves:
//!
//! | operator | until | what moves or changes |
//! |---|---|---|
//! | Clip, Pad, Slice | 10, 10, 9 | limits, pads and value, starts, ends and axes |
//! | Squeeze, Unsqueeze, ReduceSum, Split | 12 | axes; the sizes of Split |
//! | Upsample, Resize of 10 | 9, 10 | `Resize` with `asymmetric` places, rounded down |
//! | Softmax, LogSoftmax | 12 | all axes from `axis` on were one: reshaped so, and back |
//!
//! Any other operator is refused by name: a guess would be a wrong mask.
//!
//! Source: the ONNX operators' change log.

use std::collections::HashSet;

use parallax_onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

use super::edit::{self, take_attribute};
use super::error::{ForeignError, Result};
use crate::graph;

/// The oldest set that is quantized.
pub(super) const WANTED: i64 = 13;

/// The oldest set that is raised: in 6 and before, operators said by attributes how they broadcast.
const OLDEST: i64 = 7;

/// Operators that mean the same in all sets from 7 to 13, as far as floats and whole pictures go.
const SAME: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "HardSigmoid",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LeakyRelu",
    "Less",
    "Log",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Size",
    "Slice",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Sqrt",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Where",
];

/// The operator set of the default domain; 0 where the file says none.
pub(super) fn of(model: &ModelProto) -> i64 {
    let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    model.opset_import.iter().find(|set| default(&set.domain)).map_or(0, |set| set.version)
}

/// Raises the operator set to at least [`WANTED`]. True where something was raised.
pub(super) fn raise(model: &mut ModelProto) -> Result<bool> {
    let found = of(model);
    if found >= WANTED {
        return Ok(false);
    }
    let old = |what: String| ForeignError::OldOperators { found, wanted: WANTED, what };
    if found < OLDEST {
        return Err(old(format!("sets before {OLDEST} say by attributes how operators broadcast")));
    }
    let graph = graph::graph_mut(model)?;
    let taken = edit::names(graph).map(str::to_owned).collect();
    let mut raised = Raised { found, taken, graph: std::mem::take(graph), nodes: Vec::new() };
    for node in std::mem::take(&mut raised.graph.node) {
        let (name, operator) = (node.label().to_owned(), node.op_type.clone());
        if !node.domain.is_empty() && node.domain != "ai.onnx" {
            raised.nodes.push(node);
            continue;
        }
        raised.node(node).map_err(|why| old(format!("{operator} {name} {why}")))?;
    }
    raised.graph.node = std::mem::take(&mut raised.nodes);
    *graph = raised.graph;
    let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    model.opset_import.iter_mut().filter(|set| default(&set.domain)).for_each(|set| set.version = WANTED);
    // The IR that came with operator set 13.
    model.ir_version = model.ir_version.max(7);
    Ok(true)
}

struct Raised {
    found: i64,
    /// Names of tensors.
    taken: HashSet<String>,
    graph: GraphProto,
    nodes: Vec<NodeProto>,
}

impl Raised {
    fn node(&mut self, mut node: NodeProto) -> std::result::Result<(), String> {
        let found = self.found;
        match node.op_type.as_str() {
            "Clip" if found < 11 => {
                for (name, default) in [("min", f32::MIN), ("max", f32::MAX)] {
                    let limit = take_attribute(&mut node, name).map_or(default, |attribute| attribute.f);
                    self.float_input(&mut node, name, &[], &[limit]);
                }
            }
            "Pad" if found < 11 => {
                let pads = take_attribute(&mut node, "pads").map(|attribute| attribute.ints).unwrap_or_default();
                self.long_input(&mut node, "pads", &pads);
                let value = take_attribute(&mut node, "value").map_or(0.0, |attribute| attribute.f);
                self.float_input(&mut node, "value", &[], &[value]);
            }
            "Slice" if found < 10 => {
                let starts = node.integers("starts").unwrap_or_default().to_vec();
                let axes: Vec<i64> = (0..starts.len() as i64).collect();
                for (name, default) in [("starts", starts), ("ends", Vec::new()), ("axes", axes)] {
                    let values = take_attribute(&mut node, name).map_or(default, |attribute| attribute.ints);
                    self.long_input(&mut node, name, &values);
                }
            }
            "Squeeze" | "Unsqueeze" | "ReduceSum" => {
                if let Some(axes) = take_attribute(&mut node, "axes") {
                    self.long_input(&mut node, "axes", &axes.ints);
                }
            }
            "Split" => {
                if let Some(split) = take_attribute(&mut node, "split") {
                    self.long_input(&mut node, "split", &split.ints);
                }
            }
            "Upsample" | "Resize" if found <= 10 => self.upsample(&mut node)?,
            "Softmax" | "LogSoftmax" => return self.softmax(node),
            "BatchNormalization" if node.integer("spatial", 1) != 1 => {
                return Err("has statistics for each pixel".to_owned());
            }
            operator if SAME.contains(&operator) => {}
            _ => return Err("has changed its meaning since, or is not known".to_owned()),
        }
        self.nodes.push(node);
        Ok(())
    }

    /// `Upsample` of 7 and 9, and `Resize` of 10: scales only, places counted from the corner and rounded down.
    fn upsample(&mut self, node: &mut NodeProto) -> std::result::Result<(), String> {
        let mode = node.text("mode").unwrap_or("nearest");
        let mode = match mode {
            "nearest" => "nearest",
            "linear" | "bilinear" => "linear",
            other => return Err(format!("has the mode {other}")),
        };
        let scales = match take_attribute(node, "scales") {
            Some(scales) => {
                let count = scales.floats.len();
                self.float_input(node, "scales", &[count], &scales.floats);
                node.input.pop()
            }
            None => node.input.get(1).cloned(),
        };
        let scales = scales.ok_or("has no scales")?;
        "Resize".clone_into(&mut node.op_type);
        node.input.truncate(1);
        node.input.extend([String::new(), scales]);
        node.attribute = vec![
            AttributeProto::text("mode", mode),
            AttributeProto::text("coordinate_transformation_mode", "asymmetric"),
            AttributeProto::text("nearest_mode", "floor"),
        ];
        Ok(())
    }

    /// Softmax over all axes from `axis` on as one.
    fn softmax(&mut self, mut node: NodeProto) -> std::result::Result<(), String> {
        let (Some(input), Some(output)) = (node.input.first().cloned(), node.output.first().cloned()) else {
            return Err("has no input or output".to_owned());
        };
        let axis = take_attribute(&mut node, "axis").map_or(1, |attribute| attribute.i);
        let [flat, done, shape] = ["flat", "done", "shape"].map(|part| self.fresh(&format!("{output}_{part}")));
        let mut flatten = NodeProto::new("Flatten", &flat, &[&input], &flat);
        flatten.attribute.push(AttributeProto::integer("axis", axis));
        node.input = vec![flat];
        node.output = vec![done.clone()];
        node.attribute.push(AttributeProto::integer("axis", 1));
        let shape_of = NodeProto::new("Shape", &shape, &[&input], &shape);
        let reshape = NodeProto::new("Reshape", &format!("{output}_as_before"), &[&done, &shape], &output);
        self.nodes.extend([flatten, node, shape_of, reshape]);
        Ok(())
    }

    fn float_input(&mut self, node: &mut NodeProto, name: &str, shape: &[usize], values: &[f32]) {
        let name = self.constant_name(node, name);
        self.graph.initializer.push(TensorProto::of_floats(&name, shape, values));
        node.input.push(name);
    }

    fn long_input(&mut self, node: &mut NodeProto, name: &str, values: &[i64]) {
        let name = self.constant_name(node, name);
        self.graph.initializer.push(TensorProto::of_longs(&name, &[values.len()], values));
        node.input.push(name);
    }

    fn constant_name(&mut self, node: &NodeProto, part: &str) -> String {
        let output = node.output.first().map_or("", String::as_str).to_owned();
        self.fresh(&format!("{output}_{part}"))
    }

    fn fresh(&mut self, wish: &str) -> String {
        let name = edit::fresh_among(|name| self.taken.contains(name), wish);
        self.taken.insert(name.clone());
        name
    }
}
