//! The focal length and the distortion that the tracks of a window ask for.
//!
//! Bundle adjustment of a few views: poses, one inverse depth per point, and two numbers of the lens are found together.
//!
//! ```text
//! ray of a pixel p in the first view      n = undistort((p − c) / (s f)),   distort(m) = m (1 + k |m|²)
//! the same point in view j                X = Rⱼ [n; 1] + ρ tⱼ
//! its pixel there                         c + s f · distort(X.xy / X.z)
//! ```
//!
//! `s` = 1 and `k` = 0 for a camera file that is right and pictures without distortion. The sum of squared errors over
//! 0.3 px, with a Geman-McClure weight, is minimised by Levenberg-Marquardt steps in which the inverse depths are
//! eliminated (Schur complement). What is left of the normal equations for (ln s, k) says how well a window determines
//! them; windows are added up by it.
//!
//! Why several views: from two, the focal length of a wheeled robot is not determined at all, because the optical axes
//! of a camera that drives an arc meet at equal distances from both (Sturm, *On Focal Length Calibration from Two Views*,
//! CVPR 2001). Several views of a turn do determine it (Fitzgibbon, Cross, Zisserman, *Automatic 3D Model Construction
//! for Turn-Table Sequences*, SMILE 1998); straight driving does not, and then the answer is "cannot tell".

use nalgebra::{DMatrix, DVector, Matrix2, Matrix2x3, Matrix2x6, Rotation3, Vector2, Vector3};
use parallax_core::camera::Intrinsics;
use parallax_core::optical_flow::{RotationFit, Track};

use super::statistics::median;
use super::two_views::TwoViews;
use super::windows::Window;

/// Accuracy of a track over several frames, pixels.
const TRACK_ACCURACY_PX: f64 = 0.3;
/// Residuals beyond this many accuracies lose their weight: 1.2 px at first, 0.6 px in the end.
const WEIGHT_SCALES: [f64; 2] = [4.0, 2.0];
/// What is believed before looking: ln s and k are 0 ± 0.5. It keeps a window that says nothing from running away.
const PRIOR_DEVIATION: f64 = 0.5;
/// Errors of neighbouring tracks and views are alike (a drifting corner drifts in all views), so that the deviations from
/// counting residuals are too small. The factor is measured: windows of one drive scatter by 2 to 4 of them.
const CORRELATION: f64 = 3.0;
const MOST_STEPS: usize = 60;
/// A window that turns less says nothing about the focal length, and false minima lie near: of the windows of KITTI
/// that turn by more than 8° all agree to 5 %, of those below 4° none do.
const LEAST_TURN_RAD: f64 = 0.1;
/// A window whose points do not fit better than this was followed wrongly, pixels.
const MOST_RESIDUAL_PX: f64 = 1.0;

/// What one or several windows say about the lens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LensEstimate {
    /// ln s and k.
    pub value: Vector2<f64>,
    /// Inverse covariance of them.
    pub information: Matrix2<f64>,
}

impl LensEstimate {
    /// Standard deviations of ln s and k, each with the other unknown.
    #[must_use]
    pub fn deviations(&self) -> [f64; 2] {
        let covariance =
            self.information.try_inverse().unwrap_or_else(|| Matrix2::identity() * PRIOR_DEVIATION.powi(2));
        [covariance[(0, 0)].max(0.0).sqrt(), covariance[(1, 1)].max(0.0).sqrt()]
    }

    /// ln s and its deviation for a lens that is known to have no distortion: k = 0.
    #[must_use]
    pub fn without_distortion(&self) -> (f64, f64) {
        let [s, sk] = [self.information[(0, 0)], self.information[(0, 1)]];
        (self.value[0] + sk / s * self.value[1], 1.0 / s.sqrt())
    }
}

/// Adds windows up; their deviations grow where they disagree. None of no windows.
#[must_use]
pub fn combine(windows: &[LensEstimate]) -> Option<LensEstimate> {
    let prior = prior();
    let mut information = prior;
    let mut pull = Vector2::zeros();
    for window in windows {
        // Each window held the prior; it counts once.
        information += window.information - prior;
        pull += window.information * window.value;
    }
    let value = information.try_inverse()? * pull;
    let scatter = |window: &LensEstimate| {
        let difference = window.value - value;
        (difference.transpose() * window.information * difference)[0]
    };
    let freedom = 2.0 * (windows.len() as f64 - 1.0);
    let excess = if freedom > 0.0 { windows.iter().map(scatter).sum::<f64>() / freedom } else { 1.0 };
    (!windows.is_empty()).then(|| LensEstimate { value, information: information / excess.max(1.0) })
}

fn prior() -> Matrix2<f64> {
    Matrix2::identity() / (PRIOR_DEVIATION * PRIOR_DEVIATION)
}

