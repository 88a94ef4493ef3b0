//! Whole networks: what they compute is the same after they were adopted, and their int8 form is int8.

use parallax_onnx::{AttributeProto, ModelProto, NodeProto, ValueInfoProto};

use super::*;
use crate::tests::{quantized, unet};

fn picture(seed: u64) -> Vec<f32> {
    numbers(3 * HEIGHT * WIDTH, seed)
}

#[test]
fn a_model_of_ours_stays_as_it_is() {
    for purpose in [Purpose::Masks(3), Purpose::Quantization(None)] {
        let adopted = adopted(&unet(), purpose);
        assert!(!adopted.changed && adopted.notes.is_empty(), "{:?}", adopted.notes);
        assert_eq!((adopted.model, adopted.input), (unet(), PLAIN.for_size(SIZE)));
    }
    let int8 = quantized(&unet(), None).model;
    assert!(!adopted(&int8, Purpose::Masks(3)).changed);
}

#[test]
fn constants_among_the_inputs_break_nothing_that_is_written_of_them() {
    let mut old = unet();
    let graph = old.graph.as_mut().unwrap();
    for tensor in &graph.initializer {
        let shape: Vec<usize> = tensor.dims.iter().map(|size| *size as usize).collect();
        graph.input.push(ValueInfoProto::of_floats(&tensor.name, &shape));
    }
    old.ir_version = 3;
    let adopted = adopted(&old, Purpose::Quantization(Some(3)));
    assert_eq!(adopted.model.graph.as_ref().unwrap().input.len(), 1);
    assert!(adopted.model.ir_version >= 4, "only since then need constants not be inputs");
    assert_near(&run(&adopted.model, &picture(1)), &run(&unet(), &picture(1)));
    let int8 = quantized(&adopted.model, None).model;
    assert_eq!(int8.graph.as_ref().unwrap().input.len(), 1);
    assert_eq!(int8, quantized(&unet(), None).model.with_ir(int8.ir_version));
}

trait WithIr {
    fn with_ir(self, version: i64) -> Self;
}

impl WithIr for ModelProto {
    fn with_ir(mut self, version: i64) -> Self {
        self.ir_version = version;
        self
    }
}

#[test]
fn old_operators_mean_the_same_after_they_were_raised() {
    let builder = Builder::default()
        .conv("image", "c1", [4, 3, 3, 3], 1)
        .node("Clip", &["c1"], "clipped", &[])
        .float("clipped", "min", 0.0)
        .float("clipped", "max", 0.8)
        .node("Pad", &["clipped"], "padded", &[("pads", &[0, 0, 1, 1, 0, 0, 1, 1])])
        .float("padded", "value", 0.25)
        .node("MaxPool", &["padded"], "pooled", &[("kernel_shape", &[3, 3]), ("strides", &[2, 2])])
        .node("Slice", &["pooled"], "sliced", &[("starts", &[0, 1]), ("ends", &[4, 3]), ("axes", &[0, 1])])
        .node("Unsqueeze", &["sliced"], "five", &[("axes", &[0])])
        .node("Squeeze", &["five"], "four", &[("axes", &[0])])
        .node("Softmax", &["four"], "soft", &[])
        .with_axis("soft", 2)
        .node("Dropout", &["soft"], "kept", &[])
        .conv("kept", "logits", [3, 2, 1, 1], 4);
    let model = with_opset(builder.model(&PICTURE, ("logits", &[1, 3, HEIGHT / 2, WIDTH / 2])), 9);
    let adopted = adopted(&model, Purpose::Quantization(None));
    assert_eq!(adopted.model.opset_import[0].version, 13);
    assert!(nodes(&adopted.model, "Dropout").is_empty());
    let (found, expected) = (run(&adopted.model, &picture(2)), run(&model, &picture(2)));
    // What it ends in is enlarged: its first pixel keeps its value.
    assert_eq!(found.len(), 4 * expected.len());
    assert!((found[0] - expected[0]).abs() < 1e-5 && expected[0] != expected[expected.len() - 1]);
    // What 9 calls Upsample, 10 calls Resize; tract knows that one alone.
    for mode in ["nearest", "linear"] {
        let enlarging = |operator: &str, opset| {
            let builder = Builder::default()
                .floats("up", &[4], &[1.0, 1.0, 2.0, 2.0])
                .conv("image", "c1", [3, 3, 3, 3], 1)
                .ints("c1", "strides", &[2, 2])
                .node(operator, &["c1", "up"], "logits", &[])
                .text("logits", "mode", mode);
            with_opset(builder.model(&PICTURE, ("logits", &PICTURE)), opset)
        };
        let adopted = super::adopted(&enlarging("Upsample", 9), Purpose::Masks(3));
        assert!(nodes(&adopted.model, "Upsample").is_empty());
        assert_near(&run(&adopted.model, &picture(2)), &run(&enlarging("Resize", 10), &picture(2)));
    }
    // A changed operator that is not known is refused by its name.
    let unknown = Builder::default().conv("image", "c1", [3, 3, 1, 1], 1).node("TopK", &["c1"], "logits", &[]);
    let unknown = with_opset(unknown.model(&PICTURE, ("logits", &PICTURE)), 9);
    let refused = adopt(&unknown, &PLAIN, None, None, Purpose::Masks(3)).unwrap_err();
    assert!(refused.to_string().contains("operator set 9") && refused.to_string().contains("TopK"), "{refused}");
}

