//! The loop as numbers for Prometheus. Names and units as <https://prometheus.io/docs/practices/naming/> asks for.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parallax_camera::Counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::TypedMetric as _;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::drive::FrameLine;
use crate::publish::News;
use crate::publish::handover::Handover;

/// Seconds: from a fast network on a fast machine to a board that cannot keep up.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.033, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5];

type Label = [(&'static str, &'static str); 1];
type Level = Gauge<f64, AtomicU64>;

/// All metrics of a run; counting takes no memory.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    frames: Counter,
    lost: Counter,
    not_finite: Counter,
    network: Gauge,
    passed_over: Counter,
    age: Histogram,
    /// In the order of a frame's stages.
    stages: [Histogram; 5],
    up: Gauge,
    temperature: Level,
    other_model: Gauge,
    camera: CameraCounters,
}

/// What became of a camera's pictures, by the camera's own count.
#[derive(Debug)]
struct CameraCounters {
    captured: Counter,
    losses: Counter,
    skipped: Counter,
    replaced: Counter,
    corrupt: Counter,
    stale: Counter,
}

impl CameraCounters {
    fn new(registry: &mut Registry) -> Self {
        let drops = Family::<Label, Counter>::default();
        registry.register("camera_drops", "Pictures of the camera without a mask, by reason", drops.clone());
        let drop = |reason| drops.get_or_create_owned(&[("reason", reason)]);
        Self {
            captured: counter(registry, "camera_captured", "Good pictures that the camera gave"),
            losses: counter(registry, "camera_losses", "How often the camera was lost"),
            skipped: drop("skipped_by_camera"),
            replaced: drop("replaced_by_newer"),
            corrupt: drop("corrupt"),
            stale: drop("stale"),
        }
    }

    fn set(&self, found: Counters) {
        for (counter, now) in [
            (&self.captured, found.captured),
            (&self.losses, found.losses),
            (&self.skipped, found.skipped),
            (&self.replaced, found.replaced),
            (&self.corrupt, found.corrupt),
            (&self.stale, found.stale),
        ] {
            counter.inc_by(now.saturating_sub(counter.get()));
        }
    }
}

impl Metrics {
    /// `views` and `log` are the consumers whose misses are counted.
    pub(super) fn new(views: Arc<Handover<News>>, log: Option<Arc<Handover<News>>>) -> Self {
        let mut whole = Registry::default();
        whole.register_collector(Box::new(Process));
        let registry = whole.sub_registry_with_prefix("parallax");
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The program", Info::new(version));
        registry.register_collector(Box::new(Misses { views, log }));
        let temperature: Level = gauge(registry, "temperature_celsius", "What thermal rules go by");
        // There is none until it is read.
        temperature.set(f64::NAN);
        let age = Histogram::new(BUCKETS);
        registry.register_with_unit("frame_age", "Age of a frame when its mask is there", Unit::Seconds, age.clone());
        let stages = Family::<Label, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let names = ["decode", "prepare", "infer", "postprocess", "write"];
        let metrics = Self {
            frames: counter(registry, "frames", "Frames with a mask"),
            lost: counter(registry, "frames_lost", "Frames that could not be read, and losses of the camera"),
            not_finite: counter(
                registry,
                "frames_not_finite",
                "Frames for which the network gave no numbers, and so no mask",
            ),
            network: gauge(
                registry,
                "network_up",
                "1 while the network gives numbers, 0 after a frame for which it did not",
            ),
            passed_over: counter(
                registry,
                "frames_passed_over",
                "Frames missing between those with a mask, by the numbers of the source",
            ),
            age,
            stages: names.map(|stage| stages.get_or_create_owned(&[("stage", stage)])),
            up: gauge(registry, "camera_up", "1 while the camera gives frames, 0 while it is lost"),
            temperature,
            other_model: gauge(registry, "other_model", "1 while a thermal rule has another model run"),
            camera: CameraCounters::new(registry),
            registry: Registry::default(),
        };
        registry.register_with_unit("stage_duration", "Time of a frame in each stage", Unit::Seconds, stages);
        Self { registry: whole, ..metrics }
    }

