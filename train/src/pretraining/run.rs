//! A depth pre-training run from its settings to its run folder.

use std::path::Path;

use parallax_core::model_input::ModelInput;
use parallax_models::DepthNetwork;

use super::{DepthModel, DepthTask, LossPlace, PretrainConfig};
use crate::Error;
use crate::data::{DepthBatches, Footage, FootageConfig, Supervision};
use crate::device::{ChosenDevice, DeviceKind};
use crate::inheritance::Beginning;
use crate::training::{RunDescription, RunFolder, RunKind, Start, Trained, run_folder, train};

/// Disparity maps that a depth network gives.
const SCALES: usize = 4;

/// Starts a run in a new folder.
///
/// # Errors
/// When a setting makes no sense, the data cannot be trained on, the folder is not empty, or training fails.
pub fn pretrain(config: PretrainConfig, out: &Path, device: &ChosenDevice) -> Result<Trained<DepthModel>, Error> {
    config.check()?;
    let task = task(&config, device)?;
    let on = device.device.clone().autodiff();
    let model = starting_model(&config, &task, &on)?;
    let folder = RunFolder::create(out)?;
    let config = PretrainConfig { metres_per_unit: task.batches.metres_per_unit, ..config };
    let trained = folder
        .write_description(&describe(&config, &task, device)?)
        .and_then(|()| train(&task, model, &config.steps, &folder, &on, Start::Fresh));
    folder.or_discard(trained)
}

/// Goes on with a run; `steps` changes how many it is to have.
///
/// # Errors
/// When the folder holds no such run, its data have changed, or training fails.
pub fn resume(out: &Path, steps: Option<u64>, device: &ChosenDevice) -> Result<Trained<DepthModel>, Error> {
    let folder = RunFolder::open(out)?;
    let description = folder.description()?;
    let mut config = config_of(&folder, &description)?;
    let task = task(&config, device)?;
    if task.batches.footage.sources()? != description.data {
        return Err(Error::Run {
            what: "the data are not those that the run was started with".into(),
            path: folder.description_path(),
            hint: "put the recordings back as they were, or start a new run with --init set to this one",
        });
    }
    config.steps.steps = steps.unwrap_or(config.steps.steps);
    let on = device.device.clone().autodiff();
    // Dropped for the checkpoint's; made only to know its shape.
    let model = DepthModel::new(config.network, task.learns_motion(), config.seed, &on);
    folder.write_description(&describe(&config, &task, device)?)?;
    train(&task, model, &config.steps, &folder, &on, Start::Resume)
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

/// The footage of a run's settings.
///
/// # Errors
/// When a recording cannot be opened.
pub fn footage(config: &PretrainConfig) -> Result<Footage, Error> {
    Footage::open(&FootageConfig {
        data: config.data.clone(),
        camera: config.camera.clone(),
        right_camera: config.right_camera.clone(),
        width: config.width,
        height: config.height,
        memory: config.memory,
    })
}

fn task(config: &PretrainConfig, device: &ChosenDevice) -> Result<DepthTask, Error> {
    let strides = (0..SCALES).map(|scale| config.network.finest_stride() << scale).collect();
    let batches = DepthBatches::new(
        footage(config)?,
        ModelInput::imagenet(config.width as u32, config.height as u32),
        config.from.clone(),
        config.frame_gap,
        config.batch,
        config.seed,
        strides,
    )?;
    let place = match device.kind {
        DeviceKind::Gpu => LossPlace::Device,
        DeviceKind::Cpu => LossPlace::Host,
    };
    Ok(DepthTask { batches, place })
}

fn describe(config: &PretrainConfig, task: &DepthTask, device: &ChosenDevice) -> Result<RunDescription, Error> {
    let table = toml::Table::try_from(config).map_err(|problem| Error::Settings {
        what: format!("the settings cannot be written down: {problem}"),
        hint: "a seed must be below 9223372036854775808",
    })?;
    Ok(RunDescription {
        schema: run_folder::SCHEMA,
        kind: RunKind::Depth,
        parallax: env!("CARGO_PKG_VERSION").into(),
        network: config.network.name().into(),
        seed: config.seed,
        device: device.name.clone(),
        config: table,
        input: task.batches.input,
        data: task.batches.footage.sources()?,
    })
}

/// Fresh networks, or what `--init` gives them.
fn starting_model(
    config: &PretrainConfig,
    task: &DepthTask,
    device: &burn::tensor::Device,
) -> Result<DepthModel, Error> {
    let with_pose = task.batches.supervisions.contains(&Supervision::Video);
    let mut model = DepthModel::new(config.network, with_pose, config.seed, device);
    match Beginning::of(config.init.as_deref(), RunKind::Depth, config.network, device)? {
        Beginning::Fresh => {}
        Beginning::Same(weights) => model.depth = DepthNetwork::load(&weights, device)?,
        Beginning::Backbone(backbone) => model.depth = model.depth.with_backbone(&backbone)?,
    }
    Ok(model)
}
