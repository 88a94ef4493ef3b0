//! How fast a bundle runs on this machine: its golden frame, many times.
//!
//! What it is compared with runs in the same loop, one frame of each after the other, so that whatever else the machine
//! does falls on all alike.

use std::time::Instant;

use image::RgbImage;
use parallax_core::bundle::{Arithmetic, Bundle};
use serde::Serialize;

use crate::engine::find_model;
use crate::inspection::inspect_model;
use crate::stages::{Percentiles, StagePercentiles, StagesMs};
use crate::{EdgeError, Engine, EngineConfig, Int8Files, Result, Worker};

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

/// What it was compared with.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// What it was.
    pub with: Compare,
    /// Median time of inference.
    pub p50_ms: f64,
    /// Shortest time of inference.
    pub fastest_ms: f64,
    /// Its median divided by the bundle's.
    pub ratio_of_medians: f64,
    /// Its shortest time divided by the bundle's.
    pub ratio_of_fastest: f64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Bench {
    /// Prepare, infer and postprocess of one frame: half of the frames were faster.
    pub p50_ms: f64,
    /// 95 % were faster.
    pub p95_ms: f64,
    /// 99 % were faster.
    pub p99_ms: f64,
    /// Shortest time of inference: what it takes when nothing else runs.
    pub fastest_infer_ms: f64,
    /// Operations per frame, in 10⁹.
    pub gops: f64,
    /// Operations per second of inference at the median, in 10⁹.
    pub gops_per_s: f64,
    /// Most memory the program had, in 10⁶ bytes; none where the system does not say.
    pub rss_mb: Option<f64>,
    /// Masks per second, all threads together.
    pub frames_per_s: f64,
    /// Frames measured.
    pub runs: usize,
    /// Frames worked on at once.
    pub threads: usize,
    /// What runs the model.
    pub runs_on: String,
    /// Instructions that integers are computed with.
    pub isa: &'static str,
    /// Threads that share an int8 operator of a frame.
    pub split: usize,
    /// The stages apart.
    pub stages: StagePercentiles,
    /// What it was compared with.
    pub compared: Vec<Compared>,
}

/// Runs the golden frame as `config` says.
///
/// # Errors
/// A bundle that cannot be loaded or run, or that has no float model to compare with.
pub fn bench(bundle: &Bundle, config: &BenchConfig) -> Result<Bench> {
    let engine = Engine::load_with(bundle, config.role.as_deref(), config.engine)?;
    let model = inspect_model(bundle, find_model(bundle, config.role.as_deref())?, config.engine)?;
    let frame = bundle.golden_frame()?;
    let threads = if config.compare.is_empty() { config.threads.max(1) } else { 1 };
    let mut workers = (0..threads).map(|_| Worker::new(&engine)).collect::<Result<Vec<_>>>()?;
    let mut others = config
        .compare
        .iter()
        .map(|with| Worker::new(&other_engine(bundle, config, *with)?))
        .collect::<Result<Vec<_>>>()?;
    for worker in workers.iter_mut().chain(&mut others) {
        for _frame in 0..WARM_UP {
            worker.segment(&frame)?;
        }
    }
    let start = Instant::now();
    let mut compared = vec![Vec::new(); others.len()];
    let stages = match &mut workers[..] {
        [worker] => in_turn(worker, &mut others, &mut compared, config.runs.max(1), &frame)?,
        workers => at_once(workers, config.runs.max(1), &frame)?,
    };
    let secs = start.elapsed().as_secs_f64();
    let others_ms: f64 = compared.iter().flatten().sum();
    let frames_per_s = stages.len() as f64 / (secs - others_ms / 1e3).max(1e-9);
    let Percentiles { p50_ms, p95_ms, p99_ms } = Percentiles::of(stages.iter().map(StagesMs::total).collect());
    let percentiles = StagePercentiles::of(&stages);
    let fastest_infer_ms = fastest(stages.iter().map(|stages| stages.infer));
    let compared = config.compare.iter().zip(compared).map(|(with, times_ms)| {
        let fastest_ms = fastest(times_ms.iter().copied());
        let p50_ms = Percentiles::of(times_ms).p50_ms;
        Compared {
            with: *with,
            p50_ms,
            fastest_ms,
            ratio_of_medians: p50_ms / percentiles.infer.p50_ms.max(1e-9),
            ratio_of_fastest: fastest_ms / fastest_infer_ms.max(1e-9),
        }
    });
    Ok(Bench {
        p50_ms,
        p95_ms,
        p99_ms,
        fastest_infer_ms,
        gops: model.gops,
        gops_per_s: model.gops / (percentiles.infer.p50_ms / 1e3).max(1e-9),
        rss_mb: peak_rss_mb(),
        frames_per_s,
        runs: stages.len(),
        threads,
        runs_on: model.runs_on,
        isa: config.engine.isa.name(),
        split: config.engine.threads,
        compared: compared.collect(),
        stages: percentiles,
    })
}

/// One frame of each after the other; the others' times of inference go into `compared`.
fn in_turn(
    worker: &mut Worker,
    others: &mut [Worker],
    compared: &mut [Vec<f64>],
    runs: usize,
    frame: &RgbImage,
) -> Result<Vec<StagesMs>> {
    let mut stages = Vec::with_capacity(runs);
    for _run in 0..runs {
        stages.push(worker.segment(frame)?.1);
        for (other, times_ms) in others.iter_mut().zip(&mut *compared) {
            times_ms.push(other.segment(frame)?.1.infer);
        }
    }
    Ok(stages)
}

/// Every worker on a thread of its own.
fn at_once(workers: &mut [Worker], runs: usize, frame: &RgbImage) -> Result<Vec<StagesMs>> {
    let measured = std::thread::scope(|scope| {
        let measure = |worker: &mut Worker| (0..runs).map(|_| Ok(worker.segment(frame)?.1)).collect::<Result<Vec<_>>>();
        let threads: Vec<_> = workers.iter_mut().map(|worker| scope.spawn(move || measure(worker))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(measured.into_iter().flatten().collect())
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

fn fastest(times_ms: impl Iterator<Item = f64>) -> f64 {
    times_ms.fold(f64::INFINITY, f64::min)
}

/// The high-water mark of resident memory, from Linux's `/proc`.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some((kibibytes * 1024.0 / 1e5).round() / 10.0)
}

impl std::fmt::Display for Bench {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "{}", self.stages)?;
        writeln!(
            formatter,
            "{:.3} GOP per frame, {:.1} GOP/s while inferring; {}",
            self.gops, self.gops_per_s, self.runs_on
        )?;
        let memory = self.rss_mb.map_or("unknown".to_owned(), |rss| format!("{rss:.1} MB"));
        let (frames, split) = (self.threads, self.split);
        write!(formatter, "{:.1} masks/s, {frames} frame(s) at once, {split} thread(s) a frame, ", self.frames_per_s)?;
        write!(formatter, "memory {memory}, fastest inference {:.2} ms", self.fastest_infer_ms)?;
        for Compared { with, p50_ms, fastest_ms, ratio_of_medians, ratio_of_fastest } in &self.compared {
            let with = match with {
                Compare::Float => "the float model",
                Compare::Tract => "the same file in tract",
            };
            write!(formatter, "\n{with}: {p50_ms:.2} ms, {ratio_of_medians:.1} times as long; ")?;
            write!(formatter, "fastest {fastest_ms:.2} ms, {ratio_of_fastest:.1} times")?;
        }
        Ok(())
    }
}
