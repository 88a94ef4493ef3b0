//! The file that a file is until it is whole.
//!
//! Its name is one that nobody else gives: `NAME.parallax.partial`. It is made anew or, where a program of ours has died and
//! left one, taken over; while someone writes it, it is locked, and the next one gets another number. What has that name and
//! is no such file stays as it is.

use crate::{Error, Result};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the name of an unfinished file ends with.
const ENDING: &str = "parallax.partial";
/// Names to try. More programs than this do not write one file.
const NAMES: u32 = 100;

/// The name that a file has until it is whole, unless that is taken: `NAME.parallax.partial` in the same folder.
pub fn partial_path(path: &Path) -> PathBuf {
    numbered(path, 1, ENDING)
}

/// `NAME.ENDING`, `NAME.2.ENDING`, …
pub(super) fn numbered(path: &Path, number: u32, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    if number > 1 {
        name.push(format!(".{number}"));
    }
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

/// Whether `name` is what an unfinished file of the name `of` may be called.
pub fn is_partial_of(name: &OsStr, of: &OsStr) -> bool {
    let (name, of) = (name.as_encoded_bytes(), of.as_encoded_bytes());
    let Some(rest) = name.strip_prefix(of).and_then(|rest| rest.strip_prefix(b".")) else { return false };
    let Some(number) = rest.strip_suffix(ENDING.as_bytes()) else { return false };
    number.is_empty() || number.strip_suffix(b".").is_some_and(|it| !it.is_empty() && it.iter().all(u8::is_ascii_digit))
}

/// An empty file under a partial name, locked as long as it is open.
#[derive(Debug)]
pub(crate) struct PartialFile {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

impl PartialFile {
    /// Makes the file that is to become `path`.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        for number in 1..=NAMES {
            let partial = numbered(path, number, ENDING);
            let file = match OpenOptions::new().write(true).create_new(true).open(&partial) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => taken_over(&partial),
                Err(error) => return Err(Error::io("create", &partial)(error)),
            };
            if let Some(file) = file.filter(|file| is_locked(file) && is_still(file, &partial)) {
                file.set_len(0).map_err(Error::io("create", &partial))?;
                return Ok(Self { file, path: partial });
            }
        }
        Err(Error::io("create", path)(std::io::ErrorKind::AlreadyExists.into()))
    }
}

/// What a dead program of ours left. A file system without locks cannot tell the dead from the living.
fn taken_over(partial: &Path) -> Option<File> {
    let facts = std::fs::symlink_metadata(partial).ok()?;
    let file = facts.is_file().then(|| OpenOptions::new().write(true).open(partial).ok())??;
    file.try_lock().is_ok().then_some(file)
}

/// Locks the file, where the file system knows locks.
fn is_locked(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Whether the file still has that name: its former owner may have renamed it just before it was locked.
fn is_still(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_are_left_alone_the_dead_are_taken_over_and_what_is_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let name = |partial: &PartialFile| partial.path.file_name().unwrap().to_string_lossy().into_owned();
        let first = PartialFile::create(&path).unwrap();
        let second = PartialFile::create(&path).unwrap();
        assert_eq!([name(&first), name(&second)], ["a.png.parallax.partial", "a.png.2.parallax.partial"]);
        std::fs::write(&first.path, "half").unwrap();
        drop(first);
        let third = PartialFile::create(&path).unwrap();
        assert_eq!(name(&third), "a.png.parallax.partial");
        assert_eq!(third.file.metadata().unwrap().len(), 0);

        let (link, target) = (folder.path().join("b"), folder.path().join("target"));
        std::fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, partial_path(&link)).unwrap();
        assert_eq!(name(&PartialFile::create(&link).unwrap()), "b.2.parallax.partial");
        assert_eq!(std::fs::read(&target).unwrap(), b"mine");
    }

    #[test]
    fn only_our_endings_are_ours() {
        let is = |name: &str| is_partial_of(OsStr::new(name), OsStr::new("a.png"));
        assert!(is("a.png.parallax.partial") && is("a.png.12.parallax.partial"));
        for other in ["a.png.partial", "a.png.x.parallax.partial", "b.png.parallax.partial", "a.png..parallax.partial"]
        {
            assert!(!is(other), "{other}");
        }
    }
}