/// An encoder whose features are enlarged to the size of the picture, which is computed from its shape.
fn computed_sizes() -> ModelProto {
    let builder = Builder::default()
        .longs("zero", &[0])
        .longs("two", &[2])
        .longs("far", &[i64::MAX])
        .conv("image", "c1", [4, 3, 3, 3], 1)
        .ints("c1", "strides", &[2, 2])
        .node("Relu", &["c1"], "r1", &[])
        .node("Shape", &["image"], "whole", &[])
        .node("Slice", &["whole", "two", "far", "zero"], "sides", &[])
        .node("Shape", &["r1"], "features", &[])
        .node("Slice", &["features", "zero", "two", "zero"], "front", &[])
        .node("Concat", &["front", "sides"], "wanted", &[])
        .with_axis("wanted", 0)
        .node("Resize", &["r1", "", "", "wanted"], "larger", &[])
        .text("larger", "mode", "linear")
        .conv("larger", "c2", [4, 4, 3, 3], 2)
        // And once more, behind a size that must be known first.
        .node("Shape", &["c2"], "whole2", &[])
        .node("Slice", &["whole2", "two", "far", "zero"], "sides2", &[])
        .node("MaxPool", &["c2"], "p2", &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])])
        .node("Shape", &["p2"], "features2", &[])
        .node("Slice", &["features2", "zero", "two", "zero"], "front2", &[])
        .node("Concat", &["front2", "sides2"], "wanted2", &[])
        .with_axis("wanted2", 0)
        .node("Resize", &["p2", "", "", "wanted2"], "larger2", &[])
        .text("larger2", "mode", "linear")
        .conv("larger2", "logits", [3, 4, 1, 1], 3);
    builder.model(&PICTURE, ("logits", &[1, 3, HEIGHT, WIDTH]))
}

#[test]
fn sizes_that_a_model_computes_become_constants_also_when_all_is_dynamic() {
    let expected = run_as_it_is(&computed_sizes(), &picture(3));
    for model in [computed_sizes(), dynamic(computed_sizes())] {
        let adopted = adopted(&model, Purpose::Quantization(Some(3)));
        for operator in ["Shape", "Slice", "Concat", "Gather"] {
            assert!(nodes(&adopted.model, operator).is_empty(), "{operator} is left");
        }
        assert_near(&run(&adopted.model, &picture(3)), &expected);
        let report = quantized(&adopted.model, None).report;
        assert!(report.left_in_float.is_empty(), "{:?}", report.left_in_float);
    }
    let refused = adopt(&dynamic(computed_sizes()), &PLAIN, None, None, Purpose::Masks(3)).unwrap_err();
    assert!(refused.to_string().contains("image: [?, 3, ?, ?]") && refused.is_bad_argument(), "{refused}");
}

