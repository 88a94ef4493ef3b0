//! A fine-tuning run from its settings to its run folder.
//!
//! Beside what every run holds, the folder of a fine-tuning run holds
//!
//! | file | what it holds |
//! |---|---|
//! | `classes.toml` | the classes in the network's order |
//! | `location_prior.png` | the location prior of the training labels, as a label picture of the network's size |
//!
//! and `run.toml` names the pictures it was trained on with their hashes, so that scoring can leave them out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use parallax_core::camera::{CameraIdentity, ros_yaml};
use parallax_core::files::{sha256_of_bytes, sha256_of_file};
use parallax_core::labels::{Classes, LabelMap, LabelledSet, Split};
use parallax_core::model_input::ModelInput;
use parallax_core::run::{CLASSES_FILE, DataSource, RunKind, SegmentationSettings, Transfer};
use parallax_models::{Network, SegmentationNetwork};
use serde::Serialize;

use super::location_prior::location_prior;
use super::samples::{Batches, PreparedSample, prepare};
use super::task::{Preview, SegmentationTask};
use super::transfer::starting_network;
use crate::Error;
use crate::device::ChosenDevice;
use crate::training::{
    ChangedData, LoopChanges, LoopConfig, RunFolder, RunIdentity, RunPlan, RunSources, Sitting, Trained, lifecycle,
};

/// Unseen pictures drawn while training.
const UNSEEN_PREVIEWS: usize = 3;

/// The settings of a fine-tuning run.
#[derive(Debug, Clone, PartialEq)]
pub struct FinetuneConfig {
    /// Folder of the labelled set.
    pub labels: PathBuf,
    /// Classes file, where it is not the set's own.
    pub classes: Option<PathBuf>,
    /// Pictures to learn.
    pub count: usize,
    /// Seed of the draw, of fresh weights, of order and flips.
    pub seed: u64,
    /// A run of any kind, or torchvision's weights, to start from.
    pub init: Option<PathBuf>,
    /// What is taken over from it.
    pub transfer: Transfer,
    /// The network.
    pub network: Network,
    /// The contract between a picture and the network.
    pub input: ModelInput,
    /// Pictures per step.
    pub batch: usize,
    /// Steps, rates and so on.
    pub training: LoopConfig,
}

/// A picture that a run was trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedOn {
    /// Its name in the labelled set.
    pub name: String,
    /// SHA-256 of the picture's file.
    pub image_sha256: String,
}

impl TrainedOn {
    fn of(set: &LabelledSet, index: usize) -> Result<Self, Error> {
        Ok(Self { name: set.name(index).to_owned(), image_sha256: sha256_of_file(set.image_path(index))? })
    }
}

/// Fine-tunes a network and leaves it in the new run folder `out`.
///
/// # Errors
/// When the labelled set, the pre-trained run or the settings cannot be used, or training fails. Nothing is written
/// before all of the input has been read.
pub fn finetune(
    config: &FinetuneConfig,
    out: &Path,
    device: &ChosenDevice,
) -> Result<Trained<SegmentationNetwork>, Error> {
    Ok(lifecycle::run(config.clone(), Sitting::First { out }, device)?.trained)
}

/// Goes on with the run in `out` as it was started, with `changes` made to its loop.
///
/// # Errors
/// When the folder holds no such run, its labelled pictures have changed, or training fails.
pub fn resume(out: &Path, changes: &LoopChanges, device: &ChosenDevice) -> Result<Trained<SegmentationNetwork>, Error> {
    let FinetunedRun { folder, config, .. } = FinetunedRun::open(out)?;
    Ok(lifecycle::run(config, Sitting::Later { folder, changes }, device)?.trained)
}

/// A labelled set with what was drawn from it.
pub struct LabelledDraw {
    set: LabelledSet,
    split: Split,
    learned: Vec<TrainedOn>,
    source: DataSource,
}

impl RunPlan for FinetuneConfig {
    type Task = SegmentationTask;
    type Data = LabelledDraw;

    const CHANGED: ChangedData = ChangedData {
        what: "the labelled pictures are not those that the run was started with",
        hint: "put the labelled set back as it was, or start a new run",
    };

