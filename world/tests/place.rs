//! What a place promises: it repeats, it is true to itself, it is varied, and the robot gets through it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use nalgebra::{Point2, Point3};
use parallax_world::{
    Class, DriveConfig, LidarConfig, RenderConfig, World, WorldConfig, right_from_left_pose, robot_camera,
};

const BASELINE_M: f64 = 0.16;

fn world(seed: u64) -> World {
    World::generate(seed, &WorldConfig::default())
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let camera = robot_camera("left", 96, 48);
    let take = || {
        let world = world(3);
        let drive = world.drive(&DriveConfig::default());
        let lidar = world.lidar(&camera, &drive.world_from_camera(9), 0.9, &LidarConfig::default(), true);
        let taken = world.render(&camera, &drive.world_from_camera(9), 0.9, &RenderConfig::default());
        (taken.rgb, taken.depth, taken.classes.indices, lidar)
    };
    let on = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(take);
    let (one, three) = (on(1), on(3));
    assert!(one == three);
}

#[test]
fn seeds_differ_in_layout_and_light() {
    let camera = robot_camera("left", 64, 32);
    let taken = [1, 2].map(|seed| {
        let world = world(seed);
        let drive = world.drive(&DriveConfig::default());
        world.render(&camera, &drive.world_from_camera(0), 0.0, &RenderConfig::clean())
    });
    let other_class = taken[0].classes.indices.iter().zip(&taken[1].classes.indices).filter(|(a, b)| a != b).count();
    assert!(other_class > 64 * 32 / 10, "only {other_class} pixels differ in class");
    let other_color =
        taken[0].rgb.as_raw().iter().zip(taken[1].rgb.as_raw()).filter(|(a, b)| a.abs_diff(**b) > 8).count();
    assert!(other_color > 64 * 32, "only {other_color} bytes differ in colour");
}

#[test]
fn flat_ground_has_the_depth_of_a_plane() {
    let world = world(5);
    let camera = robot_camera("left", 128, 64);
    let drive = world.drive(&DriveConfig { shake: 0.0, ..DriveConfig::default() });
    let config = DriveConfig::default();
    let taken = world.render(&camera, &drive.world_from_camera(4), 0.0, &RenderConfig::clean());
    let mut checked = 0;
    for (index, &class) in taken.classes.indices.iter().enumerate() {
        if [Class::Path, Class::Road, Class::Grass].map(Class::index).contains(&class) {
            let ray = camera.unproject(Point2::new((index % 128) as f64, (index / 128) as f64)).unwrap();
            // A camera at height h, pitched down by p, sees the ground at z = h / (y cos p + sin p).
            let (sin, cos) = config.pitch_down_rad.sin_cos();
            let expected = config.camera_height_m / (ray.y * cos + sin);
            let found = f64::from(taken.depth.metres[index]);
            assert!((found - expected).abs() < 1e-3 * expected, "pixel {index}: {found} for {expected}");
            checked += 1;
        }
    }
    assert!(checked > 1000, "only {checked} ground pixels");
}

#[test]
fn a_left_pixel_moved_by_its_disparity_lands_on_the_same_thing_in_the_right_picture() {
    let (width, height) = (256_u32, 128_u32);
    let (left, right) =
        (robot_camera("left", width, height), robot_camera("right", width, height).with_baseline(BASELINE_M));
    let (mut same_class, mut same_depth, mut seen, mut error) = (0, 0, 0, 0.0);
    for seed in [1, 2] {
        let world = world(seed);
        let drive = world.drive(&DriveConfig::default());
        let pose = drive.world_from_camera(60);
        let from_left = world.render(&left, &pose, 6.0, &RenderConfig::clean());
        let from_right = world.render(&right, &right_from_left_pose(&pose, BASELINE_M), 6.0, &RenderConfig::clean());
        for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
            let Some(depth) = from_left.depth.at(x, y) else { continue };
            let ray = left.unproject(Point2::new(f64::from(x), f64::from(y))).unwrap() * f64::from(depth);
            let there = right.project(&Point3::new(ray.x - BASELINE_M, ray.y, ray.z)).unwrap();
            assert!((there.y - f64::from(y)).abs() < 1e-9, "a rectified pair keeps rows");
            let (u, v) = (there.x.round(), y);
            if u < 0.0 {
                continue;
            }
            let at = (v * width) as usize + u as usize;
            seen += 1;
            same_class +=
                usize::from(from_left.classes.indices[(y * width + x) as usize] == from_right.classes.indices[at]);
            // A pixel is off by half a column at most, which on slanted surfaces is some depth.
            if (from_right.depth.metres[at] - depth).abs() < 0.03 * depth {
                same_depth += 1;
                let colors = (from_left.rgb.get_pixel(x, y), from_right.rgb.get_pixel(u as u32, v));
                error += colors.0.0.iter().zip(colors.1.0).map(|(a, b)| f64::from(a.abs_diff(b))).sum::<f64>() / 3.0;
            }
        }
    }
    let share = |count: usize| count as f64 / f64::from(seen);
    let error = error / same_depth as f64;
    println!("class {:.4}, depth {:.4}, colour {error:.2} of 255", share(same_class), share(same_depth));
    assert!(share(same_class) > 0.95);
    assert!(share(same_depth) > 0.90);
    assert!(error < 10.0, "colours differ by {error}");
}

