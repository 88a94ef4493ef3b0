//! The run folder: one training run on disk, whole at every moment.
//!
//! | file | what it holds |
//! |---|---|
//! | `run.toml` | the whole effective configuration: network, model input, seed, versions, data hashes |
//! | `model.safetensors` | the weights of the last saved step |
//! | `optimizer.bpk`, `state.json` | what `--resume` needs besides: Adam's moments, the step, the parameters' identities |
//! | `SHA256SUMS` | the hashes of the checkpoint's files |
//! | `log.jsonl` | one line per logged step |
//! | `losses.png`, `samples/*.png` | pictures to look at |
//! | `events.out.tfevents.*` | the same for TensorBoard, one file a sitting |
//! | `best/` | with `--validate` or `--patience`: the best checkpoint, itself a run folder |
//!
//! A run killed at any moment has its last whole checkpoint: the module `saving` says how.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use parallax_core::files::{FolderLock, is_partial_of};
use parallax_core::run::{DESCRIPTION_FILE, RunDescription, SCHEMA, WEIGHTS_FILE};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{RunIdentity, RunSources, checksums};
use crate::Error;
use crate::device::ChosenDevice;

/// The folder of the best checkpoint.
pub(super) const BEST: &str = "best";
/// The folder of pictures to look at.
pub(super) const SAMPLES: &str = "samples";

/// A run folder that exists.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// The lock of a folder that is about to be trained, until training takes it over.
    pub(super) at_start: Arc<Mutex<Option<FolderLock>>>,
}

impl PartialEq for RunFolder {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for RunFolder {}

/// The description of a run by this version of the program.
///
/// # Errors
/// When the settings cannot be written as TOML.
pub(super) fn description_of(
    identity: RunIdentity,
    settings: &impl Serialize,
    sources: RunSources,
    device: &ChosenDevice,
) -> Result<RunDescription, Error> {
    Ok(RunDescription {
        schema: SCHEMA,
        kind: identity.kind,
        parallax: env!("CARGO_PKG_VERSION").into(),
        network: identity.network.name().into(),
        seed: identity.seed,
        device: device.name.clone(),
        config: table(settings)?,
        input: identity.input,
        inherited_cameras: Vec::new(),
        data: sources.data,
        validation: sources.validation,
    })
}

/// `description` with other settings.
///
/// # Errors
/// When the settings cannot be written as TOML.
pub fn with_settings(description: RunDescription, settings: &impl Serialize) -> Result<RunDescription, Error> {
    Ok(RunDescription { config: table(settings)?, ..description })
}

impl RunFolder {
    /// Makes a new run folder and locks it until training ends. A file that a killed start left unfinished in it does not
    /// count.
    ///
    /// # Errors
    /// When `path` already holds something, another process is making a run of it, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let lock = FolderLock::take(path)?;
        let folder = Self::at(path, lock);
        // Before anything is looked at: who starts in the same moment and comes second leaves everything alone.
        if !folder.is_locked_here() {
            return Err(folder.in_training());
        }
        let counts = |entry: std::io::Result<std::fs::DirEntry>| entry.is_ok_and(|it| !is_unfinished(&it.file_name()));
        let occupied = std::fs::read_dir(path).is_ok_and(|mut entries| entries.any(counts));
        if occupied {
            return Err(Error::Run {
                what: "the run folder is not empty".into(),
                path: path.to_path_buf(),
                hint: "give --resume to go on with that run, or another --out",
            });
        }
        Ok(folder)
    }

    fn at(path: &Path, lock: Option<FolderLock>) -> Self {
        Self { path: path.to_path_buf(), at_start: Arc::new(Mutex::new(lock)) }
    }

