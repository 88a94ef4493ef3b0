//! Every way in which a bundle can be unfit is an error that names it, never a wrong mask.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use parallax_core::bundle::{Bundle, BundledModel};
use parallax_core::labels::Classes;
use parallax_core::model_input::ModelInput;
use parallax_edge::golden::check_golden;
use parallax_edge::{EdgeError, Engine, Result, Worker};
use parallax_onnx::{AttributeProto, DimensionValue, GraphProto, ModelProto, NodeProto};

use common::{HEIGHT, WIDTH, model, picture, write_bundle};

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

/// The model with its graph changed.
fn changed(change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut proto = ModelProto::from_bytes(&model("Conv", WIDTH, HEIGHT)).unwrap();
    change(proto.graph.as_mut().unwrap());
    proto.to_bytes()
}

fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto { attribute, ..NodeProto::new(operator, &format!("{output}_node"), inputs, output) }
}

#[test]
fn a_weight_that_is_no_number() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = refused(changed(|graph| graph.initializer[0].float_data[4] = value), |_| {});
        assert!(matches!(error, EdgeError::NotOnnx { .. }), "{error}");
        assert!(error.to_string().contains(&format!("the constant weights holds {value}")), "{error}");
    }
}

#[test]
fn more_models_than_a_board_chooses_from_and_two_of_one_role() {
    let error = refused(model("Conv", WIDTH, HEIGHT), |manifest| {
        let one = manifest.models[0].clone();
        manifest.models = (0..2000).map(|index| BundledModel { role: format!("m{index}"), ..one.clone() }).collect();
    });
    assert!(error.to_string().contains("names 2000 models, more than 16"), "{error}");
    let error = refused(model("Conv", WIDTH, HEIGHT), |manifest| {
        let one = manifest.models[0].clone();
        manifest.models.push(one);
    });
    assert!(error.to_string().contains("two models with the role \"main\""), "{error}");
}

