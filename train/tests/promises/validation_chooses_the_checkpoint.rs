//! Footage that is kept out of training is looked at between steps, and the checkpoint that did best on it is kept.

use std::path::{Path, PathBuf};

use parallax_train::data::{IntrinsicsSource, Supervision};
use parallax_train::pretraining::{PretrainConfig, pretrain, resume};
use parallax_train::training::log::{self, LogLine};
use parallax_train::training::{Ended, LoopChanges, LoopConfig, RunFolder, Watched, checkpoint::read_state};

use crate::few_shot::cpu;

/// A drive and another one to validate on, which has two frames more.
fn drives(parent: &Path) -> [PathBuf; 2] {
    [("trained", 5), ("kept_out", 7)].map(|(name, frames)| {
        let parent = parent.join(name);
        std::fs::create_dir(&parent).unwrap();
        crate::footage::stereo_drive(&parent, frames)
    })
}

fn config([trained, kept_out]: &[PathBuf; 2], steps: u64) -> PretrainConfig {
    let config = crate::footage::config(&[Supervision::Stereo], std::slice::from_ref(trained), steps);
    let schedule = LoopConfig { check_every: 2, ..config.steps };
    PretrainConfig { validation: vec![kept_out.clone()], batch: 2, steps: schedule, ..config }
}

fn lines(run: &Path) -> Vec<LogLine> {
    log::read(&RunFolder::open(run).unwrap().log_path()).unwrap()
}

fn validations(run: &Path) -> Vec<(u64, f64)> {
    lines(run).iter().filter_map(|line| Some((line.step, line.validation?))).collect()
}

#[test]
fn the_best_checkpoint_on_kept_out_footage_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let drives = drives(folder.path());
    let run = folder.path().join("run");
    let trained = pretrain(config(&drives, 5), &run, &cpu()).unwrap().trained;
    let seen = validations(&run);
    assert_eq!(seen.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [2, 4, 5], "every second step and the last");
    let best = trained.best.unwrap();
    assert_eq!((trained.ended, best.of), (Ended::Finished, Watched::Validation));
    assert!(seen.contains(&(best.step, best.loss)) && seen.iter().all(|(_, loss)| *loss >= best.loss * 0.998));
    let kept = RunFolder::open(&RunFolder::open(&run).unwrap().best_path()).unwrap();
    assert_eq!(read_state(&kept).unwrap().step, best.step);
    assert_eq!(kept.description().unwrap().validation[0].path, drives[1]);
}

#[test]
fn looking_at_kept_out_footage_changes_nothing_that_is_learned_and_is_the_same_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let drives = drives(folder.path());
    let run = |name: &str| folder.path().join(name);
    pretrain(config(&drives, 4), &run("looking"), &cpu()).unwrap();
    pretrain(PretrainConfig { validation: Vec::new(), ..config(&drives, 4) }, &run("not"), &cpu()).unwrap();
    let losses = |name: &str| lines(&run(name)).iter().map(|line| line.loss).collect::<Vec<f64>>();
    assert_eq!(losses("looking"), losses("not"));

    let constant = |steps| {
        let config = config(&drives, steps);
        let steps = LoopConfig { schedule: parallax_train::training::Schedule::Constant, ..config.steps };
        PretrainConfig { steps, ..config }
    };
    pretrain(constant(6), &run("whole"), &cpu()).unwrap();
    pretrain(constant(4), &run("parts"), &cpu()).unwrap();
    resume(&run("parts"), &LoopChanges::steps(6), &cpu()).unwrap();
    assert_eq!(validations(&run("parts")), validations(&run("whole")));
}

#[test]
fn a_run_that_no_longer_gains_on_kept_out_footage_stops() {
    let folder = tempfile::tempdir().unwrap();
    let drives = drives(folder.path());
    let run = folder.path().join("run");
    // With a vanishing rate the weights stay; batch norm's statistics still settle.
    let config = config(&drives, 400);
    let steps = LoopConfig { learning_rate: 1e-30, patience: 2, ..config.steps };
    let trained = pretrain(PretrainConfig { steps, ..config }, &run, &cpu()).unwrap().trained;
    let best = trained.best.unwrap();
    assert_eq!((trained.ended, trained.step), (Ended::StoppedEarly, best.step + 4));
}

#[test]
fn what_cannot_validate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let drives = drives(folder.path());
    let run = folder.path().join("run");
    let refused = |config: PretrainConfig| {
        let Err(error) = pretrain(config, &run, &cpu()) else { panic!("it was trained") };
        assert!(!run.exists());
        error.to_string()
    };
    let both = refused(PretrainConfig { validation: vec![drives[0].clone()], ..config(&drives, 2) });
    assert!(both.contains("trained on") && both.contains("drive"), "{both}");
    let learned = refused(PretrainConfig {
        from: vec![Supervision::Video],
        intrinsics: IntrinsicsSource::Learn,
        ..config(&drives, 2)
    });
    assert!(learned.contains("--validate"), "{learned}");

    pretrain(config(&drives, 2), &run, &cpu()).unwrap();
    for eye in ["frames", "frames_right"] {
        std::fs::remove_file(drives[1].join(eye).join("000006.png")).unwrap();
    }
    let Err(changed) = resume(&run, &LoopChanges::steps(4), &cpu()) else { panic!("it was resumed") };
    assert!(changed.to_string().contains("run was started with"), "{changed}");
}
