//! A folder of recordings that keeps within its budget and leaves the disk its reserve.
//!
//! ```text
//! OUT/000007.mcap            whole files, of a few minutes each
//! OUT/000008.mcap.partial    the one being written: whole chunks; made whole at the next start if the program dies
//! OUT/recorder.json          what each file is worth
//! ```
//!
//! Before a chunk is written its bytes are known, and those of the file's end with it. Where they do not fit, the file with
//! the least value per byte goes first, however new or old it is; the one being written is not judged until it is finished.
//! What no recorder has written, and what is being recorded from, neither counts nor goes (`contents`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parallax_core::files::{FolderLock, read_text, set_aside, write_bytes};
use parallax_core::recording::{
    DurableHeader, DurableWriter, Encoding, Eye, Recording, is_out_of_space, unfinished_path,
};
use serde::{Deserialize, Serialize};

use super::contents::{stored, survey};
use super::note::FrameNote;
use crate::{EdgeError, Result};
use parallax_camera::Shot;
use parallax_core::Error as CoreError;

/// How long a frame waits in memory at most: what a crash may cost.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// Bytes that wait in memory at most.
const MOST_WAITING: u64 = 1 << 20;
/// A file takes no more than this part of the budget, so that there is always something to weigh.
const PARTS: u64 = 8;
/// Budgets below this hold no few files of some seconds.
pub const LEAST_BUDGET: u64 = 8_000_000;
const INDEX: &str = "recorder.json";

/// Limits of the folder.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreConfig {
    /// The folder.
    pub folder: PathBuf,
    /// Bytes that all files of recorders in it may take together.
    pub budget: Option<u64>,
    /// Bytes that stay free on its disk.
    pub keep_free: u64,
    /// A file ends after this time …
    pub roll_time: Duration,
    /// … or at this size, whichever comes first.
    pub roll_bytes: u64,
    /// How pictures are stored that are no JPEGs yet.
    pub encoding: Encoding,
    /// What is recorded from: never removed.
    pub source: Option<PathBuf>,
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Left frames in it.
    pub frames: u64,
    /// The sum of their values.
    pub value: f64,
}

impl StoredFile {
    fn density(&self) -> f64 {
        self.value / self.bytes.max(1) as f64
    }
}

/// What was thrown away for something better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Evicted {
    /// Files.
    pub files: u64,
    /// Frames in them.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What has come into files since the store was opened, whether or not it was thrown away later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Left frames.
    pub frames: u64,
    /// Snippets.
    pub snippets: u64,
    /// Left frames that were to be kept, and that the disk had no room for.
    pub unwritten: u64,
}

/// What `recorder.json` holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    schema: u32,
    files: Vec<StoredFile>,
}

/// The folder.
pub struct Store {
    config: StoreConfig,
    header: DurableHeader,
    files: Vec<StoredFile>,
    open: Option<Open>,
    index_bytes: u64,
    next_number: u64,
    ended: Kept,
    /// What was thrown away so far.
    pub evicted: Evicted,
    /// Files of an earlier run that were made whole.
    pub recovered: Vec<String>,
    /// Files that nothing could be read from, under the names that they have now.
    pub damaged: Vec<PathBuf>,
    _lock: FolderLock,
}

/// The file being written.
struct Open {
    writer: DurableWriter,
    name: String,
    started: Instant,
    flushed: Instant,
    value: f64,
    snippets: u64,
}

/// What was to be in a file.
struct Meant {
    frames: u64,
    snippets: u64,
    value: f64,
}

/// A frame to store.
#[derive(Debug)]
pub struct Entry<'a> {
    /// What the camera saw.
    pub shot: &'a Shot,
    /// What is noted of it.
    pub note: &'a FrameNote,
    /// Whether it begins a snippet.
    pub begins: bool,
}

impl Store {
    /// Opens the folder, makes whole what an earlier run left torn, and counts what is there.
    ///
    /// # Errors
    /// The folder cannot be made or read, another program records into it, or what is in it is more than the budget and not
    /// all ours to throw away.
    pub fn open(config: StoreConfig, header: DurableHeader) -> Result<Self> {
        let folder = &config.folder;
        std::fs::create_dir_all(folder).map_err(CoreError::io("create", folder))?;
        let lock = FolderLock::take(folder)?.ok_or_else(|| CoreError::InUse { path: folder.clone() })?;
        let source = config.source.as_deref().and_then(|source| source.canonicalize().ok());
        let contents = survey(folder, &read_index(folder)?)?;
        let mut store = Self {
            config: StoreConfig { source, ..config },
            header,
            files: contents.files,
            open: None,
            index_bytes: 0,
            next_number: contents.next_number,
            ended: Kept::default(),
            evicted: Evicted::default(),
            recovered: contents.recovered,
            damaged: contents.damaged,
            _lock: lock,
        };
        store.make_room(0)?;
        store.write_index()?;
        Ok(store)
    }

