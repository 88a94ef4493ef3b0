//! What a file quantises and tract computes in float all the same, by name and with the reason.
//!
//! A file quantises an operator if that reads what a DequantizeLinear gives and its result goes to a QuantizeLinear, or if
//! its weights are quantised, or if it is of the older form whose operators take integers themselves (QLinearConv, …).
//! Nothing of this is left out in silence: whoever made the file meant it to run in integers.

use std::collections::HashSet;

use parallax_onnx::NodeProto;

use super::recognition::{Quantized, Recognition, Refusal};

/// An operator that the file quantises and that stays with tract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// Its name.
    pub(crate) node: String,
    /// What it is.
    pub(crate) operator: String,
    /// Why.
    pub(crate) reason: Refusal,
}

impl Left {
    /// Whether it is a convolution: what most of a network's time goes into.
    pub(crate) fn is_convolution(&self) -> bool {
        self.operator.contains("Conv")
    }
}

/// Whether an operator takes and gives integers itself, with scales among its inputs.
pub(crate) fn takes_integers(operator: &str) -> bool {
    operator.starts_with("QLinear")
        || matches!(operator, "ConvInteger" | "MatMulInteger" | "QGemm" | "DynamicQuantizeLinear")
}

impl Recognition<'_> {
    /// Lists what was refused, and after it what was not even tried.
    pub(super) fn list_left(&mut self) {
        for (place, node) in self.graph.nodes.iter().enumerate() {
            let name = node.label();
            if self.covered.contains(&place) {
                continue;
            }
            if let Some(reason) = self.overlooked(place, node) {
                let (node, operator) = (name.to_owned(), node.op_type.clone());
                self.left.push(Left { node, operator, reason });
            }
        }
    }

    /// Why an operator that the file quantises stays with tract although nothing was tried with it; none if the file does
    /// not quantise it.
    fn overlooked(&self, place: usize, node: &NodeProto) -> Option<Refusal> {
        if takes_integers(&node.op_type) {
            return Some(
                "it takes and gives integers itself; only DequantizeLinear and QuantizeLinear are read".to_owned(),
            );
        }
        let has_weights = matches!(node.op_type.as_str(), "Conv" | "ConvTranspose" | "Gemm" | "MatMul");
        if has_weights && (0..node.input.len()).any(|index| self.constant_behind(node, index).is_some()) {
            return Some(self.not_read(node).unwrap_or_else(|| self.read_in_float(node)));
        }
        let quantize = node.output.first().map(|output| self.graph.readers(output)).unwrap_or_default();
        let quantized = quantize.iter().any(|reader| self.graph.nodes[*reader].op_type == "QuantizeLinear");
        if !quantized || matches!(node.op_type.as_str(), "QuantizeLinear" | "DequantizeLinear") {
            return None;
        }
        self.float_before(place).map(|between| {
            let between = &self.graph.nodes[between];
            format!("what it reads is in float in the file: {} {} is before it", between.op_type, between.label())
        })
    }

    /// Why an input that is no constant is not a quantised picture.
    fn not_read(&self, node: &NodeProto) -> Option<Refusal> {
        let mut inputs = (0..node.input.len()).filter(|index| {
            let constant = |name| self.graph.is_constant(name);
            self.constant_behind(node, *index).is_none() && !node.input_at(*index).is_some_and(constant)
        });
        inputs.find_map(|index| self.read(node, index).err())
    }

    /// Where a result goes that no QuantizeLinear takes.
    fn read_in_float(&self, node: &NodeProto) -> Refusal {
        let output = node.output.first().map_or("", String::as_str);
        let readers = self.graph.readers(output).iter().map(|reader| &self.graph.nodes[*reader]);
        let floats = readers.filter(|reader| reader.op_type != "QuantizeLinear");
        match floats.map(|reader| format!("{} {}", reader.op_type, reader.label())).next() {
            Some(reader) => format!("its result is not quantized: {reader} reads it in float"),
            None => "its result is not quantized".to_owned(),
        }
    }

    /// The operator before one at `place` that computes in float from something dequantised; none where no picture was
    /// quantised on the way, or a convolution on the way is kept in float on purpose.
    fn float_before(&self, place: usize) -> Option<usize> {
        let (mut seen, mut waiting) = (HashSet::new(), vec![(place, None)]);
        while let Some((at, before)) = waiting.pop() {
            for name in self.graph.nodes[at].given_inputs() {
                if self.is_dequantized(name) {
                    return before;
                }
                let Some((writer, node)) = self.graph.writer(name) else { continue };
                if node.op_type != "DequantizeLinear" && !self.is_kept_in_float(node) && seen.insert(writer) {
                    waiting.push((writer, before.or(Some(writer))));
                }
            }
        }
        None
    }

    /// Whether a tensor, which is no constant, comes from a DequantizeLinear.
    pub(super) fn is_dequantized(&self, tensor: &str) -> bool {
        let writer = self.graph.writer(tensor).filter(|(_, writer)| writer.op_type == "DequantizeLinear");
        writer.and_then(|(_, node)| node.input_at(0)).is_some_and(|integers| !self.graph.is_constant(integers))
    }

    /// Why a tensor is no quantised picture.
    pub(super) fn why_not_quantized(&self, name: &str) -> Refusal {
        let Some((place, node)) = self.graph.writer(name) else { return format!("its input {name} is in float") };
        if node.op_type != "DequantizeLinear" {
            return format!("its input {name} comes in float from {} {}", node.op_type, node.label());
        }
        let why = self.why_not_dequantized(place, node).unwrap_or_else(|| "is not a quantized picture".to_owned());
        format!("its input {name} {why}")
    }

    /// What is unusual about a DequantizeLinear.
    fn why_not_dequantized(&self, place: usize, node: &NodeProto) -> Option<String> {
        if let Some(Quantized { .. }) = self.dequantized_by(place, node) {
            return None;
        }
        let integers = node.input_at(0)?;
        if self.graph.is_constant(integers) {
            return Some("is a constant".to_owned());
        }
        let Some((_, quantize)) = self.graph.writer(integers) else {
            return Some("is the model's input, as integers".to_owned());
        };
        if quantize.op_type != "QuantizeLinear" {
            return Some(format!("comes as integers from {} {}", quantize.op_type, quantize.label()));
        }
        for one in [quantize, node] {
            let scales = one.input_at(1).and_then(|scale| self.graph.floats(scale));
            let what = match scales.as_deref() {
                None => "has a scale that is not constant",
                Some([_]) if self.grid(one).is_none() => {
                    "is quantized neither to u8 nor to s8, or its scale is no number"
                }
                Some([_]) => continue,
                Some(_) => "has several scales",
            };
            return Some(what.to_owned());
        }
        if self.graph.is_output(integers) {
            return Some("is an output of the model, as integers".to_owned());
        }
        let mut readers = self.graph.readers(integers).iter().map(|reader| &self.graph.nodes[*reader]);
        if let Some(other) = readers.find(|reader| reader.op_type != "DequantizeLinear") {
            return Some(format!("is read as integers by {} {}", other.op_type, other.label()));
        }
        let float = quantize.input_at(0)?;
        self.picture(float).is_none().then(|| "is no picture [1, channels, height, width] of fixed size".to_owned())
    }
}
