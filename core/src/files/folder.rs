//! A folder that gets its final name only when everything in it is written.
//!
//! ```text
//! NAME.partial/.parallax-unfinished    says that the folder is ours; locked while someone writes
//! NAME.partial/…                       what is written
//! NAME/…                               the same, whole: the mark is gone
//! ```
//!
//! Somebody else's `NAME.partial` stays as it is; the folder is called `NAME.2.partial` then until it is whole.

use super::lock::FolderLock;
use super::partial::numbered;
use super::{set_aside, sync_parent};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The file that says whose an unfinished folder is.
const MARK: &str = ".parallax-unfinished";
const MARK_TEXT: &str = "This folder is being written by a program of Parallax, or was when that program was killed.\n";
const ENDING: &str = "partial";
/// Names to try: so many folders of one name are nobody's intention.
const NAMES: u32 = 100;

/// What becomes of the unfinished folder that a killed program has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// It is of no use and is removed.
    Remove,
    /// What is in it is whole by itself: it is called `NAME.interrupted` from now on.
    SetAside,
}

/// A folder that gets its final name only when everything in it is written.
#[derive(Debug)]
pub struct AtomicFolder {
    path: PathBuf,
    partial: PathBuf,
    set_aside: Option<PathBuf>,
    finished: bool,
    _lock: FolderLock,
}

impl AtomicFolder {
    /// Starts a folder that will be called `path`. What an earlier, interrupted attempt of ours left behind is removed.
    ///
    /// # Errors
    /// [`Error::Io`] with `AlreadyExists` when `path` exists and is not an empty folder, [`Error::InUse`] while another
    /// program writes it, or any other failure to create it.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_with(path, Unfinished::Remove)
    }

    /// As [`AtomicFolder::create`], and says what becomes of what an interrupted attempt has left.
    ///
    /// # Errors
    /// As [`AtomicFolder::create`].
    pub fn create_with(path: &Path, unfinished: Unfinished) -> Result<Self> {
        if is_occupied(path) {
            return Err(Error::io("create", path)(std::io::ErrorKind::AlreadyExists.into()));
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let mut set_aside = None;
        for number in 1..=NAMES {
            let partial = numbered(path, number, ENDING);
            if is_marked(&partial) {
                let left = clear(&partial, path, unfinished)?;
                set_aside = set_aside.or(left);
            }
            match std::fs::create_dir(&partial) {
                Ok(()) => return Self::begin(path, partial, set_aside),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &partial)(error)),
            }
        }
        Err(Error::io("create", path)(std::io::ErrorKind::AlreadyExists.into()))
    }

    fn begin(path: &Path, partial: PathBuf, set_aside: Option<PathBuf>) -> Result<Self> {
        let lock = FolderLock::take(&partial)?.ok_or_else(|| Error::InUse { path: path.to_path_buf() })?;
        // From here on it is removed where something fails.
        let folder = Self { path: path.to_path_buf(), partial, set_aside, finished: false, _lock: lock };
        let mark = folder.partial.join(MARK);
        std::fs::write(&mark, MARK_TEXT).map_err(Error::io("write", &mark))?;
        Ok(folder)
    }

    /// Where to write until [`AtomicFolder::finish`].
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Where that is now which a killed program had left.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// Gives the folder its final name.
    ///
    /// # Errors
    /// The folder cannot be renamed; what was written stays under its partial name then.
    pub fn finish(mut self) -> Result<PathBuf> {
        self.finished = true;
        let mark = self.partial.join(MARK);
        std::fs::remove_file(&mark).map_err(Error::io("remove", &mark))?;
        // An empty folder of that name is replaced; one with something in it is an error.
        std::fs::rename(&self.partial, &self.path)
            .map_err(Error::io("give its final name to what was written in", &self.partial))?;
        sync_parent(&self.path);
        Ok(self.path.clone())
    }
}

impl Drop for AtomicFolder {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_dir_all(&self.partial);
        }
    }
}

