//! Bias correction: rounding shifts the mean of a convolution's channels, and the bias takes the shift back.
//!
//! ```text
//! b' = b + mean over frames and pixels of ( conv(x; w, b) − conv(x̂; ŵ, b) )        per output channel
//! ```
//!
//! x is what the convolution reads in the float model, x̂ what it reads in the int8 model with the corrections before it
//! already made: so the int8 model is walked through once, piece by piece, each piece on all frames before the next.
//!
//! Reference: Nagel, van Baalen, Blankevoort, Welling, *Data-Free Quantization Through Weight Equalization and Bias
//! Correction*, ICCV 2019, section 4.2 and appendix D (empirical form). There the mean behind the activation is compared;
//! here the one before it, because that is where the bias is added.

use std::collections::{HashMap, HashSet};

use parallax_onnx::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::rewrite::{QuantizedBias, Rewritten};
use super::runner::{Output, Runner};
use super::{Result, graph};

/// Frames that the means are taken from: a mean over thousands of pixels needs few of them.
const FRAMES: usize = 8;

/// A bias stays within half of 32 bits, as it was before, so that sums have room.
const BIAS_MAX: f64 = 1_073_741_824.0;

/// Corrects the biases of all int8 convolutions of a model, on the calibration frames.
///
/// # Errors
/// A model that tract cannot run.
pub fn correct(float: &ModelProto, int8: &mut Rewritten, frames: &[Vec<f32>]) -> Result<()> {
    if int8.biases.is_empty() {
        return Ok(());
    }
    let frames: Vec<&Vec<f32>> = evenly(frames, FRAMES);
    let wanted = float_means(float, &int8.biases, &frames)?;
    let input = graph::inputs(graph::graph(&int8.model)?)?.to_owned();
    let pieces = pieces(graph::graph(&int8.model)?);
    let mut values = Values::new(&pieces);
    let shape = Runner::new(&int8.model)?.input_shape().to_vec();
    values.put(input, frames.iter().map(|frame| (shape.clone(), (*frame).clone())).collect());
    for (place, piece) in pieces.iter().enumerate() {
        let its_bias = int8.biases.iter().position(|bias| piece.writes(&bias.written_output));
        if let Some(index) = its_bias {
            let bias = &int8.biases[index];
            let mut means = Means::default();
            for outputs in piece.run(&int8.model, &values, std::slice::from_ref(&bias.written_output))? {
                means.add(&outputs[0])?;
            }
            shift(&mut int8.model, bias, &wanted[index].minus(&means))?;
        }
        let outputs = piece.read_later(&pieces[place + 1..]);
        if !outputs.is_empty() {
            let computed = piece.run(&int8.model, &values, &outputs)?;
            for (index, name) in outputs.into_iter().enumerate() {
                let of_frames = computed.iter().map(|outputs| outputs[index].to_owned_values());
                values.put(name, of_frames.collect::<Result<_>>()?);
            }
        }
        values.forget_after(place);
    }
    Ok(())
}

/// At most `count` of the frames, evenly spread.
fn evenly(frames: &[Vec<f32>], count: usize) -> Vec<&Vec<f32>> {
    let count = count.min(frames.len());
    (0..count).map(|part| &frames[(2 * part + 1) * frames.len() / (2 * count)]).collect()
}

fn float_means(float: &ModelProto, biases: &[QuantizedBias], frames: &[&Vec<f32>]) -> Result<Vec<Means>> {
    let names: Vec<String> = biases.iter().map(|bias| bias.float_output.clone()).collect();
    let runner = Runner::with_outputs(float, &names)?;
    let mut means = vec![Means::default(); names.len()];
    for frame in frames {
        for (means, output) in means.iter_mut().zip(runner.run(frame)?) {
            means.add(&output)?;
        }
    }
    Ok(means)
}

/// Adds `by`, in real numbers, to a bias.
fn shift(model: &mut ModelProto, bias: &QuantizedBias, by: &[f64]) -> Result<()> {
    let graph = graph::graph_mut(model)?;
    if let Some(tensor) = graph.initializer.iter_mut().find(|tensor| tensor.name == bias.initializer) {
        let (old, _rest) = tensor.raw_data.as_chunks::<4>();
        let shifted = old.iter().zip(by).zip(&bias.scales).map(|((old, by), scale)| {
            let steps = (by / f64::from(*scale)).round_ties_even();
            (f64::from(i32::from_le_bytes(*old)) + steps).clamp(-BIAS_MAX, BIAS_MAX) as i32
        });
        tensor.raw_data = shifted.flat_map(i32::to_le_bytes).collect();
    }
    Ok(())
}

/// The mean of every channel of a tensor `[1, channels, …]`, over frames and places.
#[derive(Debug, Clone, Default)]
struct Means {
    sums: Vec<f64>,
    count: f64,
}

