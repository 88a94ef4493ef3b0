//! A place made from a seed, and what a ray meets in it.
//!
//! World frame: x forward, y left, z up (REP 103), metres; the ground is z = 0. Solids stand in `parry3d`'s bounding volume
//! hierarchy, those that move in a second one that is built for the moment of the picture.

use crate::beam::Beam;
use crate::class::Class;
use crate::config::WorldConfig;
use crate::ground::{Ground, GroundPoint};
use crate::layout::lay_out;
use crate::light::Light;
use crate::material::Material;
use crate::movers::Mover;
use crate::random::Dice;
use crate::route::Route;
use crate::solid::{Meeting, Solid};
use parry3d::glamx::{Vec2, Vec3};
use parry3d::partitioning::{Bvh, BvhBuildStrategy};
use parry3d::query::Ray;

/// Farther than any solid from any other.
const FAR_M: f32 = 400.0;

/// A rendered place.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) ground: Ground,
    pub(crate) path: Route,
    pub(crate) road: Route,
    pub(crate) materials: Vec<Material>,
    pub(crate) light: Light,
    pub(crate) movers: Vec<Mover>,
    standing: Solids,
}

/// Solids with their hierarchy.
pub(crate) struct Solids {
    pub(crate) solids: Vec<Solid>,
    hierarchy: Bvh,
}

/// The place at one moment.
pub(crate) struct Moment<'a> {
    pub(crate) world: &'a World,
    moving: Solids,
}

/// What a ray meets first.
pub(crate) enum Hit<'a> {
    Sky,
    Ground { distance: f32, place: Vec2, point: GroundPoint },
    Solid { solid: &'a Solid, number: u32, meeting: Meeting },
}

impl World {
    /// The place of a seed.
    pub fn generate(seed: u64, config: &WorldConfig) -> Self {
        let layout = lay_out(seed, config);
        Self {
            seed,
            ground: layout.ground,
            path: layout.path,
            road: layout.road,
            materials: layout.materials,
            light: Light::new(&mut Dice::new(seed, "light")),
            movers: layout.movers,
            standing: Solids::new(layout.solids),
        }
    }

    /// The seed it was made from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Length of the robot's path once around, metres.
    pub fn path_length_m(&self) -> f64 {
        f64::from(self.path.length_m())
    }

    /// Distance in metres, on the ground, from a place to the nearest thing at a time.
    pub fn clearance_m(&self, place: [f64; 2], time_secs: f64) -> f64 {
        let place = Vec2::new(place[0] as f32, place[1] as f32);
        let to_solid = |solid: &Solid| solid.distance_on_ground(place);
        let moving = self.movers.iter().flat_map(|mover| mover.solids(time_secs, &self.path, &self.road));
        let nearest = moving.map(|solid| to_solid(&solid)).chain(self.standing.solids.iter().map(to_solid));
        f64::from(nearest.fold(f32::INFINITY, f32::min))
    }

    pub(crate) fn moment(&self, time_secs: f64, with_movers: bool) -> Moment<'_> {
        let movers = if with_movers { &self.movers[..] } else { &[] };
        let solids = movers.iter().flat_map(|mover| mover.solids(time_secs, &self.path, &self.road)).collect();
        Moment { world: self, moving: Solids::new(solids) }
    }
}

impl Solids {
    fn new(solids: Vec<Solid>) -> Self {
        let boxes: Vec<_> = solids.iter().map(Solid::aabb).collect();
        Self { hierarchy: Bvh::from_leaves(BvhBuildStrategy::Binned, &boxes), solids }
    }

    fn first(&self, beam: &Beam, limit: f32) -> Option<(u32, f32)> {
        let ray = Ray::new(beam.origin, beam.direction);
        self.hierarchy.cast_ray(&ray, limit, |leaf, nearest| {
            let solid = &self.solids[leaf as usize];
            solid.meet(beam, nearest).map(|meeting| meeting.distance)
        })
    }

    fn blocks(&self, beam: &Beam) -> bool {
        let ray = Ray::new(beam.origin, beam.direction);
        // Any meeting will do: an impossible distance prunes everything else.
        let any = |leaf: u32, _: f32| self.solids[leaf as usize].meet(beam, FAR_M).map(|_| f32::MIN);
        self.hierarchy.cast_ray(&ray, FAR_M, any).is_some()
    }
}

impl Moment<'_> {
    /// The first thing on a beam.
    pub(crate) fn first(&self, beam: &Beam) -> Hit<'_> {
        let mut limit = FAR_M;
        let to_ground = -beam.origin.z / beam.direction.z;
        let meets_ground = beam.direction.z < -1e-6 && to_ground < FAR_M;
        if meets_ground {
            limit = to_ground;
        }
        let mut nearest = None;
        for (solids, offset) in [(&self.world.standing, 0), (&self.moving, self.world.standing.solids.len())] {
            if let Some((leaf, distance)) = solids.first(beam, limit) {
                limit = distance;
                nearest = Some((&solids.solids[leaf as usize], leaf + offset as u32));
            }
        }
        if let Some((solid, number)) = nearest {
            // The hierarchy keeps the distance only; the rest is cheaper to find again than to carry.
            if let Some(meeting) = solid.meet(beam, limit * 1.00001 + 1e-4) {
                return Hit::Solid { solid, number, meeting };
            }
        }
        if meets_ground {
            let point = beam.origin + beam.direction * to_ground;
            let place = Vec2::new(point.x, point.y);
            return Hit::Ground { distance: to_ground, place, point: self.world.ground.point(place) };
        }
        Hit::Sky
    }

    /// Whether anything stands between a point and the sun.
    pub(crate) fn in_shadow(&self, point: Vec3, width: f32) -> bool {
        // The sun's disc is 0.5° wide; leaves' holes blur with distance as its penumbra does.
        let beam = Beam { origin: point, direction: self.world.light.to_sun, pixel_angle: 0.009, width };
        self.world.standing.blocks(&beam) || self.moving.blocks(&beam)
    }
}

impl Hit<'_> {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Sky => Class::Sky,
            Self::Ground { point, .. } => point.class,
            Self::Solid { solid, .. } => solid.class,
        }
    }

    pub(crate) fn distance(&self) -> Option<f32> {
        match self {
            Self::Sky => None,
            Self::Ground { distance, .. } => Some(*distance),
            Self::Solid { meeting, .. } => Some(meeting.distance),
        }
    }
}
