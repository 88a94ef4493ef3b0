//! Weights in and out: one safetensors file per network, with torchvision-like parameter names.
//!
//! The file's metadata say what it holds: `network` (`slim`), `part` (`depth`, `pose`, `segmentation`, `flow`, `inpainting`,
//! `contrastive`, `contrastive-keys`) and, for segmentation, `classes`. Names are the paths of the fields: `encoder.layer1.0.conv1.weight`,
//! `decoder.levels.0.fuse.bias`, `predictors.0.weight`, `head.weight`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device};
use burn_store::burn_pack::Tensor as StoredTensor;
use burn_store::{ModuleSnapshot, ModuleStore, SafetensorsStore};

use crate::contrastive::{ContrastiveNetwork, Keys};
use crate::depth::DepthNetwork;
use crate::error::{ModelError, Result};
use crate::flow::FlowNetwork;
use crate::inpainting::InpaintingNetwork;
use crate::network::Network;
use crate::pose::PoseNetwork;
use crate::segmentation::SegmentationNetwork;

/// A safetensors header longer than this is a damaged file: ours are a few tens of kilobytes.
const LONGEST_HEADER_BYTES: u64 = 100 << 20;

/// What a weight file says it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsHeader {
    /// The network.
    pub network: Network,
    /// `depth`, `pose`, `segmentation`, `flow`, `inpainting`, `contrastive` or `contrastive-keys`.
    pub part: String,
    /// Number of classes, for segmentation.
    pub classes: Option<usize>,
}

impl WeightsHeader {
    /// Reads what the file at `path` says it holds.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`], [`ModelError::Malformed`]; [`ModelError::WrongNetwork`] for a file that is not ours.
    pub fn read(path: &Path) -> Result<Self> {
        let metadata = read_metadata(path)?;
        let foreign = || ModelError::WrongNetwork {
            found: "weights without a network's name".into(),
            expected: "weights saved by parallax".into(),
            path: path.into(),
        };
        let text = |key: &str| metadata.get(key).and_then(|value| value.as_str());
        Ok(Self {
            network: text("network").ok_or_else(foreign)?.parse()?,
            part: text("part").ok_or_else(foreign)?.into(),
            classes: text("classes").and_then(|classes| classes.parse().ok()),
        })
    }

    fn expect_part(self, part: &str, path: &Path) -> Result<Self> {
        if self.part == part {
            return Ok(self);
        }
        let found = format!("a {} network's weights", self.part);
        Err(ModelError::WrongNetwork { found, expected: format!("a {part} network's"), path: path.into() })
    }
}

impl DepthNetwork {
    /// Writes the weights; a file already there is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unwritable`]
    pub fn save(&self, path: &Path) -> Result<()> {
        save(self, self.network(), "depth", None, path)
    }

    /// Reads weights written by [`save`](Self::save).
    ///
    /// # Errors
    /// [`ModelError::Unreadable`], [`ModelError::Malformed`], [`ModelError::WrongNetwork`], [`ModelError::Mismatch`]
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?.expect_part("depth", path)?;
        load_into(header.network.depth(0, device), path)
    }
}

impl PoseNetwork {
    /// Writes the weights; a file already there is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unwritable`]
    pub fn save(&self, path: &Path) -> Result<()> {
        save(self, self.network(), "pose", None, path)
    }

    /// Reads weights written by [`save`](Self::save).
    ///
    /// # Errors
    /// As [`DepthNetwork::load`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?.expect_part("pose", path)?;
        load_into(header.network.pose(0, device), path)
    }
}

impl SegmentationNetwork {
    /// Writes the weights; a file already there is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unwritable`]
    pub fn save(&self, path: &Path) -> Result<()> {
        save(self, self.network(), "segmentation", Some(self.classes()), path)
    }

    /// Reads weights written by [`save`](Self::save).
    ///
    /// # Errors
    /// As [`DepthNetwork::load`]; [`ModelError::ClassCount`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?.expect_part("segmentation", path)?;
        load_into(header.network.segmentation(header.classes.unwrap_or(0), 0, device)?, path)
    }
}

impl FlowNetwork {
    /// Writes the weights; a file already there is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unwritable`]
    pub fn save(&self, path: &Path) -> Result<()> {
        save(self, self.network(), "flow", None, path)
    }

    /// Reads weights written by [`save`](Self::save).
    ///
    /// # Errors
    /// As [`DepthNetwork::load`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?.expect_part("flow", path)?;
        load_into(header.network.flow(0, device), path)
    }
}

impl InpaintingNetwork {
    /// Writes the weights; a file already there is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unwritable`]
    pub fn save(&self, path: &Path) -> Result<()> {
        save(self, self.network(), "inpainting", None, path)
    }

    /// Reads weights written by [`save`](Self::save).
    ///
    /// # Errors
    /// As [`DepthNetwork::load`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?.expect_part("inpainting", path)?;
        load_into(header.network.inpainting(0, device), path)
    }
}

