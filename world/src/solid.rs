//! The solids that everything but the ground is built from, and where a ray meets them.
//!
//! A solid has its own frame (origin and three unit axes in the world), so textures stick to it when it moves.

use crate::beam::Beam;
use crate::class::Class;
use crate::tile::Footprint;
use crate::tiles::{Kind, tile};
use parry3d::bounding_volume::Aabb;
use parry3d::glamx::{Vec2, Vec3};

/// A ray that starts on a surface does not meet it again.
const NEAREST_M: f32 = 1e-4;

/// Shape of a solid in its own frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// A box around the origin whose top is scaled by `top`: (1, 1) a box, (1, 0) a gable roof, (0.7, 0.8) a car's cabin.
    Block {
        /// Half extents at the bottom.
        half: Vec3,
        /// Scale of the top in x and y.
        top: Vec2,
    },
    /// An ellipsoid around the origin.
    Ellipsoid {
        /// Half axes.
        radii: Vec3,
    },
    /// A round bar along z from the origin, capped.
    Bar {
        /// Length along z.
        length: f32,
        /// Radius at z = 0.
        foot: f32,
        /// Radius at z = length.
        tip: f32,
    },
}

/// Holes between leaves, as a pattern on the surface: open where the leaf texture is below `threshold`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holes {
    pub(crate) metres: f32,
    pub(crate) threshold: f32,
}

/// One solid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Solid {
    pub(crate) origin: Vec3,
    pub(crate) axes: [Vec3; 3],
    pub(crate) form: Form,
    pub(crate) class: Class,
    /// Index into the place's materials.
    pub(crate) material: usize,
    /// Moves the texture, so that equal solids do not look equal.
    pub(crate) texture_shift: Vec2,
    pub(crate) holes: Option<Holes>,
}

/// Where a ray meets a solid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    pub(crate) distance: f32,
    pub(crate) point_in_solid: Vec3,
    /// Outward normal, or inward when the solid is seen from inside through its holes.
    pub(crate) normal_in_solid: Vec3,
    /// Seen from inside.
    pub(crate) inside: bool,
}

/// A ray in the frame of a solid; the direction keeps the world's length.
#[derive(Clone, Copy)]
struct LocalRay {
    origin: Vec3,
    direction: Vec3,
}

impl Solid {
    /// A solid upright at `origin`, turned by `yaw` about the vertical.
    pub(crate) fn upright(form: Form, origin: Vec3, yaw: f32, class: Class, material: usize) -> Self {
        let (sin, cos) = yaw.sin_cos();
        let axes = [Vec3::new(cos, sin, 0.0), Vec3::new(-sin, cos, 0.0), Vec3::Z];
        let texture_shift = Vec2::new(origin.x * 0.37 + origin.z, origin.y * 0.61 - origin.x * 0.11);
        Self { origin, axes, form, class, material, texture_shift, holes: None }
    }

    /// A round bar from `foot` to `tip`.
    pub(crate) fn bar(foot: (Vec3, f32), tip: (Vec3, f32), class: Class, material: usize) -> Self {
        let along = tip.0 - foot.0;
        let length = along.length();
        let z = along / length;
        let side = if z.z.abs() < 0.9 { Vec3::Z } else { Vec3::X };
        let x = side.cross(z).normalize();
        let mut solid = Self::upright(Form::Bar { length, foot: foot.1, tip: tip.1 }, foot.0, 0.0, class, material);
        solid.axes = [x, z.cross(x), z];
        solid
    }

    /// Box in the world that holds the solid.
    pub(crate) fn aabb(&self) -> Aabb {
        let (low, high) = match self.form {
            Form::Block { half, top } => {
                let wide = Vec3::new(half.x * top.x.max(1.0), half.y * top.y.max(1.0), half.z);
                (-wide, wide)
            }
            Form::Ellipsoid { radii } => (-radii, radii),
            Form::Bar { length, foot, tip } => {
                let radius = foot.max(tip);
                (Vec3::new(-radius, -radius, 0.0), Vec3::new(radius, radius, length))
            }
        };
        let (middle, half) = ((low + high) * 0.5, (high - low) * 0.5);
        let centre = self.origin + self.world_from_solid(middle);
        let reach = self.axes[0].abs() * half.x + self.axes[1].abs() * half.y + self.axes[2].abs() * half.z;
        Aabb::new(centre - reach, centre + reach)
    }

