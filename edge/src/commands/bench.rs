//! `parallax-edge bench`: how fast a bundle runs on this machine.

use parallax_core::bundle::Bundle;
use parallax_edge::bench::{BenchConfig, Compare, bench};

use super::{Outcome, print};
use crate::cli::{BenchArgs, CompareArg};

/// Runs the command.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Outcome> {
    let bundle = Bundle::open(&args.bundle)?;
    let compare = args.compare.iter().map(|with| match with {
        CompareArg::Float => Compare::Float,
        CompareArg::Tract => Compare::Tract,
    });
    let config = BenchConfig {
        role: args.model.clone(),
        runs: args.runs as usize,
        threads: usize::from(args.threads),
        engine: args.engine.config()?,
        compare: compare.collect(),
    };
    let bench = bench(&bundle, &config)?;
    if let Some(warning) = &bench.float_warning {
        tracing::warn!("{warning}");
    }
    print(&bench, args.json)?;
    Ok(Outcome::Done)
}
