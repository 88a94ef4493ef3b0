//! `parallax-field`: renders a robot's day with stretches that teach depth and stretches that do not. For `scripts/bench_gate`.

use clap::Parser;
use parallax_tests::field::{Field, FieldConfig, Stretch};
use std::path::PathBuf;

/// A robot's day: it drives for a third of the time, and otherwise stands, looks around, or has a blurred or dazzled camera.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which place.
    #[arg(long)]
    seed: u64,
    /// Width.
    #[arg(long, default_value_t = 256)]
    width: u32,
    /// Height.
    #[arg(long, default_value_t = 128)]
    height: u32,
    /// Rounds of 120 frames.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Metres per second where it drives.
    #[arg(long, default_value_t = 2.0)]
    speed: f64,
    /// The recording to write; the true poses go beside it, with the ending .tum.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { seed, width, height, rounds, speed, out } = Arguments::parse();
    let round = [
        Stretch::Drive(30),
        Stretch::Stand(30),
        Stretch::Drive(10),
        Stretch::LookAround(30, 0.06),
        Stretch::Blurred(10, 2.5),
        Stretch::Dazzled(10, 4.0),
    ];
    let stretches = round.iter().copied().cycle().take(rounds * round.len()).collect();
    let config = FieldConfig { seed, size: (width, height), speed_m_per_s: speed, stereo: false, stretches };
    let field = Field::render(&config);
    field.write_poses(&out.with_extension("tum"))?;
    field.write(&out)
}
