//! From shots to stored frames: the gate, the value of what it lets through, and the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parallax_camera::{Description, Shot, Source};
use parallax_core::Error as CoreError;
use parallax_core::camera::Camera;
use parallax_core::frame::Timestamp;
use parallax_core::recording::{DurableHeader, Encoding, Eye, is_out_of_space};
use serde::Serialize;

use super::gate::{Decision, Gate, GateConfig, Kept, Refusal};
use super::note::{Clocks, FrameNote};
use super::store::{self, Entry, Evicted, LEAST_BUDGET, Store, StoreConfig, megabytes};
use super::value::{Places, value};
use crate::{EdgeError, Result};

/// Width that frames are measured at when nothing was said: that of most published training.
const WIDEST: u32 = 640;
/// Frames of a snippet that holds one target of video training: it and its two partners.
const TARGET_AND_PARTNERS: usize = 3;

/// What to record, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordConfig {
    /// The folder.
    pub out: PathBuf,
    /// Which frames.
    pub choice: Choice,
    /// Width and height that training will have; the frames' own, at most 640 wide, when nothing was said.
    pub size: Option<(u32, u32)>,
    /// The left (or only) and the right camera, where they go before what the source says.
    pub cameras: [Option<Camera>; 2],
    /// Bytes that the folder may take.
    pub budget: Option<u64>,
    /// Bytes that stay free on its disk.
    pub keep_free: u64,
    /// A file ends after this time …
    pub roll_time: Duration,
    /// … or at this size.
    pub roll_bytes: u64,
    /// How pictures are stored that are no JPEGs yet.
    pub encoding: Encoding,
}

impl RecordConfig {
    /// The frames that teach depth, in files of five minutes or 500 MB, pictures as good JPEGs, 200 MB left on the disk.
    pub fn of(out: &Path) -> Self {
        Self {
            out: out.to_path_buf(),
            choice: Choice::Gate,
            size: None,
            cameras: [None, None],
            budget: None,
            keep_free: 200_000_000,
            roll_time: Duration::from_secs(300),
            roll_bytes: 500_000_000,
            encoding: Encoding::Jpeg(95),
        }
    }
}

/// Which frames are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Those that teach depth.
    Gate,
    /// All.
    All,
}

/// What is known of a source before its first frame.
#[derive(Debug, Clone, Default)]
pub struct SourceFacts {
    /// Width and height of its frames.
    pub size: (u32, u32),
    /// What a live source turned out to be; none for a recording, which keeps its own time.
    pub live: Option<Description>,
    /// The name of a recording.
    pub name: String,
    /// Its cameras, where it says which.
    pub cameras: [Option<Camera>; 2],
}

impl SourceFacts {
    /// Asks a source.
    pub fn of(source: &Source, uri: &str) -> Self {
        Self {
            size: source.size(),
            live: source.description(),
            name: uri.to_owned(),
            cameras: [Eye::Left, Eye::Right].map(|eye| source.camera_of(eye).cloned()),
        }
    }
}

/// How far a recording has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Frames looked at.
    pub seen: u64,
    /// Frames in files, whether or not they were thrown away later; while it goes on also those on their way there.
    pub kept: u64,
    /// Snippets they form.
    pub snippets: u64,
    /// Frames that were to be kept, and that the disk had no room for.
    pub unwritten: u64,
    /// Frames not kept, by reason; those that are still waited with are in none.
    pub refused: BTreeMap<Refusal, u64>,
    /// Bytes in the folder.
    pub bytes: u64,
    /// What was thrown away for something better.
    pub evicted: Evicted,
}

/// A whole recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RecordSummary {
    /// The folder.
    pub out: PathBuf,
    /// Its files, those of earlier runs too.
    pub files: Vec<PathBuf>,
    /// Frames, reasons and bytes.
    #[serde(flatten)]
    pub progress: Progress,
    /// Files of an earlier run that were made whole.
    pub recovered: Vec<String>,
    /// Files that nothing could be read from, under the names that they have now.
    pub damaged: Vec<PathBuf>,
    /// Why it stopped before it was told to: there was no room for more.
    pub stopped: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
}

