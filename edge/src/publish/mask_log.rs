//! Masks and frame lines as MCAP files that Foxglove opens, rolled by size and kept within a budget.
//!
//! ```text
//! FOLDER/masks-000001.mcap          /parallax/mask    foxglove.CompressedImage: PNG, 8-bit gray, class ids
//! FOLDER/masks-000002.mcap.partial  /parallax/frame   the lines of frames.jsonl
//! ```
//! A thread of its own writes; every second what there is goes to the disk, as whole chunks. When the disk refuses, the file
//! is ended with what is whole in it, the loop goes on, and a new file is tried later. What is in the folder and was not
//! written here stays and does not count. Times are those of the camera, moved to the date
//! by a constant when the log begins (`LogClock`), for a live source; the recording's own otherwise.

mod part;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use foxglove::Encode as _;
use foxglove::messages::CompressedImage;
use image::ImageEncoder as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use parallax_core::Error as CoreError;
use parallax_core::files::FolderLock;
use parallax_core::labels::{Classes, LabelMap};

use super::handover::{Full, Handover, Taken};
use super::log_clock::LogClock;
use super::{News, Outlet};
use crate::{EdgeError, Result};
use part::Part;
use shelf::{WHOLE, files_of, free_number, is_ours, keep_torn_files, name_of};

/// Topic of the masks.
pub const MASK_TOPIC: &str = "/parallax/mask";
/// Topic of the frame lines.
pub const FRAME_TOPIC: &str = "/parallax/frame";
/// What a frame line looks like; others may be added to the names.
pub const FRAME_SCHEMA: &str = r#"{"type":"object","properties":{"frame":{"type":"integer"},"timestamp_ns":{"type":"integer"},"age_ms":{"type":"number"},"dropped":{"type":"integer"},"away_ms":{"type":"number"},"model":{"type":"string"},"temperature_c":{"type":"number"},"error":{"type":"string"},"stages_ms":{"type":"object","properties":{"decode":{"type":"number"},"prepare":{"type":"number"},"infer":{"type":"number"},"postprocess":{"type":"number"},"write":{"type":"number"}}}}}"#;

/// Frames that wait for a slow disk: half a second at 30 per second.
const PLACES: usize = 16;
/// How often what there is goes to the disk.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Bytes that wait in memory at most.
const MOST_WAITING: u64 = 1 << 20;
/// How long a disk that refused is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Where masks are logged, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskLogConfig {
    /// The folder; it may hold files of earlier runs.
    pub folder: PathBuf,
    /// Bytes after which a new file begins.
    pub file_bytes: u64,
    /// Bytes of all files together; the oldest go.
    pub budget_bytes: u64,
}

/// What became of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskLogReport {
    /// Files written and not empty.
    pub files: usize,
    /// Whole masks in them.
    pub masks: u64,
    /// Frames that a slow or full disk left no room for.
    pub missed: u64,
    /// What went wrong last.
    pub error: Option<String>,
}

/// A log with its thread.
#[derive(Debug)]
pub struct MaskLog {
    outlet: Outlet,
    thread: JoinHandle<MaskLogReport>,
}

impl MaskLog {
    /// Opens the folder and starts the thread. `full` says whether the source waits for the disk.
    ///
    /// # Errors
    /// The folder cannot be made or written to, another program logs into it, or the thread does not start.
    pub fn start(config: MaskLogConfig, classes: Classes, full: Full) -> Result<Self> {
        let folder = config.folder.clone();
        std::fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
        let lock = FolderLock::take(&folder)?.ok_or_else(|| CoreError::InUse { path: folder.clone() })?;
        keep_torn_files(&folder)?;
        let handover = Arc::new(Handover::new(PLACES));
        let outlet = Outlet { handover: Arc::clone(&handover), full, wants_pictures: Arc::new(AtomicBool::new(false)) };
        let clock = if full == Full::DropOldest { LogClock::live() } else { LogClock::recorded() };
        let mut writer = Writer::new(config, classes, clock, lock);
        writer.file = Some(writer.begin()?);
        let thread = std::thread::Builder::new().name("mask log".into()).spawn(move || {
            writer.run(&handover);
            MaskLogReport { missed: writer.report.missed + handover.missed(), ..writer.report }
        });
        let thread = thread.map_err(CoreError::io("start the log of", &folder)).map_err(EdgeError::Core)?;
        Ok(Self { outlet, thread })
    }

    /// Its side of the loop.
    pub fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Writes what is left and ends.
    pub fn finish(self) -> MaskLogReport {
        self.outlet.handover.close();
        self.thread.join().unwrap_or_else(|_| MaskLogReport {
            error: Some("the thread that writes the log has failed".to_owned()),
            ..MaskLogReport::default()
        })
    }
}

/// Writes the files.
#[derive(Debug)]
struct Writer {
    config: MaskLogConfig,
    classes: Classes,
    clock: LogClock,
    file: Option<Part>,
    retry_at: Instant,
    report: MaskLogReport,
    _lock: FolderLock,
}

