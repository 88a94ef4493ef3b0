//! How fast a bundle runs on this machine: its golden frame, many times.
//!
//! What it is compared with runs in the same loop, one frame of each after the other, so that whatever else the machine
//! does falls on all alike. How much of the machine's speed is used is measured against its own peak
//! ([`parallax_kernels::peak`]).

mod report;

use std::time::Instant;

use image::RgbImage;
use parallax_core::bundle::{Arithmetic, Bundle};
use parallax_kernels::peak;
use serde::Serialize;

use crate::cores;
use crate::engine::find_model;
use crate::inspection::inspect_model;
use crate::machine::{Condition, Machine, computed_secs};
use crate::stages::{Percentiles, StagePercentiles, StagesMs};
use crate::{EdgeError, Engine, EngineConfig, Int8Files, Placement, Result, Worker};
pub use report::{Bench, Compared, Measured, Subject};

/// Frames before the clock counts: caches, page faults and clock rates settle within the first.
const WARM_UP: usize = 3;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchConfig {
    /// Which of the bundle's models; the first by default.
    pub role: Option<String>,
    /// Frames on each thread.
    pub runs: usize,
    /// Frames worked on at once.
    pub threads: usize,
    /// How the model is run.
    pub engine: EngineConfig,
    /// What else is run, in turn, for comparison; then one frame at a time.
    pub compare: Vec<Compare>,
}

/// What a model is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// The bundle's float model, in tract.
    Float,
    /// The same model file, in tract alone: an int8 file in float.
    Tract,
}

/// Runs the golden frame as `config` says.
///
/// # Errors
/// A bundle that cannot be loaded or run, or that has no float model to compare with.
pub fn bench(bundle: &Bundle, config: &BenchConfig) -> Result<Bench> {
    let engine = Engine::load_with(bundle, config.role.as_deref(), config.engine)?;
    let file = find_model(bundle, config.role.as_deref())?;
    let model = inspect_model(bundle, file, config.engine)?;
    let frame = bundle.golden_frame()?;
    let threads = if config.compare.is_empty() { config.threads.max(1) } else { 1 };
    let mut workers = (0..threads).map(|_| Worker::new(&engine)).collect::<Result<Vec<_>>>()?;
    let mut others = config
        .compare
        .iter()
        .map(|with| Worker::new(&other_engine(bundle, config, *with)?))
        .collect::<Result<Vec<_>>>()?;
    engine.place_caller();
    for worker in workers.iter_mut().chain(&mut others) {
        for _frame in 0..WARM_UP {
            worker.segment(&frame)?;
        }
    }
    let before = Condition::now();
    let start = Instant::now();
    let mut compared: Vec<Frames> = others.iter().map(|_| Frames::default()).collect();
    let own = match &mut workers[..] {
        [worker] => in_turn(worker, &mut others, &mut compared, config.runs.max(1), &frame)?,
        workers => at_once(workers, config.runs.max(1), &frame)?,
    };
    let secs = start.elapsed().as_secs_f64();
    let after = Condition::now();
    let others_ms: f64 = compared.iter().flat_map(|other| &other.stages).map(StagesMs::total).sum();
    let infer = own.infer();
    let gops_per_s = model.gops / (infer.p50_ms / 1e3).max(1e-9);
    let peak_gops_per_s = if model.convolutions.run_in_int8 > 0 { Some(peak_gops_per_s(config.engine)?) } else { None };
    let Percentiles { p50_ms, p95_ms, p99_ms } = Percentiles::of(own.stages.iter().map(StagesMs::total).collect());
    Ok(Bench {
        p50_ms,
        p95_ms,
        p99_ms,
        cpu_ms: own.cpu_ms(),
        fastest_infer_ms: own.fastest_infer_ms(),
        gops: model.gops,
        gops_per_s,
        peak_gops_per_s,
        share_of_peak: peak_gops_per_s.map(|peak| gops_per_s / peak),
        rss_mb: peak_rss_mb(),
        frames_per_s: own.stages.len() as f64 / (secs - others_ms / 1e3).max(1e-9),
        runs: own.stages.len(),
        warm_up: WARM_UP,
        threads,
        runs_on: model.runs_on,
        float_warning: engine.float_warning(),
        isa: config.engine.isa.name(),
        split: config.engine.threads,
        pinned: config.engine.placement == Placement::Pinned,
        stages: StagePercentiles::of(&own.stages),
        compared: config.compare.iter().zip(&compared).map(|(with, other)| other.compared(*with, &own)).collect(),
        measured: Measured {
            subject: Subject::of(bundle, file),
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::this(),
            before,
            after,
        },
    })
}

