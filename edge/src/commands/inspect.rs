//! `parallax-edge inspect`: what a bundle holds and what runs it.

use parallax_core::bundle::Bundle;
use parallax_edge::inspection::inspect;

use super::{Outcome, print};
use crate::cli::InspectArgs;

/// Runs the command; a golden frame that does not come out as stored is a failure.
pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<Outcome> {
    let inspection = inspect(&Bundle::open(&args.bundle)?)?;
    print(&inspection, args.json)?;
    if inspection.golden.reproduced {
        return Ok(Outcome::Done);
    }
    tracing::error!(
        "the golden frame gives another mask than the bundle was packed with: do not trust this machine's masks"
    );
    Ok(Outcome::Failed)
}
