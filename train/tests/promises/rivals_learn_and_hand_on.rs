//! Every rival of depth learns, starts from whatever was learned before, and hands its encoder (and
//! decoder, where there is one) on to fine-tuning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use parallax_core::model_input::ModelInput;
use parallax_core::run::Transfer;
use parallax_models::Network;
use parallax_train::data::{Augmentation, IntrinsicsSource, Supervision, TermsConfig};
use parallax_train::finetune::finetune;
use parallax_train::pretraining::PretrainConfig;
use parallax_train::rivals::{Rival, RivalConfig, pretrain};
use parallax_train::training::{RunFolder, Schedule, log};
use parallax_train::{Error, pretraining};

use crate::few_shot::{SIZE, changed, cpu, labelled_set, rival_config as config, tensors};

const RIVALS: [Rival; 3] = [Rival::Flow, Rival::Inpainting, Rival::Contrastive];

/// A folder of frames without any camera file.
fn frames(parent: &Path) -> PathBuf {
    let drive = crate::footage::stereo_drive(parent, 8);
    std::fs::remove_file(drive.join("camera.yaml")).unwrap();
    std::fs::remove_file(drive.join("camera_right.yaml")).unwrap();
    drive
}

/// Pictures that can be told apart: stripes of other colours and widths in each.
fn unlike_pictures(parent: &Path) -> PathBuf {
    let folder = parent.join("unlike");
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..24_u32 {
        let wave = |at: f32, phase: f32| (127.0 + 120.0 * (at + phase).sin()) as u8;
        let (hue, width) = (number as f32 * 0.7, 1.0 + (number % 6) as f32);
        let picture = image::RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let stripe = if (x + number * y / 8) as f32 % (2.0 * width) < width { 0.0 } else { 1.2 };
            image::Rgb([wave(hue, stripe), wave(2.0 * hue, stripe), wave(3.0 * hue, 0.0)])
        });
        picture.save(folder.join(format!("{number:02}.png"))).unwrap();
    }
    folder
}

fn error<T>(result: Result<T, Error>) -> Error {
    match result {
        Err(error) => error,
        Ok(_) => panic!("it went well"),
    }
}

#[test]
fn every_rival_lowers_its_loss_and_draws_samples() {
    let folder = tempfile::tempdir().unwrap();
    let (data, unlike) = (frames(folder.path()), unlike_pictures(folder.path()));
    for rival in RIVALS {
        let out = folder.path().join(format!("{rival:?}"));
        let data = if rival == Rival::Contrastive { &unlike } else { &data };
        pretrain(config(rival, data, 60, None), &out, &cpu()).unwrap();
        let lines = log::read(&out.join("log.jsonl")).unwrap();
        let mean = |lines: &[log::LogLine]| lines.iter().map(|line| line.loss).sum::<f64>() / lines.len() as f64;
        let (first, last) = (mean(&lines[..10]), mean(&lines[50..]));
        assert!(last < 0.9 * first, "{rival:?}: {first} to {last}");
        assert!(std::fs::read_dir(out.join("samples")).unwrap().count() > 0, "{rival:?} draws samples");
        assert_eq!(RunFolder::open(&out).unwrap().description().unwrap().kind, rival.kind());
    }
}

