//! What a model file must fulfil before an inference engine sees it.
//!
//! A model may come from anywhere. Engines trust what they load: a size of zero may divide, a scale of zero gives pictures of
//! infinities, a shape of billions is allocated. So a file is read through once first, on the board and before quantization,
//! and the first fault is an error that names the operator or tensor:
//!
//! | module | what it looks at |
//! |---|---|
//! | `tensors` | constants: sizes that multiply to something that fits into memory, and as many numbers as they say |
//! | `operators` | attributes within bounds, scales that are positive numbers, sizes that operators are asked to make |
//! | `finite` | constants without NaN, and without infinities where arithmetic is done with them |
//! | `work` | what a frame costs, when the engine knows all shapes |
//! | `description` | what a file is, in a sentence |
//!
//! and here the graph: every tensor read is an input, a constant or the result of an operator before (so that there is no
//! cycle), and no two operators write the same.

mod description;
mod finite;
mod operators;
mod tensors;
mod work;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use description::{Description, describe};
pub use work::{MOST_MULTIPLICATIONS, MOST_NUMBERS_AT_ONCE, MOST_POOLED, check_work};

use crate::{DimensionValue, GraphProto, ModelProto, TensorProto, ValueInfoProto};

/// Why a file is refused: half a sentence about the file, such as `Conv first: its strides is 0, not from 1 to 32768`.
pub type Fault = String;

/// Numbers of a tensor: half a GiB as 32-bit floats. The largest of a network for a board have a hundredth of that.
pub const MOST_NUMBERS: u64 = 1 << 27;

/// Axes of a tensor.
const MOST_AXES: usize = 8;

/// Operators of a file. Large networks have one or two thousand; the time for an engine's plan grows with their square, and
/// is ten seconds for so many.
const MOST_OPERATORS: usize = 5000;

/// The constants of a graph by name: initialisers and what Constant operators hold.
type Constants<'a> = HashMap<&'a str, &'a TensorProto>;

/// Reads the bytes of an ONNX file through.
///
/// # Errors
/// The first fault.
pub fn check(file: &[u8]) -> Result<(), Fault> {
    check_model(&ModelProto::from_bytes(file)?)
}

/// The same, of a model that is decoded.
///
/// # Errors
/// The first fault.
pub fn check_model(model: &ModelProto) -> Result<(), Fault> {
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    if graph.node.is_empty() {
        return Err("it has no operators".to_owned());
    }
    if graph.node.len() > MOST_OPERATORS {
        return Err(format!("it has {} operators, more than {MOST_OPERATORS}", graph.node.len()));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err("it has sparse constants".to_owned());
    }
    graph.initializer.iter().try_for_each(tensors::check)?;
    for input in &graph.input {
        let shape = fixed_shape(input).ok_or_else(|| format!("its input {} is no tensor", input.name))?;
        count(&shape).map_err(|fault| format!("its input {} {fault}", input.name))?;
    }
    let constants = constants(graph)?;
    check_order(graph)?;
    finite::check(graph, &constants)?;
    for node in &graph.node {
        operators::check(node, &constants).map_err(|fault| format!("{} {}: {fault}", node.op_type, node.label()))?;
    }
    Ok(())
}

/// Lets an inference engine work on a model. It may panic on models that nobody foresaw: that is a fault of the model, not of
/// the program.
///
/// # Errors
/// What the engine panicked with.
pub fn caught<T>(what: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given").to_owned()
    })
}

/// How many numbers a tensor of this shape has.
///
/// # Errors
/// Negative sizes, more than eight axes, or more than [`MOST_NUMBERS`] numbers.
pub fn count(shape: &[i64]) -> Result<u64, Fault> {
    if shape.len() > MOST_AXES {
        return Err(format!("has {} axes, more than {MOST_AXES}", shape.len()));
    }
    let mut count = 1_u64;
    for size in shape {
        let size = u64::try_from(*size).map_err(|_| format!("has a size of {size}"))?;
        // With a zero among them the others must be bounded as well: engines multiply some of them alone.
        if size > MOST_NUMBERS {
            return Err(format!("has a size of {size}"));
        }
        count = count.saturating_mul(size);
    }
    if count > MOST_NUMBERS {
        return Err(format!("has the shape {shape:?}, more than {MOST_NUMBERS} numbers"));
    }
    Ok(count)
}

