//! A rival's run from its settings to its run folder.

use std::path::Path;

use burn::tensor::Device;
use parallax_core::model_input::ModelInput;
use parallax_core::run::{DataSource, RunDescription, RunKind};

use super::contrastive::ContrastiveTask;
use super::flow::FlowTask;
use super::inpainting::InpaintingTask;
use super::pictures::{Order, Pictures};
use super::{Method, RivalConfig};
use crate::Error;
use crate::device::ChosenDevice;
use crate::inheritance::{Beginning, inheriting};
use crate::lesson::Lesson;
use crate::training::{LoopChanges, RunFolder, Start, Task, Trained, describe_run, train};

/// What a rival adds to a task: its first weights, and what its pictures have for it.
pub(super) trait RivalTask: Task {
    /// Looks at some of the pictures.
    fn lesson(&self) -> Result<Lesson, Error>;

    /// Fresh weights, on an autodiff device.
    fn fresh(&self, device: &Device) -> Self::Model;

    /// The model that a new run starts from.
    fn begin(&self, beginning: Beginning, device: &Device) -> Result<Self::Model, Error>;
}

/// What a run came to.
pub struct RivalPretrained {
    /// How training ended.
    pub trained: Trained<()>,
    /// What the pictures could teach.
    pub lesson: Lesson,
}

/// Starts a run in a new folder.
///
/// # Errors
/// When a setting makes no sense, the data cannot be trained on, the folder is not empty, or training fails.
pub fn pretrain(config: RivalConfig, out: &Path, device: &ChosenDevice) -> Result<RivalPretrained, Error> {
    config.check()?;
    let (pictures, sources) = pictures(&config)?;
    let mut config = config;
    match config.method.clone() {
        Method::Flow(settings) => {
            start(&FlowTask::new(&config, &settings, pictures, device)?, &config, sources, out, device)
        }
        Method::Inpainting(settings) => {
            start(&InpaintingTask::new(&config, settings, pictures), &config, sources, out, device)
        }
        Method::Contrastive(settings) => {
            let task = ContrastiveTask::new(&config, settings, pictures)?;
            config.method = Method::Contrastive(task.settings.clone());
            start(&task, &config, sources, out, device)
        }
    }
}

/// Goes on with a run; `changes` are made to its loop.
///
/// # Errors
/// When the folder holds no such run, its data have changed, or training fails.
pub fn resume(out: &Path, changes: &LoopChanges, device: &ChosenDevice) -> Result<RivalPretrained, Error> {
    let folder = RunFolder::open(out)?;
    let description = folder.description()?;
    let mut config = config_of(&folder, &description)?;
    let (pictures, sources) = pictures(&config)?;
    if sources != description.data {
        return Err(Error::Run {
            what: "the data are not those that the run was started with".into(),
            path: folder.description_path(),
            hint: "put the pictures back as they were, or start a new run with --init set to this one",
        });
    }
    config.steps = changes.applied_to(&config.steps);
    config.check()?;
    match config.method.clone() {
        Method::Flow(settings) => {
            go_on(&FlowTask::new(&config, &settings, pictures, device)?, &config, sources, &folder, device)
        }
        Method::Inpainting(settings) => {
            go_on(&InpaintingTask::new(&config, settings, pictures), &config, sources, &folder, device)
        }
        Method::Contrastive(settings) => {
            go_on(&ContrastiveTask::new(&config, settings, pictures)?, &config, sources, &folder, device)
        }
    }
}

fn start<T: RivalTask>(
    task: &T,
    config: &RivalConfig,
    sources: Vec<DataSource>,
    out: &Path,
    device: &ChosenDevice,
) -> Result<RivalPretrained, Error> {
    let on = device.device.clone().autodiff();
    let beginning = Beginning::of(config.init.as_deref(), kind(config), config.network, &on)?;
    let model = task.begin(beginning, &on)?;
    let description = inheriting(describe(config, sources, device)?, config.init.as_deref())?;
    let lesson = told(task)?;
    let folder = RunFolder::create(out)?;
    let trained = folder
        .write_description(&description)
        .and_then(|()| train(task, model, &config.steps, &folder, &on, Start::Fresh));
    Ok(RivalPretrained { trained: without_model(folder.or_discard(trained)?), lesson })
}

fn go_on<T: RivalTask>(
    task: &T,
    config: &RivalConfig,
    sources: Vec<DataSource>,
    folder: &RunFolder,
    device: &ChosenDevice,
) -> Result<RivalPretrained, Error> {
    let on = device.device.clone().autodiff();
    let lesson = told(task)?;
    folder.update_description(describe(config, sources, device)?)?;
    // The model is dropped for the checkpoint's; made only to know its shape.
    let trained = train(task, task.fresh(&on), &config.steps, folder, &on, Start::Resume)?;
    Ok(RivalPretrained { trained: without_model(trained), lesson })
}

/// What the pictures can teach; told before hours are spent on them.
fn told(task: &impl RivalTask) -> Result<Lesson, Error> {
    let lesson = task.lesson()?;
    lesson.shortcoming().iter().for_each(|shortcoming| tracing::warn!("{shortcoming}"));
    Ok(lesson)
}

fn without_model<M>(trained: Trained<M>) -> Trained<()> {
    let Trained { ended, best, step, seconds, .. } = trained;
    Trained { model: (), ended, best, step, seconds }
}

fn kind(config: &RivalConfig) -> RunKind {
    config.method.rival().kind()
}

fn pictures(config: &RivalConfig) -> Result<(Pictures, Vec<DataSource>), Error> {
    let order = match config.method {
        Method::Flow(_) => Order::Frames,
        Method::Inpainting(_) | Method::Contrastive(_) => Order::Any,
    };
    let pictures = Pictures::open(&config.data, order, (config.width, config.height), config.memory)?;
    let sources = pictures.sources()?;
    Ok((pictures, sources))
}

/// The contract between a picture and the network's numbers.
pub(super) fn model_input(config: &RivalConfig) -> ModelInput {
    ModelInput::imagenet(config.width as u32, config.height as u32)
}

fn config_of(folder: &RunFolder, description: &RunDescription) -> Result<RivalConfig, Error> {
    description.config.clone().try_into().map_err(|problem| Error::Run {
        what: format!("cannot read the run's settings: {problem}"),
        path: folder.description_path(),
        hint: "the run was made by another version: start it anew",
    })
}

fn describe(config: &RivalConfig, data: Vec<DataSource>, device: &ChosenDevice) -> Result<RunDescription, Error> {
    let (network, seed) = (config.network, config.seed);
    describe_run(kind(config), network, seed, device, config, model_input(config), data)
}
