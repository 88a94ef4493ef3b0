//! A source of frames through the model: index masks, overlays and one JSON line per frame.
//!
//! ```text
//! DIR/masks/000042.png      class ids, 8-bit gray, at the frame's own size
//! DIR/overlays/000042.png   the mask's colours over the frame
//! DIR/frames.jsonl          one line per frame: times per stage, or why it was lost
//! DIR/summary.json          percentiles over the frames; of a live source what it is and what became of its pictures
//! ```
//!
//! Every thread takes whole frames, one after the other from the source: nothing inside the network is split. Of a live
//! source each takes the newest picture there is; that the source is lost is a line of its own. The folder gets its
//! name when everything in it is written.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use image::RgbImage;
use parallax_camera::{Arrival, Counters, Description, Shot, Source};
use parallax_core::files::{AtomicFolder, write_bytes, write_picture};
use parallax_core::picture::overlay_onto;
use serde::Serialize;

use crate::stages::{Percentiles, StagePercentiles, StagesMs, ms, ms_since};
use crate::{EdgeError, Engine, Result, Worker};

/// How long a thread waits for a frame before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// Percentiles are over this many frames, the last ones: half an hour at 30 per second, and memory stays flat for days.
const MEASURED_FRAMES: usize = 54_000;

/// What to do with a source of frames.
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
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FrameLine {
    /// Number of the frame, from 0: in the recording, or among those taken from a live source.
    pub frame: usize,
    /// When the frame was taken, in the recording's own time or on the clock of drivers (`CLOCK_MONOTONIC`); none when it is lost.
    pub timestamp_ns: Option<u64>,
    /// How old the frame was when its mask was there: since it was taken for a live source, from the start of reading
    /// it for a recording, which has no "now".
    pub age_ms: Option<f64>,
    /// The times of the stages.
    pub stages_ms: Option<StagesMs>,
    /// Frames passed over since the frame before, by the source's numbers; a recording is never in a hurry, so 0.
    pub dropped: u64,
    /// How long the source was lost just before this frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away_ms: Option<f64>,
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
    /// Frames that could not be read, and losses of a live source.
    pub lost: usize,
    /// Frames passed over because newer ones were there.
    pub dropped: u64,
    /// Frames in the recording; none for a live source.
    pub recorded: Option<usize>,
    /// Whether the run was stopped before its end; a live source has none unless there is a limit.
    pub interrupted: bool,
    /// Frames worked on at once.
    pub threads: usize,
    /// Masks per second, from the first to the last.
    pub frames_per_s: f64,
    /// Percentiles of the stages over the last 54,000 frames.
    pub stages: StagePercentiles,
    /// Percentiles of the frames' ages, over as many.
    pub age: Percentiles,
    /// What a live source turned out to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<Description>,
    /// What became of a live source's pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
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
    let (recorded, damage) = (source.frames(), source.damage().map(str::to_owned));
    let camera = source.description();
    let total = config.limit.into_iter().chain(recorded).min();
    let threads = config.threads.clamp(1, total.unwrap_or(usize::MAX).max(1));
    let queue = Mutex::new(Queue { source, next: 0, total, ended: false });
    let job = Job { queue, folder: folder.partial(), overlays: config.overlays };
    let start = Instant::now();
    let mut log = Log::create(folder.partial())?;
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = channel();
        for _thread in 0..threads {
            let mut worker = Worker::new(engine)?;
            let (sender, job, failed) = (sender.clone(), &job, &failed);
            scope.spawn(move || {
                engine.place_caller();
                job.work(&mut worker, &sender, || stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed));
            });
        }
        drop(sender);
        for message in receiver {
            if let Err(error) = message.and_then(|line| log.add(line, &mut on_line)) {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
        log.flush(&mut on_line)
    })?;
    let Queue { source, ended, .. } = job.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    let stages: Vec<StagesMs> = log.measured.iter().map(|(stages, _)| *stages).collect();
    let summary = DriveSummary {
        frames: log.frames,
        lost: log.lost,
        dropped: log.dropped,
        recorded,
        interrupted: !ended && total.is_some_and(|total| log.frames + log.lost < total),
        threads,
        frames_per_s: log.frames as f64 / start.elapsed().as_secs_f64().max(1e-9),
        stages: StagePercentiles::of(&stages),
        age: Percentiles::of(log.measured.iter().map(|(_, age_ms)| *age_ms).collect()),
        camera,
        counters: source.counters(),
        out: config.out.clone(),
        damage,
    };
    if summary.frames == 0
        && let Some(first) = log.first_error
    {
        return Err(EdgeError::AllFramesLost { frames: summary.lost, first });
    }
    log.finish(&summary)?;
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
    /// Frames to take; none for as many as come.
    total: Option<usize>,
    ended: bool,
}

/// One thread's buffers, used again for every frame.
#[derive(Default)]
struct Buffers {
    shot: Shot,
    picture: RgbImage,
}

/// A frame that was taken from the source: its number, what the source said of it, and how it was read.
struct Taken {
    frame: usize,
    arrival: std::result::Result<Arrival, String>,
    start: Instant,
    decode_ms: f64,
    live: bool,
}