#[test]
fn flow_finds_how_far_the_wall_moves() {
    let folder = tempfile::tempdir().unwrap();
    let data = frames(folder.path());
    let out = folder.path().join("run");
    let mut config = config(Rival::Flow, &data, 150, None);
    (config.steps.learning_rate, config.steps.schedule) = (2e-3, Schedule::Cosine);
    pretrain(config, &out, &cpu()).unwrap();

    let device = Device::flex();
    let network = parallax_models::FlowNetwork::load(&out.join("model.safetensors"), &device).unwrap();
    let input = ModelInput::imagenet(SIZE.0, SIZE.1);
    let mut values = vec![0.0; 2 * input.len()];
    for (number, values) in [3, 4].into_iter().zip(values.chunks_exact_mut(input.len())) {
        let path = data.join(format!("frames/{number:06}.png"));
        input.prepare(&parallax_core::files::read_rgb(&path).unwrap(), values);
    }
    let dims = [2, 3, SIZE.1 as usize, SIZE.0 as usize];
    let pictures = burn::Tensor::from_data(burn::tensor::TensorData::new(values, dims), &device);
    let flow = network.forward(pictures)[0].clone() * (parallax_models::flow::LARGEST_FLOW * f64::from(SIZE.0));
    let flow: Vec<f32> = flow.into_data().try_to_vec().unwrap();
    // Two directions of two components: the wall moves 1.3 pixels to the left from frame to frame.
    let plane = flow.len() / 4;
    let means: Vec<f32> = flow.chunks_exact(plane).map(|map| map.iter().sum::<f32>() / plane as f32).collect();
    for (mean, expected) in means.iter().zip([-1.3, 0.0, 1.3, 0.0]) {
        assert!((mean - expected).abs() < 0.3, "{means:?}");
    }
}

#[test]
fn every_rival_hands_on_what_it_has_to_every_transfer() {
    let folder = tempfile::tempdir().unwrap();
    let (data, labels) = (frames(folder.path()), labelled_set(folder.path(), 8));
    for rival in RIVALS {
        let init = folder.path().join(format!("{rival:?}"));
        pretrain(config(rival, &data, 2, None), &init, &cpu()).unwrap();
        let before = tensors(&init);
        // One step at a rate that is zero in f32: the start shows, but for the statistics of batch norms.
        let start = |transfer: Transfer| {
            let out = folder.path().join(format!("{rival:?}_{transfer}"));
            let mut config = crate::few_shot::config(labels.clone(), Some(init.clone()), transfer, 1);
            config.training.learning_rate = 1e-60;
            finetune(&config, &out, &cpu()).map(|_| tensors(&out))
        };
        let differing = |after: &BTreeMap<String, Vec<u8>>, part: &str| -> usize {
            changed(&before, after, part).iter().filter(|name| !name.contains("running")).count()
        };
        let encoder = start(Transfer::Encoder).unwrap();
        assert_eq!(differing(&encoder, "encoder."), 0, "{rival:?}");
        let frozen = start(Transfer::Frozen).unwrap();
        assert_eq!(changed(&before, &frozen, "encoder."), Vec::<&str>::new(), "{rival:?}: statistics stay too");
        match rival {
            Rival::Inpainting => {
                assert!(differing(&encoder, "decoder.") > 0, "the decoder is fresh");
                assert_eq!(differing(&start(Transfer::Whole).unwrap(), ""), 0);
                assert_eq!(differing(&frozen, "decoder."), 0);
            }
            Rival::Flow | Rival::Contrastive => {
                let refused = error(start(Transfer::Whole));
                assert!(refused.to_string().contains(&rival.kind().to_string()), "{refused}");
                let hint = refused.hint().unwrap();
                assert!(hint.contains("--transfer encoder") && hint.contains("frozen"), "{hint}");
            }
        }
    }
}

#[test]
fn masks_of_other_classes_are_a_pre_training_too() {
    let folder = tempfile::tempdir().unwrap();
    let labels = labelled_set(folder.path(), 8);
    let first = folder.path().join("first");
    finetune(&crate::few_shot::config(labels.clone(), None, Transfer::Whole, 2), &first, &cpu()).unwrap();
    let classes = folder.path().join("three.toml");
    let entry = |id: u8, name: &str| format!("  {{ id = {id}, name = \"{name}\", color = [{id}, 0, 0] }},\n");
    let three = [entry(9, "box"), entry(3, "ground"), entry(4, "sky")].concat();
    std::fs::write(&classes, format!("schema = 1\nignore = [255]\nclass = [\n{three}]\n")).unwrap();
    for transfer in [Transfer::Whole, Transfer::Encoder, Transfer::Frozen] {
        let out = folder.path().join(format!("second_{transfer}"));
        let mut config = crate::few_shot::config(labels.clone(), Some(first.clone()), transfer, 1);
        (config.classes, config.training.learning_rate) = (Some(classes.clone()), 1e-60);
        finetune(&config, &out, &cpu()).unwrap();
        let (before, after) = (tensors(&first), tensors(&out));
        let kept = |part: &str| changed(&before, &after, part).iter().all(|name| name.contains("running"));
        assert!(kept("encoder."));
        assert_eq!(kept("decoder."), transfer != Transfer::Encoder);
        assert_eq!(after["head.bias"].len(), 3 * 4, "three classes");
    }
}

