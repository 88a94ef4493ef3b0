//! The files of a log's folder: which are its own, and what a run that ended without warning has left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parallax_core::Error as CoreError;
use parallax_core::files::{rename_durably, set_aside};
use parallax_core::recording::{make_whole, origin, unfinished_path};

use crate::Result;

/// What a file calls the library that wrote it.
pub(super) const LIBRARY: &str = concat!("parallax-edge ", env!("CARGO_PKG_VERSION"));
/// The same, of any version.
const ANY_LIBRARY: &str = "parallax-edge ";

/// What a run that ended without warning left is made whole and gets its name; what cannot be read is set aside.
pub(super) fn keep_torn_files(folder: &Path) -> Result<()> {
    let is_empty = |path: &Path| path.symlink_metadata().is_ok_and(|facts| facts.is_file() && facts.len() == 0);
    for path in files_of(folder, TORN).into_values() {
        if is_empty(&path) {
            std::fs::remove_file(&path).map_err(CoreError::io("remove", &path))?;
        } else if is_ours(&path)? {
            let torn = unfinished_path(&folder.join(name_of(free_number(folder))));
            // Its own name may be taken.
            let is_free = path.with_extension("").symlink_metadata().is_err();
            let torn = if is_free { path } else { rename_durably(&path, &torn).map(|()| torn)? };
            make_whole(&torn)?;
        } else if origin(&path)?.is_none() {
            put_aside(&path)?;
        }
    }
    for path in files_of(folder, WHOLE).into_values() {
        if origin(&path)?.is_none() {
            put_aside(&path)?;
        }
    }
    Ok(())
}

fn put_aside(path: &Path) -> Result<()> {
    let aside = set_aside(path, path, "damaged")?;
    tracing::warn!("{} is no recording: it is called {} from now on", path.display(), aside.display());
    Ok(())
}

pub(super) const WHOLE: &str = "mcap";
const TORN: &str = "mcap.partial";

pub(super) fn name_of(number: u64) -> String {
    format!("masks-{number:06}.{WHOLE}")
}

/// A number that no file has, finished or not.
pub(super) fn free_number(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |entry: std::fs::DirEntry| {
        entry.file_name().to_str()?.strip_prefix("masks-")?.split('.').next()?.parse::<u64>().ok()
    };
    entries.filter_map(number).max().map_or(1, |last| last.saturating_add(1))
}

/// Files by the log's names with an extension, by number.
pub(super) fn files_of(folder: &Path, extension: &str) -> BTreeMap<u64, PathBuf> {
    let number = |path: &Path| {
        let number = path.file_name()?.to_str()?.strip_prefix("masks-")?.split('.').next()?.parse().ok()?;
        let is_file = path.symlink_metadata().is_ok_and(|facts| facts.is_file());
        (is_file && *path == folder.join(name_of(number)).with_extension(extension)).then_some(number)
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter_map(|path| Some((number(&path)?, path))).collect()
}

/// Whether a log has written this.
pub(super) fn is_ours(path: &Path) -> Result<bool> {
    Ok(origin(path)?.is_some_and(|origin| origin.library.starts_with(ANY_LIBRARY)))
}
