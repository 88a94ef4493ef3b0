//! From the camera's pipe to the mask without one allocation per frame: capture thread, framing, resizing, network, smoothing,
//! lines.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "common/quantized.rs"]
mod quantized;

use std::alloc::System;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parallax_camera::Source;
use parallax_core::bundle::{Arithmetic, Bundle};
use parallax_core::camera::{Camera, Distortion, Intrinsics};
use parallax_edge::Engine;
use parallax_edge::drive::{DriveConfig, Models, Outputs, drive};
use parallax_edge::framing::Region;
use parallax_edge::policy::ThermalConfig;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use common::write_bundle;
use quantized::quantized;

/// The system's allocator, counting what every thread asks of it.
#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations_so_far() -> usize {
    let stats = COUNTING.stats();
    stats.allocations + stats.reallocations
}

/// Frames to warm up, and how often as many are counted after them.
const FRAMES: usize = 60;
const ROUNDS: usize = 6;
/// As long as nobody takes lines, every worker does a frame and then waits for room; whatever thread starts late has started.
const WARMING_UP: Duration = Duration::from_millis(300);

/// Allocations while `ROUNDS * FRAMES` frames go through the loop, after it is warm.
fn allocations(bundle: &Bundle, (width, height): (u32, u32), config: DriveConfig) -> usize {
    let engine = Engine::load(bundle, None).unwrap();
    let models = Models::one(engine.clone()).with("other", engine);
    let source = Source::open(&format!("cmd:cat /dev/zero?format=yuyv&size={width}x{height}")).unwrap();
    let limit = (1 + ROUNDS) * FRAMES;
    let config = DriveConfig { limit: Some(limit), ..config };
    let outputs = Outputs::none(config.threads);
    let (mut before, mut after) = (0, 0);
    let summary = drive(&models, source, &config, &outputs, &AtomicBool::new(false), |line| {
        assert_eq!(line.error, None);
        match line.frame + 1 {
            FRAMES => {
                std::thread::sleep(WARMING_UP);
                before = allocations_so_far();
            }
            // Not the very last one: threads that find no more frames end.
            frame if frame == limit - 4 => after = allocations_so_far(),
            _ => {}
        }
    });
    assert_eq!(summary.unwrap().frames, limit);
    after - before
}

// One test: another one running beside it would be counted too.
#[test]
fn after_the_first_frames_the_loop_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("bundle");
    write_bundle(&made, quantized(0), |manifest| manifest.models[0].arithmetic = Arithmetic::Int8Qdq);
    let sensor = folder.path().join("temp");
    std::fs::write(&sensor, "90000\n").unwrap();
    let plain = || DriveConfig { threads: 1, ..DriveConfig::default() };
    let rules = vec!["above 80: rate 500".parse().unwrap(), "above 80: model other".parse().unwrap()];
    let everything = |(width, height): (u32, u32)| DriveConfig {
        undistort: Some(Camera {
            distortion: Distortion::PlumbBob([-0.2, 0.0, 0.0, 0.0, 0.0]),
            ..Camera::pinhole("test", 2 * width, 2 * height, Intrinsics { fx: 60.0, fy: 60.0, cx: 32.0, cy: 24.0 })
        }),
        region: Some(Region { x: 8, y: 4, width: width + 6, height: height + 2 }),
        smoothing: Some(5),
        rate: Some(400.0),
        thermal: Some(ThermalConfig {
            sensor: sensor.clone(),
            sensor_may_lack: false,
            hysteresis_c: 5.0,
            rules: rules.clone(),
        }),
        ..plain()
    };
    // A trained network, where one is given: the int8 bundle of the demonstration or of a user.
    let given = std::env::var_os("PARALLAX_BUNDLE").map(PathBuf::from);
    for bundle in [Some(made), given].into_iter().flatten() {
        let opened = Bundle::open(&bundle).unwrap();
        let network = opened.manifest().input;
        let size @ (width, height) = (network.width, network.height);
        for (what, size, config) in [
            ("plain", size, plain()),
            ("two threads", size, DriveConfig { threads: 2, ..plain() }),
            ("resized", (2 * width + 6, 3 * height), plain()),
            ("everything", (2 * width, 2 * height), everything(size)),
        ] {
            let found = allocations(&opened, size, config);
            println!("{found} allocations in {} frames, {what}: {}", ROUNDS * FRAMES - 4, bundle.display());
            assert_eq!(found, 0, "{what}: {}", bundle.display());
        }
    }
}
