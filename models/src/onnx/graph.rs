//! An ONNX graph laid out for editing: nodes in order, constants by name.

use std::collections::BTreeMap;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};

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
        if tensor.data_type != DataType::Float as i32 {
            return Err(ModelError::Export(format!("`{name}` is not of type float")));
        }
        let from_raw = || tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(if tensor.raw_data.is_empty() { tensor.float_data.clone() } else { from_raw() })
    }

    /// Adds or replaces a float constant.
    pub(super) fn set_floats(&mut self, name: &str, dims: Vec<i64>, values: &[f32]) {
        let tensor = TensorProto {
            name: name.into(),
            dims,
            data_type: DataType::Float as i32,
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..TensorProto::default()
        };
        self.constants.insert(name.into(), tensor);
    }
}

/// The attribute of that name.
pub(super) fn attribute<'node>(node: &'node NodeProto, name: &str) -> Option<&'node AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}
