//! How a checkpoint gets into a run folder whole, whatever happens meanwhile.
//!
//! ```text
//! saving.partial/ ──(rename: the commit)──▶ saving/ ──(files moved one by one)──▶ the run folder
//! ```
//!
//! The files of a checkpoint must belong to the same step. Whoever opens the folder finishes the moves of a committed save
//! and throws away an uncommitted one. Every file and folder is synced before the next move relies on it, so that this holds
//! for a loss of power as well.
//!
//! While a run is trained its folder is locked: a second training is refused, and who only reads repairs nothing.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::PoisonError;

use parallax_core::files::FolderLock;

use super::run_folder::{SAMPLES, is_unfinished};
use super::{RunFolder, checksums, tensorboard};
use crate::Error;

/// Files that grow in place or are drawn anew: no part of a checkpoint.
const NOT_OF_A_CHECKPOINT: [&str; 2] = ["log.jsonl", "losses.png"];

impl RunFolder {
    /// Locks the folder for training; a folder that was just made is locked already, and hands its lock over.
    pub(super) fn lock(&self) -> Result<FolderLock, Error> {
        let at_start = self.at_start.lock().unwrap_or_else(PoisonError::into_inner).take();
        at_start.map_or_else(|| FolderLock::take(self.path()), |lock| Ok(Some(lock)))?.ok_or_else(|| self.in_training())
    }

    /// Locks the folder before training does, which takes the lock over.
    pub(super) fn lock_ahead(&self) -> Result<(), Error> {
        let lock = self.lock()?;
        *self.at_start.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
        Ok(())
    }

    /// Whether the lock of the start is still here.
    pub(super) fn is_locked_here(&self) -> bool {
        self.at_start.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Removes what a run writes before its first checkpoint, and the folder if there is nothing else in it. What cannot be
    /// removed stays.
    pub(super) fn discard(&self) {
        if self.path().join(SAVING).exists() {
            return;
        }
        for entry in std::fs::read_dir(self.path()).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if OF_A_RUN.contains(&name.as_ref())
                || name.starts_with(tensorboard::PREFIX)
                || is_unfinished(&entry.file_name())
            {
                let _ = std::fs::remove_file(path);
            } else if [SAVING_PARTIAL, BEST_PARTIAL].contains(&name.as_ref()) {
                let _ = discard(&path);
            } else if name == SAMPLES {
                let pictures = std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
                for picture in pictures.filter(|path| path.extension().is_some_and(|extension| extension == "png")) {
                    let _ = std::fs::remove_file(picture);
                }
                let _ = std::fs::remove_dir(path);
            }
        }
        let _ = std::fs::remove_dir(self.path());
    }

    /// The error of whoever comes second.
    pub(super) fn in_training(&self) -> Error {
        Error::Run {
            what: "another process is training this run".into(),
            path: self.path().to_path_buf(),
            hint: "wait for it, stop it, or choose another --out",
        }
    }

    /// Whether another process is training the run.
    pub(super) fn is_in_training(&self) -> Result<bool, Error> {
        Ok(FolderLock::take(self.path())?.is_none())
    }

    /// Finishes what a killed process has left undone, unless a living one is at it.
    pub(super) fn repair(&self) -> Result<(), Error> {
        match FolderLock::take(self.path())? {
            Some(_lock) => {
                finish_best(self.path())?;
                finish_save(self.path())
            }
            None => Ok(()),
        }
    }

    /// Writes the files of a checkpoint through `write`, which gets a folder to write them into, and puts them in place
    /// together.
    pub(super) fn save(&self, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        finish_save(self.path())?;
        let partial = self.path().join(SAVING_PARTIAL);
        std::fs::create_dir(&partial).map_err(Error::io("create", &partial))?;
        let written = write(&partial).and_then(|()| checksums::write(self.path(), &partial));
        if let Err(error) = written.and_then(|()| sync_folder(&partial, true)) {
            let _ = std::fs::remove_dir_all(&partial);
            return Err(error);
        }
        std::fs::rename(&partial, self.path().join(SAVING)).map_err(Error::io("rename", &partial))?;
        sync_folder(self.path(), false)?;
        finish_save(self.path())
    }

    /// Keeps the checkpoint that was just saved as `best/`, itself a run folder.
    pub(super) fn keep_as_best(&self) -> Result<(), Error> {
        finish_best(self.path())?;
        let (best, partial) = (self.best_path(), self.path().join(BEST_PARTIAL));
        std::fs::create_dir(&partial).map_err(Error::io("create", &partial))?;
        for entry in std::fs::read_dir(self.path()).map_err(Error::io("read", self.path()))? {
            let path = entry.map_err(Error::io("read", self.path()))?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_file() && is_of_a_checkpoint(name) {
                // These files are replaced and never rewritten, so a second name is a copy that costs nothing.
                let to = partial.join(name);
                std::fs::hard_link(&path, &to)
                    .or_else(|_| std::fs::copy(&path, &to).map(|_| ()))
                    .map_err(Error::io("copy", &path))?;
            }
        }
        sync_folder(&partial, true)?;
        if best.is_dir() {
            std::fs::rename(&best, self.path().join(BEST_REPLACED)).map_err(Error::io("rename", &best))?;
        }
        std::fs::rename(&partial, &best).map_err(Error::io("rename", &partial))?;
        sync_folder(self.path(), false)?;
        finish_best(self.path())
    }
}

/// What a run has before its first checkpoint, besides events and samples.
const OF_A_RUN: [&str; 5] = ["run.toml", "log.jsonl", "losses.png", "classes.toml", "location_prior.png"];

