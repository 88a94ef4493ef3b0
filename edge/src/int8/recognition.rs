//! From QDQ patterns to fused operators.
//!
//! ```text
//! DequantizeLinear ─▶ Conv ─▶ QuantizeLinear ─▶ DequantizeLinear ─▶ Add ─▶ QuantizeLinear ─▶ DequantizeLinear ─▶ Elu ─▶ QuantizeLinear
//!                                                      other ─▶ DequantizeLinear ─▲
//! becomes
//! Conv+Add+Elu(u8, other u8) ─▶ u8
//! ```
//!
//! Every QuantizeLinear ends a pattern. Going through them in the file's order, each is matched with the operator before
//! it; what that operator reads must come from DequantizeLinear. Then it is fused into the operator before, where nobody
//! else reads what lies between. The integers between two fused operators are computed all the same: fusing saves trips
//! to memory and changes no number.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parallax_kernels::Isa;
use parallax_kernels::addition::Grid;
use parallax_kernels::shape::{PictureShape, Window};
use parallax_kernels::table::Table;
use parallax_kernels::team::Team;
use parallax_onnx::{DataType, NodeProto};

use super::activation::activation;
use super::graph::{self, Graph};
use super::left::Left;
use super::operator::Kernel;

/// Shapes of tensors by name, where they are fixed.
pub(crate) type Shapes = HashMap<String, Vec<usize>>;

/// Why an operator stays with tract.
pub(crate) type Refusal = String;

/// What is added to s8 to make it u8.
pub(super) const SHIFT: u8 = 128;

/// The integers of a quantised tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Integers {
    Unsigned,
    Signed,
}

impl Integers {
    /// Of an ONNX data type; none of others than bytes.
    fn of(data_type: i32) -> Option<Self> {
        match DataType::try_from(data_type).ok()? {
            DataType::Uint8 => Some(Self::Unsigned),
            DataType::Int8 => Some(Self::Signed),
            _ => None,
        }
    }
}

/// A fused operator and its place.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// The name of its last operator in the file.
    pub(crate) name: String,
    /// The operators that it stands for, joined by `+`.
    pub(crate) label: String,
    /// The u8 tensors that it reads.
    pub(crate) inputs: Vec<String>,
    /// The u8 tensor that it writes.
    pub(crate) output: String,
    pub(crate) kernel: Kernel,
}

/// A tensor behind a DequantizeLinear: the u8 tensor before, and what its numbers mean.
#[derive(Debug, Clone)]
pub(crate) struct Quantized {
    pub(crate) tensor: String,
    pub(crate) grid: Grid,
    pub(crate) shape: PictureShape,
    /// The place of the DequantizeLinear.
    pub(super) place: usize,
}

/// What computes the float tensor that a QuantizeLinear reads.
#[derive(Debug, Clone, Copy)]
struct Middle<'a> {
    /// Its place.
    at: usize,
    node: &'a NodeProto,
    /// The Relu or Clip between it and the QuantizeLinear, and its place.
    clamp: Option<&'a NodeProto>,
    clamp_at: Option<usize>,
    /// Whether nobody else reads what lies between.
    alone: bool,
}

/// What was recognised in a graph.
#[derive(Debug)]
pub(crate) struct Recognition<'a> {
    pub(crate) graph: Graph<'a>,
    shapes: &'a Shapes,
    pub(crate) isa: Isa,
    pub(crate) team: Arc<Team>,
    /// Float tensors that are dequantized u8 pictures.
    dequantized: HashMap<&'a str, Quantized>,
    /// Fused operators by the place of the QuantizeLinear that ends them.
    pub(crate) planned: HashMap<usize, Planned>,
    /// The places of the operators that were tried: fused, or left with a reason.
    pub(super) covered: HashSet<usize>,
    pub(crate) left: Vec<Left>,
}

