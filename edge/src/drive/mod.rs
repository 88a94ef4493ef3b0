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
//! source each takes the newest picture there is; that the source is lost is a line of its own. The folder gets its
//! name when everything in it is written.
//!
//! Pictures, masks and lines lie in memory that is made before the first frame and goes round.

mod job;
mod line;
mod lines;
mod log;
mod names;
mod queue;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parallax_camera::Source;
use parallax_core::camera::Camera;
use parallax_core::files::AtomicFolder;

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
use queue::Queue;

/// Lines on their way from the threads to the log: two seconds at 30 per second, in which a disk may be slow.
const LINES_ON_THE_WAY: usize = 64;

/// What to do with a source of frames.
#[derive(Debug, Clone, Default)]
pub struct DriveConfig {
    /// The folder to write; none to only hand over.
    pub out: Option<PathBuf>,
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
/// which the network gives no numbers: their lines say so.
pub fn drive(
    models: &Models,
    source: Source,
    config: &DriveConfig,
    outputs: &Outputs,
    stop: &AtomicBool,
    mut on_line: impl FnMut(&FrameLine),
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
    let folder = config.out.as_ref().map(|out| create_folder(out, config.overlays)).transpose()?;
    let (recorded, damage) = (source.frames(), source.damage().map(str::to_owned));
    let names = Names::of(&source);
    let camera = source.description();
    let total = config.limit.into_iter().chain(recorded).min();
    let threads = config.threads.clamp(1, total.unwrap_or(usize::MAX).max(1));
    let queue = Mutex::new(Queue::new(source, total, config.rate, thermal));
    let partial = folder.as_ref().map(AtomicFolder::partial);
    let job = Job { queue, names, folder: partial, overlays: config.overlays, models, outputs };
    let start = Instant::now();
    let mut log = Log::create(partial)?;
    let failed = AtomicBool::new(false);
    let lines = Lines::new(LINES_ON_THE_WAY, threads);
    std::thread::scope(|scope| -> Result<()> {
        let engines = || models.0.iter().map(|(_, engine)| engine);
        let segmenter = |_thread| Segmenter::new(engines(), frames.clone(), config.smoothing);
        let segmenters = (0..threads).map(segmenter).collect::<Result<Vec<_>>>()?;
        // Before the first frame, whose end is a sign of life already.
        outputs.service.ready();
        for (thread, mut segmenter) in segmenters.into_iter().enumerate() {
            let (sender, job, failed) = (lines.sender(), &job, &failed);
            let engine = &models.0[0].1;
            scope.spawn(move || {
                engine.place_caller();
                let stopped = || stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
                job.work(thread, &mut segmenter, &sender, stopped);
            });
        }
        for line in lines.reader() {
            let added = line.and_then(|line| {
                on_line(&line);
                log.add(&line)
            });
            if let Err(error) = added {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    })?;
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
        damage,
    };
    // Frames that were read and gave no masks are a run with its lines; nothing read is a mistake.
    if summary.frames + summary.not_finite == 0
        && let Some(first) = log.first_error
    {
        return Err(EdgeError::AllFramesLost { frames: summary.lost, first });
    }
    log.finish(&summary)?;
    if let Some(folder) = folder {
        folder.finish()?;
    }
    Ok(summary)
}

fn create_folder(out: &PathBuf, overlays: Overlays) -> Result<AtomicFolder> {
    let occupied = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || out.is_file() {
        return Err(EdgeError::Occupied { path: out.clone() });
    }
    let folder = AtomicFolder::create(out)?;
    let parts: &[&str] = if overlays == Overlays::Write { &["masks", "overlays"] } else { &["masks"] };
    for part in parts {
        let part = folder.partial().join(part);
        std::fs::create_dir(&part).map_err(parallax_core::Error::io("create", &part))?;
    }
    Ok(folder)
}
