//! `scripts/demo` ends here: the main job end to end on the rendered world.

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use parallax_core::program::Results;
use parallax_tests::demo::{DemoConfig, tell};
use std::io::Write as _;
use std::path::PathBuf;

/// Renders a place, learns depth in it without labels, learns to segment it from 16 labels, quantizes the result and
/// runs it on an unseen drive; writes summary.json and sheet.png.
#[derive(Parser)]
struct Arguments {
    /// Folder for everything it makes; must not exist or be empty.
    #[arg(long, default_value = "demo")]
    out: PathBuf,
    /// Seed of the place, the draw of labels and the networks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only show that every part works, in seconds; the numbers mean nothing then.
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut config = if arguments.quick {
        DemoConfig::quick(arguments.out.clone())
    } else {
        DemoConfig::full(arguments.out.clone())
    };
    config.seed = arguments.seed;
    if std::fs::read_dir(&arguments.out).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty: remove it, or choose another folder with --out", arguments.out.display());
    }
    let summary = tell(&config)?;
    let wrote =
        ["summary.json", "sheet.png", "masks"].map(|name| format!("wrote {}\n", arguments.out.join(name).display()));
    Results.write_all(format!("\n{summary}\n{}", wrote.concat()).as_bytes()).context("cannot write the result")
}
