//! Hand-made QDQ graphs: what is fused, what is left, and that integers and float agree.

use std::ops::{Deref, DerefMut};

use parallax_onnx::writer::{ConvolutionNumbers, GraphWriter};
use parallax_onnx::{AttributeProto, DataType};

use super::*;

mod along_an_axis;
mod forms;
mod operators;

/// A QDQ graph under construction, with random numbers for its weights.
struct Writer {
    writer: GraphWriter,
    seed: u32,
}

impl Deref for Writer {
    type Target = GraphWriter;

    fn deref(&self) -> &GraphWriter {
        &self.writer
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut GraphWriter {
        &mut self.writer
    }
}

impl Writer {
    /// A picture `[1, channels, height, width]` called `image`.
    fn with_image(shape: [usize; 4], seed: u32) -> Self {
        let mut writer = Self { writer: GraphWriter::new("test"), seed };
        writer.input("image", &shape);
        writer
    }

    /// The same, quantised: the name of its dequantised form comes second.
    fn new(shape: [usize; 4]) -> (Self, String) {
        let mut writer = Self::with_image(shape, 1);
        let image = writer.quantized("image", 0.02, 120);
        (writer, image)
    }

    fn random(&mut self) -> u8 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.seed >> 24) as u8
    }

    /// A convolution with random weights, in float up to its result `name`.
    fn convolution(
        &mut self,
        input: (&str, f32),
        name: &str,
        shape: [usize; 4],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let [outputs, ..] = shape;
        let count = shape.iter().product::<usize>();
        let weights = (0..count).map(|_| (self.random().max(1) ^ 0x80) as i8).collect();
        let scales = (0..outputs).map(|_| 0.002 + f32::from(self.random()) * 1e-5).collect();
        let bias = (0..outputs).map(|_| i32::from(self.random()) * 40 - 5000).collect();
        let numbers = ConvolutionNumbers { shape, weights, scales, zero_points: Some(vec![0; outputs]), bias };
        self.writer.convolution(input, name, &numbers, attributes)
    }

    fn finish(self, output: &str, shape: [usize; 4]) -> ModelProto {
        self.writer.finish(output, &shape)
    }
}

fn team(threads: usize) -> Arc<Team> {
    Arc::new(Team::new(threads).unwrap())
}

/// The labels of the fused operators of a model, in order, and what is left.
fn fused(proto: &ModelProto) -> (Vec<String>, Vec<Left>) {
    let Fused { model, left, .. } = load(proto, Isa::best(), &team(1)).unwrap();
    let model = model.into_typed().unwrap();
    let ours = model.nodes().iter().filter_map(|node| node.op_as::<Int8Operator>());
    (ours.map(|operator| operator.label().to_owned()).collect(), left)
}

fn picture(shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|at| (at as f32 * 0.61).sin() * 2.0 + (at as f32 * 0.013).cos()).collect();
    Tensor::from_shape(shape, &values).unwrap()
}

