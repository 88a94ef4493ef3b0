//! Post-training quantization: a float ONNX model in, an int8 ONNX model in QDQ form out.
//!
//! In reading order:
//!
//! | module | what it does |
//! |---|---|
//! | [`affine`] | the arithmetic: real numbers to integers and back |
//! | [`graph`] | reading and writing ONNX: constants, producers, consumers |
//! | [`layout`] | which tensors become u8, and which of them share one scale |
//! | [`histogram`] | what values a tensor takes, gathered in one pass |
//! | [`ranges`] | the range a tensor gets: percentile or least squared error |
//! | [`runner`] | a model in tract, with any of its tensors as outputs |
//! | [`calibration`] | the float model over the user's frames, into histograms and ranges |
//! | [`rewrite`] | the QDQ model itself |
//! | [`comparison`] | signal-to-noise ratio per layer, float against int8 |
//! | [`report`] | what was done and what it cost, as a table and as JSON |
//!
//! The form is ONNX QDQ: u8 activations per tensor, s8 weights per output channel (axis 0, symmetric), int32 bias with
//! scale `s_x · s_w`. ONNX Runtime, TensorRT and OpenVINO fuse it into integer kernels.
//!
//! *Invariant:* nothing here knows burn or a run folder. The model input is read from the model's own metadata.

pub mod affine;
pub mod calibration;
pub mod comparison;
mod error;
pub mod graph;
pub mod histogram;
pub mod layout;
pub mod ranges;
pub mod report;
pub mod rewrite;
pub mod runner;
#[cfg(test)]
pub(crate) mod tests;

use tract_onnx::pb::ModelProto;

pub use error::{QuantizeError, Result};
pub use ranges::RangeMethod;
pub use report::QuantizeReport;

use calibration::Calibration;
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
}

impl Default for QuantizeConfig {
    fn default() -> Self {
        Self { ranges: None, percentile: 99.99, input_range: None }
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

/// A quantized model and what it cost.
#[derive(Debug)]
pub struct Quantized {
    /// The QDQ model.
    pub model: ModelProto,
    /// Scales, ranges and noise per layer.
    pub report: QuantizeReport,
}

/// Quantizes `float` with ranges from the calibration frames, and measures the noise on the held frames.
///
/// # Errors
/// A model that is already quantized, has non-finite weights, fewer than one frame, or that tract cannot run.
pub fn quantize(float: &ModelProto, frames: CalibrationFrames<'_>, config: &QuantizeConfig) -> Result<Quantized> {
    if frames.calibration.is_empty() {
        return Err(QuantizeError::NoFrames);
    }
    let mut float = float.clone();
    graph::lift_constants(&mut float)?;
    graph::check_float(&float)?;
    let layout = Layout::of(&float)?;
    let calibration = Calibration::run(&float, &layout, frames.calibration)?;
    let methods = config.ranges.map_or(vec![RangeMethod::Percentile, RangeMethod::Mse], |method| vec![method]);
    let held = if frames.held.is_empty() { frames.calibration } else { frames.held };

    let mut tried = Vec::new();
    let mut best: Option<(Rewritten, LayerNoise, RangeMethod)> = None;
    for method in methods {
        let grid = calibration.grid(&layout, method, config);
        let rewritten = rewrite::rewrite(&float, &layout, &grid)?;
        let noise = comparison::compare(&float, &rewritten, held)?;
        tried.push((method, noise.output_snr_db()));
        if best.as_ref().is_none_or(|(_, kept, _)| noise.output_snr_db() > kept.output_snr_db()) {
            best = Some((rewritten, noise, method));
        }
    }
    let (rewritten, noise, method) = best.ok_or(QuantizeError::NoFrames)?;
    let report = QuantizeReport::new(&layout, &rewritten, &noise, method, tried, frames, config);
    let mut model = rewritten.model;
    graph::set_metadata(&mut model, "parallax.quantization", &report.summary_json());
    Ok(Quantized { model, report })
}
