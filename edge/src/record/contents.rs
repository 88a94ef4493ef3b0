//! What lies in a recorder's folder when it starts: its own files, torn or damaged ones, and somebody else's.
//!
//! | name | content | what becomes of it |
//! |---|---|---|
//! | `000007.mcap` | a recorder's | counted, and removed when the budget asks for it |
//! | `000007.mcap.partial` | a recorder's | made whole |
//! | either | nothing that can be read: zeros, something else | called `….damaged`, for somebody to look at |
//! | either | another program's recording | left alone, not counted |
//! | any other | – | left alone, not counted |
//!
//! A recorder's file says so in its head: the metadata record `parallax.recorder`.

use std::path::{Path, PathBuf};

use parallax_core::Error as CoreError;
use parallax_core::files::{rename_durably, set_aside};
use parallax_core::recording::{NOTES_TOPIC, Recording, make_whole, origin};

use super::store::StoredFile;
use crate::Result;

const WHOLE: &str = ".mcap";
const TORN: &str = ".mcap.partial";

/// What was found, and made whole or set aside.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The recorder's own files.
    pub(super) files: Vec<StoredFile>,
    /// Files of an earlier run that were made whole.
    pub(super) recovered: Vec<String>,
    /// Files that nothing could be read from, under their new names.
    pub(super) damaged: Vec<PathBuf>,
    /// A number above all that are taken.
    pub(super) next_number: u64,
}

/// Looks at a folder that is locked; `known` is what its index says.
pub(super) fn survey(folder: &Path, known: &[StoredFile]) -> Result<Contents> {
    let names = names(folder)?;
    let mut contents = Contents {
        next_number: names.iter().filter_map(|name| number(name)).max().map_or(0, |last| last + 1),
        ..Contents::default()
    };
    for name in names.iter().filter(|name| is_named(name, TORN)) {
        contents.take_torn(&folder.join(name))?;
    }
    let mut whole: Vec<String> = names.into_iter().filter(|name| is_named(name, WHOLE)).collect();
    whole.extend(contents.recovered.iter().cloned());
    whole.sort();
    whole.dedup();
    for name in whole {
        contents.take_whole(folder, name, known)?;
    }
    Ok(contents)
}

impl Contents {
    /// What a killed or powered-off recorder has left.
    fn take_torn(&mut self, path: &Path) -> Result<()> {
        match writer_of(path)? {
            // Killed before its first bytes: there is nothing in it.
            Written::Nothing => std::fs::remove_file(path).map_err(CoreError::io("remove", path))?,
            Written::ByUs => {
                let path = self.under_a_free_name(path)?;
                match make_whole(&path) {
                    Ok(whole) => self.recovered.extend(whole.as_deref().map(name_of)),
                    Err(CoreError::Recording { what, .. } | CoreError::Malformed { what, .. }) => {
                        self.put_aside(&path, &what)?;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Written::ByNobody => self.put_aside(path, "it is no recording")?,
            Written::ByOthers => {}
        }
        Ok(())
    }

    /// The name that a torn file is to get may be taken.
    fn under_a_free_name(&mut self, torn: &Path) -> Result<PathBuf> {
        if torn.with_extension("").symlink_metadata().is_err() {
            return Ok(torn.to_path_buf());
        }
        let free = torn.with_file_name(format!("{:06}{TORN}", self.next_number));
        self.next_number += 1;
        rename_durably(torn, &free)?;
        Ok(free)
    }

    fn take_whole(&mut self, folder: &Path, name: String, known: &[StoredFile]) -> Result<()> {
        let path = folder.join(&name);
        match writer_of(&path)? {
            Written::Nothing => self.put_aside(&path, "there is nothing in it")?,
            Written::ByNobody => self.put_aside(&path, "it is no recording")?,
            Written::ByOthers => {}
            Written::ByUs => match stored(folder, &name, known) {
                Ok(file) if file.frames > 0 => self.files.push(file),
                Ok(_) => self.put_aside(&path, "not one frame can be read")?,
                Err(error) => self.put_aside(&path, &error.to_string())?,
            },
        }
        Ok(())
    }

    fn put_aside(&mut self, path: &Path, why: &str) -> Result<()> {
        let aside = set_aside(path, path, "damaged")?;
        tracing::warn!("{} cannot be used ({why}): it is called {} from now on", path.display(), name_of(&aside));
        self.damaged.push(aside);
        Ok(())
    }
}

/// Whose a file is.
enum Written {
    /// There is not one byte.
    Nothing,
    ByUs,
    ByOthers,
    /// It is no recording.
    ByNobody,
}

fn writer_of(path: &Path) -> Result<Written> {
    let facts = std::fs::symlink_metadata(path).map_err(CoreError::io("read", path))?;
    if !facts.is_file() {
        return Ok(Written::ByOthers);
    }
    if facts.len() == 0 {
        return Ok(Written::Nothing);
    }
    Ok(match origin(path)? {
        Some(origin) if origin.is_recorder() => Written::ByUs,
        Some(_) => Written::ByOthers,
        None => Written::ByNobody,
    })
}

/// What is known of a file, from the index where it has the same length, else from its own notes.
pub(super) fn stored(folder: &Path, name: &str, known: &[StoredFile]) -> Result<StoredFile> {
    let path = folder.join(name);
    let bytes = std::fs::metadata(&path).map_err(CoreError::io("read", &path))?.len();
    if let Some(file) = known.iter().find(|file| file.name == name && file.bytes == bytes) {
        return Ok(file.clone());
    }
    let recording = Recording::open(&path)?;
    let values = recording.json_messages(NOTES_TOPIC)?.into_iter();
    let value = values.filter_map(|(_, note)| note.get("value")?.as_f64()).sum();
    Ok(StoredFile { name: name.to_owned(), bytes, frames: recording.len() as u64, value })
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(CoreError::io("list", folder))?;
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        Ok(entry.map_err(CoreError::io("list", folder))?.file_name().to_string_lossy().into_owned())
    };
    let mut names = entries.map(name).collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The number that a recorder's file begins with: six digits or more.
fn number(name: &str) -> Option<u64> {
    let (digits, _) = name.split_once('.')?;
    let is_number = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|number| *number < u64::MAX)
}

fn is_named(name: &str, ending: &str) -> bool {
    number(name).is_some_and(|number| name == format!("{number:06}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_six_digits_and_more_are_ours() {
        for name in ["000007.mcap", "1234567.mcap"] {
            assert!(is_named(name, WHOLE) && !is_named(name, TORN), "{name}");
        }
        assert!(is_named("000007.mcap.partial", TORN) && !is_named("000007.mcap.partial", WHOLE));
        for name in
            ["drive.mcap", "7.mcap", "0000007.mcap", "000007.mcap.gz", "00000x.mcap", "000007", "thesis.partial"]
        {
            assert!(!is_named(name, WHOLE) && !is_named(name, TORN), "{name}");
        }
        assert_eq!(number("000009.mcap.partial.damaged"), Some(9));
    }
}
