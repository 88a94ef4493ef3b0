//! How long one training step of each network takes on this CPU: forward, and forward with backward.
//!
//! `cargo run --release -p parallax-models --example step_time [NETWORK WIDTH HEIGHT BATCH]…`

#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use parallax_models::Network;

const REPEATS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked: Vec<(Network, [usize; 3])> = arguments.chunks_exact(4).map(parse).collect();
    let defaults = [(Network::Slim, [256, 128, 4]), (Network::Slim, [256, 128, 8]), (Network::Resnet18, [256, 128, 4])];
    println!("network   size      batch  MMAC/picture  forward ms  depth step ms  segmentation step ms  pose step ms");
    for (network, [width, height, batch]) in if asked.is_empty() { defaults.to_vec() } else { asked } {
        report(network, width, height, batch);
    }
}

fn parse(words: &[String]) -> (Network, [usize; 3]) {
    let number = |word: &String| word.parse().expect("a number");
    (words[0].parse().expect("a network"), [number(&words[1]), number(&words[2]), number(&words[3])])
}

fn report(network: Network, width: usize, height: usize, batch: usize) {
    let device = Device::flex();
    let training = device.clone().autodiff();
    let picture = |device: &Device| Tensor::random([batch, 3, height, width], Distribution::Uniform(-1.0, 1.0), device);

    let segmentation = network.segmentation(10, 0, &device).expect("10 classes");
    let macs = segmentation.macs(width, height) / 1_000_000;
    let image = picture(&device);
    let forward = median(|| drop(segmentation.forward(image.clone()).into_data()));

    let image = picture(&training);
    let depth = network.depth(0, &training);
    let depth_step = median(|| {
        let loss = depth.forward(image.clone()).into_iter().map(Tensor::mean).reduce(|sum, scale| sum + scale);
        drop(loss.expect("four scales").backward());
    });
    let segmentation = network.segmentation(10, 0, &training).expect("10 classes");
    let segmentation_step = median(|| drop(segmentation.forward(image.clone()).powi_scalar(2).mean().backward()));
    let pose = network.pose(0, &training);
    let pose_step = median(|| drop(pose.forward(image.clone(), image.clone()).powi_scalar(2).mean().backward()));

    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    println!(
        "{:9} {:9} {batch:5} {macs:13} {:11.0} {:14.0} {:21.0} {:13.0}",
        network.name(),
        format!("{width}x{height}"),
        ms(forward),
        ms(depth_step),
        ms(segmentation_step),
        ms(pose_step)
    );
}

fn median(mut work: impl FnMut()) -> Duration {
    work();
    let mut durations: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    durations.sort_unstable();
    durations[REPEATS / 2]
}