impl ContrastiveNetwork {
    /// Writes the weights; a file already there is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unwritable`]
    pub fn save(&self, path: &Path) -> Result<()> {
        save(self, self.network(), "contrastive", None, path)
    }

    /// Reads weights written by [`save`](Self::save).
    ///
    /// # Errors
    /// As [`DepthNetwork::load`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?.expect_part("contrastive", path)?;
        load_into(header.network.contrastive(0, device), path)
    }
}

impl Keys {
    /// Writes momentum network and queue; a file already there is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unwritable`]
    pub fn save(&self, path: &Path) -> Result<()> {
        save(self, self.network.network(), "contrastive-keys", None, path)
    }

    /// Reads what [`save`](Self::save) wrote; the queue must hold `length` keys.
    ///
    /// # Errors
    /// As [`DepthNetwork::load`].
    pub fn load(path: &Path, length: usize, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?.expect_part("contrastive-keys", path)?;
        load_into(Self::new(header.network, length, device), path)
    }
}

fn save<M: Module>(module: &M, network: Network, part: &str, classes: Option<usize>, path: &Path) -> Result<()> {
    let mut store =
        SafetensorsStore::from_file(path).overwrite(true).metadata("network", network.name()).metadata("part", part);
    if let Some(classes) = classes {
        store = store.metadata("classes", classes.to_string());
    }
    let unwritable =
        |error: &dyn std::fmt::Display| ModelError::Unwritable { path: path.into(), reason: error.to_string() };
    store.collect_from(&module.valid()).map_err(|error| unwritable(&error))
}

fn load_into<M: Module>(module: M, path: &Path) -> Result<M> {
    let mut store = SafetensorsStore::from_file(path);
    let tensors = store.get_all_tensors().map_err(|error| malformed(path, error))?;
    apply(module, tensors.values().cloned().collect(), path)
}

/// Reads those tensors of a file whose names begin with one of `prefixes`, which must be all that the module has.
pub(crate) fn load_beginning<M: Module>(module: M, prefixes: &[&str], path: &Path) -> Result<M> {
    let names: Vec<String> = module.collect(None, None, false).iter().map(|tensor| tensor.name.clone()).collect();
    let first = |name: &str| prefixes.iter().copied().find(|prefix| name.starts_with(prefix));
    let wanted: Vec<&str> = names.iter().filter_map(|name| first(name)).collect();
    let mut store = SafetensorsStore::from_file(path);
    let tensors = store.get_all_tensors().map_err(|error| malformed(path, error))?;
    let ours = tensors.values().filter(|tensor| first(&tensor.name).is_some_and(|prefix| wanted.contains(&prefix)));
    apply(module, ours.cloned().collect(), path)
}

/// Puts tensors into a module; every name and shape must fit, and every number must be finite.
pub(crate) fn apply<M: Module>(mut module: M, tensors: Vec<StoredTensor>, path: &Path) -> Result<M> {
    tensors.iter().try_for_each(|tensor| check_finite(tensor, path))?;
    let result = module.apply(tensors, None, None, false);
    let missing = result.missing.iter().map(|(name, _)| format!("missing {name}"));
    let unused = result.unused.iter().map(|name| format!("unknown {name}"));
    let wrong = result.errors.iter().map(ToString::to_string);
    let problems: Vec<String> = wrong.chain(missing).chain(unused).collect();
    if problems.is_empty() {
        return Ok(module);
    }
    Err(ModelError::Mismatch { problems: shorten(&problems), path: path.into() })
}

/// A NaN among the weights makes every answer NaN, and the class of all pixels the first one.
fn check_finite(tensor: &StoredTensor, path: &Path) -> Result<()> {
    if tensor.dtype != DType::F32 {
        return Ok(());
    }
    let bytes = tensor.to_bytes().map_err(|error| malformed(path, error))?;
    let mut values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    match values.find(|value| !value.is_finite()) {
        Some(value) => Err(ModelError::NotFinite { tensor: tensor.name.clone(), value, path: path.into() }),
        None => Ok(()),
    }
}

/// The first few problems in full and the number of the others: a wrong network has hundreds.
fn shorten(problems: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match problems.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown}; and {more} more"),
        _ => shown,
    }
}

pub(crate) fn malformed(path: &Path, error: impl std::fmt::Display) -> ModelError {
    ModelError::Malformed { path: path.into(), reason: error.to_string() }
}

fn read_metadata(path: &Path) -> Result<BTreeMap<String, serde_json::Value>> {
    let unreadable = |source| ModelError::Unreadable { path: path.into(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| malformed(path, error))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER_BYTES {
        return Err(malformed(path, "the header's length makes no sense"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(unreadable)?;
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| malformed(path, error))?;
    match header.remove("__metadata__") {
        Some(serde_json::Value::Object(metadata)) => Ok(metadata.into_iter().collect()),
        _ => Ok(BTreeMap::new()),
    }
}
