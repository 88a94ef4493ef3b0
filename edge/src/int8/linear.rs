//! QuantizeLinear and DequantizeLinear where tract computes what is between them.
//!
//! ```text
//! QuantizeLinear     clamp(round(x / scale) + zero_point)     round to nearest, ties to even
//! DequantizeLinear   (q − zero_point) · scale
//! ```
//!
//! tract has both, and an optimisation with them: everything from a DequantizeLinear to the next QuantizeLinear whose axes
//! stay in place becomes a table of 256 entries. A softmax has such axes, and no such table: what it gives depends on the
//! other classes. So its own are never used; these are opaque to it, and round as onnxruntime does.

#[allow(clippy::wildcard_imports, reason = "the macros of an operator need what is in it")]
use tract_onnx::tract_hir::internal::*;

use parallax_onnx::{DataType, NodeProto};
use prost::Message as _;
use tract_onnx::Onnx;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb;

use super::operator::check_numbers;

/// tract's ONNX, with the two operators in the place of its own.
pub(crate) fn onnx() -> Onnx {
    let mut onnx = tract_onnx::onnx();
    onnx.op_register.insert("QuantizeLinear", quantize_linear);
    onnx.op_register.insert("DequantizeLinear", dequantize_linear);
    onnx
}

type Built = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

fn quantize_linear(_context: &ParsingContext<'_>, node: &pb::NodeProto) -> Built {
    let node = &ours(node)?;
    let integers = match node.integer("output_dtype", 0) {
        0 => DatumType::U8,
        other if other == DataType::Uint8 as i64 => DatumType::U8,
        other if other == DataType::Int8 as i64 => DatumType::I8,
        other => bail!("integers of the ONNX data type {other} are not supported"),
    };
    build(node, Direction::Quantize { integers })
}

fn dequantize_linear(_context: &ParsingContext<'_>, node: &pb::NodeProto) -> Built {
    build(&ours(node)?, Direction::Dequantize)
}

/// tract hands its own form of an operator.
fn ours(node: &pb::NodeProto) -> TractResult<NodeProto> {
    Ok(NodeProto::decode(node.encode_to_vec().as_slice())?)
}

fn build(node: &NodeProto, direction: Direction) -> Built {
    ensure!(node.integer("block_size", 0) == 0, "quantization in blocks is not supported");
    let has_zero_point = node.input_at(2).is_some();
    let linear = Linear { direction, axis: node.integer("axis", 1) };
    let operator = inference_wrap(linear, 1, move |_op, solver, inputs, outputs| {
        solver.equals(&inputs[0].shape, &outputs[0].shape)?;
        match direction {
            Direction::Quantize { .. } if has_zero_point => {
                solver.equals(&outputs[0].datum_type, &inputs[2].datum_type)?;
            }
            Direction::Quantize { integers } => solver.equals(&outputs[0].datum_type, integers)?,
            Direction::Dequantize => {
                solver.equals(&outputs[0].datum_type, f32::datum_type())?;
                if has_zero_point {
                    solver.equals(&inputs[0].datum_type, &inputs[2].datum_type)?;
                }
            }
        }
        solver.equals(&inputs[1].datum_type, f32::datum_type())?;
        Ok(())
    });
    Ok((operator, Vec::new()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// To integers; of this type where no zero point says otherwise.
    Quantize {
        integers: DatumType,
    },
    Dequantize,
}

/// One of the two. Inputs: the numbers, scales, and zero points if there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Linear {
    direction: Direction,
    /// Along which the scales lie, if there are several.
    axis: i64,
}

/// Numbers that lie one after the other and have one scale.
struct Run {
    start: usize,
    len: usize,
    scale: f32,
    zero_point: i32,
}

impl Linear {
    /// # Errors
    /// Another number of scales or zero points than the axis has places.
    fn runs(&self, inputs: &[TValue]) -> TractResult<Vec<Run>> {
        let shape = inputs[0].shape();
        let scales = inputs[1].try_as_plain_ram()?;
        let scales = scales.as_slice::<f32>()?;
        let zero_points = inputs.get(2).map(|zero_points| zero_points.cast_to::<i32>()).transpose()?;
        let zero_points = match &zero_points {
            Some(zero_points) => zero_points.try_as_plain_ram()?.as_slice::<i32>()?.to_vec(),
            None => vec![0],
        };
        let parameters = |place: usize| (scales[place % scales.len()], zero_points[place % zero_points.len()]);
        ensure!(!scales.is_empty() && !zero_points.is_empty(), "there is no scale");
        if scales.len() == 1 && zero_points.len() == 1 {
            let (scale, zero_point) = parameters(0);
            return Ok(vec![Run { start: 0, len: inputs[0].len(), scale, zero_point }]);
        }
        let axis = if self.axis < 0 { self.axis + shape.len() as i64 } else { self.axis };
        let places = usize::try_from(axis).ok().and_then(|axis| shape.get(axis)).copied();
        let places = places.with_context(|| format!("there is no axis {}", self.axis))?;
        let fits = |count: usize| count == 1 || count == places;
        ensure!(fits(scales.len()) && fits(zero_points.len()), "there is not one scale for each of {places} places");
        let len = shape[axis as usize + 1..].iter().product::<usize>();
        let count: usize = shape[..=axis as usize].iter().product();
        let run = |index: usize| {
            let (scale, zero_point) = parameters(index % places);
            Run { start: index * len, len, scale, zero_point }
        };
        Ok((0..count).map(run).collect())
    }

    /// The type of the result.
    fn datum_type(&self, zero_point: Option<DatumType>) -> DatumType {
        match self.direction {
            Direction::Quantize { integers } => zero_point.unwrap_or(integers),
            Direction::Dequantize => f32::datum_type(),
        }
    }
}

/// An integer of the two operators.
trait Integer: Datum + Copy {
    fn from_wide(value: i32) -> Self;
    fn wide(self) -> i32;
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Integer for $integer {
            fn from_wide(value: i32) -> Self {
                value.clamp(i32::from(<$integer>::MIN), i32::from(<$integer>::MAX)) as $integer
            }

            fn wide(self) -> i32 {
                i32::from(self)
            }
        }
    )*};
}

