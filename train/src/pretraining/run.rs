//! A depth pre-training run from its settings to its run folder.

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::Device;
use parallax_core::camera::ros_yaml;
use parallax_core::model_input::ModelInput;
use parallax_core::run::{DataSource, RunDescription, RunKind};
use parallax_models::{DepthNetwork, SIZE_MULTIPLE};
use serde::Serialize;

use super::{
    DepthModel, DepthTask, LearnedCamera, LearnedCameras, LossPlace, PretrainConfig, Validation, focal, teaching,
};
use crate::Error;
use crate::data::{
    DepthBatches, DepthBatchesConfig, Footage, FootageConfig, FootageNeeds, FrameSize, IntrinsicsSource,
};
use crate::device::{ChosenDevice, DeviceKind};
use crate::inheritance::Beginning;
use crate::lesson::Lesson;
use crate::training::{
    ChangedData, EndedRun, LoopChanges, LoopConfig, RunFolder, RunIdentity, RunPlan, RunSources, Sitting, Trained,
    lifecycle, with_settings,
};

/// Disparity maps that a depth network gives.
const SCALES: usize = 4;

/// Starts a run in a new folder.
///
/// # Errors
/// When a setting makes no sense, the data cannot be trained on, the folder is not empty, or training fails.
pub fn pretrain(config: PretrainConfig, out: &Path, device: &ChosenDevice) -> Result<Pretrained, Error> {
    config.check()?;
    let metres_per_unit = unit_of_beginning(config.init.as_deref())?;
    let config = with_size(PretrainConfig { metres_per_unit, ..config })?;
    sitting(config, Sitting::First { out }, device)
}

/// Goes on with a run; `changes` are made to its loop.
///
/// # Errors
/// When the folder holds no such run, its data have changed, or training fails.
pub fn resume(out: &Path, changes: &LoopChanges, device: &ChosenDevice) -> Result<Pretrained, Error> {
    let folder = RunFolder::open(out)?;
    let config = config_of(&folder, &folder.description()?)?;
    sitting(config, Sitting::Later { folder, changes }, device)
}

fn sitting(config: PretrainConfig, sitting: Sitting, device: &ChosenDevice) -> Result<Pretrained, Error> {
    // A run that was finished already keeps what was found out then.
    let learned_cameras = config.learned_cameras.clone();
    let EndedRun { folder, description, task, trained, lessons } = lifecycle::run(config, sitting, device)?;
    let cameras = if task.focal_course.is_empty() {
        learned_cameras
    } else {
        focal::report(&task, &trained.model.valid(), &device.device.clone().inner())?
    };
    write_cameras(&cameras, &folder, description)?;
    Ok(Pretrained { trained, cameras, lessons })
}

/// What a run came to.
pub struct Pretrained {
    /// The model and how training ended.
    pub trained: Trained<DepthModel>,
    /// Cameras that were learned and how far they can be trusted.
    pub cameras: Vec<LearnedCamera>,
    /// What the footage could teach, for each form of supervision.
    pub lessons: Vec<Lesson>,
}

/// Writes down what learned cameras came to: in `run.toml` and, where the footage determines one, as a camera file.
fn write_cameras(cameras: &[LearnedCamera], folder: &RunFolder, description: RunDescription) -> Result<(), Error> {
    if !cameras.is_empty() {
        let config = PretrainConfig { learned_cameras: cameras.to_vec(), ..config_of(folder, &description)? };
        folder.write_description(&with_settings(description, &config)?)?;
    }
    for (number, learned) in cameras.iter().enumerate().filter(|(_, learned)| learned.determined) {
        let name = if number == 0 { "camera.yaml".into() } else { format!("camera_{number}.yaml") };
        ros_yaml::write(&folder.path().join(name), &learned.camera())?;
    }
    Ok(())
}

/// The settings of a depth run.
///
/// # Errors
/// When the run is not one of depth, or was made by another version.
pub fn config_of(folder: &RunFolder, description: &RunDescription) -> Result<PretrainConfig, Error> {
    description.kind.expect(RunKind::Depth, &folder.description_path(), "name another run")?;
    folder.settings(description)
}

/// The footage of a run's settings: whole frames at the networks' size, for looking at what a run has learned.
///
/// # Errors
/// When a recording cannot be opened.
pub fn footage(config: &PretrainConfig) -> Result<Footage, Error> {
    let needs = FootageNeeds { intrinsics: config.intrinsics, ..FootageNeeds::default() };
    Footage::open_for(&footage_config(config), &needs)
}

fn footage_config(config: &PretrainConfig) -> FootageConfig {
    FootageConfig {
        data: config.data.clone(),
        camera: config.camera.clone(),
        right_camera: config.right_camera.clone(),
        width: config.width,
        height: config.height,
        memory: config.memory,
    }
}

/// The size for whole frames, where it is to be the data's own: the nearest that the network can take.
fn with_size(config: PretrainConfig) -> Result<PretrainConfig, Error> {
    if config.width > 0 {
        return Ok(config);
    }
    let Some(path) = config.data.first() else {
        let hint = "name a recording or a folder of frames with --data";
        return Err(Error::Settings { what: "there is nothing to train on".into(), hint });
    };
    let (width, height) = parallax_core::recording::picture_size(path)?;
    let nearest = |side: u32| ((side as usize + SIZE_MULTIPLE / 2) / SIZE_MULTIPLE).max(1) * SIZE_MULTIPLE;
    Ok(PretrainConfig { width: nearest(width), height: nearest(height), ..config })
}

/// The footage of a run, opened.
pub struct DepthFootage {
    trained_on: Footage,
    validation: Option<Footage>,
}

