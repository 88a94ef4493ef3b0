//! Writing so that a reader never meets a half-written file: everything is made under a temporary name beside its
//! final one and renamed when it is whole. A full disk or a crash leaves the old file, or none.

pub use crate::picture_file::read_rgb;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The name a file or folder has until it is whole: `NAME.partial` in the same folder.
pub fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    path.with_file_name(name)
}

/// Writes a file through `write`, then gives it its final name.
///
/// # Errors
/// Whatever `write` returns, and input/output errors; the partial file is removed then.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    let partial = partial_path(path);
    let attempt = || {
        let mut writer = BufWriter::new(File::create(&partial)?);
        write(&mut writer)?;
        let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    attempt().map_err(|source| {
        let _ = std::fs::remove_file(&partial);
        Error::Io { action: "write", path: path.to_path_buf(), source }
    })
}

/// Renames a file that is on the disk already, so that its new name outlives a power loss too.
///
/// # Errors
/// It cannot be renamed.
pub fn rename_durably(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(Error::io("rename", from))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Some file systems cannot sync a folder; the name is there all the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
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

/// A folder that gets its final name only when everything in it is written.
#[derive(Debug)]
pub struct AtomicFolder {
    path: PathBuf,
    partial: PathBuf,
    finished: bool,
}

impl AtomicFolder {
    /// Starts a folder that will be called `path`. What an earlier, interrupted attempt left behind is removed.
    ///
    /// # Errors
    /// [`Error::Io`] with `AlreadyExists` when `path` exists and is not an empty folder, or any other failure to create it.
    pub fn create(path: &Path) -> Result<Self> {
        let occupied = match std::fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => path.exists(),
        };
        if occupied {
            return Err(Error::io("create", path)(std::io::ErrorKind::AlreadyExists.into()));
        }
        let partial = partial_path(path);
        if partial.exists() {
            std::fs::remove_dir_all(&partial).map_err(Error::io("clear", &partial))?;
        }
        std::fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
        Ok(Self { path: path.to_path_buf(), partial, finished: false })
    }

    /// Where to write until [`AtomicFolder::finish`].
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Gives the folder its final name.
    ///
    /// # Errors
    /// The folder cannot be renamed.
    pub fn finish(mut self) -> Result<PathBuf> {
        if self.path.exists() {
            std::fs::remove_dir(&self.path).map_err(Error::io("replace", &self.path))?;
        }
        std::fs::rename(&self.partial, &self.path).map_err(Error::io("rename", &self.path))?;
        self.finished = true;
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
    fn the_hash_is_the_published_one() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, appendix B.1
        assert_eq!(sha256_of_bytes(b"abc"), expected);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("abc"), "abc").unwrap();
        assert_eq!(sha256_of_file(&folder.path().join("abc")).unwrap(), expected);
    }
}
