//! Transfer moves weights, and a frozen encoder stays as it is while the rest learns.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use burn_store::{ModuleSnapshot, bridge};
use parallax_models::{ModelError, Network, SegmentationNetwork};

fn values<M: Module>(module: &M) -> Vec<(String, Vec<f32>)> {
    let tensors = module.collect(None, None, false);
    let floats = |tensor| bridge::to_data(tensor).expect("data").try_to_vec::<f32>().expect("floats");
    tensors.iter().map(|tensor| (tensor.name.clone(), floats(tensor))).collect()
}

/// The same picture in every run: values in `[-1, 1]` with detail at every scale.
fn picture(device: &Device) -> Tensor<4> {
    let shape = [2, 3, 64, 96];
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin() * (i as f32 * 0.0023).cos()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn after_one_step(network: SegmentationNetwork, device: &Device) -> SegmentationNetwork {
    let mut optimizer = AdamConfig::new().init();
    let loss = network.forward(picture(device)).powi_scalar(2).mean();
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    optimizer.step(0.01, network, gradients)
}

#[test]
fn whole_transfer_takes_encoder_and_decoder_and_a_fresh_head() {
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(1, &device);
    let (encoder, decoder) = (values(&depth.encoder), values(&depth.decoder));
    let segmentation = SegmentationNetwork::from_depth(depth, 6, 2).expect("6 classes");
    assert_eq!(values(&segmentation.encoder), encoder);
    assert_eq!(values(&segmentation.decoder), decoder);
    assert_eq!(segmentation.classes(), 6);
}

#[test]
fn encoder_transfer_takes_the_encoder_only() {
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(1, &device);
    let (encoder, decoder) = (values(&depth.encoder), values(&depth.decoder));
    let segmentation = SegmentationNetwork::from_encoder(depth.encoder, Network::Slim, 6, 2).expect("6 classes");
    assert_eq!(values(&segmentation.encoder), encoder);
    assert_ne!(values(&segmentation.decoder), decoder);
}

#[test]
fn a_frozen_encoder_keeps_weights_and_statistics_while_the_decoder_learns() {
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(1, &device);
    let before = SegmentationNetwork::from_depth(depth, 6, 2).expect("6 classes").with_frozen_encoder();
    let (encoder, decoder) = (values(&before.encoder), values(&before.decoder));
    let after = after_one_step(before, &device);
    assert_eq!(values(&after.encoder), encoder);
    assert_ne!(values(&after.decoder), decoder);
}

#[test]
fn an_encoder_that_is_not_frozen_learns_weights_and_statistics() {
    let device = Device::flex().autodiff();
    let before = Network::Slim.segmentation(6, 2, &device).expect("6 classes");
    let old = values(&before.encoder);
    let after = values(&after_one_step(before, &device).encoder);
    for ((name, old), (_, new)) in old.iter().zip(&after) {
        assert_ne!(old, new, "{name} stood still");
    }
}

#[test]
fn a_clone_made_for_another_arm_is_not_touched_by_training() {
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(1, &device);
    let kept = depth.clone();
    let before = values(&kept);
    after_one_step(SegmentationNetwork::from_depth(depth, 6, 2).expect("6 classes"), &device);
    assert_eq!(values(&kept), before);
}

#[derive(Default)]
struct Identities(Vec<u64>);

impl ModuleVisitor for Identities {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.id.val());
    }
}

fn identities<M: Module>(module: &M) -> Vec<u64> {
    let mut found = Identities::default();
    module.visit(&mut found);
    found.0
}

#[test]
fn parameters_keep_their_identity_from_one_run_to_the_next() {
    let device = Device::flex();
    let both = |seed| {
        let pose = identities(&Network::Slim.pose(seed, &device));
        [identities(&Network::Slim.depth(seed, &device)), pose].concat()
    };
    assert_eq!(both(1), both(2));
    let mut distinct = both(1);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), both(1).len(), "two parameters share an identity");
}

#[test]
fn a_transferred_network_has_the_identities_of_one_built_from_nothing() {
    let device = Device::flex();
    let fresh = Network::Slim.segmentation(6, 0, &device).expect("6 classes");
    let depth = || Network::Slim.depth(1, &device);
    let whole = SegmentationNetwork::from_depth(depth(), 6, 2).expect("6 classes");
    let encoder = SegmentationNetwork::from_encoder(depth().encoder, Network::Slim, 6, 2);
    assert_eq!(identities(&whole), identities(&fresh));
    assert_eq!(identities(&encoder.expect("6 classes")), identities(&fresh));
}

#[test]
fn a_single_class_is_refused() {
    let error = Network::Slim.segmentation(1, 0, &Device::flex()).expect_err("one class");
    assert!(matches!(error, ModelError::ClassCount(1)));
}
