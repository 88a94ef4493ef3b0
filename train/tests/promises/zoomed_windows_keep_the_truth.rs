//! In windows of enlarged frames camera, motion, baseline and ranges belong together: the exact depth in the window's own unit
//! rebuilds the target best, from the frames before and after and from the other eye.

use std::path::{Path, PathBuf};

use nalgebra::{Isometry3, Vector3};
use parallax_core::camera::ros_yaml;
use parallax_core::depth::DepthUnit;
use parallax_core::model_input::ModelInput;
use parallax_core::recording::write_kitti_poses;
use parallax_train::data::{
    Augmentation, CropConfig, CropSources, DepthBatch, DepthBatches, DepthBatchesConfig, Footage, FootageConfig,
    FootageNeeds, FrameSize, IntrinsicsSource, Motion, PoseSource, RangeChannel, Supervision, TermBatch, TermsConfig,
};
use parallax_train::loss::depth::disparity_of_depth;
use parallax_train::loss::host::{Around, Frames, Source, Term, host_loss};
use parallax_train::loss::photometric::OutOfView;
use parallax_train::pretraining::PretrainConfig;
use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, robot_camera};

/// Of the pictures; frames are half as large, so that those enlarged twice are the pictures themselves.
const PICTURE: (u32, u32) = (320, 128);
const FRAMES: usize = 4;
const BASELINE_M: f64 = 0.2;
const ZOOM: f64 = 2.0;

