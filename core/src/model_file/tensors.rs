//! Constants: sizes and numbers.

use super::onnx::{DataType, EXTERNAL, Tensor};
use super::{Fault, count};

/// # Errors
/// A shape that does not fit into memory, or another number of numbers than it says.
pub(super) fn check(tensor: &Tensor) -> Result<(), Fault> {
    let fault = |fault: Fault| format!("the constant {} {fault}", tensor.name);
    let expected = count(&tensor.dims).map_err(fault)? as usize;
    if !tensor.external_data.is_empty() || tensor.data_location == EXTERNAL {
        return Err(fault("is in another file, which is not read".to_owned()));
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
fn numbers(tensor: &Tensor) -> Option<(usize, usize)> {
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
        DataType::Undefined => return None,
    })
}

/// A constant of 32-bit floats.
pub(super) fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    (tensor.data_type == DataType::Float as i32).then(|| {
        let raw = tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        if tensor.raw_data.is_empty() { tensor.float_data.clone() } else { raw.collect() }
    })
}

/// A constant of 64-bit integers.
pub(super) fn longs(tensor: &Tensor) -> Option<Vec<i64>> {
    (tensor.data_type == DataType::Int64 as i32).then(|| {
        let raw = tensor.raw_data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
        if tensor.raw_data.is_empty() { tensor.int64_data.clone() } else { raw.collect() }
    })
}
