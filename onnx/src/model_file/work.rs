//! What a frame costs: numbers that are in memory at one time, and arithmetic.
//!
//! Both are known only when all shapes are, which is the inference engine's to find out. They are bounded before the engine
//! makes its plan: a model that asks for more would hang the program or take the machine's memory.

use std::collections::HashMap;

use super::Fault;
use crate::{GraphProto, ModelProto, NodeProto};

/// Numbers of the tensors that are in memory at one time: 2 GiB as 32-bit floats.
pub const MOST_NUMBERS_AT_ONCE: u64 = 1 << 29;

/// Multiply-accumulates of a frame in convolutions and products, 10¹²: a hundred times those of ResNet-18 at 640×192, and a
/// minute or more of a processor's core.
pub const MOST_MULTIPLICATIONS: u64 = 1 << 40;

/// Numbers that a frame's pools look at, 10¹⁰: some seconds of a processor's core. Pools look at each number of a window
/// alone, without the instructions that products have.
pub const MOST_POOLED: u64 = 1 << 33;

/// Looks at what a frame costs. Of constants only the sizes are looked at; `shape_of` gives the shape of a tensor by its name,
/// where it is fixed.
///
/// # Errors
/// The first operator that is too much, alone or together with those before it.
pub fn check_work(model: &ModelProto, shape_of: impl Fn(&str) -> Option<Vec<usize>>) -> Result<(), Fault> {
    let Some(graph) = &model.graph else { return Ok(()) };
    let constants = graph.initializer.iter().map(|tensor| {
        let sizes = tensor.dims.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
        (tensor.name.as_str(), sizes)
    });
    let constants: HashMap<&str, Vec<usize>> = constants.collect();
    let shapes = Shapes { constants, shape_of };
    check_memory(graph, &shapes)?;
    let (mut multiplications, mut pooled) = (0_u64, 0_u64);
    for node in &graph.node {
        match shapes.work(node) {
            Work::Multiplications(count) => multiplications = multiplications.saturating_add(count),
            Work::Pooled(count) => pooled = pooled.saturating_add(count),
            Work::Little => continue,
        }
        let most = |most: u64, what: &str| {
            let so_far = if multiplications > most { multiplications } else { pooled };
            Err(format!("{} {} brings a frame to {so_far} {what}, more than {most}", node.op_type, node.label()))
        };
        if multiplications > MOST_MULTIPLICATIONS {
            return most(MOST_MULTIPLICATIONS, "multiply-accumulates");
        } else if pooled > MOST_POOLED {
            return most(MOST_POOLED, "numbers that pools look at");
        }
    }
    Ok(())
}

enum Work {
    Multiplications(u64),
    Pooled(u64),
    Little,
}

struct Shapes<'a, ShapeOf> {
    constants: HashMap<&'a str, Vec<usize>>,
    shape_of: ShapeOf,
}

