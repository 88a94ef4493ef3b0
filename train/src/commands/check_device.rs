//! `parallax-train check-device`: every operator of training on this machine's GPU against the CPU.
//!
//! Started by the program itself before it trains on a GPU, as a child process whose crash does no harm; so its output
//! is one JSON line at a time. Exit code 1 where an operator is wrong, 3 where there is no GPU.

use clap::Args;
use parallax_core::program::Results;
use parallax_train::device::choice::{GET_GPU, NOT_BUILT_IN};
use parallax_train::device::inspection::{Checked, report_on_best_adapter};

use super::Outcome;

/// Arguments of `check-device`.
#[derive(Debug, Args)]
pub(crate) struct CheckDeviceArgs {
    /// Begin behind this operator.
    #[arg(long, value_name = "OPERATOR")]
    pub(crate) after: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &CheckDeviceArgs) -> anyhow::Result<Outcome> {
    match report_on_best_adapter(args.after.as_deref(), &mut Results)? {
        Checked::Right => Ok(Outcome::Done),
        Checked::Wrong(operators) => {
            anyhow::bail!("this GPU computes {} wrong: nothing can be trained on it", operators.join(", "))
        }
        Checked::NoGpu => {
            if cfg!(feature = "gpu") {
                tracing::warn!("Vulkan offers no GPU on this machine");
            } else {
                tracing::warn!("{NOT_BUILT_IN}: {GET_GPU}");
            }
            Ok(Outcome::DoneWithFindings)
        }
    }
}
