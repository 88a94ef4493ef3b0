//! What is kept of the lines: a file of them, counts and percentiles.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use parallax_core::files::write_bytes;

use super::{DriveSummary, FrameLine};
use crate::Result;
use crate::stages::Measured;

/// Percentiles are over this many frames, the last ones: half an hour at 30 per second, and memory stays flat for days.
const MEASURED_FRAMES: usize = 54_000;

/// The lines of a run.
#[derive(Debug)]
pub(super) struct Log {
    /// `frames.jsonl` and its folder.
    file: Option<(BufWriter<File>, PathBuf)>,
    pub(super) frames: usize,
    pub(super) lost: usize,
    pub(super) not_finite: usize,
    pub(super) dropped: u64,
    pub(super) first_error: Option<String>,
    /// Stages and age of the last frames.
    pub(super) measured: Measured,
}

impl Log {
    pub(super) fn create(folder: Option<&Path>) -> Result<Self> {
        let create = |folder: &Path| {
            let path = folder.join("frames.jsonl");
            let file = File::create(&path).map_err(parallax_core::Error::io("create", &path))?;
            Ok::<_, crate::EdgeError>((BufWriter::new(file), folder.to_owned()))
        };
        Ok(Self {
            file: folder.map(create).transpose()?,
            frames: 0,
            lost: 0,
            not_finite: 0,
            dropped: 0,
            first_error: None,
            measured: Measured::new(MEASURED_FRAMES),
        })
    }

    pub(super) fn add(&mut self, line: &FrameLine) -> Result<()> {
        self.dropped += line.dropped;
        if let (Some(stages), Some(age_ms)) = (line.stages_ms, line.age_ms) {
            self.frames += 1;
            self.measured.push(stages, age_ms);
        } else {
            self.lost += 1;
            self.not_finite += usize::from(line.not_finite);
            self.first_error = self.first_error.take().or_else(|| line.error.clone());
        }
        let Some((file, folder)) = &mut self.file else { return Ok(()) };
        let written = serde_json::to_writer(&mut *file, line).map_err(std::io::Error::from);
        let written = written.and_then(|()| file.write_all(b"\n"));
        Ok(written.map_err(parallax_core::Error::io("write", folder.join("frames.jsonl")))?)
    }

    pub(super) fn finish(self, summary: &DriveSummary) -> Result<()> {
        let Some((mut file, folder)) = self.file else { return Ok(()) };
        let lines = folder.join("frames.jsonl");
        let written = file.flush().and_then(|()| file.get_ref().sync_all());
        written.map_err(parallax_core::Error::io("write", &lines))?;
        let summary = serde_json::to_vec_pretty(summary).map_err(std::io::Error::from);
        let path = folder.join("summary.json");
        write_bytes(&path, &summary.map_err(parallax_core::Error::io("write", &path))?)?;
        Ok(())
    }
}