impl<'a> Recognition<'a> {
    /// Goes through the whole graph.
    pub(crate) fn new(graph: Graph<'a>, shapes: &'a Shapes, isa: Isa, team: Arc<Team>) -> Self {
        let (dequantized, planned) = (HashMap::new(), HashMap::new());
        let (covered, left) = (HashSet::new(), Vec::new());
        let mut recognition = Self { graph, shapes, isa, team, dequantized, planned, covered, left };
        recognition.find_dequantized();
        for (place, node) in recognition.graph.nodes.iter().enumerate() {
            if node.op_type == "QuantizeLinear" {
                recognition.recognise(place, node);
            }
        }
        recognition.list_left();
        recognition
    }

    fn find_dequantized(&mut self) {
        for (place, node) in self.graph.nodes.iter().enumerate() {
            if let Some(quantized) = self.dequantized_by(place, node)
                && let Some(output) = node.output.first()
            {
                self.dequantized.insert(output, quantized);
            }
        }
    }

    /// The picture that a DequantizeLinear reads, if it is one, and read by others of its kind alone.
    pub(crate) fn dequantized_by(&self, place: usize, node: &NodeProto) -> Option<Quantized> {
        if node.op_type != "DequantizeLinear" {
            return None;
        }
        let tensor = node.input_at(0)?;
        let (_, writer) = self.graph.writer(tensor)?;
        self.grid(writer).filter(|_| writer.op_type == "QuantizeLinear")?;
        if self.integers_of(writer) != self.integers_of(node) {
            return None;
        }
        let readers = self.graph.readers(tensor).iter().map(|reader| &self.graph.nodes[*reader]);
        let mut others = readers.filter(|reader| reader.op_type != "DequantizeLinear" || self.grid(reader).is_none());
        if self.graph.is_output(tensor) || others.next().is_some() {
            return None;
        }
        let shape = self.picture(writer.input_at(0)?)?;
        Some(Quantized { tensor: tensor.to_owned(), grid: self.grid(node)?, shape, place })
    }

    /// The grid of a QuantizeLinear or DequantizeLinear of whole tensors. s8 is u8 with 128 taken away, from integers and
    /// zero point alike, so that such tensors are u8 here: nobody but the two operators sees their integers.
    pub(crate) fn grid(&self, node: &NodeProto) -> Option<Grid> {
        let [scale] = self.graph.floats(node.input_at(1)?)?[..] else { return None };
        let zero_point = match (node.input_at(2), self.integers_of(node)?) {
            (None, Integers::Unsigned) => 0,
            (None, Integers::Signed) => SHIFT,
            (Some(name), _) => *self.shifted_bytes(name)?.first()?,
        };
        let grid = Grid { scale, zero_point };
        grid.check().is_ok().then_some(grid)
    }

    /// What a QuantizeLinear gives or a DequantizeLinear reads.
    fn integers_of(&self, node: &NodeProto) -> Option<Integers> {
        if let Some(zero_point) = node.input_at(2) {
            return Integers::of(self.graph.constant_type(zero_point)?);
        }
        if node.op_type == "QuantizeLinear" {
            return match node.integer("output_dtype", 0) {
                0 => Some(Integers::Unsigned),
                data_type => Integers::of(i32::try_from(data_type).ok()?),
            };
        }
        let read = node.input_at(0)?;
        match self.graph.writer(read) {
            Some((_, writer)) if writer.op_type == "QuantizeLinear" => self.integers_of(writer),
            _ => Integers::of(self.graph.constant_type(read)?),
        }
    }

    /// A constant of bytes; signed ones with 128 added.
    pub(super) fn shifted_bytes(&self, tensor: &str) -> Option<Vec<u8>> {
        let shifted = |bytes: Vec<i8>| bytes.into_iter().map(|byte| byte.cast_unsigned() ^ SHIFT).collect();
        self.graph.unsigned_bytes(tensor).or_else(|| self.graph.signed_bytes(tensor).map(shifted))
    }

    /// The picture in a float tensor `[1, channels, height, width]`.
    pub(crate) fn picture(&self, tensor: &str) -> Option<PictureShape> {
        let [1, channels, height, width] = self.shapes.get(tensor)?[..] else { return None };
        let shape = PictureShape { height, width, channels };
        shape.check("the picture").is_ok().then_some(shape)
    }

