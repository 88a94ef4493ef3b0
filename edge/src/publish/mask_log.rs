//! Masks and frame lines as MCAP files that Foxglove opens, rolled by size and kept within a budget.
//!
//! ```text
//! FOLDER/masks-000001.mcap          /parallax/mask    foxglove.CompressedImage: PNG, 8-bit gray, class ids
//! FOLDER/masks-000002.mcap.partial  /parallax/frame   the lines of frames.jsonl
//! ```
//! A thread of its own writes; every second what there is goes to the disk. When the disk refuses, the loop goes on, and a
//! new file is tried later. Times are those of the camera, moved to the date by a constant when the log begins ([`LogClock`]), for
//! a live source; the recording's own otherwise.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use foxglove::Encode as _;
use foxglove::messages::CompressedImage;
use image::ImageEncoder as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use mcap::records::MessageHeader;
use parallax_core::files::partial_path;
use parallax_core::labels::{Classes, LabelMap};

use super::handover::{Full, Handover, Taken};
use super::log_clock::LogClock;
use super::{News, Outlet};
use crate::drive::FrameLine;
use crate::{EdgeError, Result};

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
    /// Files written.
    pub files: usize,
    /// Masks in them.
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
    /// The folder cannot be made or written to, or the thread does not start.
    pub fn start(config: MaskLogConfig, classes: Classes, full: Full) -> Result<Self> {
        std::fs::create_dir_all(&config.folder).map_err(parallax_core::Error::io("create", &config.folder))?;
        keep_torn_files(&config.folder)?;
        let handover = Arc::new(Handover::new(PLACES));
        let outlet = Outlet { handover: Arc::clone(&handover), full, wants_pictures: Arc::new(AtomicBool::new(false)) };
        let folder = config.folder.clone();
        let clock = if full == Full::DropOldest { LogClock::live() } else { LogClock::recorded() };
        let mut writer = Writer::new(config, classes, clock);
        writer.file = Some(writer.begin()?);
        let thread = std::thread::Builder::new().name("mask log".into()).spawn(move || {
            writer.run(&handover);
            MaskLogReport { missed: writer.report.missed + handover.missed(), ..writer.report }
        });
        let thread = thread.map_err(parallax_core::Error::io("start the log of", &folder)).map_err(EdgeError::Core)?;
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

/// What a run that ended without warning left gets its name: MCAP can be read without its end.
fn keep_torn_files(folder: &Path) -> Result<()> {
    for (_, path) in files_of(folder, "mcap.partial") {
        let whole = path.with_extension("");
        std::fs::rename(&path, &whole).map_err(parallax_core::Error::io("rename", &path))?;
    }
    Ok(())
}

/// The log's own files with an extension, by number.
fn files_of(folder: &Path, extension: &str) -> BTreeMap<u64, PathBuf> {
    let number = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("masks-")?.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter_map(|path| Some((number(&path)?, path))).collect()
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
}

/// One file.
struct Part {
    path: PathBuf,
    mcap: mcap::Writer<BufWriter<File>>,
    /// A second handle, to see how large it is and to have it on the disk.
    file: File,
    mask_channel: u16,
    frame_channel: u16,
    flushed_at: Instant,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Part").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Writer {
    fn new(config: MaskLogConfig, classes: Classes, clock: LogClock) -> Self {
        Self { config, classes, clock, file: None, retry_at: Instant::now(), report: MaskLogReport::default() }
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
        if let Some(part) = self.file.take()
            && let Err(error) = part.finish()
        {
            self.give_up(&error);
        }
    }

    /// Writes news, and what was written before to the disk when it is time.
    fn step(&mut self, news: Option<&News>) -> Result<()> {
        if self.file.is_none() {
            if Instant::now() < self.retry_at {
                self.report.missed += u64::from(news.is_some());
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
                self.report.masks += 1;
            }
            Some(News::Lost(line)) => part.write(line, None, self.clock.time(line.timestamp_ns))?,
            None => {}
        }
        if part.flushed_at.elapsed() >= FLUSH_EVERY && part.flush()? >= self.config.file_bytes {
            let full = self.file.take();
            full.map(Part::finish).transpose()?;
            self.file = Some(self.begin()?);
        }
        Ok(())
    }

    fn give_up(&mut self, error: &EdgeError) {
        self.file = None;
        self.retry_at = Instant::now() + RETRY_AFTER;
        let secs = RETRY_AFTER.as_secs();
        tracing::warn!("masks are not logged any more, trying again in {secs} s: {error}");
        self.report.error = Some(error.to_string());
    }

    /// Begins a file, after the oldest ones have made room for it.
    fn begin(&mut self) -> Result<Part> {
        let mut files = files_of(&self.config.folder, "mcap");
        let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        let mut total: u64 = files.values().map(|path| size(path)).sum();
        let number = files.last_key_value().map_or(1, |(number, _)| number + 1);
        while total + self.config.file_bytes > self.config.budget_bytes {
            let Some((_, oldest)) = files.pop_first() else { break };
            total -= size(&oldest).min(total);
            std::fs::remove_file(&oldest).map_err(parallax_core::Error::io("remove", &oldest))?;
        }
        let part = Part::begin(self.config.folder.join(format!("masks-{number:06}.mcap")), &self.classes)?;
        self.report.files += 1;
        Ok(part)
    }
}

impl Part {
    fn begin(path: PathBuf, classes: &Classes) -> Result<Self> {
        let partial = partial_path(&path);
        let io = |error| parallax_core::Error::io("create", &partial)(error);
        let file = File::create(&partial).map_err(io)?;
        let second = file.try_clone().map_err(io)?;
        let begin = || {
            let mut mcap = mcap::WriteOptions::new()
                .library(concat!("parallax-edge ", env!("CARGO_PKG_VERSION")))
                .compression(Some(mcap::Compression::Zstd))
                .compression_threads(0)
                .create(BufWriter::new(file))?;
            let image = CompressedImage::get_schema();
            let image_schema =
                image.map_or(Ok(0), |schema| mcap.add_schema(&schema.name, &schema.encoding, &schema.data))?;
            let line_schema = mcap.add_schema("parallax.Frame", "jsonschema", FRAME_SCHEMA.as_bytes())?;
            let names = classes.entries.iter().map(|class| format!("{} {}", class.id, class.name));
            let metadata = BTreeMap::from([("classes".to_owned(), names.collect::<Vec<_>>().join(", "))]);
            let encoding = CompressedImage::get_message_encoding();
            let mask_channel = mcap.add_channel(image_schema, MASK_TOPIC, &encoding, &metadata)?;
            let frame_channel = mcap.add_channel(line_schema, FRAME_TOPIC, "json", &BTreeMap::new())?;
            Ok((mcap, mask_channel, frame_channel))
        };
        let (mcap, mask_channel, frame_channel) = begin().map_err(|error| refused(&partial, error))?;
        Ok(Self { path, mcap, file: second, mask_channel, frame_channel, flushed_at: Instant::now() })
    }

    fn write(&mut self, line: &FrameLine, mask: Option<(&LabelMap, &Classes)>, time: u64) -> Result<()> {
        let head =
            |channel_id| MessageHeader { channel_id, sequence: line.frame as u32, log_time: time, publish_time: time };
        let mut write = || {
            if let Some((mask, classes)) = mask {
                let message = mask_message(mask, classes, time)?;
                self.mcap.write_to_known_channel(&head(self.mask_channel), &message)?;
            }
            let json = serde_json::to_vec(line).map_err(std::io::Error::from)?;
            self.mcap.write_to_known_channel(&head(self.frame_channel), &json)
        };
        write().map_err(|error| refused(&self.path, error))
    }

    /// Everything onto the disk; the size of the file then.
    fn flush(&mut self) -> Result<u64> {
        self.mcap.flush().map_err(|error| refused(&self.path, error))?;
        self.flushed_at = Instant::now();
        let size = self.file.sync_data().and_then(|()| self.file.metadata());
        Ok(size.map_err(parallax_core::Error::io("write", &self.path))?.len())
    }

    fn finish(mut self) -> Result<()> {
        self.mcap.finish().map_err(|error| refused(&self.path, error))?;
        let partial = partial_path(&self.path);
        self.file.sync_all().map_err(parallax_core::Error::io("write", &partial))?;
        std::fs::rename(&partial, &self.path).map_err(parallax_core::Error::io("rename", &partial))?;
        Ok(())
    }
}

/// Keeps what the system said, so that a full disk is recognised as one.
fn refused(path: &Path, error: mcap::McapError) -> EdgeError {
    let source = match error {
        mcap::McapError::Io(source) => source,
        other => std::io::Error::other(other),
    };
    EdgeError::Core(parallax_core::Error::io("write", path)(source))
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
mod tests {
    use super::*;
    use crate::publish::{Published, Publisher};
    use image::RgbImage;

    fn classes() -> Classes {
        let mut classes = Classes::dense(&[("other", [0; 3]), ("red", [255, 0, 0])]);
        classes.entries[1].id = 7;
        classes
    }

    fn published(frame: usize) -> Published {
        let line = FrameLine { frame, timestamp_ns: Some(1000 + frame as u64), ..FrameLine::default() };
        // Noise, which no compression makes small.
        let noise = (0..64 * 64_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 16 & 1) as u8).collect();
        Published { line, picture: RgbImage::new(0, 0), mask: LabelMap { width: 64, height: 64, indices: noise } }
    }

    fn log(folder: &Path, budget_bytes: u64, frames: std::ops::Range<usize>) -> MaskLogReport {
        let config = MaskLogConfig { folder: folder.to_owned(), file_bytes: 1 << 20, budget_bytes };
        let log = MaskLog::start(config, classes(), Full::Wait).unwrap();
        let publisher = Publisher::new(vec![log.outlet().clone()], 1);
        for frame in frames {
            let Published { line, picture, mask } = published(frame);
            publisher.publish(&line, &picture, &mask);
        }
        publisher.lose(&FrameLine { frame: 99, error: Some("unplugged".into()), ..FrameLine::default() });
        log.finish()
    }

    #[test]
    fn a_log_opens_with_an_independent_reader_and_holds_masks_lines_and_losses() {
        let folder = tempfile::tempdir().unwrap();
        let report = log(folder.path(), 1 << 30, 0..3);
        assert_eq!(report, MaskLogReport { files: 1, masks: 3, missed: 0, error: None });
        let bytes = std::fs::read(folder.path().join("masks-000001.mcap")).unwrap();
        let messages: Vec<_> = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).collect();
        let of = |topic: &str| messages.iter().filter(|message| message.channel.topic == topic).collect::<Vec<_>>();
        let (masks, lines) = (of(MASK_TOPIC), of(FRAME_TOPIC));
        assert_eq!((masks.len(), lines.len()), (3, 4));
        assert_eq!((masks[1].log_time, masks[1].sequence), (1001, 1));
        assert!(masks[0].channel.metadata["classes"].contains("7 red"));
        let message = <CompressedImage as foxglove::Decode>::decode(masks[0].data.as_ref()).unwrap();
        let mask = image::load_from_memory(&message.data).unwrap().to_luma8();
        let expected: Vec<u8> = published(0).mask.indices.iter().map(|index| index * 7).collect();
        assert_eq!(mask.into_raw(), expected);
        let line: serde_json::Value = serde_json::from_slice(&lines[3].data).unwrap();
        assert_eq!((&line["error"], &line["mask"]), (&"unplugged".into(), &serde_json::Value::Null));
    }

    #[test]
    fn whatever_the_wall_clock_does_times_run_forward_inside_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let config = MaskLogConfig { folder: folder.path().to_owned(), file_bytes: 1 << 20, budget_bytes: 1 << 30 };
        // A day ahead when the log begins, right from then on, which nobody asks any more.
        let mut walls = [1_700_086_400_000_000_000_u64, 1_700_000_000_000_000_000].into_iter().cycle();
        let clock = LogClock::new(|| walls.next().unwrap(), || 50);
        let mut writer = Writer::new(config, classes(), clock);
        for (frame, taken) in
            [(0, Some(100)), (1, Some(33_000_100)), (2, None), (3, Some(66_000_100)), (4, Some(60_000_000))]
        {
            let line = FrameLine { frame, timestamp_ns: taken, ..FrameLine::default() };
            let news = match taken {
                Some(_) => News::Frame(Arc::new(Published { line, ..published(frame) })),
                None => News::Lost(Arc::new(line)),
            };
            writer.step(Some(&news)).unwrap();
        }
        writer.file.take().unwrap().finish().unwrap();
        let bytes = std::fs::read(folder.path().join("masks-000001.mcap")).unwrap();
        let messages = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap);
        let lines = messages.filter(|message| message.channel.topic == FRAME_TOPIC);
        let start = 1_700_086_400_000_000_050;
        let times: Vec<u64> = lines.map(|line| line.log_time - start).collect();
        assert_eq!(times, [0, 33_000_000, 33_000_000, 66_000_000, 66_000_000]);
    }

    #[test]
    fn files_of_earlier_runs_are_kept_within_the_budget_and_a_torn_one_gets_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in
            [("masks-000003.mcap", 600_000), ("masks-000004.mcap", 600_000), ("masks-000005.mcap.partial", 10)]
        {
            std::fs::write(folder.path().join(name), vec![0; size]).unwrap();
        }
        std::fs::write(folder.path().join("mine.mcap"), vec![0; 4 << 20]).unwrap();
        log(folder.path(), 2 << 20, 0..1);
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["masks-000004.mcap", "masks-000005.mcap", "masks-000006.mcap", "mine.mcap"]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_before_the_first_frame() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let config = MaskLogConfig { folder: file, file_bytes: 1, budget_bytes: 1 };
        assert!(MaskLog::start(config, classes(), Full::Wait).is_err());
    }
}
