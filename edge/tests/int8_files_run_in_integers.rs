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
use serde_json::Value;

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
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = listed["operators"].as_array().unwrap();
        let computes = rows.iter().find(|row| row["gop"].as_f64().unwrap() > 0.0).unwrap();
        assert!(computes["kernel"].as_str().unwrap().starts_with(kernel), "{computes}");
        // Two multiplications and additions for each pixel, class and colour.
        assert_eq!(computes["gop"].as_f64().unwrap() * 1e9, f64::from(WIDTH * HEIGHT) * 2.0 * 3.0 * 2.0);
        assert_eq!(listed["left_in_float"].as_array().unwrap().len(), left, "{listed}");
        if left > 0 {
            assert_eq!(listed["left_in_float"][0]["reason"], "its weights are not symmetric");
        }
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
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&measured["isa"], &measured["split"]), (&"portable".into(), &2.into()));
    assert_eq!(measured["compared"][0]["with"], "tract");
    assert!(measured["compared"][0]["ratio_of_fastest"].as_f64().unwrap() > 0.0);

    let unknown = bench(&["--isa", "mmx"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("portable"));
    let without_float = bench(&["--compare", "float"]);
    assert_eq!(without_float.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&without_float.stderr).contains("--float"));
}
