//! On rendered frames with known truth every term is least at the true depth, motion and camera, and its gradient points home.
//!
//! The scene is a place of `parallax-world` without movers or noise; a depth unit is a metre. Losses are those of training,
//! with one disparity map at full size.

use std::sync::LazyLock;

use burn::tensor::{Device, Tensor, TensorData};
use nalgebra::{Isometry3, Vector3};
use parallax_core::camera::{Camera, Intrinsics};
use parallax_core::depth::DepthMap;
use parallax_train::data::augmentation::{Mirroring, append_planes};
use parallax_train::data::motion::{between, in_units};
use parallax_train::geometry::{Pinholes, Poses, RigidMotion, back_project, project, sample};
use parallax_train::loss::depth::{FARTHEST, disparity_of_depth};
use parallax_train::loss::host::{Frames, HostLoss, Ranges, Source, Term, host_loss};
use parallax_train::loss::photometric::{OutOfView, photometric_error, smallest};
use parallax_train::loss::ssim::Reference;
use parallax_world::{DriveConfig, LidarConfig, RenderConfig, World, WorldConfig, robot_camera};

const WIDTH: usize = 192;
const HEIGHT: usize = 96;

/// A target and two sources, with their truth.
struct Scene {
    camera: Camera,
    target: Vec<f32>,
    sources: Vec<Vec<f32>>,
    source_depths: Vec<DepthMap>,
    /// `source_from_target`.
    motions: Vec<RigidMotion>,
    /// Metres; the sky at the farthest depth.
    depth: Vec<f32>,
    lidar: Vec<f32>,
}

fn planes(picture: &image::RgbImage) -> Vec<f32> {
    let mut planes = Vec::new();
    append_planes(picture, Mirroring::No, &mut planes);
    planes
}

/// Sources stand where `steps` lead from the target: shift in metres, turn in radians.
fn scene(steps: [(Vector3<f64>, Vector3<f64>); 2]) -> Scene {
    let world = World::generate(4, &WorldConfig::default());
    let camera = robot_camera("left", WIDTH as u32, HEIGHT as u32);
    let drive = world.drive(&DriveConfig::default());
    let here = drive.world_from_camera(30);
    let clean = RenderConfig::clean();
    let target = world.render(&camera, &here, 0.0, &clean);
    let poses = steps.map(|(shift, turn)| here * Isometry3::new(shift, turn));
    let taken = poses.map(|pose| world.render(&camera, &pose, 0.0, &clean));
    let lidar = world.lidar(&camera, &here, 0.0, &LidarConfig { noise_m: 0.0, ..LidarConfig::default() }, false);
    Scene {
        motions: poses.iter().map(|pose| in_units(&between([pose, &here], [0.0; 2]), 1.0)).collect(),
        target: planes(&target.rgb),
        sources: taken.iter().map(|taken| planes(&taken.rgb)).collect(),
        source_depths: taken.map(|taken| taken.depth).into(),
        depth: target.depth.metres.iter().map(|&m| if m > 0.0 { m.min(FARTHEST) } else { FARTHEST }).collect(),
        lidar: lidar.metres,
        camera,
    }
}

/// A robot that drives ahead and turns.
static DRIVING: LazyLock<Scene> = LazyLock::new(|| {
    let step = |way: f64| (Vector3::new(0.02, 0.0, 0.3) * way, Vector3::new(0.004, 0.05, 0.0) * way);
    scene([step(-1.0), step(1.0)])
});

/// The eyes of a rig: one to the left, one to the right.
static SIDEWAYS: LazyLock<Scene> = LazyLock::new(|| {
    let step = |way: f64| (Vector3::new(0.25, 0.0, 0.0) * way, Vector3::zeros());
    scene([step(-1.0), step(1.0)])
});

fn disparity(depth: &[f32], factor: f32) -> Vec<f32> {
    depth.iter().map(|depth| disparity_of_depth((depth * factor).clamp(0.1001, 99.9))).collect()
}

/// What may be wrong.
struct Belief {
    intrinsics: Intrinsics,
    motions: Vec<RigidMotion>,
    disparity: Vec<f32>,
}

impl Scene {
    fn truth(&self) -> Belief {
        Belief {
            intrinsics: self.camera.intrinsics,
            motions: self.motions.clone(),
            disparity: disparity(&self.depth, 1.0),
        }
    }

    fn photometric(&self, belief: &Belief) -> HostLoss {
        let sources = self.sources.iter().zip(&belief.motions);
        let sources = sources.map(|(image, motion)| Source { image, around: None, motions: vec![*motion] });
        let term = Term { weight: 1.0, sources: sources.collect(), out_of_view: OutOfView::Border };
        self.loss(belief, vec![term], None)
    }

    fn loss(&self, belief: &Belief, terms: Vec<Term<'_>>, ranges: Option<Ranges<'_>>) -> HostLoss {
        let frames = Frames {
            width: WIDTH,
            height: HEIGHT,
            target: &self.target,
            pyramid: std::slice::from_ref(&self.target),
            intrinsics: &[belief.intrinsics],
            terms,
            ranges,
        };
        host_loss(&frames, std::slice::from_ref(&belief.disparity))
    }

