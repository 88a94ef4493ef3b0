//! Pictures put side by side into the channels of another: concatenation, nearest upsampling, and both at once.
//!
//! ```text
//! output[y, x, first channel + c] = table(part[y / factor, x / factor, c])
//! ```
//!
//! Concatenation is several parts with factor 1; upsampling ×2 is one part with factor 2; the skip connection of a
//! decoder is one of each. The table brings a part to the output's scale.

use crate::convolution::expect_length;
use crate::shape::PictureShape;
use crate::table::Table;
use crate::team::Team;
use crate::{KernelError, Result};

/// One picture of an assembly.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The picture.
    pub shape: PictureShape,
    /// How often each row and column is repeated.
    pub factor: usize,
    /// What becomes of its numbers; none if they stay as they are.
    pub table: Option<Table>,
}

/// Pictures put into one.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembly {
    parts: Vec<Part>,
    output: PictureShape,
}

impl Assembly {
    /// The assembly of `parts`, in the order of their channels.
    ///
    /// # Errors
    /// No parts, a factor of zero, or parts that do not have one size in the end.
    pub fn new(parts: Vec<Part>) -> Result<Self> {
        let mut output = PictureShape { height: 0, width: 0, channels: 0 };
        for (index, Part { shape, factor, .. }) in parts.iter().enumerate() {
            shape.check("a part")?;
            if *factor == 0 || *factor > 256 {
                return Err(KernelError::Size { what: "factor of enlargement", found: *factor });
            }
            let (height, width) = (shape.height * factor, shape.width * factor);
            if index == 0 {
                (output.height, output.width) = (height, width);
            }
            expect_length("rows in every part", output.height, height)?;
            expect_length("columns in every part", output.width, width)?;
            output.channels += shape.channels;
        }
        output.check("the output")?;
        Ok(Self { parts, output })
    }

    /// The pictures that go in.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The picture that goes out.
    pub fn output(&self) -> PictureShape {
        self.output
    }

    /// Assembles `inputs`, one for each part.
    ///
    /// # Panics
    /// Another number of inputs, or slices of other lengths than their shapes say.
    pub fn run(&self, inputs: &[&[u8]], output: &mut [u8], team: &Team) {
        assert_eq!(inputs.len(), self.parts.len(), "parts");
        for (input, part) in inputs.iter().zip(&self.parts) {
            assert_eq!(input.len(), part.shape.len(), "numbers in a part");
        }
        assert_eq!(output.len(), self.output.len(), "numbers in the output");
        let row_len = self.output.width * self.output.channels;
        team.for_each_part(output, row_len, &mut [], 0, |y, row, _scratch| {
            let mut first = 0;
            for (input, part) in inputs.iter().zip(&self.parts) {
                part.place(input, y, row, first, self.output.channels);
                first += part.shape.channels;
            }
        });
    }
}

impl Part {
    /// Writes row `y` into the channels of `row` from `first`, of `channels`.
    fn place(&self, input: &[u8], y: usize, row: &mut [u8], first: usize, channels: usize) {
        let own = self.shape.channels;
        let source = &input[y / self.factor * self.shape.width * own..][..self.shape.width * own];
        if let (None, 1) = (&self.table, self.factor)
            && own == channels
        {
            row.copy_from_slice(source);
            return;
        }
        let place = (first, channels);
        match own {
            _ if own.is_multiple_of(16) => self.repeat(source, row, place, copy_sixteens),
            16..32 => self.repeat(source, row, place, copy_ends::<16>),
            8..16 => self.repeat(source, row, place, copy_ends::<8>),
            4..8 => self.repeat(source, row, place, copy_ends::<4>),
            _ => self.repeat(source, row, place, <[u8]>::copy_from_slice),
        }
    }

    /// Writes every pixel of `source` as often as the factor says.
    #[inline]
    fn repeat(
        &self,
        source: &[u8],
        row: &mut [u8],
        (first, channels): (usize, usize),
        copy: impl Fn(&mut [u8], &[u8]),
    ) {
        let own = self.shape.channels;
        let pixels = row.chunks_exact_mut(channels * self.factor).zip(source.chunks_exact(own));
        for (copies, pixel) in pixels {
            let mut copies = copies.chunks_exact_mut(channels).map(|copy| &mut copy[first..first + own]);
            match &self.table {
                // From the source each: what was just written is slow to read where the writes were of other sizes.
                None => copies.for_each(|to| copy(to, pixel)),
                Some(table) => {
                    let Some(once) = copies.next() else { continue };
                    table.run_to(pixel, once);
                    copies.for_each(|to| copy(to, once));
                }
            }
        }
    }
}

/// Copies a multiple of sixteen bytes, without a call.
#[inline]
fn copy_sixteens(to: &mut [u8], from: &[u8]) {
    assert_eq!(from.len(), to.len(), "numbers to copy");
    for (to, from) in to.as_chunks_mut::<16>().0.iter_mut().zip(from.as_chunks::<16>().0) {
        *to = *from;
    }
}

/// Copies the first and the last `LEN` bytes, which are all of a slice of at most twice as many, without a call.
#[inline]
fn copy_ends<const LEN: usize>(to: &mut [u8], from: &[u8]) {
    assert_eq!(from.len(), to.len(), "numbers to copy");
    if let (Some(from), Some(to)) = (from.first_chunk::<LEN>(), to.first_chunk_mut()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<LEN>(), to.last_chunk_mut()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addition::Grid;

    fn part(height: usize, width: usize, channels: usize, factor: usize) -> Part {
        Part { shape: PictureShape { height, width, channels }, factor, table: None }
    }

    #[test]
    fn a_skip_connection_is_upsampled_and_joined_on_one_scale() {
        let (half, whole) = (Grid { scale: 0.5, zero_point: 0 }, Grid { scale: 1.0, zero_point: 3 });
        let table = Table::new(half, whole, |value| value).unwrap();
        let small = Part { table: Some(table), ..part(1, 2, 2, 2) };
        let assembly = Assembly::new(vec![small, part(2, 4, 1, 1)]).unwrap();
        let mut output = vec![0; assembly.output().len()];
        let large: Vec<u8> = (100..108).collect();
        assembly.run(&[&[2, 4, 6, 8], &large], &mut output, &Team::new(2).unwrap());
        let expected =
            [[4, 5, 100], [4, 5, 101], [6, 7, 102], [6, 7, 103], [4, 5, 104], [4, 5, 105], [6, 7, 106], [6, 7, 107]];
        assert_eq!(output, expected.as_flattened());
    }

    #[test]
    fn one_part_of_any_width_is_repeated_in_both_directions() {
        for channels in [1, 3, 4, 7, 8, 10, 15, 16, 17, 31, 32, 33] {
            let assembly = Assembly::new(vec![part(3, 5, channels, 2)]).unwrap();
            let input: Vec<u8> = (0..15 * channels).map(|at| (at * 7) as u8).collect();
            let mut output = vec![0; assembly.output().len()];
            assembly.run(&[&input], &mut output, &Team::new(1).unwrap());
            for (at, number) in output.iter().enumerate() {
                let (y, x, c) = (at / channels / 10, at / channels % 10, at % channels);
                assert_eq!(*number, input[(y / 2 * 5 + x / 2) * channels + c]);
            }
        }
    }

    #[test]
    fn parts_of_different_size_are_refused() {
        assert!(Assembly::new(vec![part(2, 2, 1, 2), part(4, 5, 1, 1)]).is_err());
        assert!(Assembly::new(vec![part(2, 2, 1, 0)]).is_err());
        assert!(Assembly::new(Vec::new()).is_err());
    }
}
