//! What a model file is, in a sentence: for whoever gave it where something else was expected.

use prost::Message as _;

use super::onnx::{Model, Size, ValueInfo};

/// Longest name that is repeated.
const LONGEST: usize = 40;

/// What a model file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Whether `parallax-train` wrote it: it says how its input is prepared.
    pub is_ours: bool,
    /// Whether it is quantized.
    pub int8: bool,
    /// The operator set of the default domain; 0 where it says none.
    pub operator_set: i64,
    /// Operators.
    pub operators: usize,
    /// True inputs with their shapes, such as `image [1, 3, 192, 640]`.
    pub inputs: Vec<String>,
    /// Outputs likewise.
    pub outputs: Vec<String>,
}

/// Describes the bytes of an ONNX file; none for any others.
#[must_use]
pub fn describe(file: &[u8]) -> Option<Description> {
    let model = Model::decode(file).ok()?;
    let graph = model.graph.as_ref().filter(|graph| !graph.nodes.is_empty() && !graph.outputs.is_empty())?;
    let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let operator_set = model.operator_sets.iter().find(|set| default(&set.domain)).map_or(0, |set| set.version);
    let is_constant = |name: &str| graph.initializers.iter().any(|tensor| tensor.name == name);
    Some(Description {
        is_ours: model.metadata.iter().any(|entry| entry.key == "parallax.network"),
        int8: graph
            .nodes
            .iter()
            .any(|node| node.operator.contains("QuantizeLinear") || node.operator.starts_with("QLinear")),
        operator_set,
        operators: graph.nodes.len(),
        inputs: graph.inputs.iter().filter(|input| !is_constant(&input.name)).map(port).collect(),
        outputs: graph.outputs.iter().map(port).collect(),
    })
}

/// `image [1, 3, ?, ?]`; names are cut and freed of what a terminal obeys.
fn port(value: &ValueInfo) -> String {
    let name: String = value.name.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    let shape = value.r#type.as_ref().and_then(|r#type| r#type.tensor.as_ref()?.shape.as_ref());
    let Some(shape) = shape else { return name };
    let sizes = shape.axes.iter().map(|axis| match &axis.size {
        Some(Size::Fixed(size)) => size.to_string(),
        _ => "?".to_owned(),
    });
    format!("{name} [{}]", sizes.collect::<Vec<_>>().join(", "))
}

impl std::fmt::Display for Description {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arithmetic = if self.int8 { "int8" } else { "float" };
        let (inputs, outputs) = (self.inputs.join(", "), self.outputs.join(", "));
        write!(formatter, "{arithmetic}, operator set {}, {} operators", self.operator_set, self.operators)?;
        write!(formatter, ", input {inputs}, output {outputs}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{Axis, Entry, Graph, Node, OperatorSet, Shape, TensorType, Type};
    use super::*;

    fn value(name: &str, sizes: &[Option<i64>]) -> ValueInfo {
        let axis = |size: &Option<i64>| Axis { size: Some(size.map_or(Size::Named("N".to_owned()), Size::Fixed)) };
        let shape = Some(Shape { axes: sizes.iter().map(axis).collect() });
        ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor: Some(TensorType { shape }) }) }
    }

    #[test]
    fn a_model_is_described_by_its_form_its_size_and_its_ports() {
        let node = Node { operator: "Conv".to_owned(), ..Node::default() };
        let graph = Graph {
            nodes: vec![node],
            inputs: vec![value("im\u{1b}age", &[None, Some(3), Some(96), Some(128)])],
            outputs: vec![value("logits", &[])],
            ..Graph::default()
        };
        let sets = vec![OperatorSet { domain: String::new(), version: 11 }];
        let mut model = Model { graph: Some(graph), operator_sets: sets, ..Model::default() };
        let described = describe(&model.encode_to_vec()).unwrap();
        let expected = "float, operator set 11, 1 operators, input image [?, 3, 96, 128], output logits []";
        assert_eq!((described.to_string().as_str(), described.is_ours), (expected, false));
        model.metadata.push(Entry { key: "parallax.network".to_owned(), value: "slim".to_owned() });
        assert!(describe(&model.encode_to_vec()).unwrap().is_ours);
        assert_eq!(describe(b"no model"), None);
    }
}
