//! The run folder: one training run on disk, whole at every moment.
//!
//! | file | what it holds |
//! |---|---|
//! | `run.toml` | the whole effective configuration: network, model input, seed, versions, data hashes |
//! | `model.safetensors` | the weights of the last saved step |
//! | `optimizer.bpk`, `state.json` | what `--resume` needs besides: Adam's moments, the step, the parameters' identities |
//! | `log.jsonl` | one line per logged step |
//! | `losses.png`, `samples/*.png` | pictures to look at |
//!
//! The three files of a checkpoint must belong to the same step. They are written into `saving.partial/`, which is
//! renamed to `saving/` when it is whole: that is the commit. Then they are moved up one by one. Whoever opens the folder
//! finishes the moves of a committed save and throws away an uncommitted one, so a run killed at any moment has its last
//! whole checkpoint.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// The version of `run.toml` this program writes and reads.
pub const SCHEMA: u32 = 1;

/// A run folder that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// What a run teaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// Depth pre-training.
    Depth,
    /// Optical-flow pre-training.
    Flow,
    /// Pre-training by filling in what was blanked.
    Inpainting,
    /// Contrastive pre-training.
    Contrastive,
    /// Segmentation.
    Segmentation,
}

impl RunKind {
    /// Passes if this is the `expected` kind.
    ///
    /// # Errors
    /// Names both kinds and the run at `path`.
    pub fn expect(self, expected: Self, path: &Path, hint: &'static str) -> Result<(), Error> {
        if self == expected {
            return Ok(());
        }
        let what = format!("expected a run of {expected}, found one of {self}");
        Err(Error::Run { what, path: path.to_path_buf(), hint })
    }
}

impl std::fmt::Display for RunKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Depth => "depth pre-training",
            Self::Flow => "optical-flow pre-training",
            Self::Inpainting => "inpainting pre-training",
            Self::Contrastive => "contrastive pre-training",
            Self::Segmentation => "segmentation",
        })
    }
}

/// Where a run's data came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The recording, folder or labelled set as it was named.
    pub path: PathBuf,
    /// Frames or images in it.
    pub count: usize,
    /// SHA-256 of what identifies its content.
    pub sha256: String,
}

/// `run.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDescription {
    /// Version of this form: 1.
    pub schema: u32,
    /// What was taught.
    pub kind: RunKind,
    /// Version of the program.
    pub parallax: String,
    /// The network's name, as `--network` takes it.
    pub network: String,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// The device it ran on.
    pub device: String,
    /// The command's effective settings.
    pub config: toml::Table,
    /// The contract between a picture and the network's numbers.
    pub input: parallax_core::model_input::ModelInput,
    /// What it was taught with.
    pub data: Vec<DataSource>,
}

