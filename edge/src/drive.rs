//! A whole recording through the model: index masks, overlays and one JSON line per frame.
//!
//! ```text
//! DIR/masks/000042.png      class ids, 8-bit gray, at the frame's own size
//! DIR/overlays/000042.png   the mask's colours over the frame
//! DIR/frames.jsonl          one line per frame: times per stage, or why it was lost
//! DIR/summary.json          percentiles over all frames
//! ```
//!
//! Every thread takes whole frames, one after the other from the source: nothing inside the network is split. The folder gets its name when everything in it is
//! written.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use image::RgbImage;
use parallax_camera::Source;
use parallax_core::files::{AtomicFolder, write_bytes, write_picture};
use parallax_core::picture::overlay_onto;
use serde::Serialize;

use crate::stages::{StagePercentiles, StagesMs, ms_since};
use crate::{EdgeError, Engine, Result, Worker};

/// What to do with a recording.
#[derive(Debug, Clone)]
pub struct DriveConfig {
    /// The folder to write.
    pub out: PathBuf,
    /// Frames at most.
    pub limit: Option<usize>,
    /// Frames worked on at once.
    pub threads: usize,
    /// Whether overlays are written beside the masks.
    pub overlays: Overlays,
}

/// Whether overlays are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlays {
    /// One per frame.
    Write,
    /// None.
    Skip,
}

/// One frame, done or lost: one line of `frames.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrameLine {
    /// Number of the frame in the recording, from 0.
    pub frame: usize,
    /// When the frame was taken, in the recording's own time; none when it is lost.
    pub timestamp_ns: Option<u64>,
    /// How old the frame was when its mask was there: from the start of reading it, since a recording has no "now".
    pub age_ms: Option<f64>,
    /// The times of the stages.
    pub stages_ms: Option<StagesMs>,
    /// Frames passed over since the line before; a recording is never in a hurry, so 0.
    pub dropped: usize,
    /// The mask, below the output folder.
    pub mask: Option<String>,
    /// Why there is no mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A whole run: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriveSummary {
    /// Frames with a mask.
    pub frames: usize,
    /// Frames that could not be read.
    pub lost: usize,
    /// Frames in the recording.
    pub recorded: usize,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Frames worked on at once.
    pub threads: usize,
    /// Masks per second, from the first to the last.
    pub frames_per_s: f64,
    /// Percentiles of the stages.
    pub stages: StagePercentiles,
    /// The folder.
    pub out: PathBuf,
    /// What of the recording itself is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// Runs every frame of `source`. `on_line` sees each line, in the order of the frames. Once `stop` is
/// set, frames in work are finished and the rest is left.
///
/// # Errors
/// The output folder is occupied or cannot be written, the engine fails, or not one frame can be read. A single
/// unreadable frame is no error: its line says so.
pub fn drive(
    engine: &Engine,
    source: Source,
    config: &DriveConfig,
    stop: &AtomicBool,
    mut on_line: impl FnMut(&FrameLine),
) -> Result<DriveSummary> {
    let folder = create_folder(config)?;
    let (recorded, damage) = (source.len(), source.damage().map(str::to_owned));
    let total = config.limit.map_or(recorded, |limit| limit.min(recorded));
    let threads = config.threads.clamp(1, total.max(1));
    let queue = Mutex::new(Queue { source, next: 0, total });
    let job = Job { queue, folder: folder.partial(), overlays: config.overlays };
    let start = Instant::now();
    let mut log = Log::default();
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = channel();
        for _thread in 0..threads {
            let mut worker = Worker::new(engine)?;
            let (sender, job, failed) = (sender.clone(), &job, &failed);
            scope.spawn(move || {
                job.work(&mut worker, &sender, || stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed));
            });
        }
        drop(sender);
        for message in receiver {
            match message {
                Ok(line) => log.add(line, &mut on_line),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        log.flush(&mut on_line);
        Ok(())
    })?;
    let stages: Vec<StagesMs> = log.lines.iter().filter_map(|line| line.stages_ms).collect();
    let summary = DriveSummary {
        frames: stages.len(),
        lost: log.lines.len() - stages.len(),
        recorded,
        interrupted: log.lines.len() < total,
        threads,
        frames_per_s: stages.len() as f64 / start.elapsed().as_secs_f64().max(1e-9),
        stages: StagePercentiles::of(&stages),
        out: config.out.clone(),
        damage,
    };
    if summary.frames == 0 && summary.lost > 0 {
        let first = log.lines[0].error.clone().unwrap_or_default();
        return Err(EdgeError::AllFramesLost { frames: summary.lost, first });
    }
    log.write(folder.partial(), &summary)?;
    folder.finish()?;
    Ok(summary)
}

