//! ResNet weights from torchvision, as `.pth` or `.safetensors`.
//!
//! Names map one to one but for the shortcut (`downsample.0` → `downsample.conv`, `downsample.1` → `downsample.bn`).
//! The classifier (`fc.*`) and PyTorch's step counters (`num_batches_tracked`) have no place here and are left out.

use std::path::Path;

use burn::tensor::TensorData;
use burn_store::burn_pack::Tensor as StoredTensor;
use burn_store::{ModuleStore, PytorchStore, SafetensorsStore, bridge};

use super::Encoder;
use crate::error::{ModelError, Result};
use crate::weights::{apply, malformed};

/// Name of the first convolution's weights, whose input channels depend on the number of pictures.
const STEM: &str = "conv1.weight";

impl Encoder {
    /// Takes over torchvision's weights, keeping the device and whether it trains.
    ///
    /// An encoder of several pictures gets the three-channel stem repeated for each, divided by their number, so that
    /// its features for a still scene are those of one picture.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`], [`ModelError::Malformed`]; [`ModelError::Mismatch`] lists every missing, unknown or
    /// misshapen tensor.
    pub fn with_torchvision_weights(self, path: &Path) -> Result<Self> {
        let pictures = self.conv1.weight.dims()[1] / 3;
        let tensors = read(path)?.into_iter().filter_map(|mut tensor| {
            tensor.name = our_name(&tensor.name)?;
            Some(if tensor.name == STEM && pictures > 1 { repeat_stem(&tensor, pictures, path) } else { Ok(tensor) })
        });
        apply(self, tensors.collect::<Result<_>>()?, path)
    }
}

fn read(path: &Path) -> Result<Vec<StoredTensor>> {
    std::fs::metadata(path).map_err(|source| ModelError::Unreadable { path: path.into(), source })?;
    let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
    let tensors = if is_safetensors {
        let mut store = SafetensorsStore::from_file(path);
        store.get_all_tensors().map_err(|error| malformed(path, error))?.values().cloned().collect()
    } else {
        let mut store = PytorchStore::from_file(path);
        store.get_all_tensors().map_err(|error| malformed(path, error))?.values().cloned().collect()
    };
    Ok(tensors)
}

fn our_name(theirs: &str) -> Option<String> {
    if theirs.starts_with("fc.") || theirs.ends_with("num_batches_tracked") {
        return None;
    }
    Some(theirs.replace("downsample.0", "downsample.conv").replace("downsample.1", "downsample.bn"))
}

fn repeat_stem(stem: &StoredTensor, pictures: usize, path: &Path) -> Result<StoredTensor> {
    let data = bridge::to_data(stem).map_err(|error| malformed(path, error))?;
    let shape: Vec<usize> = data.shape().iter().copied().collect();
    let values = data.try_to_vec::<f32>().map_err(|error| malformed(path, format!("{error:?}")))?;
    let per_output = values.len() / shape[0].max(1);
    let repeated: Vec<f32> = values
        .chunks(per_output.max(1))
        .flat_map(|kernel| std::iter::repeat_n(kernel, pictures).flatten())
        .map(|value| value / pictures as f32)
        .collect();
    let shape = vec![shape[0], shape[1] * pictures, shape[2], shape[3]];
    Ok(bridge::from_data(TensorData::new(repeated, shape), stem.name.clone(), None))
}
