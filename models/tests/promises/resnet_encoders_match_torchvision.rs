//! The ResNet encoders compute what torchvision's do, in training and in evaluation.
//!
//! Weights come from a formula over their names, so that no weight file is needed; the golden values are from
//! `golden/make_resnet_golden.py`, computed there in 64-bit floats. Tolerance: 1e-4 of a feature map's deviation, or
//! three times PyTorch's own 32-bit rounding where that is more (batch norm over the 12 samples of ResNet-50's last
//! layers amplifies it to 1e-3).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use burn_store::{ModuleSnapshot, bridge};
use parallax_models::encoder::{Encoder, EncoderConfig};
use parallax_models::layers::Builder;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    eval: Vec<Summary>,
    train: Vec<Summary>,
    running: BTreeMap<String, Summary>,
}

#[derive(Deserialize)]
struct Summary {
    count: usize,
    mean: f64,
    deviation: f64,
    rounding: f64,
    step: usize,
    samples: Vec<f32>,
}

impl Summary {
    fn assert_matches(&self, what: &str, values: &[f32]) {
        assert_eq!(values.len(), self.count, "{what}");
        let tolerance = (3.0 * self.rounding).max(1e-4) * self.deviation.max(1e-3);
        let count = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
        assert!((mean - self.mean).abs() < tolerance, "{what}: mean {mean}, torchvision {}", self.mean);
        assert!((variance.sqrt() - self.deviation).abs() < tolerance, "{what}: deviation {}", variance.sqrt());
        for (value, expected) in values.iter().step_by(self.step).zip(&self.samples) {
            let difference = f64::from((value - expected).abs());
            assert!(difference < tolerance, "{what}: {value}, torchvision {expected}");
        }
    }
}

fn unit(name: &str, count: usize) -> Vec<f32> {
    let hash =
        name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (0..count as u64)
        .map(|index| {
            let mut bits = hash.wrapping_add(index).wrapping_add(0x9e37_79b9_7f4a_7c15);
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((bits ^ (bits >> 31)) >> 40) as f32 / (1_u32 << 24) as f32
        })
        .collect()
}

fn torchvision_name(ours: &str) -> String {
    ours.replace("downsample.conv", "downsample.0").replace("downsample.bn", "downsample.1")
}

fn draw(name: &str, shape: &[usize]) -> Vec<f32> {
    let values = unit(name, shape.iter().product());
    if let [_, inputs, height, width] = shape {
        let half_width = (6.0 / (inputs * height * width) as f64).sqrt() as f32;
        return values.into_iter().map(|value| (2.0 * value - 1.0) * half_width).collect();
    }
    if name.ends_with("running_var") || name.ends_with("weight") {
        return values.into_iter().map(|value| value + 0.5).collect();
    }
    values.into_iter().map(|value| (value - 0.5) * 0.2).collect()
}

fn filled(mut encoder: Encoder) -> Encoder {
    let tensors = encoder.collect(None, None, false).into_iter().map(|tensor| {
        let shape: Vec<usize> = tensor.shape.iter().copied().collect();
        let values = draw(&torchvision_name(&tensor.name), &shape);
        bridge::from_data(TensorData::new(values, shape), tensor.name.clone(), None)
    });
    let tensors = tensors.collect();
    let result = encoder.apply(tensors, None, None, false);
    assert!(result.errors.is_empty() && result.missing.is_empty() && result.unused.is_empty());
    encoder
}

fn image(device: &Device) -> Tensor<4> {
    let values: Vec<f32> = unit("image", 2 * 3 * 64 * 96).into_iter().map(|value| 2.0 * value - 1.0).collect();
    Tensor::from_data(TensorData::new(values, [2, 3, 64, 96]), device)
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("float tensor")
}

fn assert_parity(name: &str, config: EncoderConfig) {
    let text = std::fs::read_to_string(golden_folder().join("resnet_golden.json")).expect("golden values");
    let mut all: BTreeMap<String, Golden> = serde_json::from_str(&text).expect("golden values");
    let golden = all.remove(name).expect("golden values of this network");

    let device = Device::flex();
    let encoder = filled(config.init(&mut Builder::new("test", 0, &device)));
    for (index, features) in encoder.forward(image(&device)).into_iter().enumerate() {
        golden.eval[index].assert_matches(&format!("{name} eval features {index}"), &floats(features));
    }

    let device = device.autodiff();
    let encoder = filled(config.init(&mut Builder::new("test", 0, &device)));
    for (index, features) in encoder.forward(image(&device)).into_iter().enumerate() {
        golden.train[index].assert_matches(&format!("{name} train features {index}"), &floats(features));
    }
    let tensors = encoder.valid().collect(None, None, false);
    for (running, expected) in &golden.running {
        let tensor = tensors.iter().find(|tensor| &torchvision_name(&tensor.name) == running);
        let data = bridge::to_data(tensor.expect("a running statistic of that name")).expect("data");
        expected.assert_matches(&format!("{name} {running}"), &data.try_to_vec::<f32>().expect("floats"));
    }
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn resnet18_features_and_statistics_are_torchvisions() {
    assert_parity("resnet18", EncoderConfig::RESNET18);
}

#[test]
fn resnet50_features_and_statistics_are_torchvisions() {
    assert_parity("resnet50", EncoderConfig::RESNET50);
}

/// Needs the files `make_resnet_golden.py --pth DIR` writes, which are too large to keep.
#[test]
fn torchvision_files_are_read_into_the_encoder() {
    let Ok(folder) = std::env::var("PARALLAX_TORCHVISION_PTH") else {
        // Written past the test harness, which swallows what passing tests print.
        writeln!(
            std::io::stderr(),
            "SKIPPED: set PARALLAX_TORCHVISION_PTH to a folder written by make_resnet_golden.py --pth"
        )
        .expect("standard error");
        return;
    };
    let device = Device::flex();
    for (name, config) in [("resnet18", EncoderConfig::RESNET18), ("resnet50", EncoderConfig::RESNET50)] {
        let path = Path::new(&folder).join(format!("{name}.pth"));
        let fresh = || config.init(&mut Builder::new("test", 0, &device));
        let read = fresh().with_torchvision_weights(&path).expect("a readable file");
        let by_formula = filled(fresh());
        let bytes = |encoder: &Encoder| -> Vec<(String, Vec<f32>)> {
            let tensors = encoder.collect(None, None, false);
            let values = |tensor| bridge::to_data(tensor).expect("data").try_to_vec::<f32>().expect("floats");
            tensors.iter().map(|tensor| (tensor.name.clone(), values(tensor))).collect()
        };
        assert_eq!(bytes(&read).len(), bytes(&by_formula).len());
        for ((name, read), (_, drawn)) in bytes(&read).into_iter().zip(bytes(&by_formula)) {
            // The running statistics in the file have moved on by one training step of the script.
            assert!(name.contains("running") || read == drawn, "{name} differs");
        }
    }
}
