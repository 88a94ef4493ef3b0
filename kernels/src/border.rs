//! A picture with a border around it.
//!
//! Convolutions take care of their own borders (`Padding`); this is for files that hold the border as an operator of its own,
//! read by something else.

use crate::shape::{Padding, PictureShape};
use crate::table::Table;
use crate::team::Team;
use crate::{KernelError, Result};

/// What a border is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// One number everywhere.
    Number(u8),
    /// The picture mirrored at its first and last row and column, which are not repeated.
    Reflect,
    /// The picture's first and last row and column.
    Edge,
}

/// What a border is, apart from the picture. Pairs are `[vertical, horizontal]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BorderConfig {
    /// The picture that comes in.
    pub input: PictureShape,
    /// Rows above and columns to the left.
    pub before: [usize; 2],
    /// Rows below and columns to the right.
    pub after: [usize; 2],
    /// What it is made of; a [`Fill::Number`] is on the scale of the result.
    pub fill: Fill,
    /// What becomes of the picture's numbers; none if they stay as they are.
    pub table: Option<Table>,
}

/// A border.
#[derive(Debug, Clone, PartialEq)]
pub struct Border {
    config: BorderConfig,
    output: PictureShape,
}

impl Border {
    /// Checks the sizes.
    ///
    /// # Errors
    /// Empty or too large pictures, or a reflection as wide as the picture.
    pub fn new(config: BorderConfig) -> Result<Self> {
        let BorderConfig { input, before, after, fill, .. } = &config;
        input.check("the input")?;
        let mut size = [input.height, input.width];
        for axis in 0..2 {
            let padding = before[axis].max(after[axis]);
            if *fill == Fill::Reflect && padding >= size[axis] {
                return Err(KernelError::ReflectionTooWide { padding, picture: size[axis] });
            }
            size[axis] = size[axis].saturating_add(before[axis]).saturating_add(after[axis]);
        }
        let output = PictureShape { height: size[0], width: size[1], channels: input.channels };
        output.check("the output")?;
        Ok(Self { config, output })
    }

    /// What it is.
    pub fn config(&self) -> &BorderConfig {
        &self.config
    }

    /// The picture that goes out.
    pub fn output(&self) -> PictureShape {
        self.output
    }

    /// Puts the border around `input`.
    ///
    /// # Panics
    /// Slices of other lengths than the shapes say.
    pub fn run(&self, input: &[u8], output: &mut [u8], team: &Team) {
        assert_eq!(input.len(), self.config.input.len(), "numbers in the input");
        assert_eq!(output.len(), self.output.len(), "numbers in the output");
        let row_len = self.output.width * self.output.channels;
        team.for_each_part(output, row_len, &mut [], 0, |y, row, _scratch| self.run_row(input, y, row));
    }

    fn run_row(&self, input: &[u8], y: usize, row: &mut [u8]) {
        let BorderConfig { input: PictureShape { height, width, channels }, before, fill, .. } = self.config;
        let (padding, number) = match fill {
            Fill::Number(number) => (Padding::ZeroPoint, number),
            Fill::Reflect => (Padding::Reflect, 0),
            Fill::Edge => (Padding::Edge, 0),
        };
        let Some(source) = padding.source(y, before[0], height) else {
            row.fill(number);
            return;
        };
        let source = &input[source * width * channels..(source + 1) * width * channels];
        self.place(source, &mut row[before[1] * channels..(before[1] + width) * channels]);
        for column in (0..before[1]).chain(before[1] + width..self.output.width) {
            let pixel = &mut row[column * channels..(column + 1) * channels];
            match padding.source(column, before[1], width) {
                Some(from) => self.place(&source[from * channels..(from + 1) * channels], pixel),
                None => pixel.fill(number),
            }
        }
    }

    fn place(&self, from: &[u8], to: &mut [u8]) {
        match &self.config.table {
            Some(table) => table.run_to(from, to),
            None => to.copy_from_slice(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addition::Grid;

    fn framed(fill: Fill, table: Option<Table>) -> Vec<u8> {
        let input = PictureShape { height: 2, width: 3, channels: 1 };
        let border = Border::new(BorderConfig { input, before: [1, 2], after: [0, 1], fill, table }).unwrap();
        let mut output = vec![0; border.output().len()];
        border.run(&[1, 2, 3, 4, 5, 6], &mut output, &Team::new(2).unwrap());
        output
    }

    #[test]
    fn a_border_is_a_number_a_mirror_or_the_edge() {
        assert_eq!(framed(Fill::Number(9), None), [[9; 6], [9, 9, 1, 2, 3, 9], [9, 9, 4, 5, 6, 9]].as_flattened());
        assert_eq!(
            framed(Fill::Reflect, None),
            [[6, 5, 4, 5, 6, 5], [3, 2, 1, 2, 3, 2], [6, 5, 4, 5, 6, 5]].as_flattened()
        );
        assert_eq!(
            framed(Fill::Edge, None),
            [[1, 1, 1, 2, 3, 3], [1, 1, 1, 2, 3, 3], [4, 4, 4, 5, 6, 6]].as_flattened()
        );
    }

    #[test]
    fn the_picture_changes_its_scale_and_the_number_is_on_the_new_one() {
        let (one, two) = (Grid { scale: 2.0, zero_point: 0 }, Grid { scale: 1.0, zero_point: 0 });
        let table = Table::new(one, two, |value| value).unwrap();
        assert_eq!(framed(Fill::Number(9), Some(table))[6..12], [9, 9, 2, 4, 6, 9]);
    }

    #[test]
    fn a_mirror_wider_than_the_picture_is_refused() {
        let input = PictureShape { height: 2, width: 3, channels: 1 };
        let config = BorderConfig { input, before: [2, 0], after: [0; 2], fill: Fill::Reflect, table: None };
        assert!(Border::new(config.clone()).is_err());
        assert!(Border::new(BorderConfig { fill: Fill::Edge, ..config.clone() }).is_ok());
        assert!(Border::new(BorderConfig { fill: Fill::Edge, before: [usize::MAX, 0], ..config }).is_err());
    }
}
