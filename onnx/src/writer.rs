//! Graphs made by hand, operator by operator: small models with known truth, for tests and the fuzzer.
//!
//! An int8 graph is in QDQ form: a QuantizeLinear and a DequantizeLinear behind each operator, weights as integers with a
//! DequantizeLinear of their own.

use crate::{AttributeProto, DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// The operator set of the graphs.
const OPERATOR_SET: i64 = 18;

/// A graph under construction.
#[derive(Debug, Clone, Default)]
pub struct GraphWriter {
    /// What is there so far, to be changed where a test wants something that no method writes.
    pub graph: GraphProto,
}

/// The numbers of a quantised convolution.
#[derive(Debug, Clone, Default)]
pub struct ConvolutionNumbers {
    /// Outputs, channels of an input, height and width of the kernel.
    pub shape: [usize; 4],
    /// The weights, row-major.
    pub weights: Vec<i8>,
    /// The scale of each output's weights.
    pub scales: Vec<f32>,
    /// The zero point of each output's weights, where the file says them.
    pub zero_points: Option<Vec<i8>>,
    /// The bias of each output, in steps of the input's scale times the weights'.
    pub bias: Vec<i32>,
}

impl GraphWriter {
    /// An empty graph.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { graph: GraphProto { name: name.to_owned(), ..GraphProto::default() } }
    }

    /// An input of 32-bit floats.
    pub fn input(&mut self, name: &str, shape: &[usize]) {
        self.graph.input.push(ValueInfoProto::of_floats(name, shape));
    }

    /// A constant from its bytes; its name.
    pub fn constant(&mut self, name: &str, shape: &[usize], data_type: DataType, raw_data: Vec<u8>) -> String {
        self.tensor(TensorProto::new(name, shape, data_type, raw_data))
    }

    /// A constant of floats; its name.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.tensor(TensorProto::of_floats(name, shape, values))
    }

    /// A constant; its name.
    pub fn tensor(&mut self, tensor: TensorProto) -> String {
        let name = tensor.name.clone();
        self.graph.initializer.push(tensor);
        name
    }

    /// An operator, called as its output with `_node` behind; the output's name.
    pub fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> String {
        let node = NodeProto::new(operator, &format!("{output}_node"), inputs, output);
        self.graph.node.push(NodeProto { attribute, ..node });
        output.to_owned()
    }

    /// Quantises and dequantises a float tensor: `NAME_scale`, `NAME_zero`, `NAME_q`; the name of the result, `NAME_dq`.
    pub fn quantized(&mut self, name: &str, scale: f32, zero_point: u8) -> String {
        let scale = self.floats(&format!("{name}_scale"), &[], &[scale]);
        let zero_point = self.tensor(TensorProto::of_unsigned_bytes(&format!("{name}_zero"), &[], &[zero_point]));
        let integers = self.node("QuantizeLinear", &[name, &scale, &zero_point], &format!("{name}_q"), Vec::new());
        self.node("DequantizeLinear", &[&integers, &scale, &zero_point], &format!("{name}_dq"), Vec::new())
    }

    /// A convolution of a quantised `input` with that scale, in float up to its result `name`: its weights are `NAME_w`, with
    /// scales `NAME_ws` and zero points `NAME_wz`, its bias `NAME_b`, with scales `NAME_bs`.
    pub fn convolution(
        &mut self,
        (input, scale): (&str, f32),
        name: &str,
        numbers: &ConvolutionNumbers,
        attributes: Vec<AttributeProto>,
    ) -> String {
        let ConvolutionNumbers { shape, weights, scales, zero_points, bias } = numbers;
        let outputs = &shape[..1];
        let part = |what: &str| format!("{name}_{what}");
        let weights = self.tensor(TensorProto::of_signed_bytes(&part("w"), shape, weights));
        let zeros = zero_points.as_ref().map(|zeros| TensorProto::of_signed_bytes(&part("wz"), outputs, zeros));
        let zeros = zeros.map(|zeros| self.tensor(zeros));
        let bias = self.tensor(TensorProto::of_integers(&part("b"), outputs, bias));
        let bias_scales: Vec<f32> = scales.iter().map(|of_weights| of_weights * scale).collect();
        let scales = self.floats(&part("ws"), outputs, scales);
        let bias_scales = self.floats(&part("bs"), outputs, &bias_scales);
        let axis = || vec![AttributeProto::integer("axis", 0)];
        let mut read = vec![weights.as_str(), &scales];
        read.extend(zeros.as_deref());
        let weights = self.node("DequantizeLinear", &read, &part("wdq"), axis());
        let bias = self.node("DequantizeLinear", &[&bias, &bias_scales], &part("bdq"), axis());
        self.node("Conv", &[input, &weights, &bias], name, attributes)
    }

    /// The model, with its only output.
    #[must_use]
    pub fn finish(mut self, output: &str, shape: &[usize]) -> ModelProto {
        self.graph.output = vec![ValueInfoProto::of_floats(output, shape)];
        ModelProto::new(self.graph, OPERATOR_SET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_file;

    #[test]
    fn a_written_graph_is_a_sound_file() {
        let mut writer = GraphWriter::new("tiny");
        writer.input("image", &[1, 1, 4, 4]);
        let image = writer.quantized("image", 0.02, 120);
        let numbers = ConvolutionNumbers {
            shape: [2, 1, 1, 1],
            weights: vec![3, -4],
            scales: vec![0.5, 0.25],
            zero_points: Some(vec![0, 0]),
            bias: vec![7, 8],
        };
        writer.convolution((&image, 0.02), "conv", &numbers, Vec::new());
        let result = writer.quantized("conv", 0.1, 0);
        let model = writer.finish(&result, &[1, 2, 4, 4]);
        assert_eq!(model_file::check(&model.to_bytes()), Ok(()));
        let graph = model.graph.unwrap();
        assert_eq!(graph.constant("conv_bs").unwrap().floats().unwrap(), [0.01, 0.005]);
        assert_eq!(graph.node.last().unwrap().label(), "conv_dq_node");
    }
}
