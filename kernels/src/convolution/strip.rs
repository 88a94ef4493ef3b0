//! A few padded rows of the input: what one strip of output rows looks at.
//!
//! Padding is written out, so that no inner loop asks where the picture ends. Because a strip is small it stays in the
//! second-level cache from the time it is written to the time it is read, and copying costs little beside the
//! multiplications. A convolution without padding whose runs are whole steps reads the input itself.

use crate::shape::{Padding, PictureShape, Window};
use crate::{KernelError, Result};

/// Bytes of input and output that a strip may have: a quarter of the second-level cache of today's server cores, half
/// of a small board's. The rest is for weights.
const STRIP_BYTES: usize = 256 * 1024;

/// Bytes behind a strip that the last step of its last run may read; their weights are zero.
const SLACK: usize = 64;

/// How a variant reads strips and weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Contiguous taps that one step multiplies.
    pub(crate) step_len: usize,
    /// Vectors of 16 channels that it computes together at most.
    pub(crate) vectors: usize,
    /// Bytes of a number in its strip.
    pub(crate) element_bytes: usize,
    /// What a number of its strip is.
    pub(crate) values: Values,
    /// The order of weights within a step.
    pub(crate) order: Order,
}

/// What a number of a strip is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// The number of the input.
    AsTheyAre,
    /// The number of the input less 128, as s8: for instructions that multiply s8 by s8.
    LessHalf,
}

/// The order of weights within a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// All taps of a channel, then the next channel's.
    Whole,
    /// For every four channels the first two taps of each, then the last two of each.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code, reason = "NEON's order"))]
    Pairs,
}

/// Where the strips of a convolution lie, and where its windows lie in a strip.
#[derive(Debug, Clone)]
pub(crate) struct Strips {
    input: PictureShape,
    window: Window,
    padding: Padding,
    rows: usize,
    row_len: usize,
    taps_per_run: usize,
    runs: Vec<u32>,
    pixels: Vec<u32>,
    element_bytes: usize,
    values: Values,
    source: Source,
}

/// What the variants read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The input itself.
    Input,
    /// A padded copy.
    Copy,
}

impl Strips {
    pub(crate) fn new(
        input: PictureShape,
        output: PictureShape,
        window: &Window,
        padding: Padding,
        Reading { step_len, element_bytes, values, .. }: Reading,
        threads: usize,
    ) -> Result<Self> {
        let channels = input.channels;
        let row_len = (window.before[1] + input.width + window.after[1]) * channels;
        let [rows, columns] = window.kernel;
        // Taps of one kernel row lie side by side, unless dilation leaves gaps between them.
        let side_by_side = window.dilation[1] == 1 || columns == 1;
        let taps_per_run = if side_by_side { columns * channels } else { channels };
        let run_columns = if side_by_side { 1 } else { columns };
        let run = |index: usize| {
            let (row, column) = (index / run_columns, index % run_columns);
            row * window.dilation[0] * row_len + column * window.dilation[1] * channels
        };
        let whole_steps = taps_per_run.is_multiple_of(step_len);
        let unpadded = window.before == [0; 2] && window.after == [0; 2];
        let as_it_is = element_bytes == 1 && values == Values::AsTheyAre;
        let source = if unpadded && whole_steps && as_it_is { Source::Input } else { Source::Copy };
        let mut strips = Self {
            input,
            window: *window,
            padding,
            rows: 1,
            row_len,
            taps_per_run,
            runs: Vec::new(),
            pixels: Vec::new(),
            element_bytes,
            values,
            source,
        };
        let bytes = |rows: usize| {
            let input = strips.input_rows(rows).saturating_mul(row_len).saturating_mul(element_bytes);
            input.saturating_add(rows * output.width * output.channels)
        };
        let fitting = (1..=output.height).rev().find(|rows| bytes(*rows) <= STRIP_BYTES).unwrap_or(1);
        // As many strips for each thread, of about one size.
        let count = output.height.div_ceil(fitting).next_multiple_of(threads.max(1));
        strips.rows = output.height.div_ceil(count);
        let reach = strips.input_rows(strips.rows).saturating_mul(row_len);
        if reach > crate::shape::MOST_NUMBERS {
            return Err(KernelError::Size { what: "a strip of padded rows", found: reach });
        }
        strips.runs = (0..rows * run_columns).map(|index| run(index) as u32).collect();
        let [down, right] = window.stride;
        let pixel = |y: usize, x: usize| (y * down * row_len + x * right * channels) as u32;
        strips.pixels = (0..strips.rows).flat_map(|y| (0..output.width).map(move |x| pixel(y, x))).collect();
        Ok(strips)
    }

