//! Closed curves on the ground: the robot's path and the road around it.
//!
//! r(θ) = R · (1 + Σₖ aₖ cos(kθ + φₖ)): never crosses itself, curves both ways, and comes back to its start,
//! so that a drive of any length stays in the place.

use crate::random::Dice;
use parry3d::glamx::Vec2;
use std::f32::consts::TAU;

/// Distance between the stored points of a curve.
const SPACING_M: f32 = 0.1;

/// The tightest turn of the robot's path; a wheeled robot steers 4 m with ease.
const MIN_TURN_RADIUS_M: f32 = 5.0;

/// A closed curve by its arc length.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    points: Vec<Vec2>,
    length_m: f32,
}

/// Position and unit direction of travel on a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoutePoint {
    pub(crate) position: Vec2,
    pub(crate) direction: Vec2,
}

impl RoutePoint {
    /// The point `left` metres to the left.
    pub(crate) fn beside(&self, left: f32) -> Vec2 {
        self.position + self.direction.perp() * left
    }

    /// Angle of the direction of travel from the world's x axis.
    pub(crate) fn yaw(&self) -> f32 {
        self.direction.y.atan2(self.direction.x)
    }
}

/// r(θ) as a mean radius and waves.
#[derive(Clone, Debug)]
pub(crate) struct Polar {
    mean_m: f32,
    waves: Vec<(f32, f32)>,
}

impl Polar {
    /// A curve for the robot: as wavy as its turning circle allows.
    pub(crate) fn for_path(dice: &mut Dice) -> Self {
        let amplitudes = [0.13, 0.11, 0.06, 0.035, 0.02];
        let waves = amplitudes.map(|most| (most * dice.between(0.4, 1.0), dice.angle())).to_vec();
        let mut polar = Self { mean_m: dice.between(25.0, 32.0), waves };
        while Route::new(|theta| polar.radius(theta)).min_turn_radius_m() < MIN_TURN_RADIUS_M {
            for wave in &mut polar.waves {
                wave.0 *= 0.9;
            }
        }
        polar
    }

    /// Radius at an angle; wave k starts at 2, since the first would only move the centre.
    pub(crate) fn radius(&self, theta: f32) -> f32 {
        let sum: f32 =
            (2u8..).zip(&self.waves).map(|(k, (amount, phase))| amount * (f32::from(k) * theta + phase).cos()).sum();
        self.mean_m * (1.0 + sum)
    }
}

impl Route {
    /// The curve r(θ), counter-clockwise from θ = 0.
    pub(crate) fn new(radius: impl Fn(f32) -> f32) -> Self {
        const STEPS: u16 = 4096;
        let around = |step: u16| {
            let theta = TAU * f32::from(step) / f32::from(STEPS);
            Vec2::from_angle(theta) * radius(theta)
        };
        let fine: Vec<Vec2> = (0..=STEPS).map(around).collect();
        let length: f32 = fine.windows(2).map(|pair| pair[0].distance(pair[1])).sum();
        let count = (length / SPACING_M).ceil();
        let spacing = length / count;
        let mut points = Vec::with_capacity(count as usize);
        let mut walked = 0.0;
        for pair in fine.windows(2) {
            let step = pair[0].distance(pair[1]);
            while points.len() < count as usize && points.len() as f32 * spacing <= walked + step {
                points.push(pair[0].lerp(pair[1], (points.len() as f32 * spacing - walked) / step));
            }
            walked += step;
        }
        Self { points, length_m: length }
    }

    /// Once around.
    pub(crate) fn length_m(&self) -> f32 {
        self.length_m
    }

    /// The point `along` metres from the start, any number of times around.
    pub(crate) fn at(&self, along: f32) -> RoutePoint {
        let count = self.points.len();
        let place = (along / self.length_m).rem_euclid(1.0) * count as f32;
        let index = (place as usize).min(count - 1);
        let point = |index: usize| self.points[index % count];
        let part = place - index as f32;
        let position = point(index).lerp(point(index + 1), part);
        // Central differences over ±2 points, interpolated: a smooth heading, since the camera shakes with it.
        let heading = |index: usize| point(index + 2) - point(index + count - 2);
        let direction = heading(index).lerp(heading(index + 1), part).normalize();
        RoutePoint { position, direction }
    }

    /// The stored points, every ten centimetres.
    pub(crate) fn points(&self) -> &[Vec2] {
        &self.points
    }

    fn min_turn_radius_m(&self) -> f32 {
        let count = (self.length_m / 0.5) as u16;
        let turn = |step: u16| {
            let along = f32::from(step) * 0.5;
            self.at(along).direction.angle_to(self.at(along + 0.5).direction).abs() / 0.5
        };
        1.0 / (0..count).map(turn).fold(1e-6, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_closes_and_its_turns_are_wide_enough_for_a_robot() {
        for seed in 0..20 {
            let polar = Polar::for_path(&mut Dice::new(seed, "path"));
            let route = Route::new(|theta| polar.radius(theta));
            assert!(route.min_turn_radius_m() >= MIN_TURN_RADIUS_M * 0.95);
            let (end, start) = (route.at(route.length_m() - 0.01), route.at(0.01));
            assert!(end.position.distance(start.position) < 0.05);
            assert!(end.direction.dot(start.direction) > 0.999);
        }
    }

    #[test]
    fn arc_length_is_distance_travelled() {
        let circle = Route::new(|_| 20.0);
        let moved = circle.at(10.0).position.distance(circle.at(10.5).position);
        assert!((moved - 0.5).abs() < 1e-3);
    }
}
