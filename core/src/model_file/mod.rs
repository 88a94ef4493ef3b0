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
//! | `onnx` | the messages of an ONNX file that say how large things are |
//!
//! and here the graph: every tensor read is an input, a constant or the result of an operator before (so that there is no
//! cycle), and no two operators write the same.

mod description;
mod finite;
mod onnx;
mod operators;
mod tensors;
mod work;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use prost::Message as _;

pub use description::{Description, describe};
use onnx::{Graph, Model, Node, Size, Tensor, ValueInfo};
pub use work::{MOST_MULTIPLICATIONS, MOST_NUMBERS_AT_ONCE, MOST_POOLED, check_work};

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
type Constants<'a> = HashMap<&'a str, &'a Tensor>;

/// Reads the bytes of an ONNX file through.
///
/// # Errors
/// The first fault.
pub fn check(file: &[u8]) -> Result<(), Fault> {
    let model = Model::decode(file).map_err(|error| error.to_string())?;
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    if graph.nodes.is_empty() {
        return Err("it has no operators".to_owned());
    }
    if graph.nodes.len() > MOST_OPERATORS {
        return Err(format!("it has {} operators, more than {MOST_OPERATORS}", graph.nodes.len()));
    }
    if !graph.sparse_initializers.is_empty() {
        return Err("it has sparse constants".to_owned());
    }
    graph.initializers.iter().try_for_each(tensors::check)?;
    for input in &graph.inputs {
        let shape = fixed_shape(input).ok_or_else(|| format!("its input {} is no tensor", input.name))?;
        count(&shape).map_err(|fault| format!("its input {} {fault}", input.name))?;
    }
    let constants = constants(graph)?;
    check_order(graph)?;
    finite::check(graph, &constants)?;
    for node in &graph.nodes {
        operators::check(node, &constants).map_err(|fault| format!("{} {}: {fault}", node.operator, name(node)))?;
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

/// The name of an operator for messages: its own, else its first output's.
fn name(node: &Node) -> &str {
    if node.name.is_empty() { node.outputs.first().map_or("", String::as_str) } else { &node.name }
}

/// The sizes of an input; those that are not fixed count as one.
fn fixed_shape(input: &ValueInfo) -> Option<Vec<i64>> {
    let shape = input.r#type.as_ref()?.tensor.as_ref()?.shape.as_ref()?;
    let size = |size: &Option<Size>| if let Some(Size::Fixed(size)) = size { *size } else { 1 };
    Some(shape.axes.iter().map(|axis| size(&axis.size)).collect())
}

fn constants(graph: &Graph) -> Result<Constants<'_>, Fault> {
    let mut constants = Constants::new();
    for tensor in &graph.initializers {
        if constants.insert(&tensor.name, tensor).is_some() {
            return Err(format!("it has two constants called {}", tensor.name));
        }
    }
    for node in graph.nodes.iter().filter(|node| node.operator == "Constant") {
        let value = node.attributes.iter().find(|attribute| attribute.name == "value");
        if let (Some(name), Some(tensor)) = (node.outputs.first(), value.and_then(|value| value.tensor.as_ref())) {
            constants.insert(name, tensor);
        }
    }
    Ok(constants)
}

/// # Errors
/// A tensor that is read and that nothing before gives, or that two operators write.
fn check_order(graph: &Graph) -> Result<(), Fault> {
    let initialisers = graph.initializers.iter().map(|tensor| tensor.name.as_str());
    let mut known: HashSet<&str> = graph.inputs.iter().map(|input| input.name.as_str()).chain(initialisers).collect();
    for node in &graph.nodes {
        if let Some(read) = node.inputs.iter().find(|name| !name.is_empty() && !known.contains(name.as_str())) {
            let later = graph.nodes.iter().any(|node| node.outputs.contains(read));
            let fault = if later { "is computed only after it: a cycle" } else { "is neither an input nor a constant" };
            return Err(format!("{} {} reads {read}, which {fault}", node.operator, name(node)));
        }
        for written in node.outputs.iter().filter(|name| !name.is_empty()) {
            if !known.insert(written) {
                return Err(format!("{} {} writes {written}, which is there already", node.operator, name(node)));
            }
        }
    }
    match graph.outputs.iter().find(|output| !known.contains(output.name.as_str())) {
        Some(output) => Err(format!("nothing gives its output {}", output.name)),
        None if graph.outputs.is_empty() => Err("it has no output".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(operator: &str, inputs: &[&str], output: &str) -> Node {
        let inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
        Node { operator: operator.to_owned(), inputs, outputs: vec![output.to_owned()], ..Node::default() }
    }

    fn value(name: &str) -> ValueInfo {
        let tensor = onnx::TensorType { shape: Some(onnx::Shape::default()) };
        ValueInfo { name: name.to_owned(), r#type: Some(onnx::Type { tensor: Some(tensor) }) }
    }

    fn file(nodes: Vec<Node>) -> Vec<u8> {
        let graph = Graph { nodes, inputs: vec![value("in")], outputs: vec![value("out")], ..Graph::default() };
        Model { graph: Some(graph), ..Model::default() }.encode_to_vec()
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
