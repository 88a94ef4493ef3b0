//! Laws of quantization on tiny hand-made networks, run by tract.

#[path = "../../fuzz/src/lib.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs,
    reason = "shared with the fuzz targets, which are crates of their own"
)]
mod fuzzed;
mod layers;
mod malformed;
mod messages;

use parallax_onnx::{AttributeProto, DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use proptest::prelude::*;

use super::affine::Affine;
use super::histogram::Histogram;
use super::ranges::{RangeMethod, Reader, least_squares_range, range_of, squared_error};
use super::runner::Runner;
use super::weights::{FloatWeights, WeightBits, quantize_bias, quantize_weights};
use super::{CalibrationFrames, QuantizeConfig, QuantizeError, Quantized, bias, graph, quantize, rewrite};

pub(crate) const WIDTH: usize = 16;
pub(crate) const HEIGHT: usize = 8;

/// Repeatable numbers in about −1 … 1.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A graph in the making.
#[derive(Default)]
pub(crate) struct Builder {
    graph: GraphProto,
}

impl Builder {
    pub(crate) fn node(mut self, operator: &str, inputs: &[&str], output: &str, ints: &[(&str, &[i64])]) -> Self {
        let mut node = NodeProto::new(operator, &format!("{output}_node"), inputs, output);
        node.attribute = ints.iter().map(|(name, values)| AttributeProto::integers(name, values)).collect();
        self.graph.node.push(node);
        self
    }

    pub(crate) fn conv(mut self, input: &str, output: &str, shape: [usize; 4], seed: u64) -> Self {
        let (weight, bias) = (format!("{output}_w"), format!("{output}_b"));
        let fan_in = (shape[1] * shape[2] * shape[3]) as f32;
        let weights: Vec<f32> = numbers(shape.iter().product(), seed).iter().map(|w| w * 2.0 / fan_in.sqrt()).collect();
        self.graph.initializer.push(TensorProto::of_floats(&weight, &shape, &weights));
        self.graph.initializer.push(TensorProto::of_floats(&bias, &shape[..1], &numbers(shape[0], seed + 99)));
        let pad = (shape[2] / 2) as i64;
        self.node(
            "Conv",
            &[input, &weight, &bias],
            output,
            &[("pads", &[pad; 4]), ("kernel_shape", &[shape[2] as i64; 2])],
        )
    }

    pub(crate) fn model(mut self, input: &[usize], output: (&str, &[usize])) -> ModelProto {
        self.graph.name = "tiny".to_owned();
        self.graph.input.push(ValueInfoProto::of_floats("image", input));
        self.graph.output.push(ValueInfoProto::of_floats(output.0, output.1));
        ModelProto::new(self.graph, 17)
    }
}

/// A small U-Net: convolution, pooling, a residual, upsampling, a skip connection and logits of three classes.
pub(crate) fn unet() -> ModelProto {
    let mut builder = Builder::default();
    builder.graph.initializer.push(TensorProto::of_floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]));
    builder
        .conv("image", "c1", [4, 3, 3, 3], 1)
        .node("Relu", &["c1"], "r1", &[])
        .node("MaxPool", &["r1"], "p1", &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])])
        .conv("p1", "c2", [4, 4, 3, 3], 2)
        .node("Add", &["c2", "p1"], "a2", &[])
        .node("Relu", &["a2"], "r2", &[])
        .conv("r2", "c4", [4, 4, 3, 3], 5)
        .node("Elu", &["c4"], "e4", &[])
        .node("Resize", &["e4", "", "scales"], "u2", &[])
        .node("Concat", &["u2", "r1"], "k2", &[])
        .conv("k2", "c3", [4, 8, 3, 3], 3)
        .node("Elu", &["c3"], "e3", &[])
        .conv("e3", "logits", [3, 4, 1, 1], 4)
        .with_axis("k2", 1)
        .model(&[1, 3, HEIGHT, WIDTH], ("logits", &[1, 3, HEIGHT, WIDTH]))
}

