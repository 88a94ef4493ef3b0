//! From the pipe or the driver to RGB without one allocation per frame, in the capture thread and in the consumer.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_camera::{Arrival, Shot, Source};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::time::Duration;

/// The system's allocator, counting what every thread asks of it.
#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations_so_far() -> usize {
    let stats = COUNTING.stats();
    stats.allocations + stats.reallocations
}

/// Allocations during `frames` frames, after as many to warm up.
fn allocations(uri: &str, frames: usize) -> usize {
    let mut source = Source::open(uri).unwrap();
    let (mut shot, mut picture) = (Shot::default(), image::RgbImage::default());
    let mut take = |count: usize| {
        let mut taken = 0;
        while taken < count {
            if let Arrival::Fresh { .. } = source.next_into(&mut shot, Duration::from_millis(500)).unwrap() {
                shot.left.write_rgb(&mut picture).unwrap();
                taken += 1;
            }
        }
    };
    take(frames);
    let before = allocations_so_far();
    take(frames);
    allocations_so_far() - before
}

// One test: another one running beside it would be counted too.
#[test]
fn after_the_buffers_have_gone_round_nothing_is_allocated() {
    let device = "/dev/video0?format=yuyv&size=640x480";
    // Set by scripts/test_v4l2, which also has the device.
    let inside = std::env::var_os("PARALLAX_VIRTUAL_CAMERA").is_some();
    for uri in [
        "cmd:cat /dev/zero?format=yuyv&size=640x480",
        "cmd:cat /dev/zero?format=nv12&size=320x240",
        "cmd:cat /dev/zero?format=rggb10&size=320x240",
        "cmd:cat /dev/zero?format=yuyv&size=640x240&split=side-by-side",
    ]
    .into_iter()
    .chain(inside.then_some(device))
    {
        assert_eq!(allocations(uri, 40), 0, "{uri}");
        println!("no allocation: {uri}");
    }
}
