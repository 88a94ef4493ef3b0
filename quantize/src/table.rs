//! The report as a table for people.

use std::fmt::{Display, Formatter, Result};

use super::judge::Verdict;
use super::report::{QuantizeReport, WholeModel};

/// Longest name of a layer that is shown whole.
const LONGEST_NAME: usize = 48;

impl Display for QuantizeReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        self.write_layers(formatter)?;
        self.write_costs(formatter)?;
        self.write_sharing(formatter)?;
        for left in &self.left_in_float {
            writeln!(formatter, "left in float: {} ({}): {}", left.node, left.operator, left.reason)?;
        }
        for node in &self.kept_in_float {
            let cost = self.cost_of(node).unwrap_or_default();
            writeln!(formatter, "kept in float: {node}: alone it costs {cost:.2} {}", self.unit())?;
        }
        if !self.always_zero.is_empty() {
            writeln!(formatter, "zero on every calibration frame: {}", self.always_zero.join(", "))?;
        }
        self.write_weights(formatter)?;
        let tried = self.tried.iter().map(|tried| format!("{} {:.2} dB", tried.ranges, tried.output_snr_db));
        writeln!(formatter, "ranges: {} (tried: {})", self.ranges, tried.collect::<Vec<_>>().join(", "))?;
        if let Some(biases) = self.bias_correction {
            let (before, after) = (biases.output_snr_db_before, biases.output_snr_db_after);
            let done = if biases.applied { "corrected" } else { "left as they were" };
            writeln!(formatter, "biases: {done} (output {before:.2} dB before correction, {after:.2} dB after)")?;
        }
        if !self.held_are_unseen {
            writeln!(formatter, "too few frames to hold some back: measured on the calibration frames themselves")?;
        }
        if let Some(agreement) = self.agreement_with_float {
            writeln!(formatter, "pixels with the same class as in float: {:.2} %", 100.0 * agreement)?;
        }
        if let Some(whole) = &self.whole {
            write_whole(whole, !self.kept_in_float.is_empty(), formatter)?;
        }
        write!(formatter, "output: {:.2} dB over {} frames", self.output_snr_db, self.held_frames)
    }
}

impl QuantizeReport {
    fn write_layers(&self, formatter: &mut Formatter<'_>) -> Result {
        let widest = width(self.layers.iter().map(|layer| layer.node.as_str()));
        writeln!(formatter, "{:widest$}  operator       range                 SNR dB  alone  weights", "layer")?;
        for layer in &self.layers {
            let name = ending(&layer.node, widest);
            let range = format!("{:.3} … {:.3}", layer.range[0], layer.range[1]);
            let weights = layer.weight_snr_db.map_or(String::new(), |snr| format!("{snr:.1}"));
            let (snr, own, operator) = (layer.snr_db, layer.own_snr_db, &layer.operator);
            writeln!(formatter, "{name:widest$}  {operator:13}  {range:20}  {snr:6.1}  {own:5.1}  {weights:>7}")?;
        }
        Ok(())
    }

    fn write_costs(&self, formatter: &mut Formatter<'_>) -> Result {
        let Some(whole) = self.whole.as_ref().filter(|_| !self.by_layer.is_empty()) else { return Ok(()) };
        let widest = width(self.by_layer.iter().map(|cost| cost.node.as_str()));
        let labelled = whole.float.miou_percent.is_some();
        let unit = if labelled { "mIoU" } else { "" };
        writeln!(
            formatter,
            "\n{:widest$}  {:13}  {:^28}  {:^28}",
            "", "", "this layer alone in int8", "all layers but this one"
        )?;
        let titles = format!("{:>8}  {:>9}  {unit:>7}", "out dB", "changed");
        writeln!(formatter, "{:widest$}  {:13}  {titles}  {titles}", "layer", "operator")?;
        for cost in &self.by_layer {
            let name = ending(&cost.node, widest);
            let alone = columns(&cost.alone, whole.float.miou_percent);
            let without = columns(&cost.without, whole.float.miou_percent);
            writeln!(formatter, "{name:widest$}  {:13}  {alone}  {without}", cost.operator)?;
        }
        if self.is_interrupted() {
            writeln!(formatter, "stopped after {} of {} layers", self.by_layer.len(), whole.layers_wanted)?;
        }
        writeln!(formatter)
    }

    fn write_sharing(&self, formatter: &mut Formatter<'_>) -> Result {
        for sharing in &self.sharing {
            let how = if sharing.shared { "copied into" } else { "requantized for" };
            let (input, concat, loss) = (&sharing.input, &sharing.concat, sharing.loss_db);
            writeln!(formatter, "{input} is {how} {concat}: sharing costs it {loss:.2} dB, {}", sharing.reason)?;
        }
        Ok(())
    }

    fn write_weights(&self, formatter: &mut Formatter<'_>) -> Result {
        let convolutions = self.layers.iter().filter(|layer| layer.weight_snr_db.is_some()).count();
        let (bits, at_risk) = (self.weight_bits, self.convolutions_at_risk);
        write!(formatter, "weights: {bits} bits; parallax-edge never overflows")?;
        if at_risk > 0 {
            let remedy = "with --weight-bits auto they cannot";
            write!(
                formatter,
                "; engines that add two products in 16 bits (x86 without VNNI) could in {at_risk} of {convolutions} \
                 convolutions, {remedy}"
            )?;
        }
        writeln!(formatter)
    }
}

fn write_whole(whole: &WholeModel, kept: bool, formatter: &mut Formatter<'_>) -> Result {
    let mut line = |what: &str, verdict: &Verdict| {
        let miou = verdict.miou_percent.map_or(String::new(), |miou| format!("mIoU {miou:.2} %"));
        let changed = verdict.changed_percent.map_or(String::new(), |changed| format!(", {changed:.2} % changed"));
        let text = format!("{miou}{changed}");
        writeln!(formatter, "{what}: {} on {} pictures", text.trim_start_matches(", "), whole.pictures)
    };
    line("float", &whole.float)?;
    line("every layer in int8", &whole.int8)?;
    if kept { line("as written", &whole.written) } else { Ok(()) }
}

/// Signal-to-noise ratio, changed pixels, change of mIoU.
fn columns(verdict: &Verdict, float_miou_percent: Option<f64>) -> String {
    let changed = verdict.changed_percent.map_or(String::new(), |changed| format!("{changed:.3} %"));
    let change = verdict.miou_percent.zip(float_miou_percent).map(|(miou, float)| format!("{:+.3}", miou - float));
    format!("{:8.2}  {changed:>9}  {:>7}", verdict.output_snr_db, change.unwrap_or_default())
}

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(5).clamp(5, LONGEST_NAME)
}

/// The last letters of a name: its end says more than its beginning.
fn ending(name: &str, letters: usize) -> String {
    let skipped = name.chars().count().saturating_sub(letters);
    name.chars().skip(skipped).collect()
}
