//! The Concat and Pad of a QDQ file: operators that move integers and compute none.

use parallax_kernels::addition::Grid;
use parallax_kernels::assembly::{Assembly, Part};
use parallax_kernels::border::{Border, BorderConfig, Fill};
use parallax_kernels::shape::Padding;
use parallax_kernels::table::Table;
use parallax_onnx::NodeProto;

use super::operator::Kernel;
use super::recognition::{Planned, Quantized, Recognition, Refusal, because, chained};

/// What a Pad puts around a picture. Pairs are `[vertical, horizontal]`.
struct Pads {
    before: [usize; 2],
    after: [usize; 2],
    fill: FloatFill,
}

/// What it puts there, in float.
#[derive(Clone, Copy, PartialEq)]
enum FloatFill {
    Number(f32),
    Reflect,
    Edge,
}

/// The picture that a convolution reads, and the padding that an operator before it asks for.
pub(super) struct PaddedInput {
    pub(super) picture: Quantized,
    pub(super) padding: Padding,
    pub(super) before: [usize; 2],
    pub(super) after: [usize; 2],
    /// The place of the fused border that the convolution replaces, if there is one.
    pub(super) border: Option<usize>,
    /// How the convolution is called with it.
    pub(super) label: &'static str,
}

impl Recognition<'_> {
    pub(super) fn plan_concatenation(&mut self, at: usize, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        if !matches!(node.integer("axis", 1), 1 | -3) {
            return Err("it does not join channels".to_owned());
        }
        let upsampling = |kernel: &Kernel| matches!(kernel, Kernel::Assembly(assembly) if assembly.parts().len() == 1);
        let (mut parts, mut inputs, mut label, mut fused) = (Vec::new(), Vec::new(), String::new(), Vec::new());
        for index in 0..node.input.len() {
            let picture = self.read(node, index)?;
            let table = rescaling(picture.grid, grid)?;
            let before = self.fusable(picture, at, upsampling);
            if let Some(place) = before
                && let Some(Planned { kernel: Kernel::Assembly(assembly), .. }) = self.planned.get(&place)
            {
                let with_table =
                    |part: &Part| Part { table: chained(part.table.as_ref(), table.as_ref()), ..part.clone() };
                parts.extend(assembly.parts().iter().map(with_table));
                inputs.extend(self.planned[&place].inputs.iter().cloned());
                label += "Resize+";
                fused.push(place);
            } else {
                parts.push(Part { shape: picture.shape, factor: 1, table });
                inputs.push(picture.tensor.clone());
            }
        }
        let kernel = Kernel::Assembly(Assembly::new(parts).map_err(because)?);
        for place in fused {
            self.planned.remove(&place);
        }
        Ok(Planned::new(&(label + "Concat"), inputs, kernel))
    }

    pub(super) fn plan_border(&self, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let picture = self.read(node, 0)?;
        let Pads { before, after, fill } = self.pads(node)?;
        let fill = match fill {
            FloatFill::Number(number) => Fill::Number(grid.quantize(number)),
            FloatFill::Reflect => Fill::Reflect,
            FloatFill::Edge => Fill::Edge,
        };
        let table = rescaling(picture.grid, grid)?;
        let config = BorderConfig { input: picture.shape, before, after, fill, table };
        let kernel = Kernel::Border(Border::new(config).map_err(because)?);
        Ok(Planned::new("Pad", vec![picture.tensor.clone()], kernel))
    }

    /// What the convolution at `at` reads: a picture, or a picture with a border that the convolution itself can make. The
    /// border is in float between DequantizeLinear and the convolution, or a fused operator that nobody else reads.
    pub(super) fn padded_input(&self, at: usize, node: &NodeProto) -> Result<PaddedInput, Refusal> {
        let name = node.input_at(0).ok_or("an input is missing")?;
        if let Some((_, pad)) = self.graph.writer(name)
            && pad.op_type == "Pad"
        {
            let picture = self.read(pad, 0)?.clone();
            let Pads { before, after, fill } = self.pads(pad)?;
            let padding = match fill {
                FloatFill::Number(0.0) => Padding::ZeroPoint,
                FloatFill::Number(number) => return Err(format!("its input is padded with {number}, not with zero")),
                FloatFill::Reflect => Padding::Reflect,
                FloatFill::Edge => Padding::Edge,
            };
            return Ok(PaddedInput { picture, padding, before, after, border: None, label: "Pad+Conv" });
        }
        let picture = self.read(node, 0)?;
        let on_one_scale =
            |kernel: &Kernel| matches!(kernel, Kernel::Border(border) if border.config().table.is_none());
        if let Some(place) = self.fusable(picture, at, on_one_scale)
            && let Some(Planned { kernel: Kernel::Border(border), inputs, .. }) = self.planned.get(&place)
            && let BorderConfig { input, before, after, fill, .. } = *border.config()
            && let Some(padding) = padding_of(fill, picture.grid)
            && let [tensor] = inputs.as_slice()
        {
            let picture = Quantized { tensor: tensor.clone(), shape: input, ..picture.clone() };
            return Ok(PaddedInput { picture, padding, before, after, border: Some(place), label: "Pad+Conv" });
        }
        Ok(PaddedInput::plain(picture))
    }

    /// # Errors
    /// Sizes that are not constant, or cut something off, or do not belong to a picture's height and width.
    fn pads(&self, node: &NodeProto) -> Result<Pads, Refusal> {
        let fill = match node.text("mode").unwrap_or("constant") {
            "constant" => FloatFill::Number(self.number(node, 2).ok_or("it pads with a number that is not constant")?),
            "reflect" => FloatFill::Reflect,
            "edge" => FloatFill::Edge,
            other => return Err(format!("it pads in the mode {other}")),
        };
        let sizes = match node.input_at(1) {
            Some(name) => self.graph.longs(name),
            None => node.integers("pads").map(<[i64]>::to_vec),
        };
        let sizes = sizes.ok_or("its sizes are not constant")?;
        let axes = match node.input_at(3) {
            Some(name) => self.graph.longs(name).ok_or("its axes are not constant")?,
            None => vec![0, 1, 2, 3],
        };
        if sizes.len() != 2 * axes.len() {
            return Err("it has not two sizes for every axis".to_owned());
        }
        let (mut before, mut after) = ([0; 2], [0; 2]);
        for (index, axis) in axes.iter().enumerate() {
            let [first, last] = [sizes[index], sizes[axes.len() + index]];
            match axis.rem_euclid(4) {
                axis @ (2 | 3) => {
                    let size = |size: i64| usize::try_from(size).map_err(|_| "it cuts something off");
                    (before[axis as usize - 2], after[axis as usize - 2]) = (size(first)?, size(last)?);
                }
                _ if (first, last) == (0, 0) => {}
                _ => return Err("it pads something other than height and width".to_owned()),
            }
        }
        Ok(Pads { before, after, fill })
    }

    /// A number that an operator reads as its input `index`: a constant, or one behind a DequantizeLinear; 0 if not given.
    fn number(&self, node: &NodeProto, index: usize) -> Option<f32> {
        let Some(name) = node.input_at(index) else { return Some(node.float("value", 0.0)) };
        if let Some(number) = self.graph.floats(name) {
            return number.first().copied().filter(|_| number.len() == 1);
        }
        let dequantize = self.constant_behind(node, index)?;
        let integers = self.shifted_bytes(dequantize.input_at(0)?)?;
        Some(self.grid(dequantize)?.dequantize(*integers.first()?))
    }
}

impl PaddedInput {
    /// Without an operator before the convolution.
    pub(super) fn plain(picture: &Quantized) -> Self {
        let (picture, padding) = (picture.clone(), Padding::ZeroPoint);
        Self { picture, padding, before: [0; 2], after: [0; 2], border: None, label: "Conv" }
    }
}

/// The padding of a convolution that gives the same border.
fn padding_of(fill: Fill, grid: Grid) -> Option<Padding> {
    match fill {
        Fill::Number(number) => (number == grid.zero_point).then_some(Padding::ZeroPoint),
        Fill::Reflect => Some(Padding::Reflect),
        Fill::Edge => Some(Padding::Edge),
    }
}

/// The table from one grid to another; none if nothing changes.
pub(super) fn rescaling(from: Grid, to: Grid) -> Result<Option<Table>, Refusal> {
    let table = Table::new(from, to, |value| value).map_err(because)?;
    Ok((!table.is_identity()).then_some(table))
}
