//! Calibration boards: what is printed where.
//!
//! Every board is a lattice of corners at which two dark and two white fields meet. Corner `(i, j)` is in column i from
//! the left and row j from the top; its number is `j · columns + i`. The board's frame has its origin in corner (0, 0),
//! x to the right, y down, z away from the viewer, metres: the frame of a camera that looks straight at the board.
//! Lattice field (i, j) lies between corners (i, j) and (i + 1, j + 1) and is dark where i + j is even.
//!
//! | board | corners | known by |
//! |---|---|---|
//! | chessboard | between the squares | the whole grid only, so all of it must be seen |
//! | ChArUco (OpenCV's) | between the squares | markers in the white squares, so a part is enough |
//! | AprilGrid (Kalibr's) | of the tags, joined by small squares | the tags, so a part is enough |
//!
//! References: OpenCV's ChArUco documentation (the layout since 4.6: a dark square at the top left, markers numbered
//! row by row); Kalibr's wiki, *Calibration targets* (tag 0 at the bottom left, rows counted upwards, two bits of black
//! border, `tagSpacing` = gap / tag).

mod dictionary;
mod text;

pub use dictionary::Dictionary;

use nalgebra::Point3;

/// One kind of board with its measures.
#[derive(Clone, Debug, PartialEq)]
pub enum Board {
    /// Squares only.
    Chessboard {
        /// Inner corners along the width.
        columns: u32,
        /// Inner corners along the height.
        rows: u32,
        /// Side of a square in metres.
        square_m: f64,
    },
    /// Squares with markers in the white ones.
    Charuco {
        /// Squares along the width.
        columns: u32,
        /// Squares along the height.
        rows: u32,
        /// Side of a square in metres.
        square_m: f64,
        /// Side of a marker with its black border, in metres.
        marker_m: f64,
        /// The markers.
        dictionary: Dictionary,
    },
    /// Tags joined by small squares at their corners.
    AprilGrid {
        /// Tags along the width.
        columns: u32,
        /// Tags along the height.
        rows: u32,
        /// Side of a tag with its black border, in metres.
        tag_m: f64,
        /// Gap between two tags as a part of the tag's side.
        spacing: f64,
        /// The tags.
        dictionary: Dictionary,
    },
}

/// A marker on a board.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marker {
    /// Its number in the dictionary.
    pub id: usize,
    /// The lattice field (column, row) that it lies in.
    pub field: (i32, i32),
    /// The square that its black border fills.
    pub area: Rectangle,
    /// Width of the black border in bits.
    pub border_bits: u32,
}

/// A rectangle in the board's plane, metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Rectangle {
    /// Distance from left to right.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Distance from top to bottom.
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Whether the point lies inside; left and upper edge count as inside.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }
}

impl Board {
    /// Corners along the width.
    pub const fn corner_columns(&self) -> u32 {
        match self {
            Self::Chessboard { columns, .. } => *columns,
            Self::Charuco { columns, .. } => *columns - 1,
            Self::AprilGrid { columns, .. } => *columns * 2,
        }
    }

    /// Corners along the height.
    pub const fn corner_rows(&self) -> u32 {
        match self {
            Self::Chessboard { rows, .. } => *rows,
            Self::Charuco { rows, .. } => *rows - 1,
            Self::AprilGrid { rows, .. } => *rows * 2,
        }
    }

    /// Number of corners.
    pub const fn corner_count(&self) -> usize {
        self.corner_columns() as usize * self.corner_rows() as usize
    }

    /// Where corner `number` is printed, in the board's frame.
    pub fn corner(&self, number: usize) -> Point3<f64> {
        let columns = self.corner_columns() as usize;
        Point3::new(self.line((number % columns) as i32), self.line((number / columns) as i32), 0.0)
    }

    /// All corners in the order of their numbers.
    pub fn corners(&self) -> Vec<Point3<f64>> {
        (0..self.corner_count()).map(|number| self.corner(number)).collect()
    }

