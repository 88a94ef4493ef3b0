//! The loop itself.

use std::sync::atomic::Ordering;
use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::program::stop_on_signal;

use super::loader::Loader;
use super::log::{Log, LogLine};
use super::{LoopConfig, RunFolder, StepLoss, Task, checkpoint};
use crate::Error;

/// Whether a run starts or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the model as it is given.
    Fresh,
    /// From the folder's checkpoint; the model given is dropped.
    Resume,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All steps are done.
    Finished,
    /// The user stopped it; a checkpoint was saved.
    Interrupted,
}

/// A trained model.
pub struct Trained<M> {
    /// The model in its training form.
    pub model: M,
    /// How the run ended.
    pub ended: Ended,
    /// Steps done, over all sittings.
    pub step: u64,
    /// Seconds trained, over all sittings.
    pub seconds: f64,
}

/// Trains a model on `device`, which must have autodiff enabled, and leaves its checkpoint in `folder`.
///
/// Resuming goes on bit for bit where the checkpoint was saved, on a device whose sums are deterministic (the CPU).
///
/// # Errors
/// When a batch cannot be made, the loss is not a number, or the folder cannot be written. The last whole checkpoint
/// stays in the folder.
pub fn train<T: Task>(
    task: &T,
    model: T::Model,
    config: &LoopConfig,
    folder: &RunFolder,
    device: &Device,
    start: Start,
) -> Result<Trained<T::Model>, Error> {
    let mut run = Run::start(task, model, config, folder, device, start)?;
    let stop = stop_on_signal();
    let stepped = std::thread::scope(|scope| {
        let mut loader = Loader::start(scope, task, run.step..config.steps, config.loader_threads);
        while run.step < config.steps && !stop.load(Ordering::SeqCst) {
            let Some(batch) = loader.next() else { break };
            run.take_step(&batch?)?;
        }
        Ok::<_, Error>(())
    });
    if let Err(error) = stepped {
        // What was learned before, say, an unreadable frame is kept; the error that stopped the run is the one to tell.
        if run.step > 0 {
            let _ = run.save();
        }
        return Err(error);
    }
    run.finish()
}

/// Everything that changes while a run goes.
struct Run<'a, T: Task> {
    task: &'a T,
    config: &'a LoopConfig,
    folder: &'a RunFolder,
    device: &'a Device,
    model: Option<T::Model>,
    optimizer: ModuleOptimizer,
    log: Log,
    progress: ProgressBar,
    step: u64,
    saved_step: Option<u64>,
    earlier_seconds: f64,
    began: Instant,
}

impl<'a, T: Task> Run<'a, T> {
    fn start(
        task: &'a T,
        model: T::Model,
        config: &'a LoopConfig,
        folder: &'a RunFolder,
        device: &'a Device,
        start: Start,
    ) -> Result<Self, Error> {
        let optimizer = adam();
        let (model, optimizer, step, earlier_seconds) = match start {
            Start::Fresh => (model, optimizer, 0, 0.0),
            Start::Resume => {
                let (model, optimizer, state) = checkpoint::restore(folder, task, optimizer, device)?;
                (model, optimizer, state.step, state.seconds)
            }
        };
        Ok(Self {
            task,
            config,
            folder,
            device,
            model: Some(model),
            optimizer,
            log: Log::open(&folder.log_path(), step)?,
            progress: progress_bar(config.steps, step),
            step,
            saved_step: None,
            earlier_seconds,
            began: Instant::now(),
        })
    }

