//! How long a picture takes: `cargo bench -p parallax-world`. Prints frames/s at 640×192 and how long a place takes to make.
//!
//! The frames are spread over the place, since what stands near the camera decides the time. The median is printed beside the
//! best; on a machine that others use too, the processor time a frame takes says more than either.

use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, robot_camera};
use std::io::Write;
use std::time::Instant;

/// Frames that are timed; one before them paints the textures.
const FRAMES: usize = 24;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let world = World::generate(1, &WorldConfig::default());
    let drive = world.drive(&DriveConfig::default());
    let camera = robot_camera("left", 640, 192);
    for (name, config) in [
        ("all settings on", RenderConfig::default()),
        ("jagged edges", RenderConfig { edge_samples: 0, ..RenderConfig::default() }),
        ("jagged edges, no shadows", RenderConfig { edge_samples: 0, shadows: false, ..RenderConfig::default() }),
    ] {
        let take = |index: usize| {
            let started = Instant::now();
            world.render(&camera, &drive.world_from_camera(37 * index), drive.time_secs(37 * index), &config);
            started.elapsed().as_secs_f64()
        };
        take(0);
        let before = processor_secs();
        let mut seconds: Vec<f64> = (0..FRAMES).map(take).collect();
        let busy = (processor_secs() - before) / FRAMES as f64;
        seconds.sort_by(f64::total_cmp);
        let (best, median) = (1.0 / seconds[0], 1.0 / seconds[FRAMES / 2]);
        let threads = rayon::current_num_threads();
        writeln!(
            out,
            "640x192, {name}: median {median:.1} frames/s, best {best:.1} on {threads} threads; {busy:.3} processor seconds a frame"
        )?;
    }
    let started = Instant::now();
    let _ = World::generate(2, &WorldConfig::default());
    writeln!(out, "a place: {:.0} ms", started.elapsed().as_secs_f64() * 1e3)
}

/// Processor seconds of this process so far; NaN where the system does not tell as Linux does.
fn processor_secs() -> f64 {
    const TICKS_PER_SEC: f64 = 100.0; // USER_HZ, the same on every Linux that Rust supports
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let field =
        |index: usize| after_name.split(' ').nth(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (field(11) + field(12)) / TICKS_PER_SEC
}