impl Means {
    fn add(&mut self, output: &Output) -> Result<()> {
        let channels = output.shape().get(1).copied().unwrap_or(1).max(1);
        let values = output.values()?;
        let places = (values.len() / channels).max(1);
        self.sums.resize(channels, 0.0);
        for (sum, plane) in self.sums.iter_mut().zip(values.chunks_exact(places)) {
            *sum += plane.iter().map(|value| f64::from(*value)).sum::<f64>();
        }
        self.count += places as f64;
        Ok(())
    }

    fn minus(&self, other: &Self) -> Vec<f64> {
        let mean = |means: &Self, sum: f64| sum / means.count.max(1.0);
        self.sums.iter().zip(&other.sums).map(|(a, b)| mean(self, *a) - mean(other, *b)).collect()
    }
}

/// Consecutive operators of the int8 model, up to where an activation has become float again.
#[derive(Debug)]
struct Piece {
    nodes: Vec<NodeProto>,
    /// What it reads of the pieces before.
    inputs: Vec<String>,
}

fn pieces(graph: &GraphProto) -> Vec<Piece> {
    let constants = graph.constants();
    let is_constant = |name: &String| constants.contains_key(name.as_str());
    let mut pieces = Vec::new();
    let mut nodes: Vec<NodeProto> = Vec::new();
    let close = |nodes: Vec<NodeProto>| {
        let written: HashSet<&String> = nodes.iter().flat_map(|node| &node.output).collect();
        let read = nodes.iter().flat_map(|node| &node.input).filter(|name| !name.is_empty());
        let mut inputs: Vec<String> =
            read.filter(|name| !written.contains(name) && !is_constant(name)).cloned().collect();
        inputs.sort_unstable();
        inputs.dedup();
        Piece { nodes, inputs }
    };
    for node in &graph.node {
        nodes.push(node.clone());
        if node.op_type == "DequantizeLinear" && !node.input.first().is_some_and(is_constant) {
            pieces.push(close(std::mem::take(&mut nodes)));
        }
    }
    if !nodes.is_empty() {
        pieces.push(close(nodes));
    }
    pieces
}

impl Piece {
    fn writes(&self, tensor: &str) -> bool {
        self.nodes.iter().any(|node| node.output.iter().any(|name| name == tensor))
    }

    /// What it writes that pieces after it read.
    fn read_later(&self, later: &[Self]) -> Vec<String> {
        let written = self.nodes.iter().flat_map(|node| &node.output);
        written.filter(|name| later.iter().any(|piece| piece.inputs.contains(name))).cloned().collect()
    }

    /// Its tensors `wanted`, on every frame.
    fn run(&self, whole: &ModelProto, values: &Values, wanted: &[String]) -> Result<Vec<Vec<Output>>> {
        let read: HashSet<&str> = self.nodes.iter().flat_map(|node| &node.input).map(String::as_str).collect();
        let constants = graph::graph(whole)?.initializer.iter();
        let initializer: Vec<TensorProto> =
            constants.filter(|tensor| read.contains(tensor.name.as_str())).cloned().collect();
        let inputs = self.inputs.iter().map(|name| ValueInfoProto::of_floats(name, values.shape(name)));
        let piece = GraphProto {
            name: "piece".to_owned(),
            node: self.nodes.clone(),
            initializer,
            input: inputs.collect(),
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: whole.ir_version,
            opset_import: whole.opset_import.clone(),
            graph: Some(piece),
            ..ModelProto::default()
        };
        let runner = Runner::with_outputs(&model, wanted)?;
        (0..values.frames()).map(|frame| runner.run_on(&values.of_frame(frame, &self.inputs))).collect()
    }
}

/// A tensor's shape and values.
type Value = (Vec<usize>, Vec<f32>);

/// The tensors of all frames that are still to be read.
#[derive(Debug)]
struct Values {
    by_name: HashMap<String, Vec<Value>>,
    last_reader: HashMap<String, usize>,
}

impl Values {
    fn new(pieces: &[Piece]) -> Self {
        let reads =
            pieces.iter().enumerate().flat_map(|(place, piece)| piece.inputs.iter().map(move |name| (name, place)));
        Self { by_name: HashMap::new(), last_reader: reads.map(|(name, place)| (name.clone(), place)).collect() }
    }

    fn put(&mut self, name: String, of_frames: Vec<Value>) {
        self.by_name.insert(name, of_frames);
    }

    fn frames(&self) -> usize {
        self.by_name.values().next().map_or(0, Vec::len)
    }

    fn shape(&self, name: &str) -> &[usize] {
        self.by_name.get(name).and_then(|frames| frames.first()).map_or(&[], |(shape, _)| shape)
    }

    fn of_frame<'a>(&'a self, frame: usize, names: &[String]) -> Vec<(&'a [usize], &'a [f32])> {
        let values = names.iter().filter_map(|name| self.by_name.get(name)).map(|frames| &frames[frame]);
        values.map(|(shape, values)| (shape.as_slice(), values.as_slice())).collect()
    }

    fn forget_after(&mut self, place: usize) {
        self.by_name.retain(|name, _| self.last_reader.get(name).is_some_and(|last| *last > place));
    }
}
