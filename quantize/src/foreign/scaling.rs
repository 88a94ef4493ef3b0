//! Operators that multiply and add one number a channel: batch norms, and Mul, Add, Sub and Div by constants.
//!
//! ```text
//! y[c] = factor[c] · x[c] + offset[c]
//! batch norm:  factor = scale / √(variance + ε),  offset = bias − mean · factor
//! ```
//!
//! Behind a convolution that nobody else reads they go into its weights and bias, `w' = w · factor`, `b' = b · factor + offset`.
//! Elsewhere each becomes a convolution of one tap for each channel, which has an int8 form.

use parallax_onnx::{AttributeProto, GraphProto, NodeProto, TensorProto};

use super::edit::{self, floats};
use super::sizes::Shapes;

/// One factor and one offset for each channel, or one of each for all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scaling {
    pub(super) factors: Vec<f64>,
    pub(super) offsets: Vec<f64>,
}

impl Scaling {
    /// What an operator does to the picture that it reads, and the name of that picture.
    pub(super) fn of<'a>(graph: &GraphProto, node: &'a NodeProto) -> Option<(Self, &'a str)> {
        if node.op_type == "BatchNormalization" {
            return Some((Self::of_batch_norm(graph, node)?, node.input_at(0)?));
        }
        if !matches!(node.op_type.as_str(), "Mul" | "Add" | "Sub" | "Div") {
            return None;
        }
        let (a, b) = (node.input_at(0)?, node.input_at(1)?);
        let (picture, number, number_first) = match (graph.constant(a), graph.constant(b)) {
            (None, Some(_)) => (a, b, false),
            (Some(_), None) => (b, a, true),
            _ => return None,
        };
        let numbers = per_channel(graph, number)?;
        let all = |value: f64| vec![value; numbers.len()];
        let (factors, offsets) = match (node.op_type.as_str(), number_first) {
            ("Mul", _) => (numbers.clone(), all(0.0)),
            ("Add", _) => (all(1.0), numbers.clone()),
            ("Sub", false) => (all(1.0), numbers.iter().map(|number| -number).collect()),
            ("Sub", true) => (all(-1.0), numbers.clone()),
            ("Div", false) => (numbers.iter().map(|number| 1.0 / number).collect(), all(0.0)),
            _ => return None,
        };
        let finite = factors.iter().chain(&offsets).all(|number| number.is_finite());
        finite.then_some((Self { factors, offsets }, picture))
    }

    fn of_batch_norm(graph: &GraphProto, node: &NodeProto) -> Option<Self> {
        let epsilon = node.attribute_named("epsilon").map_or(1e-5, |epsilon| f64::from(epsilon.f));
        let read = |index: usize| floats(graph, node.input_at(index)?);
        let (scale, bias, mean, variance) = (read(1)?, read(2)?, read(3)?, read(4)?);
        let channels = scale.len();
        if [&bias, &mean, &variance].iter().any(|numbers| numbers.len() != channels) {
            return None;
        }
        let factor = |channel: usize| f64::from(scale[channel]) / (f64::from(variance[channel]) + epsilon).sqrt();
        let factors: Vec<f64> = (0..channels).map(factor).collect();
        let offset = |channel: usize| f64::from(bias[channel]) - f64::from(mean[channel]) * factors[channel];
        let offsets: Vec<f64> = (0..channels).map(offset).collect();
        let finite = factors.iter().chain(&offsets).all(|number| number.is_finite());
        finite.then_some(Self { factors, offsets })
    }

    /// The same for a number of channels; none where there are others.
    pub(super) fn spread(self, channels: usize) -> Option<Self> {
        match self.factors.len() {
            1 => Some(Self { factors: vec![self.factors[0]; channels], offsets: vec![self.offsets[0]; channels] }),
            count => (count == channels).then_some(self),
        }
    }
}

/// A constant of one number, or of one for each channel of `[1, channels, height, width]`.
fn per_channel(graph: &GraphProto, name: &str) -> Option<Vec<f64>> {
    let numbers = floats(graph, name)?;
    let dims = &graph.constant(name)?.dims;
    let of_channels = matches!(dims.as_slice(), [_, 1, 1] | [1, _, 1, 1]);
    let of_all = numbers.len() == 1 && dims.len() <= 4;
    (of_channels || of_all).then(|| numbers.iter().map(|number| f64::from(*number)).collect())
}