    fn identity(&self) -> RunIdentity<'_> {
        let Self { network, seed, input, .. } = *self;
        RunIdentity { kind: RunKind::Segmentation, network, seed, input, init: self.init.as_deref() }
    }

    fn training(&mut self) -> &mut LoopConfig {
        &mut self.training
    }

    fn check(&self) -> Result<(), Error> {
        let (width, height) = (self.input.width as usize, self.input.height as usize);
        self.network.check_size(width, height)?;
        if self.batch == 0 {
            let hint = "leave --batch out to get the default";
            return Err(Error::Settings { what: "the batch must be above zero".into(), hint });
        }
        self.training.check()
    }

    fn open(&self) -> Result<LabelledDraw, Error> {
        let set = LabelledSet::open(&self.labels, self.classes.as_deref())?;
        let split = set.draw(self.count, self.seed)?;
        let learned: Vec<TrainedOn> =
            split.chosen.iter().map(|&index| TrainedOn::of(&set, index)).collect::<Result<_, _>>()?;
        let source = source(&self.labels, &set, &split.chosen, &learned)?;
        Ok(LabelledDraw { set, split, learned, source })
    }

    fn sources(data: &LabelledDraw) -> Result<RunSources, Error> {
        Ok(RunSources { data: vec![data.source.clone()], ..RunSources::default() })
    }

    fn task(&self, data: LabelledDraw, _: &ChosenDevice) -> Result<SegmentationTask, Error> {
        let LabelledDraw { set, split, learned, .. } = data;
        let samples = prepare(&set, &split.chosen, self.input)?;
        check_classes(&samples, set.classes(), &self.labels)?;
        Ok(SegmentationTask {
            batches: Batches::new(samples, self.batch, self.seed),
            learned,
            input: self.input,
            classes: set.classes().clone(),
            transfer: self.transfer,
            previews: previews(&set, &split.chosen, &split.rest)?,
        })
    }

    fn settings(&self, task: &SegmentationTask) -> impl Serialize {
        let (labelled, labelled_sha256) =
            task.learned.iter().map(|learned| (learned.name.clone(), learned.image_sha256.clone())).unzip();
        SegmentationSettings {
            labels: self.labels.clone(),
            count: self.count,
            init: self.init.clone(),
            transfer: self.transfer,
            batch: self.batch,
            labelled,
            labelled_sha256,
            training: self.training.clone(),
        }
    }

    fn begin(&self, task: &SegmentationTask, device: &Device) -> Result<SegmentationNetwork, Error> {
        let init = self.init.as_deref();
        starting_network(self.network, task.classes.len(), self.transfer, init, self.seed, device)
    }

    /// The classes and the location prior.
    fn write_beside(&self, task: &SegmentationTask, folder: &RunFolder) -> Result<(), Error> {
        task.classes.write(&classes_path(folder))?;
        let truths: Vec<LabelMap> = task.batches.samples().iter().map(|sample| sample.truth.clone()).collect();
        Ok(location_prior(&truths, task.classes.len()).write(&prior_path(folder), &task.classes)?)
    }
}

/// A class that is in no drawn picture cannot be learned, its IoU will be zero; and where fewer than two are, there is nothing to
/// tell apart.
fn check_classes(samples: &[PreparedSample], classes: &Classes, set: &Path) -> Result<(), Error> {
    let shown: BTreeSet<u8> = samples.iter().flat_map(|sample| sample.truth.indices.iter().copied()).collect();
    let is_shown = |(index, _): &(usize, &str)| shown.contains(&(*index as u8));
    let (seen, unseen): (Vec<_>, Vec<_>) = classes.names().enumerate().partition(is_shown);
    let fault = |what: String| {
        let hint = "draw more pictures with --count or others with --seed, or look at labels/ and classes.toml";
        Err(Error::Data { what, path: set.to_path_buf(), hint })
    };
    match seen.as_slice() {
        [] => fault(format!("none of the {} drawn pictures has a labelled pixel", samples.len())),
        [(_, only)] => fault(format!("the {} drawn pictures show one class only, {only}", samples.len())),
        _ => {
            if !unseen.is_empty() {
                let names: Vec<&str> = unseen.into_iter().map(|(_, name)| name).collect();
                tracing::warn!("no drawn picture shows {}: these classes cannot be learned", names.join(", "));
            }
            Ok(())
        }
    }
}

/// What identifies the drawn pictures and their labels.
fn source(labels: &Path, set: &LabelledSet, chosen: &[usize], learned: &[TrainedOn]) -> Result<DataSource, Error> {
    let images: Vec<&str> = learned.iter().map(|learned| learned.image_sha256.as_str()).collect();
    let truths: Vec<String> =
        chosen.iter().map(|&index| sha256_of_file(set.labels_path(index))).collect::<Result<_, _>>()?;
    let identity = [images.join(" "), truths.join(" ")].join(";");
    Ok(DataSource {
        path: labels.to_path_buf(),
        count: set.len(),
        sha256: sha256_of_bytes(identity.as_bytes()),
        camera: camera_of(labels)?,
    })
}

