//! `parallax-edge inspect`: what a bundle holds and what runs it.

use parallax_core::bundle::Bundle;
use parallax_edge::inspection::inspect;
use parallax_edge::operators::operators;

use super::{Outcome, print};
use crate::cli::InspectArgs;

/// Runs the command; a golden frame that does not come out as stored is a failure.
pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<Outcome> {
    if args.kernels {
        return list_kernels(args);
    }
    let inspection = inspect(&Bundle::open(&args.bundle)?, args.engine.config()?)?;
    print(&inspection, args.json)?;
    if inspection.golden.reproduced {
        return Ok(Outcome::Done);
    }
    tracing::error!(
        "the golden frame gives another mask than the bundle was packed with: do not trust this machine's masks"
    );
    Ok(Outcome::Failed)
}

fn list_kernels(args: &InspectArgs) -> anyhow::Result<Outcome> {
    let operators = operators(&Bundle::open(&args.bundle)?, args.model.as_deref(), args.engine.config()?)?;
    print(&operators, args.json)?;
    if operators.has_float_convolution() {
        tracing::warn!("convolutions that the file quantises run in float: they are listed last, with the reason");
        return Ok(Outcome::DoneWithLostInput);
    }
    Ok(Outcome::Done)
}
