//! The QDQ model: every quantized tensor passes through QuantizeLinear and DequantizeLinear, every weight is stored
//! as s8 and every convolution bias as int32.
//!
//! ```text
//! float:  x ── Conv(w, b) ── Relu ── y
//! QDQ:    x̂ ── Conv(DQ(w₈), DQ(b₃₂)) ── y ── QuantizeLinear ── y₈ ── DequantizeLinear ── ŷ
//! ```
//!
//! Tensors keep their names; `y_quantized` and `y_dequantized` are added. A model output keeps its name on the
//! dequantized side, the float tensor before it becomes `y_float`.

use std::collections::{HashMap, HashSet};

use parallax_onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

use super::affine::snr_db;
use super::calibration::Grid;
use super::layout::{Layout, Treatment};
use super::weights::{FloatWeights, WeightBits, quantize_bias, quantize_weights};
use super::{QuantizeError, Result, graph};

/// A quantized model, and where to find each tensor in it.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// The QDQ model.
    pub model: ModelProto,
    /// The grids it uses.
    pub grid: Grid,
    /// For each quantized tensor of the float model, its name after DequantizeLinear.
    pub dequantized: HashMap<String, String>,
    /// What became of the weights of each convolution, by node name.
    pub weights: HashMap<String, WeightNoise>,
    /// The biases of the int8 convolutions, in graph order.
    pub biases: Vec<QuantizedBias>,
}

/// The bias of an int8 convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedBias {
    /// What the convolution writes in the float model.
    pub float_output: String,
    /// What it writes in the QDQ model, before it is quantized.
    pub written_output: String,
    /// The initializer with the integers.
    pub initializer: String,
    /// What one step is worth, per channel.
    pub scales: Vec<f32>,
}

/// What became of a convolution's weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightNoise {
    /// Signal-to-noise ratio.
    pub snr_db: f64,
    /// Output channels in which two neighbouring products could overflow 16 bits.
    pub channels_at_risk: usize,
}

/// Writes the QDQ form of `float`.
///
/// # Errors
/// Weights that cannot be read.
pub fn rewrite(float: &ModelProto, layout: &Layout, grid: &Grid, bits: WeightBits) -> Result<Rewritten> {
    let source = graph::graph(float)?;
    let mut writer = Writer::new(source, layout, grid, bits);
    writer.quantize_tensor(&layout.input)?;
    for (index, node) in source.node.iter().enumerate() {
        writer.write_node(index, node)?;
    }
    let Writer { nodes, initializers, dequantized, weights, biases, .. } = writer;
    let mut model = float.clone();
    model.graph = Some(GraphProto {
        node: nodes,
        initializer: [initializers, source.initializer.clone()].concat(),
        value_info: Vec::new(),
        ..source.clone()
    });
    drop_unused_initializers(&mut model);
    Ok(Rewritten { model, grid: grid.clone(), dequantized, weights, biases })
}

fn names_of(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let written = graph.node.iter().flat_map(|node| &node.output);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    written.chain(constants).chain(graph.input.iter().map(|input| &input.name)).map(String::as_str)
}

fn drop_unused_initializers(model: &mut ModelProto) {
    if let Some(graph) = model.graph.as_mut() {
        let read: HashSet<String> = graph.node.iter().flat_map(|node| node.input.iter().cloned()).collect();
        graph.initializer.retain(|tensor| read.contains(&tensor.name));
        graph.input.retain(|input| read.contains(&input.name));
    }
}

struct Writer<'a> {
    layout: &'a Layout,
    grid: &'a Grid,
    bits: WeightBits,
    constants: HashMap<&'a str, &'a TensorProto>,
    wanted: HashSet<&'a str>,
    /// Names of the float model's tensors.
    taken: HashSet<&'a str>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    dequantized: HashMap<String, String>,
    /// Tensors that an operator in float computes.
    in_float: HashSet<&'a str>,
    weights: HashMap<String, WeightNoise>,
    biases: Vec<QuantizedBias>,
}

