//! An int8 file runs in integers and gives the right mask; where a convolution cannot, the program says so and why.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "common/quantized.rs"]
mod quantized;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use parallax_core::bundle::{Arithmetic, Bundle};
use parallax_edge::inspection::inspect;
use parallax_edge::{Engine, EngineConfig, Int8Files, Worker};
use parallax_onnx::{ModelProto, ValueInfoProto};
use serde_json::Value as Json;

use common::{HEIGHT, WIDTH, picture, write_bundle};
use quantized::quantized;

fn bundle_in(folder: &Path, weight_zero_point: i8) -> PathBuf {
    let path = folder.join("bundle");
    write_bundle(&path, quantized(weight_zero_point), |manifest| {
        manifest.models[0].arithmetic = Arithmetic::Int8Qdq;
    });
    path
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parallax-edge")).args(arguments).output().unwrap()
}

#[test]
fn the_mask_is_that_of_the_float_engine() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = Bundle::open(&bundle_in(folder.path(), 0)).unwrap();
    let inspection = inspect(&bundle, EngineConfig::default()).unwrap();
    assert!(inspection.golden.reproduced);
    assert_eq!(inspection.models[0].convolutions.run_in_int8, 1);
    assert!(inspection.models[0].runs_on.contains("all 1 convolutions in int8"), "{}", inspection.models[0].runs_on);
    let frame = picture(40, 24, 13);
    let mask = |config| {
        let engine = Engine::load_with(&bundle, None, config).unwrap();
        Worker::new(&engine).unwrap().segment(&frame).unwrap().0.indices.clone()
    };
    let float = mask(EngineConfig { int8: Int8Files::InFloat, ..EngineConfig::default() });
    for threads in [1, 2] {
        assert_eq!(mask(EngineConfig { threads, ..EngineConfig::default() }), float);
    }
    assert!(float.contains(&0) && float.contains(&1));
}

#[test]
fn kernels_are_listed_and_a_convolution_in_float_is_exit_code_three() {
    for (weight_zero_point, code, kernel, left) in [(0, 0, "convolution, ", 0), (1, 3, "tract", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle_in(folder.path(), weight_zero_point);
        let output = program(&["inspect", bundle.to_str().unwrap(), "--kernels", "--json"]);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        let listed: Json = serde_json::from_slice(&output.stdout).unwrap();
        let rows = listed["operators"].as_array().unwrap();
        let computes = rows.iter().find(|row| row["gop"].as_f64().unwrap() > 0.0).unwrap();
        assert!(computes["kernel"].as_str().unwrap().starts_with(kernel), "{computes}");
        // Two multiplications and additions for each pixel, class and colour.
        assert_eq!(computes["gop"].as_f64().unwrap() * 1e9, f64::from(WIDTH * HEIGHT) * 2.0 * 3.0 * 2.0);
        assert_eq!(listed["left_in_float"].as_array().unwrap().len(), left, "{listed}");
        if left > 0 {
            assert_eq!(listed["left_in_float"][0]["reason"], "its weights are not symmetric");
        }
        // Every command that runs it says so once.
        let output = program(&["bench", "--bundle", bundle.to_str().unwrap(), "--runs", "1"]);
        let warnings = String::from_utf8_lossy(&output.stderr).matches("run in float here").count();
        assert_eq!((output.status.code(), warnings), (Some(0), left));
        let inspected = program(&["inspect", bundle.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&inspected.stdout).contains("operator(s) that it quantises run in float");
        assert_eq!(said, left > 0, "{}", String::from_utf8_lossy(&inspected.stdout));
    }
}

#[test]
fn bench_compares_on_chosen_instructions_and_refuses_unknown_ones() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path(), 0);
    let bundle = bundle.to_str().unwrap();
    let bench = |more: &[&str]| program(&[&["bench", "--bundle", bundle, "--runs", "3", "--json"], more].concat());
    let output = bench(&["--compare", "tract", "--isa", "portable", "--split", "2"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let measured: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&measured["isa"], &measured["split"]), (&"portable".into(), &2.into()));
    assert_eq!(measured["compared"][0]["with"], "tract");
    assert!(measured["compared"][0]["ratio_of_fastest"].as_f64().unwrap() > 0.0);

    assert!(measured["compared"][0]["cpu_ms"].as_f64().unwrap() > 0.0);

    let unknown = bench(&["--isa", "mmx"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("portable"));
    let without_float = bench(&["--compare", "float"]);
    assert_eq!(without_float.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&without_float.stderr).contains("--float"));
}

