//! Whole files into memory: files alone, and none larger than the reader has said.
//!
//! A name may stand for anything: a named pipe whose other end nobody opens, a folder, a device without an end, a file of
//! more bytes than the machine has. Each of these is refused by name before a byte is read.

use std::fs::{File, Metadata};
use std::io::{Error as IoError, Read as _};
use std::path::Path;

use crate::{Error, Result};

/// Bytes of a text: a configuration, a camera file, a log of a training of millions of steps.
pub const MOST_TEXT: u64 = 1 << 29;

/// Bytes of a configuration, a thousand times what anybody writes by hand.
pub const MOST_CONFIGURATION: u64 = 1 << 20;

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// It is missing, no file, or larger.
pub fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    if size > most {
        return Err(too_large(path, most));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    // What the system makes while it is read has no size; what grows while it is read had another.
    file.take(most + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > most { Err(too_large(path, most)) } else { Ok(bytes) }
}

/// Reads a text of at most `most` bytes.
///
/// # Errors
/// As [`read_bytes`], or it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let not_text = |_| IoError::new(std::io::ErrorKind::InvalidData, "it is no UTF-8 text");
    String::from_utf8(read_bytes(path, most)?).map_err(not_text).map_err(Error::io("read", path))
}

/// Opens a file, and nothing else: a named pipe would be waited for.
///
/// # Errors
/// It is missing, or no file.
pub fn open(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if !metadata.is_file() {
        return Err(Error::Malformed {
            what: format!("expected a file, found {}", kind(&metadata)),
            path: path.to_path_buf(),
            hint: "give the name of a file on a disk",
        });
    }
    File::open(path).map_err(Error::io("read", path))
}

fn too_large(path: &Path, most: u64) -> Error {
    let most = if most >> 20 > 0 { format!("{} MiB", most >> 20) } else { format!("{most} bytes") };
    Error::Malformed {
        what: format!("expected a file of at most {most}, found a larger one"),
        path: path.to_path_buf(),
        hint: "this is not what its name says, or it is damaged",
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a named pipe";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if metadata.is_dir() { "a folder" } else { "something else" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_size_that_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_bytes(&path, 5).unwrap(), b"12345");
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        assert!(read_bytes(&path, 4).unwrap_err().to_string().contains("at most 4 bytes"));
        // A file of a hundred GiB that takes no room on the disk.
        File::create(&path).unwrap().set_len(100 << 30).unwrap();
        assert!(read_bytes(&path, 1 << 20).unwrap_err().to_string().contains("at most 1 MiB"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| read_bytes(path, 100).unwrap_err().to_string();
        assert!(message(folder.path()).contains("found a folder"));
        assert!(message(Path::new("/dev/zero")).contains("found a device"));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(message(&pipe).contains("found a named pipe"));
        assert!(message(&folder.path().join("none")).contains("none"), "a missing file is named");
    }
}
