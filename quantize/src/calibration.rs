//! The float model over the user's frames, into one histogram per tensor, and from there into u8 grids.

use std::collections::HashMap;

use parallax_onnx::ModelProto;

use super::affine::Affine;
use super::histogram::Histogram;
use super::layout::Layout;
use super::ranges::{LEVELS, RangeMethod, range_of};
use super::runner::Runner;
use super::sharing::{Groups, Sharing};
use super::{QuantizeConfig, QuantizeError, Result};

/// What every tensor did on the calibration frames.
#[derive(Debug)]
pub struct Calibration {
    histograms: HashMap<String, Histogram>,
}

/// The u8 grid of every quantized tensor.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    grids: HashMap<String, Affine>,
    /// What was decided for the inputs of each Concat.
    pub sharing: Vec<Sharing>,
}

impl Grid {
    /// The grid of a tensor that is in the layout.
    ///
    /// # Errors
    /// A tensor that is not.
    pub fn of(&self, tensor: &str) -> Result<Affine> {
        let missing = || QuantizeError::Unsupported(format!("tensor {tensor} was never calibrated"));
        self.grids.get(tensor).copied().ok_or_else(missing)
    }
}

impl Calibration {
    /// Runs the float model on every frame and counts the values of every tensor that needs a scale of its own.
    ///
    /// # Errors
    /// A model that tract cannot run, a frame of the wrong size, a NaN or infinity on the way.
    pub fn run(float: &ModelProto, layout: &Layout, frames: &[Vec<f32>]) -> Result<Self> {
        // A tensor that keeps another's scale has no other values than that one.
        let computed = layout.tensors.iter().filter(|tensor| tensor.keeps_scale_of.is_none());
        let names: Vec<String> =
            computed.map(|tensor| tensor.name.clone()).filter(|name| *name != layout.input).collect();
        let runner = Runner::with_outputs(float, &names)?;
        let mut histograms: HashMap<String, Histogram> = HashMap::new();
        for (index, frame) in frames.iter().enumerate() {
            let non_finite = |tensor: &str, value| {
                let tensor = tensor.to_owned();
                QuantizeError::NonFiniteActivation { tensor, value, frame: index }
            };
            let input = histograms.entry(layout.input.clone()).or_default();
            input.add(frame).map_err(|value| non_finite(&layout.input, value))?;
            for (name, output) in names.iter().zip(runner.run(frame)?) {
                let histogram = histograms.entry(name.clone()).or_default();
                histogram.add(output.values()?).map_err(|value| non_finite(name, value))?;
            }
        }
        Ok(Self { histograms })
    }

    /// Chooses every tensor's range, and lets tensors share one where that is free.
    pub fn grid(&self, layout: &Layout, method: RangeMethod, config: &QuantizeConfig) -> Grid {
        let mut groups = Groups::default();
        let mut sharing = Vec::new();
        for tensor in &layout.tensors {
            if let Some(source) = &tensor.keeps_scale_of {
                groups.insert_beside(source, &tensor.name);
            } else if !tensor.joins.is_empty() {
                let seen = |name: &str| self.histograms.get(layout.scale_source(name)).cloned();
                sharing.extend(groups.insert_joined(tensor, seen, config.sharing_loss_db));
            } else {
                let known = config.input_range.filter(|_| tensor.name == layout.input);
                let seen = self.histograms.get(&tensor.name);
                let range = known.or_else(|| seen.map(|seen| range_of(seen, method, config.percentile, tensor.reader)));
                groups.insert(&tensor.name, range.unwrap_or_default());
            }
            if tensor.is_rectified() {
                groups.mark_rectified(&tensor.name);
            }
        }
        let grids = layout.tensors.iter().map(|tensor| {
            let (low, high) = groups.range(&tensor.name);
            (tensor.name.clone(), Affine::covering(low, high, LEVELS))
        });
        Grid { grids: grids.collect(), sharing }
    }

    /// Tensors that were zero on every calibration frame, in the order in which they are computed.
    pub fn always_zero(&self, layout: &Layout) -> Vec<String> {
        let zero = |name: &String| self.histograms.get(name).is_some_and(|seen| seen.range() == (0.0, 0.0));
        layout.tensors.iter().map(|tensor| tensor.name.clone()).filter(zero).collect()
    }
}