/// What a window says; none when it hardly turns or its points do not fit one rigid scene.
#[must_use]
pub fn calibrate(window: &Window, intrinsics: &Intrinsics) -> Option<LensEstimate> {
    let mut bundle = Bundle::start(window, intrinsics)?;
    for scale in WEIGHT_SCALES {
        bundle.weight_scale = scale;
        bundle.optimize();
    }
    let residual = median(bundle.residuals_px())?;
    let turn_rad = bundle.poses[bundle.poses.len() - 1].0.angle();
    tracing::debug!(
        "frames {:?}: {} points, turn {turn_rad:.3} rad, residual {residual:.2} px, lens {:?}",
        window.frames,
        bundle.inverse_depths.len(),
        bundle.lens
    );
    if residual > MOST_RESIDUAL_PX || turn_rad < LEAST_TURN_RAD {
        return None;
    }
    bundle.estimate()
}

/// The state of a bundle adjustment.
struct Bundle<'a> {
    window: &'a Window,
    k: &'a Intrinsics,
    /// From the first view's frame to each other view's.
    poses: Vec<(Rotation3<f64>, Vector3<f64>)>,
    inverse_depths: Vec<f64>,
    /// ln s and k.
    lens: Vector2<f64>,
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
    /// From the motion between the first view and the last.
    fn start(window: &'a Window, k: &'a Intrinsics) -> Option<Self> {
        let (first, last) = (&window.views[0], &window.views[window.views.len() - 1]);
        let tracks: Vec<Track> = first
            .iter()
            .zip(last)
            .enumerate()
            .map(|(index, (from, to))| Track { index, from: *from, to: *to })
            .collect();
        let turn = RotationFit::new(&tracks, k)?;
        let whole = TwoViews::new(&tracks, &turn.second_from_first, k)?;
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
            lens: Vector2::zeros(),
            weight_scale: WEIGHT_SCALES[0],
        })
    }

    fn optimize(&mut self) {
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
            slope[lens_at + at] += prior()[(at, at)] * self.lens[at];
        }
        *cost += (self.lens.transpose() * prior() * self.lens)[0];
        let (_, last) = self.poses[self.poses.len() - 1];
        let direction = last.normalize() * 1e3;
        for row in 0..3 {
            for column in 0..3 {
                matrix[(lens_at - 3 + row, lens_at - 3 + column)] += direction[row] * direction[column];
            }
        }
    }

    fn residuals_px(&self) -> Vec<f64> {
        let all = (0..self.inverse_depths.len()).flat_map(|point| (0..self.poses.len()).map(move |view| (point, view)));
        all.filter_map(|(point, view)| Some(self.look(point, view)?.error.norm() * TRACK_ACCURACY_PX)).collect()
    }

    fn estimate(&self) -> Option<LensEstimate> {
        let system = self.reduced(0.0);
        let others = system.matrix.nrows() - 2;
        let mut poses = system.matrix.view((0, 0), (others, others)).into_owned();
        (0..others).for_each(|at| poses[(at, at)] += 1e-9);
        let mixed = system.matrix.view((0, others), (others, 2)).into_owned();
        let lens = system.matrix.fixed_view::<2, 2>(others, others).into_owned();
        let solved = poses.cholesky()?.solve(&mixed);
        let product = mixed.transpose() * solved;
        let data = lens - Matrix2::from_fn(|row, column| product[(row, column)]) - prior();
        // A median residual of 1.18 σ is what two normal components have.
        let noise = (median(self.residuals_px())? / 1.18 / TRACK_ACCURACY_PX).max(0.3);
        let information = data / (noise * CORRELATION).powi(2);
        let positive = information.symmetric_eigenvalues().iter().all(|value| *value > -1e-6);
        let value_scale = prior() + information;
        // The prior pulled with its own strength against undiminished data: undo that.
        let pull = (data + prior()) * self.lens;
        let value = value_scale.try_inverse()? * pull / (noise * CORRELATION).powi(2);
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

fn undistorted([x, y]: [f32; 2], k: &Intrinsics, lens: Vector2<f64>) -> Vector2<f64> {
    let scale = lens[0].exp();
    let bent = Vector2::new((f64::from(x) - k.cx) / (k.fx * scale), (f64::from(y) - k.cy) / (k.fy * scale));
    let mut ray = bent;
    // Fixed point of r = bent / (1 + k r²); lenses here bend by less than a third, where it contracts.
    for _ in 0..8 {
        ray = bent / (1.0 + lens[1] * ray.norm_squared().min(2.0)).max(0.5);
    }
    ray
}

fn projected(place: &Vector3<f64>, k: &Intrinsics, lens: Vector2<f64>) -> Vector2<f64> {
    let ray = place.xy() / place.z;
    let bent = ray * (1.0 + lens[1] * ray.norm_squared().min(2.0)) * lens[0].exp();
    Vector2::new(k.fx * bent.x + k.cx, k.fy * bent.y + k.cy)
}

/// The derivative of [`projected`] by the place.
fn derivative(place: &Vector3<f64>, k: &Intrinsics, lens: Vector2<f64>) -> Matrix2x3<f64> {
    let ray = place.xy() / place.z;
    let by_ray = Matrix2::identity() * (1.0 + lens[1] * ray.norm_squared()) + ray * ray.transpose() * (2.0 * lens[1]);
    let by_place = Matrix2x3::new(1.0, 0.0, -ray.x, 0.0, 1.0, -ray.y) / place.z;
    Matrix2::new(k.fx, 0.0, 0.0, k.fy) * by_ray * by_place * lens[0].exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: Intrinsics = Intrinsics { fx: 320.0, fy: 320.0, cx: 255.5, cy: 95.5 };

    /// What a camera sees that drives an arc of `turn_rad` in seven steps, its axis along the path, through points that stand
    /// around; to within 0.1 px.
    fn drive(turn_rad: f64, lens: Vector2<f64>) -> Window {
        let at = |part: f64| {
            let heading = turn_rad * part;
            let radius = if turn_rad == 0.0 { 0.0 } else { 6.0 / turn_rad };
            let along = if turn_rad == 0.0 { 6.0 * part } else { radius * heading.sin() };
            let centre = Vector3::new(radius * (1.0 - heading.cos()), 0.0, along);
            (Rotation3::from_axis_angle(&Vector3::y_axis(), heading).inverse(), centre)
        };
        // An even spread that does not repeat: multiples of irrational numbers.
        let spread = |index: usize, step: f64| (index as f64 * step).fract();
        let points: Vec<Vector3<f64>> = (0..400)
            .map(|index| {
                let depth = 8.0 + 30.0 * spread(index, 0.618);
                let (across, down) = (spread(index, 0.414) * 2.4 - 1.0, spread(index, 0.732) * 0.5 - 0.25);
                Vector3::new(across * depth, down * depth, depth)
            })
            .collect();
        let mut views = vec![Vec::new(); 8];
        for (number, point) in points.iter().enumerate() {
            let seen: Vec<[f32; 2]> = (0..8)
                .filter_map(|view| {
                    let (rotation, centre) = at(view as f64 / 7.0);
                    let place = rotation * (point - centre);
                    let noise = |step: f64| 0.2 * (spread(number * 8 + view, step) - 0.5);
                    let pixel = projected(&place, &K, lens) + Vector2::new(noise(0.236), noise(0.645));
                    let inside = (0.0..511.0).contains(&pixel.x) && (0.0..191.0).contains(&pixel.y) && place.z > 1.0;
                    inside.then_some([pixel.x as f32, pixel.y as f32])
                })
                .collect();
            if seen.len() == 8 {
                views.iter_mut().zip(seen).for_each(|(view, pixel)| view.push(pixel));
            }
        }
        Window { frames: [0, 7], views }
    }

    #[test]
    fn a_focal_length_wrong_by_a_fifth_is_found_on_an_arc() {
        for scale in [1.0_f64, 1.25, 0.8] {
            let window = drive(0.5, Vector2::new(scale.ln(), 0.0));
            assert!(window.views[0].len() > 50, "{} points", window.views[0].len());
            let (found, deviation) = calibrate(&window, &K).unwrap().without_distortion();
            assert!((found - scale.ln()).abs() < 0.04 && deviation < 0.06, "{} ± {deviation} for {scale}", found.exp());
        }
    }

    #[test]
    fn distortion_left_in_is_found_and_told_from_a_wrong_focal_length() {
        let found = calibrate(&drive(0.5, Vector2::new(0.0, -0.12)), &K).unwrap();
        let deviations = found.deviations();
        assert!((found.value[1] + 0.12).abs() < 0.03 && deviations[1] < 0.04, "{found:?}");
        assert!(found.value[0].abs() < 0.05, "{found:?}");
    }

    #[test]
    fn straight_driving_says_nothing() {
        assert_eq!(calibrate(&drive(0.0, Vector2::zeros()), &K), None);
    }

    #[test]
    fn windows_that_disagree_make_each_other_less_certain() {
        let window = |value: f64| LensEstimate {
            value: Vector2::new(value, 0.0),
            information: Matrix2::new(2500.0, 0.0, 0.0, 2500.0) + prior(),
        };
        let agreed = combine(&[window(0.1), window(0.1)]).unwrap();
        let torn = combine(&[window(0.3), window(-0.1)]).unwrap();
        assert!((agreed.value[0] - 0.1).abs() < 1e-3 && (torn.value[0] - 0.1).abs() < 1e-3);
        assert!(torn.deviations()[0] > 3.0 * agreed.deviations()[0]);
        assert_eq!(combine(&[]), None);
    }
}
