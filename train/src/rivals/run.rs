//! A rival's run from its settings to its run folder.

use std::path::Path;

use burn::tensor::Device;
use parallax_core::model_input::ModelInput;
use serde::Serialize;

use super::contrastive::ContrastiveTask;
use super::flow::FlowTask;
use super::inpainting::InpaintingTask;
use super::pictures::{Order, Pictures};
use super::{Method, RivalConfig};
use crate::Error;
use crate::device::ChosenDevice;
use crate::inheritance::Beginning;
use crate::lesson::Lesson;
use crate::training::{
    ChangedData, LoopChanges, LoopConfig, RunFolder, RunIdentity, RunPlan, RunSources, Sitting, Task, Trained,
    lifecycle,
};

/// What a rival adds to a task: how it is made, its first weights, and what its pictures have for it.
pub(super) trait RivalTask: Task + Sized {
    /// The rival's own settings.
    type Settings: Clone;

    /// What it asks of its pictures.
    const ORDER: Order;

    /// What is to be learned from pictures.
    fn new(
        config: &RivalConfig,
        settings: Self::Settings,
        pictures: Pictures,
        device: &ChosenDevice,
    ) -> Result<Self, Error>;

    /// The rival with its settings, as the pictures have decided them.
    fn method(&self) -> Method;

    /// Looks at some of the pictures.
    fn lesson(&self) -> Result<Lesson, Error>;

    /// The model that a new run starts from, on an autodiff device.
    fn begin(&self, beginning: Beginning, device: &Device) -> Result<Self::Model, Error>;
}

/// What a run came to.
pub struct RivalPretrained {
    /// How training ended.
    pub trained: Trained<()>,
    /// What the pictures could teach.
    pub lessons: Vec<Lesson>,
}

/// Starts a run in a new folder.
///
/// # Errors
/// When a setting makes no sense, the data cannot be trained on, the folder is not empty, or training fails.
pub fn pretrain(config: RivalConfig, out: &Path, device: &ChosenDevice) -> Result<RivalPretrained, Error> {
    sitting(config, Sitting::First { out }, device)
}

/// Goes on with a run; `changes` are made to its loop.
///
/// # Errors
/// When the folder holds no such run, its data have changed, or training fails.
pub fn resume(out: &Path, changes: &LoopChanges, device: &ChosenDevice) -> Result<RivalPretrained, Error> {
    let folder = RunFolder::open(out)?;
    let config = folder.settings(&folder.description()?)?;
    sitting(config, Sitting::Later { folder, changes }, device)
}

fn sitting(config: RivalConfig, sitting: Sitting, device: &ChosenDevice) -> Result<RivalPretrained, Error> {
    match config.method.clone() {
        Method::Flow(settings) => sitting_of(RivalPlan::<FlowTask> { config, settings }, sitting, device),
        Method::Inpainting(settings) => sitting_of(RivalPlan::<InpaintingTask> { config, settings }, sitting, device),
        Method::Contrastive(settings) => sitting_of(RivalPlan::<ContrastiveTask> { config, settings }, sitting, device),
    }
}

fn sitting_of<T: RivalTask>(
    plan: RivalPlan<T>,
    sitting: Sitting,
    device: &ChosenDevice,
) -> Result<RivalPretrained, Error> {
    let run = lifecycle::run(plan, sitting, device)?;
    let Trained { ended, best, step, seconds, .. } = run.trained;
    Ok(RivalPretrained { trained: Trained { model: (), ended, best, step, seconds }, lessons: run.lessons })
}

/// The settings of a rival's run, with those of its method by themselves.
struct RivalPlan<T: RivalTask> {
    config: RivalConfig,
    settings: T::Settings,
}

impl<T: RivalTask> RunPlan for RivalPlan<T> {
    type Task = T;
    type Data = Pictures;

    const CHANGED: ChangedData = ChangedData {
        what: "the data are not those that the run was started with",
        hint: "put the pictures back as they were, or start a new run with --init set to this one",
    };

    fn identity(&self) -> RunIdentity<'_> {
        let RivalConfig { network, seed, .. } = self.config;
        let (kind, init) = (self.config.method.rival().kind(), self.config.init.as_deref());
        RunIdentity { kind, network, seed, input: model_input(&self.config), init }
    }

    fn training(&mut self) -> &mut LoopConfig {
        &mut self.config.steps
    }

    fn check(&self) -> Result<(), Error> {
        self.config.check()
    }

    fn open(&self) -> Result<Pictures, Error> {
        let RivalConfig { data, width, height, memory, .. } = &self.config;
        Pictures::open(data, T::ORDER, (*width, *height), *memory)
    }

    fn sources(pictures: &Pictures) -> Result<RunSources, Error> {
        Ok(RunSources { data: pictures.sources()?, ..RunSources::default() })
    }

    fn task(&self, pictures: Pictures, device: &ChosenDevice) -> Result<T, Error> {
        T::new(&self.config, self.settings.clone(), pictures, device)
    }

    fn settings(&self, task: &T) -> impl Serialize {
        RivalConfig { method: task.method(), ..self.config.clone() }
    }

    fn begin(&self, task: &T, device: &Device) -> Result<T::Model, Error> {
        let RunIdentity { kind, network, init, .. } = self.identity();
        task.begin(Beginning::of(init, kind, network, device)?, device)
    }

    fn lessons(&self, task: &T) -> Result<Vec<Lesson>, Error> {
        Ok(vec![task.lesson()?])
    }
}

/// The contract between a picture and the network's numbers.
pub(super) fn model_input(config: &RivalConfig) -> ModelInput {
    ModelInput::imagenet(config.width as u32, config.height as u32)
}