    /// Distance on the ground from a place to the solid's box; none for what hangs over two metres.
    pub(crate) fn distance_on_ground(&self, place: Vec2) -> f32 {
        let aabb = self.aabb();
        if aabb.mins.z > 2.0 {
            return f32::INFINITY;
        }
        if let Form::Block { half, top } = self.form {
            let local = self.solid_from_world(place.extend(self.origin.z) - self.origin);
            let reach = Vec2::new(half.x * top.x.max(1.0), half.y * top.y.max(1.0));
            return (Vec2::new(local.x, local.y).abs() - reach).max(Vec2::ZERO).length();
        }
        let (low, high) = (Vec2::new(aabb.mins.x, aabb.mins.y), Vec2::new(aabb.maxs.x, aabb.maxs.y));
        place.distance(place.clamp(low, high))
    }

    /// A direction of the solid's frame in the world.
    pub(crate) fn world_from_solid(&self, v: Vec3) -> Vec3 {
        self.axes[0] * v.x + self.axes[1] * v.y + self.axes[2] * v.z
    }

    /// A direction of the world in the solid's frame.
    pub(crate) fn solid_from_world(&self, v: Vec3) -> Vec3 {
        Vec3::new(self.axes[0].dot(v), self.axes[1].dot(v), self.axes[2].dot(v))
    }

    /// The first meeting with a beam, closer than `limit`.
    pub(crate) fn meet(&self, beam: &Beam, limit: f32) -> Option<Meeting> {
        let ray = LocalRay {
            origin: self.solid_from_world(beam.origin - self.origin),
            direction: self.solid_from_world(beam.direction),
        };
        let [enter, leave] = match self.form {
            Form::Block { half, top } => meet_block(ray, half, top)?,
            Form::Ellipsoid { radii } => meet_ellipsoid(ray, radii)?,
            Form::Bar { length, foot, tip } => meet_bar(ray, length, foot, tip)?,
        };
        if enter.0 >= limit || (self.holes.is_none() && enter.0 <= NEAREST_M) {
            return None; // most boxes that a ray touches end here
        }
        let at = |(distance, normal): (f32, Vec3), inside: bool| Meeting {
            distance,
            point_in_solid: ray.origin + ray.direction * distance,
            normal_in_solid: if inside { -normal.normalize() } else { normal.normalize() },
            inside,
        };
        let solid_at = |meeting: &Meeting| {
            let reached = meeting.distance > NEAREST_M && meeting.distance < limit;
            reached && !self.is_hole(meeting, beam.width + meeting.distance * beam.pixel_angle)
        };
        let first = at(enter, false);
        if solid_at(&first) {
            return Some(first);
        }
        let second = at(leave, true);
        (self.holes.is_some() && solid_at(&second)).then_some(second)
    }

    fn is_hole(&self, meeting: &Meeting, width: f32) -> bool {
        let Some(holes) = self.holes else { return false };
        let at = self.surface_point(meeting);
        let patch = Footprint { across: width, along: Vec2::new(width, 0.0) };
        tile(Kind::Leaves).mean_over(at, patch, Vec2::splat(holes.metres)) < holes.threshold
    }

    /// Texture coordinates in metres at a meeting.
    pub(crate) fn surface_point(&self, meeting: &Meeting) -> Vec2 {
        let [u, v] = meeting.surface_axes();
        let point = meeting.point_in_solid;
        Vec2::new(u.dot(point), v.dot(point)) + self.texture_shift
    }
}

