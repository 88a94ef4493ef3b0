//! A bundle that is broken in some way: manifest, archive or pictures. An error or a bundle, never a crash.

#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use parallax_core::bundle::{Bundle, MANIFEST};
use parallax_edge::Engine;
use parallax_fuzz::{bundle, golden, network, scramble};

/// A file in memory, where there is memory for files.
fn path() -> &'static Path {
    static FILE: OnceLock<tempfile::TempPath> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    let builder = builder.suffix(".tar");
    let make = || if memory.is_dir() { builder.tempfile_in(memory) } else { builder.tempfile() };
    FILE.get_or_init(|| make().expect("a temporary file").into_temp_path())
}

/// An archive with one thing wrong.
fn archive(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let what = bytes.int_in_range(0..=3)?;
    let mut frame = golden();
    if what == 0 {
        scramble(bytes, &mut frame)?;
    }
    let (mut manifest, files) = bundle(network().to_bytes(), frame);
    if what == 1 {
        manifest.input.width = bytes.arbitrary()?;
        manifest.input.height = bytes.arbitrary()?;
        manifest.input.std = bytes.arbitrary()?;
    }
    let mut text = toml::to_string(&manifest).expect("a manifest is plain values").into_bytes();
    if what == 2 {
        scramble(bytes, &mut text)?;
    }
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in files.iter().map(|(name, bytes)| (name.as_str(), bytes)).chain([(MANIFEST, &text)]) {
        let mut header = tar::Header::new_ustar();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, contents.as_slice()).expect("an archive in memory");
    }
    let mut archive = archive.into_inner().expect("an archive in memory");
    if what == 3 {
        // Headers lie at multiples of 512: the first of them is hit more often than by chance.
        let mut head = archive[..512].to_vec();
        scramble(bytes, &mut head)?;
        archive.splice(..512, head);
        if bytes.arbitrary()? {
            scramble(bytes, &mut archive)?;
        }
    }
    Ok(archive)
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Unstructured::new(data);
    let contents = if bytes.ratio(1, 8).unwrap_or_default() {
        bytes.take_rest().to_vec()
    } else {
        let Ok(contents) = archive(&mut bytes) else { return };
        contents
    };
    std::fs::write(path(), contents).expect("space in the temporary folder");
    let Ok(bundle) = Bundle::open(path()) else { return };
    let _frame = bundle.golden_frame();
    let _mask = bundle.golden_mask();
    let _engine = Engine::load(&bundle, None);
});
