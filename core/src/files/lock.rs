//! One program at a time in a folder: the lock goes with the program, in whatever way it ends, and leaves no file behind.

use crate::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// A folder that no other program of ours writes into; until it is dropped, or its process ends in whatever way.
///
/// The lock is on the folder itself (`flock`), not on a file in it, and moves with it when it is renamed. It keeps out who
/// asks for it, nobody else.
#[derive(Debug)]
pub struct FolderLock {
    _folder: File,
}

impl FolderLock {
    /// Locks a folder that exists; none where someone else has the lock. A file system without locks gives one that locks
    /// nothing.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn take(folder: &Path) -> Result<Option<Self>> {
        let file = File::open(folder).map_err(Error::io("open", folder))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            Ok(()) => Ok(Some(Self { _folder: file })),
            Err(TryLockError::Error(error)) => {
                tracing::debug!("{} is not locked: {error}", folder.display());
                Ok(Some(Self { _folder: file }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_until_its_lock_goes_and_moves_with_its_name() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, moved) = (parent.path().join("a"), parent.path().join("b"));
        std::fs::create_dir(&folder).unwrap();
        let lock = FolderLock::take(&folder).unwrap().unwrap();
        assert!(FolderLock::take(&folder).unwrap().is_none());
        std::fs::rename(&folder, &moved).unwrap();
        assert!(FolderLock::take(&moved).unwrap().is_none());
        drop(lock);
        assert!(FolderLock::take(&moved).unwrap().is_some());
        assert_eq!(std::fs::read_dir(&moved).unwrap().count(), 0);
    }
}