impl Meeting {
    /// The two axes of the solid's frame along which texture runs here.
    pub(crate) fn surface_axes(&self) -> [Vec3; 2] {
        let normal = self.normal_in_solid.abs();

        if normal.x >= normal.y && normal.x >= normal.z {
            [Vec3::Y, Vec3::Z]
        } else if normal.y >= normal.z {
            [Vec3::X, Vec3::Z]
        } else {
            [Vec3::X, Vec3::Y]
        }
    }
}

/// Entering and leaving, each with an outward normal of any length.
type Chord = [(f32, Vec3); 2];

fn meet_block(ray: LocalRay, half: Vec3, top: Vec2) -> Option<Chord> {
    // Side planes x·(±1) + kx·z <= cx, from half.x at the bottom to half.x·top.x at the top; the same in y.
    let k = Vec2::new(half.x * (1.0 - top.x), half.y * (1.0 - top.y)) / (2.0 * half.z);
    let c = Vec2::new(half.x - k.x * half.z, half.y - k.y * half.z);
    let planes = [
        (Vec3::new(1.0, 0.0, k.x), c.x),
        (Vec3::new(-1.0, 0.0, k.x), c.x),
        (Vec3::new(0.0, 1.0, k.y), c.y),
        (Vec3::new(0.0, -1.0, k.y), c.y),
        (Vec3::Z, half.z),
        (Vec3::NEG_Z, half.z),
    ];
    let (mut enter, mut leave) = ((f32::NEG_INFINITY, Vec3::Z), (f32::INFINITY, Vec3::Z));
    for (normal, offset) in planes {
        let (slope, gap) = (normal.dot(ray.direction), offset - normal.dot(ray.origin));
        if slope.abs() < 1e-9 {
            if gap < 0.0 {
                return None;
            }
        } else {
            let distance = gap / slope;
            if slope < 0.0 && distance > enter.0 {
                enter = (distance, normal);
            } else if slope > 0.0 && distance < leave.0 {
                leave = (distance, normal);
            }
        }
    }
    (enter.0 <= leave.0).then_some([enter, leave])
}

fn meet_ellipsoid(ray: LocalRay, radii: Vec3) -> Option<Chord> {
    let (o, d) = (ray.origin / radii, ray.direction / radii);
    let (a, b) = (d.dot(d), o.dot(d));
    // The closest point on the line, rather than b² - ac: exact for small ellipsoids far away.
    let closest = o - d * (b / a);
    let inside = 1.0 - closest.dot(closest);
    if inside < 0.0 {
        return None;
    }
    let half = (inside / a).sqrt();
    let at = |distance: f32| (distance, (o + d * distance) / radii);
    Some([at(-b / a - half), at(-b / a + half)])
}

