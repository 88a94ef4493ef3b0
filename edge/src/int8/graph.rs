//! Reading an ONNX graph: constants, who writes a tensor and who reads it.
//!
//! Files come from anywhere: whatever is missing, of another type or of a wrong length reads as "none", and the operator
//! that needed it stays with tract.

use std::collections::{HashMap, HashSet};

use parallax_onnx::{GraphProto, NodeProto, TensorProto};

/// A graph with its constants and connections.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    /// The operators, in the file's order.
    pub(crate) nodes: &'a [NodeProto],
    constants: HashMap<&'a str, &'a TensorProto>,
    writers: HashMap<&'a str, usize>,
    readers: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(graph: &'a GraphProto) -> Self {
        let mut constants: HashMap<&str, &TensorProto> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let (mut writers, mut readers) = (HashMap::new(), HashMap::<&str, Vec<usize>>::new());
        for (index, node) in graph.node.iter().enumerate() {
            let value = node.attribute_named("value");
            if let ("Constant", [name], Some(tensor)) =
                (node.op_type.as_str(), node.output.as_slice(), value.and_then(|value| value.t.as_ref()))
            {
                constants.insert(name, tensor);
            }
            writers.extend(node.output.iter().map(|name| (name.as_str(), index)));
            for name in node.given_inputs() {
                readers.entry(name).or_default().push(index);
            }
        }
        let outputs = graph.output.iter().map(|output| output.name.as_str()).collect();
        Self { nodes: &graph.node, constants, writers, readers, outputs }
    }

    /// The operator that writes a tensor, and its place.
    pub(crate) fn writer(&self, tensor: &str) -> Option<(usize, &'a NodeProto)> {
        let index = *self.writers.get(tensor)?;
        Some((index, &self.nodes[index]))
    }

    /// The places of the operators that read a tensor.
    pub(crate) fn readers(&self, tensor: &str) -> &[usize] {
        self.readers.get(tensor).map_or(&[], Vec::as_slice)
    }

    /// Whether a tensor is an output of the model.
    pub(crate) fn is_output(&self, tensor: &str) -> bool {
        self.outputs.contains(tensor)
    }

    /// Whether `reader` alone, once, reads a tensor, which is no output.
    pub(crate) fn is_read_only_by(&self, tensor: &str, reader: usize) -> bool {
        self.readers(tensor) == [reader] && !self.is_output(tensor)
    }

    /// Whether a tensor is a constant.
    pub(crate) fn is_constant(&self, tensor: &str) -> bool {
        self.constants.contains_key(tensor)
    }

    /// The ONNX data type of a constant.
    pub(crate) fn constant_type(&self, tensor: &str) -> Option<i32> {
        self.constants.get(tensor).map(|tensor| tensor.data_type)
    }

    /// The shape of a constant.
    pub(crate) fn constant_shape(&self, tensor: &str) -> Option<Vec<usize>> {
        self.constants.get(tensor)?.shape()
    }

    /// A constant of 32-bit floats.
    pub(crate) fn floats(&self, tensor: &str) -> Option<Vec<f32>> {
        self.numbers(tensor, TensorProto::floats)
    }

    /// A constant of 32-bit integers.
    pub(crate) fn integers(&self, tensor: &str) -> Option<Vec<i32>> {
        self.numbers(tensor, TensorProto::integers)
    }

    /// A constant of 64-bit integers: sizes and axes.
    pub(crate) fn longs(&self, tensor: &str) -> Option<Vec<i64>> {
        self.numbers(tensor, TensorProto::longs)
    }

    /// A constant of signed bytes.
    pub(crate) fn signed_bytes(&self, tensor: &str) -> Option<Vec<i8>> {
        self.numbers(tensor, TensorProto::signed_bytes)
    }

    /// A constant of unsigned bytes.
    pub(crate) fn unsigned_bytes(&self, tensor: &str) -> Option<Vec<u8>> {
        self.numbers(tensor, TensorProto::unsigned_bytes)
    }

    fn numbers<Number>(&self, tensor: &str, numbers: fn(&TensorProto) -> Option<Vec<Number>>) -> Option<Vec<Number>> {
        let tensor = self.constants.get(tensor).filter(|tensor| tensor.external_data.is_empty())?;
        whole(tensor, numbers(tensor)?)
    }
}

/// The numbers of a tensor, if there are as many as its shape says.
fn whole<Number>(tensor: &TensorProto, numbers: Vec<Number>) -> Option<Vec<Number>> {
    let expected = tensor.shape()?.into_iter().try_fold(1_usize, usize::checked_mul)?;
    (numbers.len() == expected).then_some(numbers)
}

/// An attribute of `COUNT` sizes; none if it is there with another number of them.
pub(crate) fn sizes<const COUNT: usize>(node: &NodeProto, name: &str, default: usize) -> Option<[usize; COUNT]> {
    let Some(sizes) = node.integers(name) else { return Some([default; COUNT]) };
    let sizes: Option<Vec<usize>> = sizes.iter().map(|size| usize::try_from(*size).ok()).collect();
    sizes?.try_into().ok()
}
