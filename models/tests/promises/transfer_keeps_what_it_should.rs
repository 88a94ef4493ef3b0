//! Transfer moves weights, and a frozen encoder stays as it is while the rest learns.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use burn_store::{ModuleSnapshot, bridge};
use parallax_models::{Backbone, DepthNetwork, ModelError, Network, SegmentationNetwork};

fn values<M: Module>(module: &M) -> Vec<(String, Vec<f32>)> {
    let tensors = module.collect(None, None, false);
    let floats = |tensor| bridge::to_data(tensor).expect("data").try_to_vec::<f32>().expect("floats");
    tensors.iter().map(|tensor| (tensor.name.clone(), floats(tensor))).collect()
}

fn from_depth(depth: DepthNetwork, classes: usize) -> parallax_models::Result<SegmentationNetwork> {
    let network = depth.network();
    SegmentationNetwork::from_parts(depth.encoder, Some(depth.decoder), network, classes, 2)
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
    let segmentation = from_depth(depth, 6).expect("6 classes");
    assert_eq!(values(&segmentation.encoder), encoder);
    assert_eq!(values(&segmentation.decoder), decoder);
    assert_eq!(segmentation.classes(), 6);
}

#[test]
fn encoder_transfer_takes_the_encoder_only() {
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(1, &device);
    let (encoder, decoder) = (values(&depth.encoder), values(&depth.decoder));
    let segmentation = SegmentationNetwork::from_parts(depth.encoder, None, Network::Slim, 6, 2).expect("6 classes");
    assert_eq!(values(&segmentation.encoder), encoder);
    assert_ne!(values(&segmentation.decoder), decoder);
}

#[test]
fn a_frozen_encoder_keeps_weights_and_statistics_while_the_decoder_learns() {
    let device = Device::flex().autodiff();
    let depth = Network::Slim.depth(1, &device);
    let before = from_depth(depth, 6).expect("6 classes").with_frozen_encoder();
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
    after_one_step(from_depth(depth, 6).expect("6 classes"), &device);
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
    let whole = from_depth(depth(), 6).expect("6 classes");
    let encoder = SegmentationNetwork::from_parts(depth().encoder, None, Network::Slim, 6, 2);
    assert_eq!(identities(&whole), identities(&fresh));
    assert_eq!(identities(&encoder.expect("6 classes")), identities(&fresh));
}

#[test]
fn a_single_class_is_refused() {
    let error = Network::Slim.segmentation(1, 0, &Device::flex()).expect_err("one class");
    assert!(matches!(error, ModelError::ClassCount(1)));
}

/// Saves a network of every kind and reads its backbone.
#[test]
fn every_kind_of_weights_gives_its_encoder_and_a_decoder_where_there_is_one_of_that_form() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let network = Network::Slim;
    let (depth, flow, inpainting) =
        (network.depth(1, &device), network.flow(2, &device), network.inpainting(3, &device));
    let (contrastive, masks) =
        (network.contrastive(4, &device), network.segmentation(5, 6, &device).expect("5 classes"));
    depth.save(&path("depth")).expect("saved");
    flow.save(&path("flow")).expect("saved");
    inpainting.save(&path("inpainting")).expect("saved");
    contrastive.save(&path("contrastive")).expect("saved");
    masks.save(&path("masks")).expect("saved");
    let encoders = [&depth.encoder, &flow.encoder, &inpainting.encoder, &contrastive.encoder, &masks.encoder];
    let decoders = [Some(&depth.decoder), None, Some(&inpainting.decoder), None, Some(&masks.decoder)];
    let names = ["depth", "flow", "inpainting", "contrastive", "masks"];
    for ((name, encoder), decoder) in names.into_iter().zip(encoders).zip(decoders) {
        let backbone = Backbone::load(&path(name), &device).expect(name);
        assert_eq!(values(&backbone.encoder), values(encoder), "{name}");
        assert_eq!(backbone.decoder.as_ref().map(values), decoder.map(values), "{name}");
    }
    network.pose(6, &device).save(&path("pose")).expect("saved");
    assert!(matches!(Backbone::load(&path("pose"), &device), Err(ModelError::WrongNetwork { .. })));
}

#[test]
fn a_backbone_brings_its_numbers_and_statistics_into_any_network_that_keeps_its_identities() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("masks");
    // One step, so that the running statistics are not those of a fresh network.
    let masks = after_one_step(Network::Slim.segmentation(3, 1, &device).expect("3 classes"), &device);
    masks.save(&path).expect("saved");
    let backbone = Backbone::load(&path, &device).expect("backbone");
    let fresh = Network::Slim.depth(9, &device);
    let depth = fresh.clone().with_backbone(&backbone).expect("the same network");
    assert_eq!((values(&depth.encoder), values(&depth.decoder)), (values(&masks.encoder), values(&masks.decoder)));
    assert_eq!(values(&depth.predictors), values(&fresh.predictors));
    assert_eq!(identities(&depth), identities(&fresh));
    let flow = Network::Slim.flow(9, &device).with_backbone(&backbone).expect("the same network");
    assert_eq!(values(&flow.encoder), values(&masks.encoder));
    let other = Network::Resnet18.flow(9, &device).with_backbone(&backbone);
    assert!(matches!(other, Err(ModelError::OtherNetwork { .. })));
}
