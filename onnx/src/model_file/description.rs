//! What a model file is, in a sentence: for whoever gave it where something else was expected.

use crate::{DimensionValue, ModelProto, ValueInfoProto, metadata};

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
    let model = ModelProto::from_bytes(file).ok()?;
    let graph = model.graph.as_ref().filter(|graph| !graph.node.is_empty() && !graph.output.is_empty())?;
    let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let operator_set = model.opset_import.iter().find(|set| default(&set.domain)).map_or(0, |set| set.version);
    let is_constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    Some(Description {
        is_ours: model.metadata(metadata::NETWORK).is_some(),
        int8: graph
            .node
            .iter()
            .any(|node| node.op_type.contains("QuantizeLinear") || node.op_type.starts_with("QLinear")),
        operator_set,
        operators: graph.node.len(),
        inputs: graph.input.iter().filter(|input| !is_constant(&input.name)).map(port).collect(),
        outputs: graph.output.iter().map(port).collect(),
    })
}

/// `image [1, 3, ?, ?]`; names are cut and freed of what a terminal obeys.
fn port(value: &ValueInfoProto) -> String {
    let name: String = value.name.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    let Some(dimensions) = value.dimensions() else { return name };
    let sizes = dimensions.iter().map(|dimension| match &dimension.value {
        Some(DimensionValue::Fixed(size)) => size.to_string(),
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
    use super::*;
    use crate::{GraphProto, NodeProto};

    #[test]
    fn a_model_is_described_by_its_form_its_size_and_its_ports() {
        let mut image = ValueInfoProto::of_floats("im\u{1b}age", &[1, 3, 96, 128]);
        let open = DimensionValue::Named("N".to_owned());
        image.tensor_mut().unwrap().shape.as_mut().unwrap().dim[0].value = Some(open);
        let graph = GraphProto {
            node: vec![NodeProto::new("Conv", "", &["image"], "logits")],
            input: vec![image],
            output: vec![ValueInfoProto::of_floats("logits", &[])],
            ..GraphProto::default()
        };
        let mut model = ModelProto::new(graph, 11);
        let described = describe(&model.to_bytes()).unwrap();
        let expected = "float, operator set 11, 1 operators, input image [?, 3, 96, 128], output logits []";
        assert_eq!((described.to_string().as_str(), described.is_ours), (expected, false));
        model.set_metadata(metadata::NETWORK, "slim");
        assert!(describe(&model.to_bytes()).unwrap().is_ours);
        assert_eq!(describe(b"no model"), None);
    }
}
