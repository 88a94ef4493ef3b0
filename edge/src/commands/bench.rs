//! `parallax-edge bench`: how fast a bundle runs on this machine.

use parallax_core::bundle::Bundle;
use parallax_edge::bench::bench;

use super::{Outcome, print};
use crate::cli::BenchArgs;

/// Runs the command.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Outcome> {
    let bundle = Bundle::open(&args.bundle)?;
    print(&bench(&bundle, args.runs as usize, usize::from(args.threads))?, args.json)?;
    Ok(Outcome::Done)
}