/// A recording in the making.
pub struct Session {
    config: RecordConfig,
    facts: SourceFacts,
    clocks: Clocks,
    /// Made with the first frame, which says whether the source is stereo.
    gate: Option<Gate>,
    places: Places,
    store: Store,
    progress: Progress,
    last: Option<Timestamp>,
    last_snippet: Option<u64>,
    stopped: Option<String>,
    start: Instant,
}

impl Session {
    /// Opens the folder, and makes whole what an earlier run left torn.
    ///
    /// # Errors
    /// A camera does not fit the frames, a limit makes no sense, or the folder cannot be used.
    pub fn start(config: RecordConfig, mut facts: SourceFacts) -> Result<Self> {
        for (camera, given) in facts.cameras.iter_mut().zip(&config.cameras) {
            *camera = given.clone().or(camera.take());
            let (width, height) = facts.size;
            if let Some(other) = camera.as_ref().filter(|camera| (camera.width, camera.height) != facts.size) {
                let found = format!("{}x{}", other.width, other.height);
                let what = format!("the camera file must be that of {width}x{height} frames, found one of {found}");
                return Err(CoreError::Camera { what, path: None }.into());
            }
        }
        if let Some(budget) = config.budget.filter(|budget| *budget < LEAST_BUDGET) {
            let (budget, least) = (megabytes(budget), megabytes(LEAST_BUDGET));
            let what = format!("a budget of {budget} is too small: the least is {least}");
            return Err(EdgeError::NoRoom { what, path: config.out });
        }
        let clocks = if facts.live.is_some() { Clocks::live() } else { Clocks::Recorded };
        let header = DurableHeader { cameras: facts.cameras.clone(), about: about(&config, &facts, clocks) };
        let store = StoreConfig {
            folder: config.out.clone(),
            budget: config.budget,
            keep_free: config.keep_free,
            roll_time: config.roll_time,
            roll_bytes: config.roll_bytes,
            encoding: config.encoding,
            source: Source::recorded_path(&facts.name),
        };
        let store = Store::open(store, header)?;
        Ok(Self {
            config,
            facts,
            clocks,
            gate: None,
            places: Places::default(),
            store,
            progress: Progress::default(),
            last: None,
            last_snippet: None,
            stopped: None,
            start: Instant::now(),
        })
    }

    /// Looks at a shot and stores what is decided; after [`Session::stopped`] does nothing.
    ///
    /// # Errors
    /// What cannot be written for another reason than a lack of room.
    pub fn take(&mut self, shot: &Shot) -> Result<()> {
        if self.stopped.is_some() {
            return Ok(());
        }
        self.progress.seen += 1;
        let done = if self.last.replace(shot.left.timestamp).is_some_and(|last| last >= shot.left.timestamp) {
            self.refuse(&[Refusal::Duplicate]);
            Ok(())
        } else if self.config.choice == Choice::All {
            self.store_frame(shot.clone(), FrameNote { value: 1.0, ..FrameNote::default() }, false)
        } else {
            let size = self.config.size.unwrap_or_else(|| own_size(self.facts.size));
            let gate = self.gate.get_or_insert_with(|| {
                let least_frames = if shot.right.is_some() { 1 } else { TARGET_AND_PARTNERS };
                Gate::new(GateConfig { size, camera: self.facts.cameras[0].clone(), least_frames })
            });
            let decision = gate.offer(shot);
            self.settle(decision)
        };
        done.and_then(|()| self.end_full_file()).and_then(|()| self.store.tick()).or_else(|error| self.stop(error))
    }

    /// For the times without frames: what waits in memory goes to the disk.
    ///
    /// # Errors
    /// As [`Session::take`].
    pub fn idle(&mut self) -> Result<()> {
        self.store.tick().or_else(|error| self.stop(error))
    }

    /// The source was lost: what comes next are no partners of what came before.
    ///
    /// # Errors
    /// As [`Session::take`].
    pub fn cut(&mut self) -> Result<()> {
        let Some(gate) = &mut self.gate else { return Ok(()) };
        let decision = gate.cut();
        self.settle(decision).or_else(|error| self.stop(error))
    }

