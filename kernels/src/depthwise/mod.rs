//! Depthwise convolution: one filter per channel, u8 × s8 → i32 → u8.
//!
//! ```text
//! sum[y, x, c] = bias[c] + Σ weight[c, i, j] · (input[y · s + i · d − p, x · s + j · d − p, c] − zero point)
//! ```
//!
//! In NHWC the channels of a tap lie side by side, so that plain Rust over the channels, compiled for each instruction set,
//! does for most: a product u8 · s8 fits into 16 bits (255 · 128 = 32 640), one 16-bit multiplication; sums are 32 bits.
//! AVX2 multiplies two taps at once and AVX-512 VNNI four; they have code of their own (`avx2`, `vnni`).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::ops::Range;

use crate::convolution::strip::{Order, Reading, Values};
use crate::convolution::{Strips, expect_length, fold_zero_point, product};
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::isa::compiled_for;
use crate::requantization::{Requantization, requantize};
use crate::shape::{Padding, PictureShape, Window};
use crate::team::Team;
use crate::{Isa, Result};

/// Channels computed together: their sums stay in registers.
const LANES: usize = 32;

/// What a depthwise convolution is, apart from its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthwiseConfig {
    /// The picture that comes in; as many channels go out.
    pub input: PictureShape,
    /// The window.
    pub window: Window,
    /// What lies outside of the picture.
    pub padding: Padding,
    /// What stands for 0.0 in the input.
    pub input_zero_point: u8,
    /// How sums become u8.
    pub requantization: Requantization,
}

/// A depthwise convolution with its weights in the order in which they are read.
#[derive(Debug, Clone)]
pub struct Depthwise {
    isa: Isa,
    config: DepthwiseConfig,
    output: PictureShape,
    strips: Strips,
    /// `[taps][channels]`
    weights: Vec<i16>,
    bias: Vec<i32>,
    /// Where the taps of a window begin, from the window's beginning.
    taps: Vec<usize>,
    #[cfg(target_arch = "x86_64")]
    packed: Packed,
}

/// What the variants with code of their own read.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone)]
enum Packed {
    /// Plain Rust packs nothing.
    Nothing,
    Avx2(avx2::Packed),
    Vnni(vnni::Packed),
}

impl Depthwise {
    /// Checks and packs.
    ///
    /// # Shapes
    /// - `weights`: `[channels, 1, kernel rows, kernel columns]`, as ONNX stores them
    /// - `bias`: `[channels]`, in units of input scale · weight scale
    ///
    /// # Errors
    /// Parts that do not fit together, or sums that may not fit into 32 bits.
    pub fn new(config: DepthwiseConfig, weights: &[i8], bias: &[i32], isa: Isa, threads: usize) -> Result<Self> {
        let DepthwiseConfig { input, window, padding, input_zero_point, requantization } = &config;
        input.check("the input")?;
        let [height, width] = window.output_size(*input)?;
        let channels = input.channels;
        let output = PictureShape { height, width, channels };
        output.check("the output")?;
        padding.check(window, *input)?;
        requantization.check(channels)?;
        let [rows, columns] = window.kernel;
        expect_length("weights", product(&[channels, rows, columns]), weights.len())?;
        expect_length("biases", channels, bias.len())?;
        let bias = fold_zero_point(weights, bias, *input_zero_point)?;
        let (values, order) = (Values::AsTheyAre, Order::Whole);
        let reading = Reading { step_len: 1, vectors: 1, element_bytes: 1, values, order };
        let strips = Strips::new(*input, output, window, *padding, reading, threads)?;
        let row_len = (window.before[1] + input.width + window.after[1]) * channels;
        let taps = (0..rows * columns).map(|tap| {
            let (row, column) = (tap / columns, tap % columns);
            row * window.dilation[0] * row_len + column * window.dilation[1] * channels
        });
        let taps: Vec<usize> = taps.collect();
        #[cfg(target_arch = "x86_64")]
        let packed = match isa.0 {
            Kind::Portable => Packed::Nothing,
            Kind::Avx2 | Kind::AvxVnni | Kind::Avx512VlVnni => {
                Packed::Avx2(avx2::Packed::new(weights, &bias, &requantization.multipliers, &taps))
            }
            Kind::Avx512Vnni => Packed::Vnni(vnni::Packed::new(weights, &bias, &requantization.multipliers, &taps)),
        };
        let tap_major = (0..taps.len()).flat_map(|tap| {
            let count = taps.len();
            (0..channels).map(move |channel| i16::from(weights[channel * count + tap]))
        });
        let weights = tap_major.collect();
        Ok(Self {
            isa,
            config,
            output,
            strips,
            weights,
            bias,
            taps,
            #[cfg(target_arch = "x86_64")]
            packed,
        })
    }

