//! Whether the files of a run are those that were saved: a flipped bit in a weight is a wrong mask that says nothing.
//!
//! | file | what says that it is whole |
//! |---|---|
//! | `SHA256SUMS` | saved with each checkpoint: the hashes of its files, and of the classes and the location prior beside it |
//! | `run.toml` | its own last line, a comment: this file is replaced between two checkpoints |
//!
//! `SHA256SUMS` has the form of coreutils' `sha256sum`: `sha256sum --check SHA256SUMS` in a run folder says the same.

use std::path::Path;
use std::time::Duration;

use parallax_core::files::{read_text, sha256_of_bytes, sha256_of_file, write_bytes};

use super::RunFolder;
use crate::Error;

/// The file of hashes.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Files that a run writes once, at its start, and that using its weights depends on.
const WRITTEN_AT_THE_START: [&str; 2] = ["classes.toml", "location_prior.png"];

/// What the last line of `run.toml` begins with.
const MARK: &str = "# sha256 of the lines above: ";

/// How often a run that another process is just saving is looked at again, and how long between two looks.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Writes the hashes of a checkpoint's files, which lie in `saved`, and of what lies in the `run` since its start.
pub(super) fn write(run: &Path, saved: &Path) -> Result<(), Error> {
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(saved).map_err(Error::io("read", saved))? {
        let name = entry.map_err(Error::io("read", saved))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    let mut text = String::new();
    for name in &names {
        text += &line(&sha256_of_file(&saved.join(name))?, name);
    }
    for name in WRITTEN_AT_THE_START {
        let path = run.join(name);
        if path.is_file() {
            text += &line(&sha256_of_file(&path)?, name);
        }
    }
    Ok(write_bytes(&saved.join(SUMS), text.as_bytes())?)
}

fn line(sum: &str, name: &str) -> String {
    format!("{sum}  {name}\n")
}

impl RunFolder {
    /// Refuses a checkpoint with a file that is not the one that was saved. One without hashes, of an older version of this
    /// program, passes with a warning.
    pub(super) fn verify(&self) -> Result<(), Error> {
        let mut looks = 1;
        while let Err(error) = verify(self.path()) {
            // Another process may be moving a new checkpoint into place, file by file.
            if looks == LOOKS || !self.is_in_training()? {
                return Err(error);
            }
            looks += 1;
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

fn verify(run: &Path) -> Result<(), Error> {
    let sums = run.join(SUMS);
    if !sums.is_file() {
        if run.join("state.json").is_file() {
            tracing::warn!("{}: saved by an older version, without hashes: its files are not verified", run.display());
        }
        return Ok(());
    }
    for (number, text) in read_text(&sums)?.lines().enumerate() {
        let Some((sum, name)) = text.split_once("  ").filter(|(sum, name)| sum.len() == 64 && is_a_name(name)) else {
            return Err(damaged(&sums, format!("line {} is no hash and name", number + 1)));
        };
        let path = run.join(name);
        if !path.is_file() {
            return Err(damaged(&path, format!("{name} is missing, which {SUMS} names")));
        }
        if sha256_of_file(&path)? != sum {
            return Err(damaged(
                &path,
                format!("{name} is not the file that was saved: its hash is not that in {SUMS}"),
            ));
        }
    }
    Ok(())
}

/// Names lead nowhere but into the folder.
fn is_a_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != ".."
}

fn damaged(path: &Path, what: String) -> Error {
    let hint = "take the run from a copy, or its best/ where there is one; a file that was changed on purpose: remove its line from SHA256SUMS";
    Error::Run { what: format!("the checkpoint is damaged: {what}"), path: path.to_path_buf(), hint }
}

/// `run.toml` with the line that says that it is whole.
pub(super) fn sealed(text: &str) -> String {
    format!("{text}{MARK}{}\n", sha256_of_bytes(text.as_bytes()))
}

/// Whether `run.toml` is as it was written; a file without that line, of an older version or edited on purpose, passes.
pub(super) fn is_whole(text: &str) -> bool {
    let Some(at) = text.rfind(MARK) else { return true };
    text[at + MARK.len()..].trim_end() == sha256_of_bytes(&text.as_bytes()[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved_run(parent: &Path) -> RunFolder {
        let folder = RunFolder::create(&parent.join("run")).unwrap();
        std::fs::write(folder.description_path(), sealed("schema = 1\n")).unwrap();
        std::fs::write(folder.path().join("classes.toml"), "classes").unwrap();
        let written = folder.save(|target| {
            for name in ["model.safetensors", "optimizer.bpk", "state.json"] {
                std::fs::write(target.join(name), format!("what {name} holds")).unwrap();
            }
            Ok(())
        });
        written.unwrap();
        let path = folder.path().to_path_buf();
        // Whoever made it holds its lock.
        drop(folder);
        RunFolder::open(&path).unwrap()
    }

    #[test]
    fn a_checkpoint_with_any_byte_of_any_file_flipped_is_refused_by_its_name() {
        let parent = tempfile::tempdir().unwrap();
        let run = saved_run(parent.path());
        RunFolder::open(run.path()).unwrap();
        for name in ["model.safetensors", "optimizer.bpk", "state.json", "classes.toml", SUMS] {
            let path = run.path().join(name);
            let whole = std::fs::read(&path).unwrap();
            for at in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[at] ^= 0x10;
                std::fs::write(&path, flipped).unwrap();
                let error = RunFolder::open(run.path()).unwrap_err().to_string();
                assert!(error.contains("damaged") || error.contains("UTF-8"), "{name} at {at}: {error}");
            }
            std::fs::write(&path, &whole).unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(name == SUMS || RunFolder::open(run.path()).unwrap_err().to_string().contains(name));
            std::fs::write(&path, whole).unwrap();
        }
        RunFolder::open(run.path()).unwrap();
    }

    #[test]
    fn the_best_checkpoint_is_verified_like_its_run() {
        let parent = tempfile::tempdir().unwrap();
        let run = saved_run(parent.path());
        run.keep_as_best().unwrap();
        RunFolder::open(&run.best_path()).unwrap();
        // A copy, not the second name of the run's own file.
        let path = run.best_path().join("model.safetensors");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "something else").unwrap();
        assert!(RunFolder::open(&run.best_path()).unwrap_err().to_string().contains("model.safetensors"));
        RunFolder::open(run.path()).unwrap();
    }

    #[test]
    fn a_description_tells_whether_it_is_as_it_was_written() {
        let written = sealed("seed = 1\nlr = 0.5\n");
        assert!(is_whole(&written) && is_whole("seed = 1\n"));
        for at in 0..written.rfind(MARK).unwrap() {
            let mut flipped = written.clone().into_bytes();
            flipped[at] ^= 1;
            assert!(!is_whole(std::str::from_utf8(&flipped).unwrap()), "{at}");
        }
        assert!(toml::from_str::<toml::Table>(&written).is_ok(), "the line is a comment");
    }
}