impl Builder {
    pub(crate) fn with_axis(self, output: &str, axis: i64) -> Self {
        self.with(output, AttributeProto::integer("axis", axis))
    }

    /// Adds an attribute to the operator that writes `output`.
    fn with(mut self, output: &str, attribute: AttributeProto) -> Self {
        let node = self.graph.node.iter_mut().find(|node| node.output[0] == output).unwrap();
        node.attribute.push(attribute);
        self
    }

    pub(crate) fn ints(self, output: &str, name: &str, values: &[i64]) -> Self {
        self.with(output, AttributeProto::integers(name, values))
    }

    pub(crate) fn text(self, output: &str, name: &str, value: &str) -> Self {
        self.with(output, AttributeProto::text(name, value))
    }

    pub(crate) fn float(self, output: &str, name: &str, value: f32) -> Self {
        self.with(output, AttributeProto::float(name, value))
    }

    pub(crate) fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph.initializer.push(tensor);
        self
    }

    pub(crate) fn floats(self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        self.tensor(TensorProto::of_floats(name, shape, values))
    }

    pub(crate) fn longs(self, name: &str, values: &[i64]) -> Self {
        self.tensor(TensorProto::of_longs(name, &[values.len()], values))
    }

    pub(crate) fn push(mut self, node: NodeProto) -> Self {
        self.graph.node.push(node);
        self
    }
}

fn frames(count: u64) -> Vec<Vec<f32>> {
    (0..count).map(|seed| numbers(3 * HEIGHT * WIDTH, seed + 7)).collect()
}

pub(crate) fn quantized(model: &ModelProto, ranges: Option<RangeMethod>) -> Quantized {
    let (calibration, held) = (frames(8), frames(11).split_off(8));
    let frames = CalibrationFrames { calibration: &calibration, held: &held };
    quantize(model, frames, &QuantizeConfig { ranges, ..QuantizeConfig::default() }).unwrap()
}

fn nodes<'a>(model: &'a ModelProto, operator: &str) -> Vec<&'a NodeProto> {
    graph::graph(model).unwrap().node.iter().filter(|node| node.op_type == operator).collect()
}

#[test]
fn every_convolution_reads_and_writes_u8_with_per_channel_s8_weights_and_int32_bias() {
    let int8 = quantized(&unet(), None).model;
    let g = graph::graph(&int8).unwrap();
    let (producers, consumers, constants) = (g.producers(), g.consumers(), g.constants());
    let kind = |name: &str| constants[name].data_type;
    let convolutions = nodes(&int8, "Conv");
    assert_eq!(convolutions.len(), 5);
    for conv in convolutions {
        let before: Vec<&NodeProto> = conv.input.iter().map(|name| &g.node[producers[name.as_str()]]).collect();
        assert!(before.iter().all(|node| node.op_type == "DequantizeLinear"), "{}", conv.name);
        assert_eq!(kind(&before[0].input[2]), DataType::Uint8 as i32);
        assert_eq!(kind(&before[1].input[0]), DataType::Int8 as i32);
        assert_eq!(constants[before[1].input[1].as_str()].dims, [constants[before[1].input[0].as_str()].dims[0]]);
        assert_eq!(kind(&before[2].input[0]), DataType::Int32 as i32);
        let (x, w, b) = (&before[0].input[1], &before[1].input[1], &before[2].input[1]);
        let scales = |name: &str| graph::floats(constants[name]).unwrap();
        for (bias, weight) in scales(b).iter().zip(scales(w)) {
            assert_eq!(*bias, weight * scales(x)[0], "the bias has scale s_x · s_w");
        }
        let readers = &consumers[conv.output[0].as_str()];
        assert_eq!(readers.len(), 1);
        assert_eq!(g.node[readers[0]].op_type, "QuantizeLinear");
    }
    assert!(nodes(&int8, "Relu").is_empty(), "each Relu is the lower end of a u8 range");
    assert_eq!(g.output[0].name, "logits");
    assert_eq!(g.input[0].name, "image");
}