    /// The whole files.
    pub fn files(&self) -> &[StoredFile] {
        &self.files
    }

    /// What has come into files so far; of the one being written what it will hold if nothing happens.
    pub fn kept(&self) -> Kept {
        let (frames, snippets) = self.open.as_ref().map_or((0, 0), |open| (open.writer.frames(), open.snippets));
        Kept { frames: self.ended.frames + frames, snippets: self.ended.snippets + snippets, ..self.ended }
    }

    /// Bytes of the recorder's files in the folder.
    pub fn bytes(&self) -> u64 {
        let open = self.open.as_ref().map_or(0, |open| open.writer.bytes());
        open + self.files.iter().map(|file| file.bytes).sum::<u64>() + self.index_bytes
    }

    /// Whether the next frame starts a file.
    pub fn is_between_files(&self) -> bool {
        self.open.is_none()
    }

    /// Takes a frame; it is on the disk within a quarter of a second, if [`Store::tick`] is called as often.
    ///
    /// # Errors
    /// [`EdgeError::NoRoom`] when there is no room and nothing to throw away, otherwise why it cannot be written. What was
    /// flushed before is whole after either.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        if self.open.is_none() {
            let name = self.free_name();
            let writer = DurableWriter::create(&self.config.folder.join(&name), self.header.clone());
            self.ended.unwritten += u64::from(writer.is_err());
            let writer = writer?;
            let now = Instant::now();
            self.open = Some(Open { writer, name, started: now, flushed: now, value: 0.0, snippets: 0 });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let Entry { shot, note, begins } = entry;
        let timestamp = shot.left.timestamp;
        if *begins {
            open.writer.begin_snippet(timestamp, &BTreeMap::from([("snippet", note.snippet)]))?;
            open.snippets += 1;
        }
        open.writer.write_frame(Eye::Left, &shot.left, self.config.encoding)?;
        if let Some(right) = &shot.right {
            open.writer.write_frame(Eye::Right, right, self.config.encoding)?;
        }
        open.writer.write_note(timestamp, note)?;
        open.value += note.value;
        if open.writer.bytes_when_finished() > open.writer.bytes() + MOST_WAITING {
            self.flush()?;
        }
        Ok(())
    }

    /// Whether the file being written is long enough.
    pub fn is_file_full(&self) -> bool {
        let most = self.config.budget.map_or(u64::MAX, |budget| budget / PARTS).min(self.config.roll_bytes);
        self.open.as_ref().is_some_and(|open| {
            open.started.elapsed() >= self.config.roll_time || open.writer.bytes_when_finished() >= most
        })
    }

    /// Flushes what has waited long enough.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn tick(&mut self) -> Result<()> {
        match &self.open {
            Some(open) if open.flushed.elapsed() >= LONGEST_WAIT => self.flush(),
            _ => Ok(()),
        }
    }

    /// Ends the file being written, if there is one.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn end_file(&mut self) -> Result<()> {
        self.flush()?;
        let Some(open) = self.open.take() else { return Ok(()) };
        let Open { writer, name, value, snippets, .. } = open;
        let meant = Meant { frames: writer.frames(), snippets, value };
        let ended = writer.finish().map_err(EdgeError::from)?;
        self.count(name, meant, ended.as_deref())
    }

    /// Ends the file being written without what is not flushed: after an error of [`Store::add`] or [`Store::tick`].
    ///
    /// # Errors
    /// The file cannot be made whole.
    pub fn abandon(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let Open { writer, name, value, snippets, .. } = open;
        let meant = Meant { frames: writer.frames(), snippets, value };
        let made = writer.abandon()?;
        self.count(name, meant, made.as_deref())
    }

    /// A name that nobody has taken, also not since the folder was looked at.
    fn free_name(&mut self) -> String {
        loop {
            let name = format!("{:06}.mcap", self.next_number);
            self.next_number += 1;
            let path = self.config.folder.join(&name);
            if path.symlink_metadata().is_err() && unfinished_path(&path).symlink_metadata().is_err() {
                return name;
            }
        }
    }

    /// A file has been finished: it is counted from now on, as what it holds. On a full disk that may be less than was
    /// written.
    fn count(&mut self, name: String, meant: Meant, path: Option<&Path>) -> Result<()> {
        let Some(path) = path else {
            self.ended.unwritten += meant.frames;
            return Ok(());
        };
        let bytes = std::fs::metadata(path).map_err(CoreError::io("read", path))?.len();
        let recording = Recording::open(path)?;
        let frames = recording.len() as u64;
        let is_whole = frames == meant.frames;
        let (value, snippets) = if is_whole {
            (meant.value, meant.snippets)
        } else {
            let last = recording.len().checked_sub(1).map_or(0, |last| recording.stretch(last) as u64 + 1);
            (stored(&self.config.folder, &name, &[])?.value, meant.snippets.min(last))
        };
        self.ended.frames += frames;
        self.ended.snippets += snippets;
        self.ended.unwritten += meant.frames.saturating_sub(frames);
        self.files.push(StoredFile { name, bytes, frames, value });
        // A full disk has no room for a new index; the old one stays, and the file is looked at again at the next start.
        match self.write_index() {
            Err(EdgeError::Core(CoreError::Io { source, .. })) if is_out_of_space(&source) => Ok(()),
            other => other,
        }
    }

    fn flush(&mut self) -> Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        if !open.writer.is_dirty() {
            return Ok(());
        }
        let more = open.writer.bytes_when_finished() - open.writer.bytes();
        self.make_room(more)?;
        let Some(open) = &mut self.open else { return Ok(()) };
        open.flushed = Instant::now();
        Ok(open.writer.flush()?)
    }

    /// Throws away what is worth least until `more` bytes fit.
    fn make_room(&mut self, more: u64) -> Result<()> {
        loop {
            let Some(what) = self.shortage(more)? else { return Ok(()) };
            // Only a budget says that files may go: without one a full disk ends the recording.
            let may_go = (0..self.files.len()).filter(|at| !self.is_source(&self.files[*at].name));
            let least = may_go.min_by(|a, b| self.files[*a].density().total_cmp(&self.files[*b].density()));
            let Some(least) = least.filter(|_| self.config.budget.is_some()) else {
                return Err(EdgeError::NoRoom { what, path: self.config.folder.clone() });
            };
            let file = self.files.remove(least);
            let path = self.config.folder.join(&file.name);
            std::fs::remove_file(&path).map_err(CoreError::io("remove", &path))?;
            self.evicted.files += 1;
            self.evicted.frames += file.frames;
            self.evicted.bytes += file.bytes;
        }
    }

    /// Whether this is what is being recorded from, or lies in it.
    fn is_source(&self, name: &str) -> bool {
        let Some(source) = &self.config.source else { return false };
        // A torn file that is recorded from was just given its name.
        let is = |path: PathBuf| path.starts_with(source) || unfinished_path(&path) == *source;
        self.config.folder.join(name).canonicalize().is_ok_and(is)
    }

    /// What is short for `more` bytes and an index of one more file; none where they fit.
    fn shortage(&self, more: u64) -> Result<Option<String>> {
        // Twice: a new index is written beside the old one.
        let index = 2 * index_bytes(&self.files) + 512;
        let wanted = self.bytes() - self.index_bytes + index + more;
        if let Some(budget) = self.config.budget.filter(|budget| wanted > *budget) {
            return Ok(Some(format!("the budget of {} is used up", megabytes(budget))));
        }
        let free = free_bytes(&self.config.folder)?;
        if self.config.keep_free > 0 && free < self.config.keep_free + more {
            let (free, keep) = (megabytes(free), megabytes(self.config.keep_free));
            return Ok(Some(format!("the disk has {free} left, and {keep} are to stay free")));
        }
        Ok(None)
    }

    fn write_index(&mut self) -> Result<()> {
        let text = index_text(&self.files);
        write_bytes(&self.config.folder.join(INDEX), &text)?;
        self.index_bytes = text.len() as u64;
        Ok(())
    }
}