    /// Distance of lattice line `index` from the first one, along either axis, metres.
    fn line(&self, index: i32) -> f64 {
        match self {
            Self::Chessboard { square_m, .. } | Self::Charuco { square_m, .. } => f64::from(index) * square_m,
            Self::AprilGrid { tag_m, spacing, .. } => {
                let (pairs, odd) = (index.div_euclid(2), index.rem_euclid(2));
                tag_m * (f64::from(pairs) * (1.0 + spacing) + f64::from(odd))
            }
        }
    }

    /// The shortest distance of two neighbouring corners, metres.
    pub fn least_gap_m(&self) -> f64 {
        (self.line(1) - self.line(0)).min(self.line(2) - self.line(1))
    }

    fn field(&self, column: i32, row: i32) -> Rectangle {
        Rectangle {
            left: self.line(column),
            top: self.line(row),
            right: self.line(column + 1),
            bottom: self.line(row + 1),
        }
    }

    /// The rectangle that the print fills, without a white margin.
    pub fn extent(&self) -> Rectangle {
        let (columns, rows) = (self.corner_columns() as i32, self.corner_rows() as i32);
        Rectangle { left: self.line(-1), top: self.line(-1), right: self.line(columns), bottom: self.line(rows) }
    }

    /// Whether a part of the board is enough to know which corner is which.
    pub const fn allows_parts(&self) -> bool {
        !matches!(self, Self::Chessboard { .. })
    }

    /// Whether the print looks the same after half a turn, so that the numbering of its corners is ambiguous.
    pub const fn is_symmetric(&self) -> bool {
        match self {
            // Half a turn takes field (i, j) to (columns - 2 - i, rows - 2 - j): dark stays dark when the sum is even.
            Self::Chessboard { columns, rows, .. } => (*columns + *rows).is_multiple_of(2),
            _ => false,
        }
    }

    /// The markers, in the order of their numbers on the board.
    pub fn markers(&self) -> Vec<Marker> {
        match self {
            Self::Chessboard { .. } => Vec::new(),
            Self::Charuco { columns, rows, square_m, marker_m, .. } => {
                let inset = (square_m - marker_m) / 2.0;
                let white = (0..*rows as i32)
                    .flat_map(|row| (0..*columns as i32).map(move |column| (column - 1, row - 1)))
                    .filter(|(column, row)| (column + row).rem_euclid(2) == 1);
                let marker = |(id, (column, row)): (usize, (i32, i32))| {
                    let Rectangle { left, top, right, bottom } = self.field(column, row);
                    let area = Rectangle {
                        left: left + inset,
                        top: top + inset,
                        right: right - inset,
                        bottom: bottom - inset,
                    };
                    Marker { id, field: (column, row), area, border_bits: 1 }
                };
                white.enumerate().map(marker).collect()
            }
            Self::AprilGrid { columns, rows, .. } => {
                let marker = |id: u32| {
                    let (column, row) = (id % columns, rows - 1 - id / columns);
                    let field = (2 * column as i32, 2 * row as i32);
                    Marker { id: id as usize, field, area: self.field(field.0, field.1), border_bits: 2 }
                };
                (0..columns * rows).map(marker).collect()
            }
        }
    }

    /// The dictionary of the markers, for boards that have some.
    pub const fn dictionary(&self) -> Option<&Dictionary> {
        match self {
            Self::Chessboard { .. } => None,
            Self::Charuco { dictionary, .. } | Self::AprilGrid { dictionary, .. } => Some(dictionary),
        }
    }

    /// Everything black, as rectangles that do not overlap.
    pub fn dark(&self) -> Vec<Rectangle> {
        let (columns, rows) = (self.corner_columns() as i32, self.corner_rows() as i32);
        let is_tag = |column: i32| matches!(self, Self::AprilGrid { .. }) && column.rem_euclid(2) == 0;
        let fields = (-1..rows).flat_map(|row| (-1..columns).map(move |column| (column, row)));
        let plain = fields.filter(|(column, row)| (column + row).rem_euclid(2) == 0 && !is_tag(*column));
        let mut dark: Vec<Rectangle> = plain.map(|(column, row)| self.field(column, row)).collect();
        if let Some(dictionary) = self.dictionary() {
            dark.extend(self.markers().iter().flat_map(|marker| dark_of_marker(marker, dictionary)));
        }
        dark
    }
}