    /// Passes a run's result on; a run that failed before its first checkpoint leaves no folder behind, unless there is
    /// something in it that no run writes.
    ///
    /// # Errors
    /// The result's own.
    pub fn or_discard<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        // Locked again: another start may have come meanwhile, and the folder is its own then.
        if result.is_err()
            && !self.has_checkpoint()
            && let Ok(_lock) = self.lock()
        {
            self.discard();
        }
        result
    }

    /// Opens a run folder and finishes a save that a kill interrupted, unless the run is being trained.
    ///
    /// # Errors
    /// When it is no run folder, cannot be repaired, or a file of its checkpoint is not the one that was saved.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let folder = Self::at(path, None);
        if !folder.description_path().is_file() {
            return Err(Error::Run {
                what: "this is no run folder: it has no run.toml".into(),
                path: path.to_path_buf(),
                hint: "name a folder that `parallax-train pretrain` or `finetune` has written",
            });
        }
        folder.repair()?;
        folder.verify()?;
        Ok(folder)
    }

    /// Whether a checkpoint was saved yet.
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        self.state_path().is_file()
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `run.toml`.
    #[must_use]
    pub fn description_path(&self) -> PathBuf {
        self.path.join(DESCRIPTION_FILE)
    }

    /// `model.safetensors`.
    #[must_use]
    pub fn weights_path(&self) -> PathBuf {
        self.path.join(WEIGHTS_FILE)
    }

    /// `optimizer.bpk`.
    #[must_use]
    pub fn optimizer_path(&self) -> PathBuf {
        self.path.join("optimizer.bpk")
    }

    /// `state.json`.
    #[must_use]
    pub fn state_path(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// `log.jsonl`.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.path.join("log.jsonl")
    }

    /// `best/`.
    #[must_use]
    pub fn best_path(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// `samples/`.
    #[must_use]
    pub fn samples_path(&self) -> PathBuf {
        self.path.join(SAMPLES)
    }

    /// Writes `run.toml`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_description(&self, description: &RunDescription) -> Result<(), Error> {
        let text = toml::to_string_pretty(description)
            .map_err(|error| self.unreadable(format!("cannot write run.toml: {error}")))?;
        Ok(parallax_core::files::write_bytes(&self.description_path(), checksums::sealed(&text).as_bytes())?)
    }

    /// Reads `run.toml`.
    ///
    /// # Errors
    /// When it is missing, malformed, changed since it was written, or of another version.
    pub fn description(&self) -> Result<RunDescription, Error> {
        let text = parallax_core::files::read_text(&self.description_path())?;
        if !checksums::is_whole(&text) {
            return Err(Error::Run {
                what: "run.toml is not as it was written: damaged, or edited".into(),
                path: self.description_path(),
                hint: "take it from a copy; if it was edited on purpose, remove its last line, which has its hash",
            });
        }
        let description: RunDescription =
            toml::from_str(&text).map_err(|error| self.unreadable(format!("cannot read run.toml: {error}")))?;
        if description.schema != SCHEMA {
            return Err(self.unreadable(format!("expected schema {SCHEMA}, found {}", description.schema)));
        }
        Ok(description)
    }

    /// The settings in a run's `description`, in the form of its kind.
    ///
    /// # Errors
    /// When another version wrote them.
    pub fn settings<S: DeserializeOwned>(&self, description: &RunDescription) -> Result<S, Error> {
        description.config.clone().try_into().map_err(|problem| Error::Run {
            what: format!("cannot read the run's settings: {problem}"),
            path: self.description_path(),
            hint: "the run was made by another version: start it anew",
        })
    }

    fn unreadable(&self, what: String) -> Error {
        Error::Run {
            what,
            path: self.description_path(),
            hint: "the run was made by another version of this program, or edited: start it anew",
        }
    }
}

/// Settings as `run.toml` holds them.
fn table(settings: &impl Serialize) -> Result<toml::Table, Error> {
    toml::Table::try_from(settings).map_err(|problem| Error::Settings {
        what: format!("the settings cannot be written down: {problem}"),
        hint: "a seed must be below 9223372036854775808, and paths must be valid UTF-8",
    })
}

/// Whether a killed start has left this unfinished.
pub(super) fn is_unfinished(name: &OsStr) -> bool {
    let files = ["run.toml", "classes.toml", "location_prior.png", "log.jsonl"];
    name == "run.toml.partial" || files.iter().any(|file| is_partial_of(name, OsStr::new(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_does_not_become_a_run() {
        let parent = tempfile::tempdir().unwrap();
        for unfinished in ["run.toml.partial", "run.toml.parallax.partial"] {
            std::fs::write(parent.path().join(unfinished), "half").unwrap();
        }
        assert!(RunFolder::create(parent.path()).is_ok(), "a start that was killed is repeated");
        std::fs::write(parent.path().join("mine"), "").unwrap();
        assert!(RunFolder::create(parent.path()).is_err());
    }

    #[test]
    fn of_two_starts_in_one_moment_one_wins_and_the_other_touches_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let first = RunFolder::create(&path).unwrap();
        let second = RunFolder::create(&path).unwrap_err();
        assert!(second.to_string().contains("another process is training"), "{second}");
        std::fs::write(first.description_path(), "").unwrap();
        // The second may have opened the folder before it was locked; what it came to must not take the first one's files.
        let late = RunFolder::open(&path).unwrap();
        assert!(late.or_discard(Err::<(), _>(second)).is_err());
        assert!(first.description_path().is_file());
        let lock = first.lock().unwrap();
        assert!(late.lock().is_err(), "the lock goes over to training without a gap");
        drop(lock);
        assert!(late.lock().is_ok());
    }

    #[test]
    fn a_failed_start_removes_what_it_wrote_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let fail = |mine: Option<&str>| {
            let path = parent.path().join("run");
            let folder = RunFolder::create(&path).unwrap();
            for name in ["run.toml", "log.jsonl", "losses.png", "events.out.tfevents.1.parallax", "classes.toml"] {
                std::fs::write(path.join(name), "").unwrap();
            }
            std::fs::create_dir(folder.samples_path()).unwrap();
            std::fs::write(folder.samples_path().join("000001.png"), "").unwrap();
            if let Some(mine) = mine {
                std::fs::write(path.join(mine), "mine").unwrap();
            }
            let failed = Err::<(), _>(folder.in_training());
            assert!(folder.or_discard(failed).is_err());
            let left = std::fs::read_dir(&path).into_iter().flatten();
            left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        assert!(fail(None).is_empty() && !parent.path().join("run").exists());
        assert_eq!(fail(Some("notes.txt")), ["notes.txt"]);
    }
}