#[test]
fn pooling_and_upsampling_keep_their_inputs_scale() {
    let report = quantized(&unet(), None).report;
    let grid = |tensor: &str| {
        let layer = report.layers.iter().find(|layer| layer.tensor == tensor).unwrap();
        (layer.scale, layer.zero_point)
    };
    assert_eq!(grid("r1"), grid("p1"));
    assert_eq!(grid("e4"), grid("u2"));
    assert!(grid("u2").1 > 0, "an Elu has negative values");
    assert_eq!(grid("u2"), grid("k2"), "the wider input of a Concat keeps its scale");
    for layer in report.layers.iter().filter(|layer| layer.operator.ends_with("+Relu")) {
        assert_eq!(layer.zero_point, 0, "{}: the clamp at zero is its Relu", layer.tensor);
    }
    assert!(report.left_in_float.is_empty(), "{:?}", report.left_in_float);
}

#[test]
fn the_int8_model_stays_close_to_the_float_model() {
    for ranges in [None, Some(RangeMethod::Percentile), Some(RangeMethod::Mse), Some(RangeMethod::MinMax)] {
        let report = quantized(&unet(), ranges).report;
        assert!(report.output_snr_db > 25.0, "{ranges:?}: {report}");
        assert!(report.agreement_with_float.unwrap() > 0.9, "{report}");
        // Before an Elu the range clamps on purpose what the Elu flattens.
        let mut others = report.layers.iter().filter(|layer| !["c3", "c4"].contains(&layer.tensor.as_str()));
        assert!(others.all(|layer| layer.own_snr_db > 30.0), "{report}");
    }
}

#[test]
fn a_convolution_in_the_int8_model_is_integer_arithmetic() {
    let model = Builder::default()
        .conv("image", "c1", [5, 3, 3, 3], 1)
        .model(&[1, 3, HEIGHT, WIDTH], ("c1", &[1, 5, HEIGHT, WIDTH]));
    let quantized = quantized(&model, Some(RangeMethod::MinMax));
    let frame = &frames(9)[8];
    let by_tract = Runner::new(&quantized.model).unwrap().run(frame).unwrap();
    let by_hand = integer_convolution(&model, &quantized, frame);
    let step = quantized.report.layers[1].scale;
    let mut off_by_one = 0;
    for (a, b) in by_tract[0].values().unwrap().iter().zip(&by_hand) {
        assert!((a - b).abs() < step * 1.001, "{a} against {b}");
        off_by_one += usize::from((a - b).abs() > step * 0.5);
    }
    // tract sums in float: a sum that falls on a rounding border may go the other way.
    assert!(off_by_one * 100 <= by_hand.len(), "{off_by_one} of {}", by_hand.len());
}

/// 3×3 convolution with padding 1 in integers, then one rounding per value.
fn integer_convolution(float: &ModelProto, quantized: &Quantized, frame: &[f32]) -> Vec<f32> {
    let grid = |index: usize| {
        let layer = &quantized.report.layers[index];
        Affine { scale: layer.scale, zero_point: layer.zero_point }
    };
    let (x_grid, y_grid) = (grid(0), grid(1));
    let tensors = &graph::graph(float).unwrap().initializer;
    let (weights, bias) = (graph::floats(&tensors[0]).unwrap(), graph::floats(&tensors[1]).unwrap());
    let channels = bias.len();
    let weights = FloatWeights { values: &weights, outputs: channels, group_channels: 3 };
    let quantized_weights = quantize_weights(weights, Some(&bias), x_grid.scale, WeightBits::Eight);
    let (bias, scales) = quantize_bias(&bias, &quantized_weights.scales, x_grid.scale);
    let pixels: Vec<i32> =
        frame.iter().map(|x| i32::from(x_grid.quantize(*x)) - i32::from(x_grid.zero_point)).collect();
    let mut result = Vec::new();
    for channel in 0..channels {
        for (row, column) in (0..HEIGHT).flat_map(|row| (0..WIDTH).map(move |column| (row, column))) {
            let mut sum = bias[channel];
            for (input, dy, dx) in (0..27).map(|tap| (tap / 9, tap / 3 % 3, tap % 3)) {
                let (y, x) = (row + dy, column + dx);
                if (1..=HEIGHT).contains(&y) && (1..=WIDTH).contains(&x) {
                    let weight = quantized_weights.integers[channel * 27 + input * 9 + dy * 3 + dx];
                    sum += i32::from(weight) * pixels[(input * HEIGHT + y - 1) * WIDTH + x - 1];
                }
            }
            result.push(y_grid.dequantize(y_grid.quantize(sum as f32 * scales[channel])));
        }
    }
    result
}

