//! Weights come back from a file as they went in, and a file that does not fit says why.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use burn_store::{ModuleStore, SafetensorsStore};
use parallax_models::encoder::EncoderConfig;
use parallax_models::layers::Builder;
use parallax_models::{DepthNetwork, ModelError, Network, PoseNetwork, SegmentationNetwork};

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("float tensor")
}

/// The same picture in every run: values in `[-1, 1]` with detail at every scale.
fn picture(device: &Device) -> Tensor<4> {
    let shape = [1, 3, 64, 64];
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin() * (i as f32 * 0.0023).cos()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn every_part_comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = Device::flex();
    let image = picture(&device);

    let path = folder.path().join("depth.safetensors");
    let depth = Network::Slim.depth(3, &device);
    depth.save(&path).expect("saved");
    let loaded = DepthNetwork::load(&path, &device).expect("loaded");
    assert_eq!(floats(depth.finest_disparity(image.clone())), floats(loaded.finest_disparity(image.clone())));

    let path = folder.path().join("pose.safetensors");
    let pose = Network::Slim.pose(4, &device);
    pose.save(&path).expect("saved");
    let loaded = PoseNetwork::load(&path, &device).expect("loaded");
    let forward = |pose: &PoseNetwork| floats(pose.forward(image.clone(), image.clone()));
    assert_eq!(forward(&pose), forward(&loaded));

    let path = folder.path().join("segmentation.safetensors");
    let segmentation = Network::Slim.segmentation(5, 5, &device).expect("5 classes");
    segmentation.save(&path).expect("saved");
    let loaded = SegmentationNetwork::load(&path, &device).expect("loaded");
    assert_eq!(loaded.classes(), 5);
    assert_eq!(floats(segmentation.forward(image.clone())), floats(loaded.forward(image)));
}

#[test]
fn running_statistics_are_saved_as_they_are_after_the_last_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("depth.safetensors");
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(0, &device);
    depth.forward(picture(&device));
    depth.save(&path).expect("saved");
    let loaded = DepthNetwork::load(&path, &device).expect("loaded");
    let mean = |depth: &DepthNetwork| floats(depth.encoder.bn1.running_mean.value());
    assert_ne!(mean(&depth)[0], 0.0);
    assert_eq!(mean(&depth), mean(&loaded));
}

#[test]
fn a_missing_file_is_named() {
    let error = DepthNetwork::load(Path::new("/nowhere/model.safetensors"), &Device::flex()).expect_err("no such file");
    assert!(matches!(error, ModelError::Unreadable { .. }));
    assert!(error.to_string().contains("/nowhere/model.safetensors"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_damaged_file_is_malformed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("depth.safetensors");
    Network::Slim.depth(0, &Device::flex()).save(&path).expect("saved");
    let bytes = std::fs::read(&path).expect("bytes");
    for length in [0, 5, 100, bytes.len() / 2] {
        std::fs::write(&path, &bytes[..length]).expect("written");
        let error = DepthNetwork::load(&path, &Device::flex()).expect_err("damaged");
        assert!(matches!(error, ModelError::Malformed { .. }), "{length} bytes: {error}");
    }
}

#[test]
fn weights_of_another_part_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("depth.safetensors");
    Network::Slim.depth(0, &Device::flex()).save(&path).expect("saved");
    let error = SegmentationNetwork::load(&path, &Device::flex()).expect_err("a depth network");
    assert!(matches!(error, ModelError::WrongNetwork { .. }), "{error}");
    assert!(error.to_string().contains("depth") && error.to_string().contains("segmentation"), "{error}");
}

#[test]
fn torchvision_weights_that_do_not_fit_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("slim.safetensors");
    let device = Device::flex();
    let slim = Network::Slim.encoder().init(&mut Builder::new("test", 0, &device));
    SafetensorsStore::from_file(&path).collect_from(&slim).expect("saved");
    let resnet = EncoderConfig::RESNET18.init(&mut Builder::new("test", 0, &device));
    let error = resnet.with_torchvision_weights(&path).expect_err("another network");
    assert!(matches!(error, ModelError::Mismatch { .. }));
    assert!(error.to_string().contains("conv1.weight"), "{error}");
    assert!(error.to_string().contains("more"), "{error}");
}

#[test]
fn torchvision_names_map_to_ours_and_a_pair_of_pictures_shares_the_stem() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("resnet18.safetensors");
    let device = Device::flex();
    let source = EncoderConfig::RESNET18.init(&mut Builder::new("source", 1, &device));
    SafetensorsStore::from_file(&path)
        .with_key_remapping(r"downsample\.conv", "downsample.0")
        .with_key_remapping(r"downsample\.bn", "downsample.1")
        .collect_from(&source)
        .expect("saved");
    let pair = EncoderConfig::RESNET18.for_pictures(2).init(&mut Builder::new("pair", 2, &device));
    let pair = pair.with_torchvision_weights(&path).expect("fits");
    let image = picture(&device);
    let of_one = floats(source.forward(image.clone())[4].clone());
    let of_pair = floats(pair.forward(Tensor::cat(vec![image.clone(), image], 1))[4].clone());
    for (one, pair) in of_one.iter().zip(&of_pair) {
        assert!((one - pair).abs() < 1e-3, "{one} and {pair}");
    }
}