#[test]
fn a_lap_shows_every_class() {
    let (world, camera) = (world(1), robot_camera("left", 96, 48));
    let drive = world.drive(&DriveConfig { fps: 0.5, ..DriveConfig::default() });
    let mut pixels = [0_usize; Class::ALL.len()];
    for index in 0..40 {
        let config = RenderConfig { edge_samples: 0, shadows: false, ..RenderConfig::default() };
        let taken = world.render(&camera, &drive.world_from_camera(index), drive.time_secs(index), &config);
        taken.classes.indices.iter().for_each(|&class| pixels[class as usize] += 1);
        for (depth, &class) in taken.depth.metres.iter().zip(&taken.classes.indices) {
            assert_eq!(*depth == 0.0, class == Class::Sky.index(), "the sky, and only the sky, has no depth");
        }
    }
    let total = pixels.iter().sum::<usize>() as f64;
    for (class, count) in Class::ALL.iter().zip(pixels) {
        println!("{:<10} {:.2} %", class.name(), 100.0 * count as f64 / total);
    }
    for (class, count) in Class::ALL.iter().zip(pixels) {
        assert!(count as f64 > 0.002 * total, "{} has {count} of {total} pixels", class.name());
    }
}

#[test]
fn the_robot_never_comes_near_anything() {
    for seed in 0..6 {
        let world = world(seed);
        let drive = world.drive(&DriveConfig { fps: 2.0, ..DriveConfig::default() });
        let mut index = 0;
        while drive.driven_m(index) < 1.3 * world.path_length_m() {
            let at = drive.world_from_camera(index).translation;
            let clearance = world.clearance_m([at.x, at.y], drive.time_secs(index));
            assert!(clearance > 0.45, "seed {seed}, frame {index}: something at {clearance:.2} m");
            index += 1;
        }
    }
}

#[test]
fn ranges_agree_with_depth() {
    let (world, camera) = (world(2), robot_camera("left", 256, 128));
    let pose = world.drive(&DriveConfig::default()).world_from_camera(20);
    let depth = world.render(&camera, &pose, 2.0, &RenderConfig::default()).depth;
    let ranges = world.lidar(&camera, &pose, 2.0, &LidarConfig::default(), true);
    let pairs: Vec<_> = ranges.metres.iter().zip(&depth.metres).filter(|(range, _)| **range > 0.0).collect();
    let agree = pairs.iter().filter(|(range, depth)| (*range - *depth).abs() < 0.05 + 0.05 * *depth).count();
    let share = agree as f64 / pairs.len() as f64;
    println!("{} returns, {:.1} % within 5 %", pairs.len(), 100.0 * share);
    assert!(pairs.len() > 1500, "{} returns", pairs.len());
    assert!(share > 0.9, "{share}");
    assert!(pairs.iter().all(|(range, _)| **range < LidarConfig::default().range_m * 1.01));
}

