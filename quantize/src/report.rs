//! What quantization did and what it cost, as a table for people and as JSON for programs.

use serde::Serialize;

use super::by_layer::{LayerCost, LayerCosts};
use super::judge::{Judge, Verdict};
use super::layout::{Layout, LeftInFloat};
use super::ranges::RangeMethod;
use super::rewrite::Rewritten;
use super::sharing::Sharing;
use super::weights::WeightBits;
use super::{CalibrationFrames, LayerNoise, QuantizeConfig};

/// The report of one quantization.
#[derive(Debug, Clone, Serialize)]
pub struct QuantizeReport {
    /// Version of this form: 1.
    pub schema: u32,
    /// The range method in use.
    pub ranges: RangeMethod,
    /// The percentile, when that method is in use.
    pub percentile: Option<f64>,
    /// Every method tried, with the SNR at the model's output in dB when every layer is in int8.
    pub tried: Vec<Tried>,
    /// Frames the ranges come from.
    pub calibration_frames: usize,
    /// Frames the noise was measured on.
    pub held_frames: usize,
    /// Whether the held frames are other frames than those the ranges come from.
    pub held_are_unseen: bool,
    /// SNR of the model's output, in dB.
    pub output_snr_db: f64,
    /// Share of pixels whose largest class is the same in both models.
    pub agreement_with_float: Option<f64>,
    /// One entry per quantized tensor, in the order in which they are computed.
    pub layers: Vec<LayerReport>,
    /// Operators that have no int8 form.
    pub left_in_float: Vec<LeftInFloat>,
    /// Tensors that were zero on every calibration frame: their range says nothing about other footage.
    pub always_zero: Vec<String>,
    /// Which inputs of Concats have its grid, and what that costs.
    pub sharing: Vec<Sharing>,
    /// What correcting the biases does, where it was tried, when every layer is in int8.
    pub bias_correction: Option<CorrectedBiases>,
    /// How fine the weights' grid is.
    pub weight_bits: WeightBits,
    /// Convolutions that can go wrong in engines that add two products in 16 bits; `parallax-edge` does not.
    pub convolutions_at_risk: usize,
    /// The answers on the pictures that were judged, where that was asked for.
    pub whole: Option<WholeModel>,
    /// What each layer costs, where that was asked for, in graph order.
    pub by_layer: Vec<LayerCost>,
    /// What a layer may cost alone, in points, where that was given.
    pub budget: Option<f64>,
    /// Layers that were kept in float, because each alone costs more than the budget.
    pub kept_in_float: Vec<String>,
}

/// What correcting the biases does at the model's output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CorrectedBiases {
    /// SNR before, in dB.
    pub output_snr_db_before: f64,
    /// SNR after, in dB.
    pub output_snr_db_after: f64,
    /// Whether the model has the corrected biases: where they raise the SNR by [`LEAST_GAIN_DB`].
    pub applied: bool,
}

/// What corrected biases must gain on the held frames, dB. Less is chance on a handful of frames: 0.1 dB on two frames went
/// with a loss of half a point of mIoU on 12 pictures, 1.6 dB on twelve with a gain in equal pixels.
pub const LEAST_GAIN_DB: f64 = 0.5;

/// Part of the pixels that must keep their class. What int8 costs a network that it suits is a percent of them or two; where one
/// in ten changes, masks are another network's.
const LEAST_AGREEMENT: f64 = 0.9;

/// The same for outputs that are no classes, dB: below, the noise has a third of the signal's amplitude.
const LEAST_OUTPUT_SNR_DB: f64 = 10.0;

impl CorrectedBiases {
    pub(super) fn new(before_db: f64, after_db: f64) -> Self {
        let (output_snr_db_before, output_snr_db_after) = (rounded(before_db), rounded(after_db));
        Self { output_snr_db_before, output_snr_db_after, applied: after_db >= before_db + LEAST_GAIN_DB }
    }
}

/// The whole model's answers: in float, with every layer in int8, and as it was written.
#[derive(Debug, Clone, Serialize)]
pub struct WholeModel {
    /// Pictures judged on.
    pub pictures: usize,
    /// In float.
    pub float: Verdict,
    /// With every layer in int8.
    pub int8: Verdict,
    /// As it was written: without the layers kept in float.
    pub written: Verdict,
    /// Layers that were to be measured by themselves; more than were when the work was stopped.
    pub layers_wanted: usize,
}

/// One range method and what it gave.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// The method.
    pub ranges: RangeMethod,
    /// SNR at the model's output, in dB.
    pub output_snr_db: f64,
}

/// One quantized tensor.
#[derive(Debug, Clone, Serialize)]
pub struct LayerReport {
    /// The tensor.
    pub tensor: String,
    /// The node that computes it.
    pub node: String,
    /// The operator that computes it.
    pub operator: String,
    /// Smallest and largest value on its u8 grid.
    pub range: [f32; 2],
    /// Step of the grid.
    pub scale: f32,
    /// The integer that means 0.
    pub zero_point: u8,
    /// SNR in the running int8 model, in dB.
    pub snr_db: f64,
    /// SNR of rounding this tensor alone, in dB. Low on purpose before an Elu: what the Elu flattens is clamped.
    pub own_snr_db: f64,
    /// SNR of the convolution's weights, in dB.
    pub weight_snr_db: Option<f64>,
    /// Of the convolution's output channels, those in which two neighbouring products could overflow 16 bits.
    pub channels_at_risk: Option<usize>,
}

