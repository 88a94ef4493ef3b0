//! Which markers of the board are seen in which fields of a lattice.
//!
//! The four corners of a field give the map from the print to the picture; each bit is read at its centre and is white
//! when it is brighter than the mean of the darkest and the brightest. What was read is compared with every marker of
//! the board in its four turns.

use super::homography::Homography;
use super::links::read;
use super::turn::turned;
use image::GrayImage;
use nalgebra::Point2;
use parallax_core::board::{Board, Marker};

/// A marker of the board, read in a field of a lattice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// Index into [`Board::markers`].
    pub(super) marker: usize,
    /// Quarter turns, clockwise, from the lattice's frame to the marker's.
    pub(super) turn: usize,
}

/// The markers of a board as they are compared with.
pub(super) struct Codes {
    bits: u32,
    border_bits: u32,
    /// Where a marker begins and ends within its field, as parts of the field's side.
    inset: f64,
    /// For each marker, what each quarter turn shows.
    turned: Vec<[u64; 4]>,
    /// Wrong bits up to which the right marker is still the nearest one.
    correctable: u32,
    /// Whether the fields with markers are the dark ones.
    pub(super) in_dark_fields: bool,
}

impl Codes {
    /// None for a board without markers.
    pub(super) fn of(board: &Board) -> Option<Self> {
        let dictionary = board.dictionary()?;
        let markers = board.markers();
        let Marker { border_bits, area, .. } = *markers.first()?;
        let (field, in_dark_fields) = match board {
            Board::Charuco { square_m, .. } => (*square_m, false),
            _ => (area.width(), true),
        };
        let bits = dictionary.bits();
        let turns = |marker: &Marker| std::array::from_fn(|turn| seen_turned(dictionary.code(marker.id), bits, turn));
        let turned: Vec<[u64; 4]> = markers.iter().map(turns).collect();
        let correctable = (least_distance(&turned).saturating_sub(1) / 2).min(bits * bits / 8);
        let inset = (1.0 - area.width() / field) / 2.0;
        Some(Self { bits, border_bits, inset, turned, correctable, in_dark_fields })
    }

    /// The same markers as a mirror shows them.
    pub(super) fn mirrored(&self) -> Self {
        let mirror =
            |code: u64| with_bits_from(self.bits, |row, column| bit(code, self.bits, row, self.bits - 1 - column));
        let turned = self.turned.iter().map(|turns| turns.map(mirror)).collect();
        Self { turned, ..*self }
    }

    /// The marker in the field with these corners (clockwise from the lattice's first), if there is one.
    pub(super) fn read(&self, picture: &GrayImage, field: [Point2<f64>; 4]) -> Option<Reading> {
        let unit = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)].map(|(x, y)| Point2::new(x, y));
        let pairs: Vec<_> = unit.into_iter().zip(field).collect();
        let map = Homography::fit(&pairs)?;
        let side = self.bits + 2 * self.border_bits;
        let place = |index: u32| self.inset + (1.0 - 2.0 * self.inset) * (f64::from(index) + 0.5) / f64::from(side);
        let value = |row: u32, column: u32| read(picture, map.apply(Point2::new(place(column), place(row)))?);
        let values: Option<Vec<f32>> = (0..side * side).map(|index| value(index / side, index % side)).collect();
        let values = values?;
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let most = values.iter().copied().fold(0.0, f32::max);
        let is_white = |row: u32, column: u32| values[(row * side + column) as usize] > (least + most) / 2.0;
        let inside = self.border_bits..self.border_bits + self.bits;
        let border = (0..side * side)
            .map(|index| (index / side, index % side))
            .filter(|(row, column)| !(inside.contains(row) && inside.contains(column)));
        let (white, whole) = border.fold((0, 0), |(white, all), (r, c)| (white + u32::from(is_white(r, c)), all + 1));
        // A tenth of the border may be hidden by blur or glare.
        if white * 10 > whole || most - least < 10.0 {
            return None;
        }
        let seen = with_bits_from(self.bits, |row, column| is_white(row + self.border_bits, column + self.border_bits));
        let turns = self.turned.iter().enumerate();
        let all =
            turns.flat_map(|(marker, turns)| turns.iter().enumerate().map(move |(turn, code)| (marker, turn, *code)));
        let (marker, turn, code) = all.min_by_key(|(_, _, code)| (code ^ seen).count_ones())?;
        ((code ^ seen).count_ones() <= self.correctable).then_some(Reading { marker, turn })
    }
}

/// What a lattice sees of a code when the board's frame is the lattice's, turned clockwise by `turn` quarters.
fn seen_turned(code: u64, bits: u32, turn: usize) -> u64 {
    with_bits_from(bits, |row, column| {
        let doubled = |index: u32| 2 * index as i32 + 1 - bits as i32;
        let (x, y) = turned((doubled(column), doubled(row)), turn);
        let halved = |value: i32| ((value + bits as i32 - 1) / 2) as u32;
        bit(code, bits, halved(y), halved(x))
    })
}

fn bit(code: u64, bits: u32, row: u32, column: u32) -> bool {
    code >> (bits * bits - 1 - row * bits - column) & 1 == 1
}

fn with_bits_from(bits: u32, is_white: impl Fn(u32, u32) -> bool) -> u64 {
    (0..bits * bits).fold(0, |code, index| code << 1 | u64::from(is_white(index / bits, index % bits)))
}

/// The least number of bits in which two markers differ in any turn.
fn least_distance(turned: &[[u64; 4]]) -> u32 {
    let between = |(index, a): (usize, &[u64; 4])| {
        let others = turned[index + 1..].iter().flatten().map(|b| (a[0] ^ b).count_ones());
        others.chain(a[1..].iter().map(|b| (a[0] ^ b).count_ones())).min()
    };
    turned.iter().enumerate().filter_map(between).min().unwrap_or_default()
}