/// The camera that took a labelled set's pictures, where a `camera.yaml` lies in the set.
fn camera_of(labels: &Path) -> Result<Option<CameraIdentity>, Error> {
    let file = labels.join("camera.yaml");
    Ok(if file.is_file() { Some(CameraIdentity::of(&ros_yaml::read(&file)?)) } else { None })
}

/// A few pictures spread over the unseen ones, and one that is learned.
fn previews(set: &LabelledSet, chosen: &[usize], rest: &[usize]) -> Result<Vec<Preview>, Error> {
    let spread = (0..UNSEEN_PREVIEWS.min(rest.len())).map(|at| ("unseen", rest[at * rest.len() / UNSEEN_PREVIEWS]));
    let learned = chosen.iter().take(1).map(|&index| ("learned", index));
    let read = |(kind, index): (&str, usize)| {
        let (picture, truth) = set.pair(index)?;
        Ok(Preview { name: format!("{kind}_{}", set.name(index)), picture, truth })
    };
    spread.chain(learned).map(read).collect()
}

fn classes_path(folder: &RunFolder) -> PathBuf {
    folder.path().join(CLASSES_FILE)
}

fn prior_path(folder: &RunFolder) -> PathBuf {
    folder.path().join("location_prior.png")
}

/// A fine-tuning run on disk, with everything that using its network needs.
#[derive(Debug, Clone)]
pub struct FinetunedRun {
    /// The run folder.
    pub folder: RunFolder,
    /// The network.
    pub network: Network,
    /// The contract between a picture and the network.
    pub input: ModelInput,
    /// What the masks say, in network order.
    pub classes: Classes,
    /// The pictures it was trained on.
    pub trained_on: Vec<TrainedOn>,
    /// How it was trained.
    pub config: FinetuneConfig,
}

impl FinetunedRun {
    /// Opens a run folder.
    ///
    /// # Errors
    /// When `path` is no run folder, or that of depth pre-training.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let folder = RunFolder::open(path)?;
        let description = folder.description()?;
        let hint =
            "depth runs are scored with `evaluate RUN --depth --data DIR`; `finetune --init RUN` makes masks of any";
        description.kind.expect(RunKind::Segmentation, path, hint)?;
        let stored: SegmentationSettings<LoopConfig> = description.segmentation(path)?;
        let network: Network = description.network.parse()?;
        let config = FinetuneConfig {
            labels: stored.labels,
            classes: Some(classes_path(&folder)),
            count: stored.count,
            seed: description.seed,
            init: stored.init,
            transfer: stored.transfer,
            network,
            input: description.input,
            batch: stored.batch,
            training: stored.training,
        };
        let pictures = stored.labelled.into_iter().zip(stored.labelled_sha256);
        Ok(Self {
            network,
            input: description.input,
            classes: Classes::read(&classes_path(&folder))?,
            trained_on: pictures.map(|(name, image_sha256)| TrainedOn { name, image_sha256 }).collect(),
            config,
            folder,
        })
    }

    /// The classes file of the run, for opening other labelled sets with the same meaning.
    pub fn classes_path(&self) -> PathBuf {
        classes_path(&self.folder)
    }

    /// The trained network, for use without learning.
    ///
    /// # Errors
    /// When the weights cannot be read.
    pub fn load(&self, device: &burn::tensor::Device) -> Result<SegmentationNetwork, Error> {
        Ok(SegmentationNetwork::load(&self.folder.weights_path(), device)?)
    }

    /// The location prior of the training labels, at the network's size.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn location_prior(&self) -> Result<LabelMap, Error> {
        Ok(LabelMap::read(&prior_path(&self.folder), &self.classes)?)
    }

    /// Whether a picture of some set is one that the run was trained on: the same name and the same bytes.
    ///
    /// # Errors
    /// When the picture's file cannot be read.
    pub fn has_learned(&self, set: &LabelledSet, index: usize) -> Result<bool, Error> {
        let Some(learned) = self.trained_on.iter().find(|learned| learned.name == set.name(index)) else {
            return Ok(false);
        };
        Ok(sha256_of_file(set.image_path(index))? == learned.image_sha256)
    }
}