#[test]
fn fewer_levels_mean_more_noise() {
    let mut histogram = Histogram::default();
    histogram.add(&numbers(20_000, 3)).unwrap();
    let error = |levels: u8| {
        let (low, high) = least_squares_range(&histogram, levels, Reader::Any);
        squared_error(&histogram.filled(), Affine::covering(low, high, levels), levels, Reader::Any)
    };
    // Halving the levels doubles the step, and the squared error of rounding grows with the step squared.
    let (eight, seven, four) = (error(255), error(127), error(15));
    assert!((3.0..5.0).contains(&(seven / eight)), "{}", seven / eight);
    assert!(four > 100.0 * eight);
}

#[test]
fn the_least_squares_range_lets_outliers_go_and_is_never_worse_than_the_whole_range() {
    let mut histogram = Histogram::default();
    let bulk: Vec<f32> = numbers(200_000, 5).iter().map(|x| x.abs()).collect();
    histogram.add(&bulk).unwrap();
    histogram.add(&[40.0]).unwrap();
    let error = |range: (f32, f32)| {
        squared_error(&histogram.filled(), Affine::covering(range.0, range.1, 255), 255, Reader::Any)
    };
    // Clamping 40 to c costs (40 − c)², rounding n values costs n · (c / 255)² / 12.
    let best = 40.0 / (1.0 + 200_000.0 / (12.0 * 255.0_f32.powi(2)));
    let range = range_of(&histogram, RangeMethod::Mse, 99.99, Reader::Any);
    assert!((range.1 - best).abs() < 1.5, "{range:?}, expected {best}");
    assert!(error(range) <= error(histogram.range()));
    let percentile = range_of(&histogram, RangeMethod::Percentile, 99.99, Reader::Any);
    assert!((0.95..1.05).contains(&percentile.1), "{percentile:?}");
}

#[test]
fn before_an_elu_the_range_gives_up_what_the_elu_flattens() {
    let mut histogram = Histogram::default();
    histogram.add(&numbers(100_000, 5).iter().map(|x| 200.0 * x).collect::<Vec<_>>()).unwrap();
    let plain = range_of(&histogram, RangeMethod::Mse, 99.99, Reader::Any);
    let before_elu = range_of(&histogram, RangeMethod::Mse, 99.99, Reader::Elu);
    assert!(plain.0 < -190.0 && before_elu.0 > -20.0, "{plain:?} {before_elu:?}");
    assert!(before_elu.1 > 190.0, "{before_elu:?}");
}

#[test]
fn a_histogram_grows_without_losing_a_value() {
    let mut histogram = Histogram::default();
    for scale in [1e-6_f32, 1.0, 300.0] {
        histogram.add(&numbers(1000, 1).iter().map(|x| x * scale).collect::<Vec<_>>()).unwrap();
    }
    assert_eq!(histogram.filled().iter().map(|(_, count)| count).sum::<u64>(), 3000);
    let (low, high) = histogram.range();
    assert!(low < -250.0 && high > 250.0);
    assert!(histogram.add(&[1.0, f32::NAN]).unwrap_err().is_nan());
}