/// The sizes of an input; those that are not fixed count as one.
fn fixed_shape(input: &ValueInfoProto) -> Option<Vec<i64>> {
    let size = |size: &Option<DimensionValue>| if let Some(DimensionValue::Fixed(size)) = size { *size } else { 1 };
    Some(input.dimensions()?.iter().map(|dimension| size(&dimension.value)).collect())
}

fn constants(graph: &GraphProto) -> Result<Constants<'_>, Fault> {
    let mut constants = Constants::new();
    for tensor in &graph.initializer {
        if constants.insert(&tensor.name, tensor).is_some() {
            return Err(format!("it has two constants called {}", tensor.name));
        }
    }
    for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
        let value = node.attribute_named("value");
        if let (Some(name), Some(tensor)) = (node.output.first(), value.and_then(|value| value.t.as_ref())) {
            constants.insert(name, tensor);
        }
    }
    Ok(constants)
}

/// # Errors
/// A tensor that is read and that nothing before gives, or that two operators write.
fn check_order(graph: &GraphProto) -> Result<(), Fault> {
    let initialisers = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let mut known: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).chain(initialisers).collect();
    for node in &graph.node {
        if let Some(read) = node.input.iter().find(|name| !name.is_empty() && !known.contains(name.as_str())) {
            let later = graph.node.iter().any(|node| node.output.contains(read));
            let fault = if later { "is computed only after it: a cycle" } else { "is neither an input nor a constant" };
            return Err(format!("{} {} reads {read}, which {fault}", node.op_type, node.label()));
        }
        for written in node.output.iter().filter(|name| !name.is_empty()) {
            if !known.insert(written) {
                return Err(format!("{} {} writes {written}, which is there already", node.op_type, node.label()));
            }
        }
    }
    match graph.output.iter().find(|output| !known.contains(output.name.as_str())) {
        Some(output) => Err(format!("nothing gives its output {}", output.name)),
        None if graph.output.is_empty() => Err("it has no output".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeProto;

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto::new(operator, "", inputs, output)
    }

    fn file(node: Vec<NodeProto>) -> Vec<u8> {
        let (input, output) = (ValueInfoProto::of_floats("in", &[]), ValueInfoProto::of_floats("out", &[]));
        let graph = GraphProto { node, input: vec![input], output: vec![output], ..GraphProto::default() };
        ModelProto { graph: Some(graph), ..ModelProto::default() }.to_bytes()
    }

    #[test]
    fn operators_read_what_is_there_before_them() {
        assert_eq!(check(&file(vec![node("Relu", &["in"], "a"), node("Relu", &["a"], "out")])), Ok(()));
        let fault = check(&file(vec![node("Add", &["in", "out"], "a"), node("Relu", &["a"], "out")])).unwrap_err();
        assert_eq!(fault, "Add a reads out, which is computed only after it: a cycle");
        let fault = check(&file(vec![node("Relu", &["in"], "a")])).unwrap_err();
        assert_eq!(fault, "nothing gives its output out");
    }

    #[test]
    fn a_file_that_ends_too_early_or_holds_no_graph_is_refused() {
        let whole = file(vec![node("Relu", &["in"], "out")]);
        for length in 0..whole.len() {
            assert!(check(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        assert_eq!(check(&whole), Ok(()));
    }

    #[test]
    fn sizes_multiply_to_what_memory_holds() {
        assert_eq!(count(&[1, 3, 192, 640]), Ok(368_640));
        assert_eq!(count(&[]), Ok(1));
        for shape in [&[-1_i64][..], &[0, i64::MAX], &[1 << 14, 1 << 14], &[1; 9]] {
            assert!(count(shape).is_err(), "{shape:?}");
        }
    }
}
