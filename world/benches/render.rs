//! How long a picture takes. One iteration is one frame at 640×192, so the throughput printed is frames per second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parallax_world::{DriveConfig, RenderConfig, World, WorldConfig, robot_camera};

fn frame(criterion: &mut Criterion) {
    let world = World::generate(1, &WorldConfig::default());
    let drive = world.drive(&DriveConfig::default());
    let camera = robot_camera("left", 640, 192);
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    let mut index = 0;
    group.bench_function("frame_640x192", |bencher| {
        bencher.iter(|| {
            // Frames all over the place: what stands near the camera decides the time.
            index += 37;
            world.render(&camera, &drive.world_from_camera(index), drive.time_secs(index), &RenderConfig::default())
        });
    });
    group.finish();
}

fn place(criterion: &mut Criterion) {
    criterion.bench_function("generate", |bencher| bencher.iter(|| World::generate(1, &WorldConfig::default())));
}

criterion_group!(benches, frame, place);
criterion_main!(benches);
