//! How fast a bundle runs on this machine: its golden frame, many times.

use std::time::Instant;

use parallax_core::bundle::Bundle;
use serde::Serialize;

use crate::inspection::{Inspection, inspect};
use crate::stages::{Percentiles, StagePercentiles, StagesMs};
use crate::{Engine, Result, Worker};

/// Frames before the clock counts: caches, page faults and clock rates settle within the first.
const WARM_UP: usize = 3;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Bench {
    /// Prepare, infer and postprocess of one frame: half of the frames were faster.
    pub p50_ms: f64,
    /// 95 % were faster.
    pub p95_ms: f64,
    /// 99 % were faster.
    pub p99_ms: f64,
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
    /// The stages apart.
    pub stages: StagePercentiles,
}

/// Runs the golden frame `runs` times on each of `threads` threads.
///
/// # Errors
/// A bundle that cannot be loaded or run.
pub fn bench(bundle: &Bundle, runs: usize, threads: usize) -> Result<Bench> {
    let Inspection { models, .. } = inspect(bundle)?;
    let engine = Engine::load(bundle, None)?;
    let frame = bundle.golden_frame()?;
    let (runs, threads) = (runs.max(1), threads.max(1));
    let mut workers = (0..threads).map(|_| Worker::new(&engine)).collect::<Result<Vec<_>>>()?;
    for worker in &mut workers {
        for _frame in 0..WARM_UP {
            worker.segment(&frame)?;
        }
    }
    let start = Instant::now();
    let measured = std::thread::scope(|scope| {
        let measure =
            |worker: &mut Worker| (0..runs).map(|_| Ok(worker.segment(&frame)?.1)).collect::<Result<Vec<_>>>();
        let threads: Vec<_> = workers.iter_mut().map(|worker| scope.spawn(move || measure(worker))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>>>()
    })?;
    let secs = start.elapsed().as_secs_f64();
    let stages: Vec<StagesMs> = measured.into_iter().flatten().collect();
    let frames_per_s = stages.len() as f64 / secs.max(1e-9);
    let Percentiles { p50_ms, p95_ms, p99_ms } = Percentiles::of(stages.iter().map(StagesMs::total).collect());
    let percentiles = StagePercentiles::of(&stages);
    let gops = models[0].gops;
    Ok(Bench {
        p50_ms,
        p95_ms,
        p99_ms,
        gops,
        gops_per_s: gops / (percentiles.infer.p50_ms / 1e3).max(1e-9),
        rss_mb: peak_rss_mb(),
        frames_per_s,
        runs: stages.len(),
        threads,
        runs_on: models[0].runs_on.clone(),
        stages: percentiles,
    })
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
        write!(formatter, "{:.1} masks/s on {} thread(s), memory {memory}", self.frames_per_s, self.threads)
    }
}