#[test]
fn any_pre_training_starts_from_any_other_and_refuses_another_network() {
    let folder = tempfile::tempdir().unwrap();
    let (data, labels) = (frames(folder.path()), labelled_set(folder.path(), 4));
    let with_cameras = crate::footage::stereo_drive(&folder.path().join("stereo"), 4);
    let path = |name: &str| folder.path().join(name);
    let depth = |init: Option<PathBuf>, network: Network, out: &str| {
        let RivalConfig { width, height, batch, seed, memory, mut steps, .. } = config(Rival::Flow, &data, 1, None);
        steps.learning_rate = 1e-60;
        let config = PretrainConfig {
            from: vec![Supervision::Stereo],
            data: vec![with_cameras.clone()],
            validation: Vec::new(),
            camera: None,
            right_camera: None,
            terms: TermsConfig::default(),
            crop: None,
            augmentation: Augmentation::Published,
            intrinsics: IntrinsicsSource::Given,
            network,
            width,
            height,
            batch,
            frame_gap: 1,
            seed,
            init,
            memory,
            metres_per_unit: None,
            learned_cameras: Vec::new(),
            steps,
        };
        pretraining::pretrain(config, &path(out), &cpu()).map(|_| tensors(&path(out)))
    };
    depth(None, Network::Slim, "depth").unwrap();
    finetune(&crate::few_shot::config(labels, None, Transfer::Whole, 1), &path("masks"), &cpu()).unwrap();
    for rival in RIVALS {
        let mut config = config(rival, &data, 1, None);
        config.seed = 8;
        pretrain(config, &path(&format!("{rival:?}")), &cpu()).unwrap();
    }
    let with_decoder = ["depth", "masks", "Inpainting"];
    for from in ["depth", "masks", "Flow", "Inpainting", "Contrastive"] {
        let before = tensors(&path(from));
        let kept = |after: &BTreeMap<String, Vec<u8>>, part: &str| {
            changed(&before, after, part).iter().all(|name| name.contains("running"))
        };
        for rival in RIVALS {
            let out = path(&format!("{rival:?}_from_{from}"));
            let mut config = config(rival, &data, 1, Some(path(from)));
            config.steps.learning_rate = 1e-60;
            pretrain(config, &out, &cpu()).unwrap();
            let after = tensors(&out);
            assert!(kept(&after, "encoder."), "{rival:?} from {from}");
            if rival == Rival::Inpainting && with_decoder.contains(&from) {
                assert!(kept(&after, "decoder."), "{rival:?} from {from}");
            }
            if from == format!("{rival:?}") {
                assert!(kept(&after, ""), "{rival:?} goes on from the whole of {from}");
            }
        }
        let after = depth(Some(path(from)), Network::Slim, &format!("depth_from_{from}")).unwrap();
        assert!(kept(&after, "encoder."), "depth from {from}");
        if from != "Contrastive" {
            assert_eq!(kept(&after, "decoder."), with_decoder.contains(&from), "depth from {from}");
        }
    }
    let refused = error(depth(Some(path("Flow")), Network::Resnet18, "refused")).to_string();
    assert!(refused.contains("resnet18") && refused.contains("slim"), "{refused}");
    let mut other = config(Rival::Contrastive, &data, 1, Some(path("depth")));
    other.network = Network::Resnet18;
    let refused = error(pretrain(other, &path("refused"), &cpu())).to_string();
    assert!(refused.contains("resnet18") && refused.contains("slim"), "{refused}");
    assert!(!path("refused").exists(), "nothing is left behind");
}

