//! An operator: its inputs, its attributes, its name.
//!
//! Files come from anywhere: an attribute of another type than the one asked for reads as that type's zero.

use crate::{AttributeProto, AttributeType, NodeProto};

/// Whether an operator belongs to a quantized model.
#[must_use]
pub fn is_quantization(operator: &str) -> bool {
    matches!(
        operator,
        "QuantizeLinear" | "DequantizeLinear" | "DynamicQuantizeLinear" | "ConvInteger" | "MatMulInteger"
    ) || operator.starts_with("QLinear")
}

impl NodeProto {
    /// An operator of the standard, without attributes.
    #[must_use]
    pub fn new(operator: &str, name: &str, inputs: &[&str], output: &str) -> Self {
        Self {
            op_type: operator.to_owned(),
            name: name.to_owned(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.to_owned()],
            ..Self::default()
        }
    }

    /// A name for messages: its own, else its first output's.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() { self.output.first().map_or("", String::as_str) } else { &self.name }
    }

    /// The input `index`, if it is given.
    #[must_use]
    pub fn input_at(&self, index: usize) -> Option<&str> {
        self.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The inputs that are given.
    pub fn given_inputs(&self) -> impl Iterator<Item = &str> {
        self.input.iter().map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The attribute `name`.
    #[must_use]
    pub fn attribute_named(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// An attribute of one integer, or `default` where it is not given.
    #[must_use]
    pub fn integer(&self, name: &str, default: i64) -> i64 {
        self.attribute_named(name).map_or(default, |attribute| attribute.i)
    }

    /// An attribute of several integers, if it is given.
    #[must_use]
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        self.attribute_named(name).map(|attribute| attribute.ints.as_slice())
    }

    /// An attribute of one float, or `default` where it is not given.
    #[must_use]
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute_named(name).map_or(default, |attribute| attribute.f)
    }

    /// An attribute that is a text, if it is given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(&self.attribute_named(name)?.s).ok()
    }
}

impl AttributeProto {
    /// One integer.
    #[must_use]
    pub fn integer(name: &str, value: i64) -> Self {
        Self { i: value, ..Self::of_type(name, AttributeType::Int) }
    }

    /// Several integers.
    #[must_use]
    pub fn integers(name: &str, values: &[i64]) -> Self {
        Self { ints: values.to_vec(), ..Self::of_type(name, AttributeType::Ints) }
    }

    /// One float.
    #[must_use]
    pub fn float(name: &str, value: f32) -> Self {
        Self { f: value, ..Self::of_type(name, AttributeType::Float) }
    }

    /// A text.
    #[must_use]
    pub fn text(name: &str, value: &str) -> Self {
        Self { s: value.as_bytes().to_vec(), ..Self::of_type(name, AttributeType::String) }
    }

    fn of_type(name: &str, r#type: AttributeType) -> Self {
        Self { name: name.to_owned(), r#type: r#type as i32, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_were_written() {
        let mut node = NodeProto::new("Resize", "", &["image", "", "scales"], "up");
        node.attribute = vec![
            AttributeProto::integer("axis", 1),
            AttributeProto::integers("pads", &[1, 2]),
            AttributeProto::float("alpha", 0.5),
            AttributeProto::text("mode", "linear"),
        ];
        assert_eq!((node.integer("axis", 7), node.integer("other", 7)), (1, 7));
        assert_eq!((node.integers("pads"), node.integers("other")), (Some(&[1, 2][..]), None));
        assert_eq!((node.float("alpha", 1.0), node.float("other", 1.0)), (0.5, 1.0));
        assert_eq!((node.text("mode"), node.text("other")), (Some("linear"), None));
        assert_eq!(node.label(), "up");
        assert_eq!((node.input_at(1), node.given_inputs().count()), (None, 2));
    }
}