#[test]
fn batch_norms_and_constant_factors_go_into_convolutions() {
    let builder = Builder::default()
        .floats("factor", &[1, 5, 1, 1], &[0.5, -1.5, 2.0, 0.75, 1.25])
        .floats("three", &[], &[3.0])
        .floats("sixth", &[1], &[6.0])
        .conv("image", "c1", [4, 3, 3, 3], 1);
    let builder = batch_norm(builder, "c1", "b1", 4).node("Relu", &["b1"], "r1", &[]);
    // A batch norm with no convolution before it, and one whose convolution others read too.
    let builder = batch_norm(builder, "r1", "b2", 4).node("Relu", &["b2"], "r2", &[]).conv("r2", "c3", [5, 4, 3, 3], 2);
    let builder = batch_norm(builder, "c3", "b3", 5).node("Add", &["b3", "c3"], "a3", &[]);
    // HardSwish as old exporters write it: x · clip(x + 3, 0, 6) / 6.
    let builder = builder
        .floats("low", &[], &[0.0])
        .floats("high", &[], &[6.0])
        .node("Mul", &["a3", "factor"], "m3", &[])
        .node("Add", &["m3", "three"], "h1", &[])
        .node("Clip", &["h1", "low", "high"], "h2", &[])
        .node("Mul", &["m3", "h2"], "h3", &[])
        .node("Div", &["h3", "sixth"], "h4", &[])
        .conv("h4", "logits", [3, 5, 1, 1], 3);
    let model = builder.model(&PICTURE, ("logits", &[1, 3, HEIGHT, WIDTH]));
    let adopted = adopted(&model, Purpose::Quantization(Some(3)));
    assert!(nodes(&adopted.model, "BatchNormalization").is_empty());
    assert_near(&run(&adopted.model, &picture(4)), &run(&model, &picture(4)));
    let report = quantized(&adopted.model, None).report;
    assert!(report.left_in_float.is_empty(), "{:?}", report.left_in_float);
    assert!(report.output_snr_db > 20.0, "{report}");
    // The same file without folding, which is what was quantized before.
    assert!(quantized(&model, None).report.left_in_float.len() >= 5);
}

#[test]
fn a_clip_behind_a_convolution_is_the_end_of_its_range() {
    let builder = Builder::default()
        .floats("low", &[], &[0.0])
        .floats("high", &[], &[0.5])
        .conv("image", "c1", [4, 3, 3, 3], 1)
        .node("Clip", &["c1", "low", "high"], "r1", &[])
        .conv("r1", "c2", [4, 4, 3, 3], 2)
        .node("Concat", &["c2", "r1"], "k", &[])
        .with_axis("k", 1)
        .conv("k", "logits", [3, 8, 1, 1], 3);
    let quantized = quantized(&builder.model(&PICTURE, ("logits", &[1, 3, HEIGHT, WIDTH])), None);
    assert!(quantized.report.left_in_float.is_empty(), "{:?}", quantized.report.left_in_float);
    assert!(quantized.report.output_snr_db > 25.0, "{}", quantized.report);
    assert_eq!(nodes(&quantized.model, "Clip").len(), 1);
    let clip = nodes(&quantized.model, "Clip")[0].input[0].clone();
    assert_eq!(clip, "c1", "between the two nothing is rounded");
}

