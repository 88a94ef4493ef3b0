//! The loop itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::Module as _;
use burn::optim::{AdamConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::files::FolderLock;
use parallax_core::program::stop_on_signal;

use super::early_stop::{Best, EarlyStop, Verdict};
use super::loader::Loader;
use super::log::{Log, LogLine};
use super::tensorboard::EventFile;
use super::{LoopConfig, LossTerm, RunFolder, Task, checkpoint, guard};
use crate::Error;

/// Whether a run starts or goes on.
#[derive(Debug)]
pub enum Start<M> {
    /// With this model, at step 0.
    Fresh(M),
    /// From the folder's checkpoint.
    Resume,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All steps are done.
    Finished,
    /// The user stopped it; a checkpoint was saved.
    Interrupted,
    /// The loss that is watched fell no more.
    StoppedEarly,
}

/// A trained model.
pub struct Trained<M> {
    /// The model in its training form.
    pub model: M,
    /// How the run ended.
    pub ended: Ended,
    /// The best checkpoint, in the folder's `best/`, where a loss is watched.
    pub best: Option<Best>,
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
/// When a batch cannot be made, a loss, a gradient or a weight is not a number, another process trains the run, or the folder
/// cannot be written. The last whole checkpoint stays in the folder.
pub fn train<T: Task>(
    task: &T,
    config: &LoopConfig,
    folder: &RunFolder,
    device: &Device,
    start: Start<T::Model>,
) -> Result<Trained<T::Model>, Error> {
    let mut run = Run::start(task, config, folder, device, start)?;
    let stop = stop_on_signal();
    let stepped = std::thread::scope(|scope| {
        let batches = run.step * config.accumulate..config.steps * config.accumulate;
        let mut loader = Loader::start(scope, task, batches, config.loader_threads);
        while run.step < config.steps && !run.early_stop.out_of_patience() && !stop.load(Ordering::SeqCst) {
            run.take_step(&mut loader, stop)?;
        }
        Ok::<_, Error>(())
    });
    if let Err(error) = stepped {
        // What was learned before, say, an unreadable frame is kept; the error that stopped the run is the one to tell. Where
        // numbers went astray the steps before are suspect too, and the checkpoint from before them is the better one.
        if run.step > 0 && !matches!(error, Error::NotFinite { .. }) {
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
    events: EventFile,
    early_stop: EarlyStop,
    progress: ProgressBar,
    step: u64,
    saved_step: Option<u64>,
    saved_at: Instant,
    drawn_step: Option<u64>,
    earlier_seconds: f64,
    began: Instant,
    _lock: FolderLock,
}

/// What a step's batches say: the mean gradient, and the terms' mean values.
struct StepGradient {
    gradients: GradientsParams,
    terms: Vec<LossTerm>,
}

impl<'a, T: Task> Run<'a, T> {
    fn start(
        task: &'a T,
        config: &'a LoopConfig,
        folder: &'a RunFolder,
        device: &'a Device,
        start: Start<T::Model>,
    ) -> Result<Self, Error> {
        let lock = folder.lock()?;
        let optimizer = adam();
        let (model, optimizer, step, earlier_seconds, saved_step) = match start {
            Start::Fresh(model) => (model, optimizer, 0, 0.0, None),
            Start::Resume => {
                let (model, optimizer, state) = checkpoint::restore(folder, task, optimizer, device)?;
                (model, optimizer, state.step, state.seconds, Some(state.step))
            }
        };
        let log = Log::open(&folder.log_path(), step)?;
        let mut early_stop = EarlyStop::after(config, log.lines());
        match early_stop.best() {
            // A kill may have come between the checkpoint and its copy.
            Some(best) if best.step == step => folder.keep_as_best()?,
            // Patience that came with the resumption: the log's best step was not kept, so the watch begins here.
            Some(best) if checkpoint::best_step(folder)? != Some(best.step) => {
                early_stop = EarlyStop::after(config, &[]);
            }
            _ => {}
        }
        Ok(Self {
            task,
            config,
            folder,
            device,
            model: Some(model),
            optimizer,
            early_stop,
            log,
            events: EventFile::create(folder.path(), step)?,
            progress: progress_bar(config.steps, step),
            step,
            saved_step,
            saved_at: Instant::now(),
            drawn_step: None,
            earlier_seconds,
            began: Instant::now(),
            _lock: lock,
        })
    }

    fn take_step(&mut self, loader: &mut Loader<T::Batch>, stop: &AtomicBool) -> Result<(), Error> {
        let began = Instant::now();
        let Some(StepGradient { gradients, terms }) = self.gradient(loader, stop)? else { return Ok(()) };
        let rate = self.config.learning_rate_at(self.step);
        if let Some(model) = self.model.take() {
            self.model = Some(self.optimizer.step(rate, model, gradients));
        }
        self.step += 1;

        let mut line = LogLine::new(self.step, &terms, rate, began.elapsed().as_secs_f64());
        self.progress.set_position(self.step);
        self.progress.set_message(self.in_words(&line, &terms));
        line.validation = self.validate()?;
        self.events.append_numbers(&line)?;
        let verdict = self.early_stop.see(&line);
        self.log.append(line)?;
        if verdict == Verdict::Better {
            self.save()?;
            self.folder.keep_as_best()?;
        }
        if due(self.step, self.config.save_every) || self.save_is_due_by_the_clock() {
            self.save()?;
        }
        if due(self.step, self.config.picture_every) {
            self.draw()?;
        }
        Ok(())
    }

    /// The loss on what is kept out of training, when it is due: between checks and where there is nothing, none.
    fn validate(&self) -> Result<Option<f64>, Error> {
        let is_due = due(self.step, self.config.check_every) || self.step == self.config.steps;
        let Some(model) = self.model.as_ref().filter(|_| is_due) else { return Ok(None) };
        let loss = self.task.validation_loss(&model.valid(), &self.device.clone().inner())?;
        guard::check_validation(loss, self.step)?;
        Ok(loss)
    }

    fn in_words(&self, line: &LogLine, terms: &[LossTerm]) -> String {
        let parts: Vec<String> = terms.iter().map(|term| format!("{} {:.4}", term.name, term.value)).collect();
        let best = self.early_stop.best().map(|best| format!(", best {:.4} after {}", best.loss, best.step));
        format!("loss {:.4} ({}){}", line.loss, parts.join(", "), best.unwrap_or_default())
    }

    /// The mean gradient of the step's batches; none when the user stopped the run between two of them.
    fn gradient(&self, loader: &mut Loader<T::Batch>, stop: &AtomicBool) -> Result<Option<StepGradient>, Error> {
        let Some(model) = &self.model else { return Err(lost("model")) };
        let (step, parts) = (self.step, self.config.accumulate);
        let mut sum = GradientsAccumulator::new();
        let mut terms = Vec::new();
        for part in 0..parts {
            if part > 0 && stop.load(Ordering::SeqCst) {
                return Ok(None);
            }
            let batch = loader.next().ok_or_else(|| lost("loader"))??;
            let loss = self.task.loss(model, &batch, step * parts + part, self.device)?;
            guard::check_loss(&loss, step, || self.task.describe(&batch))?;
            let share = loss.objective.div_scalar(parts as f32);
            let gradients = GradientsParams::from_grads(share.backward(), model);
            guard::check_gradients(model, &gradients, step, || self.task.describe(&batch))?;
            sum.accumulate(model, gradients);
            add_share(&mut terms, &loss.terms, parts as f64);
        }
        Ok(Some(StepGradient { gradients: sum.grads(), terms }))
    }

    fn save_is_due_by_the_clock(&self) -> bool {
        let minutes = self.config.save_minutes;
        // As numbers: no duration holds what somebody may take for "never".
        minutes > 0.0 && self.saved_at.elapsed().as_secs_f64() >= 60.0 * minutes
    }

    fn save(&mut self) -> Result<(), Error> {
        if let Some(model) = self.model.as_ref().filter(|_| self.saved_step != Some(self.step)) {
            guard::check_weights(model, self.step)?;
            self.log.sync()?;
            let state = checkpoint::State::new(self.step, self.config.steps, self.seconds());
            checkpoint::save(self.folder, self.task, model, &self.optimizer, &state)?;
            self.saved_step = Some(self.step);
            self.saved_at = Instant::now();
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Error> {
        let Some(model) = self.model.as_ref().filter(|_| self.drawn_step != Some(self.step)) else { return Ok(()) };
        self.log.draw(&self.folder.path().join("losses.png"))?;
        let samples = self.folder.samples_path();
        std::fs::create_dir_all(&samples).map_err(Error::io("create", &samples))?;
        for sample in self.task.samples(&model.valid(), &self.device.clone().inner())? {
            self.events.append_picture(self.step, &sample)?;
            let path = samples.join(format!("{}.png", sample.name));
            parallax_core::files::write_picture(&path, &sample.picture.into())?;
        }
        self.drawn_step = Some(self.step);
        Ok(())
    }

    fn seconds(&self) -> f64 {
        self.earlier_seconds + self.began.elapsed().as_secs_f64()
    }

    fn finish(mut self) -> Result<Trained<T::Model>, Error> {
        self.progress.finish_and_clear();
        self.save()?;
        self.draw()?;
        let ended = match self.early_stop.out_of_patience() {
            _ if self.step >= self.config.steps => Ended::Finished,
            true => Ended::StoppedEarly,
            false => Ended::Interrupted,
        };
        let (best, step, seconds) = (self.early_stop.best(), self.step, self.seconds());
        let model = self.model.ok_or_else(|| lost("model"))?;
        Ok(Trained { model, ended, best, step, seconds })
    }
}

/// Adam as the paper uses it. burn's default epsilon is 1e-5; 1e-8 is what the published numbers were made with.
#[must_use]
pub fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).init()
}

/// Adds a batch's terms to the mean over `parts` batches; a term that a batch lacks is zero there.
fn add_share(mean: &mut Vec<LossTerm>, terms: &[LossTerm], parts: f64) {
    for LossTerm { name, value } in terms {
        let share = value / parts;
        match mean.iter_mut().find(|term| term.name == *name) {
            Some(term) => term.value += share,
            None => mean.push(LossTerm { name, value: share }),
        }
    }
}

fn due(step: u64, every: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}

fn lost(what: &str) -> Error {
    Error::Settings { what: format!("the run lost its {what}"), hint: "please report this" }
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

    #[test]
    fn the_terms_of_a_step_are_the_means_of_its_batches() {
        let term = |name, value| LossTerm { name, value };
        let mut mean = Vec::new();
        add_share(&mut mean, &[term("stereo", 1.0), term("smoothness", 4.0)], 2.0);
        add_share(&mut mean, &[term("smoothness", 2.0)], 2.0);
        assert_eq!(mean, [term("stereo", 0.5), term("smoothness", 3.0)]);
    }
}
