//! What the fuzz targets share: a small sound int8 model, a bundle around it, and numbers that break things.

mod edits;
mod model;

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use parallax_core::bundle::{self, Arithmetic, BundleManifest, BundledModel, Golden, Training};
use parallax_core::files::sha256_of_bytes;
use parallax_core::labels::Classes;
use parallax_core::model_input::ModelInput;

pub use edits::edit;
pub use model::{CLASSES, HEIGHT, WIDTH, network};

/// A number that is often where arithmetic ends.
pub fn wild(bytes: &mut Unstructured<'_>) -> Result<i64> {
    const ODD: [i64; 16] = [
        0,
        1,
        -1,
        2,
        3,
        7,
        255,
        256,
        65_535,
        65_536,
        i32::MAX as i64,
        i32::MIN as i64,
        1 << 32,
        i64::MAX,
        i64::MIN,
        1 << 20,
    ];
    if bytes.ratio(3, 4)? { Ok(*bytes.choose(&ODD)?) } else { Ok(i64::from(bytes.arbitrary::<i16>()?)) }
}

/// Changes some bytes.
pub fn scramble(bytes: &mut Unstructured<'_>, of: &mut Vec<u8>) -> Result<()> {
    for _ in 0..bytes.int_in_range(1..=6)? {
        if of.is_empty() {
            return Ok(());
        }
        let at = bytes.choose_index(of.len())?;
        match bytes.int_in_range(0..=3)? {
            0 => of.truncate(at),
            1 => of[at] ^= 1 << bytes.int_in_range(0..=7)?,
            2 => of.insert(at, bytes.arbitrary()?),
            _ => of[at] = bytes.arbitrary()?,
        }
    }
    Ok(())
}

/// The manifest and files of a bundle around a model; hashes are right.
pub fn bundle(model: Vec<u8>, golden: Vec<u8>) -> (BundleManifest, BTreeMap<String, Vec<u8>>) {
    let mask = png(image::GrayImage::new(WIDTH, HEIGHT).into());
    let manifest = BundleManifest {
        schema: bundle::SCHEMA,
        name: "fuzzed".to_owned(),
        packed_by: "a fuzz target".to_owned(),
        input: ModelInput::imagenet(WIDTH, HEIGHT),
        models: vec![BundledModel {
            role: "main".to_owned(),
            file: "main.onnx".to_owned(),
            sha256: sha256_of_bytes(&model),
            arithmetic: Arithmetic::Int8Qdq,
        }],
        golden: Golden {
            frame: "golden.png".to_owned(),
            frame_sha256: sha256_of_bytes(&golden),
            mask: "golden_mask.png".to_owned(),
            mask_sha256: sha256_of_bytes(&mask),
        },
        training: Training {
            network: "by hand".to_owned(),
            transfer: "none".to_owned(),
            seed: 0,
            labelled: Vec::new(),
            labelled_sha256: Vec::new(),
        },
        cameras: Vec::new(),
        classes: Classes::dense(&[("ground", [0, 0, 0]), ("wall", [255, 0, 0]), ("sky", [0, 0, 255])]),
    };
    let names = ["main.onnx", "golden.png", "golden_mask.png"].map(str::to_owned);
    (manifest, names.into_iter().zip([model, golden, mask]).collect())
}

/// A frame as a file.
pub fn golden() -> Vec<u8> {
    png(image::RgbImage::from_fn(WIDTH, HEIGHT, |x, y| image::Rgb([x as u8 * 9, y as u8 * 17, 77])).into())
}

fn png(picture: image::DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture in memory");
    bytes.into_inner()
}
