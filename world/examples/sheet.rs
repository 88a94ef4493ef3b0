//! Draws frames of places with their depth and classes side by side: `docs/pictures/world.png` is made with
//! `cargo run --release -p parallax-world --example sheet -- docs/pictures/world.png 256x128 1:40 12:300 2:700`
//! (file, size, then seed:frame pairs).

use parallax_core::labels::Classes;
use parallax_core::picture::{depth_in_colors, mask_in_colors, sheet};
use parallax_world::{Class, DriveConfig, RenderConfig, World, WorldConfig, robot_camera};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pair = |text: &str, mark: char| {
        let (a, b) = text.split_once(mark).expect("two numbers");
        (a.parse::<u32>().expect("a number"), b.parse::<u32>().expect("a number"))
    };
    let size = pair(&arguments[1], 'x');
    let classes = Classes::dense(&Class::ALL.map(|class| (class.name(), class.color())));
    let row = |spot: &String| {
        let (seed, frame) = pair(spot, ':');
        let world = World::generate(u64::from(seed), &WorldConfig::default());
        let drive = world.drive(&DriveConfig::default());
        let camera = robot_camera("left", size.0, size.1);
        let pose = drive.world_from_camera(frame as usize);
        let taken = world.render(&camera, &pose, drive.time_secs(frame as usize), &RenderConfig::default());
        let truth = mask_in_colors(&taken.classes, &classes);
        vec![
            (format!("seed {seed}, frame {frame}"), taken.rgb),
            ("depth".to_owned(), depth_in_colors(&taken.depth)),
            ("classes".to_owned(), truth),
        ]
    };
    let rows: Vec<_> = arguments[2..].iter().map(row).collect();
    sheet(&rows, size).save(&arguments[0]).expect("a file to write");
}
