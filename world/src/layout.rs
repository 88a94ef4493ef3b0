//! Where things go: houses and cars along the road, fences and lamps along the path, trees and bushes where there is room.
//!
//! *Invariant:* nothing that stands touches the strip in which the robot drives (half the path and [`MARGIN_M`] more).

use crate::class::Class;
use crate::config::WorldConfig;
use crate::ground::{Ground, Surfaces, Widths};
use crate::material::Material;
use crate::movers::Mover;
use crate::palette::{Palette, color};
use crate::random::Dice;
use crate::route::{Polar, Route};
use crate::solid::Solid;
use crate::things::building::{BuildingLook, building};
use crate::things::fence::{FenceStyle, PANEL_M, panel};
use crate::things::person::PersonLook;
use crate::things::plant::{PlantLook, broad_tree, bush, conifer, hedge_piece};
use crate::things::pole::{PoleLook, bollard, lamp, mast, sign};
use crate::things::vehicle::{VehicleLook, vehicle};
use parry3d::glamx::{Vec2, Vec3};
use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// Room kept free on both sides of the path.
const MARGIN_M: f32 = 0.35;

/// A place before it is indexed for ray casting.
pub(crate) struct Layout {
    pub(crate) ground: Ground,
    pub(crate) path: Route,
    pub(crate) road: Route,
    pub(crate) materials: Vec<Material>,
    pub(crate) solids: Vec<Solid>,
    pub(crate) movers: Vec<Mover>,
}

impl Layout {
    /// Adds a material and gives its index.
    fn material(&mut self, material: Material) -> usize {
        self.materials.push(material);
        self.materials.len() - 1
    }
}

/// Lays out the place of a seed.
pub(crate) fn lay_out(seed: u64, config: &WorldConfig) -> Layout {
    let mut dice = Dice::new(seed, "routes");
    let path_polar = Polar::for_path(&mut dice);
    let (gap, swing, phase) = (dice.between(6.6, 7.6), dice.between(0.8, 1.8), dice.angle());
    let path = Route::new(|theta| path_polar.radius(theta));
    let road = Route::new(|theta| path_polar.radius(theta) + gap + swing * (2.0 * theta + phase).cos());
    let mut dice = Dice::new(seed, "surfaces");
    let palette = Palette::new(&mut dice);
    let (path_material, is_ragged) = palette.path(&mut dice);
    let widths = Widths {
        half_path: dice.between(1.6, 2.0),
        half_road: dice.between(2.7, 3.1),
        ragged: if is_ragged { 0.35 } else { 0.0 },
    };
    let surfaces = Surfaces {
        path: path_material,
        road: Palette::road(&mut dice),
        grass: palette.grass(&mut dice),
        soil: palette.soil(&mut dice),
        kerb: Palette::kerb(&mut dice),
        marking: color(50.0, 0.1, 0.8),
    };
    let ground = Ground::new(&path, &road, widths, surfaces);
    let mut planner = Planner {
        layout: Layout { ground, path, road, materials: Vec::new(), solids: Vec::new(), movers: Vec::new() },
        palette,
        taken: Vec::new(),
    };
    planner.place_everything(seed, config);
    planner.layout
}

struct Planner {
    layout: Layout,
    palette: Palette,
    /// Circles in which something stands.
    taken: Vec<(Vec2, f32)>,
}

impl Planner {
    fn place_everything(&mut self, seed: u64, config: &WorldConfig) {
        self.buildings(&mut Dice::new(seed, "buildings"), config.buildings);
        self.parked_vehicles(&mut Dice::new(seed, "parked"), config.parked_vehicles);
        self.fences(&mut Dice::new(seed, "fences"), config.fences);
        self.poles(&mut Dice::new(seed, "poles"), config.pole_spacing_m);
        self.standing_people(&mut Dice::new(seed, "standing"), config.standing_people);
        self.hedges(&mut Dice::new(seed, "hedges"), config.hedges);
        self.trees(&mut Dice::new(seed, "trees"), config.trees);
        self.bushes(&mut Dice::new(seed, "bushes"), config.bushes);
        self.forest(&mut Dice::new(seed, "forest"));
        self.walkers(&mut Dice::new(seed, "walkers"), config.walking_people);
        self.drivers(&mut Dice::new(seed, "drivers"), config.moving_vehicles);
        self.shade_ground();
    }