impl QuantizeReport {
    pub(super) fn new(
        layout: &Layout,
        rewritten: &Rewritten,
        noise: &LayerNoise,
        ranges: RangeMethod,
        frames: CalibrationFrames<'_>,
        config: &QuantizeConfig,
    ) -> Self {
        Self {
            schema: 1,
            ranges,
            percentile: (ranges == RangeMethod::Percentile).then_some(config.percentile),
            tried: Vec::new(),
            calibration_frames: frames.calibration.len(),
            held_frames: noise.frames,
            held_are_unseen: !frames.held.is_empty(),
            output_snr_db: rounded(noise.output_snr_db()),
            agreement_with_float: noise.agreement,
            layers: layers(layout, rewritten, noise),
            left_in_float: layout.left_in_float.clone(),
            always_zero: Vec::new(),
            sharing: rewritten.grid.sharing.clone(),
            bias_correction: None,
            weight_bits: config.weight_bits,
            convolutions_at_risk: rewritten.weights.values().filter(|noise| noise.channels_at_risk > 0).count(),
            whole: None,
            by_layer: Vec::new(),
            budget: None,
            kept_in_float: Vec::new(),
        }
    }

    pub(super) fn add_tried(&mut self, tried: Vec<(RangeMethod, f64)>) {
        let tried = tried.into_iter().map(|(ranges, snr)| Tried { ranges, output_snr_db: rounded(snr) });
        self.tried = tried.collect();
    }

    /// This report, with what was measured for an earlier one of the same float model.
    pub(super) fn with_measured(self, earlier: Self) -> Self {
        let Self { tried, always_zero, bias_correction, whole, by_layer, budget, kept_in_float, .. } = earlier;
        Self { tried, always_zero, bias_correction, whole, by_layer, budget, kept_in_float, ..self }
    }

    /// Takes over what the layers cost and what the whole model is worth.
    pub(super) fn add_costs(&mut self, judge: &Judge, int8: Verdict, costs: LayerCosts) {
        let (pictures, float) = (judge.pictures(), judge.verdict_on_float);
        self.whole = Some(WholeModel { pictures, float, int8, written: int8, layers_wanted: costs.wanted });
        self.by_layer = costs.layers;
    }

    /// What a layer alone costs, in points; none where it was not measured.
    pub fn cost_of(&self, node: &str) -> Option<f64> {
        let cost = self.by_layer.iter().find(|cost| cost.node == node)?;
        cost.points(&self.whole.as_ref()?.float)
    }

    /// Whether the measuring of layers was stopped before its end.
    pub fn is_interrupted(&self) -> bool {
        self.whole.as_ref().is_some_and(|whole| self.by_layer.len() < whole.layers_wanted)
    }

    /// Why the int8 model is not the float model in smaller; none where it is.
    pub fn shortcoming(&self) -> Option<String> {
        let snr = self.output_snr_db;
        match self.agreement_with_float {
            Some(agreement) if agreement < LEAST_AGREEMENT => {
                let percent = 100.0 * agreement;
                Some(format!(
                    "int8 gives the class that float gives in {percent:.1} % of the pixels only ({snr:.1} dB)"
                ))
            }
            None if snr < LEAST_OUTPUT_SNR_DB => Some(format!("the output has {snr:.1} dB of signal to noise only")),
            _ => None,
        }
    }

    /// The unit of costs and of the budget.
    pub fn unit(&self) -> &'static str {
        let labelled = self.whole.as_ref().is_some_and(|whole| whole.float.miou_percent.is_some());
        if labelled { "points of mIoU" } else { "% of the pixels" }
    }

    /// What goes into the model's metadata: how it was made, in one line of JSON.
    pub fn summary_json(&self) -> String {
        serde_json::json!({
            "form": "qdq",
            "activations": "u8 per tensor",
            "weights": "s8 per channel",
            "weight_bits": self.weight_bits,
            "kept_in_float": self.kept_in_float,
            "ranges": self.ranges,
            "calibration_frames": self.calibration_frames,
            "output_snr_db": self.output_snr_db,
        })
        .to_string()
    }
}

fn layers(layout: &Layout, rewritten: &Rewritten, noise: &LayerNoise) -> Vec<LayerReport> {
    let known = layout.tensors.iter().filter_map(|tensor| {
        let grid = rewritten.grid.of(&tensor.name).ok()?;
        let noise = noise.tensors.get(&tensor.name)?;
        Some((tensor, grid, noise))
    });
    let reports = known.map(|(tensor, grid, noise)| LayerReport {
        tensor: tensor.name.clone(),
        node: tensor.node.clone(),
        operator: tensor.operator.clone(),
        range: grid.range().into(),
        scale: grid.scale,
        zero_point: grid.zero_point,
        snr_db: rounded(noise.accumulated_snr_db()),
        own_snr_db: rounded(noise.own_snr_db()),
        weight_snr_db: rewritten.weights.get(&tensor.node).map(|noise| rounded(noise.snr_db)),
        channels_at_risk: rewritten.weights.get(&tensor.node).map(|noise| noise.channels_at_risk),
    });
    reports.collect()
}

/// Two decimals; an infinite ratio (nothing lost) becomes 999 and one without signal −999, because JSON has no infinity.
pub(super) fn rounded(snr_db: f64) -> f64 {
    if snr_db.is_nan() { -999.0 } else { (snr_db.clamp(-999.0, 999.0) * 100.0).round() / 100.0 }
}
