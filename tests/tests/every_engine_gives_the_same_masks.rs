//! The same frames through burn, through the exported ONNX in tract, and in onnxruntime: one answer; and through the int8
//! file in tract, in our integers and in onnxruntime: nearly one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "networks/from_elsewhere.rs"]
mod from_elsewhere;

use parallax_core::bundle::Bundle;
use parallax_core::labels::LabelledSet;
use parallax_core::score::ConfusionMatrix;
use parallax_edge::operators::{layers, operators};
use parallax_edge::{Engine, EngineConfig, Worker};
use parallax_tests::onnx::OnnxModel;
use parallax_tests::programs::{argument, run_for_json, run_to_end};
use parallax_tests::python::{run_script, with_onnxruntime};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIZE: &str = "128x64";
/// Enough that masks follow the picture: untrained logits are near ties, whose winners say nothing. With half as many steps, and a
/// dozen pictures to score, what int8 costs was the luck of the rarest classes: from a gain of 0.1 to a loss of 1.3 points.
const STEPS: &str = "120";

struct Trained {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

/// A small network trained once for all tests of this file, exported and quantized.
fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let file = |name: &str| argument(&root.join(name));
        let train = |arguments: &[&str]| run_to_end("parallax-train", arguments).unwrap();
        let world = ["render", "--frames", "12", "--size", SIZE, "--labels", "60", "--out", &file("world")];
        run_to_end("parallax-world", &world).unwrap();
        let (labels, run) = (file("world/labelled"), file("run"));
        train(&["finetune", "--labels", &labels, "--size", SIZE, "--steps", STEPS, "--device", "cpu", "--out", &run]);
        train(&["export", &run, "--out", &file("float.onnx")]);
        let drive = file("world/drive.mcap");
        train(&["quantize", &file("float.onnx"), "--data", &drive, "--out", &file("int8.onnx")]);
        Trained { _folder: folder, root }
    })
}

impl Trained {
    fn file(&self, name: &str) -> String {
        argument(&self.root.join(name))
    }

    fn set(&self) -> LabelledSet {
        LabelledSet::open(&self.root.join("world/labelled"), None).unwrap()
    }