    pub(super) fn observe(&self, line: &FrameLine) {
        self.passed_over.inc_by(line.dropped);
        if let Some(counters) = line.counters {
            self.camera.set(counters);
        }
        if let Some(temperature_c) = line.temperature_c {
            self.temperature.set(temperature_c);
        }
        if line.not_finite {
            self.not_finite.inc();
            self.network.set(0);
            self.up.set(1);
            return;
        }
        let Some(age_ms) = line.age_ms else {
            self.lost.inc();
            self.up.set(0);
            return;
        };
        self.frames.inc();
        self.up.set(1);
        self.network.set(1);
        self.other_model.set(i64::from(line.model.is_some()));
        self.age.observe(age_ms / 1e3);
        if let Some(stages) = line.stages_ms {
            let spent = [stages.decode, stages.prepare, stages.infer, stages.postprocess, stages.write];
            self.stages.iter().zip(spent).for_each(|(histogram, ms)| histogram.observe(ms / 1e3));
        }
    }

    /// In the text form of OpenMetrics.
    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge<Value: 'static, Store>(registry: &mut Registry, name: &str, help: &str) -> Gauge<Value, Store>
where
    Gauge<Value, Store>: Default + Clone + prometheus_client::registry::Metric,
{
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// Frames that slow consumers missed.
#[derive(Debug)]
struct Misses {
    views: Arc<Handover<News>>,
    log: Option<Arc<Handover<News>>>,
}

impl Collector for Misses {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Frames that a consumer was too slow for";
        let mut family = encoder.encode_descriptor("output_missed", help, None, ConstCounter::<u64>::TYPE)?;
        let consumers = [("views", Some(&self.views)), ("log", self.log.as_ref())];
        for (output, handover) in consumers.into_iter().filter_map(|(output, handover)| Some((output, handover?))) {
            ConstCounter::new(handover.missed()).encode(family.encode_family(&[("output", output)])?)?;
        }
        Ok(())
    }
}

/// The memory of this program, under the name that every exporter uses.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(bytes) = resident_bytes() else { return Ok(()) };
        let (name, help) = ("process_resident_memory_bytes", "Resident memory size in bytes");
        let metric = encoder.encode_descriptor(name, help, None, ConstGauge::<i64>::TYPE)?;
        ConstGauge::new(bytes).encode(metric)
    }
}

/// `VmRSS` of `/proc/self/status`, see `proc(5)`.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kibibytes.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::StagesMs;

    #[test]
    fn lines_become_numbers_under_conventional_names() {
        let metrics = Metrics::new(Arc::new(Handover::new(1)), Some(Arc::new(Handover::new(1))));
        let counters = Counters { captured: 10, replaced: 4, losses: 1, ..Counters::default() };
        let stages_ms = Some(StagesMs { infer: 4.0, ..StagesMs::default() });
        let done =
            FrameLine { age_ms: Some(15.0), stages_ms, dropped: 4, counters: Some(counters), ..FrameLine::default() };
        metrics.observe(&done);
        metrics.observe(&done);
        metrics.observe(&FrameLine { not_finite: true, ..FrameLine::default() });
        let text = metrics.text().unwrap();
        for line in ["parallax_frames_not_finite_total 1", "parallax_network_up 0", "parallax_camera_up 1"] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        metrics.observe(&FrameLine { temperature_c: Some(61.5), ..FrameLine::default() });
        let text = metrics.text().unwrap();
        for line in [
            "parallax_frames_total 2",
            "parallax_frames_lost_total 1",
            "parallax_frames_passed_over_total 8",
            "parallax_frame_age_seconds_sum 0.03",
            "parallax_frame_age_seconds_bucket{le=\"0.01\"} 0",
            "parallax_frame_age_seconds_bucket{le=\"0.02\"} 2",
            "parallax_stage_duration_seconds_bucket{le=\"0.005\",stage=\"infer\"} 2",
            "parallax_camera_up 0",
            "parallax_camera_captured_total 10",
            "parallax_camera_drops_total{reason=\"replaced_by_newer\"} 4",
            "parallax_camera_losses_total 1",
            "parallax_temperature_celsius 61.5",
            "parallax_output_missed_total{output=\"log\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.contains("process_resident_memory_bytes ") && text.ends_with("# EOF\n"), "{text}");
    }
}
