//! Which corner of a lattice is which corner of the board.
//!
//! A lattice becomes the board by a number of quarter turns and a shift that keep dark fields dark. Markers say which;
//! a chessboard is recognised by its size, so it must be seen whole. Corners that were not found at first are looked for
//! where their neighbours say they must be.

use super::detection::{Corner, LEAST_CORNERS};
use super::fill::{self, Known, complete};
use super::junctions::Junction;
use super::lattice::{Lattice, bounds};
use super::markers::Codes;
use super::turn::turned;
use image::GrayImage;
use parallax_core::board::Board;
use std::collections::BTreeMap;

/// Why there is no board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No part of the picture looks like a board.
    Nothing,
    /// Too few corners of it are seen.
    TooFew {
        /// How many are.
        corners: usize,
    },
    /// A chessboard, but of another size or not whole.
    OtherSize {
        /// Corners along the longer side.
        columns: usize,
        /// Corners along the shorter side.
        rows: usize,
        /// Whether every corner of that rectangle was seen.
        is_whole: bool,
    },
    /// A board without a marker that belongs to it.
    NoMarkers,
    /// The board as a mirror shows it.
    Mirrored,
}

impl NotFound {
    /// The reason that says more.
    pub(super) fn or(self, other: Self) -> Self {
        let rank = |reason: &Self| match reason {
            Self::Nothing => 0,
            Self::TooFew { corners } => 1 + corners.min(&LEAST_CORNERS),
            Self::NoMarkers => 20,
            Self::OtherSize { columns, rows, is_whole } => 21 + columns * rows + usize::from(*is_whole),
            Self::Mirrored => usize::MAX,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// How a lattice becomes the board: turned clockwise by quarters, then shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Placement {
    turn: usize,
    shift: (i32, i32),
}

impl Placement {
    fn corner(&self, place: (i32, i32)) -> (i32, i32) {
        let (x, y) = turned(place, self.turn);
        (x + self.shift.0, y + self.shift.1)
    }
}

/// Places the lattices on the board, without the final refinement.
pub(super) fn on_board(
    picture: &GrayImage,
    board: &Board,
    junctions: &[Junction],
    lattices: &[Lattice],
) -> Result<Vec<Corner>, NotFound> {
    match Codes::of(board) {
        Some(codes) => by_markers(picture, board, junctions, lattices, &codes),
        None => by_size(picture, board, junctions, lattices),
    }
}

/// The lattice's corners by their numbers on the board; those beside the board are left out.
fn placed(board: &Board, junctions: &[Junction], lattice: &Lattice, placement: Placement) -> Known {
    let (columns, rows) = (board.corner_columns() as i32, board.corner_rows() as i32);
    let corner = |(place, junction): (&(i32, i32), &usize)| {
        let (column, row) = placement.corner(*place);
        let is_on_board = (0..columns).contains(&column) && (0..rows).contains(&row);
        is_on_board.then(|| ((row * columns + column) as usize, junctions[*junction].pixel))
    };
    lattice.iter().filter_map(corner).collect()
}

fn listed(known: Known) -> Vec<Corner> {
    known.into_iter().map(|(number, pixel)| Corner { number, pixel }).collect()
}

/// A whole chessboard.
fn by_size(
    picture: &GrayImage,
    board: &Board,
    junctions: &[Junction],
    lattices: &[Lattice],
) -> Result<Vec<Corner>, NotFound> {
    let mut reason = NotFound::Nothing;
    let (columns, rows) = (board.corner_columns() as i32, board.corner_rows() as i32);
    // Three lattices: beside the board there may be another pattern or a piece of it that a shadow has cut off.
    for lattice in lattices.iter().filter(|lattice| lattice.len() >= LEAST_CORNERS).take(3) {
        let whole = placements(board, lattice).into_iter().find_map(|placement| {
            let known = placed(board, junctions, lattice, placement);
            // One or two junctions beside the board are chance; more are a larger board.
            if lattice.len() > known.len() + 2 {
                return None;
            }
            let known = complete(picture, board, junctions, known);
            (known.len() == board.corner_count()).then_some(known)
        });
        if let Some(known) = whole {
            return Ok(listed(upright(board, known)));
        }
        let (_, (width, height)) = bounds(lattice);
        // A corner in ten may be lost to glare or blur.
        let is_filled = 10 * lattice.len() as i32 >= 9 * width * height;
        let is_other = (width.max(height), width.min(height)) != (columns.max(rows), columns.min(rows));
        let is_whole = is_filled && is_other;
        let (longer, shorter) = (width.max(height) as usize, width.min(height) as usize);
        reason = reason.or(NotFound::OtherSize { columns: longer, rows: shorter, is_whole });
    }
    let most = lattices.first().map_or(0, Lattice::len);
    Err(if most == 0 { reason } else { reason.or(NotFound::TooFew { corners: most }) })
}

/// Of the two numberings of a board that looks the same after half a turn, the one whose first row runs to the right: the
/// two cameras of a pair then number alike.
fn upright(board: &Board, known: Known) -> Known {
    let last = board.corner_count() - 1;
    let along = known[&(board.corner_columns() as usize - 1)] - known[&0];
    let is_upright = if along.x.abs() > along.y.abs() { along.x > 0.0 } else { along.y > 0.0 };
    if is_upright || !board.is_symmetric() {
        return known;
    }
    known.into_iter().map(|(number, pixel)| (last - number, pixel)).collect()
}

/// Every way in which a lattice fits on a chessboard, the likeliest first: the same size, the colours right, the first
/// row to the right.
fn placements(board: &Board, lattice: &Lattice) -> Vec<Placement> {
    let (columns, rows) = (board.corner_columns() as i32, board.corner_rows() as i32);
    let (first, (width, height)) = bounds(lattice);
    let mut all = Vec::new();
    for turn in 0..4 {
        let corners = [first, (first.0 + width - 1, first.1 + height - 1)].map(|place| turned(place, turn));
        let least = (corners[0].0.min(corners[1].0), corners[0].1.min(corners[1].1));
        let size = if turn % 2 == 0 { (width, height) } else { (height, width) };
        let (spare_columns, spare_rows) = (columns - size.0, rows - size.1);
        for y in spare_rows.min(0)..=spare_rows.max(0) {
            for x in spare_columns.min(0)..=spare_columns.max(0) {
                let shift = (x - least.0, y - least.1);
                // A quarter turn alone exchanges dark and light.
                let keeps_colours = (shift.0 + shift.1 + turn as i32).rem_euclid(2) == 0;
                // A board whose corner squares are white is only told by its size.
                if keeps_colours || board.is_symmetric() {
                    all.push((!keeps_colours, Placement { turn, shift }));
                }
            }
        }
    }
    all.sort();
    all.into_iter().map(|(_, placement)| placement).collect()
}

fn by_markers(
    picture: &GrayImage,
    board: &Board,
    junctions: &[Junction],
    lattices: &[Lattice],
    codes: &Codes,
) -> Result<Vec<Corner>, NotFound> {
    let mut known = Known::new();
    for lattice in lattices.iter().filter(|lattice| lattice.len() >= 4) {
        if let Some(placement) = vote(picture, board, junctions, lattice, codes) {
            for (number, pixel) in placed(board, junctions, lattice, placement) {
                known.entry(number).or_insert(pixel);
            }
        }
    }
    let seen = lattices.first().map_or(0, Lattice::len);
    if known.is_empty() {
        let mirrored = codes.mirrored();
        let is_mirrored =
            lattices.iter().take(3).any(|lattice| readings(picture, junctions, lattice, &mirrored).len() > 1);
        return Err(match seen {
            _ if is_mirrored => NotFound::Mirrored,
            0 => NotFound::Nothing,
            1..LEAST_CORNERS => NotFound::TooFew { corners: seen },
            _ => NotFound::NoMarkers,
        });
    }
    let known = complete(picture, board, junctions, known);
    if known.len() < LEAST_CORNERS { Err(NotFound::TooFew { corners: known.len() }) } else { Ok(listed(known)) }
}

/// The markers of a lattice: the field's first corner and what was read there.
fn readings(
    picture: &GrayImage,
    junctions: &[Junction],
    lattice: &Lattice,
    codes: &Codes,
) -> Vec<((i32, i32), super::markers::Reading)> {
    let reading = |&(x, y): &(i32, i32)| {
        if ((x + y).rem_euclid(2) == 0) != codes.in_dark_fields {
            return None;
        }
        let corner = |dx, dy| lattice.get(&(x + dx, y + dy)).map(|&junction| junctions[junction].pixel);
        let field = [corner(0, 0)?, corner(1, 0)?, corner(1, 1)?, corner(0, 1)?];
        Some(((x, y), codes.read(picture, field)?))
    };
    lattice.keys().filter_map(reading).collect()
}

/// The placement that most of the markers in a lattice ask for. Two must agree: a single one may be misread.
fn vote(
    picture: &GrayImage,
    board: &Board,
    junctions: &[Junction],
    lattice: &Lattice,
    codes: &Codes,
) -> Option<Placement> {
    let markers = board.markers();
    // Grids printed with tags on their side or upside down exist; there the order of the tags alone says where up is.
    let tag_turns = if codes.in_dark_fields { 0..4 } else { 0..1 };
    let mut votes: BTreeMap<(usize, Placement), usize> = BTreeMap::new();
    for (field, reading) in readings(picture, junctions, lattice, codes) {
        for tag_turn in tag_turns.clone() {
            let turn = (reading.turn + tag_turn) % 4;
            // The first corner of the turned field is not the turned first corner.
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(x, y)| turned((field.0 + x, field.1 + y), turn));
            let first = corners.iter().fold((i32::MAX, i32::MAX), |least, c| (least.0.min(c.0), least.1.min(c.1)));
            let target = markers[reading.marker].field;
            let placement = Placement { turn, shift: (target.0 - first.0, target.1 - first.1) };
            *votes.entry((tag_turn, placement)).or_default() += 1;
        }
    }
    // Of equals the one with upright tags.
    let best = votes.into_iter().max_by_key(|((tag_turn, _), count)| (*count, std::cmp::Reverse(*tag_turn)));
    best.filter(|(_, count)| *count >= 2).map(|((_, placement), _)| placement)
}

/// For each corner that has neighbours, the mean distance to them in pixels.
pub(super) fn spacings_px(board: &Board, corners: &[Corner]) -> Vec<f64> {
    let known: Known = corners.iter().map(|corner| (corner.number, corner.pixel)).collect();
    let spacing = |corner: &Corner| {
        let near = fill::direct_neighbours(board, &known, corner.number);
        let sum: f64 = near.iter().map(|(_, pixel)| (pixel - corner.pixel).norm()).sum();
        (!near.is_empty()).then(|| sum / near.len() as f64)
    };
    corners.iter().filter_map(spacing).collect()
}
