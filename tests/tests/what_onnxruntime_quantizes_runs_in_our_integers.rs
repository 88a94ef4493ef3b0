//! Networks with the operators that may stand between convolutions, quantized by onnxruntime's own quantizer: all of them run
//! in our integers, and they are onnxruntime's.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_core::bundle::{self, Arithmetic, Bundle, BundleManifest, BundledModel, Golden, Training};
use parallax_core::files::sha256_of_bytes;
use parallax_core::labels::{Classes, LabelMap};
use parallax_core::model_input::ModelInput;
use parallax_core::model_output::mask_from_logits;
use parallax_edge::operators::{layers, operators};
use parallax_edge::{Engine, EngineConfig, Int8Files, Worker};
use parallax_quantize::runner::Runner;
use parallax_quantize::{CalibrationFrames, QuantizeConfig, graph, quantize};
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

fn picture() -> image::RgbImage {
    image::RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let wave = |speed: f32| (127.5 + 127.5 * ((x * x + 3 * y) as f32 * speed).sin()) as u8;
        image::Rgb([wave(0.011), wave(0.017), wave(0.029)])
    })
}

fn packed(path: &Path, model: Vec<u8>) -> Bundle {
    let (frame, mask) = (png(&picture().into()), png(&image::GrayImage::new(WIDTH, HEIGHT).into()));
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
    compare(&python, &["windows"], &["Pad", "Elu", "Concat"]);
    compare(&python, &["mean"], &["AveragePool"]);
    compare(&python, &["gate"], &["Sigmoid", "Mul"]);
    compare(&python, &["bilinear"], &["Resize"]);
    // A step of difference in an early layer would be many in the layers behind it.
    compare(&python, &["chain"], CHAIN);
}

const CHAIN: &[&str] = &["AveragePool", "Elu", "Resize", "Concat", "Sigmoid", "Mul", "Add"];

#[test]
fn signed_activations_and_other_ways_of_writing_the_same_are_fused_too() {
    let Some(python) = with_onnxruntime() else { return };
    for options in ["no-zero-points", "per-tensor"] {
        compare(&python, &["chain", options], CHAIN);
    }
    // Without a chain of means and resizings: onnxruntime rounds those of s8 in another way than those of u8.
    compare(&python, &["windows", "s8", "no-zero-points"], &["Pad", "Elu", "Concat"]);
    compare(&python, &["gate", "s8"], &["Sigmoid", "Mul"]);
}

/// Operators whose result at a place depends on other places: those of which a table of 256 entries says nothing.
const ALONG_AN_AXIS: [&str; 10] = [
    "Softmax",
    "LogSoftmax",
    "Hardmax",
    "LpNormalization",
    "LayerNormalization",
    "CumSum",
    "ReduceMean",
    "ReduceMax",
    "ArgMax",
    "TopK",
];

#[test]
fn what_stays_in_float_along_an_axis_gives_onnxruntimes_masks() {
    let Some(python) = with_onnxruntime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| argument(&folder.path().join(name));
    let input = ModelInput { mean: [0.5; 3], std: [0.25; 3], ..ModelInput::imagenet(WIDTH, HEIGHT) };
    let mut values = vec![0.0; input.len()];
    input.prepare(&picture(), &mut values);
    write_floats(&file("input"), &values);
    let (models, input) = (argument(folder.path()), file("input"));
    run_script(&python, "quantize_operators.py", &[&[&*models, "masks", &*input], &ALONG_AN_AXIS[..]].concat())
        .unwrap();
    for name in ALONG_AN_AXIS.iter().flat_map(|operator| ["u8", "s8"].map(|form| format!("{operator}-{form}"))) {
        let expected = std::fs::read(file(&format!("{name}.mask"))).unwrap();
        let agreement = |found: &[u8]| {
            assert_eq!(found.len(), expected.len());
            let same = found.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
            same as f64 / expected.len() as f64
        };
        let model = file(&format!("{name}.onnx"));
        let bundle = packed(&folder.path().join(format!("{name}.bundle")), std::fs::read(&model).unwrap());
        for int8 in [Int8Files::InIntegers, Int8Files::InFloat] {
            let engine = Engine::load_with(&bundle, None, EngineConfig { int8, ..EngineConfig::default() });
            let mut worker = Worker::new(&engine.unwrap()).unwrap();
            let agreement = agreement(&worker.segment(&picture()).unwrap().0.indices);
            assert!(agreement >= 0.995, "{name}, {int8:?}: {agreement}");
        }
        let runner = Runner::new(&graph::read_model(model.as_ref()).unwrap()).unwrap();
        let mut mask = LabelMap { width: WIDTH, height: HEIGHT, indices: vec![0; expected.len()] };
        mask_from_logits(runner.run(&values).unwrap()[0].values().unwrap(), 4, &mut mask).unwrap();
        assert!(agreement(&mask.indices) >= 0.99, "{name}, what packs: {}", agreement(&mask.indices));
    }
}

