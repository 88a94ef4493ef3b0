//! A fused int8 operator as an operator of tract.
//!
//! Pictures travel between these operators as u8 `[1, height, width, channels]`. Each keeps its result and its scratch
//! memory in its state, one per worker, and gives the same memory again for the next frame: after the first frame nothing
//! is allocated.

use std::fmt;
use std::sync::Arc;

use parallax_kernels::Isa;
use parallax_kernels::addition::Addition;
use parallax_kernels::assembly::Assembly;
use parallax_kernels::border::Border;
use parallax_kernels::boundary::Boundary;
use parallax_kernels::convolution::Convolution;
use parallax_kernels::depthwise::Depthwise;
use parallax_kernels::interpolation::Interpolation;
use parallax_kernels::multiplication::Multiplication;
use parallax_kernels::pooling::{AveragePool, MaxPool};
use parallax_kernels::shape::PictureShape;
use parallax_kernels::table::Table;
use parallax_kernels::team::Team;
use tract_onnx::tract_core::ops::Cost;
#[allow(clippy::wildcard_imports, reason = "the macros of an operator need what is in it")]
use tract_onnx::tract_hir::internal::*;

use super::recognition::Planned;

/// What an operator computes.
#[derive(Debug, Clone)]
pub(crate) enum Kernel {
    /// f32 `[1, channels, height, width]` to u8.
    Quantize(Boundary),
    /// u8 to f32 `[1, channels, height, width]`.
    Dequantize(Boundary),
    /// A convolution, and what follows it.
    Convolution(Arc<Convolution>, Finish),
    /// A depthwise convolution, and what follows it.
    Depthwise(Arc<Depthwise>, Finish),
    /// The sum of two pictures, and a function of it.
    Addition(Addition, Option<Table>, PictureShape),
    /// The product of two pictures.
    Multiplication(Multiplication, PictureShape),
    /// A function of each number.
    Table(Table, PictureShape),
    /// Concatenation and nearest upsampling.
    Assembly(Assembly),
    /// Bilinear interpolation.
    Interpolation(Interpolation),
    /// A border around a picture.
    Border(Border),
    /// A maximum over windows.
    MaxPool(MaxPool),
    /// A mean over windows.
    AveragePool(AveragePool),
}

impl Kernel {
    /// The picture that it gives.
    pub(crate) fn picture(&self) -> PictureShape {
        match self {
            Self::Quantize(boundary) | Self::Dequantize(boundary) => boundary.shape(),
            Self::Convolution(convolution, _) => convolution.output(),
            Self::Depthwise(depthwise, _) => depthwise.output(),
            Self::Addition(_, _, shape) | Self::Multiplication(_, shape) | Self::Table(_, shape) => *shape,
            Self::Assembly(assembly) => assembly.output(),
            Self::Interpolation(interpolation) => interpolation.output(),
            Self::Border(border) => border.output(),
            Self::MaxPool(pool) => pool.output(),
            Self::AveragePool(pool) => pool.output(),
        }
    }
}

/// What is done to a part of a convolution's result while it is in the cache.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finish {
    /// The second input is added.
    pub(crate) addition: Option<Addition>,
    /// Then each number is looked up.
    pub(crate) table: Option<Table>,
}

impl Finish {
    fn run(&self, part: &mut [u8], other: Option<&[u8]>) {
        if let (Some(addition), Some(other)) = (&self.addition, other) {
            addition.run(part, other);
        }
        if let Some(table) = &self.table {
            table.run(part);
        }
    }
}

/// A fused operator, with its weights. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Int8Operator(Arc<Inner>);

struct Inner {
    /// The name of its last operator in the file.
    name: String,
    /// The tensor of the file that it gives.
    tensor: String,
    /// The operators of the file that it stands for, joined by `+`.
    label: String,
    kernel: Kernel,
    isa: Isa,
    team: Arc<Team>,
}

impl Int8Operator {
    pub(crate) fn new(planned: Planned, isa: Isa, team: Arc<Team>) -> Self {
        let Planned { name, label, output, kernel, .. } = planned;
        Self(Arc::new(Inner { name, tensor: output, label, kernel, isa, team }))
    }

    /// The operators of the file that it stands for.
    pub(crate) fn label(&self) -> &str {
        &self.0.label
    }

    /// The tensor of the file that it gives: u8 behind a QuantizeLinear, f32 behind a DequantizeLinear.
    pub(crate) fn tensor(&self) -> &str {
        &self.0.tensor
    }

    /// The name of the last of them.
    pub(crate) fn node(&self) -> &str {
        &self.0.name
    }

