//! What happens to a model between training and the board: a float ONNX model in, an int8 ONNX model in QDQ form out, and a bundle
//! around both.
//!
//! In reading order:
//!
//! | module | what it does |
//! |---|---|
//! | [`affine`] | the arithmetic of activations: real numbers to u8 and back |
//! | [`weights`] | the arithmetic of weights and biases, and who could overflow |
//! | [`graph`] | reading and writing ONNX: constants, producers, consumers |
//! | [`layout`] | which tensors become u8, and which of them share one scale |
//! | [`histogram`] | what values a tensor takes, gathered in one pass |
//! | [`ranges`] | the range a tensor gets: percentile or least squared error |
//! | [`sharing`] | which tensors have one grid, where that costs nothing |
//! | [`runner`] | a model in tract, with any of its tensors as outputs |
//! | `plain` | DequantizeLinear as tract cannot misread it |
//! | [`calibration`] | the float model over the user's frames, into histograms and ranges |
//! | [`rewrite`] | the QDQ model itself |
//! | [`bias`] | the mean shift of rounding, taken back by the biases |
//! | [`comparison`] | signal-to-noise ratio per layer, float against int8 |
//! | [`judge`] | a model's answers against the float model's and against labels |
//! | [`by_layer`] | what each layer alone costs, and what keeping it in float gives back |
//! | [`report`], `table`, [`plot`] | what was done and what it cost: as JSON, as a table, as a picture |
//! | [`foreign`] | models from elsewhere, made into what the quantizer and the board know |
//! | [`origin`] | where a model says that it comes from, against the run that it is packed with |
//! | [`pack`] | a model, its contract and a golden frame into a bundle |
//!
//! The form is ONNX QDQ: u8 activations per tensor, s8 weights per output channel (axis 0, symmetric), int32 bias with
//! scale `s_x · s_w`. ONNX Runtime, TensorRT and OpenVINO fuse it into integer kernels.
//!
//! *Invariant:* this crate knows neither burn nor the networks, and of a run folder only what `core::run` says. A model's input is
//! read from the model's own metadata.

pub mod affine;
pub mod bias;
pub mod by_layer;
pub mod calibration;
pub mod comparison;
mod error;
pub mod foreign;
pub mod graph;
pub mod histogram;
pub mod judge;
pub mod layout;
pub mod origin;
pub mod pack;
mod plain;
pub mod plot;
pub mod ranges;
pub mod report;
pub mod rewrite;
pub mod runner;
pub mod sharing;
mod table;
#[cfg(test)]
pub(crate) mod tests;
pub mod weights;

use std::collections::HashSet;

use parallax_onnx::{DataType, ModelProto, metadata, model_file};

pub use by_layer::Watch;
pub use error::{QuantizeError, Result};
pub use judge::{Judge, JudgedPicture};
pub use ranges::RangeMethod;
pub use report::{CorrectedBiases, QuantizeReport};
pub use weights::WeightBits;

use by_layer::Parts;
use calibration::{Calibration, Grid};
use comparison::LayerNoise;
use layout::Layout;
use rewrite::Rewritten;

/// How to quantize.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantizeConfig {
    /// How ranges are chosen; `None` tries every method and keeps the one with the least noise at the model's output.
    pub ranges: Option<RangeMethod>,
    /// The percentile that [`RangeMethod::Percentile`] keeps at each end, in percent.
    pub percentile: f64,
    /// The range the normalised input can take whatever the picture, when it is known.
    pub input_range: Option<(f32, f32)>,
    /// How fine the weights' grid is.
    pub weight_bits: WeightBits,
    /// By how much, in dB, a tensor's rounding noise may rise so that a Concat can copy it.
    pub sharing_loss_db: f32,
    /// Whether biases take the mean shift of rounding back.
    pub bias_correction: BiasCorrection,
}

/// Whether biases take the mean shift of rounding back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BiasCorrection {
    /// Where it lowers the noise at the model's output on the held frames.
    #[default]
    Auto,
    /// Never.
    Off,
}

impl Default for QuantizeConfig {
    fn default() -> Self {
        // 1 dB is a quarter more of the noise of one tensor among the thirty or more whose noise adds up at the output.
        let (percentile, sharing_loss_db) = (99.99, 1.0);
        let (weight_bits, bias_correction) = (WeightBits::default(), BiasCorrection::default());
        Self { ranges: None, percentile, input_range: None, weight_bits, sharing_loss_db, bias_correction }
    }
}

/// Frames for quantization, already prepared as the model's input.
#[derive(Debug, Clone, Copy)]
pub struct CalibrationFrames<'a> {
    /// What the ranges are taken from.
    pub calibration: &'a [Vec<f32>],
    /// What the noise is measured on; disjoint from `calibration` when there are enough frames.
    pub held: &'a [Vec<f32>],
}

impl<'a> CalibrationFrames<'a> {
    /// What the noise is measured on.
    fn measured(&self) -> &'a [Vec<f32>] {
        if self.held.is_empty() { self.calibration } else { self.held }
    }
}

/// A quantized model and what it cost.
#[derive(Debug)]
pub struct Quantized {
    /// The QDQ model.
    pub model: ModelProto,
    /// Scales, ranges and noise per layer.
    pub report: QuantizeReport,
    float: ModelProto,
    layout: Layout,
    grid: Grid,
    method: RangeMethod,
    config: QuantizeConfig,
}

