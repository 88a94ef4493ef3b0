//! Direct convolution, u8 × s8 → i32 → u8.
//!
//! ```text
//! sum[y, x, o] = bias[o] + Σ weight[o, c, i, j] · (input[y · s + i · d − p, x · s + j · d − p, c] − zero point)
//! ```
//!
//! The zero point is folded into the bias (`bias − zero point · Σ weight`) and padding is filled with it, so that the
//! inner loop multiplies plain u8 by s8. In NHWC the taps of one kernel row lie side by side in memory: a convolution is
//! a sum over *runs* of contiguous bytes, one per kernel row (one per tap with dilation).
//!
//! | module | what it holds |
//! |---|---|
//! | `packing` | weights in the order in which a variant reads them |
//! | `strip` | a few padded rows of the input, in scratch memory that stays in the cache |
//! | `portable`, `avx2`, `avx_vnni`, `vnni`, `neon`, `i8mm` | a strip times the packed weights |
//!
//! A strip of output rows is one task: strips are computed in any order, by any thread, and share nothing but input and
//! weights.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod i8mm;
#[cfg(target_arch = "aarch64")]
mod neon;
mod packing;
mod portable;
pub(crate) mod strip;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::ops::Range;

use crate::isa::Kind;
use crate::requantization::Requantization;
use crate::shape::{Padding, PictureShape, Window};
use crate::team::Team;
use crate::{Isa, KernelError, Result};
use packing::Packed;
pub(crate) use strip::Strips;
use strip::{Order, Reading, Values};

/// What a convolution is, apart from its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvolutionConfig {
    /// The picture that comes in.
    pub input: PictureShape,
    /// Channels that go out.
    pub outputs: usize,
    /// The window.
    pub window: Window,
    /// What lies outside of the picture.
    pub padding: Padding,
    /// What stands for 0.0 in the input.
    pub input_zero_point: u8,
    /// How sums become u8.
    pub requantization: Requantization,
}

/// A convolution with its weights packed for one variant.
#[derive(Debug, Clone)]
pub struct Convolution {
    isa: Isa,
    config: ConvolutionConfig,
    output: PictureShape,
    packed: Packed,
    strips: Strips,
}

/// What a variant needs to compute one strip.
struct Job<'a, Element> {
    /// Padded input rows.
    strip: &'a [Element],
    /// Where each output pixel's window begins in the strip.
    pixels: &'a [u32],
    /// Where the runs of a window begin, from the window's beginning.
    runs: &'a [u32],
    packed: &'a Packed,
    /// Limits of the results, before the zero point is added.
    limits: (f32, f32),
    zero_point: i32,
    /// Channels of the output.
    channels: usize,
    output: &'a mut [u8],
}

impl Convolution {
    /// Checks and packs.
    ///
    /// # Shapes
    /// - `weights`: `[outputs, channels, kernel rows, kernel columns]`, as ONNX stores them
    /// - `bias`: `[outputs]`, in units of input scale · weight scale
    ///
    /// `threads` is how many threads will share a call; it decides into how many strips the output is cut.
    ///
    /// # Errors
    /// Parts that do not fit together, or sums that may not fit into 32 bits.
    pub fn new(config: ConvolutionConfig, weights: &[i8], bias: &[i32], isa: Isa, threads: usize) -> Result<Self> {
        let ConvolutionConfig { input, outputs, window, padding, input_zero_point, requantization } = &config;
        input.check("the input")?;
        let [height, width] = window.output_size(*input)?;
        let output = PictureShape { height, width, channels: *outputs };
        output.check("the output")?;
        padding.check(window, *input)?;
        requantization.check(*outputs)?;
        let [rows, columns] = window.kernel;
        expect_length("weights", product(&[*outputs, input.channels, rows, columns]), weights.len())?;
        expect_length("biases", *outputs, bias.len())?;
        let isa = if overflows_pairs(isa, weights) { Isa::PORTABLE } else { isa };
        let reading = reading(isa);
        let mut bias = fold_zero_point(weights, bias, *input_zero_point)?;
        if reading.values == Values::LessHalf {
            for (bias, weights) in bias.iter_mut().zip(weights.chunks_exact(weights.len() / outputs)) {
                let sum: i32 = weights.iter().map(|weight| i32::from(*weight)).sum();
                // What leaves 32 bits here comes back in the sum: arithmetic modulo 2³² is exact for a sum that fits.
                *bias = bias.wrapping_add(sum.wrapping_mul(128));
            }
        }
        let strips = Strips::new(*input, output, window, *padding, reading, threads)?;
        let packed = Packed::new(&config, weights, &bias, strips.taps_per_run(), reading);
        Ok(Self { isa, config, output, packed, strips })
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
        let ConvolutionConfig { input, window, .. } = &self.config;
        self.output.len() * input.channels * window.kernel[0] * window.kernel[1]
    }

    /// Bytes of scratch memory that a call by a team of `threads` needs.
    pub fn scratch_len(&self, threads: usize) -> usize {
        self.strips.scratch_len() * threads
    }