fn run(model: InferenceModel, image: &Tensor) -> Vec<f32> {
    let plan = model.into_optimized().unwrap().into_runnable().unwrap();
    let mut state = plan.spawn().unwrap();
    // Twice: the second time the operators use their memory again.
    let first = state.run(tvec!(image.clone().into_tvalue())).unwrap();
    let first = first[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
    let second = state.run(tvec!(image.clone().into_tvalue())).unwrap();
    assert_eq!(first, second[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap());
    first
}

/// Integers and float give nearly the same: the share of numbers more than `step` apart is below a thousandth.
fn assert_agree(proto: &ModelProto, shape: &[usize], step: f32) {
    let image = picture(shape);
    let float = run(in_tract(&tract_onnx::onnx(), proto).unwrap(), &image);
    let mut answers = Vec::new();
    for isa in Isa::available() {
        for threads in [1, 3] {
            answers.push(run(load(proto, isa, &team(threads)).unwrap().model, &image));
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "every variant and number of threads gives one answer");
    let apart = float.iter().zip(&answers[0]).filter(|(a, b)| (*a - *b).abs() > 1.001 * step).count();
    assert!(apart * 1000 <= float.len(), "{apart} of {} numbers are more than a step apart", float.len());
    let distinct: HashSet<u32> = float.iter().map(|value| value.to_bits()).collect();
    assert!(distinct.len() > 20, "the answer says something: {} values", distinct.len());
}

fn flat(stride: i64, pad: i64) -> Vec<AttributeProto> {
    vec![AttributeProto::integers("strides", &[stride; 2]), AttributeProto::integers("pads", &[pad; 4])]
}

/// A small network with everything that ours have: pooling, a residual block, activations, a skip connection.
fn network() -> ModelProto {
    let (mut writer, image) = Writer::new([1, 3, 24, 40]);
    writer.convolution((&image, 0.02), "stem", [16, 3, 7, 7], flat(2, 3));
    let stem = writer.node("Relu", &["stem"], "stem_relu", Vec::new());
    let stem = writer.quantized(&stem, 0.05, 0);
    let pool = vec![
        AttributeProto::integers("kernel_shape", &[3, 3]),
        AttributeProto::integers("strides", &[2, 2]),
        AttributeProto::integers("pads", &[1, 1, 1, 1]),
    ];
    let pooled = writer.node("MaxPool", &[&stem], "pool", pool);
    let pooled = writer.quantized(&pooled, 0.05, 0);
    writer.convolution((&pooled, 0.05), "deep", [16, 16, 3, 3], flat(1, 1));
    let deep = writer.quantized("deep", 0.1, 130);
    let sum = writer.node("Add", &[&pooled, &deep], "sum", Vec::new());
    let sum = writer.node("Relu", &[&sum], "sum_relu", Vec::new());
    let sum = writer.quantized(&sum, 0.07, 0);
    writer.convolution((&sum, 0.07), "reduce", [8, 16, 1, 1], flat(1, 0));
    let reduce = writer.quantized("reduce", 0.06, 100);
    let elu = writer.node("Elu", &[&reduce], "elu", Vec::new());
    let elu = writer.quantized(&elu, 0.05, 20);
    let sizes = writer.floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]);
    let nearest = vec![
        AttributeProto::text("mode", "nearest"),
        AttributeProto::text("coordinate_transformation_mode", "asymmetric"),
        AttributeProto::text("nearest_mode", "floor"),
    ];
    let up = writer.node("Resize", &[&elu, "", &sizes], "up", nearest);
    let up = writer.quantized(&up, 0.05, 20);
    let joined = writer.node("Concat", &[&up, &stem], "joined", vec![AttributeProto::integer("axis", 1)]);
    let joined = writer.quantized(&joined, 0.052, 18);
    writer.convolution(
        (&joined, 0.052),
        "depthwise",
        [24, 1, 3, 3],
        [flat(1, 1), vec![AttributeProto::integer("group", 24)]].concat(),
    );
    let depthwise = writer.quantized("depthwise", 0.02, 128);
    writer.convolution((&depthwise, 0.02), "head", [5, 24, 3, 3], flat(1, 1));
    let logits = writer.quantized("head", 0.03, 128);
    writer.finish(&logits, [1, 5, 12, 20])
}

#[test]
fn a_whole_network_is_fused_and_agrees_with_float() {
    let proto = network();
    let (labels, left) = fused(&proto);
    assert_eq!(left, []);
    let expected = [
        "QuantizeLinear",
        "Conv+Relu",
        "MaxPool",
        "Conv+Add+Relu",
        "Conv+Elu",
        "Resize+Concat",
        "Conv",
        "Conv",
        "DequantizeLinear",
    ];
    assert_eq!(labels, expected);
    assert_agree(&proto, &[1, 3, 24, 40], 0.03);
}

#[test]
fn the_last_dequantization_can_be_left_out() {
    let mut fused = load(&network(), Isa::best(), &team(1)).unwrap();
    let shape = fused.give_integers().unwrap().unwrap();
    assert_eq!(shape, PictureShape { height: 12, width: 20, channels: 5 });
    let image = picture(&[1, 3, 24, 40]);
    let plan = fused.model.into_optimized().unwrap().into_runnable().unwrap();
    let integers = plan.run(tvec!(image.clone().into_tvalue())).unwrap();
    assert_eq!(integers[0].shape(), [1, 12, 20, 5]);
    let integers = integers[0].try_as_plain_ram().unwrap().as_slice::<u8>().unwrap().to_vec();
    let float = run(load(&network(), Isa::best(), &team(1)).unwrap().model, &image);
    for (at, integer) in integers.into_iter().enumerate() {
        assert_eq!(f32::from(i16::from(integer) - 128) * 0.03, float[at % 5 * 240 + at / 5]);
    }
}

#[test]
fn what_others_read_in_between_is_not_fused_away() {
    let (mut writer, image) = Writer::new([1, 4, 8, 8]);
    writer.convolution((&image, 0.02), "first", [4, 4, 3, 3], flat(1, 1));
    let first = writer.quantized("first", 0.05, 128);
    let sum = writer.node("Add", &[&first, &image], "sum", Vec::new());
    let sum = writer.quantized(&sum, 0.05, 120);
    // The sum's first term is read a second time: the convolution must give its own result as well.
    let again = writer.node("Add", &[&sum, &first], "again", Vec::new());
    let again = writer.quantized(&again, 0.06, 125);
    let proto = writer.finish(&again, [1, 4, 8, 8]);
    assert_eq!(fused(&proto).0, ["QuantizeLinear", "Conv", "Add", "Add", "DequantizeLinear"]);
    assert_agree(&proto, &[1, 4, 8, 8], 0.06);
}

#[test]
fn float_parts_stay_with_tract_and_are_listed_with_their_reason() {
    let (mut writer, image) = Writer::new([1, 4, 8, 8]);
    let grouped = [flat(1, 1), vec![AttributeProto::integer("group", 2)]].concat();
    writer.convolution((&image, 0.02), "grouped", [6, 2, 3, 3], grouped);
    let grouped = writer.quantized("grouped", 0.03, 128);
    let float = writer.node("Softplus", &[&grouped], "softplus", Vec::new());
    let float = writer.quantized(&float, 0.02, 0);
    writer.convolution((&float, 0.02), "last", [8, 6, 1, 1], flat(1, 0));
    let last = writer.quantized("last", 0.02, 128);
    let proto = writer.finish(&last, [1, 8, 8, 8]);
    let (labels, left) = fused(&proto);
    assert_eq!(labels, ["QuantizeLinear", "Conv", "DequantizeLinear"]);
    let left: Vec<_> = left.iter().map(|left| (left.operator.as_str(), left.reason.as_str())).collect();
    let expected =
        [("Conv", "it has 2 groups for 4 channels in and 6 out"), ("Softplus", "there is no int8 form of Softplus")];
    assert_eq!(left, expected);
    assert_agree(&proto, &[1, 4, 8, 8], 0.02);
}

#[test]
fn a_convolution_that_the_file_keeps_in_float_is_named_and_not_left() {
    let (mut writer, image) = Writer::new([1, 4, 8, 8]);
    writer.convolution((&image, 0.02), "first", [4, 4, 3, 3], flat(1, 1));
    let first = writer.quantized("first", 0.05, 128);
    let weights: Vec<f32> = (0..4 * 4 * 9).map(|_| f32::from(writer.random()) / 512.0 - 0.25).collect();
    let weights = writer.floats("kept_w", &[4, 4, 3, 3], &weights);
    let kept = writer.node("Conv", &[&first, &weights], "kept", flat(1, 1));
    let kept = writer.quantized(&kept, 0.05, 128);
    writer.convolution((&kept, 0.05), "last", [4, 4, 1, 1], flat(1, 0));
    let last = writer.quantized("last", 0.05, 128);
    let proto = writer.finish(&last, [1, 4, 8, 8]);
    let whole = load(&proto, Isa::best(), &team(1)).unwrap();
    assert_eq!((whole.left.as_slice(), whole.kept.as_slice()), ([].as_slice(), ["kept_node".to_owned()].as_slice()));
    let (labels, _) = fused(&proto);
    let expected = ["QuantizeLinear", "Conv", "DequantizeLinear", "QuantizeLinear", "Conv", "DequantizeLinear"];
    assert_eq!(labels, expected);
    assert_agree(&proto, &[1, 4, 8, 8], 0.05);
}

/// A convolution between quantised pictures, with something changed.
fn changed(change: impl Fn(&mut Writer)) -> ModelProto {
    let (mut writer, image) = Writer::new([1, 4, 8, 8]);
    writer.convolution((&image, 0.02), "conv", [4, 4, 3, 3], flat(1, 1));
    change(&mut writer);
    let result = writer.quantized("conv", 0.05, 128);
    writer.finish(&result, [1, 4, 8, 8])
}

fn set(writer: &mut Writer, name: &str, bytes: Vec<u8>) {
    let tensor = writer.graph.initializer.iter_mut().find(|tensor| tensor.name == name).unwrap();
    tensor.raw_data = bytes;
}

#[test]
fn numbers_that_make_no_sense_are_left_or_refused_and_never_crash() {
    let nan = |count: usize| f32::NAN.to_le_bytes().repeat(count);
    let cases: [(&str, &str, Vec<u8>); 6] = [
        ("scales that are no numbers", "conv_ws", nan(4)),
        ("scales of zero", "conv_ws", vec![0; 16]),
        ("weights that are cut off", "conv_w", vec![1; 7]),
        ("weights that are not symmetric", "conv_wz", vec![1; 4]),
        ("a bias on another scale", "conv_bs", 1_f32.to_le_bytes().repeat(4)),
        ("a bias that leaves no room", "conv_b", i32::MAX.to_le_bytes().repeat(4)),
    ];
    for (what, name, bytes) in cases {
        let proto = changed(|writer| set(writer, name, bytes.clone()));
        // tract itself may refuse the file; what it loads must not have been fused.
        if let Ok(Fused { left, .. }) = load(&proto, Isa::best(), &team(1)) {
            assert_eq!(left.len(), 1, "{what}: {left:?}");
        }
    }
    let image_scale = changed(|writer| set(writer, "image_scale", nan(1)));
    if let Ok(fused) = load(&image_scale, Isa::best(), &team(1)) {
        assert_eq!(fused.left.len(), 1, "the convolution's input is no quantised picture: {:?}", fused.left);
    }
}

#[test]
fn bytes_changed_at_random_give_an_error_or_a_model_but_no_crash() {
    let network = network();
    // Shapes as they should be: what changes is in the operators and constants.
    let mut analysed = in_tract(&tract_onnx::onnx(), &network).unwrap();
    analysed.analyse(false).unwrap();
    let shapes = fixed_shapes(&analysed).unwrap();
    let whole = network.to_bytes();
    let mut seed = 7_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    let mut decoded = 0;
    for _case in 0..2000 {
        let mut bytes = whole.clone();
        for _change in 0..=random() % 4 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        let Ok(proto) = ModelProto::from_bytes(&bytes) else { continue };
        let Some(graph) = &proto.graph else { continue };
        let recognition = Recognition::new(Graph::new(graph), &shapes, Isa::best(), team(1));
        let (nodes, operators) = rewrite(&recognition);
        let mut fused = nodes.iter().filter(|node| node.op_type == FUSED);
        assert!(fused.all(|node| operators.contains_key(&node.name)));
        decoded += 1;
    }
    assert!(decoded > 500, "most changes leave a file that can be decoded: {decoded}");
}