    /// The labelled pictures as network input, one after the other.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let input = parallax_core::model_input::ModelInput::imagenet(128, 64);
        let prepared = |index| {
            let mut values = vec![0.0; input.len()];
            input.prepare(&self.set().image(index).unwrap(), &mut values);
            values
        };
        (0..self.set().len()).map(prepared).collect()
    }

    /// What tract makes of the inputs.
    fn outputs(&self, model: &str) -> Vec<Vec<f32>> {
        let model = OnnxModel::load(&self.root.join(model)).unwrap();
        self.inputs().iter().map(|input| model.run(input).unwrap()).collect()
    }

    fn compare_with_onnxruntime(&self, python: &Path, model: &str) -> Value {
        self.compare_with(python, model, self.outputs(model))
    }

    /// Compares outputs with what onnxruntime makes of the inputs.
    fn compare_with(&self, python: &Path, model: &str, outputs_for_inputs: Vec<Vec<f32>>) -> Value {
        let bytes = |runs: Vec<Vec<f32>>| runs.into_iter().flatten().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
        let (inputs, outputs) = (self.fresh_file(model), self.fresh_file(model));
        std::fs::write(&inputs, bytes(self.inputs())).unwrap();
        std::fs::write(&outputs, bytes(outputs_for_inputs)).unwrap();
        run_script(python, "compare_with_onnxruntime.py", &[&self.file(model), &inputs, &outputs]).unwrap()
    }

    /// A file name that no other test of this file uses: they run at the same time.
    fn fresh_file(&self, name: &str) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        self.file(&format!("{}_{name}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// A bundle with one model.
    fn packed(&self, model: &str) -> String {
        let (bundle, run) = (self.fresh_file(&format!("{model}.bundle")), self.file("run"));
        run_to_end("parallax-train", &["pack", &self.file(model), "--run", &run, "--out", &bundle]).unwrap();
        bundle
    }

    /// Packs a model and scores it on the board, on the pictures that training did not see.
    fn board_score(&self, model: &str) -> f64 {
        let (bundle, labels) = (self.packed(model), self.file("world/labelled"));
        let score =
            run_for_json("parallax-edge", &["evaluate", "--bundle", &bundle, "--labels", &labels, "--json"]).unwrap();
        score["miou"].as_f64().unwrap()
    }
}

#[test]
fn the_float_model_passes_the_checker_and_agrees_with_onnxruntime() {
    let Some(python) = with_onnxruntime() else { return };
    let compared = trained().compare_with_onnxruntime(&python, "float.onnx");
    assert_eq!(compared["checker"], true);
    assert!(compared["opset"].as_u64().unwrap() >= 17, "{compared}");
    assert_eq!(compared["domains"], serde_json::json!([""]), "{compared}");
    assert!(!compared["operators"].as_array().unwrap().iter().any(|name| name == "BatchNormalization"), "{compared}");
    assert!(compared["max_difference_of_range"].as_f64().unwrap() <= 1e-3, "{compared}");
    assert!(compared["argmax_agreement"].as_f64().unwrap() >= 0.999, "{compared}");
}

#[test]
fn the_int8_model_agrees_between_tract_and_onnxruntime() {
    let Some(python) = with_onnxruntime() else { return };
    let compared = trained().compare_with_onnxruntime(&python, "int8.onnx");
    assert_eq!(compared["checker"], true);
    assert!(compared["argmax_agreement"].as_f64().unwrap() >= 0.98, "{compared}");
}

/// Our integer arithmetic against onnxruntime's, on the same file and picture: issue 4 asks for 99.9 % of the numbers of
/// every layer within one step, and for 99.5 % of the masks.
#[test]
fn our_integers_are_onnxruntimes_at_every_layer() {
    let Some(python) = with_onnxruntime() else { return };
    let trained = trained();
    let bundle = Bundle::open(trained.packed("int8.onnx").as_ref()).unwrap();
    let folder = trained.root.join("layers");
    std::fs::create_dir_all(&folder).unwrap();
    let layers = layers(&bundle, None, EngineConfig::default()).unwrap();
    let list = layers.iter().enumerate().map(|(index, layer)| {
        let file = format!("{index}.bytes");
        std::fs::write(folder.join(&file), &layer.numbers).unwrap();
        serde_json::json!({"tensor": layer.tensor, "shape": layer.shape, "file": file})
    });
    let list = serde_json::to_string(&list.collect::<Vec<_>>()).unwrap();
    std::fs::write(folder.join("layers.json"), list).unwrap();
    let mut input = vec![0.0; bundle.manifest().input.len()];
    bundle.manifest().input.prepare(&bundle.golden_frame().unwrap(), &mut input);
    let input_file = trained.file("golden.input");
    std::fs::write(&input_file, input.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    let arguments = [trained.file("int8.onnx"), input_file, argument(&folder)];
    let compared =
        run_script(&python, "compare_layers_with_onnxruntime.py", &arguments.each_ref().map(String::as_str)).unwrap();
    let compared = compared["layers"].as_array().unwrap();
    assert!(compared.len() > 25, "nearly every layer is there: {}", compared.len());
    for layer in compared {
        assert!(layer["within_one"].as_f64().unwrap() >= 0.999, "{layer}");
    }
    let equal = compared.iter().map(|layer| layer["equal"].as_f64().unwrap()).fold(1.0, f64::min);
    assert!(equal > 0.99, "the layer with the fewest equal numbers: {equal}");
}

#[test]
fn our_masks_are_onnxruntimes_and_no_convolution_is_left_in_float() {
    let trained = trained();
    let bundle = Bundle::open(trained.packed("int8.onnx").as_ref()).unwrap();
    let listed = operators(&bundle, None, EngineConfig::default()).unwrap();
    assert!(listed.left_in_float.is_empty(), "{:?}", listed.left_in_float);
    assert!(listed.operators.iter().all(|row| row.kernel != "tract"), "{listed}");
    let Some(python) = with_onnxruntime() else { return };
    let mut worker = Worker::new(&Engine::load(&bundle, None).unwrap()).unwrap();
    let set = trained.set();
    let classes = set.classes().len();
    // One-hot planes of our masks take the place of logits: the script compares the largest.
    let planes = (0..set.len()).map(|index| {
        let (mask, _) = worker.segment(&set.image(index).unwrap()).unwrap();
        let plane = |class| mask.indices.iter().map(move |found| f32::from(usize::from(*found) == class));
        (0..classes).flat_map(plane).collect()
    });
    let compared = trained.compare_with(&python, "int8.onnx", planes.collect());
    assert!(compared["argmax_agreement"].as_f64().unwrap() >= 0.995, "{compared}");
}

#[test]
fn layers_that_cost_more_than_the_budget_are_float_on_the_board_and_in_onnxruntime() {
    let trained = trained();
    let (float, drive, labels) =
        (trained.file("float.onnx"), trained.file("world/drive.mcap"), trained.file("world/labelled"));
    let out = trained.file("kept.int8.onnx");
    let given = ["quantize", &float, "--data", &drive, "--labels", &labels, "--pictures", "4"];
    let asked = ["--budget", "0", "--out", &out, "--json"];
    let report = run_for_json("parallax-train", &[&given[..], &asked[..]].concat()).unwrap();
    let names = |key: &str| -> Vec<String> { serde_json::from_value(report[key].clone()).unwrap() };
    let kept = names("kept_in_float");
    let layers = report["by_layer"].as_array().unwrap();
    assert!(!kept.is_empty() && kept.len() < layers.len(), "some layers cost nothing: {kept:?}");
    let bundle = Bundle::open(trained.packed("kept.int8.onnx").as_ref()).unwrap();
    let listed = operators(&bundle, None, EngineConfig::default()).unwrap();
    let convolutions = layers.iter().filter(|layer| layer["operator"].as_str().unwrap().starts_with("Conv"));
    let convolutions: Vec<&str> = convolutions.map(|layer| layer["node"].as_str().unwrap()).collect();
    let expected: Vec<&String> = kept.iter().filter(|name| convolutions.contains(&name.as_str())).collect();
    assert_eq!(listed.kept_in_float.iter().collect::<Vec<_>>(), expected);
    assert!(!listed.has_float_convolution(), "what is kept on purpose is not what was left behind: {listed}");
    let Some(python) = with_onnxruntime() else { return };
    let compared = trained.compare_with_onnxruntime(&python, "kept.int8.onnx");
    assert_eq!(compared["checker"], true);
    assert!(compared["argmax_agreement"].as_f64().unwrap() >= 0.98, "{compared}");
}

#[test]
fn the_board_scores_what_training_scored_and_int8_loses_little() {
    let trained = trained();
    let (run, labels) = (trained.file("run"), trained.file("world/labelled"));
    let score = run_for_json("parallax-train", &["evaluate", &run, "--labels", &labels, "--json"]).unwrap();
    let training = score["miou"].as_f64().unwrap();
    let float = trained.board_score("float.onnx");
    let int8 = trained.board_score("int8.onnx");
    assert!((training - float).abs() < 1e-3, "mIoU {training} in training, {float} on the board");
    assert!(float - int8 <= 0.01, "int8 costs more than a point of mIoU: {float} to {int8}");
    assert!(training > 0.15, "mIoU {training} says that nothing was learned");
}

#[test]
fn the_matrix_of_a_model_against_itself_is_perfect() {
    let trained = trained();
    let (set, float) = (trained.set(), trained.outputs("float.onnx"));
    let mut matrix = ConfusionMatrix::new(set.classes().len());
    for logits in &float {
        let mut mask = parallax_core::labels::LabelMap { width: 128, height: 64, indices: vec![0; 128 * 64] };
        parallax_core::model_output::mask_from_logits(logits, set.classes().len(), &mut mask).unwrap();
        matrix.add(&mask, &mask).unwrap();
    }
    assert!((matrix.mean_iou() - 1.0).abs() < 1e-12);
}