integers!(u8, i8, u16, i16, i32);

fn quantize<Number: Integer>(runs: &[Run], input: &[f32], output: &mut Tensor) -> TractResult<()> {
    let mut output = output.try_as_plain_ram_mut()?;
    let output = output.as_slice_mut::<Number>()?;
    for Run { start, len, scale, zero_point } in runs {
        let range = *start..start + len;
        for (number, integer) in input[range.clone()].iter().zip(&mut output[range]) {
            let rounded = (number / scale).round_ties_even() as i32;
            *integer = Number::from_wide(rounded.saturating_add(*zero_point));
        }
    }
    Ok(())
}

fn dequantize<Number: Integer>(runs: &[Run], input: &Tensor, output: &mut Tensor) -> TractResult<()> {
    let input = input.try_as_plain_ram()?;
    let input = input.as_slice::<Number>()?;
    let mut output = output.try_as_plain_ram_mut()?;
    let output = output.as_slice_mut::<f32>()?;
    for Run { start, len, scale, zero_point } in runs {
        let range = *start..start + len;
        for (integer, number) in input[range.clone()].iter().zip(&mut output[range]) {
            *number = integer.wide().wrapping_sub(*zero_point) as f32 * scale;
        }
    }
    Ok(())
}

impl Op for Linear {
    fn name(&self) -> StaticName {
        match self.direction {
            Direction::Quantize { .. } => "QuantizeLinear".into(),
            Direction::Dequantize => "DequantizeLinear".into(),
        }
    }

    op_as_typed_op!();
}

impl EvalOp for Linear {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let runs = self.runs(&inputs)?;
        let (input, zero_point) = (&inputs[0], inputs.get(2).map(|zero_point| zero_point.datum_type()));
        let datum_type = self.datum_type(zero_point);
        let mut output = Tensor::zero_dt(datum_type, input.shape())?;
        match self.direction {
            Direction::Quantize { .. } => {
                let input = input.cast_to::<f32>()?;
                let input = input.try_as_plain_ram()?;
                let input = input.as_slice::<f32>()?;
                check_numbers(input)?;
                match datum_type {
                    DatumType::U8 => quantize::<u8>(&runs, input, &mut output)?,
                    DatumType::I8 => quantize::<i8>(&runs, input, &mut output)?,
                    DatumType::U16 => quantize::<u16>(&runs, input, &mut output)?,
                    DatumType::I16 => quantize::<i16>(&runs, input, &mut output)?,
                    other => bail!("integers of the type {other:?} are not supported"),
                }
            }
            Direction::Dequantize => match input.datum_type() {
                DatumType::U8 => dequantize::<u8>(&runs, input, &mut output)?,
                DatumType::I8 => dequantize::<i8>(&runs, input, &mut output)?,
                DatumType::U16 => dequantize::<u16>(&runs, input, &mut output)?,
                DatumType::I16 => dequantize::<i16>(&runs, input, &mut output)?,
                DatumType::I32 => dequantize::<i32>(&runs, input, &mut output)?,
                other => bail!("integers of the type {other:?} are not supported"),
            },
        }
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Linear {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let zero_point = inputs.get(2).map(|zero_point| zero_point.datum_type);
        Ok(tvec!(self.datum_type(zero_point).fact(inputs[0].shape.clone())))
    }

    as_op!();
}