/// Writes fresh ResNet-18 weights under torchvision's names as a `.safetensors` file; gives them under ours.
fn torchvision_like(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let ours = path.with_extension("ours");
    Network::Resnet18.contrastive(77, &Device::flex()).save(&ours).unwrap();
    let bytes = std::fs::read(&ours).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let shapes: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    let mut encoder = crate::few_shot::tensors_of(&ours);
    encoder.retain(|name, _| name.starts_with("encoder."));
    for (name, values) in &encoder {
        let theirs = name["encoder.".len()..]
            .replace("downsample.conv", "downsample.0")
            .replace("downsample.bn", "downsample.1");
        let offsets = [data.len(), data.len() + values.len()];
        let entry = serde_json::json!({ "dtype": "F32", "shape": shapes[name]["shape"], "data_offsets": offsets });
        header.insert(theirs, entry);
        data.extend_from_slice(values);
    }
    let header = serde_json::to_vec(&header).unwrap();
    std::fs::write(path, [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()).unwrap();
    encoder
}

#[test]
fn imagenet_weights_from_a_file_are_an_encoder_for_masks_and_for_rivals() {
    let folder = tempfile::tempdir().unwrap();
    let (data, labels) = (frames(folder.path()), labelled_set(folder.path(), 4));
    let file = folder.path().join("resnet18.safetensors");
    let weights = torchvision_like(&file);
    let masks = |network: Network, transfer: Transfer| {
        let out = folder.path().join(format!("masks_{network}_{transfer}"));
        let mut config = crate::few_shot::config(labels.clone(), Some(file.clone()), transfer, 1);
        config.network = network;
        finetune(&config, &out, &cpu()).map(|_| tensors(&out))
    };
    let frozen = masks(Network::Resnet18, Transfer::Frozen).unwrap();
    assert_eq!(changed(&weights, &frozen, "encoder."), Vec::<&str>::new());
    let refused = error(masks(Network::Resnet18, Transfer::Whole));
    assert!(refused.to_string().contains("ImageNet") && refused.hint().unwrap().contains("--transfer encoder"));
    let refused = error(masks(Network::Slim, Transfer::Encoder));
    assert!(refused.to_string().contains("slim") && refused.hint().unwrap().contains("resnet18"), "{refused}");

    let mut config = config(Rival::Inpainting, &data, 1, Some(file.clone()));
    (config.network, config.batch, config.steps.learning_rate) = (Network::Resnet18, 2, 1e-60);
    let out = folder.path().join("inpainting");
    pretrain(config, &out, &cpu()).unwrap();
    assert!(changed(&weights, &tensors(&out), "encoder.").iter().all(|name| name.contains("running")));
}

#[test]
fn data_that_cannot_teach_is_named_and_leaves_no_run_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = frames(folder.path());
    let labels = labelled_set(folder.path(), 6);
    let out = folder.path().join("run");
    let single = data.join("frames/000000.png");
    let refused = |rival: Rival, data: &Path| {
        let error = error(pretrain(config(rival, data, 1, None), &out, &cpu()));
        assert!(!out.exists() && error.hint().is_some(), "{error}");
        error.to_string()
    };
    assert!(refused(Rival::Flow, &single).contains("two frames"));
    assert!(refused(Rival::Contrastive, &single).contains("only one"));
    assert!(refused(Rival::Flow, &labels).contains("set"), "a labelled set is no video");
    assert!(refused(Rival::Inpainting, &folder.path().join("nowhere")).contains("nowhere"));
    std::fs::write(labels.join("images/004.png"), "no picture").unwrap();
    let mut every = config(Rival::Inpainting, &labels, 2, None);
    every.batch = 6;
    let broken = error(pretrain(every, &out, &cpu())).to_string();
    assert!(broken.contains("004.png") && !out.exists(), "{broken}");
    // Any pictures do for these two, labels or not.
    std::fs::remove_file(labels.join("images/004.png")).unwrap();
    for rival in [Rival::Inpainting, Rival::Contrastive] {
        pretrain(config(rival, &labels, 1, None), &folder.path().join(format!("{rival:?}")), &cpu()).unwrap();
    }
}