impl<'a> Writer<'a> {
    fn new(source: &'a GraphProto, layout: &'a Layout, grid: &'a Grid, bits: WeightBits) -> Self {
        let in_float =
            source.node.iter().zip(&layout.treatments).filter(|(_, treatment)| **treatment == Treatment::Float);
        Self {
            layout,
            grid,
            bits,
            in_float: in_float.flat_map(|(node, _)| node.output.iter().map(String::as_str)).collect(),
            constants: source.constants(),
            taken: names_of(source).collect(),
            wanted: layout.tensors.iter().map(|tensor| tensor.name.as_str()).collect(),
            nodes: Vec::new(),
            initializers: Vec::new(),
            dequantized: HashMap::new(),
            weights: HashMap::new(),
            biases: Vec::new(),
        }
    }

    fn write_node(&mut self, index: usize, node: &NodeProto) -> Result<()> {
        if self.layout.fused_relus.contains_key(&index) && !self.layout.kept_clips.contains(&index) {
            return Ok(());
        }
        let mut written = node.clone();
        if self.layout.treatments[index] == Treatment::Convolution {
            self.write_weights(node, &mut written)?;
        }
        for input in &mut written.input {
            // Between two operators in float a tensor is not rounded, whoever else reads it.
            if self.layout.treatments[index] == Treatment::Float && self.in_float.contains(input.as_str()) {
                input.clone_from(&self.float_name(input));
            } else if let Some(name) = self.dequantized.get(input) {
                input.clone_from(name);
            }
        }
        // A convolution whose Relu is gone writes the Relu's output.
        let renamed = |name: &String| self.layout.renamed.get(name).unwrap_or(name).clone();
        let outputs: Vec<String> = node.output.iter().map(renamed).collect();
        written.output = outputs.iter().map(|name| self.float_name(name)).collect();
        if let Some(bias) = self.biases.last_mut().filter(|bias| bias.float_output == node.output[0]) {
            bias.written_output.clone_from(&written.output[0]);
        }
        self.nodes.push(written);
        outputs.iter().try_for_each(|name| self.quantize_tensor(name))
    }

    /// The name of a tensor before it is quantized.
    fn float_name(&self, name: &str) -> String {
        if self.wanted.contains(name) && self.layout.outputs.iter().any(|output| output == name) {
            format!("{name}_float")
        } else {
            name.to_owned()
        }
    }

    fn quantize_tensor(&mut self, name: &str) -> Result<()> {
        if !self.wanted.contains(name) || self.dequantized.contains_key(name) {
            return Ok(());
        }
        let grid = self.grid.of(name)?;
        let float_name = self.float_name(name);
        let quantized = self.free(format!("{name}_quantized"));
        let dequantized = if float_name == name { self.free(format!("{name}_dequantized")) } else { name.to_owned() };
        let (scale, zero_point) = (self.free(format!("{name}_scale")), self.free(format!("{name}_zero_point")));
        self.initializers.push(TensorProto::of_floats(&scale, &[], &[grid.scale]));
        self.initializers.push(TensorProto::of_unsigned_bytes(&zero_point, &[], &[grid.zero_point]));
        let quantize = format!("{name}_QuantizeLinear");
        let dequantize = format!("{name}_DequantizeLinear");
        self.nodes.push(NodeProto::new("QuantizeLinear", &quantize, &[&float_name, &scale, &zero_point], &quantized));
        self.nodes.push(NodeProto::new(
            "DequantizeLinear",
            &dequantize,
            &[&quantized, &scale, &zero_point],
            &dequantized,
        ));
        self.dequantized.insert(name.to_owned(), dequantized);
        Ok(())
    }

