//! Reading an ONNX graph: constants, attributes, who writes a tensor and who reads it.
//!
//! Files come from anywhere: whatever is missing, of another type or of a wrong length reads as "none", and the operator
//! that needed it stays with tract.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

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
            let value = node.attribute.iter().find(|attribute| attribute.name == "value");
            if let ("Constant", [name], Some(tensor)) =
                (node.op_type.as_str(), node.output.as_slice(), value.and_then(|value| value.t.as_ref()))
            {
                constants.insert(name, tensor);
            }
            writers.extend(node.output.iter().map(|name| (name.as_str(), index)));
            for name in node.input.iter().filter(|name| !name.is_empty()) {
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
        self.constants.get(tensor)?.dims.iter().map(|size| usize::try_from(*size).ok()).collect()
    }

    /// A constant of 32-bit floats.
    pub(crate) fn floats(&self, tensor: &str) -> Option<Vec<f32>> {
        let tensor = self.constant(tensor, DataType::Float)?;
        let raw = tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        whole(tensor, if tensor.raw_data.is_empty() { tensor.float_data.clone() } else { raw.collect() })
    }

    /// A constant of 32-bit integers.
    pub(crate) fn integers(&self, tensor: &str) -> Option<Vec<i32>> {
        let tensor = self.constant(tensor, DataType::Int32)?;
        let raw = tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes));
        whole(tensor, if tensor.raw_data.is_empty() { tensor.int32_data.clone() } else { raw.collect() })
    }

    /// A constant of 64-bit integers: sizes and axes.
    pub(crate) fn longs(&self, tensor: &str) -> Option<Vec<i64>> {
        let tensor = self.constant(tensor, DataType::Int64)?;
        let raw = tensor.raw_data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
        whole(tensor, if tensor.raw_data.is_empty() { tensor.int64_data.clone() } else { raw.collect() })
    }

    /// A constant of signed bytes.
    pub(crate) fn signed_bytes(&self, tensor: &str) -> Option<Vec<i8>> {
        let tensor = self.constant(tensor, DataType::Int8)?;
        let raw = tensor.raw_data.iter().map(|byte| *byte as i8);
        let typed = tensor.int32_data.iter().map(|value| *value as i8);
        whole(tensor, if tensor.raw_data.is_empty() { typed.collect() } else { raw.collect() })
    }

    /// A constant of unsigned bytes.
    pub(crate) fn unsigned_bytes(&self, tensor: &str) -> Option<Vec<u8>> {
        let tensor = self.constant(tensor, DataType::Uint8)?;
        let typed = tensor.int32_data.iter().map(|value| *value as u8);
        whole(tensor, if tensor.raw_data.is_empty() { typed.collect() } else { tensor.raw_data.clone() })
    }

    fn constant(&self, tensor: &str, data_type: DataType) -> Option<&'a TensorProto> {
        let tensor = self.constants.get(tensor)?;
        (tensor.data_type == data_type as i32 && tensor.external_data.is_empty()).then_some(tensor)
    }
}

/// The numbers of a tensor, if there are as many as its shape says.
fn whole<Number>(tensor: &TensorProto, numbers: Vec<Number>) -> Option<Vec<Number>> {
    let sizes = tensor.dims.iter().map(|size| usize::try_from(*size).ok());
    let expected = sizes.into_iter().try_fold(1_usize, |product, size| product.checked_mul(size?))?;
    (numbers.len() == expected).then_some(numbers)
}

/// The input `index` of an operator, if it is given.
pub(crate) fn input(node: &NodeProto, index: usize) -> Option<&str> {
    node.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
}

/// The inputs of an operator that are given.
pub(crate) fn inputs(node: &NodeProto) -> impl Iterator<Item = &str> {
    node.input.iter().map(String::as_str).filter(|name| !name.is_empty())
}

/// The name of an operator for messages: its own, else its first output's.
pub(crate) fn name(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// An integer attribute.
pub(crate) fn integer(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i)
}

/// An attribute of integers, if it is given.
pub(crate) fn integers(node: &NodeProto, name: &str) -> Option<Vec<i64>> {
    attribute(node, name).map(|attribute| attribute.ints.clone())
}

/// A float attribute.
pub(crate) fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).map_or(default, |attribute| attribute.f)
}

/// A text attribute.
pub(crate) fn text<'a>(node: &'a NodeProto, name: &str, default: &'a str) -> &'a str {
    attribute(node, name).and_then(|attribute| std::str::from_utf8(&attribute.s).ok()).unwrap_or(default)
}

/// An attribute of `COUNT` sizes; none if it is there with another number of them.
pub(crate) fn sizes<const COUNT: usize>(node: &NodeProto, name: &str, default: usize) -> Option<[usize; COUNT]> {
    let Some(attribute) = attribute(node, name) else { return Some([default; COUNT]) };
    let sizes: Option<Vec<usize>> = attribute.ints.iter().map(|size| usize::try_from(*size).ok()).collect();
    sizes?.try_into().ok()
}