impl RunFolder {
    /// Makes a new run folder.
    ///
    /// # Errors
    /// When `path` already holds something, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let occupied = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(Error::Run {
                what: "the run folder is not empty".into(),
                path: path.to_path_buf(),
                hint: "give --resume to go on with that run, or another --out",
            });
        }
        std::fs::create_dir_all(path).map_err(Error::io("create", path))?;
        Ok(Self { path: path.to_path_buf() })
    }

    /// Passes a run's result on; a run that failed before its first checkpoint leaves no folder behind.
    ///
    /// # Errors
    /// The result's own.
    pub fn or_discard<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() && !self.state_path().exists() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
        result
    }

    /// Opens a run folder and finishes a save that a kill interrupted.
    ///
    /// # Errors
    /// When it is no run folder, or cannot be repaired.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let folder = Self { path: path.to_path_buf() };
        if !folder.description_path().is_file() {
            return Err(Error::Run {
                what: "this is no run folder: it has no run.toml".into(),
                path: path.to_path_buf(),
                hint: "name a folder that `parallax-train pretrain` or `finetune` has written",
            });
        }
        folder.finish_interrupted_save()?;
        Ok(folder)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `run.toml`.
    #[must_use]
    pub fn description_path(&self) -> PathBuf {
        self.path.join("run.toml")
    }

    /// `model.safetensors`.
    #[must_use]
    pub fn weights_path(&self) -> PathBuf {
        self.path.join("model.safetensors")
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

    /// `samples/`.
    #[must_use]
    pub fn samples_path(&self) -> PathBuf {
        self.path.join("samples")
    }

    /// Writes `run.toml`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_description(&self, description: &RunDescription) -> Result<(), Error> {
        let text = toml::to_string_pretty(description)
            .map_err(|error| self.unreadable(format!("cannot write run.toml: {error}")))?;
        Ok(parallax_core::files::write_bytes(&self.description_path(), text.as_bytes())?)
    }

    /// Reads `run.toml`.
    ///
    /// # Errors
    /// When it is missing, malformed or of another version.
    pub fn description(&self) -> Result<RunDescription, Error> {
        let text = parallax_core::files::read_text(&self.description_path())?;
        let description: RunDescription =
            toml::from_str(&text).map_err(|error| self.unreadable(format!("cannot read run.toml: {error}")))?;
        if description.schema != SCHEMA {
            return Err(self.unreadable(format!("expected schema {SCHEMA}, found {}", description.schema)));
        }
        Ok(description)
    }

    fn unreadable(&self, what: String) -> Error {
        Error::Run {
            what,
            path: self.description_path(),
            hint: "the run was made by another version of this program, or edited: start it anew",
        }
    }

    /// Writes the files of a checkpoint through `write`, which gets a folder to write them into, and puts them in place
    /// together.
    pub(super) fn save(&self, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        let partial = self.path.join("saving.partial");
        discard(&partial)?;
        std::fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
        if let Err(error) = write(&partial).and_then(|()| sync_all_in(&partial)) {
            let _ = std::fs::remove_dir_all(&partial);
            return Err(error);
        }
        std::fs::rename(&partial, self.committed_save()).map_err(Error::io("rename", &partial))?;
        self.finish_interrupted_save()
    }

    fn committed_save(&self) -> PathBuf {
        self.path.join("saving")
    }

    fn finish_interrupted_save(&self) -> Result<(), Error> {
        discard(&self.path.join("saving.partial"))?;
        let committed = self.committed_save();
        if !committed.is_dir() {
            return Ok(());
        }
        for entry in std::fs::read_dir(&committed).map_err(Error::io("read", &committed))? {
            let from = entry.map_err(Error::io("read", &committed))?.path();
            let to = self.path.join(from.file_name().unwrap_or_default());
            std::fs::rename(&from, &to).map_err(Error::io("move", &from))?;
        }
        std::fs::remove_dir(&committed).map_err(Error::io("remove", &committed))
    }
}

fn discard(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() { std::fs::remove_dir_all(folder).map_err(Error::io("remove", folder)) } else { Ok(()) }
}

fn sync_all_in(folder: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(Error::io("write", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_all(folder: &Path, text: &str) {
        for name in ["model.safetensors", "optimizer.bpk", "state.json"] {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    fn run(parent: &Path) -> RunFolder {
        let folder = RunFolder::create(&parent.join("run")).unwrap();
        std::fs::write(folder.description_path(), "").unwrap();
        folder
            .save(|target| {
                write_all(target, "first");
                Ok(())
            })
            .unwrap();
        folder
    }

    fn contents(folder: &RunFolder) -> Vec<String> {
        [folder.weights_path(), folder.optimizer_path(), folder.state_path()]
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    }

    #[test]
    fn a_run_killed_while_it_writes_a_checkpoint_keeps_the_one_before() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        let partial = folder.path().join("saving.partial");
        std::fs::create_dir(&partial).unwrap();
        std::fs::write(partial.join("model.safetensors"), "half").unwrap();
        let folder = RunFolder::open(folder.path()).unwrap();
        assert_eq!(contents(&folder), ["first"; 3]);
        assert!(!partial.exists());
    }

    #[test]
    fn a_run_killed_while_it_moves_a_checkpoint_has_the_new_one_whole() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        let committed = folder.path().join("saving");
        std::fs::create_dir(&committed).unwrap();
        write_all(&committed, "second");
        std::fs::rename(committed.join("model.safetensors"), folder.weights_path()).unwrap();
        let folder = RunFolder::open(folder.path()).unwrap();
        assert_eq!(contents(&folder), ["second"; 3]);
        assert!(!committed.exists());
    }

    #[test]
    fn a_failed_save_leaves_the_checkpoint_before_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = run(parent.path());
        let failed = folder.save(|target| {
            std::fs::write(target.join("state.json"), "half").unwrap();
            Err(Error::io("write", target)(std::io::ErrorKind::StorageFull.into()))
        });
        assert!(failed.unwrap_err().hint().unwrap().contains("disk is full"));
        assert_eq!(contents(&folder), ["first"; 3]);
    }

    #[test]
    fn a_folder_with_something_in_it_does_not_become_a_run() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join("mine"), "").unwrap();
        assert!(RunFolder::create(parent.path()).is_err());
    }
}
