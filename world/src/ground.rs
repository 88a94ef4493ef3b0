//! The ground: a plane with a path, a road and grass, each pixel of it textured by where it is.
//!
//! Distances to path and road are kept on a grid and interpolated, so that a ground pixel costs no search.

use crate::class::Class;
use crate::material::{Material, stripe};
use crate::route::Route;
use crate::tile::Footprint;
use crate::tiles::{Kind, tile};
use parry3d::glamx::{Vec2, Vec3};

/// Half the side of the square in which there are paths and things.
pub(crate) const EXTENT_M: f32 = 72.0;
const CELL_M: f32 = 0.25;
const CELLS: usize = (2.0 * EXTENT_M / CELL_M) as usize;
/// Distances are known up to here; farther is far.
const KNOWN_M: f32 = 9.0;

/// Values on a grid over the place, bilinear between cells.
pub(crate) struct Grid {
    values: Vec<f32>,
}

impl Grid {
    pub(crate) fn filled(value: f32) -> Self {
        Self { values: vec![value; CELLS * CELLS] }
    }

    /// Distance to the nearest of `points`, at most [`KNOWN_M`].
    fn of_distance(points: &[Vec2]) -> Self {
        let mut grid = Self::filled(KNOWN_M);
        // Every second point: 20 cm apart, which errs by 20²/8/d cm, under a millimetre from 50 cm on.
        for point in points.iter().step_by(2) {
            grid.change_around(*point, KNOWN_M, f32::min);
        }
        grid
    }

    /// Replaces values within `reach` of `point` by `change(old, distance to the point)`.
    pub(crate) fn change_around(&mut self, point: Vec2, reach: f32, change: impl Fn(f32, f32) -> f32) {
        let range = |middle: f32| {
            let first = ((middle - reach + EXTENT_M) / CELL_M).floor().max(0.0) as usize;
            let last = ((middle + reach + EXTENT_M) / CELL_M).ceil().clamp(0.0, (CELLS - 1) as f32) as usize;
            first..=last
        };
        for row in range(point.y) {
            for column in range(point.x) {
                let cell = Vec2::new(column as f32, row as f32) * CELL_M - EXTENT_M;
                let value = &mut self.values[row * CELLS + column];
                *value = change(*value, cell.distance(point));
            }
        }
    }

    /// The value at a place; the border's value outside.
    pub(crate) fn at(&self, place: Vec2) -> f32 {
        let cell = ((place + EXTENT_M) / CELL_M).clamp(Vec2::ZERO, Vec2::splat((CELLS - 2) as f32));
        let floor = cell.floor();
        let part = cell - floor;
        let index = floor.y as usize * CELLS + floor.x as usize;
        let [a, b, c, d] = [0, 1, CELLS, CELLS + 1].map(|offset| self.values[index + offset]);
        let (top, bottom) = (a + (b - a) * part.x, c + (d - c) * part.x);
        top + (bottom - top) * part.y
    }
}

/// How wide things on the ground are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Widths {
    /// Half the path.
    pub(crate) half_path: f32,
    /// Half the road.
    pub(crate) half_road: f32,
    /// How far the edge between path and grass wanders; 0 with kerb stones.
    pub(crate) ragged: f32,
}

/// The ground of a place.
pub(crate) struct Ground {
    path_distance: Grid,
    road_distance: Grid,
    /// Share of the sky that things standing near leave open.
    pub(crate) openness: Grid,
    pub(crate) widths: Widths,
    surfaces: Surfaces,
}

/// What the ground is at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GroundPoint {
    pub(crate) class: Class,
    pub(crate) to_path: f32,
    pub(crate) to_road: f32,
}

/// The materials a ground is made of.
pub(crate) struct Surfaces {
    pub(crate) path: Material,
    pub(crate) road: Material,
    pub(crate) grass: Material,
    /// Bare earth and gravel that shows through the grass; class grass all the same.
    pub(crate) soil: Material,
    pub(crate) kerb: Vec3,
    pub(crate) marking: Vec3,
}

