//! A graph: its constants, who writes a tensor and who reads it.

use std::collections::HashMap;

use crate::{GraphProto, TensorProto};

impl GraphProto {
    /// The initializer `name`.
    #[must_use]
    pub fn constant(&self, name: &str) -> Option<&TensorProto> {
        self.initializer.iter().find(|tensor| tensor.name == name)
    }

    /// Initializers by name.
    #[must_use]
    pub fn constants(&self) -> HashMap<&str, &TensorProto> {
        self.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect()
    }

    /// Which operator writes each tensor.
    #[must_use]
    pub fn producers(&self) -> HashMap<&str, usize> {
        let written = self.node.iter().enumerate();
        written.flat_map(|(index, node)| node.output.iter().map(move |name| (name.as_str(), index))).collect()
    }

    /// Which operators read each tensor, in the graph's order.
    #[must_use]
    pub fn consumers(&self) -> HashMap<&str, Vec<usize>> {
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in self.node.iter().enumerate() {
            for name in node.given_inputs() {
                readers.entry(name).or_default().push(index);
            }
        }
        readers
    }

    /// The place of the operator that writes a tensor.
    #[must_use]
    pub fn writer(&self, tensor: &str) -> Option<usize> {
        self.node.iter().position(|node| node.output.iter().any(|name| name == tensor))
    }

    /// Whether a tensor is an output of the model.
    #[must_use]
    pub fn is_output(&self, tensor: &str) -> bool {
        self.output.iter().any(|output| output.name == tensor)
    }

    /// How often operators read a tensor, and once more where the model gives it.
    #[must_use]
    pub fn readers(&self, tensor: &str) -> usize {
        let read = self.node.iter().flat_map(|node| &node.input).filter(|name| *name == tensor).count();
        read + usize::from(self.is_output(tensor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeProto, ValueInfoProto};

    #[test]
    fn a_tensor_has_one_writer_and_any_readers() {
        let add = NodeProto::new("Add", "sum", &["a", "a"], "b");
        let graph = GraphProto {
            node: vec![NodeProto::new("Relu", "first", &["image"], "a"), add],
            output: vec![ValueInfoProto::of_floats("b", &[1])],
            ..GraphProto::default()
        };
        assert_eq!((graph.writer("b"), graph.writer("image")), (Some(1), None));
        assert_eq!((graph.producers()["a"], graph.consumers()["a"].as_slice()), (0, &[1, 1][..]));
        assert_eq!((graph.readers("a"), graph.readers("b"), graph.is_output("b")), (2, 1, true));
    }
}