fn index_text(files: &[StoredFile]) -> Vec<u8> {
    let index = Index { schema: 1, files: files.to_vec() };
    serde_json::to_vec_pretty(&index).unwrap_or_default()
}

fn index_bytes(files: &[StoredFile]) -> u64 {
    index_text(files).len() as u64
}

/// For people: `12.3 MB`.
pub fn megabytes(bytes: u64) -> String {
    if bytes >= 1_000_000_000 {
        format!("{:.2} GB", bytes as f64 / 1e9)
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}

/// Bytes that the disk of a folder has left for us.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = nix::sys::statvfs::statvfs(folder)
        .map_err(|error| CoreError::io("ask for the free space of", folder)(error.into()))?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// The index of an earlier run. One that cannot be read is as good as none, because the files say the same; it may be
/// somebody else's file of that name, and is kept under another.
fn read_index(folder: &Path) -> Result<Vec<StoredFile>> {
    let path = folder.join(INDEX);
    let read = read_text(&path);
    if let Err(CoreError::Io { source, .. }) = &read
        && source.kind() == std::io::ErrorKind::NotFound
    {
        return Ok(Vec::new());
    }
    let index = read.ok().and_then(|text| serde_json::from_str::<Index>(&text).ok());
    if let Some(index) = index.filter(|index| index.schema == 1) {
        return Ok(index.files);
    }
    let aside = set_aside(&path, &path, "damaged")?;
    tracing::warn!("{} is no index of a recorder: it is called {} from now on", path.display(), aside.display());
    Ok(Vec::new())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
