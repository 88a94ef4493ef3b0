//! Networks with the operators that may stand between convolutions, quantized by onnxruntime's own quantizer: all of them run
//! in our integers, and they are onnxruntime's.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_core::bundle::{self, Arithmetic, Bundle, BundleManifest, BundledModel, Golden, Training};
use parallax_core::files::sha256_of_bytes;
use parallax_core::labels::Classes;
use parallax_core::model_input::ModelInput;
use parallax_edge::EngineConfig;
use parallax_edge::operators::{layers, operators};
use parallax_tests::programs::argument;
use parallax_tests::python::{run_script, with_onnxruntime};
use std::collections::BTreeMap;
use std::path::Path;

const WIDTH: u32 = 128;
const HEIGHT: u32 = 64;

fn png(picture: &image::DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn packed(path: &Path, model: Vec<u8>) -> Bundle {
    let frame = image::RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let wave = |speed: f32| (127.5 + 127.5 * ((x * x + 3 * y) as f32 * speed).sin()) as u8;
        image::Rgb([wave(0.011), wave(0.017), wave(0.029)])
    });
    let (frame, mask) = (png(&frame.into()), png(&image::GrayImage::new(WIDTH, HEIGHT).into()));
    let file = |file: &str, bytes: &[u8]| (file.to_owned(), sha256_of_bytes(bytes));
    let ((model_file, sha256), (frame_file, frame_sha256)) = (file("main.onnx", &model), file("golden.png", &frame));
    let (mask_file, mask_sha256) = file("golden_mask.png", &mask);
    let manifest = BundleManifest {
        schema: bundle::SCHEMA,
        name: "operators".to_owned(),
        packed_by: "a test".to_owned(),
        input: ModelInput { mean: [0.5; 3], std: [0.25; 3], ..ModelInput::imagenet(WIDTH, HEIGHT) },
        models: vec![BundledModel {
            role: "main".to_owned(),
            file: model_file.clone(),
            sha256,
            arithmetic: Arithmetic::Int8Qdq,
        }],
        golden: Golden { frame: frame_file.clone(), frame_sha256, mask: mask_file.clone(), mask_sha256 },
        training: Training {
            network: "by hand".to_owned(),
            transfer: "none".to_owned(),
            seed: 0,
            labelled: Vec::new(),
            labelled_sha256: Vec::new(),
        },
        cameras: Vec::new(),
        classes: Classes::dense(&[("a", [0, 0, 0]), ("b", [255, 0, 0]), ("c", [0, 255, 0]), ("d", [0, 0, 255])]),
    };
    let files = BTreeMap::from([(model_file, model), (frame_file, frame), (mask_file, mask)]);
    bundle::write(path, &manifest, &files).unwrap();
    Bundle::open(path).unwrap()
}

#[test]
fn every_operator_is_fused_and_every_layer_is_within_a_step() {
    let Some(python) = with_onnxruntime() else { return };
    compare(&python, "windows", &["Pad", "Elu", "Concat"]);
    compare(&python, "mean", &["AveragePool"]);
    compare(&python, "gate", &["Sigmoid", "Mul"]);
    compare(&python, "bilinear", &["Resize"]);
    // A step of difference in an early layer would be many in the layers behind it.
    compare(&python, "chain", &["AveragePool", "Elu", "Resize", "Concat", "Sigmoid", "Mul", "Add"]);
}

fn compare(python: &Path, kind: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| argument(&folder.path().join(name));
    let made = run_script(python, "quantize_operators.py", &[&file("int8.onnx"), kind]).unwrap();
    let written = made["operators"].as_array().unwrap();
    for operator in expected {
        assert!(written.iter().any(|found| found == operator), "{operator} is missing: {made}");
    }
    let bundle = packed(&folder.path().join("bundle"), std::fs::read(file("int8.onnx")).unwrap());
    let listed = operators(&bundle, None, EngineConfig::default()).unwrap();
    assert!(listed.left_in_float.is_empty(), "{:?}", listed.left_in_float);
    assert!(listed.operators.iter().all(|row| row.kernel != "tract"), "{listed}");

    let layers = layers(&bundle, None, EngineConfig::default()).unwrap();
    std::fs::create_dir(folder.path().join("layers")).unwrap();
    let list = layers.iter().enumerate().map(|(index, layer)| {
        let name = format!("{index}.bytes");
        std::fs::write(folder.path().join("layers").join(&name), &layer.numbers).unwrap();
        serde_json::json!({"tensor": layer.tensor, "shape": layer.shape, "file": name})
    });
    let list = serde_json::to_string(&list.collect::<Vec<_>>()).unwrap();
    std::fs::write(folder.path().join("layers/layers.json"), list).unwrap();
    let mut input = vec![0.0; bundle.manifest().input.len()];
    bundle.manifest().input.prepare(&bundle.golden_frame().unwrap(), &mut input);
    std::fs::write(file("input"), input.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    let arguments = [file("int8.onnx"), file("input"), file("layers")];
    let compared =
        run_script(python, "compare_layers_with_onnxruntime.py", &arguments.each_ref().map(String::as_str)).unwrap();
    let compared = compared["layers"].as_array().unwrap();
    assert!(compared.len() >= 4, "{compared:?}");
    for layer in compared {
        assert!(layer["within_one"].as_f64().unwrap() >= 0.999, "{layer} in {kind}");
        assert!(layer["values"].as_u64().unwrap() > 20, "the layer says something: {layer}");
    }
}
