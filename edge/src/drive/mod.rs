//! A source of frames through a model: masks handed over or written, and one JSON line per frame.
//!
//! ```text
//! source ─▶ [queue: rate, thermal rules] ─▶ [job: decode, frame, infer, smooth] ─▶ publisher, out ─▶ [log: lines, percentiles]
//!
//! OUT/masks/000042.png      class ids, 8-bit gray, at the frame's own size; as the picture where pictures have names
//! OUT/overlays/000042.png   the mask's colours over the frame
//! OUT/frames.jsonl          one line per frame: times per stage, or why it was lost
//! OUT/summary.json          percentiles over the frames; of a live source what it is and what became of its pictures
//! ```
//!
//! Every thread takes whole frames, one after the other from the source: nothing inside the network is split. Of a live
//! source each takes the newest picture there is; that the source is lost is a line of its own. The folder is called
//! `OUT.partial` until the run ends (`out`).
//!
//! Pictures, masks and lines lie in memory that is made before the first frame and goes round.

mod job;
mod line;
mod lines;
mod log;
mod names;
mod out;
mod queue;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parallax_camera::Source;
use parallax_core::camera::Camera;

use crate::framing::{Frames, Region};
use crate::policy::{Thermal, ThermalConfig};
use crate::publish::Publisher;
use crate::publish::service::Service;
use crate::segmenter::Segmenter;
use crate::{EdgeError, Engine, Result};
use job::Job;
pub use line::{DriveSummary, FrameLine, Role};
use lines::Lines;
use log::Log;
use names::Names;
pub use out::LEAST_OUT_BUDGET;
use out::OutFolder;
use queue::Queue;

/// Lines on their way from the threads to the log: two seconds at 30 per second, in which a disk may be slow.
const LINES_ON_THE_WAY: usize = 64;

/// What to do with a source of frames.
#[derive(Debug, Clone, Default)]
pub struct DriveConfig {
    /// The folder to write; none to only hand over.
    pub out: Option<PathBuf>,
    /// Bytes that it may take.
    pub out_budget: Option<u64>,
    /// What comes when it can take no more.
    pub when_full: WhenFull,
    /// Frames at most.
    pub limit: Option<usize>,
    /// Frames worked on at once, at least one.
    pub threads: usize,
    /// Whether overlays are written beside the masks.
    pub overlays: Overlays,
    /// The camera whose lens is taken out of the pictures.
    pub undistort: Option<Camera>,
    /// The part of the picture that the network sees.
    pub region: Option<Region>,
    /// Masks to take the majority of; needs the frames in order, so one thread.
    pub smoothing: Option<u8>,
    /// Frames a second at most.
    pub rate: Option<f64>,
    /// Rules for when it is hot.
    pub thermal: Option<ThermalConfig>,
}

/// Whether overlays are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overlays {
    /// One per frame.
    #[default]
    Write,
    /// None.
    Skip,
}

/// What comes when a folder can take no more masks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The run ends.
    #[default]
    End,
    /// Masks are still made, for the others who get them.
    GoOn,
}

/// The models of a run: the usual one first, then those that thermal rules may choose.
#[derive(Debug, Clone)]
pub struct Models(Vec<(Role, Engine)>);

impl Models {
    /// The usual model alone.
    pub fn one(engine: Engine) -> Self {
        Self(vec![(Role("".into()), engine)])
    }

    /// With another one that a rule may choose by its role.
    #[must_use]
    pub fn with(mut self, role: &str, engine: Engine) -> Self {
        self.0.push((Role(role.into()), engine));
        self
    }

    /// The place of the model with a role; the usual one where none has it.
    fn place_of(&self, role: &str) -> usize {
        self.0.iter().position(|(known, _)| &*known.0 == role).unwrap_or(0)
    }
}

/// Who is told what, while a run goes on.
#[derive(Debug)]
pub struct Outputs {
    /// Hands masks to consumers.
    pub publisher: Publisher,
    /// Signs of life.
    pub service: Service,
}

impl Outputs {
    /// Nobody but the service manager, if there is one.
    pub fn none(threads: usize) -> Self {
        Self { publisher: Publisher::new(Vec::new(), threads), service: Service::of_unit(threads) }
    }
}

