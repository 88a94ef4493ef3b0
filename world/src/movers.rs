//! What moves: people on the path's edges and cars in the road's lanes, each where its time puts it.
//!
//! *Invariant:* walkers keep to the path's edges and cars to the road, so the robot in the middle of the path meets neither.

use crate::route::Route;
use crate::solid::Solid;
use crate::things::person::{PersonLook, person};
use crate::things::vehicle::{VehicleLook, vehicle};
use parry3d::glamx::Vec2;
use std::f32::consts::PI;

/// Something whose place depends on time.
pub(crate) struct Mover(Kind);

enum Kind {
    Stander { at: Vec2, yaw: f32, phase: f32, look: PersonLook },
    Walker { along: f32, offset: f32, pace: f32, look: PersonLook },
    Driver { along: f32, offset: f32, pace: f32, look: VehicleLook },
}

impl Mover {
    /// A person who stands and shifts their weight.
    pub(crate) fn stander(at: Vec2, yaw: f32, phase: f32, look: PersonLook) -> Self {
        Self(Kind::Stander { at, yaw, phase, look })
    }

    /// A person on the path, `offset` metres to the left of its middle; a negative pace walks clockwise.
    pub(crate) fn walker(along: f32, offset: f32, pace: f32, look: PersonLook) -> Self {
        Self(Kind::Walker { along, offset, pace, look })
    }

    /// A car on the road.
    pub(crate) fn driver(along: f32, offset: f32, pace: f32, look: VehicleLook) -> Self {
        Self(Kind::Driver { along, offset, pace, look })
    }

    /// Its solids at a time.
    pub(crate) fn solids(&self, time_secs: f64, path: &Route, road: &Route) -> Vec<Solid> {
        let mut solids = Vec::with_capacity(20);
        match &self.0 {
            Kind::Stander { at, yaw, phase, look } => {
                let sway = (*phase + 0.8 * (time_secs % 1000.0) as f32).sin();
                person(&mut solids, *at, yaw + 0.15 * sway, (*phase, 0.12 + 0.06 * sway), look);
            }
            Kind::Walker { along, offset, pace, look } => {
                let (at, yaw) = on(path, *along, *offset, *pace, time_secs);
                // A step of 0.7 m is half a turn of the phase.
                let walked = (f64::from(pace.abs()) * time_secs).rem_euclid(1.4) as f32;
                person(&mut solids, at, yaw, (walked / 0.7 * PI, 1.0), look);
            }
            Kind::Driver { along, offset, pace, look } => {
                let (at, yaw) = on(road, *along, *offset, *pace, time_secs);
                vehicle(&mut solids, at, yaw, look);
            }
        }
        solids
    }
}

fn on(route: &Route, along: f32, offset: f32, pace: f32, time_secs: f64) -> (Vec2, f32) {
    let length = f64::from(route.length_m());
    let now = (f64::from(along) + f64::from(pace) * time_secs).rem_euclid(length) as f32;
    let spot = route.at(now);
    (spot.beside(offset), if pace < 0.0 { spot.yaw() + PI } else { spot.yaw() })
}
