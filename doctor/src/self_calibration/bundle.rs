//! The bundle adjustment of one window.

use nalgebra::{DMatrix, DVector, Matrix2, Matrix2x3, Matrix2x6, Rotation3, Vector2, Vector3};
use parallax_core::camera::Intrinsics;
use parallax_vision::optical_flow::{RotationFit, Track};

use super::lens::{derivative, projected, undistorted};
use super::{CORRELATION, LensEstimate, prior};
use crate::windows::Window;
use parallax_vision::footage::statistics::median;
use parallax_vision::footage::two_views::TwoViews;

/// Accuracy of a track over several frames, pixels.
const TRACK_ACCURACY_PX: f64 = 0.3;
/// Residuals beyond this many accuracies lose their weight: 1.2 px at first, 0.6 px in the end.
const WEIGHT_SCALES: [f64; 2] = [4.0, 2.0];
const MOST_STEPS: usize = 60;

/// The state of a bundle adjustment.
pub(super) struct Bundle<'a> {
    window: &'a Window,
    k: &'a Intrinsics,
    /// From the first view's frame to each other view's.
    poses: Vec<(Rotation3<f64>, Vector3<f64>)>,
    inverse_depths: Vec<f64>,
    /// ln s and k.
    lens: Vector2<f64>,
    /// What the prior believes of them: where this adjustment started.
    believed: Vector2<f64>,
    /// Where residuals lose their weight, in accuracies.
    weight_scale: f64,
}

/// Normal equations without the inverse depths, and what brings those back.
struct Reduced {
    matrix: DMatrix<f64>,
    slope: DVector<f64>,
    /// For each point: its row of the mixed part, its own part, its slope.
    points: Vec<(DVector<f64>, f64, f64)>,
    cost: f64,
}

impl<'a> Bundle<'a> {
    /// From the motion between the first view and the last, as a camera sees it whose focal length is exp(`ln_scale`) times
    /// that of `k`.
    pub(super) fn start(window: &'a Window, k: &'a Intrinsics, ln_scale: f64) -> Option<Self> {
        let scale = ln_scale.exp();
        let scaled = Intrinsics { fx: k.fx * scale, fy: k.fy * scale, ..*k };
        let believed = Vector2::new(ln_scale, 0.0);
        let (first, last) = (&window.views[0], &window.views[window.views.len() - 1]);
        let tracks: Vec<Track> = first
            .iter()
            .zip(last)
            .enumerate()
            .map(|(index, (from, to))| Track { index, from: *from, to: *to })
            .collect();
        let turn = RotationFit::new(&tracks, &scaled)?;
        let whole = TwoViews::new(&tracks, &turn.second_from_first, &scaled)?;
        let steps = (window.views.len() - 1) as f64;
        let pose = |view: usize| {
            let part = view as f64 / steps;
            (Rotation3::new(whole.rotation.scaled_axis() * part), whole.translation.into_inner() * part)
        };
        let inverse_depths = whole.inverse_depths.iter().map(|depth| depth.clamp(1e-3, 1.0)).collect();
        Some(Self {
            window,
            k,
            poses: (1..window.views.len()).map(pose).collect(),
            inverse_depths,
            lens: believed,
            believed,
            weight_scale: WEIGHT_SCALES[0],
        })
    }

    /// Brings the sum of errors to its minimum, with less and less weight on what does not fit.
    pub(super) fn optimize(&mut self) {
        for scale in WEIGHT_SCALES {
            self.weight_scale = scale;
            self.descend();
        }
    }

    /// Turn from the first view to the last.
    pub(super) fn turn_rad(&self) -> f64 {
        self.poses[self.poses.len() - 1].0.angle()
    }

    /// ln s and k.
    pub(super) fn lens(&self) -> Vector2<f64> {
        self.lens
    }