#[test]
fn bad_models_are_refused_by_name() {
    let frames = frames(2);
    let frames = CalibrationFrames { calibration: &frames, held: &[] };
    let config = QuantizeConfig::default();
    let none = CalibrationFrames { calibration: &[], held: &[] };
    assert!(matches!(quantize(&unet(), none, &config), Err(QuantizeError::NoFrames)));

    let again = quantize(&quantized(&unet(), None).model, frames, &config);
    assert!(matches!(again, Err(QuantizeError::AlreadyQuantized { .. })), "{again:?}");

    let mut poisoned = unet();
    let weight = &mut poisoned.graph.as_mut().unwrap().initializer[1];
    weight.raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let name = weight.name.clone();
    let refused = quantize(&poisoned, frames, &config);
    assert!(matches!(&refused, Err(QuantizeError::NonFiniteWeight { tensor, .. }) if *tensor == name), "{refused:?}");

    let short = [vec![0.0; 5]];
    let refused = quantize(&unet(), CalibrationFrames { calibration: &short, held: &[] }, &config);
    assert!(matches!(refused, Err(QuantizeError::WrongInput { expected: 384, found: 5 })), "{refused:?}");

    let unknown = Builder::default()
        .conv("image", "c1", [3, 3, 1, 1], 1)
        .node("NoSuchOperator", &["c1"], "out", &[])
        .model(&[1, 3, HEIGHT, WIDTH], ("out", &[1, 3, HEIGHT, WIDTH]));
    let refused = quantize(&unknown, frames, &config).unwrap_err().to_string();
    assert!(refused.contains("NoSuchOperator"), "{refused}");
}

#[test]
fn an_operator_without_an_int8_form_stays_in_float_and_is_listed() {
    let model = Builder::default()
        .conv("image", "c1", [3, 3, 3, 3], 1)
        .node("Softplus", &["c1"], "s1", &[])
        .conv("s1", "logits", [3, 3, 1, 1], 2)
        .model(&[1, 3, HEIGHT, WIDTH], ("logits", &[1, 3, HEIGHT, WIDTH]));
    let report = quantized(&model, None).report;
    assert_eq!(report.left_in_float.len(), 1);
    assert_eq!(report.left_in_float[0].operator, "Softplus");
    assert!(report.output_snr_db > 25.0, "{report}");
}

#[test]
fn a_file_that_is_no_model_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let missing = graph::read_model(&path).unwrap_err();
    assert!(matches!(missing, QuantizeError::Unreadable { .. }));
    std::fs::write(&path, "not a model").unwrap();
    let refused = graph::read_model(&path).unwrap_err();
    assert!(
        matches!(refused, QuantizeError::NotOnnx { .. }) && refused.to_string().contains("model.onnx"),
        "{refused}"
    );
    let bytes = unet().to_bytes();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(graph::read_model(&path), Err(QuantizeError::NotOnnx { .. })));
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(graph::read_model(&path).unwrap(), unet());
}

proptest! {
    #[test]
    fn rounding_a_value_inside_the_range_costs_at_most_half_a_step(
        low in -100.0_f32..0.0, high in 0.01_f32..100.0, share in 0.0_f32..1.0,
    ) {
        let grid = Affine::covering(low, high, 255);
        prop_assert_eq!(grid.dequantize(grid.quantize(0.0)), 0.0);
        let value = low + share * (high - low);
        let back = grid.dequantize(grid.quantize(value));
        // The zero point is rounded too, which can move the ends of the range by half a step.
        prop_assert!((back - value).abs() <= 1.01 * grid.scale, "{} became {}", value, back);
    }

    #[test]
    fn an_integer_survives_the_way_to_a_value_and_back(scale in 1e-4_f32..10.0, zero_point: u8, integer: u8) {
        let grid = Affine { scale, zero_point };
        prop_assert_eq!(grid.quantize(grid.dequantize(integer)), integer);
    }
}