    fn take_step(&mut self, batch: &T::Batch) -> Result<(), Error> {
        let began = Instant::now();
        let Some(model) = self.model.take() else { return Ok(()) };
        let loss = self.task.loss(&model, batch, self.step, self.device)?;
        check_finite(&loss, self.step, || self.task.describe(batch))?;
        let gradients = GradientsParams::from_grads(loss.objective.backward(), &model);
        let rate = self.config.learning_rate_at(self.step);
        self.model = Some(self.optimizer.step(rate, model, gradients));
        self.step += 1;

        let line = LogLine::new(self.step, &loss.terms, rate, began.elapsed().as_secs_f64());
        self.progress.set_position(self.step);
        self.progress.set_message(in_words(&loss));
        self.log.append(line)?;
        if due(self.step, self.config.save_every) {
            self.save()?;
        }
        if due(self.step, self.config.picture_every) {
            self.draw()?;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), Error> {
        if let Some(model) = self.model.as_ref().filter(|_| self.saved_step != Some(self.step)) {
            // A gradient can be lost while its loss is still a number: such weights must not replace a good checkpoint.
            if !all_finite(model) {
                let (step, term, batch) = (self.step, "a weight".into(), "the batch before this checkpoint".into());
                return Err(Error::NotFinite { step, term, value: f64::NAN, batch });
            }
            let state = checkpoint::State::new(self.step, self.config.steps, self.seconds());
            checkpoint::save(self.folder, self.task, model, &self.optimizer, &state)?;
            self.saved_step = Some(self.step);
        }
        Ok(())
    }

    fn draw(&self) -> Result<(), Error> {
        self.log.draw(&self.folder.path().join("losses.png"))?;
        let Some(model) = &self.model else { return Ok(()) };
        let samples = self.folder.samples_path();
        std::fs::create_dir_all(&samples).map_err(Error::io("create", &samples))?;
        for sample in self.task.samples(&model.valid(), &self.device.clone().inner())? {
            let path = samples.join(format!("{}.png", sample.name));
            parallax_core::files::write_picture(&path, &sample.picture.into())?;
        }
        Ok(())
    }

    fn seconds(&self) -> f64 {
        self.earlier_seconds + self.began.elapsed().as_secs_f64()
    }

    fn finish(mut self) -> Result<Trained<T::Model>, Error> {
        self.progress.finish_and_clear();
        self.save()?;
        self.draw()?;
        let ended = if self.step >= self.config.steps { Ended::Finished } else { Ended::Interrupted };
        let seconds = self.seconds();
        let Some(model) = self.model else {
            return Err(Error::Settings { what: "the run lost its model".into(), hint: "please report this" });
        };
        Ok(Trained { model, ended, step: self.step, seconds })
    }
}

/// Adam as the paper uses it. burn's default epsilon is 1e-5; 1e-8 is what the published numbers were made with.
#[must_use]
pub fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).init()
}

fn all_finite<M: Module>(model: &M) -> bool {
    struct Finite(bool);
    impl ModuleVisitor for Finite {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // The sum of squares of finite weights is finite; one number instead of a map per parameter.
            self.0 &= param.val().inner().square().sum().into_scalar::<f32>().is_finite();
        }
    }
    let mut finite = Finite(true);
    model.visit(&mut finite);
    finite.0
}

fn due(step: u64, every: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}

fn check_finite(loss: &StepLoss, step: u64, batch: impl Fn() -> String) -> Result<(), Error> {
    match loss.terms.iter().find(|term| !term.value.is_finite()) {
        None => Ok(()),
        Some(term) => Err(Error::NotFinite { step, term: term.name.into(), value: term.value, batch: batch() }),
    }
}

fn in_words(loss: &StepLoss) -> String {
    let terms: Vec<String> = loss.terms.iter().map(|term| format!("{} {:.4}", term.name, term.value)).collect();
    format!("loss {:.4} ({})", loss.total(), terms.join(", "))
}

fn progress_bar(steps: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {eta} left, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    // indicatif draws nothing when stderr is no terminal.
    let bar = ProgressBar::new(steps).with_style(style).with_position(done);
    bar.reset_eta();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::LossTerm;

    #[test]
    fn a_loss_that_is_not_a_number_names_its_term_and_its_batch() {
        let terms = vec![LossTerm { name: "stereo", value: 0.1 }, LossTerm { name: "smoothness", value: f64::NAN }];
        let loss = StepLoss { objective: Tensor::zeros([1], &Device::flex()), terms };
        let error = check_finite(&loss, 7, || "frame 3 of drive.mcap".into()).unwrap_err().to_string();
        assert!(error.contains("step 7") && error.contains("smoothness") && error.contains("frame 3"), "{error}");
    }
}
