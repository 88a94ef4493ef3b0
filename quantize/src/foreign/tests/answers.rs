//! What a network ends in.

use parallax_onnx::{AttributeProto, ModelProto, NodeProto, ValueInfoProto};

use super::*;

/// A network of one convolution with stride 1 or 4, and what comes behind its logits.
fn ending(stride: i64, behind: impl Fn(Builder) -> (Builder, &'static str)) -> ModelProto {
    let (height, width) = (HEIGHT / stride as usize, WIDTH / stride as usize);
    let builder =
        Builder::default().conv("image", "logits", [3, 3, 3, 3], 5).ints("logits", "strides", &[stride, stride]);
    let (builder, output) = behind(builder);
    builder.model(&PICTURE, (output, &[1, 3, height, width]))
}

fn picture() -> Vec<f32> {
    numbers(3 * HEIGHT * WIDTH, 7)
}

#[test]
fn what_only_orders_the_logits_is_left_out_and_the_mask_is_the_same() {
    let expected = run(&ending(1, |builder| (builder, "logits")), &picture());
    let axis = |operator: &'static str, axis: i64| {
        move |builder: Builder| {
            let builder = builder.node(operator, &["logits"], "out", &[]);
            (builder.with_axis("out", axis), "out")
        }
    };
    let last = |operator: &'static str| {
        move |builder: Builder| {
            let builder = builder.node("Transpose", &["logits"], "last", &[("perm", &[0, 2, 3, 1])]);
            (builder.node(operator, &["last"], "out", &[]).with_axis("out", -1), "out")
        }
    };
    let models = [
        ending(1, axis("Softmax", 1)),
        ending(1, axis("LogSoftmax", -3)),
        ending(1, axis("ArgMax", 1)),
        ending(1, |builder| (builder.node("Sigmoid", &["logits"], "out", &[]), "out")),
        ending(1, last("Softmax")),
        ending(1, last("ArgMax")),
        ending(1, |builder| {
            let builder = builder.node("ArgMax", &["logits"], "best", &[]).with_axis("best", 1);
            let builder = builder.longs("axes", &[1]).node("Squeeze", &["best", "axes"], "flat", &[]);
            let mut cast = NodeProto::new("Cast", "cast", &["flat"], "out");
            cast.attribute.push(AttributeProto::integer("to", 2));
            (builder.push(cast), "out")
        }),
        ending(1, |builder| {
            let builder = builder.node("Transpose", &["logits"], "last", &[("perm", &[0, 3, 2, 1])]);
            let builder = builder.node("Softmax", &["last"], "soft", &[]).with_axis("soft", 3);
            (builder.node("Transpose", &["soft"], "out", &[("perm", &[0, 3, 2, 1])]), "out")
        }),
    ];
    for model in models {
        let adopted = adopted(&model, Purpose::Masks(3));
        assert_eq!(run(&adopted.model, &picture()), expected, "{:?}", adopted.notes);
        assert!(!adopted.notes.is_empty(), "what was left out is told");
    }
}

#[test]
fn an_argmax_that_takes_the_last_of_equals_is_refused() {
    let model = ending(1, |builder| {
        let mut last = NodeProto::new("ArgMax", "best", &["logits"], "out");
        last.attribute.push(AttributeProto::integer("axis", 1));
        last.attribute.push(AttributeProto::integer("select_last_index", 1));
        (builder.push(last), "out")
    });
    let refused = adopt(&model, &PLAIN, None, None, Purpose::Masks(3)).unwrap_err();
    assert!(refused.to_string().contains("select_last_index"), "{refused}");
}

#[test]
fn a_softmax_over_another_axis_is_not_left_out() {
    let model = ending(1, |builder| (builder.node("Softmax", &["logits"], "out", &[]).with_axis("out", 3), "out"));
    let adopted = adopted(&model, Purpose::Masks(3));
    assert_eq!(nodes(&adopted.model, "Softmax").len(), 1);
    assert_near(&run(&adopted.model, &picture()), &run(&model, &picture()));
}

#[test]
fn logits_of_a_quarter_are_enlarged_between_the_centres_and_a_mask_by_repetition() {
    let small = ending(4, |builder| (builder, "logits"));
    let (height, width) = (HEIGHT / 4, WIDTH / 4);
    let coarse = run(&small, &picture());
    let enlarged = run(&adopted(&small, Purpose::Masks(3)).model, &picture());
    assert_eq!(enlarged.len(), 3 * HEIGHT * WIDTH);
    // Linear between centres, the edge's value outside of them.
    let at = |plane: usize, y: usize, x: usize| coarse[(plane * height + y) * width + x];
    let place = |at: usize, most: usize| {
        let place = ((at as f32 + 0.5) / 4.0 - 0.5).clamp(0.0, (most - 1) as f32);
        let first = (place as usize).min(most.saturating_sub(2));
        (first, place - first as f32)
    };
    for (index, found) in enlarged.iter().enumerate() {
        let (plane, y, x) = (index / (HEIGHT * WIDTH), index / WIDTH % HEIGHT, index % WIDTH);
        let ((y, part_y), (x, part_x)) = (place(y, height), place(x, width));
        let row = |y: usize| at(plane, y, x) * (1.0 - part_x) + at(plane, y, x + 1) * part_x;
        let expected = row(y) * (1.0 - part_y) + row(y + 1) * part_y;
        assert!((found - expected).abs() < 1e-4, "{found} for {expected} at {index}");
    }
    let masked = ending(4, |builder| (builder.node("ArgMax", &["logits"], "out", &[]).with_axis("out", 1), "out"));
    let found = mask(&run(&adopted(&masked, Purpose::Masks(3)).model, &picture()), 3);
    let coarse = mask(&coarse, 3);
    for (index, class) in found.iter().enumerate() {
        assert_eq!(*class, coarse[index / WIDTH / 4 * width + index % WIDTH / 4], "at {index}");
    }
    assert!(coarse.iter().any(|class| *class != coarse[0]), "the mask says something");
}

#[test]
fn one_of_several_outputs_is_chosen_and_the_rest_is_dropped() {
    let mut model = ending(1, |builder| (builder.conv("image", "aux", [2, 3, 1, 1], 9), "logits"));
    model.graph.as_mut().unwrap().output.push(ValueInfoProto::of_floats("aux", &[1, 2, HEIGHT, WIDTH]));
    let refused = adopt(&model, &PLAIN, None, None, Purpose::Masks(3)).unwrap_err();
    assert!(refused.to_string().contains("gives 2: logits, aux") && refused.hint().unwrap().contains("--output"));
    let adopted = adopt(&model, &PLAIN, None, Some("logits"), Purpose::Masks(3)).unwrap();
    assert_eq!(nodes(&adopted.model, "Conv").len(), 1);
    let refused = adopt(&model, &PLAIN, None, Some("mask"), Purpose::Masks(3)).unwrap_err();
    assert!(refused.to_string().contains("no output mask, only logits, aux") && refused.is_bad_argument());
}

#[test]
fn a_sigmoid_of_a_network_that_names_no_classes_stays() {
    let depth = Builder::default().conv("image", "c1", [1, 3, 3, 3], 5).node("Sigmoid", &["c1"], "disparity", &[]);
    let depth = depth.model(&PICTURE, ("disparity", &[1, 1, HEIGHT, WIDTH]));
    let adopted = adopted(&depth, Purpose::Quantization(None));
    assert!(!adopted.changed && adopted.notes.is_empty(), "{:?}", adopted.notes);
}
