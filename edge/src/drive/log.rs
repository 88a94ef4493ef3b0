//! What is kept of the lines: a file of them, counts and percentiles.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use parallax_core::Error as CoreError;
use parallax_core::files::write_bytes;

use super::out::OutFolder;
use super::{DriveSummary, FrameLine};
use crate::Result;
use crate::stages::Measured;

/// Percentiles are over this many frames, the last ones: half an hour at 30 per second, and memory stays flat for days.
const MEASURED_FRAMES: usize = 54_000;

/// How often lines go to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The lines of a run.
#[derive(Debug)]
pub(super) struct Log {
    /// `frames.jsonl`.
    file: Option<LineFile>,
    pub(super) frames: usize,
    pub(super) lost: usize,
    pub(super) not_finite: usize,
    pub(super) dropped: u64,
    pub(super) first_error: Option<String>,
    /// Stages and age of the last frames.
    pub(super) measured: Measured,
}

impl Log {
    pub(super) fn create(out: Option<&OutFolder>) -> Result<Self> {
        Ok(Self {
            file: out.map(LineFile::create).transpose()?,
            frames: 0,
            lost: 0,
            not_finite: 0,
            dropped: 0,
            first_error: None,
            measured: Measured::new(MEASURED_FRAMES),
        })
    }

    /// Counts a line and writes it, where there is a folder that takes it.
    pub(super) fn add(&mut self, line: &FrameLine, out: Option<&OutFolder>) {
        self.dropped += line.dropped;
        if let (Some(stages), Some(age_ms)) = (line.stages_ms, line.age_ms) {
            self.frames += 1;
            self.measured.push(stages, age_ms);
        } else {
            self.lost += 1;
            self.not_finite += usize::from(line.not_finite);
            self.first_error = self.first_error.take().or_else(|| line.error.clone());
        }
        if let (Some(file), Some(out)) = (&mut self.file, out) {
            // Once it is over there are lines left of masks that were written before.
            let is_wanted = line.mask.is_some() || out.over().is_none();
            if is_wanted && let Err(error) = file.add(line, out) {
                out.end(error);
                self.file = None;
            }
        }
    }

    /// Everything onto the disk.
    pub(super) fn finish(&mut self, out: &OutFolder) {
        if let Some(file) = self.file.take()
            && let Err(error) = file.file.sync_all()
        {
            out.end(CoreError::io("write", &file.path)(error).into());
        }
    }
}

/// `summary.json`.
///
/// # Errors
/// It cannot be written.
pub(super) fn write_summary(summary: &DriveSummary, out: &OutFolder) -> Result<()> {
    let path = out.path().join("summary.json");
    let summary = serde_json::to_vec_pretty(summary).map_err(std::io::Error::from);
    Ok(write_bytes(&path, &summary.map_err(CoreError::io("write", &path))?)?)
}

/// `frames.jsonl`: whole lines only.
#[derive(Debug)]
struct LineFile {
    file: File,
    path: PathBuf,
    /// One line, in memory that is used again.
    line: Vec<u8>,
    /// Bytes of whole lines in the file.
    length: u64,
    synced: Instant,
}

impl LineFile {
    fn create(out: &OutFolder) -> Result<Self> {
        let path = out.path().join("frames.jsonl");
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(CoreError::io("create", &path))?;
        Ok(Self { file, path, line: Vec::new(), length: 0, synced: Instant::now() })
    }

    fn add(&mut self, line: &FrameLine, out: &OutFolder) -> Result<()> {
        self.line.clear();
        let io = |error| CoreError::io("write", &self.path)(error);
        serde_json::to_writer(&mut self.line, line).map_err(|error| io(error.into()))?;
        self.line.push(b'\n');
        out.take_room(self.line.len() as u64, 0)?;
        if let Err(error) = self.file.write_all(&self.line) {
            // Half a line is none.
            let _ = self.file.set_len(self.length);
            return Err(io(error).into());
        }
        self.length += self.line.len() as u64;
        if self.synced.elapsed() >= SYNC_EVERY {
            self.synced = Instant::now();
            self.file.sync_data().map_err(io)?;
            out.sync_names();
        }
        Ok(())
    }
}
