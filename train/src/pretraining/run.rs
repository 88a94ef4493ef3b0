//! A depth pre-training run from its settings to its run folder.

use std::path::Path;

use burn::module::Module as _;
use parallax_core::camera::ros_yaml;
use parallax_core::model_input::ModelInput;
use parallax_core::run::{DataSource, RunDescription, RunKind};
use parallax_models::{DepthNetwork, SIZE_MULTIPLE};

use super::{
    DepthModel, DepthTask, LearnedCamera, LearnedCameras, LossPlace, PretrainConfig, Validation, focal, teaching,
};
use crate::Error;
use crate::data::{
    DepthBatches, DepthBatchesConfig, Footage, FootageConfig, FootageNeeds, FrameSize, IntrinsicsSource,
};
use crate::device::{ChosenDevice, DeviceKind};
use crate::inheritance::{Beginning, inheriting};
use crate::lesson::Lesson;
use crate::training::{LoopChanges, RunFolder, Start, Trained, describe_run, train};

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
    let task = task(&config, device)?;
    let lessons = lessons(&task, &config)?;
    let on = device.device.clone().autodiff();
    let model = starting_model(&config, &task, &on)?;
    let folder = RunFolder::create(out)?;
    let config = PretrainConfig { metres_per_unit: task.batches.metres_per_unit, ..config };
    let trained = folder
        .write_description(&inheriting(describe(&config, &task, device)?, config.init.as_deref())?)
        .and_then(|()| train(&task, model, &config.steps, &folder, &on, Start::Fresh));
    finish(folder.or_discard(trained)?, lessons, config, &task, &folder, device)
}

/// What the footage of a run can teach; told before hours are spent on it.
fn lessons(task: &DepthTask, config: &PretrainConfig) -> Result<Vec<Lesson>, Error> {
    let lessons = teaching::of_run(&task.batches, config.steps.steps * config.steps.accumulate)?;
    lessons.iter().filter_map(Lesson::shortcoming).for_each(|shortcoming| tracing::warn!("{shortcoming}"));
    Ok(lessons)
}