/// The black parts of a marker, runs of black bits in a row joined.
fn dark_of_marker(marker: &Marker, dictionary: &Dictionary) -> Vec<Rectangle> {
    let (bits, border) = (dictionary.bits(), marker.border_bits);
    let side = bits + 2 * border;
    let inside = border..border + bits;
    let is_white = |row: u32, column: u32| {
        inside.contains(&row)
            && inside.contains(&column)
            && dictionary.is_white(marker.id, row - border, column - border)
    };
    let bit = marker.area.width() / f64::from(side);
    let mut dark = Vec::new();
    for row in 0..side {
        let mut column = 0;
        while column < side {
            let length = (column..side).take_while(|&column| !is_white(row, column)).count() as u32;
            if length > 0 {
                let (left, top) = (marker.area.left + f64::from(column) * bit, marker.area.top + f64::from(row) * bit);
                dark.push(Rectangle { left, top, right: left + f64::from(length) * bit, bottom: top + bit });
            }
            column += length.max(1);
        }
    }
    dark
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(text: &str) -> Board {
        text.parse().unwrap()
    }

    #[test]
    fn corners_are_numbered_row_by_row_from_the_top_left() {
        let chessboard = board("chessboard:9x6:25mm");
        assert_eq!((chessboard.corner_count(), chessboard.corner(10)), (54, Point3::new(0.025, 0.025, 0.0)));
        let grid = board("aprilgrid:6x6:88mm:0.3");
        assert_eq!((grid.corner_columns(), grid.corner_count()), (12, 144));
        let x = |number: usize| grid.corner(number).x;
        assert!((x(1) - 0.088).abs() < 1e-12 && (x(2) - 0.088 * 1.3).abs() < 1e-12 && x(12) == 0.0);
    }

    #[test]
    fn a_charuco_board_has_its_markers_where_opencv_puts_them() {
        let markers = board("charuco:5x7:40mm:30mm:4x4_50").markers();
        assert_eq!(markers.len(), 17);
        assert_eq!((markers[0].id, markers[0].field), (0, (0, -1)));
        assert_eq!(markers[2].field, (-1, 0));
        assert!((markers[0].area.left - 0.005).abs() < 1e-12 && (markers[0].area.width() - 0.030).abs() < 1e-12);
    }

    #[test]
    fn an_aprilgrid_counts_its_tags_from_the_bottom_left() {
        let markers = board("aprilgrid:6x5:88mm:0.3").markers();
        assert_eq!((markers[0].field, markers[5].field, markers[29].field), ((0, 8), (10, 8), (10, 0)));
    }

    #[test]
    fn at_every_corner_two_dark_and_two_white_fields_meet() {
        for text in ["chessboard:9x6:25mm", "charuco:5x7:40mm:30mm:4x4_50", "aprilgrid:3x4:40mm:0.3"] {
            let board = board(text);
            let dark = board.dark();
            let is_dark = |x: f64, y: f64| dark.iter().any(|rectangle| rectangle.contains(x, y));
            for corner in board.corners() {
                let d = 1e-3;
                let at = |dx: f64, dy: f64| is_dark(corner.x + dx, corner.y + dy);
                let around = [at(-d, -d), at(d, -d), at(d, d), at(-d, d)];
                assert!(around[0] == around[2] && around[1] == around[3] && around[0] != around[1], "{text} {corner}");
            }
        }
    }

    #[test]
    fn black_areas_do_not_overlap_and_stay_on_the_board() {
        let board = board("aprilgrid:2x3:40mm:0.25");
        let (dark, extent) = (board.dark(), board.extent());
        for (index, a) in dark.iter().enumerate() {
            assert!(a.left >= extent.left - 1e-12 && a.bottom <= extent.bottom + 1e-12);
            for b in &dark[index + 1..] {
                let apart = a.right <= b.left + 1e-12
                    || b.right <= a.left + 1e-12
                    || a.bottom <= b.top + 1e-12
                    || b.bottom <= a.top + 1e-12;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn only_chessboards_of_even_sum_look_the_same_after_half_a_turn() {
        assert!(!board("chessboard:9x6:25mm").is_symmetric() && board("chessboard:8x6:25mm").is_symmetric());
    }
}