const SAVING_PARTIAL: &str = "saving.partial";
const SAVING: &str = "saving";
const BEST_PARTIAL: &str = "best.partial";
const BEST_REPLACED: &str = "best.replaced";

fn is_of_a_checkpoint(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    !NOT_OF_A_CHECKPOINT.contains(&name.as_ref())
        && !name.starts_with(tensorboard::PREFIX)
        && !name.ends_with(".partial")
}

fn finish_save(run: &Path) -> Result<(), Error> {
    discard(&run.join(SAVING_PARTIAL))?;
    let committed = run.join(SAVING);
    if !committed.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&committed).map_err(Error::io("read", &committed))? {
        let from = entry.map_err(Error::io("read", &committed))?.path();
        let to = run.join(from.file_name().unwrap_or_default());
        std::fs::rename(&from, &to).map_err(Error::io("move", &from))?;
    }
    sync_folder(run, false)?;
    std::fs::remove_dir(&committed).map_err(Error::io("remove", &committed))
}

/// A best checkpoint that was moved aside and not yet replaced comes back.
fn finish_best(run: &Path) -> Result<(), Error> {
    discard(&run.join(BEST_PARTIAL))?;
    let (best, replaced) = (run.join(super::run_folder::BEST), run.join(BEST_REPLACED));
    if replaced.is_dir() && !best.is_dir() {
        return std::fs::rename(&replaced, &best).map_err(Error::io("rename", &replaced));
    }
    discard(&replaced)
}

fn discard(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() { std::fs::remove_dir_all(folder).map_err(Error::io("remove", folder)) } else { Ok(()) }
}

/// Brings a folder's list of names to the disk, and with `content` its files before.
fn sync_folder(folder: &Path, content: bool) -> Result<(), Error> {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("write", path));
    if content {
        for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
            sync(&entry.map_err(Error::io("read", folder))?.path())?;
        }
    }
    sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_all(folder: &Path, text: &str) {
        for name in ["model.safetensors", "optimizer.bpk", "state.json"] {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    fn save(folder: &RunFolder, text: &str) {
        let written = folder.save(|target| {
            write_all(target, text);
            Ok(())
        });
        written.unwrap();
    }

    fn run(parent: &Path) -> RunFolder {
        let folder = RunFolder::create(&parent.join("run")).unwrap();
        std::fs::write(folder.description_path(), "").unwrap();
        save(&folder, "first");
        drop(folder.lock().unwrap());
        folder
    }

    fn contents(folder: &RunFolder) -> Vec<String> {
        [folder.weights_path(), folder.optimizer_path(), folder.state_path()]
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    }

    #[test]
    fn a_run_killed_while_it_writes_a_checkpoint_keeps_the_one_before() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        let partial = folder.path().join("saving.partial");
        std::fs::create_dir(&partial).unwrap();
        std::fs::write(partial.join("model.safetensors"), "half").unwrap();
        let folder = RunFolder::open(folder.path()).unwrap();
        assert_eq!(contents(&folder), ["first"; 3]);
        assert!(!partial.exists());
    }

    #[test]
    fn a_run_killed_while_it_moves_a_checkpoint_has_the_new_one_whole() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        let committed = folder.path().join("saving");
        std::fs::create_dir(&committed).unwrap();
        write_all(&committed, "second");
        checksums::write(folder.path(), &committed).unwrap();
        std::fs::rename(committed.join("model.safetensors"), folder.weights_path()).unwrap();
        let folder = RunFolder::open(folder.path()).unwrap();
        assert_eq!(contents(&folder), ["second"; 3]);
        assert!(!committed.exists());
    }

    #[test]
    fn a_failed_save_leaves_the_checkpoint_before_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        let failed = folder.save(|target| {
            std::fs::write(target.join("state.json"), "half").unwrap();
            Err(Error::io("write", target)(std::io::ErrorKind::StorageFull.into()))
        });
        assert!(failed.unwrap_err().hint().unwrap().contains("disk is full"));
        assert_eq!(contents(&folder), ["first"; 3]);
    }

    #[test]
    fn the_best_checkpoint_is_a_run_folder_that_later_saves_leave_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        std::fs::write(folder.log_path(), "grows").unwrap();
        folder.keep_as_best().unwrap();
        save(&folder, "second");
        let best = RunFolder::open(&folder.best_path()).unwrap();
        assert_eq!(contents(&best), ["first"; 3]);
        assert!(!best.log_path().exists());
        folder.keep_as_best().unwrap();
        assert_eq!(contents(&best), ["second"; 3]);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            7,
            "run.toml, three files, their hashes, the log, best/"
        );
    }

    #[test]
    fn a_best_checkpoint_that_a_kill_left_moved_aside_comes_back() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        folder.keep_as_best().unwrap();
        std::fs::rename(folder.best_path(), folder.path().join("best.replaced")).unwrap();
        std::fs::create_dir(folder.path().join("best.partial")).unwrap();
        RunFolder::open(folder.path()).unwrap();
        assert_eq!(contents(&RunFolder::open(&folder.best_path()).unwrap()), ["first"; 3]);
        assert!(!folder.path().join("best.partial").exists());
    }

    #[test]
    fn a_run_in_training_is_not_trained_twice_and_not_repaired_by_readers() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        let lock = folder.lock().unwrap();
        let partial = folder.path().join("saving.partial");
        std::fs::create_dir(&partial).unwrap();
        let error = RunFolder::open(folder.path()).unwrap().lock().unwrap_err();
        assert!(error.to_string().contains("another process is training"), "{error}");
        assert!(partial.exists());
        drop(lock);
        RunFolder::open(folder.path()).unwrap().lock().unwrap();
        assert!(!partial.exists());
    }
}
