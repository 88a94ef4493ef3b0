//! The Add, Mul and activations of a QDQ file: operators on one number, or on two in the same place.

use parallax_kernels::addition::{Addition, Grid, Term};
use parallax_kernels::multiplication::Multiplication;
use parallax_kernels::table::Table;
use parallax_onnx::NodeProto;

use super::activation::activation;
use super::operator::{Finish, Kernel};
use super::recognition::{Planned, Recognition, Refusal, because, chained};

impl Recognition<'_> {
    pub(super) fn plan_addition(
        &mut self,
        at: usize,
        node: &NodeProto,
        grid: Grid,
        range: (u8, u8),
    ) -> Result<Planned, Refusal> {
        let terms = [self.read(node, 0)?.clone(), self.read(node, 1)?.clone()];
        if terms[0].shape != terms[1].shape {
            return Err("its terms have different shapes".to_owned());
        }
        // A residual block: the sum is taken where the convolution before it has just been computed.
        let unfinished = |kernel: &Kernel| match kernel {
            Kernel::Convolution(_, finish) | Kernel::Depthwise(_, finish) => {
                finish.addition.is_none() && finish.table.is_none()
            }
            _ => false,
        };
        let mut before = self.fusable(&terms[0], at, unfinished);
        let (mut replaced, mut other) = (Term::First, &terms[1]);
        if before.is_none() {
            before = self.fusable(&terms[1], at, unfinished);
            if before.is_some() {
                (replaced, other) = (Term::Second, &terms[0]);
            }
        }
        let grids = [terms[0].grid, terms[1].grid];
        let addition = Addition::new(grids, grid, range, replaced, self.isa).map_err(because)?;
        let Some(mut planned) = before.and_then(|place| self.planned.remove(&place)) else {
            let kernel = Kernel::Addition(addition, None, terms[0].shape);
            return Ok(Planned::new("Add", terms.map(|term| term.tensor).to_vec(), kernel));
        };
        planned.label += "+Add";
        planned.inputs.push(other.tensor.clone());
        if let Kernel::Convolution(_, finish) | Kernel::Depthwise(_, finish) = &mut planned.kernel {
            finish.addition = Some(addition);
        }
        Ok(planned)
    }

    pub(super) fn plan_activation(&mut self, at: usize, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let function = activation(&self.graph, node)?;
        let input = self.read(node, 0)?.clone();
        let table = Table::new(input.grid, grid, function).map_err(because)?;
        let fits = |kernel: &Kernel| {
            use Kernel::{Addition, Convolution, Depthwise, Table};
            matches!(kernel, Convolution(..) | Depthwise(..) | Addition(..) | Table(..))
        };
        let before = self.fusable(&input, at, fits);
        let Some(mut planned) = before.and_then(|place| self.planned.remove(&place)) else {
            return Ok(Planned::new(&node.op_type, vec![input.tensor], Kernel::Table(table, input.shape)));
        };
        planned.label = format!("{}+{}", planned.label, node.op_type);
        match &mut planned.kernel {
            Kernel::Convolution(_, Finish { table: last, .. })
            | Kernel::Depthwise(_, Finish { table: last, .. })
            | Kernel::Addition(_, last, _) => *last = chained(last.as_ref(), Some(&table)),
            Kernel::Table(last, _) => *last = last.then(&table),
            _ => unreachable!("it does not fit"),
        }
        Ok(planned)
    }

    pub(super) fn plan_multiplication(&self, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let factors = [self.read(node, 0)?.clone(), self.read(node, 1)?.clone()];
        if factors[0].shape != factors[1].shape {
            return Err("its factors have different shapes".to_owned());
        }
        let grids = [factors[0].grid, factors[1].grid];
        let multiplication = Multiplication::new(grids, grid, self.isa).map_err(because)?;
        let kernel = Kernel::Multiplication(multiplication, factors[0].shape);
        Ok(Planned::new("Mul", factors.map(|factor| factor.tensor).to_vec(), kernel))
    }
}