    /// Why nothing is stored any more.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let store::Kept { frames, snippets, unwritten } = self.store.kept();
        Progress {
            kept: frames,
            snippets,
            unwritten,
            bytes: self.store.bytes(),
            evicted: self.store.evicted,
            ..self.progress.clone()
        }
    }

    /// Ends the last file.
    ///
    /// # Errors
    /// It cannot be written for another reason than a lack of room.
    pub fn finish(mut self) -> Result<RecordSummary> {
        if self.stopped.is_none() {
            self.cut()?;
            let ended = self.store.end_file();
            ended.or_else(|error| self.stop(error))?;
        }
        let files = self.store.files().iter().map(|file| self.config.out.join(&file.name)).collect();
        let progress = self.progress();
        // The end of a file may cost its last frames.
        let short = (progress.unwritten > 0).then(|| "the disk had no room for the last frames".to_owned());
        Ok(RecordSummary {
            files,
            progress,
            recovered: self.store.recovered,
            damaged: self.store.damaged,
            stopped: self.stopped.or(short),
            seconds: self.start.elapsed().as_secs_f64(),
            out: self.config.out,
        })
    }

    fn end_full_file(&mut self) -> Result<()> {
        if !self.store.is_file_full() {
            return Ok(());
        }
        let decision = self.gate.as_mut().map(Gate::cut);
        decision.map_or(Ok(()), |decision| self.settle(decision))?;
        self.store.end_file()
    }

    fn settle(&mut self, decision: Decision) -> Result<()> {
        self.refuse(&decision.refused);
        for kept in decision.kept {
            let Kept { shot, snippet, parallax_px, sharpness, sight } = kept;
            let novelty = self.places.novelty(&sight.gray);
            let note = FrameNote {
                snippet,
                parallax_px: parallax_px.map(rounded),
                sharpness: Some(rounded(sharpness)),
                novelty: Some(rounded(novelty)),
                value: rounded(value(parallax_px, shot.right.is_some(), sharpness, novelty)),
                ..FrameNote::default()
            };
            let begins = self.store.is_between_files() || self.last_snippet != Some(snippet);
            self.last_snippet = Some(snippet);
            self.store_frame(shot, note, begins)?;
        }
        Ok(())
    }

    fn store_frame(&mut self, mut shot: Shot, mut note: FrameNote, begins: bool) -> Result<()> {
        note.sequence = shot.left.sequence;
        (note.device_ns, note.wall_ns) = self.clocks.move_stamps(&mut shot);
        self.store.add(&Entry { shot: &shot, note: &note, begins })
    }

    fn refuse(&mut self, refusals: &[Refusal]) {
        for refusal in refusals {
            *self.progress.refused.entry(*refusal).or_default() += 1;
        }
    }

    /// A lack of room ends the recording with a whole file; anything else is an error.
    fn stop(&mut self, error: EdgeError) -> Result<()> {
        let full = match &error {
            EdgeError::NoRoom { .. } => true,
            EdgeError::Core(CoreError::Io { source, .. }) => is_out_of_space(source),
            _ => false,
        };
        if !full {
            return Err(error);
        }
        self.store.abandon()?;
        self.stopped = Some(error.to_string());
        Ok(())
    }
}

/// To a thousandth: more digits would only take room.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn own_size((width, height): (u32, u32)) -> (u32, u32) {
    let small = width.min(WIDEST);
    (small, (u64::from(height) * u64::from(small) / u64::from(width.max(1))).max(1) as u32)
}

/// What a recording says about how it came to be.
fn about(config: &RecordConfig, facts: &SourceFacts, clocks: Clocks) -> BTreeMap<String, String> {
    let (width, height) = config.size.unwrap_or_else(|| own_size(facts.size));
    let gate = match config.choice {
        Choice::Gate => format!("frames that teach depth, measured at {width}x{height}"),
        Choice::All => "all frames".to_owned(),
    };
    let mut about = BTreeMap::from([("source".to_owned(), facts.name.clone()), ("choice".to_owned(), gate)]);
    // The device with the controls that were read back, as JSON.
    if let Some(device) = facts.live.as_ref().and_then(|device| serde_json::to_string(device).ok()) {
        about.insert("device".to_owned(), device);
    }
    if let Clocks::Live { wall_minus_device } = clocks {
        about.insert("wall_minus_device_ns".to_owned(), wall_minus_device.to_string());
    }
    about
}