/// The frames of one engine.
#[derive(Debug, Default)]
struct Frames {
    stages: Vec<StagesMs>,
    /// What the threads of this program computed during the frames, all together; none where the system does not say.
    computed_secs: Option<f64>,
}

impl Frames {
    /// One frame more.
    fn add(&mut self, worker: &mut Worker, frame: &RgbImage) -> Result<()> {
        let before = computed_secs();
        let stages = worker.segment(frame)?.1;
        let secs = computed_secs().zip(before).map(|(after, before)| after - before);
        let so_far = if self.stages.is_empty() { Some(0.0) } else { self.computed_secs };
        self.computed_secs = so_far.zip(secs).map(|(so_far, secs)| so_far + secs);
        self.stages.push(stages);
        Ok(())
    }

    fn infer(&self) -> Percentiles {
        Percentiles::of(self.stages.iter().map(|stages| stages.infer).collect())
    }

    fn fastest_infer_ms(&self) -> f64 {
        self.stages.iter().map(|stages| stages.infer).fold(f64::INFINITY, f64::min)
    }

    fn cpu_ms(&self) -> Option<f64> {
        Some(1e3 * self.computed_secs? / self.stages.len().max(1) as f64)
    }

    fn compared(&self, with: Compare, own: &Self) -> Compared {
        let (p50_ms, fastest_ms) = (self.infer().p50_ms, self.fastest_infer_ms());
        Compared {
            with,
            p50_ms,
            cpu_ms: self.cpu_ms(),
            fastest_ms,
            ratio_of_medians: p50_ms / own.infer().p50_ms.max(1e-9),
            ratio_of_fastest: fastest_ms / own.fastest_infer_ms().max(1e-9),
        }
    }
}

/// One frame of each after the other; the others' go into `compared`.
fn in_turn(
    worker: &mut Worker,
    others: &mut [Worker],
    compared: &mut [Frames],
    runs: usize,
    frame: &RgbImage,
) -> Result<Frames> {
    let mut own = Frames::default();
    for _run in 0..runs {
        own.add(worker, frame)?;
        for (other, frames) in others.iter_mut().zip(&mut *compared) {
            frames.add(other, frame)?;
        }
    }
    Ok(own)
}

/// Every worker on a thread of its own.
fn at_once(workers: &mut [Worker], runs: usize, frame: &RgbImage) -> Result<Frames> {
    let before = computed_secs();
    let measured = std::thread::scope(|scope| {
        let measure = |worker: &mut Worker| (0..runs).map(|_| Ok(worker.segment(frame)?.1)).collect::<Result<Vec<_>>>();
        let threads: Vec<_> = workers.iter_mut().map(|worker| scope.spawn(move || measure(worker))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>>>()
    })?;
    let computed_secs = computed_secs().zip(before).map(|(after, before)| after - before);
    Ok(Frames { stages: measured.into_iter().flatten().collect(), computed_secs })
}

fn other_engine(bundle: &Bundle, config: &BenchConfig, with: Compare) -> Result<Engine> {
    let in_float = EngineConfig { int8: Int8Files::InFloat, ..config.engine };
    if with == Compare::Tract {
        return Engine::load_with(bundle, config.role.as_deref(), in_float);
    }
    let float = bundle.manifest().models.iter().find(|model| model.arithmetic == Arithmetic::Float32);
    let float = float.ok_or_else(|| EdgeError::NoFloatModel { bundle: bundle.path().to_path_buf() })?;
    Engine::load_with(bundle, Some(&float.role), in_float)
}

/// Operations a second that the threads of a frame could reach, in 10⁹; a multiply-accumulate is two.
fn peak_gops_per_s(engine: EngineConfig) -> Result<f64> {
    let team = cores::team(engine.threads, engine.placement)?;
    Ok(2.0 * peak::multiply_accumulates_per_s(engine.isa, &team) / 1e9)
}

/// The high-water mark of resident memory, from Linux's `/proc`.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some((kibibytes * 1024.0 / 1e5).round() / 10.0)
}
