//! What cannot be taken is refused by its name, with what to do.

use parallax_onnx::{
    AttributeProto, DataType, ModelProto, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto,
};

use super::*;
use crate::tests::unet;

/// What adopting a changed network says.
fn refusal(change: impl Fn(&mut ModelProto)) -> String {
    let mut model = unet();
    change(&mut model);
    let refused = adopt(&model, &PLAIN, Some(SIZE), None, Purpose::Masks(3)).unwrap_err();
    assert!(refused.hint().is_some(), "{refused}");
    refused.to_string()
}

fn input(shape: &[usize]) -> impl Fn(&mut ModelProto) {
    move |model| model.graph.as_mut().unwrap().input[0] = ValueInfoProto::of_floats("image", shape)
}

fn of_type(mut value: ValueInfoProto, data_type: DataType) -> ValueInfoProto {
    if let Some(tensor) = value.tensor_mut() {
        tensor.elem_type = data_type as i32;
    }
    value
}

#[test]
fn inputs_that_are_no_picture_are_refused_by_name() {
    for (shape, expected) in [
        (vec![3, HEIGHT, WIDTH], "image takes [3, 8, 16]"),
        (vec![1, HEIGHT, WIDTH, 3], "image takes [1, 8, 16, 3]"),
        (vec![1, 1, HEIGHT, WIDTH], "image takes [1, 1, 8, 16]"),
        (vec![4, 3, HEIGHT, WIDTH], "image takes [4, 3, 8, 16]"),
        (vec![1, 3, 4, HEIGHT, WIDTH], "image takes [1, 3, 4, 8, 16]"),
        (vec![1, 3, 32, 64], "--size says 16x8, the model takes 64x32"),
    ] {
        let refused = refusal(input(&shape));
        assert!(refused.contains(expected), "{refused}");
    }
    let refused = refusal(|model| model.graph.as_mut().unwrap().input.push(ValueInfoProto::of_floats("mask", &[1])));
    assert!(refused.contains("takes 2: image, mask"), "{refused}");
    for (data_type, expected) in [(DataType::Uint8, "uint8"), (DataType::Double, "double"), (DataType::Int64, "int64")]
    {
        let refused = refusal(|model| {
            let input = &mut model.graph.as_mut().unwrap().input[0];
            *input = of_type(input.clone(), data_type);
        });
        assert!(
            refused.contains("expected an input of float32, image takes ") && refused.contains(expected),
            "{refused}"
        );
    }
}

#[test]
fn weights_of_16_bits_and_weights_that_are_not_finite_are_refused_by_name() {
    let change = |data_type: DataType, bytes: usize, fill: [u8; 2]| {
        refusal(move |model| {
            let tensor = &mut model.graph.as_mut().unwrap().initializer[1];
            let count = tensor.dims.iter().product::<i64>() as usize;
            tensor.data_type = data_type as i32;
            tensor.raw_data = fill.repeat(count * bytes / 2);
        })
    };
    let refused = change(DataType::Float16, 2, [0, 0x3c]);
    assert!(refused.contains("c1_w has float16"), "{refused}");
    assert!(change(DataType::Bfloat16, 2, [0, 0x3c]).contains("c1_w has bfloat16"));
    let refused = change(DataType::Float, 4, [0xff, 0x7f]);
    assert!(refused.contains("expected finite weights, got NaN in c1_w"), "{refused}");
    let refused = refusal(|model| {
        let tensor = &mut model.graph.as_mut().unwrap().initializer[2];
        let infinite: Vec<u8> = f32::INFINITY.to_le_bytes().repeat(tensor.raw_data.len() / 4);
        tensor.raw_data = infinite;
    });
    assert!(refused.contains("got inf in c1_b"), "{refused}");
}

#[test]
fn networks_in_training_are_refused_by_the_operator() {
    let builder = batch_norm(Builder::default().conv("image", "c1", [3, 3, 1, 1], 1), "c1", "logits", 3);
    let mut model = builder.model(&PICTURE, ("logits", &PICTURE));
    let norm = model.graph.as_mut().unwrap().node.last_mut().unwrap();
    norm.attribute.push(AttributeProto::integer("training_mode", 1));
    let refused = adopt(&model, &PLAIN, None, None, Purpose::Masks(3)).unwrap_err();
    assert!(refused.to_string().contains("BatchNormalization logits_node takes mean and variance"), "{refused}");

    let mut learning = TensorProto::of_longs("learning", &[], &[]);
    (learning.data_type, learning.raw_data) = (DataType::Bool as i32, vec![1]);
    let builder = Builder::default().conv("image", "c1", [3, 3, 1, 1], 1).floats("ratio", &[], &[0.5]);
    let builder = builder.tensor(learning).node("Dropout", &["c1", "ratio", "learning"], "logits", &[]);
    let refused =
        adopt(&builder.model(&PICTURE, ("logits", &PICTURE)), &PLAIN, None, None, Purpose::Masks(3)).unwrap_err();
    assert!(refused.to_string().contains("Dropout logits_node drops values"), "{refused}");
}