    /// The picture that goes out.
    pub fn output(&self) -> PictureShape {
        self.output
    }

    /// The variant.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Multiplications of a call; the additions are as many again.
    pub fn multiplications(&self) -> usize {
        self.output.len() * self.taps.len()
    }

    /// Bytes of scratch memory that a call by a team of `threads` needs.
    pub fn scratch_len(&self, threads: usize) -> usize {
        self.strips.scratch_len() * threads
    }

    /// Computes the picture; `finish` as for [`crate::convolution::Convolution::run`].
    ///
    /// # Panics
    /// Slices of other lengths than [`PictureShape::len`] and [`Self::scratch_len`] say.
    pub fn run(
        &self,
        input: &[u8],
        output: &mut [u8],
        scratch: &mut [u8],
        team: &Team,
        finish: &(dyn Fn(Range<usize>, &mut [u8]) + Sync),
    ) {
        assert_eq!(input.len(), self.config.input.len(), "numbers in the input");
        assert_eq!(output.len(), self.output.len(), "numbers in the output");
        let row_len = self.output.width * self.output.channels;
        let part = self.strips.rows() * row_len;
        team.for_each_part(output, part, scratch, self.strips.scratch_len(), |index, output, scratch| {
            let (first, rows) = (index * self.strips.rows(), output.len() / row_len);
            let strip = self.strips.bytes(input, first, rows, self.config.input_zero_point, scratch);
            self.run_strip(strip, output);
            let begin = index * part;
            finish(begin..begin + output.len(), output);
        });
    }

    fn run_strip(&self, strip: &[u8], output: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        match &self.packed {
            Packed::Avx2(packed) => return avx2::run(self.isa, self, packed, strip, output),
            Packed::Vnni(packed) => return vnni::run(self.isa, self, packed, strip, output),
            Packed::Nothing => {}
        }
        let depthwise = self;
        compiled_for!(self.isa, run_strip(depthwise: &Depthwise, strip: &[u8], output: &mut [u8]));
    }
}

#[inline(always)]
fn run_strip(depthwise: &Depthwise, strip: &[u8], output: &mut [u8]) {
    let channels = depthwise.output.channels;
    for (output, pixel) in output.chunks_exact_mut(channels).zip(depthwise.strips.pixels()) {
        let (whole, rest) = output.as_chunks_mut::<LANES>();
        for (index, output) in whole.iter_mut().enumerate() {
            run_lanes(depthwise, strip, *pixel as usize, index * LANES, output);
        }
        let mut first = whole.len() * LANES;
        let (some, rest) = rest.as_chunks_mut::<8>();
        for output in some {
            run_lanes(depthwise, strip, *pixel as usize, first, output);
            first += output.len();
        }
        for output in rest {
            run_lanes(depthwise, strip, *pixel as usize, first, std::array::from_mut(output));
            first += 1;
        }
    }
}

/// The channels from `first` of one pixel.
#[inline(always)]
fn run_lanes<const LANES: usize>(
    depthwise: &Depthwise,
    strip: &[u8],
    pixel: usize,
    first: usize,
    output: &mut [u8; LANES],
) {
    let channels = depthwise.output.channels;
    let mut sums = [0; LANES];
    sums.copy_from_slice(&depthwise.bias[first..first + LANES]);
    for (offset, weights) in depthwise.taps.iter().zip(depthwise.weights.chunks_exact(channels)) {
        let begin = pixel + offset + first;
        let numbers = strip[begin..begin + LANES].iter().zip(&weights[first..first + LANES]);
        for (sum, (number, weight)) in sums.iter_mut().zip(numbers) {
            *sum += i32::from(i16::from(*number) * *weight);
        }
    }
    let requantization = &depthwise.config.requantization;
    let (limits, zero_point) = (requantization.limits(), i32::from(requantization.zero_point));
    let multipliers = &requantization.multipliers[first..first + LANES];
    for ((output, sum), multiplier) in output.iter_mut().zip(sums).zip(multipliers) {
        *output = requantize(sum, *multiplier, limits, zero_point);
    }
}
