//! A run that is stopped and resumed ends with the very weights of one that was not.

use std::path::Path;

use parallax_train::data::Supervision;
use parallax_train::pretraining::{PretrainConfig, pretrain, resume};
use parallax_train::training::{LoopChanges, LoopConfig, Schedule, checkpoint::read_state};

use crate::few_shot::cpu;

fn config(data: &Path, steps: u64) -> PretrainConfig {
    let config = crate::footage::config(&[Supervision::Video, Supervision::Stereo], &[data.to_path_buf()], steps);
    let schedule = LoopConfig { learning_rate: 1e-3, schedule: Schedule::Constant, loader_threads: 2, ..config.steps };
    PretrainConfig { batch: 2, seed: 3, steps: schedule, ..config }
}

/// The numbers of both weight files; the order of the metadata in their headers is not fixed.
fn weights(run: &Path) -> [Vec<u8>; 2] {
    ["model.safetensors", "pose.safetensors"].map(|name| {
        let bytes = std::fs::read(run.join(name)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    })
}

#[test]
fn three_steps_and_three_more_are_six_steps() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 6);
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    pretrain(config(&data, 6), &whole, &cpu()).unwrap();
    pretrain(config(&data, 3), &parts, &cpu()).unwrap();
    assert!(weights(&whole) != weights(&parts));
    let trained = resume(&parts, &LoopChanges::steps(6), &cpu()).unwrap();
    assert_eq!(trained.trained.step, 6);
    assert!(weights(&whole) == weights(&parts), "the weights differ");
}

#[test]
fn a_run_leaves_everything_that_a_run_folder_promises() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 4);
    let run = folder.path().join("run");
    pretrain(config(&data, 2), &run, &cpu()).unwrap();
    for name in ["run.toml", "model.safetensors", "optimizer.bpk", "state.json", "log.jsonl", "losses.png", "samples"] {
        assert!(run.join(name).exists(), "{name} is missing");
    }
    let opened = parallax_train::training::RunFolder::open(&run).unwrap();
    assert_eq!(read_state(&opened).unwrap().step, 2);
    let leftovers = std::fs::read_dir(&run)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("partial"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn a_run_whose_recording_has_changed_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 4);
    let run = folder.path().join("run");
    pretrain(config(&data, 1), &run, &cpu()).unwrap();
    std::fs::remove_file(data.join("frames/000003.png")).unwrap();
    std::fs::remove_file(data.join("frames_right/000003.png")).unwrap();
    let Err(error) = resume(&run, &LoopChanges::steps(2), &cpu()) else { panic!("it was resumed") };
    assert!(error.to_string().contains("run was started with"), "{error}");
}
