//! Every way in which a bundle can be unfit is an error that names it, never a wrong mask.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use parallax_core::bundle::Bundle;
use parallax_core::labels::Classes;
use parallax_core::model_input::ModelInput;
use parallax_edge::{EdgeError, Engine, Result};

use common::{HEIGHT, WIDTH, model, write_bundle};

fn load(path: &Path) -> Result<Engine> {
    Engine::load(&Bundle::open(path)?, None)
}

fn refused(model: Vec<u8>, change: impl FnOnce(&mut parallax_core::bundle::BundleManifest)) -> EdgeError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    write_bundle(&path, model, change);
    let error = load(&path).unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    error
}

#[test]
fn a_fitting_bundle_loads() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["bundle", "bundle.tar"] {
        let path = folder.path().join(name);
        write_bundle(&path, model("Conv", WIDTH, HEIGHT), |_| {});
        assert_eq!(load(&path).unwrap().classes().len(), 2);
    }
}

#[test]
fn an_operator_that_the_engine_lacks() {
    let error = refused(model("FancyConv", WIDTH, HEIGHT), |_| {});
    assert!(matches!(&error, EdgeError::MissingOperator { operator, .. } if operator == "FancyConv"), "{error}");
}

#[test]
fn a_model_of_another_size_than_the_contract() {
    let error = refused(model("Conv", WIDTH, HEIGHT), |manifest| manifest.input = ModelInput::imagenet(32, 8));
    assert!(matches!(error, EdgeError::WrongInput { .. }), "{error}");
    assert!(error.to_string().contains("32") && error.to_string().contains("16"), "{error}");
}

#[test]
fn a_model_with_another_number_of_classes() {
    let error = refused(model("Conv", WIDTH, HEIGHT), |manifest| {
        manifest.classes = Classes::dense(&[("a", [0; 3]), ("b", [1; 3]), ("c", [2; 3])]);
    });
    assert!(matches!(error, EdgeError::WrongClasses { expected: 3, found: 2, .. }), "{error}");
}

#[test]
fn a_file_that_is_no_model_and_a_model_cut_short_under_a_hash_that_fits() {
    let error = refused(b"hello".to_vec(), |_| {});
    assert!(matches!(error, EdgeError::NotOnnx { .. }), "{error}");
    let whole = model("Conv", WIDTH, HEIGHT);
    let error = refused(whole[..whole.len() / 2].to_vec(), |_| {});
    assert!(matches!(error, EdgeError::NotOnnx { .. } | EdgeError::Engine { .. }), "{error}");
}

#[test]
fn a_truncated_altered_or_missing_file_an_unknown_schema_and_no_bundle_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    write_bundle(&path, model("Conv", WIDTH, HEIGHT), |_| {});
    let message = || load(&path).unwrap_err().to_string();
    let whole = std::fs::read(path.join("main.onnx")).unwrap();

    std::fs::write(path.join("main.onnx"), &whole[..whole.len() - 1]).unwrap();
    assert!(message().contains("wrong hash of main.onnx"), "{}", message());
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    std::fs::write(path.join("main.onnx"), &altered).unwrap();
    assert!(message().contains("wrong hash of main.onnx"), "{}", message());
    std::fs::remove_file(path.join("main.onnx")).unwrap();
    assert!(message().contains("main.onnx is missing"), "{}", message());
    std::fs::write(path.join("main.onnx"), &whole).unwrap();

    let manifest = std::fs::read_to_string(path.join("bundle.toml")).unwrap();
    std::fs::write(path.join("bundle.toml"), manifest.replace("schema = 1", "schema = 9")).unwrap();
    assert!(message().contains("schema 9"), "{}", message());
    std::fs::remove_file(path.join("bundle.toml")).unwrap();
    assert!(message().contains("not a bundle"), "{}", message());
    assert!(load(&folder.path().join("nowhere")).is_err());
}

#[test]
fn a_role_that_the_bundle_does_not_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    write_bundle(&path, model("Conv", WIDTH, HEIGHT), |_| {});
    let error = Engine::load(&Bundle::open(&path).unwrap(), Some("tiny")).unwrap_err();
    assert!(error.to_string().contains("tiny") && error.to_string().contains("main"), "{error}");
}
