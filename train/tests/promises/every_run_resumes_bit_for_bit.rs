//! Whatever a run learns, it ends with the same bits whether it was stopped, killed or neither; and it does not go on with other
//! data.
//!
//! Each kind of run is one row of [`kinds`]. The programs train one network per process, so bits are not promised with other
//! trainings going on in the same process: one run in a few was once seen to differ in its last bits. It could not be brought
//! about again: 960 trainings, four and eight at a time in one process, all ended with the same bits.

use std::path::{Path, PathBuf};

use image::{GrayImage, Luma};
use parallax_core::files::FolderLock;
use parallax_core::run::Transfer;
use parallax_train::Error;
use parallax_train::data::Supervision;
use parallax_train::finetune::{self, finetune};
use parallax_train::pretraining::{self, PretrainConfig};
use parallax_train::rivals::{self, Rival};
use parallax_train::training::checkpoint::read_state;
use parallax_train::training::log::{self, LogLine};
use parallax_train::training::{LoopChanges, LoopConfig, RunFolder, Schedule};

use crate::few_shot::{SIZE, cpu, depth_run, labelled_set, weights};

/// Steps of a run in one sitting, and of one that is stopped.
const STEPS: u64 = 6;
const FIRST: u64 = 3;

type Start = dyn Fn(&Path, u64) -> Result<(), Error>;
type Resume = fn(&Path, &LoopChanges) -> Result<(), Error>;

/// One kind of run, on data of its own.
struct Kind {
    name: &'static str,
    /// Starts a run of so many steps.
    start: Box<Start>,
    resume: Resume,
    /// Changes the data.
    change: Box<dyn Fn()>,
    /// What the refusal of changed data begins with.
    refusal: &'static str,
    /// Files of weights in a checkpoint.
    files: &'static [&'static str],
}

/// Every kind of run, each below a folder of its own in `parent`.
fn kinds(parent: &Path) -> Vec<Kind> {
    let init = depth_run(parent);
    let folder = |name: &str| {
        let folder = parent.join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    };
    let depth = |name, from: &'static [Supervision], files| depth(name, &folder(name), from, files);
    let rival = |name, rival, init, files| rival_of(name, &folder(name), rival, init, files);
    let masks = |name, transfer, init| masks(name, &folder(name), transfer, init);
    vec![
        depth("video", &[Supervision::Video], &["model", "pose"]),
        depth("stereo", &[Supervision::Stereo], &["model"]),
        depth("video_and_stereo", &[Supervision::Video, Supervision::Stereo], &["model", "pose"]),
        rival("flow", Rival::Flow, None, &["model"]),
        rival("inpainting", Rival::Inpainting, None, &["model"]),
        rival("inpainting_after_depth", Rival::Inpainting, Some(init.clone()), &["model"]),
        // The momentum network and the queue are saved too.
        rival("contrastive", Rival::Contrastive, None, &["keys", "model"]),
        masks("masks", Transfer::Whole, None),
        masks("masks_frozen", Transfer::Frozen, None),
        masks("masks_after_depth", Transfer::Whole, Some(init)),
    ]
}

/// The rate does not depend on how many steps there are to be, so that a run of three steps is the beginning of one of six.
fn constant(steps: LoopConfig) -> LoopConfig {
    LoopConfig { learning_rate: 1e-3, schedule: Schedule::Constant, loader_threads: 2, ..steps }
}

fn depth(name: &'static str, parent: &Path, from: &'static [Supervision], files: &'static [&'static str]) -> Kind {
    let data = crate::footage::stereo_drive(parent, 6);
    let config = {
        let data = data.clone();
        move |steps| {
            let config = crate::footage::config(from, std::slice::from_ref(&data), steps);
            PretrainConfig { batch: 2, seed: 3, steps: constant(config.steps), ..config }
        }
    };
    Kind {
        name,
        start: Box::new(move |out, steps| pretraining::pretrain(config(steps), out, &cpu()).map(drop)),
        resume: |out, changes| pretraining::resume(out, changes, &cpu()).map(drop),
        change: Box::new(move || remove_the_last_frame(&data)),
        refusal: "the data are not those that the run was started with",
        files,
    }
}

fn rival_of(
    name: &'static str,
    parent: &Path,
    rival: Rival,
    init: Option<PathBuf>,
    files: &'static [&'static str],
) -> Kind {
    let data = crate::footage::stereo_drive(parent, 6);
    let config = {
        let data = data.clone();
        move |steps| {
            let config = crate::few_shot::rival_config(rival, &data, steps, init.clone());
            rivals::RivalConfig { steps: constant(config.steps), ..config }
        }
    };
    Kind {
        name,
        start: Box::new(move |out, steps| rivals::pretrain(config(steps), out, &cpu()).map(drop)),
        resume: |out, changes| rivals::resume(out, changes, &cpu()).map(drop),
        change: Box::new(move || remove_the_last_frame(&data)),
        refusal: "the data are not those that the run was started with",
        files,
    }
}