/// Nearest mean colour, learnt and scored on the same kind of pictures: what colour alone can tell.
#[test]
fn colour_alone_does_not_give_the_class_away() {
    let camera = robot_camera("left", 96, 48);
    let pictures = |frames: [usize; 6]| -> Vec<(u8, [f64; 3])> {
        let mut pixels = Vec::new();
        for seed in 0..8 {
            let world = world(seed);
            let drive = world.drive(&DriveConfig::default());
            for index in frames {
                let taken = world.render(
                    &camera,
                    &drive.world_from_camera(index),
                    drive.time_secs(index),
                    &RenderConfig::default(),
                );
                let color = |pixel: &image::Rgb<u8>| pixel.0.map(f64::from);
                pixels.extend(taken.classes.indices.iter().copied().zip(taken.rgb.pixels().map(color)));
            }
        }
        pixels
    };
    let learnt = pictures([0, 150, 300, 450, 600, 750]);
    let mut means = [([0.0; 3], 0.0); Class::ALL.len()];
    for (class, color) in &learnt {
        let (sum, count) = &mut means[*class as usize];
        (0..3).for_each(|channel| sum[channel] += color[channel]);
        *count += 1.0;
    }
    let means = means.map(|(sum, count)| sum.map(|sum: f64| sum / f64::max(count, 1.0)));
    let nearest = |color: &[f64; 3]| {
        let distance = |mean: &[f64; 3]| (0..3).map(|c| (mean[c] - color[c]).powi(2)).sum::<f64>();
        (0..means.len()).min_by(|&a, &b| distance(&means[a]).total_cmp(&distance(&means[b]))).unwrap()
    };
    let (mut right, mut per_class) = (0, [(0_usize, 0_usize); Class::ALL.len()]);
    let unseen = pictures([75, 225, 375, 525, 675, 825]);
    for (class, color) in &unseen {
        let hit = usize::from(nearest(color) == *class as usize);
        right += hit;
        per_class[*class as usize].0 += hit;
        per_class[*class as usize].1 += 1;
    }
    let accuracy = right as f64 / unseen.len() as f64;
    let recall = per_class.map(|(hits, count)| hits as f64 / count.max(1) as f64);
    let without_sky = recall[..9].iter().sum::<f64>() / 9.0;
    println!("pixel accuracy {accuracy:.3}, mean recall without the sky {without_sky:.3}, per class {recall:.2?}");
    assert!(accuracy < 0.5, "colour alone is right for {accuracy} of the pixels");
    assert!(without_sky < 0.3, "colour alone recalls {without_sky} of the classes");
}

/// What a photometric loss with perfect depth and pose would see: the next frame warped into this one.
#[test]
fn textures_do_not_flicker_from_frame_to_frame() {
    let (width, height) = (256_u32, 96_u32);
    let camera = robot_camera("left", width, height);
    let (mut error, mut still, mut count) = (0.0, 0.0, 0.0);
    for seed in [1, 6, 9] {
        let world = world(seed);
        let drive = world.drive(&DriveConfig::default());
        let take = |index: usize| world.render(&camera, &drive.world_from_camera(index), 0.0, &RenderConfig::clean());
        let (now, next) = (take(30), take(31));
        let next_from_now = drive.world_from_camera(31).inverse() * drive.world_from_camera(30);
        for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
            let Some(depth) = now.depth.at(x, y) else { continue };
            let ray = camera.unproject(Point2::new(f64::from(x), f64::from(y))).unwrap() * f64::from(depth);
            let there = next_from_now * Point3::from(ray);
            let Some(pixel) = camera.project(&there) else { continue };
            let (u, v) = (pixel.x.floor(), pixel.y.floor());
            if u < 0.0 || v < 0.0 || u + 1.0 >= f64::from(width) || v + 1.0 >= f64::from(height) {
                continue;
            }
            let (u, v, fu, fv) = (u as u32, v as u32, pixel.x - u, pixel.y - v);
            let seen =
                f64::from(next.depth.metres[((v + u32::from(fv > 0.5)) * width + u + u32::from(fu > 0.5)) as usize]);
            if (seen - there.z).abs() > 0.03 * there.z {
                continue; // hidden in one of the two
            }
            let color = |x: u32, y: u32| next.rgb.get_pixel(x, y).0.map(f64::from);
            let (a, b, c, d) = (color(u, v), color(u + 1, v), color(u, v + 1), color(u + 1, v + 1));
            let here = now.rgb.get_pixel(x, y).0.map(f64::from);
            let unmoved = color(x, y);
            for channel in 0..3 {
                let top = a[channel] + (b[channel] - a[channel]) * fu;
                let bottom = c[channel] + (d[channel] - c[channel]) * fu;
                error += (top + (bottom - top) * fv - here[channel]).abs();
                still += (unmoved[channel] - here[channel]).abs();
                count += 1.0;
            }
        }
    }
    println!("warped {:.2}, unwarped {:.2} of 255", error / count, still / count);
    assert!(error / count < 6.0, "the warped frame is off by {}", error / count);
    // Learning needs the right depth to explain much more than standing still does.
    assert!(still > 2.0 * error, "warping explains too little: {} against {}", error / count, still / count);
}