fn create_folder(config: &DriveConfig) -> Result<AtomicFolder> {
    let occupied = std::fs::read_dir(&config.out).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || config.out.is_file() {
        return Err(EdgeError::Occupied { path: config.out.clone() });
    }
    let folder = AtomicFolder::create(&config.out)?;
    let parts: &[&str] = if config.overlays == Overlays::Write { &["masks", "overlays"] } else { &["masks"] };
    for part in parts {
        let part = folder.partial().join(part);
        std::fs::create_dir(&part).map_err(parallax_core::Error::io("create", &part))?;
    }
    Ok(folder)
}

/// What all workers share.
struct Job<'a> {
    queue: Mutex<Queue>,
    folder: &'a Path,
    overlays: Overlays,
}

/// The frames that are still to come.
struct Queue {
    source: Source,
    next: usize,
    total: usize,
}

/// A frame as it came from the source: its number, its time and picture or why it is lost, and how it was read.
struct Taken {
    frame: usize,
    picture: std::result::Result<(u64, RgbImage), String>,
    start: Instant,
    decode_ms: f64,
}

impl Job<'_> {
    fn work(&self, worker: &mut Worker, sender: &Sender<Result<FrameLine>>, stopped: impl Fn() -> bool) {
        while !stopped() {
            let Some(taken) = self.take() else { return };
            if sender.send(self.frame(worker, taken)).is_err() {
                return;
            }
        }
    }

    /// The next frame; threads read one after the other.
    fn take(&self) -> Option<Taken> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.next >= queue.total {
            return None;
        }
        let (frame, start) = (queue.next, Instant::now());
        queue.next += 1;
        let read = queue.source.next_frame()?;
        drop(queue);
        let picture = read.map_err(|error| error.to_string()).and_then(|frame| {
            let picture = frame.to_rgb().map_err(|error| error.to_string())?;
            Ok((frame.timestamp.nanos(), picture))
        });
        Some(Taken { frame, picture, start, decode_ms: ms_since(start) })
    }

    /// One frame to the disk. Only what stops the whole run is an error.
    fn frame(&self, worker: &mut Worker, taken: Taken) -> Result<FrameLine> {
        let Taken { frame, picture, start, decode_ms } = taken;
        let line =
            FrameLine { frame, timestamp_ns: None, age_ms: None, stages_ms: None, dropped: 0, mask: None, error: None };
        let (timestamp, mut picture) = match picture {
            Ok(picture) => picture,
            Err(error) => return Ok(FrameLine { error: Some(error), ..line }),
        };
        let (mask, stages) = worker.segment_at_own_size(&picture)?;
        let age_ms = Some(ms_since(start));

        let start = Instant::now();
        let classes = worker.classes();
        let name = format!("masks/{frame:06}.png");
        mask.write(&self.folder.join(&name), classes)?;
        if self.overlays == Overlays::Write {
            overlay_onto(&mut picture, &mask, classes);
            write_picture(&self.folder.join(format!("overlays/{frame:06}.png")), &picture.into())?;
        }
        let stages_ms = Some(StagesMs { decode: decode_ms, write: ms_since(start), ..stages });
        Ok(FrameLine { timestamp_ns: Some(timestamp), age_ms, stages_ms, mask: Some(name), ..line })
    }
}

/// Lines in the order of the frames, although threads finish them in another.
#[derive(Default)]
struct Log {
    lines: Vec<FrameLine>,
    early: BTreeMap<usize, FrameLine>,
}

impl Log {
    fn add(&mut self, line: FrameLine, on_line: &mut impl FnMut(&FrameLine)) {
        self.early.insert(line.frame, line);
        while let Some(line) = self.early.remove(&self.lines.len()) {
            self.push(line, on_line);
        }
    }

    /// After an interruption a frame may be missing between finished ones.
    fn flush(&mut self, on_line: &mut impl FnMut(&FrameLine)) {
        for (_, line) in std::mem::take(&mut self.early) {
            self.push(line, on_line);
        }
    }

    fn push(&mut self, line: FrameLine, on_line: &mut impl FnMut(&FrameLine)) {
        on_line(&line);
        self.lines.push(line);
    }

    fn write(&self, folder: &Path, summary: &DriveSummary) -> Result<()> {
        let mut lines = Vec::new();
        for line in &self.lines {
            let written = serde_json::to_writer(&mut lines, line).map_err(std::io::Error::from);
            written.and_then(|()| lines.write_all(b"\n")).map_err(parallax_core::Error::io("write", folder))?;
        }
        write_bytes(&folder.join("frames.jsonl"), &lines)?;
        let summary = serde_json::to_vec_pretty(summary).map_err(std::io::Error::from);
        write_bytes(&folder.join("summary.json"), &summary.map_err(parallax_core::Error::io("write", folder))?)?;
        Ok(())
    }
}