    /// Gradient of the loss by disparity without that of smoothness.
    fn without_smoothness(&self, belief: &Belief, loss: &HostLoss) -> Vec<f32> {
        let smooth = self.loss(belief, Vec::new(), None);
        loss.disparities[0].iter().zip(&smooth.disparities[0]).map(|(all, smooth)| all - smooth).collect()
    }
}

/// Change of the loss per step along `home - here`, from its gradient.
fn slope(gradient: &[f32], here: &[f32], home: &[f32]) -> f64 {
    gradient.iter().zip(here).zip(home).map(|((g, here), home)| f64::from(g * (home - here))).sum()
}

#[test]
fn depth_is_best_where_it_is_true() {
    for (name, scene) in [("driving", &*DRIVING), ("sideways", &*SIDEWAYS)] {
        let truth = scene.truth();
        let least = scene.photometric(&truth).photometric[0];
        for factor in [0.7, 0.85, 0.95, 1.05, 1.15, 1.4] {
            let wrong = Belief { disparity: disparity(&scene.depth, factor), ..scene.truth() };
            let loss = scene.photometric(&wrong);
            assert!(loss.photometric[0] > least, "{name}, depth x {factor}: {} {least}", loss.photometric[0]);
            let gradient = scene.without_smoothness(&wrong, &loss);
            let slope = slope(&gradient, &wrong.disparity, &truth.disparity);
            assert!(slope < 0.0, "{name}, depth x {factor}: {slope}");
        }
    }
}

#[test]
fn motion_is_best_where_it_is_true() {
    let scene = &*DRIVING;
    let truth = scene.truth();
    let least = scene.photometric(&truth).photometric[0];
    // Five centimetres along each axis; half a degree about each.
    let shifts = [Vector3::x(), Vector3::y(), Vector3::z()].map(|axis| Isometry3::new(axis * 0.05, Vector3::zeros()));
    let turns = [Vector3::x(), Vector3::y(), Vector3::z()].map(|axis| Isometry3::new(Vector3::zeros(), axis * 0.01));
    for change in shifts.into_iter().chain(turns).flat_map(|change| [change, change.inverse()]) {
        let wrong_of = |motion: &RigidMotion| {
            let matrix = in_units(&change, 1.0);
            std::array::from_fn(|at| {
                let (row, column) = (at / 4, at % 4);
                let product: f32 = (0..3).map(|k| matrix[4 * row + k] * motion[4 * k + column]).sum();
                product + if column == 3 { matrix[4 * row + 3] } else { 0.0 }
            })
        };
        let wrong = Belief { motions: truth.motions.iter().map(wrong_of).collect(), ..scene.truth() };
        let loss = scene.photometric(&wrong);
        assert!(loss.photometric[0] > least, "{change:?}: {} {least}", loss.photometric[0]);
        let pairs = wrong.motions.iter().zip(&truth.motions).zip(&loss.motions[0]);
        let slope: f64 = pairs.map(|((here, home), gradient)| slope(&gradient[0], here, home)).sum();
        assert!(slope < 0.0, "{change:?}: {slope}");
    }
}

#[test]
fn the_camera_is_best_where_it_is_true() {
    let scene = &*DRIVING;
    let truth = scene.truth();
    let least = scene.photometric(&truth).photometric[0];
    let Intrinsics { fx, fy, cx, cy } = truth.intrinsics;
    for intrinsics in [
        Intrinsics { fx: fx * 0.9, fy: fy * 0.9, cx, cy },
        Intrinsics { fx: fx * 1.1, fy: fy * 1.1, cx, cy },
        Intrinsics { fx, fy, cx: cx - 8.0, cy },
        Intrinsics { fx, fy, cx: cx + 8.0, cy },
        Intrinsics { fx, fy, cx, cy: cy - 6.0 },
        Intrinsics { fx, fy, cx, cy: cy + 6.0 },
    ] {
        let loss = scene.photometric(&Belief { intrinsics, ..scene.truth() });
        assert!(loss.photometric[0] > least, "{intrinsics:?}: {} {least}", loss.photometric[0]);
        let here = [intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy].map(|value| value as f32);
        let slope = slope(&loss.intrinsics[0], &here, &[fx, fy, cx, cy].map(|value| value as f32));
        assert!(slope < 0.0, "{intrinsics:?}: {slope}");
    }
}

#[test]
fn ranges_are_met_where_depth_is_true() {
    let scene = &*DRIVING;
    let truth = scene.truth();
    let measured = scene.lidar.iter().filter(|range| **range > 0.0).count();
    assert!((500..WIDTH * HEIGHT / 2).contains(&measured), "{measured} measured pixels are not sparse");
    let ranges = || Some(Ranges { weight: 1.0, depth: &scene.lidar });
    let least = scene.loss(&truth, Vec::new(), ranges()).range;
    for factor in [0.8, 0.95, 1.05, 1.25] {
        let wrong = Belief { disparity: disparity(&scene.depth, factor), ..scene.truth() };
        let loss = scene.loss(&wrong, Vec::new(), ranges());
        assert!(loss.range > 1.5 * least, "depth x {factor}: {} {least}", loss.range);
        let gradient = scene.without_smoothness(&wrong, &loss);
        assert!(slope(&gradient, &wrong.disparity, &truth.disparity) < 0.0, "depth x {factor}");
        let unmeasured = gradient.iter().zip(&scene.lidar).filter(|(_, range)| **range == 0.0);
        assert!(unmeasured.into_iter().all(|(gradient, _)| *gradient == 0.0));
    }
}