#[test]
fn a_measurement_says_what_was_measured_where() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path(), 0);
    let output = program(&["bench", "--bundle", bundle.to_str().unwrap(), "--runs", "3", "--pin", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let measured: Json = serde_json::from_slice(&output.stdout).unwrap();
    for key in ["p50_ms", "p95_ms", "p99_ms", "gops", "rss_mb", "cpu_ms", "peak_gops_per_s", "share_of_peak"] {
        assert!(measured[key].as_f64().unwrap() > 0.0, "{key}: {measured}");
    }
    let share = measured["gops_per_s"].as_f64().unwrap() / measured["peak_gops_per_s"].as_f64().unwrap();
    assert_eq!(measured["share_of_peak"].as_f64().unwrap(), share);
    assert_eq!(
        (&measured["pinned"], &measured["runs"], &measured["version"]),
        (&true.into(), &3.into(), &env!("CARGO_PKG_VERSION").into())
    );
    assert_eq!(measured["machine"]["architecture"], std::env::consts::ARCH);
    // Although the thread that asks has moved to one core by then.
    let at_least = std::thread::available_parallelism().unwrap().get() as u64;
    assert!(measured["machine"]["cores"].as_u64().unwrap() >= at_least, "{measured}");
    let model = Bundle::open(&bundle).unwrap().manifest().models[0].clone();
    assert_eq!((&measured["subject"]["sha256"], &measured["subject"]["width"]), (&model.sha256.into(), &WIDTH.into()));
    for condition in [&measured["before"], &measured["after"]] {
        assert!(condition.get("temperature_c").is_some() && condition.get("clock_mhz").is_some(), "{condition}");
    }
}

#[test]
fn a_variable_chooses_the_instructions_of_every_command_and_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path(), 0);
    let with = |isa: &str, more: &[&str]| {
        let arguments = [&["inspect", bundle.to_str().unwrap(), "--json"], more].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_parallax-edge"));
        command.args(arguments).env("PARALLAX_KERNELS", isa).output().unwrap()
    };
    let listed: Json = serde_json::from_slice(&with("portable", &["--kernels"]).stdout).unwrap();
    let kernels: Vec<&str> =
        listed["operators"].as_array().unwrap().iter().map(|row| row["kernel"].as_str().unwrap()).collect();
    assert!(kernels.contains(&"convolution, portable"), "{kernels:?}");
    let inspected: Json = serde_json::from_slice(&with("portable", &[]).stdout).unwrap();
    assert_eq!(inspected["models"][0]["runs_on"], "int8 file, all 1 convolutions in int8 (portable)");
    assert_eq!(with("mmx", &[]).status.code(), Some(2));
}

#[test]
fn threads_that_cannot_have_a_core_each_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle_in(folder.path(), 0);
    let bench = |more: &[&str]| program(&[&["bench", "--bundle", bundle.to_str().unwrap(), "--pin"], more].concat());
    let frames_at_once = bench(&["--threads", "2"]);
    assert_eq!(frames_at_once.status.code(), Some(2), "{}", String::from_utf8_lossy(&frames_at_once.stderr));
    if std::thread::available_parallelism().unwrap().get() < 256 {
        let too_many = bench(&["--split", "256"]);
        assert_eq!(too_many.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&too_many.stderr).contains("--pin"));
    }
}

#[test]
fn constants_among_the_inputs_of_an_old_exporter_change_nothing() {
    let whole = ModelProto::from_bytes(&quantized(0)).unwrap();
    let mut listed = whole.clone();
    let graph = listed.graph.as_mut().unwrap();
    for tensor in &graph.initializer {
        let mut input = graph.input[0].clone();
        input.name.clone_from(&tensor.name);
        input.r#type = ValueInfoProto::of_floats("", &tensor.shape().unwrap()).r#type;
        input.tensor_mut().unwrap().elem_type = tensor.data_type;
        graph.input.push(input);
    }
    let mask = |model: &ModelProto| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        write_bundle(&path, model.to_bytes(), |manifest| manifest.models[0].arithmetic = Arithmetic::Int8Qdq);
        let bundle = Bundle::open(&path).unwrap();
        let inspection = inspect(&bundle, EngineConfig::default()).unwrap();
        assert_eq!(inspection.models[0].convolutions.run_in_int8, 1, "{}", inspection.models[0].runs_on);
        let engine = Engine::load(&bundle, None).unwrap();
        Worker::new(&engine).unwrap().segment(&picture(40, 24, 13)).unwrap().0.indices.clone()
    };
    assert_eq!(mask(&listed), mask(&whole));
}