impl Ground {
    pub(crate) fn new(path: &Route, road: &Route, widths: Widths, surfaces: Surfaces) -> Self {
        Self {
            path_distance: Grid::of_distance(path.points()),
            road_distance: Grid::of_distance(road.points()),
            openness: Grid::filled(1.0),
            widths,
            surfaces,
        }
    }

    /// Distance to the middle of the path, at most nine metres.
    pub(crate) fn to_path(&self, place: Vec2) -> f32 {
        self.path_distance.at(place)
    }

    /// Distance to the middle of the road, at most nine metres.
    pub(crate) fn to_road(&self, place: Vec2) -> f32 {
        self.road_distance.at(place)
    }

    /// What is at a place.
    pub(crate) fn point(&self, place: Vec2) -> GroundPoint {
        let (to_path, to_road) = (self.path_distance.at(place), self.road_distance.at(place));
        let mut path_edge = self.widths.half_path;
        if self.widths.ragged > 0.0 && (to_path - path_edge).abs() < 0.6 {
            let fine = Footprint { across: 0.01, along: Vec2::new(0.01, 0.0) };
            path_edge += self.widths.ragged * tile(Kind::Cloud).mean_over(place, fine, Vec2::splat(3.1));
        }
        let class = if to_path < path_edge {
            Class::Path
        } else if to_road < self.widths.half_road {
            Class::Road
        } else {
            Class::Grass
        };
        GroundPoint { class, to_path, to_road }
    }

    /// Reflectance of the ground at a place.
    pub(crate) fn albedo(&self, place: Vec2, point: GroundPoint, patch: Footprint) -> Vec3 {
        match point.class {
            Class::Path => {
                let color = self.surfaces.path.albedo(place, patch);
                if self.widths.ragged > 0.0 {
                    return color;
                }
                let from_edge = self.widths.half_path - point.to_path;
                self.kerb_over(color, from_edge, 0.14, place, patch)
            }
            Class::Road => self.road_albedo(place, point, patch),
            _ => {
                // Trodden along the path: more soil near its edge.
                let worn = 0.5 * (1.0 - (point.to_path - self.widths.half_path)).clamp(0.0, 1.0);
                let slow = 2.2 * tile(Kind::Cloud).mean_over(place, patch, Vec2::splat(19.0)) + worn - 0.55;
                // The finer blotches add at most 0.9.
                let fine = || 0.9 * tile(Kind::Cloud).mean_over(place, patch, Vec2::splat(2.3));
                let bare = if slow > -0.9 { ((slow + fine()) * 3.0).clamp(0.0, 0.9) } else { 0.0 };
                let grass = self.surfaces.grass.albedo(place, patch);
                if bare > 0.0 { grass.lerp(self.surfaces.soil.albedo(place, patch), bare) } else { grass }
            }
        }
    }

    fn road_albedo(&self, place: Vec2, point: GroundPoint, patch: Footprint) -> Vec3 {
        let color = self.surfaces.road.albedo(place, patch);
        let width = patch.along.length().max(patch.across);
        let from_edge = self.widths.half_road - point.to_road;
        let color = self.kerb_over(color, from_edge, 0.16, place, patch);
        let edge_line = stripe(from_edge - 0.3, 100.0, 0.12, width);
        let dashes = stripe(place.y.atan2(place.x) * 36.0, 4.0, 2.0, width);
        let centre_line = stripe(point.to_road + 0.07, 100.0, 0.14, width) * dashes;
        let worn = 0.75 + 0.5 * tile(Kind::Grain).mean_over(place, patch, Vec2::splat(2.0));
        color.lerp(self.surfaces.marking, (edge_line.max(centre_line) * worn).clamp(0.0, 1.0))
    }

    fn kerb_over(&self, color: Vec3, from_edge: f32, kerb_m: f32, place: Vec2, patch: Footprint) -> Vec3 {
        let width = patch.along.length().max(patch.across);
        let share = stripe(from_edge, 100.0, kerb_m, width);
        let stone = self.surfaces.kerb * (1.0 + 0.5 * tile(Kind::Grain).mean_over(place, patch, Vec2::splat(1.7)));
        color.lerp(stone, share)
    }
}
