//! Which junctions are the two ends of one edge of the print.
//!
//! Two junctions belong together when each lies in the direction of an edge of the other, nothing nearer does, and the
//! picture is dark on one side and light on the other all along. Edge k has its dark side clockwise when k is even; at
//! the far end of an edge the colours of the sectors have changed places, so an even edge always meets an odd one.

use super::junctions::Junction;
use image::GrayImage;
use nalgebra::{Point2, Vector2};

/// For each junction and each of its edges, the junction at the other end and that one's edge.
#[derive(Clone, Debug)]
pub(super) struct Links(pub(super) Vec<[Option<End>; 4]>);

/// The far end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) junction: usize,
    pub(super) edge: usize,
}

/// How far a neighbour may lie from an edge's direction: lens distortion bends edges, and the directions of small or
/// blurred corners are some degrees off.
const WIDEST_ANGLE_RAD: f64 = 0.3;
/// Junctions nearer than this are one corner found twice.
const LEAST_LENGTH_PX: f64 = 4.0;
/// No square of a board that is seen whole is wider than this part of the picture.
const LONGEST_PART: f64 = 0.5;
/// The weakest point of an edge against its strongest.
const LEAST_EVENNESS: f32 = 0.15;
/// Grey levels between the two sides at the strongest point.
const LEAST_CONTRAST: f32 = 8.0;

pub(super) fn between(picture: &GrayImage, junctions: &[Junction]) -> Links {
    let longest = LONGEST_PART * f64::from(picture.width().max(picture.height()));
    let grid = Grid::new(picture, junctions);
    let candidates = |index: usize| -> [Option<End>; 4] {
        std::array::from_fn(|edge| nearest_end(picture, junctions, &grid, (index, edge), longest))
    };
    let ends: Vec<[Option<End>; 4]> = (0..junctions.len()).map(candidates).collect();
    let mutual = |junction: usize, edge: usize| {
        ends[junction][edge].filter(|end| ends[end.junction][end.edge] == Some(End { junction, edge }))
    };
    Links((0..junctions.len()).map(|junction| std::array::from_fn(|edge| mutual(junction, edge))).collect())
}

/// The nearest junction that edge `from` can end in. Rings of the grid are searched outwards until one has an answer.
fn nearest_end(
    picture: &GrayImage,
    junctions: &[Junction],
    grid: &Grid,
    from: (usize, usize),
    longest: f64,
) -> Option<End> {
    let (index, edge) = from;
    let here = &junctions[index];
    let narrowest_cos = WIDEST_ANGLE_RAD.cos();
    let mut best: Option<(f64, End)> = None;
    for ring in 0..=(longest / grid.cell).ceil() as i32 {
        // Everything in this ring is at least so far away.
        if best.is_some_and(|(distance, _)| distance <= f64::from(ring - 1) * grid.cell) {
            break;
        }
        for &other in grid.ring(here.pixel, ring).flatten() {
            let there = &junctions[other];
            let offset = there.pixel - here.pixel;
            let distance = offset.norm();
            let is_nearer = best.is_none_or(|(nearest, _)| distance < nearest);
            if other == index || !is_nearer || !(LEAST_LENGTH_PX..longest).contains(&distance) {
                continue;
            }
            if here.edges[edge].dot(&offset) < narrowest_cos * distance {
                continue;
            }
            let Some(back) =
                (0..4).find(|&back| back % 2 != edge % 2 && there.edges[back].dot(&-offset) > narrowest_cos * distance)
            else {
                continue;
            };
            if is_edge(picture, here.pixel, there.pixel, edge % 2 == 0) {
                best = Some((distance, End { junction: other, edge: back }));
            }
        }
    }
    best.map(|(_, end)| end)
}

/// Whether the picture is dark on one side of the segment and light on the other at every place along it.
pub(super) fn is_edge(picture: &GrayImage, from: Point2<f64>, to: Point2<f64>, dark_is_clockwise: bool) -> bool {
    let along = to - from;
    let length = along.norm();
    let clockwise = Vector2::new(-along.y, along.x) / length;
    // Near enough to stay in the white ring around a marker, far enough to leave the blur of the edge.
    let aside = (0.09 * length).clamp(1.5, 6.0);
    let difference = |step: u8| {
        let place = from + along * (0.2 + 0.1 * f64::from(step));
        let (right, left) = (read(picture, place + clockwise * aside), read(picture, place - clockwise * aside));
        let difference = left.zip(right).map(|(left, right)| left - right);
        difference.map(|value| if dark_is_clockwise { value } else { -value })
    };
    let differences: Option<Vec<f32>> = (0..7).map(difference).collect();
    let Some(differences) = differences else { return false };
    let strongest = differences.iter().copied().fold(0.0, f32::max);
    strongest > LEAST_CONTRAST && differences.iter().all(|&value| value > LEAST_EVENNESS * strongest)
}

/// The picture at a place between its pixels; none outside.
pub(super) fn read(picture: &GrayImage, at: Point2<f64>) -> Option<f32> {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    if !(0.0..width - 1.0).contains(&at.x) || !(0.0..height - 1.0).contains(&at.y) {
        return None;
    }
    let (x, y) = (at.x as u32, at.y as u32);
    let (a, b) = ((at.x - f64::from(x)) as f32, (at.y - f64::from(y)) as f32);
    let value = |dx, dy| f32::from(picture.get_pixel(x + dx, y + dy).0[0]);
    let above = value(0, 0) * (1.0 - a) + value(1, 0) * a;
    let below = value(0, 1) * (1.0 - a) + value(1, 1) * a;
    Some(above * (1.0 - b) + below * b)
}

/// Junctions by place, so that neighbours are found without looking at all.
struct Grid {
    cell: f64,
    columns: i32,
    rows: i32,
    cells: Vec<Vec<usize>>,
}

impl Grid {
    fn new(picture: &GrayImage, junctions: &[Junction]) -> Self {
        // About two junctions to a cell.
        let area = f64::from(picture.width()) * f64::from(picture.height());
        let cell = (2.0 * area / junctions.len().max(1) as f64).sqrt().max(8.0);
        let columns = (f64::from(picture.width()) / cell) as i32 + 1;
        let rows = (f64::from(picture.height()) / cell) as i32 + 1;
        let mut grid = Self { cell, columns, rows, cells: vec![Vec::new(); (columns * rows) as usize] };
        for (index, junction) in junctions.iter().enumerate() {
            let (column, row) = grid.place(junction.pixel);
            grid.cells[(row * columns + column) as usize].push(index);
        }
        grid
    }

    fn place(&self, pixel: Point2<f64>) -> (i32, i32) {
        let column = (pixel.x / self.cell) as i32;
        (column.clamp(0, self.columns - 1), ((pixel.y / self.cell) as i32).clamp(0, self.rows - 1))
    }

    /// The cells whose distance from the one at `pixel`, counted in cells, is `ring`.
    fn ring(&self, pixel: Point2<f64>, ring: i32) -> impl Iterator<Item = &Vec<usize>> {
        let (column, row) = self.place(pixel);
        let rows = (row - ring).max(0)..=(row + ring).min(self.rows - 1);
        rows.flat_map(move |y| {
            let is_whole = (y - row).abs() == ring;
            let step = if is_whole || ring == 0 { 1 } else { 2 * ring };
            (column - ring..=column + ring).step_by(step as usize).map(move |x| (x, y))
        })
        .filter(|(x, _)| (0..self.columns).contains(x))
        .map(|(x, y)| &self.cells[(y * self.columns + x) as usize])
    }
}
