//! The float model over the user's frames, into one histogram per tensor, and from there into u8 grids.

use std::collections::HashMap;

use tract_onnx::pb::ModelProto;

use super::affine::Affine;
use super::histogram::Histogram;
use super::layout::{Layout, QuantizedTensor};
use super::ranges::{LEVELS, RangeMethod, range_of};
use super::runner::Runner;
use super::{QuantizeConfig, QuantizeError, Result};

/// A Concat input keeps the joint scale when its own range is at least this share of the joint range: it then loses
/// at most one of its eight bits, and the Concat copies bytes instead of computing.
const SHARED_RANGE: f32 = 0.5;

/// What every tensor did on the calibration frames.
#[derive(Debug)]
pub struct Calibration {
    histograms: HashMap<String, Histogram>,
}

/// The u8 grid of every quantized tensor.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    grids: HashMap<String, Affine>,
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
        let computed =
            layout.tensors.iter().filter(|tensor| tensor.keeps_scale_of.is_none() && tensor.joins.is_empty());
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

    /// Chooses every tensor's range, then merges those that share a scale.
    pub fn grid(&self, layout: &Layout, method: RangeMethod, config: &QuantizeConfig) -> Grid {
        let mut groups = Groups::default();
        for tensor in &layout.tensors {
            self.place(&mut groups, layout, tensor, method, config);
        }
        let grids = layout.tensors.iter().map(|tensor| {
            let (low, high) = groups.range(&tensor.name);
            (tensor.name.clone(), Affine::covering(low, high, LEVELS))
        });
        Grid { grids: grids.collect() }
    }

    fn place(
        &self,
        groups: &mut Groups,
        layout: &Layout,
        tensor: &QuantizedTensor,
        method: RangeMethod,
        config: &QuantizeConfig,
    ) {
        if let Some(source) = &tensor.keeps_scale_of {
            let range = groups.range(source);
            groups.insert(&tensor.name, range);
            groups.join(source, &tensor.name);
        } else if !tensor.joins.is_empty() {
            let union = tensor.joins.iter().map(|name| groups.range(name)).fold((0.0, 0.0), union);
            groups.insert(&tensor.name, union);
            for name in &tensor.joins {
                let wide_enough = width(groups.range(name)) >= SHARED_RANGE * width(union);
                if wide_enough && (union.0 == 0.0 || !groups.is_rectified(name)) {
                    groups.join(name, &tensor.name);
                }
            }
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
}

fn union(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0.min(b.0), a.1.max(b.1))
}

fn width(range: (f32, f32)) -> f32 {
    range.1 - range.0
}

/// Tensors that share a scale, as a union-find; the range of a group contains those of its members.
///
/// Invariant: a group with a rectified member starts at zero, because the clamp at the lower end of its u8 range is the
/// ReLU that the int8 model no longer has.
#[derive(Debug, Default)]
struct Groups {
    index: HashMap<String, usize>,
    parent: Vec<usize>,
    ranges: Vec<(f32, f32)>,
    rectified: Vec<bool>,
}

impl Groups {
    fn insert(&mut self, name: &str, range: (f32, f32)) {
        self.index.insert(name.to_owned(), self.parent.len());
        self.parent.push(self.parent.len());
        self.ranges.push(range);
        self.rectified.push(false);
    }

    fn mark_rectified(&mut self, name: &str) {
        if let Some(root) = self.root(name) {
            self.rectified[root] = true;
        }
    }

    fn is_rectified(&self, name: &str) -> bool {
        self.root(name).is_some_and(|root| self.rectified[root])
    }

    fn root(&self, name: &str) -> Option<usize> {
        let mut at = *self.index.get(name)?;
        while self.parent[at] != at {
            at = self.parent[at];
        }
        Some(at)
    }

    fn range(&self, name: &str) -> (f32, f32) {
        self.root(name).map_or((0.0, 0.0), |root| self.ranges[root])
    }

    fn join(&mut self, a: &str, b: &str) {
        if let (Some(a), Some(b)) = (self.root(a), self.root(b))
            && a != b
        {
            self.ranges[b] = union(self.ranges[a], self.ranges[b]);
            self.rectified[b] |= self.rectified[a];
            self.parent[a] = b;
        }
    }
}
