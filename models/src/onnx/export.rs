//! A network as an ONNX model: its forward pass recorded, then put in order.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_onnx::export::OnnxExporter;
use parallax_onnx::{ModelProto, StringStringEntryProto};

use super::graph::Graph;
use super::{names, passes};
use crate::depth::DepthNetwork;
use crate::error::{ModelError, Result};
use crate::network::Network;
use crate::segmentation::SegmentationNetwork;

/// Name of the exported model's input.
pub const INPUT: &str = "image";

/// Name of a segmentation model's output.
pub const LOGITS: &str = "logits";

/// Name of a depth model's output.
pub const DISPARITY: &str = "disparity";

impl SegmentationNetwork {
    /// Writes the network as ONNX for pictures of one size.
    ///
    /// # Errors
    /// [`ModelError::InputSize`], [`ModelError::Export`]
    pub fn to_onnx(&self, width: usize, height: usize) -> Result<Vec<u8>> {
        export(self, Self::forward, self.network(), LOGITS, width, height)
    }

    /// Writes the network as an ONNX file for pictures of one size.
    ///
    /// # Errors
    /// [`ModelError::InputSize`], [`ModelError::Export`], [`ModelError::Unwritable`]
    pub fn save_onnx(&self, width: usize, height: usize, path: &Path) -> Result<()> {
        write(&self.to_onnx(width, height)?, path)
    }
}

impl DepthNetwork {
    /// Writes the network, with its finest disparity as output, as ONNX for pictures of one size.
    ///
    /// # Errors
    /// [`ModelError::InputSize`], [`ModelError::Export`]
    pub fn to_onnx(&self, width: usize, height: usize) -> Result<Vec<u8>> {
        export(self, Self::finest_disparity, self.network(), DISPARITY, width, height)
    }

    /// Writes the network as an ONNX file for pictures of one size.
    ///
    /// # Errors
    /// [`ModelError::InputSize`], [`ModelError::Export`], [`ModelError::Unwritable`]
    pub fn save_onnx(&self, width: usize, height: usize, path: &Path) -> Result<()> {
        write(&self.to_onnx(width, height)?, path)
    }
}

fn export<M: Module>(
    module: &M,
    forward: impl FnOnce(&M, Tensor<4>) -> Tensor<4>,
    network: Network,
    output: &str,
    width: usize,
    height: usize,
) -> Result<Vec<u8>> {
    network.check_size(width, height)?;
    let device = Device::flex();
    let module = module.valid().fork(&device);
    let sample = Tensor::<4>::zeros([1, 3, height, width], &device);
    let recorded = OnnxExporter::new().export(&module, sample, forward).map_err(failed)?;
    let mut model = ModelProto::from_bytes(recorded.as_bytes()).map_err(failed)?;
    let graph = model.graph.take().ok_or_else(|| ModelError::Export("the recording holds no graph".into()))?;
    let mut graph = Graph::new(graph);
    passes::fold_batch_norm(&mut graph)?;
    passes::restore_elu(&mut graph);
    passes::scale_resizes(&mut graph)?;
    passes::drop_unused(&mut graph);
    names::name_after_layers(&mut graph, INPUT, output);
    model.graph = Some(graph.into_proto(&format!("parallax-{network}")));
    model.producer_name = "parallax".into();
    model.producer_version = env!("CARGO_PKG_VERSION").into();
    model.metadata_props = vec![StringStringEntryProto { key: "network".into(), value: network.name().into() }];
    Ok(model.to_bytes())
}

fn failed(error: impl std::fmt::Display) -> ModelError {
    ModelError::Export(error.to_string())
}

fn write(bytes: &[u8], path: &Path) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| ModelError::Unwritable { path: path.into(), reason: error.to_string() })
}
