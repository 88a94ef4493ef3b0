//! What quantization did and what it cost, as a table for people and as JSON for programs.

use serde::Serialize;

use super::layout::{Layout, LeftInFloat};
use super::ranges::RangeMethod;
use super::rewrite::Rewritten;
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
    /// Every method tried, with the SNR at the model's output in dB.
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
    /// Operators that stay in float.
    pub left_in_float: Vec<LeftInFloat>,
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
}

impl QuantizeReport {
    pub(super) fn new(
        layout: &Layout,
        rewritten: &Rewritten,
        noise: &LayerNoise,
        ranges: RangeMethod,
        tried: Vec<(RangeMethod, f64)>,
        frames: CalibrationFrames<'_>,
        config: &QuantizeConfig,
    ) -> Self {
        let tried = tried.into_iter().map(|(ranges, snr)| Tried { ranges, output_snr_db: rounded(snr) });
        Self {
            schema: 1,
            ranges,
            percentile: (ranges == RangeMethod::Percentile).then_some(config.percentile),
            tried: tried.collect(),
            calibration_frames: frames.calibration.len(),
            held_frames: noise.frames,
            held_are_unseen: !frames.held.is_empty(),
            output_snr_db: rounded(noise.output_snr_db()),
            agreement_with_float: noise.agreement,
            layers: layers(layout, rewritten, noise),
            left_in_float: layout.left_in_float.clone(),
        }
    }

    /// What goes into the model's metadata: how it was made, in one line of JSON.
    pub fn summary_json(&self) -> String {
        serde_json::json!({
            "form": "qdq",
            "activations": "u8 per tensor",
            "weights": "s8 per channel",
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
        weight_snr_db: rewritten.weight_snr_db.get(&tensor.node).copied().map(rounded),
    });
    reports.collect()
}

/// Two decimals; an infinite ratio (nothing lost) becomes 999, because JSON has no infinity.
fn rounded(snr_db: f64) -> f64 {
    if snr_db.is_finite() { (snr_db * 100.0).round() / 100.0 } else { 999.0 }
}

impl std::fmt::Display for QuantizeReport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widest = self.layers.iter().map(|layer| layer.node.chars().count()).max().unwrap_or(5).clamp(5, 48);
        writeln!(formatter, "{:widest$}  operator       range                 SNR dB  alone  weights", "layer")?;
        for layer in &self.layers {
            let name: String = layer.node.chars().take(widest).collect();
            let range = format!("{:.3} … {:.3}", layer.range[0], layer.range[1]);
            let weights = layer.weight_snr_db.map_or(String::new(), |snr| format!("{snr:.1}"));
            let (snr, own, operator) = (layer.snr_db, layer.own_snr_db, &layer.operator);
            writeln!(formatter, "{name:widest$}  {operator:13}  {range:20}  {snr:6.1}  {own:5.1}  {weights:>7}")?;
        }
        for left in &self.left_in_float {
            writeln!(formatter, "left in float: {} ({}): {}", left.node, left.operator, left.reason)?;
        }
        let tried = self.tried.iter().map(|tried| format!("{} {:.2} dB", tried.ranges, tried.output_snr_db));
        writeln!(formatter, "ranges: {} (tried: {})", self.ranges, tried.collect::<Vec<_>>().join(", "))?;
        if !self.held_are_unseen {
            writeln!(formatter, "too few frames to hold some back: measured on the calibration frames themselves")?;
        }
        if let Some(agreement) = self.agreement_with_float {
            writeln!(formatter, "pixels with the same class as in float: {:.2} %", 100.0 * agreement)?;
        }
        write!(formatter, "output: {:.2} dB over {} frames", self.output_snr_db, self.held_frames)
    }
}