    /// Computes the picture. `finish` is called with every finished part of it, while that is in the cache: a residual
    /// addition, an activation. It gets where the part lies in the output, and the part.
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
        let part = self.strips.rows() * self.output.width * self.output.channels;
        team.for_each_part(output, part, scratch, self.strips.scratch_len(), |index, output, scratch| {
            self.run_strip(index, input, output, scratch);
            let begin = index * part;
            finish(begin..begin + output.len(), output);
        });
    }

    fn run_strip(&self, index: usize, input: &[u8], output: &mut [u8], scratch: &mut [u8]) {
        let rows = output.len() / (self.output.width * self.output.channels);
        let first = index * self.strips.rows();
        let zero_point = self.config.input_zero_point;
        match self.isa.0 {
            Kind::Portable => {
                let strip = self.strips.bytes(input, first, rows, zero_point, scratch);
                portable::run(self.job(strip, rows, output));
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => {
                let strip = self.strips.words(input, first, rows, zero_point, scratch);
                avx2::run(self.isa, self.job(strip, rows, output));
            }
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni | Kind::Avx512VlVnni => {
                let strip = self.strips.bytes(input, first, rows, zero_point, scratch);
                avx_vnni::run(self.isa, self.job(strip, rows, output));
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni => {
                let strip = self.strips.bytes(input, first, rows, zero_point, scratch);
                vnni::run(self.isa, self.job(strip, rows, output));
            }
            #[cfg(target_arch = "aarch64")]
            Kind::Neon | Kind::NeonDotprod => {
                let strip = self.strips.bytes(input, first, rows, zero_point, scratch);
                neon::run(self.isa, self.job(strip, rows, output));
            }
            #[cfg(target_arch = "aarch64")]
            Kind::NeonI8mm => {
                let strip = self.strips.bytes(input, first, rows, zero_point, scratch);
                i8mm::run(self.isa, self.job(strip, rows, output));
            }
        }
    }

    fn job<'a, Element>(&'a self, strip: &'a [Element], rows: usize, output: &'a mut [u8]) -> Job<'a, Element> {
        let job = Job {
            strip,
            pixels: &self.strips.pixels()[..rows * self.output.width],
            runs: self.strips.runs(),
            packed: &self.packed,
            limits: self.config.requantization.limits(),
            zero_point: i32::from(self.config.requantization.zero_point),
            channels: self.output.channels,
            output,
        };
        job.check();
        job
    }
}

impl<Element> Job<'_, Element> {
    /// What the variants' unchecked reads and writes rest on.
    fn check(&self) {
        // Pixels come row by row, from left to right, and so do runs: the last of each reaches farthest.
        let (Some(pixel), Some(run)) = (self.pixels.last(), self.runs.last()) else { unreachable!("no empty strips") };
        let reach = *pixel as usize + *run as usize + self.packed.run_len();
        assert!(reach <= self.strip.len(), "the windows reach {reach} of {} numbers", self.strip.len());
        assert_eq!(self.output.len(), self.pixels.len() * self.channels, "numbers in the output");
        assert!(self.channels <= self.packed.channels(), "channels in the packed weights");
        assert_eq!(self.packed.runs(), self.runs.len(), "runs in the packed weights");
    }
}

/// How each variant reads.
fn reading(isa: Isa) -> Reading {
    let plain = Reading { step_len: 1, vectors: 1, element_bytes: 1, values: Values::AsTheyAre, order: Order::Whole };
    match isa.0 {
        Kind::Portable => plain,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => Reading { step_len: 2, element_bytes: 2, ..plain },
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni | Kind::Avx512VlVnni => Reading { step_len: 4, ..plain },
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => Reading { step_len: 4, vectors: 4, ..plain },
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => Reading { step_len: 4, values: Values::LessHalf, order: Order::Pairs, ..plain },
        #[cfg(target_arch = "aarch64")]
        Kind::NeonDotprod => Reading { step_len: 4, values: Values::LessHalf, ..plain },
        #[cfg(target_arch = "aarch64")]
        Kind::NeonI8mm => Reading { step_len: 8, ..plain },
    }
}

/// Whether NEON without `sdot` would leave 16 bits: it adds two products s8·s8 there, and (−128)² · 2 does not fit. Such
/// weights are rare: symmetric quantisation, ours as well, ends at −127.
fn overflows_pairs(isa: Isa, weights: &[i8]) -> bool {
    isa.name() == "neon" && weights.contains(&i8::MIN)
}

/// # Errors
/// Another length.
pub(crate) fn expect_length(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(KernelError::Mismatch { what, expected, found }) }
}

/// A product of sizes; `usize::MAX` where it leaves a `usize`, which is no length of a slice.
pub(crate) fn product(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |product: usize, size| product.saturating_mul(*size))
}

/// `bias − zero point · Σ weight` per channel, for weights `[channels, …]`.
///
/// # Errors
/// A channel where some picture's sum would leave 32 bits, at the end or on the way there.
pub(crate) fn fold_zero_point(weights: &[i8], bias: &[i32], zero_point: u8) -> Result<Vec<i32>> {
    let rows = weights.chunks_exact(weights.len() / bias.len());
    let fold = |(channel, (row, bias)): (usize, (&[i8], &i32))| {
        let sum: i64 = row.iter().map(|weight| i64::from(*weight)).sum();
        let magnitude: i64 = row.iter().map(|weight| i64::from(weight.unsigned_abs())).sum();
        let folded = i64::from(*bias) - i64::from(zero_point) * sum;
        if folded.abs() + 255 * magnitude > i64::from(i32::MAX) {
            return Err(KernelError::Overflow { channel });
        }
        Ok(folded as i32)
    };
    rows.zip(bias).enumerate().map(fold).collect()
}
