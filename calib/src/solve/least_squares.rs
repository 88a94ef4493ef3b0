//! Non-linear least squares for rigs: Levenberg and Marquardt's method on normal equations in arrow form.
//!
//! Every view has six unknowns of its own and all share the rest, so that JᵀJ is
//!
//! ```text
//! | U   W₁  W₂ … |      U: shared by shared
//! | W₁ᵀ V₁       |      Vᵢ: 6×6, one for each view
//! | W₂ᵀ     V₂   |      S = U - Σ Wᵢ Vᵢ⁻¹ Wᵢᵀ is solved first (Schur complement), then each view by itself
//! ```
//!
//! A hundred views cost a hundred 6×6 inversions and one small system per step, and S⁻¹ is at once the covariance of the
//! shared unknowns. Dense solvers need seconds for each step here and do not give the covariance.
//!
//! Reference: Triggs et al., *Bundle Adjustment: A Modern Synthesis*, 1999, section 6.1; Marquardt 1963.

use super::rig::{Layout, Observation, Rig, Target, changed};
use nalgebra::{Cholesky, DMatrix, DVector, Matrix6, Vector6};

/// What is fitted: the corners seen in each view, and which unknowns may move.
pub(crate) struct Problem<'a> {
    pub(crate) target: &'a Target,
    /// For each view of the rig, its observations.
    pub(crate) views: &'a [Vec<Observation>],
    /// Which shared unknowns move, by [`Layout`].
    pub(crate) is_free: &'a [bool],
    /// Errors beyond this many pixels count linearly instead of squared (Huber); infinite: all are squared.
    pub(crate) linear_beyond_px: f64,
}

/// How a fit ended.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    /// Half the sum of the weighted squares, pixels².
    pub(crate) cost: f64,
    /// The inverse of S: the covariance of the shared unknowns for an error of one pixel in each coordinate; zero for
    /// those that were held. None when S is singular: the views do not determine the unknowns.
    pub(crate) shared_covariance: Option<DMatrix<f64>>,
}

const MAX_STEPS: usize = 100;
/// Converged when a step lowers the cost by a smaller part.
const CONVERGED: f64 = 1e-10;
const FIRST_DAMPING: f64 = 1e-3;
const MOST_DAMPING: f64 = 1e10;

/// The normal equations at one point.
struct Normal {
    cost: f64,
    u: DMatrix<f64>,
    shared_gradient: DVector<f64>,
    views: Vec<ViewNormal>,
}

struct ViewNormal {
    w: DMatrix<f64>,
    v: Matrix6<f64>,
    gradient: Vector6<f64>,
}

/// Moves `rig` to the nearest minimum; none when a corner lies behind a camera at the start.
pub(crate) fn minimise(rig: &mut Rig, problem: &Problem<'_>) -> Option<Fit> {
    let layout = Layout::of(rig);
    let mut normal = linearise(rig, problem, &layout)?;
    let mut damping = FIRST_DAMPING;
    for _ in 0..MAX_STEPS {
        let before = normal.cost;
        let mut is_better = false;
        while damping < MOST_DAMPING {
            let next = solve(&normal, damping).map(|(shared, poses)| moved(rig, &layout, &shared, &poses));
            let cost = next.as_ref().and_then(|next| cost(next, problem));
            if let (Some(next), Some(cost)) = (next, cost)
                && cost <= before
            {
                *rig = next;
                damping = (damping / 10.0).max(1e-12);
                is_better = true;
                break;
            }
            damping *= 10.0;
        }
        if !is_better {
            break;
        }
        normal = linearise(rig, problem, &layout)?;
        if before - normal.cost <= CONVERGED * before {
            break;
        }
    }
    let shared_covariance = schur(&normal, 0.0).and_then(|(s, _)| invert_free(&s, problem.is_free));
    Some(Fit { cost: normal.cost, shared_covariance })
}