/// Goes on with a run; `changes` are made to its loop.
///
/// # Errors
/// When the folder holds no such run, its data have changed, or training fails.
pub fn resume(out: &Path, changes: &LoopChanges, device: &ChosenDevice) -> Result<Pretrained, Error> {
    let folder = RunFolder::open(out)?;
    let description = folder.description()?;
    let mut config = config_of(&folder, &description)?;
    let task = task(&config, device)?;
    if (task.batches.footage.sources()?, validation_sources(&task)?) != (description.data, description.validation) {
        return Err(Error::Run {
            what: "the data are not those that the run was started with".into(),
            path: folder.description_path(),
            hint: "put the recordings back as they were, or start a new run with --init set to this one",
        });
    }
    config.steps = changes.applied_to(&config.steps);
    config.check()?;
    let lessons = lessons(&task, &config)?;
    let on = device.device.clone().autodiff();
    // A run that was killed before its first checkpoint starts again; otherwise the model is dropped for the checkpoint's.
    let (model, start) = if folder.has_checkpoint() {
        (fresh_model(&config, &task, &on), Start::Resume)
    } else {
        (starting_model(&config, &task, &on)?, Start::Fresh)
    };
    folder.update_description(describe(&config, &task, device)?)?;
    let trained = train(&task, model, &config.steps, &folder, &on, start)?;
    finish(trained, lessons, config, &task, &folder, device)
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
fn finish(
    trained: Trained<DepthModel>,
    lessons: Vec<Lesson>,
    config: PretrainConfig,
    task: &DepthTask,
    folder: &RunFolder,
    device: &ChosenDevice,
) -> Result<Pretrained, Error> {
    // A run that was finished already keeps what was found out then.
    let cameras = if task.focal_course.is_empty() {
        config.learned_cameras.clone()
    } else {
        focal::report(task, &trained.model.valid(), &device.device.clone().inner())?
    };
    if !cameras.is_empty() {
        let config = PretrainConfig { learned_cameras: cameras.clone(), ..config };
        folder.update_description(describe(&config, task, device)?)?;
    }
    for (number, learned) in cameras.iter().enumerate().filter(|(_, learned)| learned.determined) {
        let name = if number == 0 { "camera.yaml".into() } else { format!("camera_{number}.yaml") };
        ros_yaml::write(&folder.path().join(name), &learned.camera())?;
    }
    Ok(Pretrained { trained, cameras, lessons })
}

/// The settings of a depth run.
///
/// # Errors
/// When the run is not one of depth, or was made by another version.
pub fn config_of(folder: &RunFolder, description: &RunDescription) -> Result<PretrainConfig, Error> {
    let error = |what: String, hint| Error::Run { what, path: folder.description_path(), hint };
    description.kind.expect(RunKind::Depth, &folder.description_path(), "name another run")?;
    description.config.clone().try_into().map_err(|problem| {
        error(
            format!("cannot read the run's settings: {problem}"),
            "the run was made by another version: start it anew",
        )
    })
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

fn task(config: &PretrainConfig, device: &ChosenDevice) -> Result<DepthTask, Error> {
    let needs = FootageNeeds {
        frames: config.crop.map_or(FrameSize::Network, |crop| crop.from),
        enlarged: config.crop.is_some_and(|crop| crop.zoom.is_some()),
        intrinsics: config.intrinsics,
        poses: config.terms.poses.clone(),
        range: config.terms.range,
    };
    let batches = DepthBatchesConfig {
        supervisions: config.from.clone(),
        terms: config.terms.clone(),
        input: ModelInput::imagenet(config.width as u32, config.height as u32),
        frame_gap: config.frame_gap,
        batch: config.batch,
        seed: config.seed,
        strides: (0..SCALES).map(|scale| config.network.finest_stride() << scale).collect(),
        crop: config.crop,
        augmentation: Some(config.augmentation),
    };
    let place = match device.kind {
        DeviceKind::Gpu => LossPlace::Device,
        DeviceKind::Cpu => LossPlace::Host,
    };
    let footage = Footage::open_for(&footage_config(config), &needs)?;
    let batches = DepthBatches::new(footage, batches)?.in_unit(config.metres_per_unit);
    let validation = validation(config, &batches, &needs)?;
    let focal_course = focal::FocalCourse::default();
    Ok(DepthTask { batches, place, intrinsics: config.intrinsics, validation, focal_course })
}

/// What is kept out of training, if anything is.
fn validation(
    config: &PretrainConfig,
    trained: &DepthBatches,
    needs: &FootageNeeds,
) -> Result<Option<Validation>, Error> {
    if config.validation.is_empty() {
        return Ok(None);
    }
    // A check looks at few frames: most of the memory is for those that are trained on.
    let memory = config.memory / 8;
    let held_out = PretrainConfig { data: config.validation.clone(), memory, ..config.clone() };
    let needs = FootageNeeds { frames: FrameSize::Network, enlarged: false, ..needs.clone() };
    let footage = Footage::open_for(&footage_config(&held_out), &needs)?;
    let trained_on = trained.footage.sources()?;
    let is_trained_on = |source: &DataSource| trained_on.iter().any(|trained| trained.sha256 == source.sha256);
    if let Some(both) = footage.sources()?.into_iter().find(is_trained_on) {
        return Err(Error::Data {
            what: "this footage is trained on and is to validate as well".into(),
            path: both.path,
            hint: "name another drive with --validate, or take this one out of --data",
        });
    }
    Ok(Some(Validation::new(footage, &trained.config, trained.metres_per_unit)?))
}

fn validation_sources(task: &DepthTask) -> Result<Vec<DataSource>, Error> {
    task.validation.as_ref().map_or(Ok(Vec::new()), |validation| validation.footage().sources())
}

/// Fresh networks and cameras.
fn fresh_model(config: &PretrainConfig, task: &DepthTask, device: &burn::tensor::Device) -> DepthModel {
    let learned = config.intrinsics == IntrinsicsSource::Learn;
    let cameras = learned.then(|| LearnedCameras::new(&task.batches.footage, device));
    DepthModel { cameras, ..DepthModel::new(config.network, task.learns_motion(), config.seed, device) }
}

fn describe(config: &PretrainConfig, task: &DepthTask, device: &ChosenDevice) -> Result<RunDescription, Error> {
    let (network, seed, input) = (config.network, config.seed, task.batches.config.input);
    let data = task.batches.footage.sources()?;
    let description = describe_run(RunKind::Depth, network, seed, device, config, input, data)?;
    Ok(RunDescription { validation: validation_sources(task)?, ..description })
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

/// Fresh networks, or what `--init` gives them.
fn starting_model(
    config: &PretrainConfig,
    task: &DepthTask,
    device: &burn::tensor::Device,
) -> Result<DepthModel, Error> {
    let mut model = fresh_model(config, task, device);
    match Beginning::of(config.init.as_deref(), RunKind::Depth, config.network, device)? {
        Beginning::Fresh => {}
        Beginning::Same(weights) => model.depth = DepthNetwork::load(&weights, device)?,
        Beginning::Backbone(backbone) => model.depth = model.depth.with_backbone(&backbone)?,
    }
    Ok(model)
}