impl<ShapeOf: Fn(&str) -> Option<Vec<usize>>> Shapes<'_, ShapeOf> {
    fn of(&self, tensor: Option<&String>) -> Option<Vec<usize>> {
        let name = tensor.filter(|name| !name.is_empty())?;
        self.constants.get(name.as_str()).cloned().or_else(|| (self.shape_of)(name))
    }

    /// The work of an operator, as far as its shapes are known.
    fn work(&self, node: &NodeProto) -> Work {
        let input = |index: usize| self.of(node.input.get(index));
        let output = self.of(node.output.first());
        let numbers = |shape: &Option<Vec<usize>>| shape.as_deref().map_or(0, product);
        match node.op_type.as_str() {
            "Conv" | "ConvInteger" => Work::Multiplications(by_kernel(output.as_deref(), input(1).as_deref())),
            "QLinearConv" => Work::Multiplications(by_kernel(output.as_deref(), input(3).as_deref())),
            "ConvTranspose" => Work::Multiplications(by_kernel(input(0).as_deref(), input(1).as_deref())),
            "MatMul" | "MatMulInteger" => {
                let inner = input(0).and_then(|shape| shape.last().copied()).unwrap_or(1);
                Work::Multiplications(numbers(&output).saturating_mul(inner as u64))
            }
            "Gemm" | "QLinearMatMul" => {
                // Transposed or not, the longer side is no shorter than the one that is summed over.
                let inner = input(0).and_then(|shape| shape.into_iter().max()).unwrap_or(1);
                Work::Multiplications(numbers(&output).saturating_mul(inner as u64))
            }
            "Einsum" => Work::Multiplications(self.einsum(node)),
            "LSTM" | "GRU" | "RNN" => {
                let steps = input(0).and_then(|shape| shape.first().copied()).unwrap_or(1) as u64;
                let weights = product(&input(1).unwrap_or_default()).saturating_add(numbers(&input(2)));
                Work::Multiplications(steps.saturating_mul(weights))
            }
            "MaxPool" | "AveragePool" | "LpPool" => {
                let kernel = node.integers("kernel_shape");
                let taps = kernel.map_or(1, |kernel| {
                    kernel.iter().fold(1_u64, |taps, size| taps.saturating_mul(size.unsigned_abs()))
                });
                Work::Pooled(numbers(&output).saturating_mul(taps))
            }
            "LRN" => Work::Pooled(numbers(&output).saturating_mul(node.integer("size", 1).unsigned_abs())),
            _ => Work::Little,
        }
    }

    /// Every letter of the equation once.
    fn einsum(&self, node: &NodeProto) -> u64 {
        let equation = node.attribute_named("equation");
        let equation = equation.map(|equation| String::from_utf8_lossy(&equation.s).into_owned()).unwrap_or_default();
        let inputs = equation.split("->").next().unwrap_or_default().split(',');
        let mut sizes = HashMap::new();
        for (index, letters) in inputs.enumerate() {
            let shape = self.of(node.input.get(index)).unwrap_or_default();
            let letters = letters.chars().filter(|letter| letter.is_alphabetic());
            sizes.extend(letters.zip(shape));
        }
        sizes.values().fold(1_u64, |product, size| product.saturating_mul(*size as u64))
    }
}

fn product(shape: &[usize]) -> u64 {
    shape.iter().fold(1_u64, |product, size| product.saturating_mul(*size as u64))
}

/// Each number of `picture` once with each weight of an output channel.
fn by_kernel(picture: Option<&[usize]>, weights: Option<&[usize]>) -> u64 {
    let taps = weights.and_then(|weights| weights.get(1..)).map_or(1, product);
    picture.map_or(0, product).saturating_mul(taps)
}