/// What one view says about the shared unknowns once its pose is eliminated: `Uᵢ - Wᵢ Vᵢ⁻¹ Wᵢᵀ` for errors of one pixel.
/// None when its corners do not determine its pose, or lie behind a camera.
pub(crate) fn information_of_view(
    rig: &Rig,
    target: &Target,
    view: usize,
    seen: &[Observation],
) -> Option<DMatrix<f64>> {
    let layout = Layout::of(rig);
    let is_free = vec![true; layout.count];
    let mut shared = (DMatrix::zeros(layout.count, layout.count), DVector::zeros(layout.count));
    let (_, normal) = linearise_view(rig, target, &layout, view, seen, &is_free, f64::INFINITY, &mut shared)?;
    let inverse = Cholesky::new(normal.v)?.inverse();
    Some(shared.0 - &normal.w * inverse * normal.w.transpose())
}

fn weight(error_px: f64, linear_beyond_px: f64) -> f64 {
    if error_px <= linear_beyond_px { 1.0 } else { linear_beyond_px / error_px }
}

fn huber(error_px: f64, linear_beyond_px: f64) -> f64 {
    if error_px <= linear_beyond_px {
        0.5 * error_px * error_px
    } else {
        linear_beyond_px * (error_px - 0.5 * linear_beyond_px)
    }
}

fn cost(rig: &Rig, problem: &Problem<'_>) -> Option<f64> {
    let mut sum = 0.0;
    for (view, seen) in problem.views.iter().enumerate() {
        for observation in seen {
            let pixel = rig.pixel(problem.target, view, observation.camera, observation.number)?;
            sum += huber((observation.pixel - pixel).norm(), problem.linear_beyond_px);
        }
    }
    sum.is_finite().then_some(sum)
}

fn linearise(rig: &Rig, problem: &Problem<'_>, layout: &Layout) -> Option<Normal> {
    let mut shared = (DMatrix::zeros(layout.count, layout.count), DVector::zeros(layout.count));
    let (mut cost, mut views) = (0.0, Vec::with_capacity(problem.views.len()));
    for (view, seen) in problem.views.iter().enumerate() {
        let Problem { target, is_free, linear_beyond_px, .. } = *problem;
        let (part, normal) = linearise_view(rig, target, layout, view, seen, is_free, linear_beyond_px, &mut shared)?;
        cost += part;
        views.push(normal);
    }
    Some(Normal { cost, u: shared.0, shared_gradient: shared.1, views })
}

#[expect(clippy::too_many_arguments, reason = "the innermost loop of the solver; a struct would only rename them")]
fn linearise_view(
    rig: &Rig,
    target: &Target,
    layout: &Layout,
    view: usize,
    seen: &[Observation],
    is_free: &[bool],
    linear_beyond_px: f64,
    (u, shared_gradient): &mut (DMatrix<f64>, DVector<f64>),
) -> Option<(f64, ViewNormal)> {
    let mut normal = ViewNormal { w: DMatrix::zeros(layout.count, 6), v: Matrix6::zeros(), gradient: Vector6::zeros() };
    let mut cost = 0.0;
    for observation in seen {
        let linear = rig.linearise(target, layout, view, observation)?;
        let size = linear.error.norm();
        cost += huber(size, linear_beyond_px);
        let weight = weight(size, linear_beyond_px);
        let by_shared: Vec<_> = linear.by_shared.iter().filter(|(index, _)| is_free[*index]).collect();
        for (index, by) in &by_shared {
            shared_gradient[*index] += weight * by.dot(&linear.error);
            for (other, by_other) in &by_shared {
                u[(*index, *other)] += weight * by.dot(by_other);
            }
            let row = by.transpose() * linear.by_pose * weight;
            for axis in 0..6 {
                normal.w[(*index, axis)] += row[axis];
            }
        }
        normal.v += linear.by_pose.transpose() * linear.by_pose * weight;
        normal.gradient += linear.by_pose.transpose() * linear.error * weight;
    }
    Some((cost, normal))
}