/// A network that takes bytes in the order blue, green, red, and normalises them itself.
fn normalises_itself(swap: impl Fn(Builder) -> Builder) -> ModelProto {
    let builder = Builder::default()
        .floats("byte", &[], &[255.0])
        .floats("mean", &[1, 3, 1, 1], &[0.4, 0.5, 0.6])
        .floats("std", &[3, 1, 1], &[0.2, 0.25, 0.3])
        .node("Div", &["image", "byte"], "unit", &[]);
    let builder = swap(builder)
        .node("Sub", &["swapped", "mean"], "centred", &[])
        .node("Div", &["centred", "std"], "ready", &[])
        .conv("ready", "logits", [3, 3, 3, 3], 1);
    builder.model(&PICTURE, ("logits", &[1, 3, HEIGHT, WIDTH]))
}

#[test]
fn normalisation_inside_a_network_goes_into_the_contract() {
    let gather = |builder: Builder| {
        builder.longs("order", &[2, 1, 0]).node("Gather", &["unit", "order"], "swapped", &[]).with_axis("swapped", 1)
    };
    let slice = |builder: Builder| {
        let builder =
            builder.longs("from", &[-1]).longs("to", &[i64::MIN + 1]).longs("axis", &[1]).longs("step", &[-1]);
        builder.node("Slice", &["unit", "from", "to", "axis", "step"], "swapped", &[])
    };
    let split = |builder: Builder| {
        let mut split = NodeProto::new("Split", "split", &["unit"], "blue");
        split.output.extend(["green".to_owned(), "red".to_owned()]);
        split.attribute.push(AttributeProto::integer("axis", 1));
        builder.push(split).node("Concat", &["red", "green", "blue"], "swapped", &[]).with_axis("swapped", 1)
    };
    let bytes = Normalisation { mean: [0.0; 3], std: [1.0 / 255.0; 3], channels: Channels::Bgr };
    let photo = image::RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        image::Rgb([(x * 16) as u8, (y * 30) as u8, (x * y * 3) as u8])
    });
    for model in [normalises_itself(gather), normalises_itself(slice), normalises_itself(split)] {
        let adopted = adopt(&model, &bytes, None, None, Purpose::Quantization(Some(3))).unwrap();
        assert_eq!(
            nodes(&adopted.model, "Conv").len(),
            adopted.model.graph.as_ref().unwrap().node.len(),
            "only it is left"
        );
        assert_eq!(adopted.input.channels, Channels::Rgb);
        for (found, expected) in
            adopted.input.mean.iter().chain(&adopted.input.std).zip([0.4, 0.5, 0.6, 0.2, 0.25, 0.3])
        {
            assert!((found - expected).abs() < 1e-6, "{:?}", adopted.input);
        }
        let (mut before, mut after) = (vec![0.0; adopted.input.len()], vec![0.0; adopted.input.len()]);
        bytes.for_size(SIZE).prepare(&photo, &mut before);
        adopted.input.prepare(&photo, &mut after);
        assert_near(&run(&adopted.model, &after), &run(&model, &before));
    }
}

#[test]
fn a_picture_that_others_read_too_keeps_its_normalisation_and_is_quantized_all_the_same() {
    let builder = Builder::default()
        .floats("mean", &[1, 3, 1, 1], &[0.4, 0.5, 0.6])
        .node("Sub", &["image", "mean"], "centred", &[])
        .conv("centred", "c1", [4, 3, 3, 3], 1)
        .node("Concat", &["c1", "image"], "k", &[])
        .with_axis("k", 1)
        .conv("k", "logits", [3, 7, 1, 1], 2);
    let model = builder.model(&PICTURE, ("logits", &[1, 3, HEIGHT, WIDTH]));
    let adopted = adopted(&model, Purpose::Quantization(Some(3)));
    assert_eq!(adopted.input, PLAIN.for_size(SIZE));
    assert_near(&run(&adopted.model, &picture(5)), &run(&model, &picture(5)));
    assert!(quantized(&adopted.model, None).report.left_in_float.is_empty());
}