/// Follows the operators in their order, each tensor being there from its writer to its last reader.
fn check_memory<ShapeOf: Fn(&str) -> Option<Vec<usize>>>(
    graph: &GraphProto,
    shapes: &Shapes<'_, ShapeOf>,
) -> Result<(), Fault> {
    let mut last_reader: HashMap<&str, usize> = HashMap::new();
    for (place, node) in graph.node.iter().enumerate() {
        last_reader.extend(node.input.iter().map(|name| (name.as_str(), place)));
    }
    last_reader.extend(graph.output.iter().map(|output| (output.name.as_str(), usize::MAX)));
    let mut leaving: HashMap<usize, Vec<u64>> = HashMap::new();
    let mut there = 0_u64;
    for (place, node) in graph.node.iter().enumerate() {
        for output in &node.output {
            let numbers = shapes.of(Some(output)).as_deref().map_or(0, product);
            there = there.saturating_add(numbers);
            leaving.entry(*last_reader.get(output.as_str()).unwrap_or(&place)).or_default().push(numbers);
        }
        if there > MOST_NUMBERS_AT_ONCE {
            let (operator, name) = (&node.op_type, node.label());
            return Err(format!(
                "{operator} {name} brings {there} numbers into memory at once, more than {MOST_NUMBERS_AT_ONCE}"
            ));
        }
        there -= leaving.remove(&place).unwrap_or_default().iter().sum::<u64>().min(there);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttributeProto, DataType, TensorProto, ValueInfoProto};

    fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
        NodeProto { attribute, ..NodeProto::new(operator, output, inputs, output) }
    }

    fn fault(node: Vec<NodeProto>, weights: &[usize], shapes: &[(&str, &[usize])]) -> Option<Fault> {
        let initializer = vec![TensorProto::new("w", weights, DataType::Float, Vec::new())];
        let output = vec![ValueInfoProto { name: node.last().unwrap().output[0].clone(), ..ValueInfoProto::default() }];
        let graph = GraphProto { node, initializer, output, ..GraphProto::default() };
        let shape_of = |name: &str| shapes.iter().find(|(known, _)| *known == name).map(|(_, shape)| shape.to_vec());
        check_work(&ModelProto::new(graph, 18), shape_of).err()
    }

    #[test]
    fn a_large_network_passes_and_one_that_takes_minutes_does_not() {
        let picture: &[usize] = &[1, 64, 512, 1024];
        let convolution = || vec![node("Conv", &["in", "w"], "out", vec![])];
        // 5 · 10¹⁰: a network of twenty such is as much as there may be.
        assert_eq!(fault(convolution(), &[64, 64, 5, 5], &[("out", picture)]), None);
        let found = fault(convolution(), &[64, 4096, 9, 9], &[("out", picture)]).unwrap();
        assert!(found.starts_with("Conv out brings a frame to"), "{found}");
    }

    #[test]
    fn a_pool_over_the_whole_picture_passes_and_one_over_it_at_every_pixel_does_not() {
        let pool = |size: i64| {
            vec![node("AveragePool", &["in"], "out", vec![AttributeProto::integers("kernel_shape", &[size, size])])]
        };
        assert_eq!(fault(pool(64), &[], &[("out", &[1, 512, 1, 1])]), None);
        assert_eq!(fault(pool(5), &[], &[("out", &[1, 64, 192, 640])]), None);
        assert!(fault(pool(401), &[], &[("out", &[1, 3, 192, 640])]).unwrap().contains("pools look at"));
    }

    #[test]
    fn products_count_what_they_sum_over() {
        let product = |operator: &str| vec![node(operator, &["in", "w"], "out", vec![])];
        let square: &[usize] = &[1 << 13, 1 << 13];
        for operator in ["MatMul", "Gemm"] {
            assert_eq!(fault(product(operator), &[512, 512], &[("in", &[512, 512]), ("out", &[512, 512])]), None);
            let large = [("in", &[1 << 13, 1 << 15][..]), ("out", square)];
            assert!(fault(product(operator), &[1 << 15, 1 << 13], &large).is_some(), "{operator}");
        }
        let equation = AttributeProto::text("equation", "bij,bjk->bik");
        let einsum = || vec![node("Einsum", &["in", "w"], "out", vec![equation.clone()])];
        assert_eq!(fault(einsum(), &[8, 64, 64], &[("in", &[8, 64, 64]), ("out", &[8, 64, 64])]), None);
        assert!(fault(einsum(), &[8, 1 << 13, 1 << 13], &[("in", &[8, 1 << 13, 1 << 13])]).is_some());
    }

    #[test]
    fn what_is_read_no_more_leaves_the_memory_and_what_is_kept_adds_up() {
        let shape: &[usize] = &[1, 1 << 9, 1 << 9, 1 << 9];
        let names: Vec<String> = (0..9).map(|index| format!("t{index}")).collect();
        let shapes: Vec<(&str, &[usize])> = names.iter().map(|name| (name.as_str(), shape)).collect();
        let chain: Vec<NodeProto> = names.windows(2).map(|pair| node("Relu", &[&pair[0]], &pair[1], vec![])).collect();
        assert_eq!(fault(chain, &[], &shapes), None);
        let mut fan: Vec<NodeProto> = names[1..8].iter().map(|name| node("Relu", &["t0"], name, vec![])).collect();
        let all: Vec<&str> = names[1..8].iter().map(String::as_str).collect();
        fan.push(node("Sum", &all, "t8", vec![]));
        assert!(fault(fan, &[], &shapes).unwrap().contains("numbers into memory at once"));
    }
}
