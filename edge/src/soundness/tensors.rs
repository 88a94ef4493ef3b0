//! Constants: sizes and numbers.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};

use super::{Fault, MOST_AXES, MOST_NUMBERS};

/// How many numbers a tensor of this shape has.
///
/// # Errors
/// Negative sizes, too many axes, or too many numbers.
pub(super) fn count(shape: &[i64]) -> Result<u64, Fault> {
    if shape.len() > MOST_AXES {
        return Err(format!("has {} axes, more than {MOST_AXES}", shape.len()));
    }
    let mut count = 1_u64;
    for size in shape {
        let size = u64::try_from(*size).map_err(|_| format!("has a size of {size}"))?;
        // With a zero among them the others must be bounded as well: tract multiplies some of them alone.
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

/// # Errors
/// A shape that does not fit into memory, or another number of numbers than it says.
pub(super) fn check(tensor: &TensorProto) -> Result<(), Fault> {
    let fault = |fault: Fault| format!("the constant {} {fault}", tensor.name);
    let expected = count(&tensor.dims).map_err(fault)? as usize;
    if !tensor.external_data.is_empty() || tensor.data_location == Some(DataLocation::External as i32) {
        return Err(fault("is in another file, which a bundle does not hold".to_owned()));
    }
    if tensor.segment.is_some() {
        return Err(fault("is cut into segments".to_owned()));
    }
    let Some((bytes, typed)) = numbers(tensor) else { return Err(fault("is of a type without numbers".to_owned())) };
    let found = if tensor.raw_data.is_empty() { typed } else { tensor.raw_data.len() / bytes };
    if found != expected || !tensor.raw_data.len().is_multiple_of(bytes) {
        return Err(fault(format!("has the shape {:?} and {found} numbers", tensor.dims)));
    }
    Ok(())
}

/// Bytes of a number, and how many there are in the field of their type.
fn numbers(tensor: &TensorProto) -> Option<(usize, usize)> {
    let int32s = tensor.int32_data.len();
    Some(match DataType::try_from(tensor.data_type).ok()? {
        DataType::Float => (4, tensor.float_data.len()),
        DataType::Double => (8, tensor.double_data.len()),
        DataType::Int32 => (4, int32s),
        DataType::Int64 => (8, tensor.int64_data.len()),
        DataType::Uint32 => (4, tensor.uint64_data.len()),
        DataType::Uint64 => (8, tensor.uint64_data.len()),
        DataType::Uint8 | DataType::Int8 | DataType::Bool => (1, int32s),
        DataType::Uint16 | DataType::Int16 | DataType::Float16 | DataType::Bfloat16 => (2, int32s),
        _ => return None,
    })
}

/// A constant of 32-bit floats.
pub(super) fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    (tensor.data_type == DataType::Float as i32).then(|| {
        let raw = tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        if tensor.raw_data.is_empty() { tensor.float_data.clone() } else { raw.collect() }
    })
}

/// A constant of 64-bit integers.
pub(super) fn longs(tensor: &TensorProto) -> Option<Vec<i64>> {
    (tensor.data_type == DataType::Int64 as i32).then(|| {
        let raw = tensor.raw_data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
        if tensor.raw_data.is_empty() { tensor.int64_data.clone() } else { raw.collect() }
    })
}
