//! Putting solids together: parts are placed in the frame of the thing they belong to (x forward, y left, z up).

use crate::class::Class;
use crate::solid::{Form, Solid};
use parry3d::glamx::{Vec2, Vec3};

/// Collects the parts of one thing.
pub(crate) struct Parts<'a> {
    solids: &'a mut Vec<Solid>,
    at: Vec2,
    yaw: f32,
    class: Class,
}

impl<'a> Parts<'a> {
    /// A thing that stands at `at` and faces `yaw`.
    pub(crate) fn of(solids: &'a mut Vec<Solid>, class: Class, at: Vec2, yaw: f32) -> Self {
        Self { solids, at, yaw, class }
    }

    fn place(&self, local: Vec3) -> Vec3 {
        (self.at + Vec2::from_angle(self.yaw).rotate(Vec2::new(local.x, local.y))).extend(local.z)
    }

    fn push(&mut self, form: Form, middle: Vec3, material: usize) -> &mut Solid {
        let mut solid = Solid::upright(form, self.place(middle), self.yaw, self.class, material);
        // By the part's number and place in the thing, so that a moving thing keeps its texture.
        solid.texture_shift =
            Vec2::new(middle.x * 1.7 + middle.z, middle.y * 2.3 + middle.x) + self.solids.len() as f32 * 0.618;
        self.solids.push(solid);
        self.solids.last_mut().expect("just pushed")
    }

    /// A box; `top` scales its upper face.
    pub(crate) fn block(&mut self, middle: [f32; 3], half: [f32; 3], top: [f32; 2], material: usize) -> &mut Solid {
        self.push(Form::Block { half: Vec3::from(half), top: Vec2::from(top) }, Vec3::from(middle), material)
    }

    /// An ellipsoid.
    pub(crate) fn ellipsoid(&mut self, middle: [f32; 3], radii: [f32; 3], material: usize) -> &mut Solid {
        self.push(Form::Ellipsoid { radii: Vec3::from(radii) }, Vec3::from(middle), material)
    }

    /// A round bar from one point (with its radius) to another.
    pub(crate) fn bar(&mut self, foot: ([f32; 3], f32), tip: ([f32; 3], f32), material: usize) -> &mut Solid {
        let ends = [self.place(Vec3::from(foot.0)), self.place(Vec3::from(tip.0))];
        let mut solid = Solid::bar((ends[0], foot.1), (ends[1], tip.1), self.class, material);
        solid.texture_shift = Vec2::new(foot.0[0] * 1.3, foot.0[1] * 1.9) + self.solids.len() as f32 * 0.618;
        self.solids.push(solid);
        self.solids.last_mut().expect("just pushed")
    }
}
