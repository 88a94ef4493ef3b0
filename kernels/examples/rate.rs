//! How fast the convolutions of a ResNet-18 segmentation network run here: 10⁹ multiply-accumulates a second by layer.
//!
//! `cargo run --release -p parallax-tests -p parallax-kernels --example rate -- [avx2|portable|avx512-vnni] [threads]`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement at a desk")]

use std::time::Instant;

use parallax_kernels::Isa;
use parallax_kernels::convolution::{Convolution, ConvolutionConfig};
use parallax_kernels::requantization::Requantization;
use parallax_kernels::shape::{Padding, PictureShape, Window};
use parallax_kernels::team::Team;

/// Height, width, channels in, channels out, kernel, stride, how often: at 640x192.
const LAYERS: [[usize; 7]; 23] = [
    [192, 640, 3, 64, 7, 2, 1],
    [48, 160, 64, 64, 3, 1, 4],
    [48, 160, 64, 128, 3, 2, 1],
    [48, 160, 64, 128, 1, 2, 1],
    [24, 80, 128, 128, 3, 1, 3],
    [24, 80, 128, 256, 3, 2, 1],
    [24, 80, 128, 256, 1, 2, 1],
    [12, 40, 256, 256, 3, 1, 3],
    [12, 40, 256, 512, 3, 2, 1],
    [12, 40, 256, 512, 1, 2, 1],
    [6, 20, 512, 512, 3, 1, 3],
    [6, 20, 512, 256, 3, 1, 1],
    [12, 40, 512, 256, 3, 1, 1],
    [12, 40, 256, 128, 3, 1, 1],
    [24, 80, 256, 128, 3, 1, 1],
    [24, 80, 128, 64, 3, 1, 1],
    [48, 160, 128, 64, 3, 1, 1],
    [48, 160, 64, 32, 3, 1, 1],
    [96, 320, 96, 32, 3, 1, 1],
    [96, 320, 32, 16, 3, 1, 1],
    [192, 640, 16, 16, 3, 1, 1],
    [192, 640, 16, 10, 3, 1, 1],
    [192, 640, 16, 16, 1, 1, 0],
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let isa = arguments.next().map_or(Isa::best(), |name| Isa::named(&name).unwrap());
    let threads = arguments.next().map_or(1, |threads| threads.parse().unwrap());
    let team = Team::new(threads).unwrap();
    let (mut total_ms, mut total) = (0.0, 0.0);
    for [height, width, channels, outputs, kernel, stride, times] in LAYERS {
        let window = Window { stride: [stride; 2], ..Window::same(kernel) };
        let requantization = Requantization { multipliers: vec![1e-4; outputs], zero_point: 0, low: 0, high: 255 };
        let config = ConvolutionConfig {
            input: PictureShape { height, width, channels },
            outputs,
            window,
            padding: Padding::ZeroPoint,
            input_zero_point: 0,
            requantization,
        };
        let weights = vec![3; outputs * channels * kernel * kernel];
        let convolution = Convolution::new(config, &weights, &vec![0; outputs], isa, threads).unwrap();
        let input: Vec<u8> = (0..height * width * channels).map(|at| at as u8).collect();
        let mut output = vec![0; convolution.output().len()];
        let mut scratch = vec![0; convolution.scratch_len(threads)];
        let mut best = f64::MAX;
        for _run in 0..15 {
            let start = Instant::now();
            convolution.run(&input, &mut output, &mut scratch, &team, &|_, _| ());
            best = best.min(start.elapsed().as_secs_f64());
        }
        let macs = convolution.multiplications() as f64;
        println!(
            "{height:3}x{width:3} {channels:3} -> {outputs:3}, {kernel}x{kernel}/{stride} ×{times}: {:7.3} ms {:6.1} GMAC/s",
            best * 1e3,
            macs / best / 1e9
        );
        total_ms += best * 1e3 * times as f64;
        total += macs * times as f64;
    }
    println!("{} on {threads} thread(s): {total_ms:.1} ms, {:.1} GMAC/s", isa.name(), total / total_ms / 1e6);
}
