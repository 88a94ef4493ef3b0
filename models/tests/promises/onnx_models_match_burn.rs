//! The exported model computes what the network computes.
//!
//! Tolerance: 1e-3 of the output's range, and the same class at 99.9 % of the pixels: folding batch norm into the
//! weights rounds them once more.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use parallax_models::{ModelError, Network, SegmentationNetwork};
use parallax_onnx::ModelProto;
use tract_onnx::prelude::{Framework, InferenceModelExt, IntoRunnable, tract_ndarray, tvec};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;

/// A network whose batch norms have statistics, as after training.
fn settled(network: Network, classes: usize) -> SegmentationNetwork {
    let device = Device::flex().autodiff();
    let segmentation = network.segmentation(classes, 7, &device).expect("enough classes");
    for _ in 0..3 {
        segmentation.forward(picture(&device));
    }
    segmentation.valid()
}

/// The same picture in every run: values in `[-1, 1]` with detail at every scale.
fn picture(device: &Device) -> Tensor<4> {
    let shape = [1, 3, HEIGHT, WIDTH];
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin() * (i as f32 * 0.0023).cos()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn floats(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("float tensor")
}

fn through_tract(model: &[u8], input: &[f32], width: usize, height: usize) -> Vec<f32> {
    let model = tract_onnx::onnx().model_for_read(&mut &*model).expect("tract reads it");
    let model = model.into_optimized().expect("optimised").into_runnable().expect("runnable");
    let input = tract_ndarray::Array4::from_shape_vec((1, 3, height, width), input.to_vec()).expect("an image");
    let output = model.run(tvec!(tract_onnx::prelude::Tensor::from(input).into())).expect("runs");
    output[0].to_plain_array_view::<f32>().expect("floats").iter().copied().collect()
}

fn assert_same(expected: &[f32], found: &[f32], what: &str) {
    assert_eq!(expected.len(), found.len(), "{what}");
    let (low, high) = expected.iter().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    let difference = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(high > low, "{what}: the output is constant");
    assert!(difference <= 1e-3 * (high - low), "{what}: difference {difference} in a range of {}", high - low);
}

fn classes_of(logits: &[f32], classes: usize) -> Vec<usize> {
    let pixels = logits.len() / classes;
    let logit = |class: usize, pixel: usize| logits[class * pixels + pixel];
    let best = |pixel| (0..classes).max_by(|a, b| logit(*a, pixel).total_cmp(&logit(*b, pixel)));
    (0..pixels).map(|pixel| best(pixel).expect("classes")).collect()
}

#[test]
fn every_segmentation_network_gives_the_same_mask_in_tract() {
    for network in [Network::Slim, Network::Resnet18] {
        let segmentation = settled(network, 6);
        let image = picture(&Device::flex());
        let expected = floats(segmentation.forward(image.clone()));
        let model = segmentation.to_onnx(WIDTH, HEIGHT).expect("exported");
        let found = through_tract(&model, &floats(image), WIDTH, HEIGHT);
        assert_same(&expected, &found, network.name());
        let (expected, found) = (classes_of(&expected, 6), classes_of(&found, 6));
        let agreeing = expected.iter().zip(&found).filter(|(a, b)| a == b).count();
        assert!(agreeing as f64 >= 0.999 * expected.len() as f64, "{network}: {agreeing} of {}", expected.len());
    }
}

#[test]
fn a_depth_network_gives_the_same_disparity_in_tract() {
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(3, &device);
    depth.forward(picture(&device));
    let depth = depth.valid();
    let image = picture(&Device::flex());
    let expected = floats(depth.finest_disparity(image.clone()));
    let model = depth.to_onnx(WIDTH, HEIGHT).expect("exported");
    assert_same(&expected, &through_tract(&model, &floats(image), WIDTH, HEIGHT), "disparity");
}

#[test]
fn the_exported_graph_holds_only_what_a_board_needs() {
    for (network, expected) in
        [(Network::Slim, "Add Concat Conv Relu Resize"), (Network::Resnet18, "Add Concat Conv Elu MaxPool Relu Resize")]
    {
        let bytes =
            network.segmentation(6, 0, &Device::flex()).expect("classes").to_onnx(WIDTH, HEIGHT).expect("exported");
        let model = ModelProto::from_bytes(&bytes).expect("a model");
        let graph = model.graph.expect("a graph");
        let mut operators: Vec<&str> = graph.node.iter().map(|node| node.op_type.as_str()).collect();
        operators.sort_unstable();
        operators.dedup();
        assert_eq!(operators.join(" "), expected);
        assert_eq!((graph.input[0].name.as_str(), graph.output[0].name.as_str()), ("image", "logits"));
        assert!(model.opset_import.iter().all(|opset| opset.domain.is_empty() && opset.version >= 17));
        for constant in &graph.initializer {
            let read = graph.node.iter().any(|node| node.input.contains(&constant.name));
            assert!(read, "nobody reads {}", constant.name);
        }
        assert!(graph.node.iter().any(|node| node.name == "encoder.layer1.0.conv1"));
    }
}

#[test]
fn exporting_leaves_the_network_as_it_was() {
    let segmentation = settled(Network::Slim, 4);
    let image = picture(&Device::flex());
    let before = floats(segmentation.forward(image.clone()));
    segmentation.to_onnx(WIDTH, HEIGHT).expect("exported");
    segmentation.to_onnx(WIDTH, HEIGHT).expect("exported again");
    assert_eq!(before, floats(segmentation.forward(image)));
}

#[test]
fn a_size_the_encoder_cannot_halve_is_refused_with_the_nearest_that_works() {
    let segmentation = Network::Slim.segmentation(4, 0, &Device::flex()).expect("classes");
    let error = segmentation.to_onnx(100, 64).expect_err("100 is no multiple of 32");
    assert!(matches!(error, ModelError::InputSize { width: 100, height: 64, .. }), "{error}");
    assert_eq!(error.hint().as_deref(), Some("the nearest size that works is 96x64"));
}

/// Needs a Python with onnx and onnxruntime, named by `PARALLAX_PYTHON`.
#[test]
fn onnxruntime_and_the_onnx_checker_agree() {
    let Ok(python) = std::env::var("PARALLAX_PYTHON") else {
        // Written past the test harness, which swallows what passing tests print.
        writeln!(std::io::stderr(), "SKIPPED: set PARALLAX_PYTHON to a Python that has onnx and onnxruntime")
            .expect("standard error");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx_parity.py");
    let folder = tempfile::tempdir().expect("a folder");
    let image = picture(&Device::flex());
    let bytes = |values: Vec<f32>| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
    std::fs::write(folder.path().join("image.f32"), bytes(floats(image.clone()))).expect("written");
    for network in Network::ALL {
        let segmentation = settled(network, 6);
        segmentation.save_onnx(WIDTH, HEIGHT, &folder.path().join("model.onnx")).expect("exported");
        let expected = bytes(floats(segmentation.forward(image.clone())));
        std::fs::write(folder.path().join("output.f32"), expected).expect("written");
        let status = Command::new(&python).arg(&script).arg(folder.path()).status().expect("python runs");
        assert!(status.success(), "{network}");
    }
}
