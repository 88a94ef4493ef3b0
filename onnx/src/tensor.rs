//! Constants and their numbers; the shapes of inputs and outputs.

use crate::{
    DataLocation, DataType, Dimension, DimensionValue, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    TypeValue, ValueInfoProto,
};

impl DataType {
    /// Bytes of a number; none of what holds no plain numbers.
    #[must_use]
    pub fn bytes(self) -> Option<usize> {
        match self {
            Self::Uint8 | Self::Int8 | Self::Bool => Some(1),
            Self::Uint16 | Self::Int16 | Self::Float16 | Self::Bfloat16 => Some(2),
            Self::Float | Self::Int32 | Self::Uint32 => Some(4),
            Self::Double | Self::Int64 | Self::Uint64 => Some(8),
            _ => None,
        }
    }
}

impl TensorProto {
    /// A constant, with its numbers in little-endian bytes, row-major.
    #[must_use]
    pub fn new(name: &str, shape: &[usize], data_type: DataType, raw_data: Vec<u8>) -> Self {
        let dims = shape.iter().map(|size| *size as i64).collect();
        Self { dims, data_type: data_type as i32, name: name.to_owned(), raw_data, ..Self::default() }
    }

    /// A constant of 32-bit floats.
    #[must_use]
    pub fn of_floats(name: &str, shape: &[usize], values: &[f32]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name, shape, DataType::Float, raw)
    }

    /// A constant of signed bytes.
    #[must_use]
    pub fn of_signed_bytes(name: &str, shape: &[usize], values: &[i8]) -> Self {
        Self::new(name, shape, DataType::Int8, values.iter().map(|value| *value as u8).collect())
    }

    /// A constant of unsigned bytes.
    #[must_use]
    pub fn of_unsigned_bytes(name: &str, shape: &[usize], values: &[u8]) -> Self {
        Self::new(name, shape, DataType::Uint8, values.to_vec())
    }

    /// A constant of 32-bit integers.
    #[must_use]
    pub fn of_integers(name: &str, shape: &[usize], values: &[i32]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name, shape, DataType::Int32, raw)
    }

    /// A constant of 64-bit integers: sizes and axes.
    #[must_use]
    pub fn of_longs(name: &str, shape: &[usize], values: &[i64]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name, shape, DataType::Int64, raw)
    }

    /// Whether its numbers are in another file.
    #[must_use]
    pub fn is_external(&self) -> bool {
        !self.external_data.is_empty() || self.data_location == Some(DataLocation::External as i32)
    }

    /// Its shape; none where a size is negative.
    #[must_use]
    pub fn shape(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|size| usize::try_from(*size).ok()).collect()
    }

    /// Its 32-bit floats; none of another type. As many as the file has, whatever the shape says.
    #[must_use]
    pub fn floats(&self) -> Option<Vec<f32>> {
        self.numbers(DataType::Float, f32::from_le_bytes, &self.float_data, |value| value)
    }

    /// Its 32-bit integers, likewise.
    #[must_use]
    pub fn integers(&self) -> Option<Vec<i32>> {
        self.numbers(DataType::Int32, i32::from_le_bytes, &self.int32_data, |value| value)
    }

    /// Its 64-bit integers, likewise.
    #[must_use]
    pub fn longs(&self) -> Option<Vec<i64>> {
        self.numbers(DataType::Int64, i64::from_le_bytes, &self.int64_data, |value| value)
    }

    /// Its signed bytes, likewise.
    #[must_use]
    pub fn signed_bytes(&self) -> Option<Vec<i8>> {
        self.numbers(DataType::Int8, i8::from_le_bytes, &self.int32_data, |value| value as i8)
    }

    /// Its unsigned bytes, likewise.
    #[must_use]
    pub fn unsigned_bytes(&self) -> Option<Vec<u8>> {
        self.numbers(DataType::Uint8, u8::from_le_bytes, &self.int32_data, |value| value as u8)
    }

    /// The numbers of a type of `BYTES` bytes: those in raw bytes, else those in the field of their type.
    fn numbers<const BYTES: usize, Number, Typed: Copy>(
        &self,
        data_type: DataType,
        from_bytes: fn([u8; BYTES]) -> Number,
        typed: &[Typed],
        from_typed: fn(Typed) -> Number,
    ) -> Option<Vec<Number>> {
        (self.data_type == data_type as i32).then(|| {
            if self.raw_data.is_empty() {
                typed.iter().copied().map(from_typed).collect()
            } else {
                self.raw_data.as_chunks::<BYTES>().0.iter().copied().map(from_bytes).collect()
            }
        })
    }
}

