//! A whole training step with the loss on tensors has the losses and gradients of the step with the loss in loops, whatever
//! supervises: what a GPU learns from is what a CPU learns from.
//!
//! Both run on the CPU here, on the same fresh networks and the same batches. Sums of f32 in another order change gradients by 3e-6
//! of the largest entry of each parameter's. Where two sources explain a pixel equally well, that can choose the other one, and
//! a single such pixel changes gradients by up to 3e-3; which pixel it is differs with the processor's instructions. So three batches
//! are looked at: a fault is in all of them, such a pixel in one. Their median is held to 2e-3.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use parallax_core::depth::{DepthMap, DepthUnit};
use parallax_core::model_input::ModelInput;
use parallax_models::Network;
use parallax_train::data::{
    Augmentation, CropConfig, CropSources, DepthBatches, DepthBatchesConfig, Footage, FootageConfig, FootageNeeds,
    FrameSize, IntrinsicsSource, PoseSource, SpeedSource, Supervision, TermsConfig,
};
use parallax_train::loss::photometric::OutOfView;
use parallax_train::pretraining::focal::FocalCourse;
use parallax_train::pretraining::{DepthModel, DepthTask, LearnedCameras, LossPlace};
use parallax_train::training::{StepLoss, Task as _};

const SIZE: (usize, usize) = (64, 32);
const FRAMES: usize = 5;
const TOLERANCE: f32 = 2e-3;
/// What a pixel between two sources may change in the worst batch.
const ONE_PIXEL: f32 = 1e-2;
const BATCHES: [u64; 3] = [2, 5, 6];

/// A drive with everything: both eyes, poses and sparse depth.
fn drive(parent: &Path) -> PathBuf {
    let data = crate::footage::stereo_drive(parent, FRAMES);
    let rows: Vec<String> = (0..FRAMES).map(|i| format!("1 0 0 {} 0 1 0 0 0 0 1 0\n", 0.13 * i as f64)).collect();
    std::fs::write(data.join("poses.txt"), rows.concat()).unwrap();
    std::fs::create_dir_all(data.join("depth")).unwrap();
    for frame in 0..FRAMES {
        let metres = (0..SIZE.0 * SIZE.1).map(|at| if at % 7 == 0 { 4.0 + 0.1 * frame as f32 } else { 0.0 }).collect();
        let map = DepthMap { width: SIZE.0 as u32, height: SIZE.1 as u32, metres };
        map.write_png(&data.join("depth").join(format!("{frame:06}.png")), DepthUnit::KittiStep).unwrap();
    }
    data
}

/// What teaches, and how.
struct Form {
    from: Vec<Supervision>,
    terms: TermsConfig,
    intrinsics: IntrinsicsSource,
    crop: Option<CropConfig>,
}

impl Form {
    fn new(from: &[Supervision]) -> Self {
        let (terms, intrinsics) = (TermsConfig::default(), IntrinsicsSource::Given);
        Self { from: from.to_vec(), terms, intrinsics, crop: None }
    }

    fn task(&self, data: &Path, place: LossPlace) -> DepthTask {
        let needs = FootageNeeds {
            frames: self.crop.map_or(FrameSize::Network, |crop| crop.from),
            enlarged: self.crop.is_some_and(|crop| crop.zoom.is_some()),
            intrinsics: self.intrinsics,
            poses: self.terms.poses.clone(),
            range: self.terms.range,
        };
        let footage = FootageConfig {
            data: vec![data.to_path_buf()],
            camera: None,
            right_camera: None,
            width: SIZE.0,
            height: SIZE.1,
            memory: 1 << 22,
        };
        let batches = DepthBatchesConfig {
            supervisions: self.from.clone(),
            terms: self.terms.clone(),
            input: ModelInput::imagenet(SIZE.0 as u32, SIZE.1 as u32),
            frame_gap: 1,
            batch: 3,
            seed: 7,
            strides: (0..4).map(|scale| Network::Slim.finest_stride() << scale).collect(),
            crop: self.crop,
            augmentation: Some(Augmentation::Published),
        };
        DepthTask {
            batches: DepthBatches::new(Footage::open_for(&footage, &needs).unwrap(), batches).unwrap(),
            place,
            intrinsics: self.intrinsics,
            validation: None,
            focal_course: FocalCourse::default(),
        }
    }
}

/// Gradients of all parameters that have one, in the model's order.
struct Collected<'a> {
    gradients: &'a GradientsParams,
    found: Vec<Vec<f32>>,
}

impl ModuleVisitor for Collected<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.found.push(gradient.into_data().try_into_vec().unwrap());
        }
    }
}

