//! Operators that stand between convolutions: how they are written in files, and that integers and float agree.

use parallax_onnx::TensorProto;

use super::*;

/// A convolution on either side of what `between` writes: it is given the quantised picture and gives the next one, with its
/// scale.
fn around(
    shape: [usize; 4],
    output: [usize; 4],
    between: impl FnOnce(&mut Writer, &str) -> (String, f32),
) -> (ModelProto, [usize; 4]) {
    let (mut writer, image) = Writer::new(shape);
    writer.convolution((&image, 0.02), "before", [6, shape[1], 3, 3], flat(1, 1));
    let before = writer.quantized("before", 0.05, 128);
    let (picture, scale) = between(&mut writer, &before);
    writer.convolution((&picture, scale), "after", [output[1], 6, 1, 1], flat(1, 0));
    let after = writer.quantized("after", 0.02, 128);
    (writer.finish(&after, output), shape)
}

fn longs(writer: &mut Writer, name: &str, values: &[i64]) -> String {
    writer.tensor(TensorProto::of_longs(name, &[values.len()], values))
}

fn labels_around(proto: &ModelProto) -> Vec<String> {
    let (labels, left) = fused(proto);
    assert_eq!(left, []);
    labels[1..labels.len() - 1].to_vec()
}

/// A Resize between quantised pictures, and nothing behind it: where a value lies half way between two integers float and
/// integers may take different ones, which a convolution would multiply.
fn resized(coordinates: &str, scale: f32, [height, width]: [usize; 2]) -> ModelProto {
    let (mut writer, image) = Writer::new([1, 3, 10, 14]);
    let mode = vec![
        AttributeProto::text("mode", "linear"),
        AttributeProto::text("coordinate_transformation_mode", coordinates),
    ];
    let up = if [height, width] == [20, 28] {
        let scales = writer.floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]);
        writer.node("Resize", &[&image, "", &scales], "up", mode)
    } else {
        let sizes = longs(&mut writer, "sizes", &[1, 3, height as i64, width as i64]);
        writer.node("Resize", &[&image, "", "", &sizes], "up", mode)
    };
    let up = writer.quantized(&up, scale, 118);
    writer.finish(&up, [1, 3, height, width])
}

#[test]
fn bilinear_resizing_is_fused_on_its_own_scale_or_another() {
    for coordinates in ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"] {
        for scale in [0.02, 0.013] {
            for size in [[20, 28], [9, 31], [40, 7]] {
                let proto = resized(coordinates, scale, size);
                assert_eq!(labels_around(&proto), ["Resize"], "{coordinates}, {size:?}");
                assert_agree(&proto, &[1, 3, 10, 14], scale);
            }
        }
    }
}

#[test]
fn cubic_enlargement_stays_in_float_and_is_listed() {
    let (mut writer, image) = Writer::new([1, 3, 8, 8]);
    let scales = writer.floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]);
    let up = writer.node("Resize", &[&image, "", &scales], "up", vec![AttributeProto::text("mode", "cubic")]);
    let up = writer.quantized(&up, 0.02, 120);
    let proto = writer.finish(&up, [1, 3, 16, 16]);
    let shapes = Shapes::from([("image".to_owned(), vec![1, 3, 8, 8]), ("up".to_owned(), vec![1, 3, 16, 16])]);
    let graph = Graph::new(proto.graph.as_ref().unwrap());
    let left = Recognition::new(graph, &shapes, Isa::best(), team(1)).left;
    assert_eq!(left.len(), 1);
    assert!(left[0].reason.contains("cubic"), "{left:?}");
}

/// A Pad in front of a convolution, quantised by itself or not.
fn padded(mode: &str, quantized: bool, value: f32) -> (ModelProto, [usize; 4]) {
    let (mut writer, image) = Writer::new([1, 4, 9, 12]);
    let pads = longs(&mut writer, "pads", &[0, 0, 1, 2, 0, 0, 2, 1]);
    let value = writer.floats("value", &[], &[value]);
    let inputs: &[&str] = if mode == "constant" { &[&image, &pads, &value] } else { &[&image, &pads] };
    let mut pad = writer.node("Pad", inputs, "pad", vec![AttributeProto::text("mode", mode)]);
    if quantized {
        pad = writer.quantized(&pad, 0.02, 120);
    }
    writer.convolution((&pad, 0.02), "conv", [7, 4, 3, 3], flat(1, 0));
    let conv = writer.quantized("conv", 0.05, 128);
    (writer.finish(&conv, [1, 7, 10, 13]), [1, 4, 9, 12])
}

#[test]
fn a_border_becomes_the_padding_of_the_convolution_that_reads_it() {
    for mode in ["reflect", "edge", "constant"] {
        for quantized in [false, true] {
            let (proto, shape) = padded(mode, quantized, 0.0);
            assert_eq!(labels_around(&proto), ["Pad+Conv"], "{mode}, {quantized}");
            assert_agree(&proto, &shape, 0.05);
        }
    }
}

#[test]
fn a_border_of_another_number_is_an_operator_of_its_own() {
    let (proto, shape) = padded("constant", true, 1.0);
    assert_eq!(labels_around(&proto), ["Pad", "Conv"]);
    assert_agree(&proto, &shape, 0.05);
    let left = fused(&padded("constant", false, 1.0).0).1;
    assert_eq!(left[0].reason, "its input is padded with 1, not with zero");
}

