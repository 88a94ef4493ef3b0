//! An ONNX graph laid out for editing: nodes in order, constants by name.

use std::collections::BTreeMap;

use parallax_onnx::{GraphProto, NodeProto, TensorProto, ValueInfoProto};

use crate::error::{ModelError, Result};

/// The parts of a graph the passes edit.
#[derive(Debug)]
pub struct Graph {
    /// In topological order.
    pub nodes: Vec<NodeProto>,
    /// Initializers by name.
    pub constants: BTreeMap<String, TensorProto>,
    /// Graph inputs.
    pub inputs: Vec<ValueInfoProto>,
    /// Graph outputs.
    pub outputs: Vec<ValueInfoProto>,
}

impl Graph {
    pub(super) fn new(proto: GraphProto) -> Self {
        let constants = proto.initializer.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Self { nodes: proto.node, constants, inputs: proto.input, outputs: proto.output }
    }

    pub(super) fn into_proto(self, name: &str) -> GraphProto {
        GraphProto {
            name: name.into(),
            node: self.nodes,
            initializer: self.constants.into_values().collect(),
            input: self.inputs,
            output: self.outputs,
            ..GraphProto::default()
        }
    }

    /// Index of the node that computes `tensor`.
    pub(super) fn producer(&self, tensor: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.output.iter().any(|output| output == tensor))
    }

    /// How many nodes and graph outputs read `tensor`.
    pub(super) fn readers(&self, tensor: &str) -> usize {
        let nodes = self.nodes.iter().flat_map(|node| &node.input).filter(|input| *input == tensor).count();
        nodes + self.outputs.iter().filter(|output| output.name == tensor).count()
    }

    /// Values of a float constant.
    pub(super) fn floats(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.constants.get(name).ok_or_else(|| ModelError::Export(format!("`{name}` is no constant")))?;
        tensor.floats().ok_or_else(|| ModelError::Export(format!("`{name}` is not of type float")))
    }

    /// Adds or replaces a float constant.
    pub(super) fn set_floats(&mut self, name: &str, dims: Vec<i64>, values: &[f32]) {
        self.constants.insert(name.into(), TensorProto { dims, ..TensorProto::of_floats(name, &[], values) });
    }
}