fn meet_bar(ray: LocalRay, length: f32, foot: f32, tip: f32) -> Option<Chord> {
    // x² + y² = (foot + slope·z)², clipped by 0 <= z <= length; a convex solid, so the chord is one interval.
    let slope = (tip - foot) / length;
    let (o, d) = (ray.origin, ray.direction);
    // Start near the bar: shifts the origin by `skip` so that far rays keep their precision.
    let skip = -(o - Vec3::new(0.0, 0.0, length * 0.5)).dot(d);
    let o = o + d * skip;
    let (radius, growth) = (foot + slope * o.z, slope * d.z);
    let a = d.x * d.x + d.y * d.y - growth * growth;
    let b = o.x * d.x + o.y * d.y - radius * growth;
    let c = o.x * o.x + o.y * o.y - radius * radius;
    let side_normal = |t: f32| {
        let point = o + d * t;
        Vec3::new(point.x, point.y, -slope * (foot + slope * point.z))
    };
    let (mut enter, mut leave) = (f32::NEG_INFINITY, f32::INFINITY);
    let root = b * b - a * c;
    if a.abs() < 1e-9 {
        if c > 0.0 {
            return None;
        }
    } else if a > 0.0 {
        if root < 0.0 {
            return None;
        }
        let root = root.sqrt();
        (enter, leave) = ((-b - root) / a, (-b + root) / a);
    } else {
        // Steeper than the cone: inside beyond either root, but only one of those ends has a positive radius.
        let root = root.max(0.0).sqrt();
        if growth > 0.0 {
            enter = (-b - root) / a;
        } else {
            leave = (-b + root) / a;
        }
    }
    let (mut enter_normal, mut leave_normal) = (None, None);
    for (normal, gap) in [(Vec3::Z, length - o.z), (Vec3::NEG_Z, o.z)] {
        let rate = normal.dot(d);
        if rate.abs() < 1e-9 {
            if gap < 0.0 {
                return None;
            }
        } else {
            let t = gap / rate;
            if rate < 0.0 && t > enter {
                (enter, enter_normal) = (t, Some(normal));
            } else if rate > 0.0 && t < leave {
                (leave, leave_normal) = (t, Some(normal));
            }
        }
    }
    let ends = |t: f32, normal: Option<Vec3>| (t + skip, normal.unwrap_or_else(|| side_normal(t)));
    (enter <= leave && enter.is_finite() && leave.is_finite())
        .then(|| [ends(enter, enter_normal), ends(leave, leave_normal)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Dice;
    use parry3d::query::{Ray, RayCast};
    use parry3d::shape::{Ball, Cone, Cuboid, Cylinder};

    /// Distances along random rays towards the origin, by us and by `parry3d`.
    fn compare(form: Form, theirs: impl Fn(Vec3, Vec3) -> Option<f32>, tolerance: f32) {
        let solid = Solid::upright(form, Vec3::ZERO, 0.0, Class::Pole, 0);
        let mut dice = Dice::new(1, "rays");
        let (mut met, mut differ) = (0, 0);
        for _ in 0..2000 {
            let mut point = |reach: f32| Vec3::from([0; 3].map(|_| dice.between(-reach, reach)));
            let (origin, target) = (point(1.0).normalize() * 9.0, point(1.6));
            let direction = (target - origin).normalize();
            let beam = Beam { origin, direction, pixel_angle: 0.0, width: 0.0 };
            let ours = solid.meet(&beam, 100.0).map(|meeting| meeting.distance);
            met += usize::from(ours.is_some());
            differ += usize::from(match (ours, theirs(origin, direction)) {
                (Some(a), Some(b)) => (a - b).abs() > tolerance,
                (a, b) => a.is_some() != b.is_some(),
            });
        }
        assert!(met > 300, "only {met} rays met the solid");
        // Grazing rays may go either way.
        assert!(differ <= 10, "{differ} of 2000 rays differ");
    }

    #[test]
    fn boxes_and_balls_are_met_where_parry_meets_them() {
        let half = Vec3::new(1.0, 0.5, 0.7);
        let cuboid = Cuboid::new(half);
        compare(Form::Block { half, top: Vec2::ONE }, |o, d| cuboid.cast_local_ray(&Ray::new(o, d), 100.0, true), 1e-4);
        let ball = Ball::new(0.8);
        let radii = Vec3::splat(0.8);
        compare(Form::Ellipsoid { radii }, |o, d| ball.cast_local_ray(&Ray::new(o, d), 100.0, true), 1e-4);
    }

    #[test]
    fn bars_and_cones_are_met_where_parry_meets_them() {
        // Parry's stand along y around the origin, ours along z from it: (x, y, z) here is (x, z, -y) there.
        let turned = |v: Vec3| Vec3::new(v.x, v.z, -v.y);
        let lifted = |o: Vec3| turned(o - Vec3::Z * 0.6);
        let cylinder = Cylinder::new(0.6, 0.5);
        let by_cylinder = |o: Vec3, d: Vec3| cylinder.cast_local_ray(&Ray::new(lifted(o), turned(d)), 100.0, true);
        compare(Form::Bar { length: 1.2, foot: 0.5, tip: 0.5 }, by_cylinder, 1e-2);
        let cone = Cone::new(0.6, 0.9);
        let by_cone = |o: Vec3, d: Vec3| cone.cast_local_ray(&Ray::new(lifted(o), turned(d)), 100.0, true);
        compare(Form::Bar { length: 1.2, foot: 0.9, tip: 0.0 }, by_cone, 1e-2);
    }
}
