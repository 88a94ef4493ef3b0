//! What was measured, for people and as JSON to send in.

use parallax_core::bundle::{Arithmetic, Bundle, BundledModel};
use serde::Serialize;

use super::Compare;
use crate::machine::{Condition, Machine};
use crate::stages::StagePercentiles;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Bench {
    /// Prepare, infer and postprocess of one frame: half of the frames were faster.
    pub p50_ms: f64,
    /// 95 % were faster.
    pub p95_ms: f64,
    /// 99 % were faster.
    pub p99_ms: f64,
    /// Mean CPU time of one frame, all threads together, waiting for each other included: what it costs when other work
    /// takes the processor as well. None where the system does not say.
    pub cpu_ms: Option<f64>,
    /// Shortest time of inference: what it takes when nothing else runs.
    pub fastest_infer_ms: f64,
    /// Operations per frame, in 10⁹.
    pub gops: f64,
    /// Operations per second of inference at the median, in 10⁹.
    pub gops_per_s: f64,
    /// Operations per second that the threads of a frame reach together with nothing but the convolution's inner
    /// instruction, in 10⁹; none for a model that is not run in integers.
    pub peak_gops_per_s: Option<f64>,
    /// The share of it that the model reaches.
    pub share_of_peak: Option<f64>,
    /// Most memory the program had, in 10⁶ bytes; none where the system does not say. What it is compared with counts.
    pub rss_mb: Option<f64>,
    /// Masks per second, all threads together.
    pub frames_per_s: f64,
    /// Frames measured.
    pub runs: usize,
    /// Frames before the clock counted.
    pub warm_up: usize,
    /// Frames worked on at once.
    pub threads: usize,
    /// What runs the model.
    pub runs_on: String,
    /// What of an int8 file runs in float, if anything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_warning: Option<String>,
    /// Instructions that integers are computed with.
    pub isa: &'static str,
    /// Threads that share an int8 operator of a frame.
    pub split: usize,
    /// Whether each of them had a core of its own.
    pub pinned: bool,
    /// The stages apart.
    pub stages: StagePercentiles,
    /// What it was compared with.
    pub compared: Vec<Compared>,
    /// What was measured where.
    #[serde(flatten)]
    pub measured: Measured,
}

/// What was measured where.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The model.
    pub subject: Subject,
    /// This program's version.
    pub version: &'static str,
    /// The machine.
    pub machine: Machine,
    /// Its condition when the clock started.
    pub before: Condition,
    /// Its condition after the last frame.
    pub after: Condition,
}

/// The model that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// The bundle's name.
    pub bundle: String,
    /// The network's name.
    pub network: String,
    /// Width of the network's input.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// What the manifest says of its arithmetic.
    pub arithmetic: Arithmetic,
    /// Hash of the model file.
    pub sha256: String,
}

impl Subject {
    pub(super) fn of(bundle: &Bundle, model: &BundledModel) -> Self {
        let manifest = bundle.manifest();
        Self {
            bundle: manifest.name.clone(),
            network: manifest.training.network.clone(),
            width: manifest.input.width,
            height: manifest.input.height,
            arithmetic: model.arithmetic,
            sha256: model.sha256.clone(),
        }
    }
}

/// What it was compared with.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// What it was.
    pub with: Compare,
    /// Median time of inference.
    pub p50_ms: f64,
    /// Mean CPU time of one frame; none where the system does not say.
    pub cpu_ms: Option<f64>,
    /// Shortest time of inference.
    pub fastest_ms: f64,
    /// Its median divided by the bundle's.
    pub ratio_of_medians: f64,
    /// Its shortest time divided by the bundle's.
    pub ratio_of_fastest: f64,
}

impl std::fmt::Display for Bench {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "{}", self.stages)?;
        let rate = format!("{:.3} GOP per frame, {:.1} GOP/s while inferring", self.gops, self.gops_per_s);
        match (self.share_of_peak, self.peak_gops_per_s) {
            (Some(share), Some(peak)) => {
                writeln!(formatter, "{rate}: {:.0} % of this machine's {peak:.1}; {}", 100.0 * share, self.runs_on)?;
            }
            _ => writeln!(formatter, "{rate}; {}", self.runs_on)?,
        }
        let known = |number: Option<f64>, unit: &str| match number {
            Some(number) => format!("{number:.1} {unit}"),
            None => "unknown".to_owned(),
        };
        let (frames, split, pinned) = (self.threads, self.split, if self.pinned { " (pinned)" } else { "" });
        write!(
            formatter,
            "{:.1} masks/s, {frames} frame(s) at once, {split} thread(s) a frame{pinned}, ",
            self.frames_per_s
        )?;
        writeln!(formatter, "memory {}, CPU time a frame {}", known(self.rss_mb, "MB"), known(self.cpu_ms, "ms"))?;
        let Measured { machine, after, version, .. } = &self.measured;
        let name = machine.processor.as_deref().or(machine.name.as_deref()).unwrap_or("unknown processor");
        write!(formatter, "{name}, {} core(s), {}; ", machine.cores, self.isa)?;
        write!(
            formatter,
            "temperature {}, clock {}; ",
            known(after.temperature_c, "°C"),
            known(after.clock_mhz, "MHz")
        )?;
        write!(formatter, "version {version}; fastest inference {:.2} ms", self.fastest_infer_ms)?;
        for Compared { with, p50_ms, fastest_ms, ratio_of_medians, ratio_of_fastest, .. } in &self.compared {
            let with = match with {
                Compare::Float => "the float model, in tract",
                Compare::Tract => "the same file in tract",
            };
            write!(formatter, "\n{with}: {p50_ms:.2} ms, {ratio_of_medians:.1} times as long; ")?;
            write!(formatter, "fastest {fastest_ms:.2} ms, {ratio_of_fastest:.1} times")?;
        }
        Ok(())
    }
}