#[test]
fn a_pool_that_would_look_at_millions_of_places_for_every_pixel() {
    for (size, said) in [(4001, "its kernel of 4001x4001 looks at more than"), (501, "pools look at")] {
        let pads = AttributeProto::integers("pads", &[size / 2; 4]);
        let pool = node(
            "AveragePool",
            &["image"],
            "mean",
            vec![AttributeProto::integers("kernel_shape", &[size, size]), pads],
        );
        let model = changed(|graph| {
            graph.node.insert(0, pool);
            graph.node[1].input[0] = "mean".to_owned();
            for value in graph.input.iter_mut().chain(&mut graph.output) {
                let shape = value.tensor_mut().unwrap().shape.as_mut().unwrap();
                for (axis, size) in [(2, 192), (3, 640)] {
                    shape.dim[axis].value = Some(DimensionValue::Fixed(size));
                }
            }
        });
        let error = refused(model, |manifest| manifest.input = ModelInput::imagenet(640, 192));
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_chain_of_more_operators_than_any_network_has() {
    let error = refused(
        changed(|graph| {
            let mut nodes: Vec<NodeProto> = Vec::new();
            for index in 0..50_000 {
                let read = nodes.last().map_or("image".to_owned(), |node| node.output[0].clone());
                nodes.push(node("Relu", &[&read], &format!("r{index}"), Vec::new()));
            }
            graph.node[0].input[0] = nodes.last().unwrap().output[0].clone();
            graph.node.splice(0..0, nodes);
        }),
        |_| {},
    );
    assert!(error.to_string().contains("it has 50001 operators, more than"), "{error}");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    let program = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_parallax-edge")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let path = folder.path().join("bundle");
    write_bundle(&path, model("Conv", WIDTH, HEIGHT), |_| {});
    let bundle = path.to_str().unwrap();

    let lone = folder.path().join("pipe");
    pipe(&lone);
    let lone = lone.to_str().unwrap();
    assert!(program(&["inspect", lone]).contains("expected a file, found a named pipe"));
    assert!(program(&["inspect", "/dev/zero"]).contains("expected a file, found a device"));
    assert!(program(&["run", "--config", lone]).contains("expected a file, found a named pipe"));
    assert!(program(&["run", "--config", bundle]).contains("expected a file, found a folder"));
    for file in ["main.onnx", "bundle.toml"] {
        let whole = std::fs::read(path.join(file)).unwrap();
        std::fs::remove_file(path.join(file)).unwrap();
        pipe(&path.join(file));
        let said = program(&["inspect", bundle]);
        assert!(said.contains("found a named pipe") && said.contains(file), "{said}");
        std::fs::remove_file(path.join(file)).unwrap();
        std::fs::create_dir(path.join(file)).unwrap();
        let said = program(&["inspect", bundle]);
        assert!(said.contains("found a folder") && said.contains(file), "{said}");
        std::fs::remove_dir(path.join(file)).unwrap();
        // A hundred GiB that take no room on the disk.
        std::fs::File::create(path.join(file)).unwrap().set_len(100 << 30).unwrap();
        assert!(program(&["inspect", bundle]).contains("found a larger one"));
        std::fs::write(path.join(file), whole).unwrap();
    }
}

/// A network whose answer is no number where a picture is dark: `logits = log([-red, red])`.
fn logarithm() -> Vec<u8> {
    changed(|graph| {
        "linear".clone_into(&mut graph.node[0].output[0]);
        graph.node.push(node("Log", &["linear"], "logits", Vec::new()));
    })
}

#[test]
fn a_network_that_gives_no_numbers_is_an_error_of_every_command_and_never_the_first_class() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    write_bundle(&path, logarithm(), |_| {});
    let bundle = Bundle::open(&path).unwrap();
    let engine = Engine::load(&bundle, None).unwrap();
    let error = Worker::new(&engine).unwrap().segment(&picture(WIDTH, HEIGHT, 6)).unwrap_err();
    assert!(error.is_non_finite() && error.hint().is_some(), "{error}");
    assert!(error.to_string().contains("NaN") && error.to_string().contains("128 of 128"), "{error}");

    let frames = folder.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    picture(WIDTH, HEIGHT, 6).save(frames.join("0.png")).unwrap();
    let (bundle, frames) = (path.to_str().unwrap(), frames.to_str().unwrap());
    for arguments in [
        &["inspect", bundle][..],
        &["inspect", bundle, "--kernels"],
        &["bench", "--bundle", bundle, "--runs", "1"],
        &["run", "--from", frames, "--bundle", bundle, "--json"],
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_parallax-edge")).args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("gives NaN where numbers are expected"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_mask_of_ties_is_not_accepted_even_if_it_is_the_stored_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    // Every logit is zero: the stored mask, all of the first class, comes out as stored.
    let nothing = changed(|graph| graph.initializer[0].float_data.fill(0.0));
    let mask = image::GrayImage::new(WIDTH, HEIGHT);
    let mut bytes = std::io::Cursor::new(Vec::new());
    mask.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    write_bundle(&path, nothing, |manifest| {
        manifest.golden.mask_sha256 = parallax_core::files::sha256_of_bytes(bytes.get_ref());
    });
    std::fs::write(path.join("golden_mask.png"), bytes.get_ref()).unwrap();
    let bundle = Bundle::open(&path).unwrap();
    let check = check_golden(&bundle, &Engine::load(&bundle, None).unwrap()).unwrap();
    assert_eq!((check.agreement, check.ties, check.reproduced), (1.0, 1.0, false));
    let error = check.expect(&bundle).unwrap_err();
    assert!(error.to_string().contains("tells no classes apart in 100.0 %"), "{error}");
}

#[test]
fn a_model_in_place_of_a_bundle_is_told_and_how_to_pack_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let onnx = file("X.onnx", &model("Conv", WIDTH, HEIGHT));
    let picture = file("photo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let pickle = file("weights.pth", b"\x80\x02\x8a\nl\xfc\x9c\x1b\x5b");
    for (path, what, how) in [
        (
            &onnx,
            "an ONNX model (float, operator set 17, 1 operators, input image [1, 3, 8, 16]",
            "pack MODEL.onnx --classes",
        ),
        (&picture, "a PNG picture", "--from FILE"),
        (&pickle, "PyTorch checkpoint", "docs/foreign_models.md"),
    ] {
        for command in [&["inspect"][..], &["run", "--from", "x", "--json", "--bundle"], &["bench", "--bundle"]] {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_parallax-edge"))
                .args(command)
                .arg(path)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
            assert!(said.contains(what) && said.contains(how), "{command:?}: {said}");
            assert!(!said.contains(|letter: char| letter.is_control() && letter != '\n'), "{said:?}");
        }
    }
}
