//! One operator: its attributes, its scales, and the sizes that it is asked to make.

use super::{Constants, Fault, MOST_NUMBERS, count, tensors};
use crate::{AttributeProto, NodeProto};

/// Places that a kernel looks at: a window of 512×512, more than a pool over the whole of a network's last pictures.
const MOST_KERNEL: i64 = 1 << 18;

/// Kernels, strides, dilations and paddings: no picture is larger.
const MOST_TAPS: i64 = 1 << 15;

pub(super) fn check(node: &NodeProto, constants: &Constants<'_>) -> Result<(), Fault> {
    for attribute in &node.attribute {
        check_attribute(attribute)?;
    }
    match node.op_type.as_str() {
        "QuantizeLinear" | "DequantizeLinear" => check_scale(node, constants),
        "Conv" | "ConvInteger" | "QLinearConv" | "ConvTranspose" => check_group(node),
        // What they make is as large as their numbers say, so the numbers must be known here.
        "ConstantOfShape" => check_sizes(node, constants, &[0], Sizes::Product),
        "Expand" | "Tile" => check_sizes(node, constants, &[1], Sizes::Product),
        "Pad" | "OneHot" => check_sizes(node, constants, &[1], Sizes::Each(MOST_TAPS)),
        "Resize" => {
            check_sizes(node, constants, &[3], Sizes::Product)?;
            check_factors(node, constants, 2)
        }
        "Upsample" => check_factors(node, constants, 1),
        "Range" => check_sizes(node, constants, &[0, 1, 2], Sizes::Each(MOST_TAPS)),
        "TopK" => check_sizes(node, constants, &[1], Sizes::Each(MOST_NUMBERS as i64)),
        _ => Ok(()),
    }
}

/// What is asked of numbers that say how large something is.
enum Sizes {
    /// Their product is the number of a tensor's numbers.
    Product,
    /// Each is at most so large.
    Each(i64),
}

fn check_attribute(attribute: &AttributeProto) -> Result<(), Fault> {
    let name = attribute.name.as_str();
    if attribute.g.is_some() || !attribute.graphs.is_empty() {
        return Err("it holds a graph of its own; files with branches and loops are not run".to_owned());
    }
    attribute.t.iter().chain(&attribute.tensors).try_for_each(tensors::check)?;
    let range = match name {
        "kernel_shape" | "strides" | "dilations" | "blocksize" => 1..=MOST_TAPS,
        "pads" | "output_padding" => 0..=MOST_TAPS,
        "output_shape" | "shape" => -1..=MOST_NUMBERS as i64,
        "axis" | "axes" | "perm" => -8..=8,
        _ => return Ok(()),
    };
    if name == "kernel_shape" {
        let places = attribute.ints.iter().fold(1_i64, |places, size| places.saturating_mul((*size).max(0)));
        if places > MOST_KERNEL {
            let sizes: Vec<String> = attribute.ints.iter().map(i64::to_string).collect();
            return Err(format!("its kernel of {} looks at more than {MOST_KERNEL} places", sizes.join("x")));
        }
    }
    let found = attribute.ints.iter().chain(std::iter::once(&attribute.i).filter(|_| attribute.ints.is_empty()));
    // An attribute of several numbers may be an empty list, whose single number is the default zero.
    let several = !matches!(name, "axis" | "blocksize");
    match found.filter(|_| !several || !attribute.ints.is_empty()).find(|found| !range.contains(found)) {
        Some(found) => Err(format!("its {name} is {found}, not from {} to {}", range.start(), range.end())),
        None => Ok(()),
    }
}

/// # Errors
/// A constant scale that is not a positive number.
fn check_scale(node: &NodeProto, constants: &Constants<'_>) -> Result<(), Fault> {
    let name = node.input.get(1).ok_or("it has no scale")?;
    let Some(scale) = constants.get(name.as_str()) else { return Ok(()) };
    let Some(scales) = scale.floats() else { return Ok(()) };
    if scales.is_empty() {
        return Err("its scale is empty".to_owned());
    }
    match scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        Some(scale) => Err(format!("its scale is {scale}")),
        None => Ok(()),
    }
}

fn check_group(node: &NodeProto) -> Result<(), Fault> {
    match node.attribute_named("group") {
        Some(group) if !(1..=MOST_NUMBERS as i64).contains(&group.i) => Err(format!("it has {} groups", group.i)),
        _ => Ok(()),
    }
}

/// # Errors
/// Numbers that are not constant, or ask for more than memory holds.
fn check_sizes(node: &NodeProto, constants: &Constants<'_>, inputs: &[usize], sizes: Sizes) -> Result<(), Fault> {
    for name in inputs.iter().filter_map(|index| node.input_at(*index)) {
        let tensor = constants.get(name);
        let unknown = || format!("its sizes {name} are not constant: export with fixed shapes");
        let tensor = tensor.ok_or_else(unknown)?;
        // Sizes of another type, such as a Range of floats, have no more numbers than the file itself.
        let Some(numbers) = tensor.longs() else { continue };
        match sizes {
            Sizes::Product => {
                count(&numbers).map_err(|fault| format!("what its sizes {name} ask for {fault}"))?;
            }
            Sizes::Each(most) => {
                if let Some(found) = numbers.iter().find(|number| number.unsigned_abs() > most as u64) {
                    return Err(format!("its sizes {name} ask for {found}, more than {most}"));
                }
            }
        }
    }
    Ok(())
}

/// # Errors
/// Factors of enlargement that are not constant, not positive, or beyond all pictures.
fn check_factors(node: &NodeProto, constants: &Constants<'_>, index: usize) -> Result<(), Fault> {
    let Some(name) = node.input_at(index) else { return Ok(()) };
    let tensor = constants.get(name).ok_or_else(|| format!("its scales {name} are not constant"))?;
    let factors = tensor.floats().ok_or_else(|| format!("its scales {name} are no floats"))?;
    match factors.iter().find(|factor| !(**factor > 0.0 && **factor <= 256.0)) {
        Some(factor) => Err(format!("it enlarges {factor} times")),
        None => Ok(()),
    }
}
