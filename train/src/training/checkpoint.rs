//! A checkpoint: weights, Adam's moments and the place in the run, of one and the same step.
//!
//! The task writes its weights (it knows which networks it has). burn keys Adam's moments by the parameters' identities,
//! which [`parallax_models`] counts from the network's name instead of drawing them, so that moments find their parameters in
//! a network built later.

use std::path::Path;

use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, Device};
use serde::{Deserialize, Serialize};

use super::{RunFolder, Task};
use crate::Error;

/// `state.json`: the place in the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of this form: 1.
    pub schema: u32,
    /// Steps done.
    pub step: u64,
    /// Steps the run is to have.
    pub steps: u64,
    /// Seconds trained so far, over all sittings.
    pub seconds: f64,
}

impl State {
    pub(super) fn new(step: u64, steps: u64, seconds: f64) -> Self {
        Self { schema: 1, step, steps, seconds }
    }
}

/// Saves a checkpoint, all or nothing.
pub(super) fn save<T: Task>(
    folder: &RunFolder,
    task: &T,
    model: &T::Model,
    optimizer: &ModuleOptimizer,
    state: &State,
) -> Result<(), Error> {
    folder.save(|target| {
        task.save(model, target)?;
        let path = target.join("optimizer.bpk");
        let moments = optimizer.to_record().into_bytes().map_err(|error| unfit(&path, &error))?;
        parallax_core::files::write_bytes(&path, &moments)?;
        let text = serde_json::to_vec_pretty(&state).map_err(|error| unfit(target, &error))?;
        Ok(parallax_core::files::write_bytes(&target.join("state.json"), &text)?)
    })
}

/// Reads `state.json`.
///
/// # Errors
/// When the run has no checkpoint yet, or the file is malformed.
pub fn read_state(folder: &RunFolder) -> Result<State, Error> {
    let path = folder.state_path();
    let broken = |what: String, hint| Error::Run { what, path: path.clone(), hint };
    if !path.is_file() {
        let hint = "it was stopped before its first one: --resume begins it again";
        return Err(broken("the run has no checkpoint yet".into(), hint));
    }
    let text = parallax_core::files::read_text(&path)?;
    serde_json::from_str(&text)
        .map_err(|error| broken(format!("cannot read state.json: {error}"), "start the run anew in another --out"))
}

/// The step of the checkpoint that is kept as the best; none where none is kept.
pub(super) fn best_step(folder: &RunFolder) -> Result<Option<u64>, Error> {
    if !folder.best_path().is_dir() {
        return Ok(None);
    }
    Ok(Some(read_state(&RunFolder::open(&folder.best_path())?)?.step))
}

/// Reads a checkpoint's weights and moments.
pub(super) fn restore<T: Task>(
    folder: &RunFolder,
    task: &T,
    optimizer: ModuleOptimizer,
    device: &Device,
) -> Result<(T::Model, ModuleOptimizer, State), Error> {
    let state = read_state(folder)?;
    let model = task.load(folder.path(), device)?;
    let path = folder.optimizer_path();
    let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
    Ok((model, with_moments(optimizer, bytes, &path)?, state))
}

/// burn panics on some damaged records. Those that this version saves are verified before ([`RunFolder::open`]); a run of an
/// older version has no hashes.
fn with_moments(optimizer: ModuleOptimizer, bytes: Vec<u8>, path: &Path) -> Result<ModuleOptimizer, Error> {
    let load = || Ok(optimizer.load_record(OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes))?));
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(load)) {
        Ok(loaded) => loaded.map_err(|error: burn::store::RecordError| unfit(path, &error)),
        Err(_) => Err(unfit(path, &"the record is damaged")),
    }
}

fn unfit(path: &Path, error: &impl std::fmt::Display) -> Error {
    Error::Weights { what: error.to_string(), path: path.to_path_buf() }
}