#[test]
fn an_object_that_moves_with_the_camera_teaches_nothing() {
    // The robot's own bumper: the same pixels in all frames, whatever the depth there.
    let mut scene = scene([
        (Vector3::new(0.0, 0.0, -0.3), Vector3::new(0.0, -0.03, 0.0)),
        (Vector3::new(0.0, 0.0, 0.3), Vector3::new(0.0, 0.03, 0.0)),
    ]);
    let bumper = |x: usize, y: usize| (50..140).contains(&x) && y >= 60;
    let target = scene.target.clone();
    for image in &mut scene.sources {
        for (at, value) in image.iter_mut().enumerate() {
            let (x, y) = (at % WIDTH, at / WIDTH % HEIGHT);
            if bumper(x, y) {
                *value = target[at];
            }
        }
    }
    let belief = scene.truth();
    let gradient = scene.without_smoothness(&belief, &scene.photometric(&belief));
    let (mut inside, mut outside) = ((0, 0), (0, 0));
    for (at, gradient) in gradient.iter().enumerate() {
        let (x, y) = (at % WIDTH, at / WIDTH);
        // SSIM's windows reach a pixel beyond the edge.
        let deep = bumper(x.saturating_sub(2), y.saturating_sub(2)) && bumper(x + 2, y);
        let count = if deep { &mut inside } else { &mut outside };
        count.0 += usize::from(gradient.abs() > 1e-9);
        count.1 += 1;
    }
    assert!(inside.0 * 100 < inside.1, "{inside:?} pixels of the bumper teach");
    assert!(outside.0 * 2 > outside.1, "{outside:?} pixels of the place teach");
}

#[test]
fn a_standing_camera_teaches_nothing() {
    let mut scene = scene([(Vector3::zeros(), Vector3::zeros()), (Vector3::zeros(), Vector3::zeros())]);
    // It stands, whatever the networks believe.
    scene.motions = DRIVING.motions.clone();
    let belief = scene.truth();
    let loss = scene.photometric(&belief);
    let gradient = scene.without_smoothness(&belief, &loss);
    assert!(loss.photometric[0] < 1e-5, "{}", loss.photometric[0]);
    let largest = gradient.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    assert!(largest < 1e-6, "{largest}");
}

#[test]
fn the_minimum_over_sources_believes_the_eye_that_sees() {
    let scene = &*SIDEWAYS;
    let device = Device::flex();
    let image =
        |values: &[f32]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, HEIGHT, WIDTH]), &device);
    let map = |values: &[f32]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 1, HEIGHT, WIDTH]), &device);
    let values = |tensor: Tensor<4>| -> Vec<f32> { tensor.into_data().try_into_vec().unwrap() };
    let cameras = Pinholes::new(&[scene.camera.intrinsics], &device);
    let target = Reference::new(image(&scene.target));
    let points = back_project(map(&scene.depth), &cameras);
    let mut errors = Vec::new();
    let mut hidden = Vec::new();
    for ((source, depth), motion) in scene.sources.iter().zip(&scene.source_depths).zip(&scene.motions) {
        let moved = Poses::known(&[*motion], &device).apply(&points);
        let distance = values(moved.z.clone());
        let pixels = project(moved, &cameras);
        let (u, v) = (values(pixels.u.clone()), values(pixels.v.clone()));
        errors.push(photometric_error(&target, sample(image(source), pixels)));
        // Something nearer by a fifth stands before the point, and the place is in the picture.
        hidden.push(
            (0..WIDTH * HEIGHT)
                .map(|at| {
                    let (x, y) = (u[at].round(), v[at].round());
                    let inside = x >= 1.0 && y >= 1.0 && x < WIDTH as f32 - 1.0 && y < HEIGHT as f32 - 1.0;
                    inside && depth.at(x as u32, y as u32).is_some_and(|before| before < 0.8 * distance[at])
                })
                .collect::<Vec<bool>>(),
        );
    }
    let best = values(smallest(errors.iter().cloned()));
    let of_right = values(errors[1].clone());
    let only_left_sees: Vec<usize> = (0..WIDTH * HEIGHT).filter(|at| hidden[1][*at] && !hidden[0][*at]).collect();
    assert!(only_left_sees.len() > 100, "only {} pixels are hidden", only_left_sees.len());
    let mean =
        |map: &[f32]| only_left_sees.iter().map(|at| f64::from(map[*at])).sum::<f64>() / only_left_sees.len() as f64;
    assert!(mean(&best) < 0.5 * mean(&of_right), "{} {}", mean(&best), mean(&of_right));
}
