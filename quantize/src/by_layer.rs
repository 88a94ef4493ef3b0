//! What each layer costs: the layer alone in int8 with all others in float, and all others in int8 with the layer in float.
//!
//! ```text
//! alone:    float ── float ── [ u8 in · s8 weights · u8 out ] ── float      what this layer's rounding does to the answer
//! without:  int8  ── int8  ── [ float                       ] ── int8       what keeping it in float would give back
//! ```
//!
//! A layer alone rounds what it reads as well as what it gives: so where one tensor is what suffers, the layer that writes
//! it and those that read it are all found guilty, all kept in float, and the tensor between them stays float.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parallax_onnx::{ModelProto, TensorProto};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Serialize;

use super::Result;
use super::calibration::Grid;
use super::judge::{Judge, Verdict};
use super::layout::{Layer, Layout};
use super::rewrite::rewrite;
use super::weights::WeightBits;

/// What one layer costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerCost {
    /// The layer's node.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// Its place in the float graph.
    #[serde(skip)]
    pub place: usize,
    /// The model in which this layer alone is in int8.
    pub alone: Verdict,
    /// The model in which this layer alone is in float.
    pub without: Verdict,
}

/// How far the work is, and whether to stop it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Ends the work after the layers in hand.
    pub stop: &'a AtomicBool,
    /// Told how many of how many layers are done.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// What the layers cost, and whether all of them were measured.
#[derive(Debug, Clone)]
pub struct LayerCosts {
    /// In graph order.
    pub layers: Vec<LayerCost>,
    /// Layers that were to be measured.
    pub wanted: usize,
}

/// A float model with what is needed to write any part of it in int8.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) float: &'a ModelProto,
    pub(super) layout: &'a Layout,
    pub(super) grid: &'a Grid,
    pub(super) bits: WeightBits,
    /// The biases of the model with every layer in int8, by the name of their initializer.
    pub(super) biases: HashMap<&'a str, &'a TensorProto>,
}

impl Parts<'_> {
    /// Measures every layer, several at a time.
    pub(super) fn costs(&self, judge: &Judge, watch: Watch<'_>) -> Result<LayerCosts> {
        let layers = self.layout.layers(self.float)?;
        let done = AtomicUsize::new(0);
        (watch.progress)(0, layers.len());
        let measured = layers.par_iter().map(|layer| {
            if watch.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let cost = self.cost(layer, &layers, judge)?;
            (watch.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, layers.len());
            Ok(Some(cost))
        });
        let measured = measured.collect::<Result<Vec<Option<LayerCost>>>>()?;
        Ok(LayerCosts { layers: measured.into_iter().flatten().collect(), wanted: layers.len() })
    }

    fn cost(&self, layer: &Layer, layers: &[Layer], judge: &Judge) -> Result<LayerCost> {
        let others = layers.iter().map(|other| other.place).filter(|place| *place != layer.place).collect();
        Ok(LayerCost {
            node: layer.node.clone(),
            operator: layer.operator.clone(),
            place: layer.place,
            // What takes back the shift of layers before would be wrong where those do not shift.
            alone: judge.judge(&self.with_float(&others)?)?,
            without: judge.judge(&self.with_its_biases(self.with_float(&HashSet::from([layer.place]))?))?,
        })
    }

    fn with_float(&self, places: &HashSet<usize>) -> Result<ModelProto> {
        let layout = self.layout.with_float(self.float, places)?;
        Ok(rewrite(self.float, &layout, self.grid, self.bits)?.model)
    }

    /// Gives a model the biases that the whole int8 model has.
    fn with_its_biases(&self, mut model: ModelProto) -> ModelProto {
        for tensor in model.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
            if let Some(bias) = self.biases.get(tensor.name.as_str()) {
                tensor.raw_data.clone_from(&bias.raw_data);
            }
        }
        model
    }
}

impl LayerCost {
    /// What the layer alone costs: points of mIoU where there are labels, else percent of the pixels that change their class;
    /// none for an output without classes.
    pub fn points(&self, float: &Verdict) -> Option<f64> {
        let miou = float.miou_percent.zip(self.alone.miou_percent).map(|(float, alone)| float - alone);
        miou.or(self.alone.changed_percent)
    }
}
