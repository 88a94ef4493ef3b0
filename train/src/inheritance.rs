//! What a new run takes over from `--init`.
//!
//! | `--init` | a run of the same kind | any other |
//! |---|---|---|
//! | nothing | fresh weights | fresh weights |
//! | a run folder of the same kind | the whole network | |
//! | a run folder of another kind | | the encoder, and the decoder where both have one of the same form |
//! | torchvision's weights (a file) | | the encoder |
//!
//! So depth can start from nothing, from ImageNet or from earlier depth, as in the paper, and every rival likewise. The network
//! must be the same. What is learned beside it (a pose network, a momentum network) starts anew.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use parallax_core::camera::CameraIdentity;
use parallax_core::model_input::ModelInput;
use parallax_core::run::{RunDescription, RunKind};
use parallax_models::{Backbone, Network};

use crate::Error;
use crate::training::RunFolder;

/// What a new run starts from.
#[derive(Debug)]
pub enum Beginning {
    /// Fresh weights.
    Fresh,
    /// A weights file of the same kind of network.
    Same(PathBuf),
    /// The encoder, and perhaps the decoder, of something else.
    Backbone(Box<Backbone>),
}

impl Beginning {
    /// Finds what `init` gives a run of `kind`; `device` gets the weights.
    ///
    /// # Errors
    /// When it is neither a run nor a weights file, or of another network.
    pub fn of(init: Option<&Path>, kind: RunKind, network: Network, device: &Device) -> Result<Self, Error> {
        let Some(path) = init else { return Ok(Self::Fresh) };
        if path.is_file() {
            return Ok(Self::Backbone(Box::new(Backbone::from_torchvision(network, path, device)?)));
        }
        let (folder, description) = run(path, network)?;
        if description.kind == kind {
            return Ok(Self::Same(folder.weights_path()));
        }
        Ok(Self::Backbone(Box::new(Backbone::load(&folder.weights_path(), device)?)))
    }
}

/// Encoder and, where there is one, decoder of a run folder or of torchvision's weights.
///
/// # Errors
/// As [`Beginning::of`].
pub fn backbone(init: &Path, network: Network, device: &Device) -> Result<Backbone, Error> {
    if init.is_file() {
        return Ok(Backbone::from_torchvision(network, init, device)?);
    }
    let (folder, _) = run(init, network)?;
    Ok(Backbone::load(&folder.weights_path(), device)?)
}

/// The network and the model input of a run, for settings that the user has left open; none for a weights file.
///
/// # Errors
/// When `init` is neither a run folder nor a file.
pub fn settings(init: &Path) -> Result<Option<(Network, ModelInput)>, Error> {
    if init.is_file() {
        return Ok(None);
    }
    let description = RunFolder::open(init)?.description()?;
    Ok(Some((description.network.parse()?, description.input)))
}

/// The cameras whose pictures have taught a run; none for a weights file and for no `--init`.
///
/// # Errors
/// When `init` is neither a run folder nor a file.
pub fn cameras(init: Option<&Path>) -> Result<Vec<CameraIdentity>, Error> {
    match init {
        Some(path) if !path.is_file() => Ok(RunFolder::open(path)?.description()?.cameras()),
        _ => Ok(Vec::new()),
    }
}

/// A description that knows the cameras that taught what `init` gives.
///
/// # Errors
/// As [`cameras`].
pub fn inheriting(description: RunDescription, init: Option<&Path>) -> Result<RunDescription, Error> {
    Ok(RunDescription { inherited_cameras: cameras(init)?, ..description })
}

fn run(path: &Path, network: Network) -> Result<(RunFolder, RunDescription), Error> {
    let folder = RunFolder::open(path)?;
    let description = folder.description()?;
    if description.network != network.name() {
        let what = format!("expected a run of the network {network}, found {}", description.network);
        let hint = "give the --network that --init was trained with; `finetune` takes it from there if left out";
        return Err(Error::Run { what, path: path.to_path_buf(), hint });
    }
    Ok((folder, description))
}