fn masks(name: &'static str, parent: &Path, transfer: Transfer, init: Option<PathBuf>) -> Kind {
    let labels = labelled_set(parent, 4);
    let config = {
        let labels = labels.clone();
        move |steps| {
            let config = crate::few_shot::config(labels.clone(), init.clone(), transfer, steps);
            finetune::FinetuneConfig { training: constant(config.training), ..config }
        }
    };
    Kind {
        name,
        start: Box::new(move |out, steps| finetune(&config(steps), out, &cpu()).map(drop)),
        resume: |out, changes| finetune::resume(out, changes, &cpu()).map(drop),
        change: Box::new(move || {
            GrayImage::from_pixel(SIZE.0, SIZE.1, Luma([3])).save(labels.join("labels/001.png")).unwrap();
        }),
        refusal: "the labelled pictures are not those that the run was started with",
        files: &["model"],
    }
}

fn remove_the_last_frame(drive: &Path) {
    for eye in ["frames", "frames_right"] {
        std::fs::remove_file(drive.join(eye).join("000005.png")).unwrap();
    }
}

/// The log but for the seconds that each step took.
fn lines(run: &Path) -> Vec<LogLine> {
    let lines = log::read(&run.join("log.jsonl")).unwrap();
    lines.into_iter().map(|line| LogLine { seconds: 0.0, ..line }).collect()
}

/// Fails unless `run` holds what the run in one sitting holds.
fn assert_same(kind: &Kind, run: &Path, whole: &Path) {
    let name = kind.name;
    assert_eq!(read_state(&RunFolder::open(run).unwrap()).unwrap().step, STEPS, "{name}");
    assert!(weights(run) == weights(whole), "{name}: the weights differ");
    assert_eq!(lines(run), lines(whole), "{name}");
    let description = |run: &Path| RunFolder::open(run).unwrap().description().unwrap();
    assert_eq!(description(run), description(whole), "{name}");
}

/// What `kill -9` leaves of a run before its first checkpoint: what it writes at its start, and the lines of its log.
fn killed_before_its_first_checkpoint(whole: &Path, killed: &Path) {
    std::fs::create_dir(killed).unwrap();
    for name in ["run.toml", "classes.toml", "location_prior.png", "log.jsonl"] {
        if whole.join(name).is_file() {
            std::fs::copy(whole.join(name), killed.join(name)).unwrap();
        }
    }
}

#[test]
fn a_run_of_any_kind_ends_the_same_whether_it_was_stopped_killed_or_neither() {
    let folder = tempfile::tempdir().unwrap();
    for kind in kinds(folder.path()) {
        let run = |name: &str| folder.path().join(kind.name).join(name);
        let (whole, stopped, killed) = (run("whole"), run("stopped"), run("killed"));
        (kind.start)(&whole, STEPS).unwrap();
        let files: Vec<String> = kind.files.iter().map(|file| format!("{file}.safetensors")).collect();
        assert!(weights(&whole).keys().eq(&files), "{}", kind.name);

        (kind.start)(&stopped, FIRST).unwrap();
        assert!(weights(&stopped) != weights(&whole), "{}: nothing was learned", kind.name);
        (kind.resume)(&stopped, &LoopChanges::steps(STEPS)).unwrap();
        assert_same(&kind, &stopped, &whole);

        killed_before_its_first_checkpoint(&whole, &killed);
        (kind.resume)(&killed, &LoopChanges::default()).unwrap();
        assert_same(&kind, &killed, &whole);
    }
}

#[test]
fn a_run_of_any_kind_is_not_resumed_by_two_nor_with_other_data_and_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for kind in kinds(folder.path()) {
        let run = folder.path().join(kind.name).join("run");
        (kind.start)(&run, 1).unwrap();
        let description = std::fs::read(run.join("run.toml")).unwrap();
        let refused = || {
            let error = (kind.resume)(&run, &LoopChanges::steps(2)).unwrap_err();
            assert!(std::fs::read(run.join("run.toml")).unwrap() == description, "{}: run.toml has changed", kind.name);
            assert!(error.hint().is_some());
            error.to_string()
        };
        let lock = FolderLock::take(&run).unwrap().unwrap();
        let second = refused();
        assert!(second.contains("another process is training this run"), "{}: {second}", kind.name);
        drop(lock);

        (kind.change)();
        let changed = refused();
        assert!(changed.starts_with(kind.refusal) && changed.contains("run.toml"), "{}: {changed}", kind.name);
    }
}

#[test]
fn a_run_leaves_everything_that_a_run_folder_promises() {
    let folder = tempfile::tempdir().unwrap();
    for kind in kinds(folder.path()) {
        let run = folder.path().join(kind.name).join("run");
        (kind.start)(&run, FIRST).unwrap();
        for name in ["run.toml", "optimizer.bpk", "state.json", "log.jsonl", "losses.png", "samples", "SHA256SUMS"] {
            assert!(run.join(name).exists(), "{}: {name} is missing", kind.name);
        }
        let names = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(|name| name.to_string_lossy().contains("partial")).count(), 0, "{}", kind.name);
    }
}
