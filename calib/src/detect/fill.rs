//! What the corners of a board say about each other: which are missing and where they must be, and which cannot be right.

use super::junctions::Junction;
use super::lattice::STEPS;
use super::links::is_edge;
use super::local::{LEAST_NEIGHBOURS, Lines, LocalMap};
use super::subpixel::{Window, approach, refine};
use image::GrayImage;
use nalgebra::{Point2, Vector2};
use parallax_core::board::Board;
use std::collections::BTreeMap;

/// Corners by their numbers on the board.
pub(super) type Known = BTreeMap<usize, Point2<f64>>;

/// Lattice steps to the farthest neighbour that speaks for a corner; further away a lens bends the plane too much.
const REACH: i32 = 4;
/// A corner may be this far from where its neighbours expect it, as a part of the spacing.
const NEAR: f64 = 0.25;

fn place(board: &Board, number: usize) -> (i32, i32) {
    let columns = board.corner_columns() as usize;
    ((number % columns) as i32, (number / columns) as i32)
}

/// The corners one lattice step away that are known.
pub(super) fn direct_neighbours(board: &Board, known: &Known, number: usize) -> Vec<(usize, Point2<f64>)> {
    let (columns, rows) = (board.corner_columns() as i32, board.corner_rows() as i32);
    let (x, y) = place(board, number);
    let neighbour = |(dx, dy): &(i32, i32)| {
        let (a, b) = (x + dx, y + dy);
        let is_on_board = (0..columns).contains(&a) && (0..rows).contains(&b);
        let number = is_on_board.then_some((b * columns + a) as usize)?;
        Some((number, *known.get(&number)?))
    };
    STEPS.iter().filter_map(neighbour).collect()
}

/// The board around a corner as the other corners near it have it.
pub(super) fn map_around(board: &Board, known: &Known, number: usize) -> Option<LocalMap> {
    let (x, y) = place(board, number);
    let is_near = |other: usize| {
        let (a, b) = place(board, other);
        other != number && (a - x).abs() <= REACH && (b - y).abs() <= REACH
    };
    let on_print = |number: usize| board.corner(number).xy();
    let near = known.iter().filter(|(other, _)| is_near(**other));
    let pairs: Vec<_> = near.map(|(&other, &pixel)| (on_print(other), pixel)).collect();
    LocalMap::fit(on_print(number), board.least_gap_m(), &pairs)
}

/// The lattice lines through a known corner, bent as the lens bends them.
pub(super) fn lines_through(board: &Board, known: &Known, number: usize) -> Option<Lines> {
    let (here, (x, y)) = (known[&number], place(board, number));
    let on_line = |is_on: &dyn Fn((i32, i32)) -> bool| {
        let others = known.iter().filter(|(other, _)| **other != number && is_on(place(board, **other)));
        let mut offsets: Vec<Vector2<f64>> = others.map(|(_, pixel)| pixel - here).collect();
        offsets.sort_by(|a, b| a.norm().total_cmp(&b.norm()));
        offsets
    };
    let straight = map_around(board, known, number)?.lines()?;
    Some(straight.bent(0, &on_line(&|place| place.1 == y)).bent(1, &on_line(&|place| place.0 == x)))
}

/// Adds corners that were missed: each is looked for where its neighbours expect it, and taken where two edges cross with
/// the right colours that lead to a neighbour.
pub(super) fn complete(picture: &GrayImage, board: &Board, junctions: &[Junction], mut known: Known) -> Known {
    if known.len() < LEAST_NEIGHBOURS {
        return known;
    }
    loop {
        let missing = (0..board.corner_count()).filter(|number| !known.contains_key(number));
        let found: Known =
            missing.filter_map(|number| Some((number, look_for(picture, board, junctions, &known, number)?))).collect();
        if found.is_empty() {
            return known;
        }
        known.extend(found);
    }
}

fn look_for(
    picture: &GrayImage,
    board: &Board,
    junctions: &[Junction],
    known: &Known,
    number: usize,
) -> Option<Point2<f64>> {
    let neighbours = direct_neighbours(board, known, number);
    if neighbours.is_empty() {
        return None;
    }
    let map = map_around(board, known, number)?;
    let predicted = map.at(board.corner(number).xy())?;
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    if !(0.0..width).contains(&predicted.x) || !(0.0..height).contains(&predicted.y) {
        return None;
    }
    let lines = map.lines()?;
    let window = Window::new(board, number, lines)?;
    let limit_px = NEAR * board.least_gap_m() * lines.least_px_per_m();
    let off = |pixel: &Point2<f64>| (pixel - predicted).norm();
    let nearest = junctions.iter().map(|junction| junction.pixel).min_by(|a, b| off(a).total_cmp(&off(b)));
    let by_junction = nearest.filter(|pixel| off(pixel) < limit_px).and_then(|pixel| refine(picture, pixel, &window));
    let corner = by_junction.or_else(|| refine(picture, approach(picture, predicted, &window)?, &window))?;
    let is_another = known.values().any(|other| (other - corner).norm() < 2.0 * limit_px);
    if off(&corner) > limit_px || is_another {
        return None;
    }
    // Seen from the corner towards a neighbour, the dark side is clockwise to the right and to the left of a corner whose
    // lower right field is dark, and to neither above and below it.
    let (x, y) = place(board, number);
    let is_joined = |(other, pixel): &(usize, Point2<f64>)| {
        let is_along_row = place(board, *other).1 == y;
        is_edge(picture, corner, *pixel, is_along_row == ((x + y).rem_euclid(2) == 0))
    };
    neighbours.iter().any(is_joined).then_some(corner)
}

/// Leaves out corners that are not where their neighbours expect them, the farthest first, and those without neighbours
/// to ask.
pub(super) fn consistent(board: &Board, mut known: Known) -> Known {
    // How far a corner is off as a part of what is allowed; infinite without neighbours.
    let fault = |known: &Known, number: usize| {
        let expected = || {
            let map = map_around(board, known, number)?;
            let limit_px = NEAR * board.least_gap_m() * map.lines()?.least_px_per_m();
            Some((map.at(board.corner(number).xy())? - known[&number]).norm() / limit_px)
        };
        if direct_neighbours(board, known, number).is_empty() {
            f64::INFINITY
        } else {
            expected().unwrap_or(f64::INFINITY)
        }
    };
    let mut faults: BTreeMap<usize, f64> = known.keys().map(|&number| (number, fault(&known, number))).collect();
    while let Some((&worst, _)) = faults.iter().filter(|(_, fault)| **fault > 1.0).max_by(|a, b| a.1.total_cmp(b.1)) {
        known.remove(&worst);
        faults.remove(&worst);
        let (x, y) = place(board, worst);
        for (&number, old) in &mut faults {
            let (a, b) = place(board, number);
            if (a - x).abs() <= REACH && (b - y).abs() <= REACH {
                *old = fault(&known, number);
            }
        }
    }
    known
}