/// A few frames a step apart, both eyes, exact depth and poses.
fn drive(parent: &Path) -> PathBuf {
    let folder = parent.join("drive");
    let world = World::generate(4, &WorldConfig::default());
    let camera = robot_camera("left", PICTURE.0, PICTURE.1);
    let mut pose = world.drive(&DriveConfig { shake: 0.0, ..DriveConfig::default() }).world_from_camera(30);
    let mut poses = Vec::new();
    for name in ["frames", "frames_right", "depth"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    for frame in 0..FRAMES {
        let name = format!("{frame:06}.png");
        let right = pose * Isometry3::new(Vector3::x() * BASELINE_M, Vector3::zeros());
        let left = world.render(&camera, &pose, 0.0, &RenderConfig::clean());
        left.rgb.save(folder.join("frames").join(&name)).unwrap();
        left.depth.write_png(&folder.join("depth").join(&name), DepthUnit::KittiStep).unwrap();
        let right = world.render(&camera, &right, 0.0, &RenderConfig::clean());
        right.rgb.save(folder.join("frames_right").join(&name)).unwrap();
        poses.push(pose);
        pose *= Isometry3::new(Vector3::new(0.02, 0.0, 0.3), Vector3::new(0.004, 0.04, 0.0));
    }
    write_kitti_poses(&folder.join("poses.txt"), &poses).unwrap();
    ros_yaml::write(&folder.join("camera.yaml"), &camera).unwrap();
    ros_yaml::write(&folder.join("camera_right.yaml"), &camera.with_baseline(BASELINE_M)).unwrap();
    folder
}

fn batches(data: PathBuf, sources: CropSources) -> DepthBatches {
    let needs = FootageNeeds {
        enlarged: true,
        poses: PoseSource::Given,
        range: Some(RangeChannel::Depth),
        ..FootageNeeds::default()
    };
    let (width, height) = (PICTURE.0 as usize / 2, PICTURE.1 as usize / 2);
    let footage = FootageConfig { data: vec![data], camera: None, right_camera: None, width, height, memory: 1 << 24 };
    let config = DepthBatchesConfig {
        supervisions: vec![Supervision::Video, Supervision::Stereo, Supervision::Range],
        terms: TermsConfig { poses: needs.poses.clone(), range: needs.range, ..TermsConfig::default() },
        input: ModelInput::imagenet(width as u32, height as u32),
        frame_gap: 1,
        batch: 1,
        seed: 3,
        strides: vec![1],
        crop: Some(CropConfig { width: 96, height, from: FrameSize::Network, sources, zoom: Some(ZOOM) }),
        augmentation: Some(Augmentation::Published),
    };
    DepthBatches::new(Footage::open_for(&footage, &needs).unwrap(), config).unwrap()
}

/// The error of one term where depth is its measured value times `factor`.
fn photometric(batch: &DepthBatch, term: &TermBatch, factor: f32) -> f64 {
    let Some(ranges) = &batch.ranges else { panic!("ranges teach") };
    // Sky, where nothing is measured, is as far as depth goes.
    let depth = |range: f32| if range > 0.0 { (factor * range).clamp(0.1001, 99.9) } else { 99.9 };
    let disparity: Vec<f32> = ranges.depth.iter().map(|range| disparity_of_depth(depth(*range))).collect();
    let sources = term.sources.iter().map(|source| Source {
        image: &source.image,
        around: source.surroundings.as_ref().map(|around| Around {
            width: around.width,
            image: &around.image,
            places: &around.places,
        }),
        motions: match &source.motion {
            Motion::Known(motions) => motions.clone(),
            Motion::Learned { .. } => panic!("motions are given"),
        },
    });
    let frames = Frames {
        width: batch.width,
        height: batch.height,
        target: &batch.target,
        pyramid: &batch.pyramid,
        intrinsics: &batch.intrinsics,
        terms: vec![Term { weight: 1.0, sources: sources.collect(), out_of_view: OutOfView::Masked }],
        ranges: None,
    };
    host_loss(&frames, &[disparity]).photometric[0]
}

/// What was measured in a window's own pixels, metres.
fn measured_m(batches: &DepthBatches, batch: &DepthBatch) -> Vec<f32> {
    let view = batch.views[0];
    let index = batch.names[0].split(' ').nth(1).unwrap().parse().unwrap();
    let frame = batches.footage.ranges_at(0, index, view.zoom.to).unwrap().unwrap();
    let mut window = Vec::new();
    view.append_map(&frame, &mut window);
    window
}

#[test]
fn the_true_depth_rebuilds_a_zoomed_window_best() {
    let folder = tempfile::tempdir().unwrap();
    let data = drive(folder.path());
    for sources in [CropSources::Window, CropSources::Around] {
        let batches = batches(data.clone(), sources);
        let mut zoomed = 0;
        for step in 0..8 {
            let batch = batches.batch(step).unwrap();
            // A right eye has no ranges to know the truth from.
            if batch.names[0].contains("right") {
                continue;
            }
            let zoom = batch.views[0].zoom.factor() as f32;
            zoomed += u32::from(zoom > 1.2);
            let unit_m = zoom * batches.metres_per_unit.unwrap() as f32;
            for (metres, units) in measured_m(&batches, &batch).iter().zip(&batch.ranges.as_ref().unwrap().depth) {
                assert!((metres - unit_m * units).abs() <= 1e-4 * metres, "{metres} m, {units} units of {unit_m} m");
            }
            for term in &batch.terms {
                let least = photometric(&batch, term, 1.0);
                for factor in [0.85, 1.15].into_iter().chain((zoom > 1.2).then_some(zoom)) {
                    let wrong = photometric(&batch, term, factor);
                    assert!(wrong > least, "{:?}, zoom {zoom}, depth x {factor}: {wrong} {least}", term.supervision);
                }
            }
        }
        assert!(zoomed >= 2, "{zoomed} of the windows were zoomed");
    }
}

#[test]
fn a_zoom_that_makes_no_sense_is_refused() {
    let crop = |zoom| CropConfig {
        width: 64,
        height: 32,
        from: FrameSize::Network,
        sources: CropSources::Window,
        zoom: Some(zoom),
    };
    let refused = |zoom, intrinsics| {
        let config = crate::footage::config(&[Supervision::Video], &["drive".into()], 1);
        PretrainConfig { crop: Some(crop(zoom)), intrinsics, ..config }.check().map_err(|error| error.to_string())
    };
    assert_eq!(refused(2.0, IntrinsicsSource::Given), Ok(()));
    for zoom in [0.5, 9.0, f64::NAN] {
        let what = refused(zoom, IntrinsicsSource::Given).unwrap_err();
        assert!(what.contains("--zoom must be between 1 and 4"), "{what}");
    }
    let what = refused(2.0, IntrinsicsSource::Learn).unwrap_err();
    assert!(what.contains("principal point"), "{what}");
}