    /// Output rows of a strip; the last one may have fewer.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn taps_per_run(&self) -> usize {
        self.taps_per_run
    }

    pub(crate) fn runs(&self) -> &[u32] {
        &self.runs
    }

    /// Where the window of each output pixel of a strip begins.
    pub(crate) fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// Scratch memory for one strip.
    pub(crate) fn scratch_len(&self) -> usize {
        if self.source == Source::Input {
            return 0;
        }
        // One element more, so that the strip can begin at a multiple of its element's size.
        (self.input_rows(self.rows) * self.row_len + 1) * self.element_bytes + SLACK
    }

    /// Input rows that `rows` output rows look at.
    fn input_rows(&self, rows: usize) -> usize {
        (rows - 1) * self.window.stride[0] + self.window.extent(0)
    }

    /// The strip of `rows` output rows from row `first`, as bytes.
    pub(crate) fn bytes<'a>(
        &self,
        input: &'a [u8],
        first: usize,
        rows: usize,
        zero_point: u8,
        scratch: &'a mut [u8],
    ) -> &'a [u8] {
        if self.source == Source::Input {
            return &input[first * self.window.stride[0] * self.row_len..];
        }
        match self.values {
            Values::AsTheyAre => {
                self.copy(input, first, rows, zero_point, scratch, |from, to| to.copy_from_slice(from));
            }
            // As s8, less 128 is the highest bit turned over.
            Values::LessHalf => self.copy(input, first, rows, zero_point ^ 0x80, scratch, |from, to| {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from ^ 0x80;
                }
            }),
        }
        scratch
    }

    /// The strip of `rows` output rows from row `first`, widened to 16 bits.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn words<'a>(
        &self,
        input: &[u8],
        first: usize,
        rows: usize,
        zero_point: u8,
        scratch: &'a mut [u8],
    ) -> &'a [i16] {
        // SAFETY: any two bytes are an i16.
        let (_before, words, _after) = unsafe { scratch.align_to_mut::<i16>() };
        self.copy(input, first, rows, i16::from(zero_point), words, |from, to| {
            for (to, from) in to.iter_mut().zip(from) {
                *to = i16::from(*from);
            }
        });
        words
    }

    fn copy<Element: Copy>(
        &self,
        input: &[u8],
        first: usize,
        rows: usize,
        zero_point: Element,
        strip: &mut [Element],
        write: impl Fn(&[u8], &mut [Element]),
    ) {
        let (Window { stride, before, .. }, PictureShape { height, width, channels }) = (self.window, self.input);
        let first = first * stride[0];
        for (row, strip) in strip.chunks_exact_mut(self.row_len).take(self.input_rows(rows)).enumerate() {
            let Some(source) = self.padding.source(first + row, before[0], height) else {
                strip.fill(zero_point);
                continue;
            };
            let source = &input[source * width * channels..(source + 1) * width * channels];
            let inside = before[1] * channels..(before[1] + width) * channels;
            write(source, &mut strip[inside.clone()]);
            for column in (0..before[1]).chain(before[1] + width..self.row_len / channels) {
                let pixel = &mut strip[column * channels..(column + 1) * channels];
                match self.padding.source(column, before[1], width) {
                    Some(from) => write(&source[from * channels..(from + 1) * channels], pixel),
                    None => pixel.fill(zero_point),
                }
            }
        }
    }
}
