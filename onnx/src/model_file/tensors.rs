//! Constants: sizes and numbers.

use super::{Fault, count};
use crate::{DataType, TensorProto};

/// # Errors
/// A shape that does not fit into memory, or another number of numbers than it says.
pub(super) fn check(tensor: &TensorProto) -> Result<(), Fault> {
    let fault = |fault: Fault| format!("the constant {} {fault}", tensor.name);
    let expected = count(&tensor.dims).map_err(fault)? as usize;
    if tensor.is_external() {
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
fn numbers(tensor: &TensorProto) -> Option<(usize, usize)> {
    let data_type = DataType::try_from(tensor.data_type).ok()?;
    let bytes = data_type.bytes()?;
    let typed = match data_type {
        DataType::Float => tensor.float_data.len(),
        DataType::Double => tensor.double_data.len(),
        DataType::Int64 => tensor.int64_data.len(),
        DataType::Uint32 | DataType::Uint64 => tensor.uint64_data.len(),
        _ => tensor.int32_data.len(),
    };
    Some((bytes, typed))
}
