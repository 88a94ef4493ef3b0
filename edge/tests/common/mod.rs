//! A bundle made by hand: a 1×1 convolution that calls a pixel `red` when its red value is above one half.

use std::collections::BTreeMap;
use std::path::Path;

use image::{Rgb, RgbImage};
use parallax_core::bundle::{self, Arithmetic, BundleManifest, BundledModel, Golden, Training};
use parallax_core::files::sha256_of_bytes;
use parallax_core::labels::Classes;
use parallax_core::model_input::ModelInput;
use parallax_onnx::writer::GraphWriter;
use parallax_onnx::{NodeProto, TensorProto};

pub(crate) const WIDTH: u32 = 16;
pub(crate) const HEIGHT: u32 = 8;

/// Half black, half red, with the border at `split`.
pub(crate) fn picture(width: u32, height: u32, split: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < split { Rgb([10, 200, 30]) } else { Rgb([250, 0, 90]) })
}

pub(crate) fn classes() -> Classes {
    let mut classes = Classes::dense(&[("other", [0, 0, 0]), ("red", [255, 0, 0])]);
    classes.entries[1].id = 7;
    classes
}

fn floats(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
    TensorProto { float_data: values.to_vec(), ..TensorProto::of_floats(name, shape, &[]) }
}

/// `logits = [-red, red]` for a normalised picture of the given size; `operator` is `Conv` unless a test breaks it.
pub(crate) fn model(operator: &str, width: u32, height: u32) -> Vec<u8> {
    let mut writer = GraphWriter::new("by hand");
    let (width, height) = (width as usize, height as usize);
    writer.input("image", &[1, 3, height, width]);
    writer.tensor(floats("weights", &[2, 3, 1, 1], &[-1.0, 0.0, 0.0, 1.0, 0.0, 0.0]));
    writer.graph.node.push(NodeProto::new(operator, "classify", &["image", "weights"], "logits"));
    let mut model = writer.finish("logits", &[1, 2, height, width]);
    model.opset_import[0].version = 17;
    model.to_bytes()
}

pub(crate) fn input() -> ModelInput {
    ModelInput { mean: [0.5; 3], std: [0.5; 3], ..ModelInput::imagenet(WIDTH, HEIGHT) }
}

fn png(picture: &image::DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Writes a bundle around `model`, with whatever `change` does to its manifest.
pub(crate) fn write_bundle(path: &Path, model: Vec<u8>, change: impl FnOnce(&mut BundleManifest)) {
    let frame = picture(WIDTH, HEIGHT, 6);
    let mask = image::GrayImage::from_fn(WIDTH, HEIGHT, |x, _| image::Luma([if x < 6 { 0 } else { 7 }]));
    let (frame, mask) = (png(&frame.into()), png(&mask.into()));
    let golden = Golden {
        frame: "golden.png".to_owned(),
        frame_sha256: sha256_of_bytes(&frame),
        mask: "golden_mask.png".to_owned(),
        mask_sha256: sha256_of_bytes(&mask),
    };
    let main = BundledModel {
        role: "main".to_owned(),
        file: "main.onnx".to_owned(),
        sha256: sha256_of_bytes(&model),
        arithmetic: Arithmetic::Float32,
    };
    let training = Training {
        network: "by hand".to_owned(),
        transfer: "none".to_owned(),
        seed: 0,
        labelled: vec!["000".to_owned()],
        labelled_sha256: Vec::new(),
    };
    let mut manifest = BundleManifest {
        schema: bundle::SCHEMA,
        name: "red".to_owned(),
        packed_by: "a test".to_owned(),
        input: input(),
        models: vec![main],
        golden,
        training,
        cameras: Vec::new(),
        classes: classes(),
    };
    change(&mut manifest);
    let files = BTreeMap::from([
        ("main.onnx".to_owned(), model),
        ("golden.png".to_owned(), frame),
        ("golden_mask.png".to_owned(), mask),
    ]);
    bundle::write(path, &manifest, &files).unwrap();
}