/// Quantizes `float` with ranges from the calibration frames, and measures the noise on the held frames.
///
/// # Errors
/// A model that is already quantized, has non-finite weights, is damaged or asks for more than memory holds, fewer than one
/// frame, or what tract cannot run.
pub fn quantize(float: &ModelProto, frames: CalibrationFrames<'_>, config: &QuantizeConfig) -> Result<Quantized> {
    if frames.calibration.is_empty() {
        return Err(QuantizeError::NoFrames);
    }
    let mut float = float.clone();
    graph::lift_constants(&mut float)?;
    graph::check_float(&float)?;
    model_file::check(&float.to_bytes()).map_err(QuantizeError::Unsupported)?;
    let layout = Layout::of(&float)?;
    let calibration = Calibration::run(&float, &layout, frames.calibration)?;
    let methods = config.ranges.map_or(vec![RangeMethod::Percentile, RangeMethod::Mse], |method| vec![method]);

    let mut tried = Vec::new();
    let mut best: Option<(Rewritten, LayerNoise, RangeMethod)> = None;
    for method in methods {
        let grid = calibration.grid(&layout, method, config);
        let rewritten = rewrite::rewrite(&float, &layout, &grid, config.weight_bits)?;
        let noise = comparison::compare(&float, &rewritten, frames.measured())?;
        tried.push((method, noise.output_snr_db()));
        if best.as_ref().is_none_or(|(_, kept, _)| noise.output_snr_db() > kept.output_snr_db()) {
            best = Some((rewritten, noise, method));
        }
    }
    let (mut rewritten, mut noise, method) = best.ok_or(QuantizeError::NoFrames)?;
    let mut corrected_biases = None;
    if config.bias_correction == BiasCorrection::Auto {
        let mut corrected = rewritten.clone();
        bias::correct(&float, &mut corrected, frames.calibration)?;
        let after = comparison::compare(&float, &corrected, frames.measured())?;
        let outcome = CorrectedBiases::new(noise.output_snr_db(), after.output_snr_db());
        if outcome.applied {
            (rewritten, noise) = (corrected, after);
        }
        corrected_biases = Some(outcome);
    }
    let mut report = QuantizeReport::new(&layout, &rewritten, &noise, method, frames, config);
    report.add_tried(tried);
    report.always_zero = calibration.always_zero(&layout);
    report.bias_correction = corrected_biases;
    let Rewritten { model, grid, .. } = rewritten;
    let mut quantized = Quantized { model, report, float, layout, grid, method, config: *config };
    quantized.write_summary();
    Ok(quantized)
}

impl Quantized {
    /// A judge of models by what the float model makes of these pictures.
    ///
    /// # Errors
    /// As [`Judge::new`].
    pub fn judge(&self, pictures: Vec<JudgedPicture>) -> Result<Judge> {
        Judge::new(&self.float, pictures)
    }

    /// Measures what each layer costs, into the report. When `watch` stops it, those measured until then are there.
    ///
    /// # Errors
    /// A model that tract cannot run.
    pub fn measure_layers(&mut self, judge: &Judge, watch: Watch<'_>) -> Result<()> {
        let Self { float, layout, grid, .. } = &*self;
        let mut biases = graph::graph(&self.model)?.constants();
        biases.retain(|_, tensor| tensor.data_type == DataType::Int32 as i32);
        let costs = Parts { float, layout, grid, bits: self.config.weight_bits, biases }.costs(judge, watch)?;
        let int8 = judge.judge(&self.model)?;
        self.report.add_costs(judge, int8, costs);
        Ok(())
    }

    /// Writes the model anew with those layers in float of which each alone costs more than `budget`, in points of mIoU where
    /// the layers were judged by labels, else in percent of the pixels. The layers must have been measured.
    ///
    /// # Errors
    /// A model that tract cannot run.
    pub fn keep_in_float_above(&mut self, budget: f64, judge: &Judge, frames: CalibrationFrames<'_>) -> Result<()> {
        self.report.budget = Some(budget);
        let float_verdict = judge.verdict_on_float;
        let over =
            self.report.by_layer.iter().filter(|cost| cost.points(&float_verdict).is_some_and(|cost| cost > budget));
        let (places, names): (HashSet<usize>, Vec<String>) = over.map(|cost| (cost.place, cost.node.clone())).unzip();
        if places.is_empty() {
            return Ok(());
        }
        let layout = self.layout.with_float(&self.float, &places)?;
        let mut rewritten = rewrite::rewrite(&self.float, &layout, &self.grid, self.config.weight_bits)?;
        if self.report.bias_correction.is_some_and(|outcome| outcome.applied) {
            bias::correct(&self.float, &mut rewritten, frames.calibration)?;
        }
        let noise = comparison::compare(&self.float, &rewritten, frames.measured())?;
        let before = QuantizeReport { kept_in_float: names, ..self.report.clone() };
        let after = QuantizeReport::new(&layout, &rewritten, &noise, self.method, frames, &self.config);
        self.report = after.with_measured(before);
        self.model = rewritten.model;
        let written = judge.judge(&self.model)?;
        if let Some(whole) = &mut self.report.whole {
            whole.written = written;
        }
        self.write_summary();
        Ok(())
    }

    fn write_summary(&mut self) {
        self.model.set_metadata(metadata::QUANTIZATION, &self.report.summary_json());
    }
}