    /// Which code runs it, for people.
    pub(crate) fn kernel_name(&self) -> String {
        let name = match &self.0.kernel {
            Kernel::Quantize(_) => "quantize",
            Kernel::Dequantize(_) => "dequantize",
            Kernel::Convolution(..) => "convolution",
            Kernel::Depthwise(..) => "depthwise",
            Kernel::Addition(..) => "addition",
            Kernel::Multiplication(..) => "multiplication",
            // These have no variant: they copy bytes.
            Kernel::Table(..) => return "table".to_owned(),
            Kernel::Assembly(_) => return "assembly".to_owned(),
            Kernel::Border(_) => return "border".to_owned(),
            Kernel::Interpolation(_) => "interpolation",
            Kernel::MaxPool(_) => "maximum",
            Kernel::AveragePool(_) => "mean",
        };
        // A convolution may have had to leave the variant that was asked for.
        let isa = match &self.0.kernel {
            Kernel::Convolution(convolution, _) => convolution.isa(),
            Kernel::Depthwise(depthwise, _) => depthwise.isa(),
            _ => self.0.isa,
        };
        format!("{name}, {}", isa.name())
    }

    /// Multiply-accumulates of a call.
    pub(crate) fn multiply_accumulates(&self) -> usize {
        match &self.0.kernel {
            Kernel::Convolution(convolution, _) => convolution.multiplications(),
            Kernel::Depthwise(depthwise, _) => depthwise.multiplications(),
            _ => 0,
        }
    }

    /// Whether it is a convolution.
    pub(crate) fn is_convolution(&self) -> bool {
        matches!(self.0.kernel, Kernel::Convolution(..) | Kernel::Depthwise(..))
    }

    /// The picture that it turns back into float, if that is what it does.
    pub(crate) fn dequantized_picture(&self) -> Option<PictureShape> {
        matches!(self.0.kernel, Kernel::Dequantize(_)).then(|| self.picture())
    }

    fn picture(&self) -> PictureShape {
        self.0.kernel.picture()
    }

    /// Type and shape of the result.
    fn fact(&self) -> (DatumType, [usize; 4]) {
        let PictureShape { height, width, channels } = self.picture();
        match self.0.kernel {
            Kernel::Dequantize(_) => (f32::datum_type(), [1, channels, height, width]),
            _ => (u8::datum_type(), [1, height, width, channels]),
        }
    }

    /// The memory that a worker keeps for it.
    pub(crate) fn kept_bytes(&self) -> usize {
        let (data_type, shape) = self.fact();
        shape.iter().fold(data_type.size_of(), |bytes, size| bytes.saturating_mul(*size)) + self.scratch_len()
    }

    fn scratch_len(&self) -> usize {
        let threads = self.0.team.threads();
        match &self.0.kernel {
            Kernel::Convolution(convolution, _) => convolution.scratch_len(threads),
            Kernel::Depthwise(depthwise, _) => depthwise.scratch_len(threads),
            _ => 0,
        }
    }

    fn run(&self, inputs: &[TValue], output: &mut Tensor, scratch: &mut [u8]) -> TractResult<()> {
        let team = &*self.0.team;
        let mut output = output.try_as_plain_ram_mut()?;
        if let Kernel::Dequantize(boundary) = &self.0.kernel {
            boundary.dequantize(bytes(inputs, 0)?, output.as_slice_mut()?, team);
            return Ok(());
        }
        let output = output.as_slice_mut::<u8>()?;
        match &self.0.kernel {
            Kernel::Quantize(boundary) => {
                let input = inputs.first().context("one input")?.try_as_plain_ram()?;
                let input = input.as_slice()?;
                check_numbers(input)?;
                boundary.quantize(input, output, team);
            }
            Kernel::Dequantize(_) => unreachable!("done above"),
            Kernel::Convolution(convolution, finish) => {
                let other = finish.addition.as_ref().map(|_| bytes(inputs, 1)).transpose()?;
                convolution.run(bytes(inputs, 0)?, output, scratch, team, &|range, part| {
                    finish.run(part, other.map(|other| &other[range]));
                });
            }
            Kernel::Depthwise(depthwise, finish) => {
                let other = finish.addition.as_ref().map(|_| bytes(inputs, 1)).transpose()?;
                depthwise.run(bytes(inputs, 0)?, output, scratch, team, &|range, part| {
                    finish.run(part, other.map(|other| &other[range]));
                });
            }
            Kernel::Addition(addition, table, shape) => {
                let (first, second) = (bytes(inputs, 0)?, bytes(inputs, 1)?);
                let part_len = shape.width * shape.channels;
                team.for_each_part(output, part_len, &mut [], 0, |index, part, _scratch| {
                    let range = index * part_len..index * part_len + part.len();
                    part.copy_from_slice(&first[range.clone()]);
                    addition.run(part, &second[range]);
                    if let Some(table) = table {
                        table.run(part);
                    }
                });
            }
            Kernel::Multiplication(multiplication, shape) => {
                let (first, second) = (bytes(inputs, 0)?, bytes(inputs, 1)?);
                let part_len = shape.width * shape.channels;
                team.for_each_part(output, part_len, &mut [], 0, |index, part, _scratch| {
                    let range = index * part_len..index * part_len + part.len();
                    part.copy_from_slice(&first[range.clone()]);
                    multiplication.run(part, &second[range]);
                });
            }
            Kernel::Table(table, shape) => {
                let input = bytes(inputs, 0)?;
                let part_len = shape.width * shape.channels;
                team.for_each_part(output, part_len, &mut [], 0, |index, part, _scratch| {
                    table.run_to(&input[index * part_len..index * part_len + part.len()], part);
                });
            }
            Kernel::Assembly(assembly) => {
                let parts = (0..inputs.len()).map(|index| bytes(inputs, index)).collect::<TractResult<TVec<_>>>()?;
                assembly.run(&parts, output, team);
            }
            Kernel::Interpolation(interpolation) => interpolation.run(bytes(inputs, 0)?, output, team),
            Kernel::Border(border) => border.run(bytes(inputs, 0)?, output, team),
            Kernel::MaxPool(pool) => pool.run(bytes(inputs, 0)?, output, team),
            Kernel::AveragePool(pool) => pool.run(bytes(inputs, 0)?, output, team),
        }
        Ok(())
    }

