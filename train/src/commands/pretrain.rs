//! `parallax-train pretrain`: depth from video or stereo, without labels.

use std::path::PathBuf;

use clap::Args;
use parallax_models::Network;
use parallax_train::data::Supervision;
use parallax_train::device::{ChosenDevice, DeviceChoice, Inspector, choose};
use parallax_train::pretraining::{PretrainConfig, pretrain, resume};

use super::loop_args::{LoopArgs, LoopDefaults, show};
use super::{BadArguments, Outcome};

/// Decoded frames kept in memory when --memory does not say otherwise: 10000 frames of 256x128.
const DEFAULT_MEMORY_MIB: usize = 1024;

/// Arguments of `pretrain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train pretrain --from stereo --data drive.mcap --out runs/depth
  parallax-train pretrain --from video,stereo --data a.mcap --data b.mcap --network slim --size 256x128 --steps 1500 --out runs/depth
  parallax-train pretrain --from video --data frames/ --camera camera.yaml --network resnet18 --size 640x192 --out runs/video
  parallax-train pretrain --resume --out runs/depth")]
pub(crate) struct PretrainArgs {
    /// What teaches depth: video, stereo or both.
    #[arg(long, value_enum, value_delimiter = ',', required_unless_present = "resume")]
    pub(crate) from: Vec<Supervision>,
    /// A recording or a folder of frames; may be given several times.
    #[arg(long, value_name = "PATH", required_unless_present = "resume")]
    pub(crate) data: Vec<PathBuf>,
    /// Camera file for footage that has none, or instead of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) camera: Option<PathBuf>,
    /// The same for the right camera.
    #[arg(long, value_name = "FILE")]
    pub(crate) right_camera: Option<PathBuf>,
    /// resnet18, resnet50 or slim.
    #[arg(long, default_value = "slim")]
    pub(crate) network: Network,
    /// Size the network works at; multiples of 32.
    #[arg(long, value_name = "WxH", default_value = "256x128", value_parser = parse_size)]
    pub(crate) size: (usize, usize),
    /// Images per step.
    #[arg(long, default_value_t = 4)]
    pub(crate) batch: usize,
    /// Seed of weights, order and augmentation.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Start from an earlier run (a folder) or from torchvision's ImageNet weights (a .pth or .safetensors file).
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) init: Option<PathBuf>,
    /// Frames between a target and its neighbours in the video.
    #[arg(long, default_value_t = 1)]
    pub(crate) frame_gap: usize,
    /// MiB of decoded frames kept in memory.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_MEMORY_MIB)]
    pub(crate) memory: usize,
    /// How long and how fast to learn, what to save.
    #[command(flatten)]
    pub(crate) training: LoopArgs,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// The run folder to write.
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Go on with the run in --out as it was started; only --steps and --device are looked at.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Runs the command.
pub(crate) fn run(args: &PretrainArgs) -> anyhow::Result<Outcome> {
    let started = if args.resume {
        resume(&args.out, args.training.steps, &device(args)?)?
    } else {
        let config = config(args)?;
        config.check().map_err(|error| BadArguments::error(error.to_string(), error.hint().unwrap_or_default()))?;
        pretrain(config, &args.out, &device(args)?)?
    };
    show(&started, "pretrain", &args.out);
    Ok(Outcome::Done)
}

fn device(args: &PretrainArgs) -> anyhow::Result<ChosenDevice> {
    Ok(choose(args.device, &Inspector::of_this_program()?)?)
}

/// With a known motion between the eyes large steps are safe. Where the motion is learned too, depth and motion can agree
/// on a flat world early: at 5e-4 depth became constant on real street video, at 2e-4 it did not.
fn default_learning_rate(from: &[Supervision]) -> f64 {
    if from.contains(&Supervision::Stereo) { 1e-3 } else { 2e-4 }
}

fn config(args: &PretrainArgs) -> anyhow::Result<PretrainConfig> {
    Ok(PretrainConfig {
        from: args.from.clone(),
        data: args.data.clone(),
        camera: args.camera.clone(),
        right_camera: args.right_camera.clone(),
        network: args.network,
        width: args.size.0,
        height: args.size.1,
        batch: args.batch,
        frame_gap: args.frame_gap,
        seed: args.seed,
        init: args.init.clone(),
        memory: args.memory << 20,
        metres_per_unit: None,
        steps: args.training.config(LoopDefaults {
            steps: 2000,
            learning_rate: default_learning_rate(&args.from),
            picture_every: 500,
        })?,
    })
}

/// `WxH`.
pub(crate) fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    numbers.ok_or_else(|| format!("expected a size like 256x128, got `{text}`"))
}
