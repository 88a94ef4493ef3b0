//! The folder that a run writes, while it grows: whole masks, whole overlays, whole lines, whatever happens.
//!
//! ```text
//! OUT.partial/masks/000042.png      on the disk before its line is written
//! OUT.partial/frames.jsonl          on the disk once a second
//! OUT/                              the same, when the run has ended; also when it had to end early
//! OUT.interrupted/                  the same, when a run was killed and another one was started
//! ```
//! A disk that is full, or a budget that is used up, ends the writing and loses nothing of what is there.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use image::RgbImage;
use parallax_core::Error as CoreError;
use parallax_core::files::{AtomicFolder, Unfinished, is_occupied, png_bytes, sync_folder, write_bytes};
use parallax_core::labels::{Classes, LabelMap};
use parallax_core::picture::overlay_onto;
use parallax_core::recording::is_out_of_space;

use super::Overlays;
use crate::record::store::{free_bytes, megabytes};
use crate::{EdgeError, Result};

/// What stays free on the disk, and of a budget, for the lines on their way, `summary.json` and `run.toml`.
const RESERVE: u64 = 64 << 10;
/// Budgets below this hold few masks.
pub const LEAST_OUT_BUDGET: u64 = 1_000_000;

/// The folder.
#[derive(Debug)]
pub(super) struct OutFolder {
    folder: AtomicFolder,
    overlays: Overlays,
    budget: Option<u64>,
    bytes: AtomicU64,
    masks: AtomicUsize,
    /// Why nothing is written any more.
    over: OnceLock<EdgeError>,
}

impl OutFolder {
    pub(super) fn create(path: &Path, overlays: Overlays, budget: Option<u64>) -> Result<Self> {
        if is_occupied(path) {
            return Err(EdgeError::Occupied { path: path.to_path_buf() });
        }
        let folder = AtomicFolder::create_with(path, Unfinished::SetAside)?;
        if let Some(aside) = folder.set_aside() {
            tracing::warn!("what a run wrote that was killed is in {} now", aside.display());
        }
        let parts: &[&str] = if overlays == Overlays::Write { &["masks", "overlays"] } else { &["masks"] };
        for part in parts {
            let part = folder.partial().join(part);
            std::fs::create_dir(&part).map_err(CoreError::io("create", &part))?;
        }
        let (bytes, masks) = (AtomicU64::new(0), AtomicUsize::new(0));
        Ok(Self { folder, overlays, budget, bytes, masks, over: OnceLock::new() })
    }

    /// Where to write.
    pub(super) fn path(&self) -> &Path {
        self.folder.partial()
    }

    /// Whole masks in it.
    pub(super) fn masks(&self) -> usize {
        self.masks.load(Ordering::Relaxed)
    }

    /// Why nothing is written any more.
    pub(super) fn over(&self) -> Option<&EdgeError> {
        self.over.get()
    }

    /// The same, for its end.
    pub(super) fn take_over(&mut self) -> Option<EdgeError> {
        self.over.take()
    }

    /// From now on nothing is written any more; the first reason counts.
    pub(super) fn end(&self, why: EdgeError) {
        if self.over.set(why).is_ok()
            && let Some(why) = self.over()
        {
            tracing::error!("{why}");
            if let Some(hint) = why.hint() {
                tracing::info!("hint: {hint}");
            }
        }
    }

    /// Writes the mask of a frame, and the overlay over `picture`, which is used up. The mask's name, if it is there.
    pub(super) fn write(
        &self,
        stem: &str,
        mask: &LabelMap,
        classes: &Classes,
        picture: &mut RgbImage,
    ) -> Option<String> {
        if self.over().is_some() {
            return None;
        }
        let name = format!("masks/{stem}.png");
        let written = mask
            .to_png(classes)
            .map_err(|error| CoreError::picture(self.path().join(&name))(error).into())
            .and_then(|bytes| self.put(&name, &bytes));
        if let Err(error) = written {
            self.end(error);
            return None;
        }
        self.masks.fetch_add(1, Ordering::Relaxed);
        if self.overlays == Overlays::Write {
            overlay_onto(picture, mask, classes);
            let name = format!("overlays/{stem}.png");
            let written = png_bytes(&std::mem::take(picture).into())
                .map_err(|error| CoreError::picture(self.path().join(&name))(error).into())
                .and_then(|bytes| self.put(&name, &bytes));
            if let Err(error) = written {
                self.end(error);
            }
        }
        Some(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.take_room(bytes.len() as u64, RESERVE)?;
        Ok(write_bytes(&self.path().join(name), bytes)?)
    }

    /// Counts bytes that are about to be written.
    pub(super) fn take_room(&self, more: u64, reserve: u64) -> Result<()> {
        let full = |what| EdgeError::OutFull { what, path: self.path().to_path_buf() };
        let used = self.bytes.fetch_add(more, Ordering::Relaxed) + more;
        if let Some(budget) = self.budget.filter(|budget| used + reserve > *budget) {
            self.bytes.fetch_sub(more, Ordering::Relaxed);
            return Err(full(format!("the budget of {} is used up", megabytes(budget))));
        }
        let free = free_bytes(self.path())?;
        if free < more + reserve {
            return Err(full(format!("the disk has {} left", megabytes(free))));
        }
        Ok(())
    }

    /// Brings the names of the pictures to the disk; their bytes are there.
    pub(super) fn sync_names(&self) {
        sync_folder(&self.path().join("masks"));
        if self.overlays == Overlays::Write {
            sync_folder(&self.path().join("overlays"));
        }
        sync_folder(self.path());
    }

    /// Gives the folder its name; the reason why it ended early is left.
    pub(super) fn finish(self) -> Result<PathBuf> {
        self.sync_names();
        Ok(self.folder.finish()?)
    }
}

/// Whether there is no more room, and nothing else is wrong.
pub(super) fn is_full(error: &EdgeError) -> bool {
    match error {
        EdgeError::OutFull { .. } => true,
        EdgeError::Core(CoreError::Io { source, .. }) => is_out_of_space(source),
        _ => false,
    }
}