#[test]
fn a_border_that_others_read_is_not_fused_away() {
    let (mut writer, image) = Writer::new([1, 4, 9, 12]);
    let pads = longs(&mut writer, "pads", &[0, 0, 1, 1, 0, 0, 1, 1]);
    let pad = writer.node("Pad", &[&image, &pads], "pad", vec![AttributeProto::text("mode", "reflect")]);
    let pad = writer.quantized(&pad, 0.02, 120);
    writer.convolution((&pad, 0.02), "conv", [4, 4, 3, 3], flat(1, 1));
    let conv = writer.quantized("conv", 0.05, 128);
    let sum = writer.node("Add", &[&conv, &pad], "sum", Vec::new());
    let sum = writer.quantized(&sum, 0.06, 125);
    let proto = writer.finish(&sum, [1, 4, 11, 14]);
    assert_eq!(labels_around(&proto), ["Pad", "Conv+Add"]);
    assert_agree(&proto, &[1, 4, 9, 12], 0.06);
}

#[test]
fn a_mirrored_border_before_a_convolution_that_pads_with_zeros_keeps_both() {
    let (mut writer, image) = Writer::new([1, 4, 9, 12]);
    let pads = longs(&mut writer, "pads", &[0, 0, 1, 1, 0, 0, 1, 1]);
    let pad = writer.node("Pad", &[&image, &pads], "pad", vec![AttributeProto::text("mode", "reflect")]);
    let pad = writer.quantized(&pad, 0.02, 120);
    writer.convolution((&pad, 0.02), "conv", [4, 4, 3, 3], flat(1, 1));
    let conv = writer.quantized("conv", 0.05, 128);
    let proto = writer.finish(&conv, [1, 4, 11, 14]);
    assert_eq!(labels_around(&proto), ["Pad", "Conv"]);
    assert_agree(&proto, &[1, 4, 9, 12], 0.05);
}

#[test]
fn means_are_fused() {
    for (all, pads) in [(0, 1), (1, 1), (0, 0)] {
        let (proto, shape) = around([1, 3, 12, 20], [1, 5, 6, 10], |writer, before| {
            let size = if pads == 1 { 3 } else { 2 };
            let mut attributes = flat(2, pads);
            attributes.extend([
                AttributeProto::integers("kernel_shape", &[size; 2]),
                AttributeProto::integer("count_include_pad", all),
            ]);
            let pool = writer.node("AveragePool", &[before], "pool", attributes);
            (writer.quantized(&pool, 0.03, 120), 0.03)
        });
        assert_eq!(labels_around(&proto), ["Conv", "AveragePool", "Conv"]);
        assert_agree(&proto, &shape, 0.02);
    }
}

#[test]
fn the_mean_of_a_whole_picture_is_fused_however_it_is_written() {
    for operator in ["GlobalAveragePool", "ReduceMean"] {
        let (proto, shape) = around([1, 3, 12, 20], [1, 40, 1, 1], |writer, before| {
            let axes = longs(writer, "axes", &[-1, 2]);
            let inputs: &[&str] = if operator == "ReduceMean" { &[before, &axes] } else { &[before] };
            let pool = writer.node(operator, inputs, "pool", Vec::new());
            (writer.quantized(&pool, 0.02, 128), 0.02)
        });
        assert_eq!(labels_around(&proto), ["Conv", operator, "Conv"]);
        assert_agree(&proto, &shape, 0.02);
    }
}

#[test]
fn a_picture_times_its_sigmoid_is_fused() {
    let (proto, shape) = around([1, 3, 12, 20], [1, 5, 12, 20], |writer, before| {
        let gate = writer.node("Sigmoid", &[before], "gate", Vec::new());
        let gate = writer.quantized(&gate, 1.0 / 255.0, 0);
        let product = writer.node("Mul", &[before, &gate], "product", Vec::new());
        (writer.quantized(&product, 0.03, 10), 0.03)
    });
    assert_eq!(labels_around(&proto), ["Conv", "Sigmoid", "Mul", "Conv"]);
    assert_agree(&proto, &shape, 0.02);
}

#[test]
fn large_and_dilated_windows_are_fused() {
    for (size, dilation) in [(5, 1), (7, 1), (3, 2), (3, 4), (5, 2)] {
        let (mut writer, image) = Writer::new([1, 5, 24, 26]);
        let pad = size as i64 / 2 * dilation;
        let attributes = [flat(1, pad), vec![AttributeProto::integers("dilations", &[dilation; 2])]].concat();
        writer.convolution((&image, 0.02), "wide", [6, 5, size, size], attributes.clone());
        let wide = writer.quantized("wide", 0.2, 128);
        let group = vec![AttributeProto::integer("group", 6)];
        writer.convolution((&wide, 0.2), "deep", [6, 1, size, size], [attributes, group].concat());
        let deep = writer.quantized("deep", 0.3, 128);
        let proto = writer.finish(&deep, [1, 6, 24, 26]);
        assert_eq!(labels_around(&proto), ["Conv", "Conv"], "{size}, {dilation}");
        assert_agree(&proto, &[1, 5, 24, 26], 0.3);
    }
}

#[test]
fn every_activation_is_a_table_in_the_convolution_before_it() {
    for operator in ["Elu", "Sigmoid", "Relu", "LeakyRelu", "Tanh", "HardSwish", "HardSigmoid"] {
        let (proto, shape) = around([1, 3, 12, 20], [1, 5, 12, 20], |writer, before| {
            let after = writer.node(operator, &[before], "active", Vec::new());
            (writer.quantized(&after, 0.03, 40), 0.03)
        });
        assert_eq!(labels_around(&proto), [format!("Conv+{operator}"), "Conv".to_owned()]);
        assert_agree(&proto, &shape, 0.02);
    }
}
