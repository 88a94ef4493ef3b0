//! The loop on the smallest task there is: a line fitted to points.

use std::path::Path;

use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::checkpoint::read_state;
use super::*;
use crate::Error;

/// Fits `y = 3 u − 2 v`, with batches of a given size.
struct Line {
    batch: u64,
    /// The batch whose gradient is infinite while its loss is not.
    spoiled: Option<u64>,
    /// The batch that cannot be read.
    unreadable: Option<u64>,
}

const LINE: Line = Line { batch: 4, spoiled: None, unreadable: None };

struct Points {
    number: u64,
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

impl Task for Line {
    type Model = Linear;
    type Batch = Points;

    fn batch(&self, step: u64) -> Result<Points, Error> {
        if self.unreadable == Some(step) {
            return Err(Error::Settings { what: "frame 7 is damaged".into(), hint: "remove it" });
        }
        let places = step * self.batch..(step + 1) * self.batch;
        let inputs: Vec<f32> =
            places.flat_map(|place| [place as f32 * 0.37 % 1.0, place as f32 * 0.61 % 1.0]).collect();
        let outputs = inputs.chunks(2).map(|point| 3.0 * point[0] - 2.0 * point[1]).collect();
        Ok(Points { number: step, inputs, outputs })
    }

    fn describe(&self, batch: &Points) -> String {
        format!("batch {}", batch.number)
    }

    fn loss(&self, model: &Linear, batch: &Points, number: u64, device: &Device) -> Result<StepLoss, Error> {
        assert_eq!(number, batch.number, "batches are counted, not steps");
        let count = self.batch as usize;
        let inputs = Tensor::<2>::from_data(TensorData::new(batch.inputs.clone(), [count, 2]), device);
        let outputs = Tensor::<2>::from_data(TensorData::new(batch.outputs.clone(), [count, 1]), device);
        let predicted = model.forward(inputs);
        let mut objective = (predicted.clone() - outputs).square().mean();
        if self.spoiled == Some(number) {
            // The slope of the square root is infinite at 0.
            objective = objective + (predicted.clone() - predicted.detach()).sqrt().mean();
        }
        let value = f64::from(objective.clone().into_scalar::<f32>());
        Ok(StepLoss { objective, terms: vec![LossTerm { name: "squares", value }] })
    }

    fn save(&self, model: &Linear, folder: &Path) -> Result<(), Error> {
        let bytes: Vec<u8> = weights(model).iter().flat_map(|weight| weight.to_le_bytes()).collect();
        Ok(parallax_core::files::write_bytes(&folder.join("model.safetensors"), &bytes)?)
    }

    fn load(&self, folder: &Path, device: &Device) -> Result<Linear, Error> {
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        let values: Vec<f32> = bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        let mut model = line(device);
        model.weight = Param::from_data(TensorData::new(values, [2, 1]), device);
        Ok(model)
    }

    fn samples(&self, _: &Linear, _: &Device) -> Result<Vec<Sample>, Error> {
        Ok(vec![Sample { name: "nothing".into(), picture: image::RgbImage::new(2, 2) }])
    }
}

fn weights(model: &Linear) -> Vec<f32> {
    model.weight.val().try_into_vec_as().unwrap()
}

fn line(device: &Device) -> Linear {
    let mut model = LinearConfig::new(2, 1).with_bias(false).init(device);
    model.weight = Param::from_tensor(Tensor::from_floats([[0.5], [0.5]], device));
    model
}

fn config(steps: u64) -> LoopConfig {
    LoopConfig {
        steps,
        learning_rate: 0.1,
        schedule: Schedule::Constant,
        save_every: 0,
        save_minutes: 0.0,
        ..LoopConfig::default()
    }
}

fn fit(task: &Line, config: &LoopConfig, folder: &Path) -> (RunFolder, Result<Trained<Linear>, Error>) {
    let device = Device::flex().autodiff();
    let folder = RunFolder::create(folder).unwrap();
    std::fs::write(folder.description_path(), "").unwrap();
    let trained = train(task, config, &folder, &device, Start::Fresh(line(&device)));
    (folder, trained)
}

#[test]
fn four_small_batches_make_the_step_of_one_four_times_as_large() {
    let parent = tempfile::tempdir().unwrap();
    let parts = LoopConfig { accumulate: 4, loader_threads: 3, ..config(10) };
    let (_, parts) = fit(&Line { batch: 2, ..LINE }, &parts, &parent.path().join("parts"));
    let (_, whole) = fit(&Line { batch: 8, ..LINE }, &config(10), &parent.path().join("whole"));
    let (parts, whole) = (parts.unwrap(), whole.unwrap());
    assert_eq!(parts.step, 10);
    for (part, whole) in weights(&parts.model).into_iter().zip(weights(&whole.model)) {
        // The same sums in another order.
        assert!((part - whole).abs() < 1e-5, "{part} and {whole}");
    }
    assert!((weights(&whole.model)[0] - 0.5).abs() > 0.3, "something was learned");
}

#[test]
fn the_logged_loss_of_a_step_is_that_of_all_its_batches() {
    let parent = tempfile::tempdir().unwrap();
    let (parts, _) =
        fit(&Line { batch: 2, ..LINE }, &LoopConfig { accumulate: 4, ..config(3) }, &parent.path().join("a"));
    let (whole, _) = fit(&Line { batch: 8, ..LINE }, &config(3), &parent.path().join("b"));
    let losses =
        |run: &RunFolder| -> Vec<f64> { log::read(&run.log_path()).unwrap().iter().map(|line| line.loss).collect() };
    assert!(losses(&parts).iter().zip(losses(&whole)).all(|(part, whole)| (part - whole).abs() < 1e-5));
}

#[test]
fn an_infinite_gradient_names_its_parameter_and_batch_and_leaves_the_checkpoint_before() {
    let parent = tempfile::tempdir().unwrap();
    let task = Line { spoiled: Some(11), ..LINE };
    let config = LoopConfig { accumulate: 2, save_every: 2, ..config(10) };
    let (folder, ended) = fit(&task, &config, &parent.path().join("run"));
    let error = ended.err().expect("the run fails").to_string();
    assert!(error.contains("step 5") && error.contains("gradient of weight") && error.contains("batch 11"), "{error}");
    assert_eq!(read_state(&folder).unwrap().step, 4);
}

#[test]
fn a_batch_that_cannot_be_read_ends_the_run_with_all_steps_before_it_saved() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, ended) = fit(&Line { unreadable: Some(7), ..LINE }, &config(10), &parent.path().join("run"));
    assert!(ended.err().expect("the run fails").to_string().contains("frame 7"));
    assert_eq!(read_state(&folder).unwrap().step, 7);
}