fn gradients(step: &StepLoss, model: &DepthModel) -> Vec<Vec<f32>> {
    let gradients = GradientsParams::from_grads(step.objective.backward(), model);
    let mut collected = Collected { gradients: &gradients, found: Vec::new() };
    model.visit(&mut collected);
    collected.found
}

fn assert_alike(form: &Form) {
    let folder = tempfile::tempdir().unwrap();
    let data = drive(folder.path());
    let [host, device] = [LossPlace::Host, LossPlace::Device].map(|place| form.task(&data, place));
    let on = Device::flex().autodiff();
    let mut model = DepthModel::new(Network::Slim, host.learns_motion(), 3, &on);
    if form.intrinsics == IntrinsicsSource::Learn {
        model.cameras = Some(LearnedCameras::new(&host.batches.footage, &on));
    }
    let mut worst: Vec<f32> = BATCHES.iter().map(|&step| difference(&host, &device, &model, step)).collect();
    worst.sort_by(f32::total_cmp);
    assert!(worst[1] <= TOLERANCE, "gradients differ by {worst:?} of the largest entry");
    assert!(
        worst[2] <= ONE_PIXEL,
        "gradients differ by {worst:?} of the largest entry: more than a pixel that is a tie"
    );
}

/// By which part of the largest entry of a parameter's gradient the gradients of a batch differ, in the worst parameter.
fn difference(host: &DepthTask, device: &DepthTask, model: &DepthModel, step: u64) -> f32 {
    let on = Device::flex().autodiff();
    let batch = host.batch(step).unwrap();
    let [of_host, of_device] = [host, device].map(|task| task.loss(model, &batch, 2, &on).unwrap());
    assert_eq!(of_host.terms.len(), of_device.terms.len());
    for (a, b) in of_host.terms.iter().zip(&of_device.terms) {
        assert_eq!(a.name, b.name);
        assert!((a.value - b.value).abs() <= 1e-5 * a.value.abs().max(1e-3), "{}: {} and {}", a.name, a.value, b.value);
        assert!(a.value > 0.0, "{} has no part in this batch", a.name);
    }
    let [of_host, of_device] = [&of_host, &of_device].map(|step| gradients(step, model));
    assert_eq!(of_host.len(), of_device.len(), "the same parameters learn");
    let ratio = |(a, b): (&Vec<f32>, &Vec<f32>)| {
        let largest = a.iter().fold(1e-9_f32, |largest, value| largest.max(value.abs()));
        a.iter().zip(b).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
    };
    of_host
        .iter()
        .zip(&of_device)
        .map(ratio)
        .fold(0.0, |worst, ratio| if ratio > worst || ratio.is_nan() { ratio } else { worst })
}

#[test]
fn with_video_and_learned_motion() {
    assert_alike(&Form::new(&[Supervision::Video]));
}

#[test]
fn with_video_and_given_poses() {
    let terms = TermsConfig { poses: PoseSource::Given, ..TermsConfig::default() };
    assert_alike(&Form { terms, ..Form::new(&[Supervision::Video]) });
}

#[test]
fn with_video_of_unknown_intrinsics_and_known_speed() {
    let terms = TermsConfig { speed: Some(SpeedSource::Constant(2.0)), ..TermsConfig::default() };
    assert_alike(&Form { terms, intrinsics: IntrinsicsSource::Learn, ..Form::new(&[Supervision::Video]) });
}

#[test]
fn with_stereo() {
    assert_alike(&Form::new(&[Supervision::Stereo]));
}

#[test]
fn with_stereo_masked_out_of_view() {
    let terms = TermsConfig { out_of_view: OutOfView::Masked, ..TermsConfig::default() };
    assert_alike(&Form { terms, ..Form::new(&[Supervision::Stereo]) });
}

#[test]
fn with_ranges() {
    assert_alike(&Form::new(&[Supervision::Range]));
}

#[test]
fn with_everything_in_crops_of_enlarged_frames() {
    let crop = Some(CropConfig {
        width: 32,
        height: 32,
        from: FrameSize::Network,
        sources: CropSources::Window,
        zoom: Some(1.5),
    });
    assert_alike(&Form { crop, ..Form::new(&[Supervision::Video, Supervision::Stereo, Supervision::Range]) });
}

#[test]
fn with_crops_whose_sources_show_what_is_around() {
    let crop =
        Some(CropConfig { width: 32, height: 32, from: FrameSize::Network, sources: CropSources::Around, zoom: None });
    for out_of_view in [OutOfView::Border, OutOfView::Masked] {
        let terms = TermsConfig { poses: PoseSource::Given, out_of_view, ..TermsConfig::default() };
        assert_alike(&Form { terms, crop, ..Form::new(&[Supervision::Video, Supervision::Stereo]) });
    }
}
