//! The containers of footage that can be read: the one list of them, and which of them opens a path.
//!
//! | container | what it opens |
//! |---|---|
//! | [`pictures`] | a folder of images, with KITTI's and our names of what lies beside them; a single image |
//! | [`mcap`] | an MCAP file |
//!
//! `docs/extending.md` says how to add one.

mod mcap;
mod pictures;

pub use pictures::images_in;

use super::source::Source;
use super::{OpenOptions, natural_order};
use crate::{Error, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// All containers, in the order in which they are asked. MCAP takes every file that no other knows, and its error says
/// what was expected, so it stands last.
static CONTAINERS: [&Container; 2] = [&pictures::CONTAINER, &mcap::CONTAINER];

/// A form in which footage is stored.
struct Container {
    /// Extensions of files that are recordings: what is looked for in a folder that is none itself.
    extensions: &'static [&'static str],
    /// Whether this file or folder is of this form. Looks at names or at the first bytes, never further.
    recognises: fn(&Path) -> Result<bool>,
    /// Opens what was recognised.
    open: fn(&Path, &OpenOptions) -> Result<Box<dyn Source>>,
}

/// Opens a recording, or the only one of a folder, such as `parallax-world` leaves behind.
///
/// # Errors
/// There is no such path, its container cannot be read, or a folder has several recordings; `fps` is not positive.
pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Box<dyn Source>> {
    if !(options.fps.is_finite() && options.fps > 0.0) {
        return Err(Error::Recording {
            what: format!("frames per second must be positive, got {}", options.fps),
            path: path.to_path_buf(),
            hint: "give the rate at which the images were taken",
        });
    }
    std::fs::metadata(path).map_err(Error::io("open", path))?;
    let found = match container_of(path)? {
        Some(container) => Some((container, path.to_path_buf())),
        None => only_recording(path)?,
    };
    match found {
        Some((container, path)) => (container.open)(&path, options),
        None => Err(no_footage(path)),
    }
}

/// The recordings at `path`: the files of a folder with nothing but recordings, such as a recorder writes, in the order
/// of their names; otherwise `path` itself.
///
/// # Errors
/// The folder cannot be read.
pub fn recordings_in(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() || container_of(path)?.is_some() {
        return Ok(vec![path.to_path_buf()]);
    }
    let files = files_of(path, is_recording_file)?;
    Ok(if files.is_empty() { vec![path.to_path_buf()] } else { files })
}

/// Whether the name is that of a recording in one file, such as `drive.mcap`. An image is none.
pub fn is_recording_file(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    let mut known = CONTAINERS.iter().flat_map(|container| container.extensions);
    extension.is_some_and(|extension| known.any(|known| *known == extension))
}

fn container_of(path: &Path) -> Result<Option<&'static Container>> {
    for container in CONTAINERS {
        if (container.recognises)(path)? {
            return Ok(Some(container));
        }
    }
    Ok(None)
}

/// The only recording of a folder; none where there is none.
fn only_recording(folder: &Path) -> Result<Option<(&'static Container, PathBuf)>> {
    let mut files = files_of(folder, is_recording_file)?;
    if files.len() > 1 {
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
        return Err(Error::Recording {
            what: format!("expected one recording, found {}", names.join(", ")),
            path: folder.to_path_buf(),
            hint: "name the one you mean",
        });
    }
    let Some(file) = files.pop() else { return Ok(None) };
    Ok(container_of(&file)?.map(|container| (container, file)))
}

/// What is wanted of a folder, in natural order and without hidden files.
fn files_of(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if wanted(&path) && !hidden {
            files.push(path);
        }
    }
    files.sort_by(|a, b| natural_order::compare(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(files)
}

fn no_footage(path: &Path) -> Error {
    Error::Recording {
        what: "expected images (png, jpg, ...), found none".into(),
        path: path.to_path_buf(),
        hint: "give a folder of images, one with frames/ or left/ and right/ in it, an .mcap file or one image",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &Path) -> String {
        open(path, &OpenOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_of_recordings_is_their_files_in_natural_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(recordings_in(folder.path()).unwrap(), [folder.path()]);
        for name in ["10.mcap", "9.mcap", ".8.mcap", "notes.txt", "7.mcap.partial"] {
            std::fs::write(at(name), "").unwrap();
        }
        assert_eq!(recordings_in(folder.path()).unwrap(), [at("9.mcap"), at("10.mcap")]);
        assert!(said(folder.path()).contains("expected one recording, found 9.mcap, 10.mcap"));
        std::fs::write(at("0.png"), "").unwrap();
        assert_eq!(recordings_in(folder.path()).unwrap(), [folder.path()], "images make it one recording");
    }

    #[test]
    fn what_no_container_knows_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(said(folder.path()).contains("expected images"));
        assert!(said(&folder.path().join("nowhere")).contains("nowhere"));
        let file = folder.path().join("drive.avi");
        std::fs::write(&file, "RIFF").unwrap();
        assert!(said(&file).contains("MCAP"));
    }

    #[test]
    fn an_image_is_no_recording_file() {
        assert!(is_recording_file(Path::new("a/drive.mcap")));
        assert!(!is_recording_file(Path::new("a/0.png")) && !is_recording_file(Path::new("mcap")));
    }
}
