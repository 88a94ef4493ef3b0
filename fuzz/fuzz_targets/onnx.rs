//! A bundle whose model is broken in some way: an error or a model that runs, in integers and in float, never a crash.

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use parallax_core::bundle::{Bundle, BundleManifest, MANIFEST};
use parallax_edge::{Engine, EngineConfig, Int8Files, Worker};
use parallax_fuzz::{bundle, edit, golden, network, scramble};

/// A folder in memory, where there is one.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let make = || if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    FOLDER.get_or_init(|| make().expect("a temporary folder")).path()
}

fn write(manifest: &BundleManifest, files: &BTreeMap<String, Vec<u8>>) {
    let text = toml::to_string(manifest).expect("a manifest is plain values");
    std::fs::write(folder().join(MANIFEST), text).expect("space in the temporary folder");
    for (name, bytes) in files {
        std::fs::write(folder().join(name), bytes).expect("space in the temporary folder");
    }
}

fn model(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut model = network();
    if bytes.ratio(1, 4)? {
        let mut encoded = model.to_bytes();
        scramble(bytes, &mut encoded)?;
        return Ok(encoded);
    }
    edit(bytes, &mut model)?;
    Ok(model.to_bytes())
}

fuzz_target!(
    init: {
        // libFuzzer's hook aborts at every panic. Those of tract are caught and become errors; any other reaches the
        // fuzzer, which aborts then.
        std::panic::set_hook(Box::new(|_| ()));
    },
    |data: &[u8]| {
        let mut bytes = Unstructured::new(data);
        let int8 = if bytes.ratio(1, 4).unwrap_or_default() { Int8Files::InFloat } else { Int8Files::InIntegers };
        let Ok(model) = model(&mut bytes) else { return };
        let (manifest, files) = bundle(model, golden());
        write(&manifest, &files);
        let bundle = Bundle::open(folder()).expect("the bundle itself is sound");
        let Ok(engine) = Engine::load_with(&bundle, None, EngineConfig { int8, ..EngineConfig::default() }) else { return };
        let Ok(mut worker) = Worker::new(&engine) else { return };
        let frame = bundle.golden_frame().expect("a picture");
        if let Ok((mask, _)) = worker.segment(&frame) {
            assert!(mask.indices.iter().all(|class| usize::from(*class) < engine.classes().len()));
        }
    }
);
