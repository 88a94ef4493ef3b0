//! Models that nobody exports: each fault is an error that names it, and whatever else is broken, by chance, is an error or a
//! model that runs. The broken models are those of the fuzz targets (`fuzz/`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../fuzz/src/lib.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "shared with the fuzz targets, which are crates of their own"
)]
mod fuzzed;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arbitrary::Unstructured;
use parallax_core::bundle::{self, Bundle};
use parallax_edge::{EdgeError, Engine, EngineConfig, Int8Files, Worker};
use parallax_onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

/// Models that are tried; set `PARALLAX_FUZZ_CASES` for more.
const CASES: u64 = 1500;

fn load(model: Vec<u8>, folder: &Path, int8: Int8Files) -> Result<(), EdgeError> {
    let path = folder.join("bundle.tar");
    let (manifest, files) = fuzzed::bundle(model, fuzzed::golden());
    bundle::write(&path, &manifest, &files).unwrap();
    let bundle = Bundle::open(&path);
    std::fs::remove_file(&path).unwrap();
    let bundle = bundle.unwrap();
    let engine = Engine::load_with(&bundle, None, EngineConfig { int8, ..EngineConfig::default() })?;
    let mut worker = Worker::new(&engine)?;
    let (mask, _) = worker.segment(&bundle.golden_frame().unwrap())?;
    assert!(mask.indices.iter().all(|class| usize::from(*class) < engine.classes().len()));
    Ok(())
}

/// What is said about the sound model with something changed.
fn fault(change: impl Fn(&mut GraphProto)) -> String {
    let mut model = fuzzed::network();
    change(model.graph.as_mut().unwrap());
    let folder = tempfile::tempdir().unwrap();
    load(model.to_bytes(), folder.path(), Int8Files::InIntegers).unwrap_err().to_string()
}

fn constant<'a>(graph: &'a mut GraphProto, name: &str) -> &'a mut TensorProto {
    graph.initializer.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

fn operator<'a>(graph: &'a mut GraphProto, name: &str) -> &'a mut NodeProto {
    graph.node.iter_mut().find(|node| node.output[0] == name).unwrap()
}

fn floats(graph: &mut GraphProto, name: &str, value: f32) {
    let tensor = constant(graph, name);
    tensor.raw_data = value.to_le_bytes().repeat(tensor.raw_data.len() / 4);
}

#[test]
fn the_sound_model_runs() {
    let folder = tempfile::tempdir().unwrap();
    for int8 in [Int8Files::InIntegers, Int8Files::InFloat] {
        load(fuzzed::network().to_bytes(), folder.path(), int8).unwrap();
    }
}

#[test]
fn every_fault_is_named() {
    let said = |text: &str, change: &dyn Fn(&mut GraphProto)| {
        let found = fault(change);
        assert!(found.contains(text), "expected {text:?} in: {found}");
    };
    said("has a size of -3", &|graph| constant(graph, "first_w").dims[0] = -3);
    said("more than", &|graph| constant(graph, "first_w").dims = vec![1 << 20, 1 << 20]);
    said("has 9 axes", &|graph| constant(graph, "first_w").dims = vec![1; 9]);
    said("and 5 numbers", &|graph| constant(graph, "first_w").raw_data.truncate(5));
    said("its scale is 0", &|graph| floats(graph, "sum_relu_scale", 0.0));
    said("the constant first_ws holds NaN", &|graph| floats(graph, "first_ws", f32::NAN));
    said("the constant image_scale holds inf", &|graph| floats(graph, "image_scale", f32::INFINITY));
    said("its scale is -1", &|graph| floats(graph, "deep_ws", -1.0));
    said("is neither an input nor a constant", &|graph| graph.initializer.retain(|tensor| tensor.name != "first_b"));
    said("a cycle", &|graph| operator(graph, "first").input[0] = "last_dq".to_owned());
    said("which is there already", &|graph| {
        let again = operator(graph, "first").clone();
        graph.node.push(again);
    });
    said("nothing gives its output", &|graph| graph.output[0].name = "elsewhere".to_owned());
    said("in another file", &|graph| constant(graph, "first_w").data_location = Some(1));
    said("it has 0 groups", &|graph| {
        operator(graph, "deep").attribute.iter_mut().filter(|one| one.name == "group").for_each(|group| group.i = 0);
    });
    said("its strides is 0", &|graph| {
        operator(graph, "first").attribute.push(AttributeProto::integers("strides", &[0, 1]));
    });
    said("a graph of its own", &|graph| {
        let body = AttributeProto { name: "body".to_owned(), g: Some(GraphProto::default()), ..Default::default() };
        operator(graph, "first").attribute.push(body);
    });
    said("it enlarges 1000000000000", &|graph| floats(graph, "twice", 1e12));
    said("what its sizes huge ask for", &|graph| {
        graph.initializer.push(TensorProto::of_longs("huge", &[4], &[1 << 20; 4]));
        graph.node.insert(0, NodeProto::new("ConstantOfShape", "", &["huge"], "large"));
    });
}

#[test]
fn models_broken_by_chance_are_errors_or_run() {
    let cases = std::env::var("PARALLAX_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    // tract's panics are caught and become errors; their words would fill the terminal.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let (mut ran, mut panicked, mut escaped) = (0_u64, Vec::new(), Vec::new());
    for case in 0..cases {
        let mut state = (case + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(160)
        .collect();
        let mut model = fuzzed::network();
        let mut edits = Unstructured::new(&bytes);
        let bytes = if case % 4 == 0 {
            let mut encoded = model.to_bytes();
            fuzzed::scramble(&mut edits, &mut encoded).unwrap();
            encoded
        } else {
            fuzzed::edit(&mut edits, &mut model).unwrap();
            model.to_bytes()
        };
        let int8 = if case % 5 == 0 { Int8Files::InFloat } else { Int8Files::InIntegers };
        match catch_unwind(AssertUnwindSafe(|| load(bytes, folder.path(), int8))) {
            Ok(Ok(())) => ran += 1,
            Ok(Err(error)) if error.to_string().contains("tract panicked") => panicked.push((case, error.to_string())),
            Ok(Err(_)) => {}
            Err(panic) => escaped.push((case, panic.downcast_ref::<String>().cloned())),
        }
    }
    std::panic::set_hook(hook);
    assert!(escaped.is_empty(), "{} of {cases} models: {:?}", escaped.len(), &escaped[..escaped.len().min(9)]);
    assert!(ran * 50 > cases, "some changes leave a model that runs: {ran}");
    // What passes the check and makes tract panic is rare; more would say that the check has lost a rule.
    assert!(panicked.len() as u64 * 20 <= cases, "{} of {cases}: {:?}", panicked.len(), &panicked[..9]);
}

#[test]
fn bytes_that_are_no_model_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [Vec::new(), vec![0xFF; 64], ModelProto::default().to_bytes()] {
        assert!(load(bytes, folder.path(), Int8Files::InIntegers).is_err());
    }
}