#[test]
fn the_quantisers_own_measures_are_onnxruntimes() {
    let Some(python) = with_onnxruntime() else { return };
    for kind in ["Softmax", "ReduceMax"] {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| argument(&folder.path().join(name));
        run_script(&python, "quantize_operators.py", &[&file("float.onnx"), kind, "float"]).unwrap();
        let model = graph::read_model(file("float.onnx").as_ref()).unwrap();
        let frames: Vec<Vec<f32>> = (0..5).map(frame).collect();
        let (calibration, held) = frames.split_at(3);
        let quantized = quantize(&model, CalibrationFrames { calibration, held }, &QuantizeConfig::default()).unwrap();
        std::fs::write(file("int8.onnx"), quantized.model.to_bytes()).unwrap();
        write_floats(&file("inputs"), &held.concat());
        let arguments = [file("float.onnx"), file("int8.onnx"), file("inputs")];
        let arguments = arguments.each_ref().map(String::as_str);
        let theirs = run_script(&python, "compare_models_with_onnxruntime.py", &arguments).unwrap();
        let ours = &quantized.report;
        let (snr_db, agreement) = (theirs["snr_db"].as_f64().unwrap(), theirs["agreement"].as_f64().unwrap());
        assert!((ours.output_snr_db - snr_db).abs() <= 0.5, "{kind}: {} dB, {theirs}", ours.output_snr_db);
        let by_ours = ours.agreement_with_float.unwrap();
        assert!((by_ours - agreement).abs() <= 0.005, "{kind}: {by_ours}, {theirs}");
        assert!(snr_db > 5.0, "{kind}: the int8 form is worth something: {theirs}");
    }
}

/// A picture for the model's input, smooth as pictures are.
fn frame(index: usize) -> Vec<f32> {
    let plane = WIDTH as usize * HEIGHT as usize;
    let wave = |at: usize| ((at % 128 * (index + 2)) as f32 * 0.02).sin() + ((at / 128) as f32 * 0.09).cos();
    (0..3 * plane).map(|at| wave(at % plane + at / plane * 977)).collect()
}

fn write_floats(path: &str, numbers: &[f32]) {
    std::fs::write(path, numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
}

fn compare(python: &Path, kind: &[&str], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| argument(&folder.path().join(name));
    let model = file("int8.onnx");
    let made = run_script(python, "quantize_operators.py", &[&[model.as_str()], kind].concat()).unwrap();
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
    write_floats(&file("input"), &input);
    let arguments = [file("int8.onnx"), file("input"), file("layers")];
    let compared =
        run_script(python, "compare_layers_with_onnxruntime.py", &arguments.each_ref().map(String::as_str)).unwrap();
    let compared = compared["layers"].as_array().unwrap();
    assert!(compared.len() >= 4, "{compared:?}");
    for layer in compared {
        assert!(layer["within_one"].as_f64().unwrap() >= 0.999, "{layer} in {kind:?}");
        assert!(layer["values"].as_u64().unwrap() > 20, "the layer says something: {layer}");
    }
}
