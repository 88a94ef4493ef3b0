//! Constants that are numbers: a NaN in one weight makes a NaN of every logit that it reaches.
//!
//! An infinity is a number where it only bounds something: as the limit of a Clip, as what a Pad puts around a picture whose
//! largest numbers are wanted, as what a mask puts in the place of what must not count.

use std::collections::HashMap;

use super::{Constants, Fault};
use crate::{DataType, GraphProto, TensorProto};

/// Operators that compare with a constant or hand it on, without arithmetic.
const BOUNDS: [&str; 6] = ["Clip", "Pad", "Max", "Min", "Where", "ConstantOfShape"];

/// # Errors
/// The first constant or attribute that holds a NaN, or an infinity that is computed with.
pub(super) fn check(graph: &GraphProto, constants: &Constants<'_>) -> Result<(), Fault> {
    let mut readers: HashMap<&str, Vec<&str>> = HashMap::new();
    for node in &graph.node {
        for input in &node.input {
            readers.entry(input).or_default().push(&node.op_type);
        }
        for attribute in &node.attribute {
            let mut tensors = attribute.t.iter().chain(&attribute.tensors);
            let nan = tensors.any(|tensor| non_finite(tensor, true).is_some());
            if nan || attribute.f.is_nan() || attribute.floats.iter().any(|float| float.is_nan()) {
                return Err(format!("{} {}: its {} is NaN", node.op_type, node.label(), attribute.name));
            }
        }
    }
    let lifted = graph.node.iter().filter(|node| node.op_type == "Constant").filter_map(|node| node.output.first());
    let names = graph.initializer.iter().map(|tensor| &tensor.name).chain(lifted);
    for (name, tensor) in names.filter_map(|name| Some((name.as_str(), constants.get(name.as_str())?))) {
        let bounds = readers.get(name).is_some_and(|readers| readers.iter().all(|reader| BOUNDS.contains(reader)));
        if let Some(value) = non_finite(tensor, bounds) {
            return Err(format!("the constant {name} holds {value}"));
        }
    }
    Ok(())
}

/// The first number that is none; infinities are numbers where they are `bounds`.
fn non_finite(tensor: &TensorProto, bounds: bool) -> Option<f64> {
    let is_none = |value: &f64| value.is_nan() || value.is_infinite() && !bounds;
    let raw = &tensor.raw_data;
    match DataType::try_from(tensor.data_type).ok()? {
        DataType::Float => {
            let raw = raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            raw.chain(tensor.float_data.iter().copied()).map(f64::from).find(is_none)
        }
        DataType::Double => {
            let raw = raw.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            raw.chain(tensor.double_data.iter().copied()).find(is_none)
        }
        DataType::Float16 => halves(tensor).map(|bits| short_float(bits, 10)).find(is_none),
        DataType::Bfloat16 => halves(tensor).map(|bits| short_float(bits, 7)).find(is_none),
        _ => None,
    }
}

fn halves(tensor: &TensorProto) -> impl Iterator<Item = u16> {
    let raw = tensor.raw_data.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    raw.chain(tensor.int32_data.iter().map(|bits| *bits as u16))
}

/// What a 16-bit float with that many bits of fraction is: NaN, an infinity, or some number.
fn short_float(bits: u16, fraction_bits: u32) -> f64 {
    let (magnitude, fraction) = (bits & 0x7fff, bits & ((1 << fraction_bits) - 1));
    let largest_exponent = 0x7fff >> fraction_bits << fraction_bits;
    match magnitude - fraction == largest_exponent {
        true if fraction != 0 => f64::NAN,
        true if bits > 0x7fff => f64::NEG_INFINITY,
        true => f64::INFINITY,
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttributeProto, NodeProto};

    fn fault(operator: &str, tensor: TensorProto) -> Option<Fault> {
        let node = NodeProto::new(operator, "", &["in", "w"], "out");
        let graph = GraphProto { node: vec![node], initializer: vec![tensor], ..GraphProto::default() };
        check(&graph, &Constants::from([("w", &graph.initializer[0])])).err()
    }

    fn tensor(data_type: DataType, raw_data: &[u8]) -> TensorProto {
        TensorProto {
            name: "w".to_owned(),
            data_type: data_type as i32,
            raw_data: raw_data.to_vec(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn a_nan_is_refused_in_every_type_and_place() {
        let ones = |bytes: usize| [vec![0; bytes], vec![0xff; bytes]].concat();
        for (data_type, bytes) in
            [(DataType::Float, 4), (DataType::Double, 8), (DataType::Float16, 2), (DataType::Bfloat16, 2)]
        {
            for operator in ["Conv", "Clip"] {
                let found = fault(operator, tensor(data_type, &ones(bytes)));
                assert_eq!(found.as_deref(), Some("the constant w holds NaN"), "{data_type:?} of {operator}");
            }
            assert_eq!(fault("Conv", tensor(data_type, &vec![0x11; 2 * bytes])), None, "{data_type:?}");
        }
        let typed = TensorProto { float_data: vec![0.0, f32::NAN], ..tensor(DataType::Float, &[]) };
        assert!(fault("Conv", typed).is_some());
        assert_eq!(fault("Conv", tensor(DataType::Int8, &[0xff; 8])), None, "integers are all numbers");
    }

    #[test]
    fn an_infinity_bounds_and_is_not_computed_with() {
        let infinities = [f32::NEG_INFINITY.to_le_bytes(), f32::INFINITY.to_le_bytes()].concat();
        assert_eq!(fault("Conv", tensor(DataType::Float, &infinities)).as_deref(), Some("the constant w holds -inf"));
        assert_eq!(
            fault("Conv", tensor(DataType::Float16, &[0x00, 0x7c])).as_deref(),
            Some("the constant w holds inf")
        );
        assert_eq!(
            fault("Conv", tensor(DataType::Bfloat16, &[0x80, 0x7f])).as_deref(),
            Some("the constant w holds inf")
        );
        for operator in ["Clip", "Pad", "Max", "Where"] {
            assert_eq!(fault(operator, tensor(DataType::Float, &infinities)), None, "{operator}");
        }
    }

    #[test]
    fn an_attribute_that_is_no_number_is_refused() {
        let elu = NodeProto::new("Elu", "elu", &["in"], "out");
        let node = NodeProto { attribute: vec![AttributeProto::float("alpha", f32::NAN)], ..elu };
        let graph = GraphProto { node: vec![node], ..GraphProto::default() };
        assert_eq!(check(&graph, &Constants::new()).unwrap_err(), "Elu elu: its alpha is NaN");
    }
}
