//! The life of a run, whatever it learns: started once, and gone on with as often as it was stopped.
//!
//! ```text
//! first sitting                  a later one
//!                                run.toml, the folder locked
//! settings checked               settings with their changes checked
//! data opened                    data opened, and refused if they are not those of the first sitting
//! task and its lessons           task and its lessons
//! model, fresh or from --init    the checkpoint; before the first one, the model as in the first sitting
//! new folder, run.toml           run.toml updated
//!                         train
//! ```
//!
//! A kind of run is a [`RunPlan`]: it says what its data, task and first model are. When each of these is asked for, what `run.toml`
//! holds, and what a stopped run goes on from is here, once for all kinds.

use std::path::Path;

use burn::tensor::Device;
use parallax_core::model_input::ModelInput;
use parallax_core::run::{DataSource, RunDescription, RunKind};
use parallax_models::Network;
use serde::Serialize;

use super::run_folder::description_of;
use super::{LoopChanges, LoopConfig, RunFolder, Start, Task, Trained, train};
use crate::Error;
use crate::device::ChosenDevice;
use crate::inheritance::inheriting;
use crate::lesson::Lesson;

/// The settings of a run, and what follows from them: all that one kind of run has of its own.
pub trait RunPlan: Sized {
    /// What is trained.
    type Task: Task;
    /// The data, opened; what identifies them is known, what is in them is not read yet.
    type Data;

    /// How a later sitting is refused whose data are not those of the first.
    const CHANGED: ChangedData;

    /// What `run.toml` says of every run.
    fn identity(&self) -> RunIdentity<'_>;

    /// The settings of the loop, where a later sitting makes its changes.
    fn training(&mut self) -> &mut LoopConfig;

    /// Checks the settings that need no data.
    ///
    /// # Errors
    /// Names the first setting that makes no sense.
    fn check(&self) -> Result<(), Error>;

    /// Opens the data.
    ///
    /// # Errors
    /// When they are not there, or cannot teach what is asked of them.
    fn open(&self) -> Result<Self::Data, Error>;

    /// What identifies the data.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn sources(data: &Self::Data) -> Result<RunSources, Error>;

    /// What is to be learned from the data.
    ///
    /// # Errors
    /// When they lack what the settings need.
    fn task(&self, data: Self::Data, device: &ChosenDevice) -> Result<Self::Task, Error>;

    /// The table `config` of `run.toml`: the settings, with what the data have decided.
    fn settings(&self, task: &Self::Task) -> impl Serialize;

    /// The model that the run begins with, on an autodiff device.
    ///
    /// # Errors
    /// When `--init` does not fit.
    fn begin(&self, task: &Self::Task, device: &Device) -> Result<<Self::Task as Task>::Model, Error>;

    /// Whether the data can teach anything; told before hours are spent on them.
    ///
    /// # Errors
    /// When a frame cannot be read.
    fn lessons(&self, _task: &Self::Task) -> Result<Vec<Lesson>, Error> {
        Ok(Vec::new())
    }

    /// Writes what lies in the run folder from its start on, beside `run.toml`.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn write_beside(&self, _task: &Self::Task, _folder: &RunFolder) -> Result<(), Error> {
        Ok(())
    }
}

/// What `run.toml` says of every run.
#[derive(Debug, Clone, Copy)]
pub struct RunIdentity<'a> {
    /// What is taught.
    pub kind: RunKind,
    /// The network.
    pub network: Network,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// The contract between a picture and the network.
    pub input: ModelInput,
    /// `--init`.
    pub init: Option<&'a Path>,
}

/// What identifies the data of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSources {
    /// What it learns from.
    pub data: Vec<DataSource>,
    /// What is kept out of training, to choose the best checkpoint by.
    pub validation: Vec<DataSource>,
}

/// An error for data that have changed since a run was started.
#[derive(Debug, Clone, Copy)]
pub struct ChangedData {
    /// What has changed.
    pub what: &'static str,
    /// How to put it right.
    pub hint: &'static str,
}

