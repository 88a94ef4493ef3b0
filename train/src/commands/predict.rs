//! `parallax-train predict`: a depth run's depth maps of recordings, as 16-bit PNG and as pictures to look at.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::depth::DepthUnit;
use parallax_core::files::{AtomicFolder, write_picture};
use parallax_core::program::{print, stop_on_signal};
use parallax_core::recording::Eye;
use parallax_train::device::{DeviceChoice, Inspector, choose};
use parallax_train::pretraining::prediction::{above_its_depth, predict};
use parallax_train::pretraining::{DepthModel, PretrainConfig, config_of, footage};
use parallax_train::training::RunFolder;
use std::sync::atomic::Ordering;

use super::{BadArguments, Outcome};

/// Arguments of `predict`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train predict runs/depth --data drive.mcap --out depth_maps
  parallax-train predict runs/depth --data frames/ --camera camera.yaml --every 10 --out depth_maps

OUT/depth/*.png are 16-bit, metres × 256 (a run that knows no metres: depth units × 256), at the network's size;
OUT/pictures/*.png show the frame above its depth. Masks come from `parallax-edge run`.")]
pub(crate) struct PredictArgs {
    /// A run of `parallax-train pretrain`.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// A recording or a folder of frames.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: PathBuf,
    /// Camera file for footage that has none, or instead of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) camera: Option<PathBuf>,
    /// Take every Nth frame.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) every: usize,
    /// Take the mean of the disparities of the picture and of its mirror image; a board runs the picture alone.
    #[arg(long)]
    pub(crate) flip_average: bool,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &PredictArgs) -> anyhow::Result<Outcome> {
    if args.every == 0 {
        return Err(BadArguments::error("--every must be at least 1", "leave it out for every frame"));
    }
    let folder = RunFolder::open(&args.run)?;
    let description = folder.description()?;
    let config = config_of(&folder, &description)?;
    let metres_per_unit = config.metres_per_unit;
    let data = vec![args.data.clone()];
    let footage = footage(&PretrainConfig { data, camera: args.camera.clone(), memory: 0, ..config })?;
    let device = choose(args.device, &Inspector::of_this_program()?)?.device;
    let model = DepthModel::load(folder.path(), false, &device)?;

    let out = AtomicFolder::create(&args.out)?;
    for part in ["depth", "pictures"] {
        let part = out.partial().join(part);
        std::fs::create_dir(&part).map_err(parallax_core::Error::io("create", &part))?;
    }
    let dims = [1, 3, footage.height(), footage.width()];
    let frames: Vec<usize> = (0..footage.recording(0).len()).step_by(args.every).collect();
    let bar = ProgressBar::new(frames.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} frames, {per_sec}, {eta} left")?);
    let names = footage.recording(0).frame_names();
    let mut written = 0;
    for index in frames {
        if stop_on_signal().load(Ordering::SeqCst) {
            break;
        }
        let frame = footage.frame(0, index, Eye::Left)?;
        let mut values = vec![0.0; description.input.len()];
        description.input.normalize(&frame, &mut values);
        let mut depth = predict(&model, &values, dims, super::views(args.flip_average), &device);
        write_picture(
            &out.partial().join(format!("pictures/{}.png", names[index])),
            &above_its_depth(&frame, &depth).into(),
        )?;
        let scale = metres_per_unit.unwrap_or(1.0) as f32;
        depth.metres.iter_mut().for_each(|metres| *metres *= scale);
        depth.write_png(&out.partial().join(format!("depth/{}.png", names[index])), DepthUnit::KittiStep)?;
        written += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let out = out.finish()?;
    show(&out, written, metres_per_unit.is_some(), args.json);
    Ok(Outcome::Done)
}

fn show(out: &std::path::Path, written: usize, metric: bool, json: bool) {
    if json {
        print(serde_json::json!({ "out": out, "frames": written, "metric": metric }));
        return;
    }
    let unit = if metric { "metres × 256" } else { "depth units × 256: the run knows no metres" };
    print(format_args!("wrote {}: {written} depth maps ({unit}) in depth/, to look at in pictures/", out.display()));
}
