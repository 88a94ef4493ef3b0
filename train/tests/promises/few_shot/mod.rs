//! A small made-up labelled set, a depth run with random weights, settings of fine-tuning and of rivals, and the weights that a run
//! has left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use image::{GrayImage, Luma, Rgb, RgbImage};
use parallax_core::model_input::ModelInput;
use parallax_core::run::{RunDescription, RunKind, Transfer};
use parallax_models::Network;
use parallax_train::device::{ChosenDevice, DeviceKind};
use parallax_train::finetune::FinetuneConfig;
use parallax_train::rivals::{Method, Rival, RivalConfig};
use parallax_train::training::{LoopConfig, RunFolder, Schedule};

pub(crate) const SIZE: (u32, u32) = (64, 32);

/// Pictures of a bright square on dark ground at a place that differs from picture to picture; ids 3 (ground) and 9.
pub(crate) fn labelled_set(folder: &Path, pictures: u32) -> PathBuf {
    let set = folder.join("set");
    for part in ["images", "labels"] {
        std::fs::create_dir_all(set.join(part)).unwrap();
    }
    let classes = "schema = 1\nignore = [255]\nclass = [\n  { id = 3, name = \"ground\", color = [90, 90, 90] },\n  { id = 9, name = \"box\", color = [200, 30, 30] },\n]\n";
    std::fs::write(set.join("classes.toml"), classes).unwrap();
    for index in 0..pictures {
        let (left, top) = (index * 13 % 44, index * 7 % 14);
        let inside = |x: u32, y: u32| (left..left + 18).contains(&x) && (top..top + 16).contains(&y);
        let noise = |x: u32, y: u32| ((x * 31 + y * 17 + index * 5) % 23) as u8;
        let image = RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let base = if inside(x, y) { [180, 60, 50] } else { [60, 70, 90] };
            Rgb(base.map(|value: u8| value + noise(x, y)))
        });
        let labels = GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            Luma([if y == SIZE.1 - 1 {
                255
            } else if inside(x, y) {
                9
            } else {
                3
            }])
        });
        image.save(set.join(format!("images/{index:03}.png"))).unwrap();
        labels.save(set.join(format!("labels/{index:03}.png"))).unwrap();
    }
    set
}

/// A run folder as depth pre-training leaves it, with random weights.
pub(crate) fn depth_run(folder: &Path) -> PathBuf {
    let path = folder.join("depth");
    let run = RunFolder::create(&path).unwrap();
    run.write_description(&RunDescription {
        schema: 1,
        kind: RunKind::Depth,
        parallax: "0".into(),
        network: "slim".into(),
        seed: 5,
        device: "cpu".into(),
        config: toml::Table::new(),
        input: ModelInput::imagenet(SIZE.0, SIZE.1),
        inherited_cameras: Vec::new(),
        data: Vec::new(),
        validation: Vec::new(),
    })
    .unwrap();
    Network::Slim.depth(5, &Device::flex()).save(&run.weights_path()).unwrap();
    path
}

pub(crate) fn config(labels: PathBuf, init: Option<PathBuf>, transfer: Transfer, steps: u64) -> FinetuneConfig {
    FinetuneConfig {
        labels,
        classes: None,
        count: 4,
        seed: 1,
        init,
        transfer,
        network: Network::Slim,
        input: ModelInput::imagenet(SIZE.0, SIZE.1),
        batch: 2,
        training: LoopConfig {
            steps,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            save_every: 0,
            picture_every: 0,
            ..LoopConfig::default()
        },
    }
}

/// Settings of a rival's run on small pictures; what a test is about it changes.
pub(crate) fn rival_config(rival: Rival, data: &Path, steps: u64, init: Option<PathBuf>) -> RivalConfig {
    RivalConfig {
        data: vec![data.to_path_buf()],
        network: Network::Slim,
        width: SIZE.0 as usize,
        height: SIZE.1 as usize,
        batch: 4,
        seed: 3,
        init,
        memory: 1 << 20,
        method: Method::of(rival, 1),
        steps: LoopConfig {
            steps,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            save_every: 0,
            picture_every: 0,
            loader_threads: 2,
            ..LoopConfig::default()
        },
    }
}

pub(crate) fn cpu() -> ChosenDevice {
    ChosenDevice { device: Device::flex(), kind: DeviceKind::Cpu, name: "cpu (flex)".into(), reason: "tests".into() }
}

/// All weights that a run has left, file by file.
pub(crate) fn weights(run: &Path) -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let files = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path());
    let weights = files.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    weights.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), tensors_of(&path))).collect()
}

/// Every tensor of a run's network by name, as bytes.
pub(crate) fn tensors(run: &Path) -> BTreeMap<String, Vec<u8>> {
    tensors_of(&run.join("model.safetensors"))
}

/// Every tensor of a safetensors file by name, as bytes.
pub(crate) fn tensors_of(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let header_length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header_length]).unwrap();
    let entries = header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__");
    entries
        .map(|(name, entry)| {
            let at = |index: usize| 8 + header_length + entry["data_offsets"][index].as_u64().unwrap() as usize;
            (name.clone(), bytes[at(0)..at(1)].to_vec())
        })
        .collect()
}

pub(crate) fn changed<'a>(
    before: &'a BTreeMap<String, Vec<u8>>,
    after: &BTreeMap<String, Vec<u8>>,
    prefix: &str,
) -> Vec<&'a str> {
    let both = before.iter().filter(|(name, _)| name.starts_with(prefix) && after.contains_key(*name));
    both.filter(|(name, bytes)| after[*name] != **bytes).map(|(name, _)| name.as_str()).collect()
}