#[test]
fn answers_that_are_no_logits_are_refused_with_what_they_are() {
    let ends = |builder: Builder, output: &str| {
        let model = builder.model(&PICTURE, (output, &PICTURE));
        let refused = adopt(&model, &PLAIN, None, None, Purpose::Masks(3)).unwrap_err();
        assert!(refused.hint().is_some());
        format!("{refused}; {}", refused.hint().unwrap_or_default())
    };
    let conv = |outputs| Builder::default().conv("image", "c1", [outputs, 3, 1, 1], 1);
    assert!(ends(conv(1), "c1").contains("one channel is no choice"));
    assert!(ends(conv(5), "c1").contains("the classes file names 3 classes, the model gives 5"));
    let whole = conv(3).node("GlobalAveragePool", &["c1"], "p", &[]).node("Flatten", &["p"], "out", &[]);
    assert!(ends(whole, "out").contains("names a whole picture"));
    let ints = conv(3).node("Relu", &["c1"], "r", &[]);
    let mut cast = NodeProto::new("Cast", "cast", &["r"], "out");
    cast.attribute.push(AttributeProto::integer("to", 7));
    let ints = ints.push(cast);
    let said = ends(ints, "out");
    assert!(said.contains("out") && said.contains("int64"), "{said}");
}

#[test]
fn old_and_unknown_operator_sets_are_refused_by_number() {
    let refused = refusal(|model| model.opset_import[0].version = 6);
    assert!(refused.contains("operator set 6 cannot be raised to 13"), "{refused}");
    for opset in [13, 15, 18, 20, 22] {
        assert!(adopt(&with_opset(unet(), opset), &PLAIN, None, None, Purpose::Masks(3)).is_ok(), "{opset}");
    }
}

fn external(tensor: &mut parallax_onnx::TensorProto, location: &str, offset: usize) -> Vec<u8> {
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
    let bytes = std::mem::take(&mut tensor.raw_data);
    tensor.external_data = vec![
        entry("location", location.to_owned()),
        entry("offset", offset.to_string()),
        entry("length", bytes.len().to_string()),
    ];
    tensor.data_location = Some(1);
    bytes
}

#[test]
fn constants_beside_the_model_are_read_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("models");
    std::fs::create_dir(&inside).unwrap();
    let path = inside.join("model.onnx");
    let written = |location: &str| {
        let mut model = unet();
        let mut data = vec![7; 16];
        for tensor in &mut model.graph.as_mut().unwrap().initializer {
            let bytes = external(tensor, location, data.len());
            data.extend(bytes);
        }
        std::fs::write(&path, model.to_bytes()).unwrap();
        data
    };
    let data = written("model.onnx.data");
    assert!(matches!(read_model(&path), Err(ForeignError::External { .. })), "the file is not there");
    std::fs::write(inside.join("model.onnx.data"), &data).unwrap();
    assert_eq!(read_model(&path).unwrap(), unet());
    std::fs::write(inside.join("model.onnx.data"), &data[..data.len() - 1]).unwrap();
    assert!(read_model(&path).unwrap_err().to_string().contains("ends too early"));
    std::fs::write(folder.path().join("secret"), &data).unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret"), inside.join("link")).unwrap();
    for location in ["../secret", "/etc/passwd", "link", "", "no/such"] {
        written(location);
        let refused = read_model(&path).unwrap_err();
        assert!(refused.to_string().contains("is in another file") && refused.hint().is_some(), "{refused}");
    }
}

#[test]
fn a_contract_is_asked_for_and_must_agree() {
    let nothing = Asked::default();
    let refused = contract::Contract::of(&unet(), None, &nothing).unwrap_err();
    assert!(refused.to_string().contains("--mean, --std, --channels") && refused.is_bad_argument(), "{refused}");
    let bytes = Asked {
        mean: Some([123.7, 116.3, 103.5]),
        std: Some([58.4, 57.1, 57.4]),
        channels: Some(Channels::Rgb),
        size: None,
    };
    let refused = contract::Contract::of(&unet(), None, &bytes).unwrap_err();
    assert!(refused.hint().unwrap().contains("--values 0..255"), "{refused}");

    let unit = Asked { mean: Some([0.5; 3]), std: Some([0.25; 3]), channels: Some(Channels::Bgr), size: Some(SIZE) };
    let mut model = unet();
    let contract = contract::Contract::of(&model, None, &unit).unwrap();
    let taken = ModelInput { mean: [0.1; 3], ..contract.normalisation.for_size(SIZE) };
    contract.write(&taken, &mut model).unwrap();
    // What was said to `quantize` may be said again, and what was taken out of the network stays taken out.
    let again = contract::Contract::of(&model, None, &unit).unwrap();
    assert_eq!(again.normalisation.for_size(SIZE), taken);
    assert_eq!(contract::Contract::of(&model, None, &nothing).unwrap(), again);
    for (what, other) in [
        ("--size", Asked { size: Some((64, 64)), ..unit }),
        ("--mean", Asked { mean: Some([0.4; 3]), ..unit }),
        ("--std", Asked { std: Some([0.2; 3]), ..unit }),
        ("--channels", Asked { channels: Some(Channels::Rgb), ..unit }),
    ] {
        let refused = contract::Contract::of(&model, None, &other).unwrap_err().to_string();
        assert!(refused.starts_with(what) && refused.contains("metadata"), "{refused}");
    }
}