/// From when the program takes a run up until it leaves it.
#[derive(Debug)]
pub enum Sitting<'a> {
    /// The run starts, in a new folder.
    First {
        /// The folder.
        out: &'a Path,
    },
    /// The run goes on.
    Later {
        /// The run.
        folder: RunFolder,
        /// What is changed of its loop.
        changes: &'a LoopChanges,
    },
}

/// What a run is at the end of a sitting.
pub struct EndedRun<T: Task> {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its `run.toml`.
    pub description: RunDescription,
    /// What was learned.
    pub task: T,
    /// The model and how training ended.
    pub trained: Trained<T::Model>,
    /// What the data could teach.
    pub lessons: Vec<Lesson>,
}

/// Trains a run for a sitting.
///
/// A run that was killed before its first checkpoint begins again, and ends as if it had not been killed.
///
/// # Errors
/// When the settings make no sense, the data cannot be trained on or are not those of the first sitting, the folder is not empty,
/// another process trains the run, or training fails. A first sitting that fails before its first checkpoint leaves nothing behind.
pub fn run<P: RunPlan>(plan: P, sitting: Sitting, device: &ChosenDevice) -> Result<EndedRun<P::Task>, Error> {
    match sitting {
        Sitting::First { out } => start(plan, out, device),
        Sitting::Later { folder, changes } => resume(plan, folder, changes, device),
    }
}

fn start<P: RunPlan>(mut plan: P, out: &Path, device: &ChosenDevice) -> Result<EndedRun<P::Task>, Error> {
    plan.check()?;
    let data = plan.open()?;
    let sources = P::sources(&data)?;
    let task = plan.task(data, device)?;
    let lessons = told(plan.lessons(&task)?);
    let on = device.device.clone().autodiff();
    let model = plan.begin(&task, &on)?;
    let description = inheriting(describe(&plan, &task, sources, device)?, plan.identity().init)?;
    let folder = RunFolder::create(out)?;
    let trained = plan
        .write_beside(&task, &folder)
        .and_then(|()| folder.write_description(&description))
        .and_then(|()| train(&task, plan.training(), &folder, &on, Start::Fresh(model)));
    let trained = folder.or_discard(trained)?;
    Ok(EndedRun { folder, description, task, trained, lessons })
}

fn resume<P: RunPlan>(
    mut plan: P,
    folder: RunFolder,
    changes: &LoopChanges,
    device: &ChosenDevice,
) -> Result<EndedRun<P::Task>, Error> {
    folder.lock_ahead()?;
    let started = folder.description()?;
    *plan.training() = changes.applied_to(plan.training());
    plan.check()?;
    let data = plan.open()?;
    let sources = P::sources(&data)?;
    if sources != (RunSources { data: started.data, validation: started.validation }) {
        let ChangedData { what, hint } = P::CHANGED;
        return Err(Error::Run { what: what.into(), path: folder.description_path(), hint });
    }
    let task = plan.task(data, device)?;
    let lessons = told(plan.lessons(&task)?);
    let on = device.device.clone().autodiff();
    let start = if folder.has_checkpoint() { Start::Resume } else { Start::Fresh(plan.begin(&task, &on)?) };
    // What `--init` handed on is kept: that run may be gone by now.
    let description = describe(&plan, &task, sources, device)?;
    let description = RunDescription { inherited_cameras: started.inherited_cameras, ..description };
    folder.write_description(&description)?;
    let trained = train(&task, plan.training(), &folder, &on, start)?;
    Ok(EndedRun { folder, description, task, trained, lessons })
}

fn describe<P: RunPlan>(
    plan: &P,
    task: &P::Task,
    sources: RunSources,
    device: &ChosenDevice,
) -> Result<RunDescription, Error> {
    description_of(plan.identity(), &plan.settings(task), sources, device)
}

fn told(lessons: Vec<Lesson>) -> Vec<Lesson> {
    lessons.iter().filter_map(Lesson::drawback).for_each(|drawback| tracing::warn!("{drawback}"));
    lessons.iter().filter_map(Lesson::shortcoming).for_each(|shortcoming| tracing::warn!("{shortcoming}"));
    lessons
}