impl ValueInfoProto {
    /// A tensor of 32-bit floats of that shape.
    #[must_use]
    pub fn of_floats(name: &str, shape: &[usize]) -> Self {
        let dim = |size: &usize| Dimension { value: Some(DimensionValue::Fixed(*size as i64)), ..Dimension::default() };
        let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
        let tensor = TensorTypeProto { elem_type: DataType::Float as i32, shape: Some(shape) };
        let r#type = Some(TypeProto { value: Some(TypeValue::Tensor(tensor)), ..TypeProto::default() });
        Self { name: name.to_owned(), r#type, ..Self::default() }
    }

    /// What is said of it as a tensor; none of anything else.
    #[must_use]
    pub fn tensor(&self) -> Option<&TensorTypeProto> {
        let TypeValue::Tensor(tensor) = self.r#type.as_ref()?.value.as_ref()?;
        Some(tensor)
    }

    /// The same, to be changed.
    #[must_use]
    pub fn tensor_mut(&mut self) -> Option<&mut TensorTypeProto> {
        let TypeValue::Tensor(tensor) = self.r#type.as_mut()?.value.as_mut()?;
        Some(tensor)
    }

    /// Its sizes, where they are said.
    #[must_use]
    pub fn dimensions(&self) -> Option<&[Dimension]> {
        Some(&self.tensor()?.shape.as_ref()?.dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_raw_bytes_and_from_the_field_of_their_type() {
        let shape: &[usize] = &[3];
        assert_eq!(TensorProto::of_floats("w", shape, &[1.0, -2.5, 0.0]).floats().unwrap(), [1.0, -2.5, 0.0]);
        assert_eq!(TensorProto::of_longs("w", shape, &[1, i64::MIN, 0]).longs().unwrap(), [1, i64::MIN, 0]);
        assert_eq!(TensorProto::of_integers("w", shape, &[1, i32::MIN, 0]).integers().unwrap(), [1, i32::MIN, 0]);
        assert_eq!(TensorProto::of_signed_bytes("w", shape, &[1, -128, 0]).signed_bytes().unwrap(), [1, -128, 0]);
        assert_eq!(TensorProto::of_unsigned_bytes("w", shape, &[1, 255, 0]).unsigned_bytes().unwrap(), [1, 255, 0]);
        let typed = TensorProto { float_data: vec![1.5], ..TensorProto::of_floats("w", &[1], &[]) };
        assert_eq!((typed.floats(), typed.longs()), (Some(vec![1.5]), None));
        let typed = TensorProto { int32_data: vec![-1], ..TensorProto::of_signed_bytes("w", &[1], &[]) };
        assert_eq!((typed.signed_bytes(), typed.unsigned_bytes()), (Some(vec![-1]), None));
    }

    #[test]
    fn an_input_has_the_sizes_that_it_was_made_with() {
        let input = ValueInfoProto::of_floats("image", &[1, 3]);
        let sizes: Vec<_> = input.dimensions().unwrap().iter().map(|dim| dim.value.clone()).collect();
        assert_eq!(sizes, [Some(DimensionValue::Fixed(1)), Some(DimensionValue::Fixed(3))]);
        assert!(ValueInfoProto::default().dimensions().is_none());
    }
}
