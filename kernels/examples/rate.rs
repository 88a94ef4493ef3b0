//! How fast the convolutions of a ResNet-18 segmentation network run here: 10⁹ multiply-accumulates a second by layer, on
//! one thread and on several; shortest times of some runs.
//!
//! `cargo run --release -p parallax-tests -p parallax-kernels --example rate -- [avx2|portable|avx512-vnni] [threads] [runs]`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement at a desk")]

use std::time::Instant;

use parallax_kernels::Isa;
use parallax_kernels::convolution::{Convolution, ConvolutionConfig};
use parallax_kernels::peak::multiply_accumulates_per_s;
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
    let runs = arguments.next().map_or(15, |runs| runs.parse().unwrap());
    let (one, team) = (Team::new(1).unwrap(), Team::new(threads).unwrap());
    let peak = multiply_accumulates_per_s(isa, &one) / 1e9;
    let (mut total_ms, mut split_ms, mut total) = (0.0, 0.0, 0.0);
    for layer in LAYERS {
        let [height, width, channels, outputs, kernel, stride, times] = layer;
        let (mut alone, mut shared) = (Layer::new(layer, isa, 1), Layer::new(layer, isa, threads));
        let mut best_ms = [f64::MAX; 2];
        // In turn, so that whatever else the machine does falls on both.
        for _run in 0..runs {
            best_ms[0] = best_ms[0].min(alone.run_ms(&one));
            best_ms[1] = best_ms[1].min(shared.run_ms(&team));
        }
        let macs = alone.convolution.multiplications() as f64;
        println!(
            "{height:3}x{width:3} {channels:3} -> {outputs:3}, {kernel}x{kernel}/{stride} ×{times}: {:7.3} ms {:6.1} GMAC/s \
             {:3.0} % of the peak; on {threads}: {:7.3} ms, {:4.2} times as fast",
            best_ms[0],
            macs / best_ms[0] / 1e6,
            macs / best_ms[0] / 1e4 / peak,
            best_ms[1],
            best_ms[0] / best_ms[1],
        );
        total_ms += best_ms[0] * times as f64;
        split_ms += best_ms[1] * times as f64;
        total += macs * times as f64;
    }
    println!(
        "{}: {total_ms:.1} ms, {:.1} GMAC/s of {peak:.1}; on {threads} thread(s) {split_ms:.1} ms, {:.2} times as fast",
        isa.name(),
        total / total_ms / 1e6,
        total_ms / split_ms
    );
}

struct Layer {
    convolution: Convolution,
    input: Vec<u8>,
    output: Vec<u8>,
    scratch: Vec<u8>,
}

impl Layer {
    fn new([height, width, channels, outputs, kernel, stride, _]: [usize; 7], isa: Isa, threads: usize) -> Self {
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
        Self {
            input: (0..height * width * channels).map(|at| at as u8).collect(),
            output: vec![0; convolution.output().len()],
            scratch: vec![0; convolution.scratch_len(threads)],
            convolution,
        }
    }

    fn run_ms(&mut self, team: &Team) -> f64 {
        let start = Instant::now();
        self.convolution.run(&self.input, &mut self.output, &mut self.scratch, team, &|_, _| ());
        start.elapsed().as_secs_f64() * 1e3
    }
}
