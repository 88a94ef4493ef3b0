//! Writing so that a reader never meets a half-written file: everything is made under a temporary name beside its
//! final one and renamed when it is whole. A full disk or a crash leaves the old file, or none.
//!
//! | module | what it does |
//! |---|---|
//! | `partial` | the file that a file is until it is whole |
//! | `folder` | the same for a folder |
//! | `lock` | one program at a time in a folder |
//! | `replacement` | which file an output may take the place of |
//!
//! Nothing is removed, replaced or renamed that is not ours by its name and by what it is.

mod folder;
mod lock;
mod partial;
mod replacement;

pub use folder::{AtomicFolder, Unfinished, is_occupied};
pub use lock::FolderLock;
pub(crate) use partial::PartialFile;
pub use partial::{is_partial_of, partial_path};
pub use replacement::{OutputKind, check_output};

pub use crate::picture_file::read_rgb;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Writes a file through `write`, then gives it its final name. A link to a file stays a link.
///
/// # Errors
/// Whatever `write` returns, input/output errors, and a device, pipe or folder at `path`; the partial file is removed then.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    let target = replaceable(path)?;
    let PartialFile { file, path: partial } = PartialFile::create(&target)?;
    let attempt = || {
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        // The file stays open, and so locked, until it has its name.
        let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&partial, &target)
    };
    attempt().map_err(|source| {
        let _ = std::fs::remove_file(&partial);
        Error::Io { action: "write", path: path.to_path_buf(), source }
    })
}

/// The file that writing to `path` makes or replaces: what a link leads to, and nothing that is no file.
pub(crate) fn replaceable(path: &Path) -> Result<PathBuf> {
    let Ok(facts) = std::fs::metadata(path) else { return Ok(path.to_path_buf()) };
    if !facts.is_file() {
        let what = if facts.is_dir() { "a folder" } else { "a device or a pipe" };
        let found = std::io::Error::new(std::io::ErrorKind::AlreadyExists, format!("expected a file, found {what}"));
        return Err(Error::io("write", path)(found));
    }
    match std::fs::read_link(path) {
        Ok(_) => std::fs::canonicalize(path).map_err(Error::io("write", path)),
        Err(_) => Ok(path.to_path_buf()),
    }
}

/// Renames a file that is on the disk already, so that its new name outlives a power loss too.
///
/// # Errors
/// It cannot be renamed.
pub fn rename_durably(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(Error::io("rename", from))?;
    sync_parent(to);
    Ok(())
}

/// As [`rename_durably`], unless there is something under the new name: both stay as they are then, and it says `false`.
/// For folders that are locked.
///
/// # Errors
/// It cannot be renamed.
pub fn rename_if_free(from: &Path, to: &Path) -> Result<bool> {
    if to.symlink_metadata().is_ok() {
        return Ok(false);
    }
    rename_durably(from, to).map(|()| true)
}

/// Moves something out of the way to a name that is free: `OF.WHY`, `OF.2.WHY` and so on, which is returned.
///
/// # Errors
/// It cannot be renamed.
pub fn set_aside(path: &Path, of: &Path, why: &str) -> Result<PathBuf> {
    for number in 1.. {
        let aside = partial::numbered(of, number, why);
        if rename_if_free(path, &aside)? {
            return Ok(aside);
        }
    }
    Ok(path.to_path_buf())
}

/// Brings the name of a file or folder to the disk.
pub fn sync_parent(path: &Path) {
    sync_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")));
}

/// Brings the names in a folder to the disk. Some file systems cannot sync a folder; the names are there all the same.
pub fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// Writes `bytes` as a whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes))
}

/// Writes a picture as PNG, as a whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write_picture(path: &Path, picture: &image::DynamicImage) -> Result<()> {
    write_bytes(path, &png_bytes(picture).map_err(Error::picture(path))?)
}

/// A picture as the bytes of a PNG file.
///
/// # Errors
/// The picture's pixels have a form that PNG lacks.
pub fn png_bytes(picture: &image::DynamicImage) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    // The PNG encoder by name: `write_to` would compile the encoders of every other form as well.
    picture.write_with_encoder(image::codecs::png::PngEncoder::new(&mut bytes))?;
    Ok(bytes)
}

/// Reads a text file.
///
/// # Errors
/// The file is missing, no file, larger than [`crate::reading::MOST_TEXT`] or not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    crate::reading::read_text(path, crate::reading::MOST_TEXT)
}

/// SHA-256 of a file as lower-case hexadecimal.
///
/// # Errors
/// The file cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if count == 0 {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

/// SHA-256 of bytes as lower-case hexadecimal.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.txt");
        write_bytes(&path, b"old").unwrap();
        let failed = write_atomically(&path, |file| {
            file.write_all(b"new")?;
            Err(std::io::ErrorKind::StorageFull.into())
        });
        assert!(failed.unwrap_err().hint().unwrap().contains("disk is full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn somebody_elses_partial_file_stays_and_two_writers_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thesis.docx");
        std::fs::write(folder.path().join("thesis.docx.partial"), "years").unwrap();
        write_atomically(&path, |file| {
            write_bytes(&path, b"another").map_err(std::io::Error::other)?;
            file.write_all(b"mine")
        })
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert_eq!(std::fs::read(folder.path().join("thesis.docx.partial")).unwrap(), b"years");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_is_written_through_and_what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        std::os::unix::fs::symlink("/dev/null", folder.path().join("null")).unwrap();
        for name in ["null", "."] {
            let error = write_bytes(&folder.path().join(name), b"new").unwrap_err();
            assert!(error.to_string().contains("expected a file") && error.hint().is_some(), "{error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_is_set_aside_takes_nobodys_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (number, aside) in [(1, "a.damaged"), (2, "a.2.damaged"), (3, "a.3.damaged")] {
            std::fs::write(at("a"), number.to_string()).unwrap();
            assert_eq!(set_aside(&at("a"), &at("a"), "damaged").unwrap(), at(aside));
        }
        assert_eq!(std::fs::read(at("a.2.damaged")).unwrap(), b"2");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, appendix B.1
        assert_eq!(sha256_of_bytes(b"abc"), expected);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("abc"), "abc").unwrap();
        assert_eq!(sha256_of_file(&folder.path().join("abc")).unwrap(), expected);
    }
}