/// S with damping and the inverses of the views' blocks.
fn schur(normal: &Normal, damping: f64) -> Option<(DMatrix<f64>, Vec<Matrix6<f64>>)> {
    let mut s = normal.u.clone();
    for index in 0..s.nrows() {
        s[(index, index)] *= 1.0 + damping;
    }
    let mut inverses = Vec::with_capacity(normal.views.len());
    for view in &normal.views {
        let mut v = view.v;
        for axis in 0..6 {
            v[(axis, axis)] *= 1.0 + damping;
        }
        let inverse = Cholesky::new(v)?.inverse();
        s -= &view.w * inverse * view.w.transpose();
        inverses.push(inverse);
    }
    Some((s, inverses))
}

/// The step: shared unknowns and each view's pose.
fn solve(normal: &Normal, damping: f64) -> Option<(DVector<f64>, Vec<Vector6<f64>>)> {
    let (mut s, inverses) = schur(normal, damping)?;
    let mut right = normal.shared_gradient.clone();
    for (view, inverse) in normal.views.iter().zip(&inverses) {
        right -= &view.w * (inverse * view.gradient);
    }
    // A held unknown has an empty row: one on the diagonal leaves it where it is.
    for index in 0..s.nrows() {
        if normal.u[(index, index)] == 0.0 {
            s[(index, index)] = 1.0;
        }
    }
    let shared = scaled_cholesky(&s)?.solve(&right);
    let pose = |(view, inverse): (&ViewNormal, &Matrix6<f64>)| {
        inverse * (view.gradient - Vector6::from_iterator((view.w.transpose() * &shared).iter().copied()))
    };
    Some((shared.clone(), normal.views.iter().zip(&inverses).map(pose).collect()))
}

/// Focal lengths are hundreds and coefficients hundredths: the matrix is scaled to ones on its diagonal first.
struct Scaled {
    factor: Cholesky<f64, nalgebra::Dyn>,
    scale: DVector<f64>,
}

impl Scaled {
    fn solve(&self, right: &DVector<f64>) -> DVector<f64> {
        self.factor.solve(&right.component_mul(&self.scale)).component_mul(&self.scale)
    }
}

fn scaled_cholesky(matrix: &DMatrix<f64>) -> Option<Scaled> {
    let diagonal = matrix.diagonal();
    if diagonal.iter().any(|&value| !value.is_finite() || value <= 0.0) {
        return None;
    }
    let scale = diagonal.map(|value| value.sqrt().recip());
    let scaled = DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |row, column| {
        matrix[(row, column)] * scale[row] * scale[column]
    });
    Some(Scaled { factor: Cholesky::new(scaled)?, scale })
}

/// The inverse over the free unknowns, zero elsewhere. None for a matrix without one.
fn invert_free(s: &DMatrix<f64>, is_free: &[bool]) -> Option<DMatrix<f64>> {
    let free: Vec<usize> = (0..s.nrows()).filter(|&index| is_free[index]).collect();
    let part = DMatrix::from_fn(free.len(), free.len(), |row, column| s[(free[row], free[column])]);
    let factor = scaled_cholesky(&part)?;
    // A pivot this small is rounding: the matrix is singular.
    if factor.factor.l_dirty().diagonal().min() < 1e-7 {
        return None;
    }
    let mut covariance = DMatrix::zeros(s.nrows(), s.nrows());
    for column in 0..free.len() {
        let mut unit = DVector::zeros(free.len());
        unit[column] = 1.0;
        let solved = factor.solve(&unit);
        for row in 0..free.len() {
            covariance[(free[row], free[column])] = solved[row];
        }
    }
    Some(covariance)
}

fn moved(rig: &Rig, layout: &Layout, shared: &DVector<f64>, poses: &[Vector6<f64>]) -> Rig {
    let mut next = rig.clone();
    next.change_shared(layout, shared.as_slice());
    for (pose, change) in next.rig_from_board.iter_mut().zip(poses) {
        *pose = changed(pose, change);
    }
    next
}