/// Folds every scaling into a convolution, or makes it one. Gives the number of each.
pub(super) fn fold(graph: &mut GraphProto, shapes: &Shapes) -> (usize, usize) {
    let (mut folded, mut made) = (0, 0);
    let mut place = 0;
    while place < graph.node.len() {
        let found = Scaling::of(graph, &graph.node[place]).and_then(|(scaling, picture)| {
            let [1, channels, _, _] = shapes.get(picture)?[..] else { return None };
            Some((scaling.spread(channels)?, picture.to_owned()))
        });
        if let Some((scaling, picture)) = found {
            if fold_into_convolution(graph, place, &picture, &scaling).is_some() {
                folded += 1;
                continue;
            }
            become_convolution(graph, place, &picture, &scaling);
            made += 1;
        }
        place += 1;
    }
    edit::drop_unneeded(graph);
    (folded, made)
}

/// Puts a scaling into the convolution that alone computes what it reads, and takes it out of the graph.
fn fold_into_convolution(graph: &mut GraphProto, place: usize, picture: &str, scaling: &Scaling) -> Option<()> {
    if graph.readers(picture) != 1 {
        return None;
    }
    let at = graph.writer(picture)?;
    let node = &graph.node[at];
    let weights_name = node.input_at(1)?;
    let dims = graph.constant(weights_name)?.dims.clone();
    let weights = floats(graph, weights_name)?;
    let channels = scaling.factors.len();
    let scaled = match node.op_type.as_str() {
        "Conv" if dims.first() == Some(&(channels as i64)) => {
            let each = weights.len() / channels;
            weights
                .iter()
                .enumerate()
                .map(|(index, weight)| f64::from(*weight) * scaling.factors[index / each])
                .map(|weight| weight as f32)
                .collect::<Vec<f32>>()
        }
        // [inputs, outputs, height, width]
        "ConvTranspose" if node.integer("group", 1) == 1 && dims.get(1) == Some(&(channels as i64)) => {
            let taps: usize = dims[2..].iter().map(|size| *size as usize).product();
            weights
                .iter()
                .enumerate()
                .map(|(index, weight)| f64::from(*weight) * scaling.factors[index / taps % channels])
                .map(|weight| weight as f32)
                .collect()
        }
        _ => return None,
    };
    let bias = match node.input_at(2) {
        Some(name) => floats(graph, name).filter(|bias| bias.len() == channels)?,
        None => vec![0.0; channels],
    };
    let bias = bias.iter().zip(&scaling.factors).zip(&scaling.offsets);
    let bias: Vec<f32> = bias.map(|((bias, factor), offset)| (f64::from(*bias) * factor + offset) as f32).collect();
    // Others may read the same weights: these get names of their own.
    let output = graph.node[place].output.first()?.clone();
    let (weights_name, bias_name) =
        (edit::fresh(graph, &format!("{output}_scaled_weights")), edit::fresh(graph, &format!("{output}_scaled_bias")));
    let shape: Vec<usize> = dims.iter().map(|size| *size as usize).collect();
    graph.initializer.push(TensorProto::of_floats(&weights_name, &shape, &scaled));
    graph.initializer.push(TensorProto::of_floats(&bias_name, &[channels], &bias));
    let node = &mut graph.node[at];
    node.input.truncate(1);
    node.input.extend([weights_name, bias_name]);
    node.output = vec![output];
    graph.node.remove(place);
    Some(())
}

/// A convolution of one tap for each channel in place of a scaling.
fn become_convolution(graph: &mut GraphProto, place: usize, picture: &str, scaling: &Scaling) {
    let channels = scaling.factors.len();
    let output = graph.node[place].output.first().cloned().unwrap_or_default();
    let (weights, bias) =
        (edit::fresh(graph, &format!("{output}_factors")), edit::fresh(graph, &format!("{output}_offsets")));
    let numbers = |numbers: &[f64]| numbers.iter().map(|number| *number as f32).collect::<Vec<f32>>();
    graph.initializer.push(TensorProto::of_floats(&weights, &[channels, 1, 1, 1], &numbers(&scaling.factors)));
    graph.initializer.push(TensorProto::of_floats(&bias, &[channels], &numbers(&scaling.offsets)));
    let node = &mut graph.node[place];
    "Conv".clone_into(&mut node.op_type);
    node.input = vec![picture.to_owned(), weights, bias];
    node.output.truncate(1);
    node.attribute =
        vec![AttributeProto::integers("kernel_shape", &[1, 1]), AttributeProto::integer("group", channels as i64)];
}