/// Whether there is something at `path` that is not an empty folder.
pub fn is_occupied(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

fn is_marked(partial: &Path) -> bool {
    let is = |path: &Path| path.symlink_metadata().ok();
    is(partial).is_some_and(|it| it.is_dir()) && is(&partial.join(MARK)).is_some_and(|it| it.is_file())
}

/// Makes way for a new folder, unless the old one is being written.
fn clear(partial: &Path, path: &Path, unfinished: Unfinished) -> Result<Option<PathBuf>> {
    let Some(_lock) = FolderLock::take(partial)? else { return Err(Error::InUse { path: path.to_path_buf() }) };
    // It may have been finished before it was locked.
    if !is_marked(partial) {
        return Ok(None);
    }
    let mark = partial.join(MARK);
    let is_empty = std::fs::read_dir(partial).is_ok_and(|entries| entries.count() == 1);
    if unfinished == Unfinished::Remove || is_empty {
        std::fs::remove_dir_all(partial).map_err(Error::io("clear", partial))?;
        return Ok(None);
    }
    std::fs::remove_file(&mark).map_err(Error::io("remove", &mark))?;
    set_aside(partial, path, "interrupted").map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What a killed program leaves: neither dropped nor finished, and no longer locked.
    fn killed(path: &Path) -> PathBuf {
        let mut folder = AtomicFolder::create_with(path, Unfinished::SetAside).unwrap();
        std::fs::write(folder.partial().join("mask.png"), "mask").unwrap();
        folder.finished = true;
        folder.partial.clone()
    }

    #[test]
    fn a_folder_dropped_before_its_end_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("set");
        let folder = AtomicFolder::create(&path).unwrap();
        std::fs::write(folder.partial().join("a"), "a").unwrap();
        drop(folder);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_with_something_in_it_is_not_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join("mine"), "mine").unwrap();
        assert!(AtomicFolder::create(parent.path()).is_err());
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn somebody_elses_partial_folder_or_file_stays_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let (mine, file) = (parent.path().join("set.partial"), parent.path().join("other.partial"));
        std::fs::create_dir(&mine).unwrap();
        std::fs::write(mine.join("thesis.txt"), "years").unwrap();
        std::fs::write(&file, "mine").unwrap();
        for name in ["set", "other"] {
            let folder = AtomicFolder::create(&parent.path().join(name)).unwrap();
            std::fs::write(folder.partial().join("a"), "a").unwrap();
            let finished = folder.finish().unwrap();
            assert_eq!(names(&finished), ["a"], "the mark is gone");
        }
        assert_eq!(std::fs::read(mine.join("thesis.txt")).unwrap(), b"years");
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
        assert_eq!(names(parent.path()), ["other", "other.partial", "set", "set.partial"]);
    }

    #[test]
    fn what_a_killed_program_left_is_removed_or_set_aside_as_was_said() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("masks");
        let partial = killed(&path);
        let folder = AtomicFolder::create(&path).unwrap();
        assert_eq!((folder.partial(), names(&partial)), (partial.as_path(), vec![MARK.to_owned()]));
        drop(folder);
        for aside in ["masks.interrupted", "masks.2.interrupted"] {
            killed(&path);
            let folder = AtomicFolder::create_with(&path, Unfinished::SetAside).unwrap();
            assert_eq!(folder.set_aside(), Some(parent.path().join(aside).as_path()));
            assert_eq!(names(&parent.path().join(aside)), ["mask.png"]);
        }
    }

    #[test]
    fn a_folder_that_is_being_written_is_left_to_its_writer() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("set");
        let first = AtomicFolder::create(&path).unwrap();
        let refused = AtomicFolder::create(&path).unwrap_err();
        assert!(matches!(refused, Error::InUse { .. }) && refused.hint().is_some(), "{refused}");
        assert!(first.finish().unwrap().is_dir());
    }

    #[test]
    fn what_cannot_get_its_final_name_stays_under_its_partial_one() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("set");
        let folder = AtomicFolder::create(&path).unwrap();
        std::fs::write(folder.partial().join("a"), "hours of work").unwrap();
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("mine"), "mine").unwrap();
        let error = folder.finish().unwrap_err().to_string();
        assert!(error.contains("set.partial"), "{error}");
        assert_eq!(names(&parent.path().join("set.partial")), ["a"]);
        assert_eq!(names(&path), ["mine"]);
    }
}