    fn descend(&mut self) {
        let mut damping = 1e-3;
        let mut system = self.reduced(damping);
        for _ in 0..MOST_STEPS {
            let Some((poses, lens, depths)) = self.step(&system, damping) else { break };
            let candidate = Self { poses, inverse_depths: depths, lens, ..*self };
            let next = candidate.reduced(damping);
            if next.cost < system.cost {
                let gain = system.cost - next.cost;
                *self = candidate;
                damping = (damping * 0.2).max(1e-9);
                system = self.reduced(damping);
                if gain < 1e-7 * system.cost {
                    break;
                }
            } else {
                damping *= 8.0;
                if damping > 1e6 {
                    break;
                }
                system = self.reduced(damping);
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the parts of a bundle, used once")]
    fn step(
        &self,
        system: &Reduced,
        damping: f64,
    ) -> Option<(Vec<(Rotation3<f64>, Vector3<f64>)>, Vector2<f64>, Vec<f64>)> {
        let mut matrix = system.matrix.clone();
        for at in 0..matrix.nrows() {
            matrix[(at, at)] *= 1.0 + damping;
            matrix[(at, at)] += 1e-9;
        }
        let step = matrix.cholesky()?.solve(&-&system.slope);
        let last = step.len() - 2;
        let poses = self.poses.iter().enumerate().map(|(view, (rotation, translation))| {
            let part = step.fixed_rows::<6>(6 * view);
            (Rotation3::new(part.fixed_rows::<3>(0).into_owned()) * rotation, translation + part.fixed_rows::<3>(3))
        });
        let depths = self.inverse_depths.iter().zip(&system.points).map(|(depth, (mixed, own, slope))| {
            // Far points may come out a little behind infinity; much further they would leave the picture.
            (depth - (slope + mixed.dot(&step)) / own).clamp(-0.05, 20.0)
        });
        Some((poses.collect(), self.lens + Vector2::new(step[last], step[last + 1]), depths.collect()))
    }

    fn reduced(&self, damping: f64) -> Reduced {
        let unknowns = 6 * self.poses.len() + 2;
        let lens_at = unknowns - 2;
        let mut matrix = DMatrix::zeros(unknowns, unknowns);
        let mut slope = DVector::zeros(unknowns);
        let mut points = Vec::with_capacity(self.inverse_depths.len());
        let mut cost = 0.0;
        for point in 0..self.inverse_depths.len() {
            let mut mixed = DVector::zeros(unknowns);
            let (mut own, mut own_slope) = (0.0, 0.0);
            for view in 0..self.poses.len() {
                let Some(seen) = self.look(point, view) else {
                    cost += self.weight_scale.powi(2);
                    continue;
                };
                let squared = seen.error.norm_squared() / self.weight_scale.powi(2);
                let weight = (1.0 + squared).powi(-2);
                cost += self.weight_scale.powi(2) * squared / (1.0 + squared);
                // The view's own six columns, then the two of the lens.
                let columns: [(usize, Vector2<f64>); 8] = std::array::from_fn(|at| {
                    if at < 6 {
                        (6 * view + at, seen.by_pose.column(at).into())
                    } else {
                        (lens_at + at - 6, seen.by_lens.column(at - 6).into())
                    }
                });
                for (row, left) in &columns {
                    slope[*row] += weight * left.dot(&seen.error);
                    mixed[*row] += weight * left.dot(&seen.by_depth);
                    for (column, right) in &columns {
                        matrix[(*row, *column)] += weight * left.dot(right);
                    }
                }
                own += weight * seen.by_depth.norm_squared();
                own_slope += weight * seen.by_depth.dot(&seen.error);
            }
            own = own * (1.0 + damping) + 1e-6;
            points.push((mixed, own, own_slope));
        }
        self.add_fixed(&mut matrix, &mut slope, &mut cost);
        for (mixed, own, own_slope) in &points {
            matrix.ger(-1.0 / own, mixed, mixed, 1.0);
            slope.axpy(-own_slope / own, mixed, 1.0);
        }
        Reduced { matrix, slope, points, cost }
    }

    /// The prior of the lens, and the scale of the scene: the last translation keeps its length.
    fn add_fixed(&self, matrix: &mut DMatrix<f64>, slope: &mut DVector<f64>, cost: &mut f64) {
        let lens_at = matrix.nrows() - 2;
        for at in 0..2 {
            matrix[(lens_at + at, lens_at + at)] += prior()[(at, at)];
            slope[lens_at + at] += prior()[(at, at)] * (self.lens[at] - self.believed[at]);
        }
        *cost += self.disbelief();
        let (_, last) = self.poses[self.poses.len() - 1];
        let direction = last.normalize() * 1e3;
        for row in 0..3 {
            for column in 0..3 {
                matrix[(lens_at - 3 + row, lens_at - 3 + column)] += direction[row] * direction[column];
            }
        }
    }

    /// What the prior adds to the sum of errors.
    fn disbelief(&self) -> f64 {
        let off = self.lens - self.believed;
        (off.transpose() * prior() * off)[0]
    }

    /// The sum of errors without the prior, in squares of accuracies.
    pub(super) fn cost(&self) -> f64 {
        self.reduced(0.0).cost - self.disbelief()
    }

    /// What tracks err, with what they err alike, in accuracies. A median residual of 1.18 σ is what two normal components
    /// have.
    pub(super) fn noise(&self) -> Option<f64> {
        Some((median(self.residuals_px())? / 1.18 / TRACK_ACCURACY_PX).max(0.3) * CORRELATION)
    }

    /// How far each point is from where it should be seen, pixels.
    pub(super) fn residuals_px(&self) -> Vec<f64> {
        let all = (0..self.inverse_depths.len()).flat_map(|point| (0..self.poses.len()).map(move |view| (point, view)));
        all.filter_map(|(point, view)| Some(self.look(point, view)?.error.norm() * TRACK_ACCURACY_PX)).collect()
    }

    /// The lens, with how well it is determined.
    pub(super) fn estimate(&self) -> Option<LensEstimate> {
        let system = self.reduced(0.0);
        let others = system.matrix.nrows() - 2;
        let mut poses = system.matrix.view((0, 0), (others, others)).into_owned();
        (0..others).for_each(|at| poses[(at, at)] += 1e-9);
        let mixed = system.matrix.view((0, others), (others, 2)).into_owned();
        let lens = system.matrix.fixed_view::<2, 2>(others, others).into_owned();
        let solved = poses.cholesky()?.solve(&mixed);
        let product = mixed.transpose() * solved;
        let data = lens - Matrix2::from_fn(|row, column| product[(row, column)]) - prior();
        let noise = self.noise()?;
        let information = data / noise.powi(2);
        let positive = information.symmetric_eigenvalues().iter().all(|value| *value > -1e-6);
        let value_scale = prior() + information;
        // The prior pulled to where this started, with its own strength, against undiminished data: undo that.
        let pull = data * self.lens + prior() * (self.lens - self.believed);
        let value = value_scale.try_inverse()? * pull / noise.powi(2);
        positive.then_some(LensEstimate { value, information: value_scale })
    }

    /// What a point should look like in a view other than the first, and how that depends on everything; in accuracies.
    fn look(&self, point: usize, view: usize) -> Option<Seen> {
        let pixel = self.window.views[0][point];
        let seen = self.window.views[view + 1][point];
        let (rotation, translation) = &self.poses[view];
        let depth = self.inverse_depths[point];
        let place = |lens: Vector2<f64>| {
            let ray = undistorted(pixel, self.k, lens);
            rotation * Vector3::new(ray.x, ray.y, 1.0) + translation * depth
        };
        let here = place(self.lens);
        if here.z < 0.05 {
            return None;
        }
        let scale = 1.0 / TRACK_ACCURACY_PX;
        let error =
            (projected(&here, self.k, self.lens) - Vector2::new(f64::from(seen[0]), f64::from(seen[1]))) * scale;
        let by_place = derivative(&here, self.k, self.lens) * scale;
        let turned = here - translation * depth;
        let by_turn: Matrix2x3<f64> = by_place * -turned.cross_matrix();
        let mut by_pose = Matrix2x6::zeros();
        by_pose.fixed_view_mut::<2, 3>(0, 0).copy_from(&by_turn);
        by_pose.fixed_view_mut::<2, 3>(0, 3).copy_from(&(by_place * depth));
        let by_lens = Matrix2::from_columns(&[Vector2::x(), Vector2::y()].map(|direction| {
            let step = direction * 1e-5;
            let at = |lens| projected(&place(lens), self.k, lens);
            (at(self.lens + step) - at(self.lens - step)) * (scale / 2e-5)
        }));
        Some(Seen { error, by_pose, by_depth: by_place * translation, by_lens })
    }
}

struct Seen {
    error: Vector2<f64>,
    by_pose: Matrix2x6<f64>,
    by_depth: Vector2<f64>,
    by_lens: Matrix2<f64>,
}