#[test]
fn checkpoints_are_saved_by_the_clock_too() {
    let parent = tempfile::tempdir().unwrap();
    // A billionth of a minute has passed after every step.
    let by_the_clock = LoopConfig { save_minutes: 1e-9, ..config(10) };
    let (folder, _) = fit(&Line { spoiled: Some(5), ..LINE }, &by_the_clock, &parent.path().join("run"));
    assert_eq!(read_state(&folder).unwrap().step, 5);
    let (folder, _) = fit(&Line { spoiled: Some(5), ..LINE }, &config(10), &parent.path().join("without"));
    assert!(!folder.has_checkpoint());
}

#[test]
fn a_run_that_learns_no_more_stops_and_keeps_its_best_checkpoint() {
    let parent = tempfile::tempdir().unwrap();
    // With a vanishing rate nothing is learned; only the points of a batch differ.
    let still = LoopConfig { learning_rate: 1e-12, patience: 3, check_every: 50, ..config(2000) };
    let (folder, trained) = fit(&LINE, &still, &parent.path().join("run"));
    let trained = trained.unwrap();
    assert_eq!(trained.ended, Ended::StoppedEarly, "it went on to step {}", trained.step);
    let best = trained.best.unwrap();
    assert!(trained.step < 2000 && trained.step == best.step + 150, "{best:?} {}", trained.step);
    let kept = RunFolder::open(&folder.best_path()).unwrap();
    assert_eq!(read_state(&kept).unwrap().step, best.step);
    assert_eq!(read_state(&folder).unwrap().step, trained.step);
}

fn go_on(folder: &RunFolder, config: &LoopConfig) -> Trained<Linear> {
    let device = Device::flex().autodiff();
    train(&LINE, config, folder, &device, Start::Resume).unwrap()
}

#[test]
fn a_run_out_of_patience_goes_on_when_it_is_given_more() {
    let parent = tempfile::tempdir().unwrap();
    let still = LoopConfig { learning_rate: 1e-12, patience: 1, check_every: 50, ..config(2000) };
    let (folder, trained) = fit(&LINE, &still, &parent.path().join("run"));
    let trained = trained.unwrap();
    assert_eq!(trained.ended, Ended::StoppedEarly);
    let best = trained.best.unwrap();
    let more = LoopChanges { patience: Some(3), ..LoopChanges::default() }.applied_to(&still);
    let trained = go_on(&folder, &more);
    assert_eq!(trained.ended, Ended::StoppedEarly, "it went on to step {}", trained.step);
    let later = trained.best.unwrap();
    assert!(trained.step == later.step + 150 && later.step >= best.step, "{best:?} {later:?} {}", trained.step);
    let all = LoopChanges { patience: Some(0), steps: Some(trained.step + 20), ..LoopChanges::default() };
    assert!(matches!(go_on(&folder, &all.applied_to(&still)).ended, Ended::Finished));
}

#[test]
fn patience_that_comes_with_the_resumption_watches_from_there() {
    let parent = tempfile::tempdir().unwrap();
    let still = LoopConfig { learning_rate: 1e-12, check_every: 50, ..config(400) };
    let (folder, trained) = fit(&LINE, &still, &parent.path().join("run"));
    assert_eq!(trained.unwrap().step, 400);
    let patient = LoopChanges { patience: Some(2), steps: Some(4000), ..LoopChanges::default() }.applied_to(&still);
    let trained = go_on(&folder, &patient);
    assert_eq!(trained.ended, Ended::StoppedEarly, "it went on to step {}", trained.step);
    let best = trained.best.unwrap();
    assert!(best.step > 400, "what was not kept cannot be the best: {best:?}");
    assert_eq!(read_state(&RunFolder::open(&folder.best_path()).unwrap()).unwrap().step, best.step);
}

#[test]
fn a_run_in_one_sitting_leaves_one_event_file() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, trained) = fit(&LINE, &config(2), &parent.path().join("run"));
    trained.unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains("tfevents")).count(), 1);
}
