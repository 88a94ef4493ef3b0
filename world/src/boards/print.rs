//! What is printed where on a board, looked up in constant time.

use parallax_core::board::{Board, Rectangle};

/// A board with its black areas sorted into a grid.
pub(super) struct Print {
    extent: Rectangle,
    /// The paper around the print.
    paper: Rectangle,
    cell_m: f64,
    columns: usize,
    rows: usize,
    cells: Vec<Vec<Rectangle>>,
}

/// White paper around the print, as a part of the smallest field's side: detectors need some.
const MARGIN: f64 = 0.6;

impl Print {
    pub(super) fn new(board: &Board) -> Self {
        let (extent, dark) = (board.extent(), board.dark());
        let margin = MARGIN * board.corner(1).x;
        let paper = Rectangle {
            left: extent.left - margin,
            top: extent.top - margin,
            right: extent.right + margin,
            bottom: extent.bottom + margin,
        };
        // One or two black areas to a cell.
        let cell_m = (extent.width() * extent.height() / dark.len() as f64).sqrt();
        let columns = (extent.width() / cell_m) as usize + 1;
        let rows = (extent.height() / cell_m) as usize + 1;
        let mut cells = vec![Vec::new(); columns * rows];
        let cell = |at: f64, first: f64, count: usize| (((at - first) / cell_m).max(0.0) as usize).min(count - 1);
        for area in dark {
            for row in cell(area.top, extent.top, rows)..=cell(area.bottom, extent.top, rows) {
                for column in cell(area.left, extent.left, columns)..=cell(area.right, extent.left, columns) {
                    cells[row * columns + column].push(area);
                }
            }
        }
        Self { extent, paper, cell_m, columns, rows, cells }
    }

    /// Whether the print is black here; none beside the paper.
    pub(super) fn is_black(&self, x: f64, y: f64) -> Option<bool> {
        if !self.paper.contains(x, y) {
            return None;
        }
        if !self.extent.contains(x, y) {
            return Some(false);
        }
        let column = (((x - self.extent.left) / self.cell_m) as usize).min(self.columns - 1);
        let row = (((y - self.extent.top) / self.cell_m) as usize).min(self.rows - 1);
        Some(self.cells[row * self.columns + column].iter().any(|area| area.contains(x, y)))
    }

    /// The middle of the paper and its longer side.
    pub(super) fn extent(&self) -> Rectangle {
        self.extent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_up_agrees_with_the_list_of_black_areas() {
        let board: Board = "aprilgrid:2x3:40mm:0.3".parse().unwrap();
        let (print, dark) = (Print::new(&board), board.dark());
        let extent = board.extent();
        for index in 0..10_000 {
            let (a, b) = (f64::from(index % 100) / 99.0, f64::from(index / 100) / 99.0);
            let (x, y) = (extent.left + a * extent.width() * 0.999, extent.top + b * extent.height() * 0.999);
            assert_eq!(print.is_black(x, y), Some(dark.iter().any(|area| area.contains(x, y))), "{x} {y}");
        }
        assert_eq!(print.is_black(extent.right + 1.0, 0.0), None);
        assert_eq!(print.is_black(extent.right + 0.01, 0.0), Some(false));
    }
}
