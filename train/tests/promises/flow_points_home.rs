//! At the true flow of a rendered pair the flow loss is lower than at any wrong one, and from nearby its gradient points
//! home. True flow follows from depth, pose and camera of a place where nothing moves.

use nalgebra::{Isometry3, Point2, Point3};
use parallax_core::camera::Camera;
use parallax_core::depth::DepthMap;
use parallax_train::data::augmentation::{Mirroring, append_planes};
use parallax_train::loss::host::flow::{FlowLoss, Pairs, flow_loss};
use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, robot_camera};

const SIZE: (u32, u32) = (128, 64);

/// The sky has no depth; this far it does not move when the camera does.
const SKY_M: f64 = 1e6;

/// Pictures of two frames, and the true flow from each to the other, `[2, 2, height, width]`.
struct Truth {
    pictures: Vec<f32>,
    flow: Vec<f32>,
}

fn truth() -> Truth {
    let world = World::generate(7, &WorldConfig::default());
    let camera = robot_camera("left", SIZE.0, SIZE.1);
    let drive = world.drive(&DriveConfig::default());
    let (first, second) = (drive.world_from_camera(30), drive.world_from_camera(32));
    // One time for both, so that nothing but the camera moves.
    let taken = [&first, &second].map(|pose| world.render(&camera, pose, 0.0, &RenderConfig::clean()));
    let mut pictures = Vec::new();
    taken.iter().for_each(|taken| append_planes(&taken.rgb, Mirroring::No, &mut pictures));
    let there = flow(&camera, &taken[0].depth, &(second.inverse() * first));
    let back = flow(&camera, &taken[1].depth, &(first.inverse() * second));
    Truth { pictures, flow: [there, back].concat() }
}

fn flow(camera: &Camera, depth: &DepthMap, there_from_here: &Isometry3<f64>) -> Vec<f32> {
    let place = |x: u32, y: u32| {
        let metres = depth.at(x, y).map_or(SKY_M, f64::from);
        let here = Point2::new(f64::from(x), f64::from(y));
        let point = Point3::from(camera.unproject(here).unwrap() * metres);
        // What ends up behind the other camera leaves the picture.
        camera.project(&(there_from_here * point)).map_or([-1e3; 2], |there| [there.x - here.x, there.y - here.y])
    };
    let pixels: Vec<[f64; 2]> =
        (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x, y))).map(|(x, y)| place(x, y)).collect();
    [0, 1].into_iter().flat_map(|component| pixels.iter().map(move |flow| flow[component] as f32)).collect()
}

/// The loss with one scale, that of the picture.
fn loss(truth: &Truth, flow: &[f32]) -> FlowLoss {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    flow_loss(&[Pairs { width, height, pictures: truth.pictures.clone() }], &[flow.to_vec()])
}

/// The true flow changed by `change(flow, there)`, where `there` is 1 for the way there and -1 for the way back.
fn changed(truth: &Truth, change: impl Fn([f32; 2], f32) -> [f32; 2]) -> Vec<f32> {
    let pixels = (SIZE.0 * SIZE.1) as usize;
    let mut flow = truth.flow.clone();
    for (way, sign) in [1.0, -1.0].into_iter().enumerate() {
        let start = 2 * way * pixels;
        for pixel in start..start + pixels {
            let [right, down] = change([flow[pixel], flow[pixel + pixels]], sign);
            (flow[pixel], flow[pixel + pixels]) = (right, down);
        }
    }
    flow
}

fn shifted(truth: &Truth, by: [f32; 2]) -> Vec<f32> {
    // The way back is shifted the other way, so that both agree with each other and are wrong together.
    changed(truth, |[right, down], sign| [right + sign * by[0], down + sign * by[1]])
}

#[test]
fn the_true_flow_costs_least() {
    let truth = truth();
    let total = |flow: &[f32]| {
        let FlowLoss { photometric, smoothness, .. } = loss(&truth, flow);
        photometric + smoothness
    };
    let at_truth = total(&truth.flow);
    let moved = truth.flow.iter().filter(|flow| flow.abs() > 1.0).count();
    assert!(moved > truth.flow.len() / 5, "the pair must show motion, {moved} of {}", truth.flow.len());
    let mut wrong: Vec<(String, f64)> = [[1.5, 0.0], [-1.5, 0.0], [0.0, 1.5], [0.0, -1.5], [4.0, 2.0], [-3.0, -3.0]]
        .into_iter()
        .map(|by| (format!("shifted by {by:?}"), total(&shifted(&truth, by))))
        .collect();
    for factor in [0.0, 0.5, 1.5] {
        let scaled = changed(&truth, |flow, _| flow.map(|value| factor * value));
        wrong.push((format!("times {factor}"), total(&scaled)));
    }
    // Both ways shifted alike: they contradict each other.
    wrong.push(("contradicting".into(), total(&changed(&truth, |[right, down], _| [right + 2.0, down]))));
    println!("truth {at_truth:.4}, {wrong:.4?}");
    for (name, cost) in wrong {
        assert!(cost > 1.1 * at_truth, "{name}: {cost} against {at_truth} at the truth");
    }
}

#[test]
fn nearby_the_gradient_points_home() {
    let truth = truth();
    for by in [[0.4, 0.0], [-0.4, 0.0], [0.0, 0.4], [0.0, -0.4]] {
        let flow = shifted(&truth, by);
        let gradient = &loss(&truth, &flow).flows[0];
        let away: f32 =
            gradient.iter().zip(&flow).zip(&truth.flow).map(|((slope, flow), home)| slope * (flow - home)).sum();
        assert!(away > 0.01, "shifted by {by:?}: the loss must rise on the way from home, {away}");
    }
}