/// Runs every frame of `source`. `on_line` sees each line, in the order of the frames. Once `stop` is
/// set, frames in work are finished and the rest is left.
///
/// # Errors
/// The output folder is occupied or cannot be written, the engine fails, region or camera file do not fit the pictures, the
/// temperature cannot be read, or not one frame can be read. A single unreadable frame is no error, and neither is one for
/// which the network gives no numbers: their lines say so; nor a folder that gets full after its first mask: the summary
/// says so. What was written is kept in any case.
pub fn drive(
    models: &Models,
    source: Source,
    config: &DriveConfig,
    outputs: &Outputs,
    stop: &AtomicBool,
    on_line: impl FnMut(&FrameLine),
) -> Result<DriveSummary> {
    if config.smoothing.is_some() && config.threads > 1 {
        return Err(EdgeError::Settings {
            what: format!("smoothing needs the frames in order, got {} threads", config.threads),
            path: None,
            hint: "smooth with one thread",
        });
    }
    let frames = Frames::new(config.undistort.as_ref(), config.region, source.size())?;
    let thermal = config.thermal.clone().map(Thermal::new).transpose()?;
    let create = |out: &PathBuf| OutFolder::create(out, config.overlays, config.out_budget);
    let out = config.out.as_ref().map(create).transpose()?;
    let (recorded, damage) = (source.frames(), source.damage().map(str::to_owned));
    let names = Names::of(&source);
    let camera = source.description();
    let total = config.limit.into_iter().chain(recorded).min();
    let threads = config.threads.clamp(1, total.unwrap_or(usize::MAX).max(1));
    let queue = Mutex::new(Queue::new(source, total, config.rate, thermal));
    let job = Job { queue, names, out: out.as_ref(), models, outputs };
    let start = Instant::now();
    let mut log = Log::create(out.as_ref())?;
    let halt = Halt { stop, own: AtomicBool::new(false), when_full: config.when_full };
    let worked = work(&job, &frames, config.smoothing, threads, &halt, &mut log, on_line);
    outputs.service.stopping();
    let Queue { source, ended, .. } = job.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (stages, age) = log.measured.percentiles();
    let summary = DriveSummary {
        frames: log.frames,
        lost: log.lost,
        not_finite: log.not_finite,
        dropped: log.dropped,
        recorded,
        interrupted: !ended && total.is_some_and(|total| log.frames + log.lost < total),
        threads,
        frames_per_s: log.frames as f64 / start.elapsed().as_secs_f64().max(1e-9),
        stages,
        age,
        camera,
        counters: source.counters(),
        out: config.out.clone(),
        masks: None,
        full: None,
        damage,
    };
    // Frames that were read and gave no masks are a run with its lines; nothing read is a mistake.
    if worked.is_ok()
        && summary.frames + summary.not_finite == 0
        && let Some(first) = log.first_error
    {
        return Err(EdgeError::AllFramesLost { frames: summary.lost, first });
    }
    finish(worked, summary, log, out, config.when_full)
}

/// When no more frames are taken.
struct Halt<'a> {
    stop: &'a AtomicBool,
    /// Set from within.
    own: AtomicBool,
    when_full: WhenFull,
}

/// Works on all frames, in as many threads.
fn work(
    job: &Job,
    frames: &Frames,
    smoothing: Option<u8>,
    threads: usize,
    halt: &Halt,
    log: &mut Log,
    mut on_line: impl FnMut(&FrameLine),
) -> Result<()> {
    let lines = Lines::new(LINES_ON_THE_WAY, threads);
    std::thread::scope(|scope| -> Result<()> {
        let engines = || job.models.0.iter().map(|(_, engine)| engine);
        let segmenter = |_thread| Segmenter::new(engines(), frames.clone(), smoothing);
        let segmenters = (0..threads).map(segmenter).collect::<Result<Vec<_>>>()?;
        // Before the first frame, whose end is a sign of life already.
        job.outputs.service.ready();
        for (thread, mut segmenter) in segmenters.into_iter().enumerate() {
            let sender = lines.sender();
            let engine = &job.models.0[0].1;
            scope.spawn(move || {
                engine.place_caller();
                let stopped = || halt.stop.load(Ordering::Relaxed) || halt.own.load(Ordering::Relaxed);
                job.work(thread, &mut segmenter, &sender, stopped);
            });
        }
        for line in lines.reader() {
            match line {
                Ok(line) => {
                    on_line(&line);
                    log.add(&line, job.out);
                }
                Err(error) => {
                    halt.own.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            if halt.when_full == WhenFull::End && job.out.is_some_and(|out| out.over().is_some()) {
                halt.own.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    })
}

/// Gives the folder its name, whatever has come; only one without a mask goes when something has failed.
fn finish(
    worked: Result<()>,
    mut summary: DriveSummary,
    mut log: Log,
    out: Option<OutFolder>,
    when_full: WhenFull,
) -> Result<DriveSummary> {
    let Some(mut out) = out else { return worked.map(|()| summary) };
    log.finish(&out);
    summary.masks = Some(out.masks());
    summary.full = out.over().map(ToString::to_string);
    // A summary stands for a run that has ended as it should.
    if worked.is_ok()
        && let Err(error) = log::write_summary(&summary, &out)
    {
        out.end(error);
        summary.full = out.over().map(ToString::to_string);
    }
    let (masks, over) = (out.masks(), out.take_over());
    if masks == 0 && (worked.is_err() || over.is_some()) {
        summary.out = None;
    } else {
        out.finish()?;
    }
    worked?;
    match over {
        // Nobody else gets anything of such a run; and what is no lack of room is a failure.
        Some(error) if when_full == WhenFull::End && (masks == 0 || !out::is_full(&error)) => Err(error),
        _ => Ok(summary),
    }
}