    /// The picture that an operator reads as its input `index`.
    pub(crate) fn read(&self, node: &NodeProto, index: usize) -> Result<&Quantized, Refusal> {
        let name = node.input_at(index).ok_or("an input is missing")?;
        self.dequantized.get(name).ok_or_else(|| self.why_not_quantized(name))
    }

    /// Matches the operator before the QuantizeLinear at `place`.
    fn recognise(&mut self, place: usize, quantize: &'a NodeProto) {
        let Some(middle) = self.middle(place, quantize) else { return };
        // An operator that reads no quantized picture belongs to the float part of the file.
        if !middle.node.input.iter().any(|name| self.is_quantized_picture(name)) || self.is_kept_in_float(middle.node) {
            return;
        }
        self.covered.extend([middle.at].into_iter().chain(middle.clamp_at));
        match self.plan(quantize, &middle) {
            Ok(planned) => {
                self.planned.insert(place, planned);
            }
            Err(reason) => {
                let (node, operator) = (middle.node.label().to_owned(), middle.node.op_type.clone());
                self.left.push(Left { node, operator, reason });
            }
        }
    }

    /// Whether a node is a convolution that the file keeps in float on purpose: its weights are not quantised.
    pub(super) fn is_kept_in_float(&self, node: &NodeProto) -> bool {
        let weights = node.input_at(1).and_then(|weights| self.graph.writer(weights));
        node.op_type == "Conv" && weights.is_none_or(|(_, writer)| writer.op_type != "DequantizeLinear")
    }

    /// The convolutions that the file keeps in float on purpose, in its order.
    pub(crate) fn kept_in_float(&self) -> Vec<String> {
        let kept = self.graph.nodes.iter().filter(|node| self.is_kept_in_float(node));
        kept.map(|node| node.label().to_owned()).collect()
    }

    /// Whether a float tensor is a quantized picture, or one with a border around it.
    fn is_quantized_picture(&self, tensor: &str) -> bool {
        let bordered = self.graph.writer(tensor).filter(|(_, writer)| writer.op_type == "Pad");
        let picture = bordered.and_then(|(_, pad)| pad.input_at(0)).unwrap_or(tensor);
        self.is_dequantized(picture)
    }