    /// Whether a disc is free of path, road and other things.
    fn is_free(&self, at: Vec2, radius: f32) -> bool {
        let widths = self.layout.ground.widths;
        self.layout.ground.to_path(at) > widths.half_path + MARGIN_M + radius
            && self.layout.ground.to_road(at) > widths.half_road + 0.3 + radius
            && self.taken.iter().all(|(other, size)| at.distance(*other) > radius + size)
    }

    fn take(&mut self, at: Vec2, radius: f32) {
        self.taken.push((at, radius));
    }

    fn buildings(&mut self, dice: &mut Dice, count: usize) {
        let looks: Vec<BuildingLook> = (0..5)
            .map(|_| BuildingLook {
                wall: self.layout.material(self.palette.facade(dice)),
                roof: self.layout.material(self.palette.roof(dice)),
                wood: self.layout.material(self.palette.wood(dice)),
            })
            .collect();
        for attempt in 0..count * 6 {
            if self.taken.len() >= count {
                break;
            }
            // Most stand outside along the road, some inside the loop.
            let outside = attempt % 4 != 0;
            let half = Vec3::new(dice.between(3.0, 6.0), dice.between(2.6, 4.0), dice.between(1.4, 3.6));
            let (at, yaw) = if outside {
                let spot = self.layout.road.at(dice.between(0.0, self.layout.road.length_m()));
                (spot.beside(-(self.layout.ground.widths.half_road + half.y + dice.between(1.8, 6.0))), spot.yaw())
            } else {
                let spot = self.layout.path.at(dice.between(0.0, self.layout.path.length_m()));
                (spot.beside(self.layout.ground.widths.half_path + half.y + dice.between(2.5, 7.0)), spot.yaw() + PI)
            };
            let reach = half.x.max(half.y) + 0.5;
            let corners = [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0), (0.0, 1.0), (0.0, -1.0)];
            let clear = corners.iter().all(|(x, y)| {
                let corner = at + Vec2::from_angle(yaw).rotate(Vec2::new(x * half.x, y * (half.y + 2.2)));
                self.is_free(corner, 0.2)
            });
            if clear
                && self.is_free(at, half.y)
                && self.taken.iter().all(|(other, size)| at.distance(*other) > reach + size)
            {
                let look = dice.pick(&looks);
                building(&mut self.layout.solids, dice, at, yaw, half, look);
                self.take(at, reach + 0.4);
            }
        }
    }

    fn vehicle_look(&mut self, dice: &mut Dice) -> VehicleLook {
        let van = dice.chance(0.25);
        let paint = self.palette.car_paint(dice);
        let materials =
            [paint, Palette::glass(), Palette::rubber(), Palette::chrome(dice)].map(|m| self.layout.material(m));
        let [paint, glass, rubber, bright] = materials;
        VehicleLook { paint, glass, rubber, bright, size: VehicleLook::size_of(dice, van), van }
    }

    fn parked_vehicles(&mut self, dice: &mut Dice, count: usize) {
        let mut placed = 0;
        for _ in 0..count * 8 {
            let spot = self.layout.road.at(dice.between(0.0, self.layout.road.length_m()));
            // On the verge inside (towards the path) or outside; the lanes stay free.
            let side = if dice.chance(0.6) { 1.0 } else { -1.0 };
            let at = spot.beside(side * (self.layout.ground.widths.half_road + dice.between(1.25, 1.6)));
            let clear_path = self.layout.ground.to_path(at) > self.layout.ground.widths.half_path + MARGIN_M + 1.6;
            if placed < count && clear_path && self.taken.iter().all(|(other, size)| at.distance(*other) > 2.7 + size) {
                let look = self.vehicle_look(dice);
                let yaw = spot.yaw() + dice.between(-0.06, 0.06) + if dice.chance(0.5) { PI } else { 0.0 };
                vehicle(&mut self.layout.solids, at, yaw, &look);
                self.take(at, 2.7);
                placed += 1;
            }
        }
    }

    /// Points along the path at an offset to one side, as far as nothing is in the way.
    fn line_beside_path(&self, dice: &mut Dice, length: f32, step: f32, room: f32) -> Vec<Vec2> {
        let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
        let offset = side * (self.layout.ground.widths.half_path + dice.between(0.8, 1.9));
        let start = dice.between(0.0, self.layout.path.length_m());
        // Beside a bend the offset line is shorter or longer than the path: step by its own length.
        let mut line = vec![self.layout.path.at(start).beside(offset)];
        let mut along = 0.0;
        while along < length {
            along += 0.05;
            let point = self.layout.path.at(start + along).beside(offset);
            if point.distance(line[line.len() - 1]) >= step {
                line.push(point);
            }
        }
        line.into_iter().take_while(|point| self.is_free(*point, room)).collect()
    }

    fn fences(&mut self, dice: &mut Dice, count: usize) {
        for _ in 0..count {
            let wood = self.palette.wood(dice);
            let wood = self.layout.material(wood);
            let style = FenceStyle::any(dice);
            let length = dice.between(10.0, 26.0);
            let line = self.line_beside_path(dice, length, PANEL_M, 0.12);
            for pair in line.windows(2) {
                panel(&mut self.layout.solids, pair[0], pair[1], style, wood);
            }
            for point in line {
                self.take(point, 0.9);
            }
        }
    }

    fn hedges(&mut self, dice: &mut Dice, count: usize) {
        for _ in 0..count {
            let look = self.plant_look(dice);
            let height = dice.between(0.8, 1.7);
            let length = dice.between(6.0, 16.0);
            let line = self.line_beside_path(dice, length, 0.7, 0.45);
            for pair in line.windows(2) {
                let along = pair[1] - pair[0];
                hedge_piece(&mut self.layout.solids, dice, pair[0], along.y.atan2(along.x), height, look);
            }
            for point in line {
                self.take(point, 0.5);
            }
        }
    }

    fn poles(&mut self, dice: &mut Dice, spacing: f32) {
        let metal = self.palette.metal(dice);
        let bright = Palette::bright(dice);
        let look = PoleLook { metal: self.layout.material(metal), bright: self.layout.material(bright) };
        let wood = self.palette.wood(dice);
        let wood = self.layout.material(wood);
        let height = dice.between(3.2, 4.8);
        let length = self.layout.path.length_m();
        let mut along = dice.between(0.0, spacing);
        while along < length {
            let spot = self.layout.path.at(along);
            let side = if dice.chance(0.6) { 1.0 } else { -1.0 };
            let at = spot.beside(side * (self.layout.ground.widths.half_path + MARGIN_M + dice.between(0.2, 0.5)));
            if self.is_free(at, 0.1) {
                match dice.below(5) {
                    0 | 1 => lamp(&mut self.layout.solids, at, spot.yaw() - side * FRAC_PI_2, height, look),
                    2 => {
                        let bright = Palette::bright(dice);
                        let look = PoleLook { bright: self.layout.material(bright), ..look };
                        let yaw = spot.yaw() + if dice.chance(0.7) { PI } else { 0.0 };
                        sign(&mut self.layout.solids, dice, at, yaw, look);
                    }
                    3 => mast(&mut self.layout.solids, at, spot.yaw(), wood),
                    _ => self.bollards(along, side, look),
                }
                self.take(at, 0.5);
            }
            along += spacing * dice.between(0.6, 1.4);
        }
    }

    fn bollards(&mut self, along: f32, side: f32, look: PoleLook) {
        for number in 0..4u8 {
            let offset = side * (self.layout.ground.widths.half_path + MARGIN_M + 0.2);
            let at = self.layout.path.at(along + 1.5 * f32::from(number)).beside(offset);
            if self.is_free(at, 0.08) {
                bollard(&mut self.layout.solids, at, look);
                self.take(at, 0.2);
            }
        }
    }

    fn plant_look(&mut self, dice: &mut Dice) -> PlantLook {
        let (bark, leaves) = (Palette::bark(dice), self.palette.leaves(dice));
        PlantLook { bark: self.layout.material(bark), leaves: self.layout.material(leaves) }
    }

    fn trees(&mut self, dice: &mut Dice, count: usize) {
        let looks: Vec<PlantLook> = (0..5).map(|_| self.plant_look(dice)).collect();
        let mut placed = 0;
        for _ in 0..count * 10 {
            let at = self.somewhere(dice, 22.0);
            if placed == count || !self.is_free(at, 0.5) {
                continue;
            }
            let look = dice.below(looks.len());
            let height = dice.between(3.5, 9.0);
            if look < 2 {
                conifer(&mut self.layout.solids, dice, at, height, looks[look]);
                self.take(at, 0.16 * height);
            } else {
                broad_tree(&mut self.layout.solids, dice, at, height, looks[look]);
                self.take(at, 1.3);
            }
            placed += 1;
        }
    }

    fn bushes(&mut self, dice: &mut Dice, count: usize) {
        let looks: Vec<PlantLook> = (0..4).map(|_| self.plant_look(dice)).collect();
        let mut placed = 0;
        for _ in 0..count * 10 {
            let at = self.somewhere(dice, 9.0);
            let size = dice.between(0.5, 1.8);
            if placed < count && self.is_free(at, size * 0.6) {
                let look = dice.pick(&looks);
                bush(&mut self.layout.solids, dice, at, size, look);
                self.take(at, size * 0.6);
                placed += 1;
            }
        }
    }

    /// A place up to `reach` metres from the path, nearer more often.
    fn somewhere(&self, dice: &mut Dice, reach: f32) -> Vec2 {
        let spot = self.layout.path.at(dice.between(0.0, self.layout.path.length_m()));
        let away = self.layout.ground.widths.half_path + reach * dice.between(0.0, 1.0).powf(1.4);
        spot.beside(if dice.chance(0.5) { away } else { -away })
    }

    /// A ring of trees closes the view.
    fn forest(&mut self, dice: &mut Dice) {
        let looks: Vec<PlantLook> = (0..3).map(|_| self.plant_look(dice)).collect();
        for tree in 0..150u8 {
            let angle = TAU * (f32::from(tree) + dice.between(-0.5, 0.5)) / 150.0;
            let at = Vec2::from_angle(angle) * dice.between(60.0, 70.0);
            if self.is_free(at, 1.0) {
                let (look, height) = (dice.pick(&looks), dice.between(6.0, 11.0));
                if dice.chance(0.3) {
                    conifer(&mut self.layout.solids, dice, at, height * 1.2, look);
                } else {
                    broad_tree(&mut self.layout.solids, dice, at, height, look);
                }
            }
        }
    }

    fn person_look(&mut self, dice: &mut Dice) -> PersonLook {
        let materials = [
            self.palette.cloth(dice),
            self.palette.cloth(dice),
            Palette::skin(dice),
            Palette::bark(dice),
            Palette::rubber(),
        ];
        let materials = materials.map(|m| self.layout.material(m));
        PersonLook::new(dice, materials)
    }

    fn standing_people(&mut self, dice: &mut Dice, count: usize) {
        let mut placed = 0;
        for _ in 0..count * 8 {
            let at = self.somewhere(dice, 5.0);
            if placed < count && self.is_free(at, 0.3) {
                let look = self.person_look(dice);
                self.layout.movers.push(Mover::stander(at, dice.angle(), dice.angle(), look));
                self.take(at, 0.35);
                placed += 1;
            }
        }
    }

    fn walkers(&mut self, dice: &mut Dice, count: usize) {
        let length = self.layout.path.length_m();
        for number in 0..count {
            let look = self.person_look(dice);
            let along = length * (number as f32 + dice.between(0.1, 0.9)) / count as f32;
            let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
            // People keep to the edge; the robot to the middle.
            let offset = side * (self.layout.ground.widths.half_path - 0.25);
            let pace = dice.between(0.7, 1.5) * if dice.chance(0.6) { -1.0 } else { 1.0 };
            self.layout.movers.push(Mover::walker(along, offset, pace, look));
        }
    }

    fn drivers(&mut self, dice: &mut Dice, count: usize) {
        let length = self.layout.road.length_m();
        for number in 0..count {
            let look = self.vehicle_look(dice);
            let along = length * (number as f32 + dice.between(0.1, 0.9)) / count as f32;
            // They keep right: outside when driving counter-clockwise.
            let ccw = number % 2 == 0;
            let lane = self.layout.ground.widths.half_road * 0.5;
            let (offset, pace) = if ccw { (-lane, 4.0) } else { (lane, -4.0) };
            self.layout.movers.push(Mover::driver(along, offset, pace, look));
        }
    }

    /// Ground beside walls and under bushes sees less sky.
    fn shade_ground(&mut self) {
        for solid in &self.layout.solids {
            let aabb = solid.aabb();
            if aabb.mins.z > 0.6 {
                continue;
            }
            let half = (aabb.maxs - aabb.mins) * 0.5;
            let middle = Vec2::new(aabb.mins.x + half.x, aabb.mins.y + half.y);
            let radius = half.x.min(half.y).max(0.05);
            if half.x.max(half.y) < 3.0 {
                let depth = if solid.class == Class::Vegetation { 0.5 } else { 0.4 };
                self.layout.ground.openness.change_around(middle, radius + 1.2, |old, distance| {
                    let near = (-((distance - radius).max(0.0) / 0.35)).exp();
                    old.min(1.0 - depth * near)
                });
            }
        }
    }
}