impl RunPlan for PretrainConfig {
    type Task = DepthTask;
    type Data = DepthFootage;

    const CHANGED: ChangedData = ChangedData {
        what: "the data are not those that the run was started with",
        hint: "put the recordings back as they were, or start a new run with --init set to this one",
    };

    fn identity(&self) -> RunIdentity<'_> {
        let Self { network, seed, .. } = *self;
        RunIdentity { kind: RunKind::Depth, network, seed, input: input(self), init: self.init.as_deref() }
    }

    fn training(&mut self) -> &mut LoopConfig {
        &mut self.steps
    }

    fn check(&self) -> Result<(), Error> {
        self.check()
    }

    fn open(&self) -> Result<DepthFootage, Error> {
        let trained_on = Footage::open_for(&footage_config(self), &needs(self))?;
        let validation = validation(self, &trained_on)?;
        Ok(DepthFootage { trained_on, validation })
    }

    fn sources(data: &DepthFootage) -> Result<RunSources, Error> {
        let validation = data.validation.as_ref().map_or(Ok(Vec::new()), Footage::sources)?;
        Ok(RunSources { data: data.trained_on.sources()?, validation })
    }

    fn task(&self, data: DepthFootage, device: &ChosenDevice) -> Result<DepthTask, Error> {
        let place = match device.kind {
            DeviceKind::Gpu => LossPlace::Device,
            DeviceKind::Cpu => LossPlace::Host,
        };
        let batches = DepthBatches::new(data.trained_on, batches_config(self))?.in_unit(self.metres_per_unit);
        let validation = |footage| Validation::new(footage, &batches.config, batches.metres_per_unit);
        let validation = data.validation.map(validation).transpose()?;
        let focal_course = focal::FocalCourse::default();
        Ok(DepthTask { batches, place, intrinsics: self.intrinsics, validation, focal_course })
    }

    fn settings(&self, task: &DepthTask) -> impl Serialize {
        Self { metres_per_unit: task.batches.metres_per_unit, ..self.clone() }
    }

    /// Fresh networks and cameras, or what `--init` gives them.
    fn begin(&self, task: &DepthTask, device: &Device) -> Result<DepthModel, Error> {
        let learned = self.intrinsics == IntrinsicsSource::Learn;
        let cameras = learned.then(|| LearnedCameras::new(&task.batches.footage, device));
        let mut model =
            DepthModel { cameras, ..DepthModel::new(self.network, task.learns_motion(), self.seed, device) };
        match Beginning::of(self.init.as_deref(), RunKind::Depth, self.network, device)? {
            Beginning::Fresh => {}
            Beginning::Same(weights) => model.depth = DepthNetwork::load(&weights, device)?,
            Beginning::Backbone(backbone) => model.depth = model.depth.with_backbone(&backbone)?,
        }
        Ok(model)
    }

    fn lessons(&self, task: &DepthTask) -> Result<Vec<Lesson>, Error> {
        teaching::of_run(&task.batches, self.steps.steps * self.steps.accumulate)
    }
}

fn input(config: &PretrainConfig) -> ModelInput {
    ModelInput::imagenet(config.width as u32, config.height as u32)
}

fn needs(config: &PretrainConfig) -> FootageNeeds {
    FootageNeeds {
        frames: config.crop.map_or(FrameSize::Network, |crop| crop.from),
        enlarged: config.crop.is_some_and(|crop| crop.zoom.is_some()),
        intrinsics: config.intrinsics,
        poses: config.terms.poses.clone(),
        range: config.terms.range,
    }
}

fn batches_config(config: &PretrainConfig) -> DepthBatchesConfig {
    DepthBatchesConfig {
        supervisions: config.from.clone(),
        terms: config.terms.clone(),
        input: input(config),
        frame_gap: config.frame_gap,
        batch: config.batch,
        seed: config.seed,
        strides: (0..SCALES).map(|scale| config.network.finest_stride() << scale).collect(),
        crop: config.crop,
        augmentation: Some(config.augmentation),
    }
}

/// What is kept out of training, if anything is.
fn validation(config: &PretrainConfig, trained_on: &Footage) -> Result<Option<Footage>, Error> {
    if config.validation.is_empty() {
        return Ok(None);
    }
    // A check looks at few frames: most of the memory is for those that are trained on.
    let memory = config.memory / 8;
    let held_out = PretrainConfig { data: config.validation.clone(), memory, ..config.clone() };
    let needs = FootageNeeds { frames: FrameSize::Network, enlarged: false, ..needs(config) };
    let footage = Footage::open_for(&footage_config(&held_out), &needs)?;
    let trained_on = trained_on.sources()?;
    let is_trained_on = |source: &DataSource| trained_on.iter().any(|trained| trained.sha256 == source.sha256);
    if let Some(both) = footage.sources()?.into_iter().find(is_trained_on) {
        return Err(Error::Data {
            what: "this footage is trained on and is to validate as well".into(),
            path: both.path,
            hint: "name another drive with --validate, or take this one out of --data",
        });
    }
    Ok(Some(footage))
}

/// Metres of the unit in which the network that a run begins with says depth; none for one that knows no depth or no metres.
fn unit_of_beginning(init: Option<&Path>) -> Result<Option<f64>, Error> {
    let Some(path) = init.filter(|path| !path.is_file()) else { return Ok(None) };
    let folder = RunFolder::open(path)?;
    let description = folder.description()?;
    if description.kind != RunKind::Depth {
        return Ok(None);
    }
    Ok(config_of(&folder, &description)?.metres_per_unit)
}