    /// What computes the float tensor that a QuantizeLinear reads.
    fn middle(&self, place: usize, quantize: &NodeProto) -> Option<Middle<'a>> {
        let float = quantize.input_at(0)?;
        let (at, node) = self.graph.writer(float)?;
        let alone = self.graph.is_read_only_by(float, place);
        if matches!(node.op_type.as_str(), "Relu" | "Clip")
            && let Some(before) = node.input_at(0)
            && let Some((clamped_at, clamped)) = self.graph.writer(before)
            && matches!(clamped.op_type.as_str(), "Conv" | "Add")
        {
            let alone = alone && self.graph.is_read_only_by(before, at);
            return Some(Middle { at: clamped_at, node: clamped, clamp: Some(node), clamp_at: Some(at), alone });
        }
        Some(Middle { at, node, clamp: None, clamp_at: None, alone })
    }

    fn plan(&mut self, quantize: &NodeProto, middle: &Middle<'_>) -> Result<Planned, Refusal> {
        let Middle { at, node, clamp, alone, .. } = *middle;
        let grid = self.grid(quantize).ok_or("its result is not quantized to u8 with one scale")?;
        let output = quantize.output.first().ok_or("its result has no name")?;
        if !alone {
            return Err("its result is read in float as well".to_owned());
        }
        let readers = self.graph.readers(output).iter();
        if self.graph.is_output(output) || !readers.clone().all(|reader| self.is_dequantized_at(*reader)) {
            return Err("its integers are read by something other than DequantizeLinear".to_owned());
        }
        let range = clamp.map_or(Ok((0, u8::MAX)), |clamp| self.clamp_range(clamp, grid))?;
        let mut planned = match node.op_type.as_str() {
            "Conv" => self.plan_convolution(at, node, grid, range)?,
            "Add" => self.plan_addition(at, node, grid, range)?,
            "Mul" => self.plan_multiplication(node, grid)?,
            "Concat" => self.plan_concatenation(at, node, grid)?,
            "Pad" => self.plan_border(node, grid)?,
            "Resize" => self.plan_resize(node, grid)?,
            "MaxPool" => self.plan_maximum(node, grid)?,
            "AveragePool" | "GlobalAveragePool" | "ReduceMean" => self.plan_mean(node, grid)?,
            _ => self.plan_activation(at, node, grid)?,
        };
        self.check_promise(node, &planned.kernel)?;
        let last = clamp.unwrap_or(node);
        if clamp.is_some() {
            planned.label = format!("{}+{}", planned.label, last.op_type);
        }
        planned.output.clone_from(output);
        last.label().clone_into(&mut planned.name);
        Ok(planned)
    }

    /// # Errors
    /// The result would have another shape than the rest of the file expects: somebody broke the file.
    pub(super) fn check_promise(&self, node: &NodeProto, kernel: &Kernel) -> Result<(), Refusal> {
        let promised = node.output.first().and_then(|output| self.picture(output));
        match promised {
            Some(promised) if promised != kernel.picture() => {
                Err("its result would have another shape than the file says".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn is_dequantized_at(&self, place: usize) -> bool {
        let output = self.graph.nodes[place].output.first();
        output.and_then(|output| self.dequantized.get(output.as_str())).is_some_and(|picture| picture.place == place)
    }

    /// The clamp of a Relu or Clip on the grid of its result.
    fn clamp_range(&self, node: &NodeProto, grid: Grid) -> Result<(u8, u8), Refusal> {
        let function = activation(&self.graph, node)?;
        Ok((grid.quantize(function(f32::NEG_INFINITY)), grid.quantize(function(f32::INFINITY))))
    }

    /// The place of the fused operator that writes `picture`, if the operator at `reader` alone reads that, and `fits`.
    pub(super) fn fusable(&self, picture: &Quantized, reader: usize, fits: impl Fn(&Kernel) -> bool) -> Option<usize> {
        let dequantized = self.graph.nodes[picture.place].output.first()?;
        let alone = self.graph.is_read_only_by(&picture.tensor, picture.place)
            && self.graph.is_read_only_by(dequantized, reader);
        let (place, _) = self.graph.writer(&picture.tensor)?;
        let fits = self.planned.get(&place).is_some_and(|planned| fits(&planned.kernel));
        (alone && fits).then_some(place)
    }
}

impl Planned {
    /// With a name and an output to be filled in.
    pub(super) fn new(label: &str, inputs: Vec<String>, kernel: Kernel) -> Self {
        Self { name: String::new(), label: label.to_owned(), inputs, output: String::new(), kernel }
    }
}

/// The kernels' own words.
pub(super) fn because(error: parallax_kernels::KernelError) -> Refusal {
    error.to_string()
}

/// One table after another, where there are any.
pub(super) fn chained(first: Option<&Table>, second: Option<&Table>) -> Option<Table> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first.then(second)),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

/// The window of a Conv or MaxPool.
pub(super) fn window(node: &NodeProto, kernel: [usize; 2]) -> Result<Window, Refusal> {
    let automatic = node.text("auto_pad").unwrap_or("NOTSET");
    let not_flat = "its strides, dilations or pads are not those of a picture";
    let [top, left, bottom, right] = match automatic {
        "NOTSET" | "" => graph::sizes(node, "pads", 0).ok_or(not_flat)?,
        "VALID" => [0; 4],
        other => return Err(format!("its padding is computed ({other})")),
    };
    let stride = graph::sizes(node, "strides", 1).ok_or(not_flat)?;
    let dilation = graph::sizes(node, "dilations", 1).ok_or(not_flat)?;
    Ok(Window { kernel, stride, dilation, before: [top, left], after: [bottom, right] })
}