impl Writer {
    fn new(config: MaskLogConfig, classes: Classes, clock: LogClock, lock: FolderLock) -> Self {
        let report = MaskLogReport::default();
        Self { config, classes, clock, file: None, retry_at: Instant::now(), report, _lock: lock }
    }

    fn run(&mut self, handover: &Handover<News>) {
        loop {
            let news = match handover.take(FLUSH_EVERY) {
                Taken::Item(news) => Some(news),
                Taken::Nothing => None,
                Taken::Closed => break,
            };
            if let Err(error) = self.step(news.as_ref()) {
                self.give_up(&error);
            }
        }
        if let Err(error) = self.end_file() {
            self.give_up(&error);
        }
    }

    /// Writes news, and what was written before to the disk when it is time.
    fn step(&mut self, news: Option<&News>) -> Result<()> {
        if self.file.is_none() {
            if Instant::now() < self.retry_at {
                self.report.missed += u64::from(matches!(news, Some(News::Frame(_))));
                return Ok(());
            }
            self.file = Some(self.begin()?);
            tracing::info!("masks are logged again");
        }
        let Some(part) = &mut self.file else { return Ok(()) };
        match news {
            Some(News::Frame(frame)) => {
                let time = self.clock.time(frame.line.timestamp_ns);
                part.write(&frame.line, Some((&frame.mask, &self.classes)), time)?;
            }
            Some(News::Lost(line)) => part.write(line, None, self.clock.time(line.timestamp_ns))?,
            None => {}
        }
        let is_time = part.flushed_at.elapsed() >= FLUSH_EVERY || part.waiting() >= MOST_WAITING;
        if is_time && part.flush()? >= self.config.file_bytes {
            self.end_file()?;
            self.file = Some(self.begin()?);
        }
        Ok(())
    }

    /// Ends the file being written, if there is one, and counts what is in it.
    fn end_file(&mut self) -> Result<()> {
        let Some(part) = self.file.take() else { return Ok(()) };
        let meant = part.masks;
        let (held, error) = part.finish()?;
        self.count(meant, held);
        error.map_or(Ok(()), Err)
    }

    fn count(&mut self, meant: u64, held: Option<u64>) {
        let masks = held.unwrap_or(0);
        self.report.files += usize::from(held.is_some());
        self.report.masks += masks;
        self.report.missed += meant.saturating_sub(masks);
    }

    /// Leaves a disk that refuses alone for a while; what is whole on it is kept.
    fn give_up(&mut self, error: &EdgeError) {
        if let Some(part) = self.file.take() {
            let meant = part.masks;
            match part.abandon() {
                Ok(held) => self.count(meant, held),
                // It stays as it is, and is made whole at the next start.
                Err(worse) => {
                    tracing::warn!("the log's file stays torn: {worse}");
                    self.count(meant, None);
                }
            }
        }
        self.retry_at = Instant::now() + RETRY_AFTER;
        let secs = RETRY_AFTER.as_secs();
        tracing::warn!("masks are not logged any more, trying again in {secs} s: {error}");
        self.report.error = Some(error.to_string());
    }

    /// Begins a file, after the oldest ones have made room for it.
    fn begin(&mut self) -> Result<Part> {
        let folder = &self.config.folder;
        let mut files = files_of(folder, WHOLE);
        files.retain(|_, path| is_ours(path).unwrap_or(false));
        let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        let mut total: u64 = files.values().map(|path| size(path)).sum();
        while total + self.config.file_bytes > self.config.budget_bytes {
            let Some((_, oldest)) = files.pop_first() else { break };
            total -= size(&oldest).min(total);
            std::fs::remove_file(&oldest).map_err(CoreError::io("remove", &oldest))?;
        }
        Part::begin(folder.join(name_of(free_number(folder))), &self.classes)
    }
}

/// A mask as an encoded `foxglove.CompressedImage`.
pub(super) fn mask_message(mask: &LabelMap, classes: &Classes, time: u64) -> std::io::Result<Vec<u8>> {
    let ids: Vec<u8> = mask.indices.iter().map(|index| classes.picture_value(*index)).collect();
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::NoFilter);
    let color = image::ExtendedColorType::L8;
    encoder.write_image(&ids, mask.width, mask.height, color).map_err(std::io::Error::other)?;
    picture_message(png, "png", time)
}

/// An encoded picture as an encoded `foxglove.CompressedImage`.
pub(super) fn picture_message(data: Vec<u8>, format: &str, time: u64) -> std::io::Result<Vec<u8>> {
    let stamp = foxglove::messages::Timestamp::new((time / 1_000_000_000) as u32, (time % 1_000_000_000) as u32);
    let message = CompressedImage {
        timestamp: Some(stamp),
        frame_id: "camera_left".to_owned(),
        data: data.into(),
        format: format.to_owned(),
    };
    let mut bytes = Vec::with_capacity(message.encoded_len().unwrap_or_default());
    message.encode(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