    /// This operator for a model that is still being analysed.
    pub(crate) fn into_inference(self) -> Box<dyn InferenceOp> {
        let (data_type, shape) = self.fact();
        inference_wrap(self, 1, move |_op, solver, _inputs, outputs| {
            solver.equals(&outputs[0].datum_type, data_type)?;
            solver.equals(&outputs[0].shape, ShapeFactoid::from(shape))
        })
    }
}

/// An integer has no NaN: it would become an ordinary number, and the mask one of the first class.
///
/// # Errors
/// [`parallax_core::Error::NonFiniteLogits`].
pub(super) fn check_numbers(input: &[f32]) -> TractResult<()> {
    // Without a way out in the middle, so that many are looked at in one instruction.
    let count = input.iter().fold(0, |count, number| count + usize::from(number.is_nan()));
    if count > 0 {
        return Err(parallax_core::Error::NonFiniteLogits { value: f32::NAN, count, of: input.len() }.into());
    }
    Ok(())
}

fn bytes(inputs: &[TValue], index: usize) -> TractResult<&[u8]> {
    inputs.get(index).context("an input is missing")?.try_as_plain_ram()?.as_slice::<u8>()
}

impl fmt::Debug for Int8Operator {
    /// Without the weights.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?} ({})", self.label(), self.picture(), self.kernel_name())
    }
}

impl PartialEq for Int8Operator {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Int8Operator {}

impl Op for Int8Operator {
    fn name(&self) -> StaticName {
        if self.is_convolution() { "Int8Conv".into() } else { "Int8".into() }
    }

    fn info(&self) -> TractResult<Vec<String>> {
        Ok(vec![format!("{self:?}")])
    }

    op_as_typed_op!();
}

impl EvalOp for Int8Operator {
    not_out_of_plan!();

    fn state(&self, _context: &EvalContext) -> TractResult<Option<Box<dyn OpState>>> {
        let (data_type, shape) = self.fact();
        let output = Arc::new(Tensor::zero_dt(data_type, &shape)?);
        Ok(Some(Box::new(State { output, scratch: vec![0; self.scratch_len()] })))
    }
}

impl TypedOp for Int8Operator {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let (data_type, shape) = self.fact();
        Ok(tvec!(data_type.fact(shape)))
    }

    fn cost(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<(Cost, TDim)>> {
        Ok(tvec!((Cost::FMA(u8::datum_type()), self.multiply_accumulates().to_dim())))
    }

    as_op!();
}

/// The memory of an operator, kept from frame to frame.
#[derive(Debug, Clone)]
struct State {
    output: Arc<Tensor>,
    scratch: Vec<u8>,
}

impl OpState for State {
    fn eval(&mut self, _context: &EvalContext, op: &dyn Op, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let operator = op.downcast_ref::<Int8Operator>().context("the state of an int8 operator")?;
        if Arc::get_mut(&mut self.output).is_none() {
            // Somebody kept the last result: it is theirs, and there will be another.
            let (data_type, shape) = operator.fact();
            self.output = Arc::new(Tensor::zero_dt(data_type, &shape)?);
        }
        if let Some(output) = Arc::get_mut(&mut self.output) {
            operator.run(&inputs, output, &mut self.scratch)?;
        }
        Ok(tvec!(TValue::from_const(self.output.clone())))
    }

    fn reset_lanes(&mut self, _lanes: &[LaneId]) -> TractResult<()> {
        // Nothing of a frame is looked at in the next one.
        Ok(())
    }
}