    /// Stores a convolution's weights as s8 and its bias as int32, each behind a DequantizeLinear along axis 0.
    fn write_weights(&mut self, node: &NodeProto, written: &mut NodeProto) -> Result<()> {
        let weights = self.constant(&node.input[1])?;
        let shape: Vec<usize> = weights.dims.iter().map(|size| *size as usize).collect();
        let values = graph::floats(weights)?;
        let bias_name = node.input.get(2).filter(|name| !name.is_empty());
        let bias = bias_name.map(|name| self.constant(name).and_then(graph::floats)).transpose()?;
        let input_scale = self.grid.of(&node.input[0])?.scale;
        let weights = FloatWeights { values: &values, outputs: shape[0], group_channels: shape[1] };
        let quantized = quantize_weights(weights, bias.as_deref(), input_scale, self.bits);

        // Two convolutions may share a weight tensor but see other input scales: names follow the output.
        let base = self.free_base(format!("{}_weight", node.output[0]));
        let snr_db = weight_snr(&values, &quantized.integers, &quantized.scales);
        let noise = WeightNoise { snr_db, channels_at_risk: quantized.channels_at_risk };
        self.weights.insert(node.label().to_owned(), noise);
        self.initializers.push(TensorProto::of_signed_bytes(&format!("{base}_quantized"), &shape, &quantized.integers));
        self.initializers.push(TensorProto::of_floats(&format!("{base}_scale"), &[shape[0]], &quantized.scales));
        self.initializers.push(TensorProto::of_signed_bytes(
            &format!("{base}_zero_point"),
            &[shape[0]],
            &vec![0; shape[0]],
        ));
        written.input[1] = self.dequantize_constant(&base, true);
        if let Some(bias) = bias {
            let base = self.free_base(format!("{}_bias", node.output[0]));
            let (integers, scales) = quantize_bias(&bias, &quantized.scales, input_scale);
            self.initializers.push(TensorProto::of_integers(
                &format!("{base}_quantized"),
                &[integers.len()],
                &integers,
            ));
            self.initializers.push(TensorProto::of_floats(&format!("{base}_scale"), &[scales.len()], &scales));
            let float_output = node.output[0].clone();
            let (written_output, initializer) = (float_output.clone(), format!("{base}_quantized"));
            self.biases.push(QuantizedBias { float_output, written_output, initializer, scales });
            written.input[2] = self.dequantize_constant(&base, false);
        }
        Ok(())
    }

    /// Adds the DequantizeLinear of `{base}_quantized` and names its output. int32 takes no zero point.
    fn dequantize_constant(&mut self, base: &str, with_zero_point: bool) -> String {
        let (quantized, scale) = (format!("{base}_quantized"), format!("{base}_scale"));
        let zero_point = format!("{base}_zero_point");
        let mut inputs = vec![quantized.as_str(), scale.as_str()];
        inputs.extend(with_zero_point.then_some(zero_point.as_str()));
        let output = format!("{base}_dequantized");
        let mut node = NodeProto::new("DequantizeLinear", &format!("{base}_DequantizeLinear"), &inputs, &output);
        node.attribute.push(AttributeProto::integer("axis", 0));
        self.nodes.push(node);
        output
    }

    /// The name, or one like it that no tensor of the float model has.
    fn free(&self, mut name: String) -> String {
        while self.taken.contains(name.as_str()) {
            name.push('_');
        }
        name
    }

    /// The same for a beginning of names.
    fn free_base(&self, mut base: String) -> String {
        while ["quantized", "scale", "zero_point", "dequantized"]
            .iter()
            .any(|end| self.taken.contains(format!("{base}_{end}").as_str()))
        {
            base.push('_');
        }
        base
    }

    fn constant(&self, name: &str) -> Result<&'a TensorProto> {
        let missing = || QuantizeError::BadTensor { tensor: name.to_owned(), reason: "not in the model".to_owned() };
        self.constants.get(name).copied().ok_or_else(missing)
    }
}

fn weight_snr(values: &[f32], integers: &[i8], scales: &[f32]) -> f64 {
    let per_channel = values.len() / scales.len().max(1);
    let mut signal = 0.0;
    let mut noise = 0.0;
    for (index, (value, integer)) in values.iter().zip(integers).enumerate() {
        let error = f64::from(value - f32::from(*integer) * scales[index / per_channel]);
        signal += f64::from(*value).powi(2);
        noise += error * error;
    }
    snr_db(signal, noise)
}
