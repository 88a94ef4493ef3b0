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

use parallax_core::camera::{CameraIdentity, ros_yaml};
use parallax_core::files::{sha256_of_bytes, sha256_of_file};
use parallax_core::labels::{Classes, LabelMap, LabelledSet};
use parallax_core::model_input::ModelInput;
use parallax_core::run::{CLASSES_FILE, DataSource, RunDescription, RunKind, SegmentationSettings, Transfer};
use parallax_models::{Network, SegmentationNetwork};

use super::location_prior::location_prior;
use super::samples::{Batches, PreparedSample, prepare};
use super::task::{Preview, SegmentationTask};
use super::transfer::starting_network;
use crate::Error;
use crate::device::ChosenDevice;
use crate::inheritance::inheriting;
use crate::training::{LoopChanges, LoopConfig, RunFolder, Start, Trained, describe_run, train};

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
    let (task, description) = task(config, device)?;
    let on = device.device.clone().autodiff();
    let init = config.init.as_deref();
    let model = starting_network(config.network, task.classes.len(), config.transfer, init, config.seed, &on)?;
    let folder = RunFolder::create(out)?;
    let started = || -> Result<Trained<SegmentationNetwork>, Error> {
        task.classes.write(&classes_path(&folder))?;
        let truths: Vec<LabelMap> = task.batches.samples().iter().map(|sample| sample.truth.clone()).collect();
        location_prior(&truths, task.classes.len()).write(&prior_path(&folder), &task.classes)?;
        folder.write_description(&inheriting(description, init)?)?;
        train(&task, model, &config.training, &folder, &on, Start::Fresh)
    };
    folder.or_discard(started())
}

/// Goes on with the run in `out` as it was started, with `changes` made to its loop.
///
/// # Errors
/// When the folder holds no such run, its labelled pictures have changed, or training fails.
pub fn resume(out: &Path, changes: &LoopChanges, device: &ChosenDevice) -> Result<Trained<SegmentationNetwork>, Error> {
    let run = FinetunedRun::open(out)?;
    let mut config = run.config.clone();
    config.training = changes.applied_to(&config.training);
    let (task, description) = task(&config, device)?;
    if description.data != run.folder.description()?.data {
        return Err(Error::Run {
            what: "the labelled pictures are not those that the run was started with".into(),
            path: run.folder.description_path(),
            hint: "put the labelled set back as it was, or start a new run",
        });
    }
    let on = device.device.clone().autodiff();
    // A run that was killed before its first checkpoint starts again; otherwise the model is dropped for the checkpoint's.
    let (model, start) = if run.folder.has_checkpoint() {
        (config.network.segmentation(task.classes.len(), config.seed, &on)?, Start::Resume)
    } else {
        let init = config.init.as_deref();
        let (classes, seed) = (task.classes.len(), config.seed);
        (starting_network(config.network, classes, config.transfer, init, seed, &on)?, Start::Fresh)
    };
    run.folder.update_description(description)?;
    train(&task, model, &config.training, &run.folder, &on, start)
}

/// Reads all of the input: what is to be learned, and the description of the run.
fn task(config: &FinetuneConfig, device: &ChosenDevice) -> Result<(SegmentationTask, RunDescription), Error> {
    check(config)?;
    let set = LabelledSet::open(&config.labels, config.classes.as_deref())?;
    let split = set.draw(config.count, config.seed)?;
    let samples = prepare(&set, &split.chosen, config.input)?;
    check_classes(&samples, set.classes(), &config.labels)?;
    let description = describe(config, &set, &split.chosen, device)?;
    let task = SegmentationTask {
        batches: Batches::new(samples, config.batch, config.seed),
        input: config.input,
        classes: set.classes().clone(),
        transfer: config.transfer,
        previews: previews(&set, &split.chosen, &split.rest)?,
    };
    Ok((task, description))
}

fn check(config: &FinetuneConfig) -> Result<(), Error> {
    let (width, height) = (config.input.width as usize, config.input.height as usize);
    config.network.check_size(width, height)?;
    let fault = |what: &str, hint| Err(Error::Settings { what: what.to_owned(), hint });
    if config.batch == 0 {
        return fault("the batch must be above zero", "leave --batch out to get the default");
    }
    config.training.check()
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

fn describe(
    config: &FinetuneConfig,
    set: &LabelledSet,
    chosen: &[usize],
    device: &ChosenDevice,
) -> Result<RunDescription, Error> {
    let hashes = |path: &dyn Fn(usize) -> PathBuf| {
        chosen.iter().map(|&index| sha256_of_file(&path(index))).collect::<Result<Vec<String>, _>>()
    };
    let images = hashes(&|index| set.image_path(index).to_path_buf())?;
    let labels = hashes(&|index| set.labels_path(index).to_path_buf())?;
    let identity = [images.join(" "), labels.join(" ")].join(";");
    let stored = SegmentationSettings {
        labels: config.labels.clone(),
        count: config.count,
        init: config.init.clone(),
        transfer: config.transfer,
        batch: config.batch,
        labelled: chosen.iter().map(|&index| set.name(index).to_owned()).collect(),
        labelled_sha256: images,
        training: config.training.clone(),
    };
    let data = vec![DataSource {
        path: config.labels.clone(),
        count: set.len(),
        sha256: sha256_of_bytes(identity.as_bytes()),
        camera: camera_of(&config.labels)?,
    }];
    describe_run(RunKind::Segmentation, config.network, config.seed, device, &stored, config.input, data)
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