impl Job<'_> {
    fn work(&self, worker: &mut Worker, sender: &Sender<Result<FrameLine>>, stopped: impl Fn() -> bool) {
        let mut buffers = Buffers::default();
        while let Some(taken) = self.take(&mut buffers, &stopped) {
            if sender.send(self.frame(worker, taken, &mut buffers)).is_err() {
                return;
            }
        }
    }

    /// The next frame; threads read one after the other.
    fn take(&self, buffers: &mut Buffers, stopped: impl Fn() -> bool) -> Option<Taken> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrival, start) = loop {
            if stopped() || queue.ended || queue.total.is_some_and(|total| queue.next >= total) {
                return None;
            }
            let start = Instant::now();
            match queue.source.next_into(&mut buffers.shot, PATIENCE) {
                Ok(Arrival::Nothing) => {}
                Ok(Arrival::End) => queue.ended = true,
                Ok(fresh @ Arrival::Fresh { .. }) => break (Ok(fresh), start),
                Err(error) => break (Err(error.to_string()), start),
            }
        };
        let (frame, live) = (queue.next, queue.source.frames().is_none());
        queue.next += 1;
        drop(queue);
        // Waiting for a camera is no work.
        let start = if live { Instant::now() } else { start };
        let Buffers { shot, picture } = buffers;
        let arrival = arrival.and_then(|arrival| {
            shot.left.write_rgb(picture).map_err(|error| error.to_string())?;
            Ok(arrival)
        });
        Some(Taken { frame, arrival, start, decode_ms: ms_since(start), live })
    }

    /// One frame to the disk. Only what stops the whole run is an error.
    fn frame(&self, worker: &mut Worker, taken: Taken, buffers: &mut Buffers) -> Result<FrameLine> {
        let Taken { frame, arrival, start, decode_ms, live } = taken;
        let line = FrameLine { frame, ..FrameLine::default() };
        let (dropped, away) = match arrival {
            Ok(Arrival::Fresh { dropped, away }) => (dropped, away),
            Ok(Arrival::Nothing | Arrival::End) => return Ok(line),
            Err(error) => return Ok(FrameLine { error: Some(error), ..line }),
        };
        let Buffers { shot, picture } = buffers;
        let timestamp = shot.left.timestamp;
        let (mask, stages) = worker.segment_at_own_size(picture)?;
        let age_ms = if live { ms(parallax_camera::now().since(timestamp)) } else { ms_since(start) };

        let start = Instant::now();
        let classes = worker.classes();
        let name = format!("masks/{frame:06}.png");
        mask.write(&self.folder.join(&name), classes)?;
        if self.overlays == Overlays::Write {
            overlay_onto(picture, &mask, classes);
            write_picture(&self.folder.join(format!("overlays/{frame:06}.png")), &std::mem::take(picture).into())?;
        }
        let stages_ms = Some(StagesMs { decode: decode_ms, write: ms_since(start), ..stages });
        let (timestamp_ns, away_ms) = (Some(timestamp.nanos()), away.map(ms));
        Ok(FrameLine { timestamp_ns, age_ms: Some(age_ms), stages_ms, dropped, away_ms, mask: Some(name), ..line })
    }
}

/// Lines in the order of the frames, although threads finish them in another; written as they come.
struct Log {
    file: BufWriter<File>,
    folder: PathBuf,
    next: usize,
    early: BTreeMap<usize, FrameLine>,
    frames: usize,
    lost: usize,
    dropped: u64,
    first_error: Option<String>,
    /// Stages and age of the last frames.
    measured: VecDeque<(StagesMs, f64)>,
}

impl Log {
    fn create(folder: &Path) -> Result<Self> {
        let path = folder.join("frames.jsonl");
        let file = File::create(&path).map_err(parallax_core::Error::io("create", &path))?;
        Ok(Self {
            file: BufWriter::new(file),
            folder: folder.to_owned(),
            next: 0,
            early: BTreeMap::new(),
            frames: 0,
            lost: 0,
            dropped: 0,
            first_error: None,
            measured: VecDeque::new(),
        })
    }

    fn add(&mut self, line: FrameLine, on_line: &mut impl FnMut(&FrameLine)) -> Result<()> {
        self.early.insert(line.frame, line);
        while let Some(line) = self.early.remove(&self.next) {
            self.push(&line, on_line)?;
        }
        Ok(())
    }

    /// After an interruption a frame may be missing between finished ones.
    fn flush(&mut self, on_line: &mut impl FnMut(&FrameLine)) -> Result<()> {
        std::mem::take(&mut self.early).into_values().try_for_each(|line| self.push(&line, on_line))
    }

    fn push(&mut self, line: &FrameLine, on_line: &mut impl FnMut(&FrameLine)) -> Result<()> {
        on_line(line);
        self.next = line.frame + 1;
        self.dropped += line.dropped;
        if let (Some(stages), Some(age_ms)) = (line.stages_ms, line.age_ms) {
            self.frames += 1;
            if self.measured.len() == MEASURED_FRAMES {
                self.measured.pop_front();
            }
            self.measured.push_back((stages, age_ms));
        } else {
            self.lost += 1;
            self.first_error = self.first_error.take().or_else(|| line.error.clone());
        }
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        Ok(written.map_err(parallax_core::Error::io("write", self.folder.join("frames.jsonl")))?)
    }

    fn finish(mut self, summary: &DriveSummary) -> Result<()> {
        let lines = self.folder.join("frames.jsonl");
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        written.map_err(parallax_core::Error::io("write", &lines))?;
        let summary = serde_json::to_vec_pretty(summary).map_err(std::io::Error::from);
        let path = self.folder.join("summary.json");
        write_bytes(&path, &summary.map_err(parallax_core::Error::io("write", &path))?)?;
        Ok(())
    }
}
